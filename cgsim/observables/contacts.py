"""Contacts: which units of a chain touch each other, and how many molecules of each kind touch one molecule."""

import numpy as np
from scipy.spatial import KDTree

from cgsim.observables.close_pairs import close_pairs
from cgsim.observables.particle_means import scatter_error
from cgsim.typing import Array, Bool, Float64, Int64


def chain_contacts(
    unwrapped_positions: Float64[Array, "particles 3"],
    unit: Int64[Array, " particles"],
    n_units: int,
    cutoff: float,
) -> Bool[Array, "units units"]:
    """Which units of one chain touch: any particle of the one within the cutoff of any of the other; symmetric.

    Distances are those of the unwrapped chain, so that a chain does not touch its own periodic image. A unit that has
    any particle touches itself.

    Args:
        unwrapped_positions: of the particles of one chain in one frame, length.
        unit: [particles], 0-based.
        n_units: number of units.
        cutoff: length.
    """
    i, j = KDTree(unwrapped_positions).query_pairs(cutoff, output_type="ndarray").T
    touch = np.zeros((n_units, n_units), dtype=bool)
    touch[unit[i], unit[j]] = True
    touch[unit, unit] = True
    return np.asarray(touch | touch.T)


def molecule_contacts(
    positions: Float64[Array, "sites 3"],
    cell: Float64[Array, "3 3"],
    molecule_of_site: Int64[Array, " sites"],
    kind_of_molecule: Int64[Array, " molecules"],
    n_kinds: int,
    cutoff: float,
) -> Float64[Array, "molecules kinds"]:
    """Number of molecules of each kind that touch each molecule, itself not counted.

    Two molecules touch if any of their sites are within the cutoff; each pair counts once, however many sites touch.

    Args:
        positions: in the cell or not, length.
        cell: rows are lattice vectors; zeros for open boundaries.
        molecule_of_site: 0-based.
        kind_of_molecule: 0-based.
        n_kinds: number of kinds.
        cutoff: length.
    """
    i, j, _ = close_pairs(positions, cell, cutoff)
    pairs = np.sort(np.stack([molecule_of_site[i], molecule_of_site[j]]), axis=0)
    pairs = pairs[:, pairs[0] != pairs[1]]
    n = len(kind_of_molecule)
    first, second = np.divmod(np.unique(pairs[0] * n + pairs[1]), n)
    counts = np.zeros((n, n_kinds))
    np.add.at(counts, (first, kind_of_molecule[second]), 1.0)
    np.add.at(counts, (second, kind_of_molecule[first]), 1.0)
    return counts


def mean_by_kind(
    counts: Float64[Array, "molecules kinds"], kind_of_molecule: Int64[Array, " molecules"]
) -> Float64[Array, "kinds kinds"]:
    """Mean number of molecules of the second kind that touch a molecule of the first."""
    sums = np.zeros((counts.shape[1], counts.shape[1]))
    np.add.at(sums, kind_of_molecule, counts)
    sizes = np.bincount(kind_of_molecule, minlength=counts.shape[1])
    return np.asarray(sums / np.maximum(sizes, 1)[:, None])


def scatter_by_kind(
    means: Float64[Array, "molecules kinds"], kind_of_molecule: Int64[Array, " molecules"]
) -> Float64[Array, "kinds kinds"]:
    """Standard errors of :func:`mean_by_kind` of averages over time, from the scatter between molecules."""
    errors = np.empty((means.shape[1], means.shape[1]))
    for kind, row in enumerate(errors):
        own = means[kind_of_molecule == kind]
        row[:] = scatter_error(own, max(1, len(own)))
    errors[np.diag_indices_from(errors)] *= np.sqrt(2.0)  # counted at both ends: half as many are independent
    return errors
