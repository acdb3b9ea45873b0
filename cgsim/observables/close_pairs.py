"""Pairs of particles within a distance, in any cell."""

import numpy as np
from vesin import NeighborList

from cgsim.typing import Array, Float64, Int64

SPACING = 0.5  # mean distances of particles: bins of the search are not made much smaller than the gaps between them


def close_pairs(
    positions: Float64[Array, "particles 3"], cell: Float64[Array, "3 3"], cutoff: float
) -> tuple[Int64[Array, " pairs"], Int64[Array, " pairs"], Float64[Array, " pairs"]]:
    """Find every pair of particles within the cutoff, once, and its distance; once for each image that is near.

    Args:
        positions: in the cell or not, length.
        cell: rows are lattice vectors; zeros for open boundaries.
        cutoff: length.
    """
    volume = abs(float(np.linalg.det(cell)))
    # The search cuts the cell into cubes of its radius: with a small radius nearly all of very many would be empty.
    radius = max(cutoff, SPACING * (volume / max(1, len(positions))) ** (1 / 3))
    i, j, distances = NeighborList(cutoff=radius, full_list=False).compute(positions, cell, bool(cell.any()), "ijd")
    near = distances <= cutoff
    return i[near].astype(np.int64), j[near].astype(np.int64), distances[near]
