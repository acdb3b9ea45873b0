"""A long series of arrays kept in bounded memory, for averages whose errors come from blocks."""

from itertools import pairwise

import numpy as np

from cgsim.observables.statistics import BlockAverage, block_average
from cgsim.typing import Array, Float64

MAX_RECORDS = 512  # longer series are averaged over neighbouring frames while they are read, so memory is bounded
N_PARTS = 8


class Records:
    """A weighted series of arrays of one shape: once it is too long, neighbours are averaged."""

    def __init__(self) -> None:
        self._sums: list[Array] = []
        self._weights: list[float] = []
        self._squares: Array | float = 0.0
        self._n = 0
        self._per_record = 1
        self._in_record = 0

    def add(self, values: Float64[Array, "*shape"], weight: float = 1.0) -> None:
        """Append the values of the next frame; a frame of weight 0 leaves no trace."""
        if weight == 0:
            return
        self._squares = self._squares + weight * values**2
        self._n += 1
        if self._in_record == 0:
            self._sums.append(weight * values)
            self._weights.append(weight)
        else:
            self._sums[-1] = self._sums[-1] + weight * values
            self._weights[-1] += weight
        self._in_record = (self._in_record + 1) % self._per_record
        if self._in_record == 0 and len(self._sums) == MAX_RECORDS:
            self._sums = [a + b for a, b in zip(self._sums[::2], self._sums[1::2], strict=True)]
            self._weights = [a + b for a, b in zip(self._weights[::2], self._weights[1::2], strict=True)]
            self._per_record *= 2

    @property
    def frames_per_record(self) -> int:
        """Number of frames that one record is the mean of."""
        return self._per_record

    def average(self) -> BlockAverage:
        """Average over the frames with its error from blocks; effective sample sizes are those of single frames."""
        series, weights = self.series()
        found = block_average(series, weights)
        if self._per_record == 1:
            return found
        variance = np.asarray(self._squares / weights.sum() - found.mean**2) * (self._n / max(1, self._n - 1))
        return found.of_frames(self._per_record, np.asarray(np.maximum(variance, 0.0)))

    def of_parts(self) -> Float64[Array, "parts *shape"]:
        """Means over at most eight consecutive parts."""
        series, weights = self.series()
        return np.array([np.average(series[p], axis=0, weights=weights[p]) for p in parts(len(series))])

    def series(self) -> tuple[Float64[Array, "records *shape"], Float64[Array, " records"]]:
        """Return the records and their weights.

        Raises:
            ValueError: if nothing was added.
        """
        if not self._sums:
            raise ValueError("no frames")
        weights = np.array(self._weights)
        sums = np.array(self._sums)
        return sums / weights.reshape(-1, *[1] * (sums.ndim - 1)), weights


def parts(n: int) -> list[slice]:
    """Cut ``n`` records into at most eight consecutive parts of nearly equal length."""
    edges = np.linspace(0, n, min(N_PARTS, n) + 1).astype(int)
    return [slice(a, b) for a, b in pairwise(edges)]
