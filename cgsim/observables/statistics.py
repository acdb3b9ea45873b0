"""Errors of correlated data: block averages, effective sample sizes, replicas, and distances of distributions."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from cgsim.typing import Array, Float64

SCATTER_CHANCE = 0.05  # of replicas scattering as much by chance, below which their scatter enlarges the error
MIN_BLOCKS = 4  # fewer blocks than this say next to nothing about a variance


@dataclass(frozen=True)
class Estimate:
    """A value and how well it is known.

    Attributes:
        value: the estimate; nan where it is not defined.
        standard_error: its standard error; nan where the data cannot tell.
        degrees_of_freedom: independent pieces of information behind the standard error, less one; infinite where the
            standard error is known as if from theory.
    """

    value: float
    standard_error: float
    degrees_of_freedom: float = float("inf")

    @property
    def distribution(self) -> str:
        """Which distribution intervals follow: ``"student"``, or ``"scale"`` for that of a positive scale."""
        return "student"

    def interval(self, level: float) -> tuple[float, float]:
        """Confidence interval by Student's distribution, for example at ``level`` 0.95."""
        half = float(stats.t.ppf(0.5 * (1.0 + level), self.degrees_of_freedom)) * self.standard_error
        return self.value - half, self.value + half

    def scaled(self, factor: float) -> "Estimate":
        """The estimate in another unit."""
        return replace(self, value=self.value * factor, standard_error=self.standard_error * abs(factor))

    def of_replicas(
        self, _replicas: "list[Estimate]", _shares: Float64[Array, " replicas"], whole: "Estimate"
    ) -> "Estimate":
        """What replicas of this kind are together, given their weighted mean with its error."""
        return whole


@dataclass(frozen=True)
class ScaleEstimate(Estimate):
    """A positive value that is known up to a factor: the mean square of few Gaussian numbers, or a ratio of two.

    Estimate over truth follows a chi-squared distribution over its degrees of freedom, or Fisher's F distribution where
    the value is a ratio. Its interval is not symmetric: a symmetric one misses the truth above it too often.

    Attributes:
        freedom_below: degrees of freedom of the denominator of a ratio; infinite if there is none.
    """

    freedom_below: float = float("inf")

    @property
    def distribution(self) -> str:
        """Which distribution intervals follow."""
        return "scale"

    def interval(self, level: float) -> tuple[float, float]:
        """Confidence interval with equal tails, from the distribution of estimate over truth."""
        low, high = (self.value / self._quantile(0.5 * (1.0 + sign * level)) for sign in (1, -1))
        return low, high

    def of_replicas(self, _replicas: list[Estimate], _shares: Float64[Array, " replicas"], whole: Estimate) -> Estimate:
        """A scale as well, where the mean is positive."""
        if not whole.value > 0:
            return whole
        freedom = 2.0 * (whole.value / whole.standard_error) ** 2
        return ScaleEstimate(whole.value, whole.standard_error, freedom)

    def _quantile(self, probability: float) -> float:
        above, below = self.degrees_of_freedom, self.freedom_below
        if np.isinf(above) and np.isinf(below):
            return 1.0
        if np.isinf(below):
            return float(stats.chi2.ppf(probability, above)) / above
        if np.isinf(above):
            return below / float(stats.chi2.ppf(1.0 - probability, below))
        return float(stats.f.ppf(probability, above, below))


def ratio_of_scales(above: Estimate, below: Estimate) -> Estimate:
    """Ratio of two positive estimates with independent errors; degrees of freedom 2 (value / error)^2 for either.

    Where one of them is not positive, the value is nan.
    """
    if not (above.value > 0 and below.value > 0):
        return Estimate(float("nan"), float("nan"))
    freedom = [
        2.0 * (e.value / e.standard_error) ** 2 if e.standard_error > 0 else float("inf") for e in (above, below)
    ]
    value = above.value / below.value
    relative = sum(2.0 / n for n in freedom)
    return ScaleEstimate(value, value * float(np.sqrt(relative)), freedom[0], freedom[1])


def independent_sum(estimates: list[Estimate], factors: Float64[Array, " estimates"]) -> Estimate:
    """Linear combination of independent estimates, with Welch's and Satterthwaite's degrees of freedom."""
    value = float(factors @ np.array([e.value for e in estimates]))
    squares = factors**2 * np.array([e.standard_error for e in estimates]) ** 2
    spread = float((squares**2 / np.array([e.degrees_of_freedom for e in estimates])).sum())
    total = float(squares.sum())
    return Estimate(value, float(np.sqrt(total)), total**2 / spread if spread > 0 else float("inf"))


