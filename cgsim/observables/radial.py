"""Radial distribution functions and coordination numbers of any selections, in any cell."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import find_peaks
from vesin import NeighborList

from cgsim.observables.records import Records
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
        coordination_error: [pairs, bins], standard errors of ``coordination``.
        parts: [parts, pairs, bins], ``rdf`` of consecutive parts of the trajectory, for errors of derived quantities.
        coordination_parts: the same of ``coordination``.
        rdf_average, coordination_average: [pairs, bins], the same with the blocks behind their errors.
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

    @property
    def bin_centres(self) -> Float64[Array, " bins"]:
        """Middle of each bin, length."""
        return np.asarray(0.5 * (self.bin_edges[1:] + self.bin_edges[:-1]))

    def peak_bins(self, pair: int) -> Int64[Array, " peaks"]:
        """Bins of the peaks of a pair's g(r): above 1, and prominent by 0.1 and by four times their own error."""
        tops, properties = find_peaks(np.pad(_smooth(self.rdf[pair]), 1), height=1.0, prominence=0.1)
        error = np.sqrt(_smooth(self.rdf_error[pair] ** 2) / 3.0)
        return np.asarray(tops[properties["prominences"] > 4.0 * error[tops - 1]] - 1, dtype=np.int64)

    def first_peak(self, pair: int) -> tuple[Estimate, Estimate]:
        """Position and height of the first peak of a pair, from a parabola through the bins above 60 % of its height.

        The errors come from leaving out one part of the trajectory at a time, that of a position which never changes
        from the width of the bins. Both are nan if there is no peak.
        """
        tops = self.peak_bins(pair)
        if not tops.size:
            return Estimate(float("nan"), float("nan")), Estimate(float("nan"), float("nan"))
        near = _around(_smooth(self.rdf[pair]), int(tops[0]))
        r = self.bin_centres[near]
        position = _jackknife(self.parts[:, pair], lambda g: _parabola(r, g[near])[0])
        if position.standard_error == 0:
            position = replace(position, standard_error=float(r[1] - r[0]) / np.sqrt(12.0))
        return position, _jackknife(self.parts[:, pair], lambda g: _parabola(r, g[near])[1])

    def first_minimum(self, pair: int) -> int | None:
        """Bin of the minimum between the first two peaks; None if there is only one."""
        tops = self.peak_bins(pair)
        if len(tops) < 2:
            return None
        return int(tops[0] + np.argmin(_smooth(self.rdf[pair])[tops[0] : tops[1]]))

    def first_shell(self, pair: int) -> tuple[Estimate, Estimate] | None:
        """Radius of the first shell and number of particles in it; None if the pair has no minimum behind its peak.

        The shell ends at the upper edge of the bin of :meth:`first_minimum`. The errors allow for the place of the
        minimum: it is looked for again in each part-less trajectory (jackknife). That of the number is at least the
        error of the coordination number at a fixed radius.
        """
        bottom = self.first_minimum(pair)
        if bottom is None:
            return None
        top, second = self.peak_bins(pair)[:2]
        n = len(self.parts)
        radii, numbers = np.empty(n), np.empty(n)
        for k in range(n):
            others = np.arange(n) != k
            g = self.parts[others if n > 1 else slice(None), pair].mean(axis=0)
            here = int(top + np.argmin(_smooth(g)[top:second]))
            radii[k] = self.bin_edges[here + 1]
            numbers[k] = self.coordination_parts[others if n > 1 else slice(None), pair, here].mean()
        width = float(self.bin_edges[bottom + 1] - self.bin_edges[bottom])
        spread = [float(np.sqrt((n - 1) * values.var())) for values in (radii, numbers)]
        fixed = float(self.coordination_error[pair, bottom])
        freedom = max(1.0, n - 1.0)
        radius = Estimate(float(self.bin_edges[bottom + 1]), max(spread[0], width / np.sqrt(12.0)), freedom)
        error = max(spread[1], fixed) if np.isfinite(fixed) else fixed
        return radius, Estimate(float(self.coordination[pair, bottom]), error, freedom)


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
    for weight, (positions, cell) in zip(frame_weights or itertools.repeat(1.0), frames, strict=False):
        _refuse_far_bins(cell, float(bin_edges[-1]))
        i, j, distances = neighbors.compute(positions[chosen], cell, True, "ijd")
        if molecule_id is not None:
            apart = molecule_id[chosen][i] != molecule_id[chosen][j]
            i, j, distances = i[apart], j[apart], distances[apart]
        counts = _histogram(kind[i], kind[j], distances, bin_edges, len(patterns))
        ordered = np.einsum("pk,klb,pl->pb", members[pairs[:, 0]], counts, members[pairs[:, 1]], optimize=True)
        box_volume = abs(float(np.linalg.det(cell)))
        rdf = ordered * box_volume / (n_pairs[:, None] * shells)
        functions.add(rdf, weight)
        numbers.add(np.cumsum(ordered, axis=1) / first_size, weight)
    average, coordination = functions.average(), numbers.average()
    return RadialDistribution(
        bin_edges,
        average.mean,
        average.standard_error,
        coordination.mean,
        coordination.standard_error,
        functions.of_parts(),
        numbers.of_parts(),
        average,
        coordination,
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
    distances: Float64[Array, " pairs"],
    bin_edges: Float64[Array, " edges"],
    n_kinds: int,
) -> Float64[Array, "kinds kinds bins"]:
    n_bins = len(bin_edges) - 1
    bins = np.searchsorted(bin_edges, distances, side="right") - 1
    inside = (bins >= 0) & (bins < n_bins)
    code = ((first * n_kinds + second) * n_bins + bins)[inside]
    counts = np.bincount(code, minlength=n_kinds * n_kinds * n_bins)
    return counts.reshape(n_kinds, n_kinds, n_bins).astype(np.float64)


