"""A learned simulator of coarse-grained molecular dynamics with very large time steps."""

__version__ = "0.1.0"