@dataclass(frozen=True)
class BlockAverage:
    """Time average of a correlated series.

    Attributes:
        mean: [*shape], average over the frames.
        standard_error: [*shape].
        block_length: frames in a block.
        n_blocks: number of blocks.
        is_converged: whether blocks are long enough to be independent; if not, the error is a lower bound.
        n_effective: [*shape], number of independent frames that would give this standard error: the variance of single
            frames over the square of the error, (1 - a) / (1 + a) times the number of frames for an AR(1) process of
            correlation a; the number of frames where nothing fluctuates.
    """

    mean: Float64[Array, "*shape"]
    standard_error: Float64[Array, "*shape"]
    block_length: int
    n_blocks: int
    is_converged: bool
    n_effective: Float64[Array, "*shape"]

    def of_frames(self, frames: int, variance: Float64[Array, "*shape"]) -> "BlockAverage":
        """The same average where the series is of means over so many frames, single ones having this variance."""
        squared = self.standard_error**2
        n = np.divide(variance, squared, out=np.array(self.n_effective * frames), where=squared > 0)
        return replace(self, block_length=self.block_length * frames, n_effective=n)

    @property
    def estimate(self) -> Estimate:
        """The average of a scalar series."""
        return Estimate(float(self.mean), float(self.standard_error), max(1.0, self.n_blocks - 1.0))


def block_average(
    series: Float64[Array, "frames *shape"], frame_weights: Float64[Array, " frames"] | None = None
) -> BlockAverage:
    """Average a correlated series, with a standard error from blocks whose length is found automatically.

    Blocking after Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989); the length B of a block is the
    smallest power of two with B^3 > 2 n (s_B / s_1)^4, where s_B is the standard error found with it (Lee et al., Phys.
    Rev. E 83, 066706 (2011): the length at which what is lost by too few and by too short blocks balances). For
    a series of arrays the lengths are compared on the sum of the variances, so that all share one.

    Args:
        series: any unit; the first axis is time.
        frame_weights: weight of each frame, for reweighted averages; equal by default. The error is then that of the
            linearised ratio of averages.
    """
    n = len(series)
    if frame_weights is None:
        mean = np.asarray(series.mean(axis=0))
        deviations = series - mean
    else:
        relative = (frame_weights / frame_weights.mean()).reshape(-1, *[1] * (series.ndim - 1))
        mean = np.asarray((relative * series).mean(axis=0))
        deviations = relative * (series - mean)
    deviations[:, (series == series[:1]).all(axis=0)] = 0.0  # rounding of the mean is no fluctuation
    if n < 2:
        return BlockAverage(mean, np.full_like(mean, np.nan), n, n, False, np.full_like(mean, n))
    naive = _blocked_variance(deviations, 1)
    length, best = 1, naive
    while True:
        variance = _blocked_variance(deviations, length)
        if variance.sum() >= best.sum():
            best = variance
        ratio = variance.sum() / naive.sum() if naive.sum() > 0 else 0.0
        if length**3 > 2 * n * ratio**2 or naive.sum() == 0:
            return _blocked(mean, variance, length, n, naive, is_converged=True)
        if n // (2 * length) < MIN_BLOCKS:
            return _blocked(mean, best, length, n, naive, is_converged=False)
        length *= 2


