"""Coarse-graining: which atoms make which bead."""

from cgsim.mapping.mapping import Mapping
from cgsim.mapping.partition import MappingSettings, partition

__all__ = ["Mapping", "MappingSettings", "partition"]
