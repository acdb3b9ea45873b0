"""Ion clusters: which ions hang together, and how many clusters there are of each composition."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from cgsim.observables.close_pairs import close_pairs
from cgsim.typing import Array, Bool, Float64, Int64

Sites = tuple[Float64[Array, "sites 3"], Float64[Array, "3 3"]]


@dataclass(frozen=True)
class ClusterSeries:
    """How many clusters of each composition every frame has.

    Attributes:
        compositions: [compositions, kinds], number of ions of each kind; every composition that was met, smallest
            clusters first.
        counts: [frames, compositions], number of such clusters.
        share_alone: [ions], share of the frames in which each ion is in no cluster.
        size_around: [ions], mean number of ions in the cluster of each ion.
    """

    compositions: Int64[Array, "compositions kinds"]
    counts: Float64[Array, "frames compositions"]
    share_alone: Float64[Array, " ions"]
    size_around: Float64[Array, " ions"]

    def populations(self, is_cation: Bool[Array, " kinds"]) -> Float64[Array, "frames cations anions"]:
        """Number of clusters of i cations and j anions of whatever kinds, entry [frame, i, j].

        The axes are as long as the largest cluster of any frame needs.
        """
        cations = self.compositions[:, is_cation].sum(axis=1)
        anions = self.compositions[:, ~is_cation].sum(axis=1)
        populations = np.zeros((len(self.counts), cations.max() + 1, anions.max() + 1))
        for k, (i, j) in enumerate(zip(cations, anions, strict=True)):
            populations[:, i, j] += self.counts[:, k]
        return populations


def ion_clusters(
    positions: Float64[Array, "sites 3"],
    cell: Float64[Array, "3 3"],
    ion_of_site: Int64[Array, " sites"],
    kind_of_ion: Int64[Array, " ions"],
    cutoffs: Float64[Array, "kinds kinds"],
) -> Int64[Array, " ions"]:
    """Cluster of each ion: two ions hang together if any of their sites are within the cutoff for ions of their kinds.

    One cutoff for all, also between ions of like charge, is the rule behind the published populations (the
    ``aggregate/atom`` command of LAMMPS applied to the cation and to the O, N and S of TFSI with 3.4 Å, after
    France-Lanord and Grossman, Phys. Rev. Lett. 122, 136001 (2019)).

    Args:
        positions: of the sites that can touch, length; in the cell or not.
        cell: rows are lattice vectors; zeros for open boundaries.
        ion_of_site: the ion that each site belongs to, 0-based.
        kind_of_ion: the kind of each ion, 0-based.
        cutoffs: length, symmetric: for each pair of kinds; 0 for never.
    """
    i, j, distances = close_pairs(positions, cell, float(cutoffs.max()))
    first, second = ion_of_site[i], ion_of_site[j]
    touch = distances <= cutoffs[kind_of_ion[first], kind_of_ion[second]]
    n_ions = len(kind_of_ion)
    contacts = sparse.coo_array((np.ones(touch.sum()), (first[touch], second[touch])), shape=(n_ions, n_ions))
    _, labels = csgraph.connected_components(contacts, directed=False)
    return np.asarray(labels, dtype=np.int64)


def cluster_series(
    frames: Iterable[Sites],
    ion_of_site: Int64[Array, " sites"],
    kind_of_ion: Int64[Array, " ions"],
    cutoffs: Float64[Array, "kinds kinds"],
) -> ClusterSeries:
    """Count the clusters of every frame by composition, for any number of kinds of ions; see :func:`ion_clusters`.

    Raises:
        ValueError: if there is no frame.
    """
    n_kinds = len(cutoffs)
    known: dict[bytes, int] = {}
    of_frame: list[dict[int, int]] = []
    alone, around = np.zeros((2, len(kind_of_ion)))
    for positions, cell in frames:
        label = ion_clusters(positions, cell, ion_of_site, kind_of_ion, cutoffs)
        size = np.bincount(label)[label]
        alone += size == 1
        around += size
        content = np.bincount(label * n_kinds + kind_of_ion, minlength=(label.max() + 1) * n_kinds)
        unique, counts = np.unique(content.reshape(-1, n_kinds), axis=0, return_counts=True)
        of_frame.append(
            {
                known.setdefault(row.astype(np.int64).tobytes(), len(known)): int(c)
                for row, c in zip(unique, counts, strict=True)
            }
        )
    if not of_frame:
        raise ValueError("no frames")
    compositions = np.array([np.frombuffer(row, dtype=np.int64) for row in known])
    numbers = np.zeros((len(of_frame), len(known)))
    for row, found in zip(numbers, of_frame, strict=True):
        row[list(found)] = list(found.values())
    order = np.lexsort((*compositions.T, compositions.sum(axis=1)))
    n_frames = len(of_frame)
    return ClusterSeries(compositions[order], numbers[:, order], alone / n_frames, around / n_frames)


def cluster_populations(
    frames: Iterable[Sites],
    ion_of_site: Int64[Array, " sites"],
    is_cation: Bool[Array, " ions"],
    cutoffs: Float64[Array, "2 2"],
) -> Float64[Array, "frames cations anions"]:
    """Number of clusters of i cations and j anions in every frame, entry [frame, i, j]; see :func:`ion_clusters`.

    Args:
        frames: positions of the sites and cell of each frame.
        ion_of_site: the ion that each site belongs to, 0-based.
        is_cation: which ions are cations.
        cutoffs: length, symmetric: between anions [0, 0], anions and cations [0, 1], cations [1, 1]; 0 for never.

    Raises:
        ValueError: if there is no frame.
    """
    series = cluster_series(frames, ion_of_site, is_cation.astype(np.int64), cutoffs)
    return series.populations(np.array([False, True]))
