"""Errors from particles: where each keeps its own surroundings for the whole run, blocks of time all tell the same."""

import numpy as np

from cgsim.observables.statistics import MIN_BLOCKS
from cgsim.typing import Array, Bool, Float64, Int64

MAX_PARTICLES = 1000  # so many tell a scatter to 2 %


def scatter_error(
    particle_means: Float64[Array, "followed *shape"], n_particles: int, *, both_ends: bool = False
) -> Float64[Array, "*shape"]:
    """Standard error of the mean over particles from the scatter of their own averages over time.

    Particles count as independent samples. Where all is forgotten many times in a run this is as large as the error
    from blocks of time; where exchange is slower than the run, only this one sees how particles differ. 0 for fewer
    than four particles, which tell next to nothing.

    Args:
        particle_means: average of each particle, or of some of them.
        n_particles: number of all particles that the mean is of.
        both_ends: whether pairs within one selection are counted at both ends, so that there are half as many.
    """
    if len(particle_means) < MIN_BLOCKS:
        return np.zeros(particle_means.shape[1:])
    return np.asarray(particle_means.std(axis=0, ddof=1) * np.sqrt((2.0 if both_ends else 1.0) / n_particles))


def larger_error(
    of_blocks: Float64[Array, "*shape"], of_particles: Float64[Array, "*shape"], n_particles: Int64[Array, "*counts"]
) -> tuple[Float64[Array, "*shape"], Int64[Array, "*shape"]]:
    """The larger of two standard errors, and the number of particles that it comes from: 0 where it is of blocks.

    Args:
        of_blocks: from blocks of time; nan for a single frame, and then stays so.
        of_particles: from the scatter between particles (:func:`scatter_error`).
        n_particles: number of particles, of a shape that goes with that of the errors.
    """
    wins = of_particles > of_blocks
    return np.where(wins, of_particles, of_blocks), np.where(wins, n_particles, 0).astype(np.int64)


class NeighbourCounts:
    """Sums up how many neighbours single particles have in each bin, for up to a thousand of those of a pair."""

    def __init__(
        self, first: Bool[Array, " particles"], second: Bool[Array, " particles"], n_bins: int, both_ends: bool
    ) -> None:
        members = np.flatnonzero(first)
        chosen = np.linspace(0, len(members) - 1, min(MAX_PARTICLES, len(members))).round().astype(np.int64)
        self._n, self._both_ends, self._n_bins = len(members), both_ends, n_bins
        self._row = np.full(len(first), -1)
        self._row[members[chosen]] = np.arange(len(chosen))
        self._second = second
        self._sums = np.zeros((len(chosen), n_bins))
        self._weight = 0.0

    def add(
        self,
        first: Int64[Array, " neighbours"],
        second: Int64[Array, " neighbours"],
        bins: Int64[Array, " neighbours"],
        weight: float,
    ) -> None:
        """Count the neighbours of one frame."""
        row = self._row[first]
        counted = (row >= 0) & self._second[second]
        code = row[counted] * self._n_bins + bins[counted]
        self._sums += weight * np.bincount(code, minlength=self._sums.size).reshape(self._sums.shape)
        self._weight += weight

    def error(self) -> Float64[Array, " bins"]:
        """Standard error of the mean number of neighbours up to each bin, from the scatter between particles."""
        means = np.cumsum(self._sums / self._weight, axis=1)
        return scatter_error(means, self._n, both_ends=self._both_ends)