def _blocked(
    mean: Float64[Array, "*shape"],
    variance: Float64[Array, "*shape"],
    length: int,
    n: int,
    naive: Float64[Array, "*shape"],
    *,
    is_converged: bool,
) -> BlockAverage:
    """An average with a squared error from blocks, and what that would be without correlation."""
    variance = np.where(variance > 0, variance, naive)  # blocks may be alike where frames are not
    ratio = np.divide(naive, variance, out=np.ones_like(variance), where=variance > 0)
    return BlockAverage(mean, np.asarray(np.sqrt(variance)), length, n // length, is_converged, np.asarray(n * ratio))


def _blocked_variance(deviations: Float64[Array, "frames *shape"], length: int) -> Float64[Array, "*shape"]:
    """Squared standard error of the mean from blocks of ``length`` frames.

    Frames that are left over make some blocks longer, so that every frame counts; deviations add up to zero.
    """
    n = len(deviations)
    n_blocks = n // length
    sums = np.add.reduceat(deviations, np.arange(n_blocks) * n // n_blocks, axis=0)
    return np.asarray(np.square(sums / n).sum(axis=0) * (n_blocks / (n_blocks - 1)))


def independent_average(values: Float64[Array, " samples"]) -> Estimate:
    """Mean of independent samples with the standard error of the mean; nan error for a single sample."""
    n = len(values)
    error = float(values.std(ddof=1)) / np.sqrt(n) if n > 1 else float("nan")
    return Estimate(float(values.mean()), error, max(1.0, n - 1.0))


def combine_replicas(replicas: list[Estimate], replica_weights: Float64[Array, " replicas"]) -> Estimate:
    """Combine independent replicas of one system.

    The weights are given (the length of each replica, say) and not taken from the errors, because an error that is
    proportional to its value, as that of a diffusion coefficient, would pull the mean down. The error is the propagated
    one, enlarged where the replicas scatter more than their errors allow (:func:`scatter_inflation`); what is then
    known of it are the n - 1 differences between the replicas.
    """
    if len(replicas) == 1:
        return replicas[0]
    share = replica_weights / replica_weights.sum()
    values = np.array([r.value for r in replicas])
    errors = np.array([r.standard_error for r in replicas])
    mean = float(share @ values)
    if not (errors > 0).all():
        scatter = independent_average(values).standard_error
        # Equal values are certain only where each of them is.
        return Estimate(mean, scatter if scatter > 0 or (errors == 0).all() else float("nan"), len(values) - 1.0)
    squared_error = float(share**2 @ errors**2)
    inflation = scatter_inflation(values, errors**2, mean)
    spread = sum(
        (s * s * e * e) ** 2 / r.degrees_of_freedom for s, e, r in zip(share, errors, replicas, strict=True)
    )  # Welch and Satterthwaite
    freedom = squared_error**2 / spread if spread > 0 else float("inf")
    if inflation > 1.0:
        freedom = min(freedom, len(values) - 1.0)
    whole = Estimate(mean, float(np.sqrt(squared_error * inflation)), freedom)
    of_one_kind = len({r.distribution for r in replicas}) == 1
    return replicas[0].of_replicas(replicas, share, whole) if of_one_kind else whole


def scatter_inflation(
    values: Float64[Array, " replicas"], variances: Float64[Array, " replicas"], mean: float
) -> float:
    """Factor on the variance of a mean of replicas whose values scatter more than their variances allow; at least 1.

    Birge's chi^2 / (n - 1) (Particle Data Group, Prog. Theor. Exp. Phys. 2022, 083C01, sec. 5.2.2), but only where
    chance gives as much in fewer than one of twenty cases: below that it would widen correct errors too.
    """
    n = len(values)
    if n < 2 or not (variances > 0).all():
        return 1.0
    chi_squared = float(((values - mean) ** 2 / variances).sum())
    return chi_squared / (n - 1) if chi_squared > stats.chi2.ppf(1.0 - SCATTER_CHANCE, n - 1) else 1.0


def earth_mover_distance(
    first: Float64[Array, " first_samples"], second: Float64[Array, " second_samples"], n_blocks: int = 10
) -> Estimate:
    """Earth mover (Wasserstein-1) distance of two distributions, in the samples' unit.

    The error comes from leaving out one block of each series at a time (jackknife), so that correlation within a block
    is accounted for. Distances are never negative: between equal distributions the value is about as large as its
    error.

    Raises:
        ValueError: if either series has fewer samples than blocks.
    """
    if min(len(first), len(second)) < n_blocks:
        raise ValueError(f"needs at least {n_blocks} samples each, got {len(first)} and {len(second)}")
    value = float(stats.wasserstein_distance(first, second))
    squared_error = 0.0
    for own, other in ((first, second), (second, first)):
        pieces = np.array_split(own, n_blocks)
        left_out = np.array(
            [stats.wasserstein_distance(np.concatenate(pieces[:k] + pieces[k + 1 :]), other) for k in range(n_blocks)]
        )
        squared_error += (n_blocks - 1) / n_blocks * float(((left_out - left_out.mean()) ** 2).sum())
    return Estimate(value, float(np.sqrt(squared_error)), 2.0 * (n_blocks - 1))
