"""Ion clusters: which ions hang together, and how many clusters there are of each composition."""

from collections.abc import Iterable

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from vesin import NeighborList

from cgsim.typing import Array, Bool, Float64, Int64


def ion_clusters(
    positions: Float64[Array, "sites 3"],
    cell: Float64[Array, "3 3"],
    ion_of_site: Int64[Array, " sites"],
    is_cation: Bool[Array, " ions"],
    cutoffs: Float64[Array, "2 2"],
) -> Int64[Array, " ions"]:
    """Cluster of each ion: two ions hang together if any of their sites are within the cutoff for ions of their signs.

    One cutoff for all, also between ions of like charge, is the rule behind the published populations (the
    ``aggregate/atom`` command of LAMMPS applied to the cation and to the O, N and S of TFSI with 3.4 Å, after
    France-Lanord and Grossman, Phys. Rev. Lett. 122, 136001 (2019)).

    Args:
        positions: of the sites that can touch, length; in the cell or not.
        cell: rows are lattice vectors; zeros for open boundaries.
        ion_of_site: the ion that each site belongs to, 0-based.
        is_cation: which ions are cations.
        cutoffs: length, symmetric: between anions [0, 0], anions and cations [0, 1], cations [1, 1]; 0 for never.
    """
    neighbors = NeighborList(cutoff=float(cutoffs.max()), full_list=False)
    i, j, distances = neighbors.compute(positions, cell, bool(cell.any()), "ijd")
    first, second = ion_of_site[i.astype(np.int64)], ion_of_site[j.astype(np.int64)]
    sign = is_cation.astype(np.int64)
    touch = distances <= cutoffs[sign[first], sign[second]]
    n_ions = len(is_cation)
    contacts = sparse.coo_array((np.ones(touch.sum()), (first[touch], second[touch])), shape=(n_ions, n_ions))
    _, labels = csgraph.connected_components(contacts, directed=False)
    return np.asarray(labels, dtype=np.int64)


def cluster_populations(
    frames: Iterable[tuple[Float64[Array, "sites 3"], Float64[Array, "3 3"]]],
    ion_of_site: Int64[Array, " sites"],
    is_cation: Bool[Array, " ions"],
    cutoffs: Float64[Array, "2 2"],
) -> Float64[Array, "frames cations anions"]:
    """Number of clusters of i cations and j anions in every frame, entry [frame, i, j]; see :func:`ion_clusters`.

    The axes are as long as the largest cluster of any frame needs.

    Raises:
        ValueError: if there is no frame.
    """
    compositions: list[Array] = []
    for positions, cell in frames:
        label = ion_clusters(positions, cell, ion_of_site, is_cation, cutoffs)
        cations = np.bincount(label, weights=is_cation).astype(np.int64)
        compositions.append(np.stack([cations, np.bincount(label) - cations]))
    if not compositions:
        raise ValueError("no frames")
    most = np.max([c.max(axis=1) for c in compositions], axis=0) + 1
    populations = np.zeros((len(compositions), *most))
    for population, (cations, anions) in zip(populations, compositions, strict=True):
        np.add.at(population, (cations, anions), 1.0)
    return populations
