"""Task ``electrolyte``: polymer with salt; diffusion, conductivity, structure, ion clusters and contacts."""

from cgsim.benchmark.electrolyte.metrics import ELECTROLYTE

__all__ = ["ELECTROLYTE"]
