"""Density profiles along an axis of the cell."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cgsim.observables.records import Records
from cgsim.observables.structure import perpendicular_widths
from cgsim.typing import Array, Float64, Int64


@dataclass(frozen=True)
class DensityProfile:
    """Densities in slabs between two faces of the cell.

    Attributes:
        slab_edges: [edges], length, distance from the face at the origin, in a cell of the mean width.
        density: [quantities, kinds, slabs], per length^3.
        density_error: [quantities, kinds, slabs], standard errors.
    """

    slab_edges: Float64[Array, " edges"]
    density: Float64[Array, "quantities kinds slabs"]
    density_error: Float64[Array, "quantities kinds slabs"]

    @property
    def slab_centres(self) -> Float64[Array, " slabs"]:
        """Middle of each slab, length."""
        return np.asarray(0.5 * (self.slab_edges[1:] + self.slab_edges[:-1]))


def density_profile(
    frames: Iterable[tuple[Float64[Array, "particles 3"], Float64[Array, "3 3"]]],
    axis: int,
    quantities: Float64[Array, "quantities particles"],
    kind: Int64[Array, " particles"],
    n_slabs: int,
) -> DensityProfile:
    """Density of several quantities, of each kind of particle by itself, in slabs of equal volume.

    Slabs are cut parallel to the face that the other two lattice vectors span, at equal steps of the fractional
    coordinate, so that all have the volume V / n in any cell, also in one that changes.

    Args:
        frames: positions [particles, 3] and cell [3, 3] of each frame, in the cell or not; consumed one at a time.
        axis: 0, 1 or 2: which lattice vector crosses the slabs.
        quantities: what to add up: ones for number densities, masses, charges.
        kind: [particles], 0-based; one profile for each kind.
        n_slabs: number of slabs.

    Raises:
        ValueError: if there is no frame, or a frame has no cell.
    """
    n_kinds = int(kind.max()) + 1
    records, widths = Records(), Records()
    for positions, cell in frames:
        if not cell.any():
            raise ValueError("a density profile needs a periodic cell: without one there is no density")
        fractional = (positions @ np.linalg.inv(cell))[:, axis]
        slab = np.minimum((fractional - np.floor(fractional)) * n_slabs, n_slabs - 1).astype(np.int64)
        code = kind * n_slabs + slab
        sums = [np.bincount(code, weights=q, minlength=n_kinds * n_slabs) for q in quantities]
        slab_volume = abs(float(np.linalg.det(cell))) / n_slabs
        records.add(np.array(sums).reshape(len(quantities), n_kinds, n_slabs) / slab_volume)
        widths.add(perpendicular_widths(cell)[axis : axis + 1])
    average = records.average()
    width = float(np.average(widths.series()[0][:, 0], weights=widths.series()[1]))
    return DensityProfile(np.linspace(0.0, width, n_slabs + 1), average.mean, average.standard_error)
