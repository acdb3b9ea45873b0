"""Radial distribution functions and coordination numbers of any selections, in any cell."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from vesin import NeighborList

from cgsim.observables.particle_means import NeighbourCounts, larger_error
from cgsim.observables.peaks import Landmarks, find_landmarks
from cgsim.observables.records import Records
from cgsim.observables.shells import FirstShell, fit_peak, measure_shell
from cgsim.observables.statistics import BlockAverage, Estimate
from cgsim.observables.structure import image_reach, molecule_sums
from cgsim.typing import Array, Bool, Float64, Int64

Frame = tuple[Float64[Array, "particles 3"], Float64[Array, "3 3"]]


@dataclass(frozen=True)
class RadialDistribution:
    """What surrounds what, for several pairs of selections.

    Attributes:
        bin_edges: [edges], one more than bins, length.
        rdf: [pairs, bins], 1 for an ideal gas.
        rdf_error: [pairs, bins], standard errors of ``rdf``.
        coordination: [pairs, bins], mean number of particles of the second selection within the upper edge of each bin
            of one of the first.
        coordination_error: [pairs, bins], standard errors of ``coordination``: from blocks of time, or from the scatter
            between particles of the first selection where that is larger.
        parts: [parts, pairs, bins], ``rdf`` of consecutive parts of the trajectory, for errors of derived quantities.
        coordination_parts: the same of ``coordination``.
        rdf_average, coordination_average: [pairs, bins], the same with the blocks behind their errors.
        coordination_particles: [pairs, bins], number of particles that ``coordination_error`` comes from; 0 where it is
            from blocks of time.
    """

    bin_edges: Float64[Array, " edges"]
    rdf: Float64[Array, "pairs bins"]
    rdf_error: Float64[Array, "pairs bins"]
    coordination: Float64[Array, "pairs bins"]
    coordination_error: Float64[Array, "pairs bins"]
    parts: Float64[Array, "parts pairs bins"]
    coordination_parts: Float64[Array, "parts pairs bins"]
    rdf_average: BlockAverage
    coordination_average: BlockAverage
    coordination_particles: Int64[Array, "pairs bins"]

    @property
    def bin_centres(self) -> Float64[Array, " bins"]:
        """Middle of each bin, length."""
        return np.asarray(0.5 * (self.bin_edges[1:] + self.bin_edges[:-1]))

    def landmarks(self, pair: int) -> Landmarks | None:
        """The first peak of a pair's g(r) and the minimum behind it; None without a peak."""
        return find_landmarks(self.parts[:, pair], self.rdf_error[pair], np.diff(self.bin_edges**3))

    def first_peak(self, pair: int) -> tuple[Estimate, Estimate]:
        """Position and height of the first peak of a pair; both are nan if there is none."""
        found = self.landmarks(pair)
        if found is None:
            return Estimate(float("nan"), float("nan")), Estimate(float("nan"), float("nan"))
        return fit_peak(self.bin_edges, self.parts[:, pair], found)

    def first_minimum(self, pair: int) -> int | None:
        """Bin in which the first shell ends; None if g does not rise again behind its first peak."""
        shell = self.first_shell(pair)
        if shell is None:
            return None
        return int(np.clip(np.searchsorted(self.bin_edges, shell.radius.value) - 1, 0, len(self.bin_edges) - 2))

    def first_shell(self, pair: int) -> FirstShell | None:
        """Radius of the first shell and number of particles in it; None if the pair has no minimum behind its peak."""
        found = self.landmarks(pair)
        if found is None:
            return None
        error, particles = self.coordination_error[pair], self.coordination_particles[pair]
        freedom = np.where(particles > 0, particles - 1.0, len(self.parts) - 1.0)
        parts, coordination_parts = self.parts[:, pair], self.coordination_parts[:, pair]
        return measure_shell(self.bin_edges, parts, coordination_parts, error, freedom, found)


