"""Van Hove functions: how far particles go in a time, whether as a Gaussian says, and where others are by then."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from vesin import NeighborList

from cgsim.observables.statistics import Estimate, block_average
from cgsim.typing import Array, Bool, Float64, Int64

MAX_ORIGINS = 1000  # time origins for each lag, evenly spread: more of them hardly tell more


@dataclass(frozen=True)
class Moments:
    """Moments of the displacements of some particles at some lags, molecule by molecule.

    Attributes:
        lags: [lags], frames.
        squared: [molecules, lags], length^2, mean of r^2 over the particles and time origins.
        fourth: [molecules, lags], length^4, mean of r^4.
        molecule_weights: [molecules], number of particles of each molecule.
        n_dimensions: axes that displacements have.
    """

    lags: Int64[Array, " lags"]
    squared: Float64[Array, "molecules lags"]
    fourth: Float64[Array, "molecules lags"]
    molecule_weights: Float64[Array, " molecules"]
    n_dimensions: int

    def non_gaussian(self) -> tuple[Float64[Array, " lags"], Float64[Array, " lags"]]:
        """Non-Gaussian parameter at every lag and its standard error from the scatter over molecules.

        alpha_2 = d <r^4> / ((d + 2) <r^2>^2) - 1 in d dimensions, 3 <r^4> / (5 <r^2>^2) - 1 in three (Rahman, Phys.
        Rev. 136, A405 (1964), eq. 25); 0 for Brownian motion. The error is nan for a single molecule.
        """
        share = self.molecule_weights / self.molecule_weights.sum()
        factor = self.n_dimensions / (self.n_dimensions + 2.0)
        second, fourth = share @ self.squared, share @ self.fourth
        moves = second > 0
        second = np.where(moves, second, 1.0)
        value = np.where(moves, factor * fourth / second**2 - 1.0, 0.0)
        # Linearised: each molecule's part in the ratio.
        parts = factor * ((self.fourth - fourth) / second**2 - 2.0 * fourth * (self.squared - second) / second**3)
        n = 1.0 / float((share**2).sum())
        error = np.sqrt(share**2 @ parts**2 * n / (n - 1.0)) if n > 1.5 else np.full(len(value), np.nan)
        return value, np.where(moves, error, 0.0)


def displacement_moments(
    unwrapped_positions: Float64[Array, "frames particles axes"],
    molecule_id: Int64[Array, " particles"],
    lags: Int64[Array, " lags"],
) -> Moments:
    """Second and fourth moments of displacements, over at most a thousand time origins for each lag.

    Args:
        unwrapped_positions: drift removed where it has to be, length.
        molecule_id: 0-based and consecutive among these particles.
        lags: frames, each less than the number of frames.
    """
    n, n_particles, n_axes = unwrapped_positions.shape
    squared, fourth = np.empty((n_particles, len(lags))), np.empty((n_particles, len(lags)))
    for k, lag in enumerate(lags):
        square = np.zeros((len(origins := spread_origins(n, int(lag))), n_particles))
        for axis in range(n_axes):
            square += (unwrapped_positions[origins + lag, :, axis] - unwrapped_positions[origins, :, axis]) ** 2
        squared[:, k], fourth[:, k] = square.mean(axis=0), (square**2).mean(axis=0)
    weights = np.bincount(molecule_id).astype(np.float64)

    def of_molecules(values: Float64[Array, "particles lags"]) -> Float64[Array, "molecules lags"]:
        sums = np.zeros((len(weights), len(lags)))
        np.add.at(sums, molecule_id, values)
        return sums / weights[:, None]

    return Moments(lags, of_molecules(squared), of_molecules(fourth), weights, n_axes)


def merge_moments(parts: list[Moments]) -> Moments:
    """Put together what was computed for different molecules."""
    return Moments(
        parts[0].lags,
        np.concatenate([p.squared for p in parts]),
        np.concatenate([p.fourth for p in parts]),
        np.concatenate([p.molecule_weights for p in parts]),
        parts[0].n_dimensions,
    )


def spread_origins(n_frames: int, lag: int) -> Int64[Array, " origins"]:
    """Time origins for a lag: all, or a thousand evenly spread."""
    last = n_frames - lag - 1
    return np.unique(np.round(np.linspace(0, last, min(MAX_ORIGINS, last + 1))).astype(np.int64))


@dataclass(frozen=True)
class VanHove:
    """A van Hove function at one lag.

    Attributes:
        lag: frames.
        bin_edges: [edges], length.
        value: [bins]; self: probability density 4 pi r^2 G_s of the distance gone, 1/length; distinct: G_d over the
            mean density, 1 far away.
        standard_error: [bins].
        gaussian: [bins], self: the density that Brownian motion with the same mean squared displacement has; distinct:
            ones.
    """

    lag: int
    bin_edges: Float64[Array, " edges"]
    value: Float64[Array, " bins"]
    standard_error: Float64[Array, " bins"]
    gaussian: Float64[Array, " bins"]

    @property
    def bin_centres(self) -> Float64[Array, " bins"]:
        """Middle of each bin, length."""
        return np.asarray(0.5 * (self.bin_edges[1:] + self.bin_edges[:-1]))


@dataclass(frozen=True)
class Distances:
    """How far some particles went in one lag: counts for every time origin.

    Attributes:
        lag: frames.
        counts: [origins, bins], particles by distance gone, bins of equal width from 0.
        squared: sum over particles of the mean squared distance, length^2.
        n_particles: number of particles.
    """

    lag: int
    counts: Float64[Array, "origins bins"]
    squared: float
    n_particles: int


def count_distances(unwrapped_positions: Float64[Array, "frames particles 3"], lag: int, bin_width: float) -> Distances:
    """Count how far particles go in one lag, from at most a thousand time origins.

    Raises:
        ValueError: if the trajectory is not longer than the lag.
    """
    n, n_particles, _ = unwrapped_positions.shape
    if not 0 < lag < n:
        raise ValueError(f"a lag of {lag} frames in a trajectory of {n}")
    origins = spread_origins(n, lag)
    counts: list[Array] = []
    squared = 0.0
    for origin in origins:
        square = np.square(unwrapped_positions[origin + lag] - unwrapped_positions[origin]).sum(axis=-1)
        counts.append(np.bincount((np.sqrt(square) / bin_width).astype(np.int64)))
        squared += float(square.sum()) / len(origins)
    return Distances(lag, _stack(counts), squared, n_particles)


def merge_distances(parts: list[Distances]) -> Distances:
    """Put together what was counted for different particles at the same lag."""
    most = max(p.counts.shape[1] for p in parts)
    counts = np.sum([np.pad(p.counts, ((0, 0), (0, most - p.counts.shape[1]))) for p in parts], axis=0)
    return Distances(parts[0].lag, counts, sum(p.squared for p in parts), sum(p.n_particles for p in parts))


def _stack(rows: list[Array]) -> Float64[Array, "rows columns"]:
    table = np.zeros((len(rows), max(len(row) for row in rows)))
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table


def van_hove_self(distances: Distances, bin_width: float) -> VanHove:
    """Distribution of the distance that a particle goes in a time (van Hove, Phys. Rev. 95, 249 (1954), sec. III).

    Errors are block averages over time origins in order.
    """
    edges = bin_width * np.arange(distances.counts.shape[1] + 1)
    density = block_average(distances.counts / (distances.n_particles * bin_width))
    variance = distances.squared / distances.n_particles / 3.0
    return VanHove(distances.lag, edges, density.mean, density.standard_error, _gaussian(edges, variance))


def _gaussian(bin_edges: Float64[Array, " edges"], variance: float) -> Float64[Array, " bins"]:
    """Mean over each bin of 4 pi r^2 times an isotropic Gaussian of this variance along an axis."""
    if variance <= 0:
        return np.where(bin_edges[:-1] <= 0, 1.0 / np.diff(bin_edges), 0.0)
    return np.asarray(np.diff(stats.chi.cdf(bin_edges, 3, scale=np.sqrt(variance))) / np.diff(bin_edges))


def van_hove_distinct(
    pairs_of_frames: Iterable[
        tuple[Float64[Array, "particles 3"], Float64[Array, "particles 3"], Float64[Array, "3 3"]]
    ],
    first: Bool[Array, " particles"],
    second: Bool[Array, " particles"],
    lag: int,
    bin_edges: Float64[Array, " edges"],
) -> VanHove:
    """Density of other particles, a time later, around where a particle was, over their mean density.

    G_d(r, t) V / N of van Hove (Phys. Rev. 95, 249 (1954), sec. III), normalised as a radial distribution function is:
    by the number of pairs, so that particles without correlation give 1.

    Args:
        pairs_of_frames: positions at the origin and a lag later, and the cell of both; drift removed.
        first: whose place at the origin is the centre.
        second: which particles are looked for later; never the centre's own.
        lag: frames between the two.
        bin_edges: ascending, length; up to half the smallest width of the cell.

    Raises:
        ValueError: if there are no frames or no pairs.
    """
    centre, other = np.flatnonzero(first), np.flatnonzero(second)
    n_pairs = len(centre) * len(other) - int((first & second).sum())
    if n_pairs <= 0:
        raise ValueError("no pairs of different particles")
    shells = 4.0 / 3.0 * np.pi * np.diff(bin_edges**3)
    neighbors = NeighborList(cutoff=float(bin_edges[-1]), full_list=False)
    curves = []
    for before, after, cell in pairs_of_frames:
        both = np.concatenate([before[centre], after[other]])
        i, j, distances = neighbors.compute(both, cell, True, "ijd")
        i, j = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
        across = (i < len(centre)) & (j >= len(centre))
        i, j, distances = i[across], j[across] - len(centre), distances[across]
        counts = np.histogram(distances[centre[i] != other[j]], bin_edges)[0]
        curves.append(counts * abs(float(np.linalg.det(cell))) / (n_pairs * shells))
    if not curves:
        raise ValueError("no frames")
    average = block_average(np.array(curves))
    return VanHove(lag, bin_edges, average.mean, average.standard_error, np.ones(len(shells)))


def non_gaussian_peak(lag_times: Float64[Array, " lags"], moments: Moments) -> tuple[Estimate, float]:
    """Largest non-Gaussian parameter, and the time at which it is reached: when motion is most uneven.

    The error is that of the one point; taking the largest of many adds a bias of about as much.
    """
    value, error = moments.non_gaussian()
    top = int(value.argmax())
    n = 1.0 / float(((moments.molecule_weights / moments.molecule_weights.sum()) ** 2).sum())
    return Estimate(float(value[top]), float(error[top]), max(1.0, n - 1.0)), float(lag_times[top])