def _refuse_far_bins(cell: Float64[Array, "3 3"], cutoff: float) -> None:
    if not cell.any():
        raise ValueError("a radial distribution function needs a periodic cell: without one there is no density")
    half = float(image_reach(cell[None])[0])
    if cutoff > half * (1 + 1e-9):
        raise ValueError(f"bins reach to {cutoff:g}, at most half the shortest lattice vector of the cell, {half:g}")


def _smooth(g: Float64[Array, " bins"]) -> Float64[Array, " bins"]:
    """Running mean over three bins, so that noise in one bin is no peak."""
    padded = np.pad(g, 1, mode="edge")
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3.0)


def _around(g: Float64[Array, " bins"], top: int) -> slice:
    """The bins around a peak that reach 60 % of its height, five at least."""
    low = np.flatnonzero(g < 0.6 * g[top])
    left = int(low[low < top].max(initial=-1)) + 1
    right = int(low[low > top].min(initial=len(g)))
    start = max(0, min(left, top - 2, len(g) - 5))
    return slice(start, max(right, start + 5))


def _parabola(r: Float64[Array, " bins"], g: Float64[Array, " bins"]) -> tuple[float, float]:
    """Position and height of the maximum of a parabola through all points; the highest point if there is none."""
    origin = float(r.mean())
    curvature, slope, height = np.polyfit(r - origin, g, 2)
    if curvature >= 0:
        return float(r[g.argmax()]), float(g.max())
    shift = float(np.clip(-slope / (2 * curvature), r[0] - origin, r[-1] - origin))
    return origin + shift, float(height + slope * shift + curvature * shift**2)


def _jackknife(parts: Float64[Array, "parts bins"], derive: Callable[[Float64[Array, " bins"]], float]) -> Estimate:
    """A quantity derived from a curve, with its error from leaving out one part of the trajectory at a time."""
    n = len(parts)
    value = derive(parts.mean(axis=0))
    if n < 2:
        return Estimate(value, float("nan"))
    left_out = np.array([derive(np.delete(parts, k, axis=0).mean(axis=0)) for k in range(n)])
    return Estimate(value, float(np.sqrt((n - 1) * left_out.var())), n - 1.0)