def radial_distribution(
    frames: Iterable[Frame],
    selections: Bool[Array, "selections particles"],
    pairs: Int64[Array, "pairs 2"],
    bin_edges: Float64[Array, " edges"],
    molecule_id: Int64[Array, " particles"] | None = None,
    frame_weights: Iterable[float] | None = None,
) -> RadialDistribution:
    """Radial distribution function of several pairs of selections, from one neighbour search a frame.

    g(r) = V <ordered pairs in a bin> / (n_pairs * volume of the shell), with n_pairs the number of ordered pairs that
    could be counted: N_a N_b less the pairs of a particle with itself, so that an ideal gas of any size gives 1 (Allen
    and Tildesley, Computer Simulation of Liquids, 2nd ed., sec. 8.2, there with N^2). In a changing cell g(r) is the
    average of each frame's own g(r), and coordination numbers are averages of counts.

    Args:
        frames: positions [particles, 3] and cell [3, 3] of each frame, in the cell or not; consumed one at a time.
        selections: which particles belong to each selection; they may overlap.
        pairs: two indices into ``selections`` each.
        bin_edges: ascending, length.
        molecule_id: if given, pairs within one molecule are not counted.
        frame_weights: weight of each frame; equal by default.

    Raises:
        ValueError: if there is no frame, a frame has no cell, or the bins reach beyond half the shortest lattice vector
            of a cell, where one image of a particle is not enough.
    """
    patterns, kind = np.unique(selections.T, axis=0, return_inverse=True)
    members = patterns.T.astype(np.float64)  # [selections, kinds]; particles of one kind are in the same selections
    chosen = np.flatnonzero(selections.any(axis=0))
    kind = kind.ravel()[chosen]
    n_pairs = _countable_pairs(selections, pairs, molecule_id)
    shells = 4.0 / 3.0 * np.pi * np.diff(bin_edges**3)
    neighbors = NeighborList(cutoff=float(bin_edges[-1]), full_list=True)
    first_size = np.maximum(selections[pairs[:, 0]].sum(axis=1), 1)[:, None]
    functions, numbers = Records(), Records()
    inner = selections[:, chosen]
    alike = [bool((inner[a] == inner[b]).all()) for a, b in pairs]
    particles = [
        NeighbourCounts(inner[a], inner[b], len(shells), same) for (a, b), same in zip(pairs, alike, strict=True)
    ]
    for weight, (positions, cell) in zip(frame_weights or itertools.repeat(1.0), frames, strict=False):
        _refuse_far_bins(cell, float(bin_edges[-1]))
        i, j, distances = neighbors.compute(positions[chosen], cell, True, "ijd")
        if molecule_id is not None:
            apart = molecule_id[chosen][i] != molecule_id[chosen][j]
            i, j, distances = i[apart], j[apart], distances[apart]
        bins = np.searchsorted(bin_edges, distances, side="right") - 1
        inside = (bins >= 0) & (bins < len(shells))
        i, j, bins = i[inside].astype(np.int64), j[inside].astype(np.int64), bins[inside]
        counts = _histogram(kind[i], kind[j], bins, len(shells), len(patterns))
        for one in particles:
            one.add(i, j, bins, weight)
        ordered = np.einsum("pk,klb,pl->pb", members[pairs[:, 0]], counts, members[pairs[:, 1]], optimize=True)
        box_volume = abs(float(np.linalg.det(cell)))
        rdf = ordered * box_volume / (n_pairs[:, None] * shells)
        functions.add(rdf, weight)
        numbers.add(np.cumsum(ordered, axis=1) / first_size, weight)
    average, coordination = functions.average(), numbers.average()
    n_first = selections[pairs[:, 0]].sum(axis=1)[:, None]
    error, n_particles = larger_error(coordination.standard_error, np.array([p.error() for p in particles]), n_first)
    return RadialDistribution(
        bin_edges,
        average.mean,
        average.standard_error,
        coordination.mean,
        error,
        functions.of_parts(),
        numbers.of_parts(),
        average,
        coordination,
        n_particles,
    )


def _countable_pairs(
    selections: Bool[Array, "selections particles"],
    pairs: Int64[Array, "pairs 2"],
    molecule_id: Int64[Array, " particles"] | None,
) -> Float64[Array, " pairs"]:
    """Number of ordered pairs of each pair of selections that may be counted."""
    group = np.arange(selections.shape[1]) if molecule_id is None else molecule_id
    per_group = (molecule_sums(group, np.ones(len(group))) @ selections.T.astype(np.float64)).T
    size = selections.sum(axis=1).astype(np.float64)
    excluded = (per_group[pairs[:, 0]] * per_group[pairs[:, 1]]).sum(axis=1)
    countable = size[pairs[:, 0]] * size[pairs[:, 1]] - excluded
    return np.where(countable > 0, countable, np.inf)  # nothing to count gives 0, not a division by zero


def _histogram(
    first: Int64[Array, " pairs"],
    second: Int64[Array, " pairs"],
    bins: Int64[Array, " pairs"],
    n_bins: int,
    n_kinds: int,
) -> Float64[Array, "kinds kinds bins"]:
    code = (first * n_kinds + second) * n_bins + bins
    counts = np.bincount(code, minlength=n_kinds * n_kinds * n_bins)
    return counts.reshape(n_kinds, n_kinds, n_bins).astype(np.float64)


def _refuse_far_bins(cell: Float64[Array, "3 3"], cutoff: float) -> None:
    if not cell.any():
        raise ValueError("a radial distribution function needs a periodic cell: without one there is no density")
    half = float(image_reach(cell[None])[0])
    if cutoff > half * (1 + 1e-9):
        raise ValueError(f"bins reach to {cutoff:g}, at most half the shortest lattice vector of the cell, {half:g}")
