"""Task ``chain``: single chains in implicit solvent; size, its distribution and relaxation, motion, local structure."""

from cgsim.benchmark.chain.metrics import CHAIN

__all__ = ["CHAIN"]
