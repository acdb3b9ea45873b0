"""Estimates of what cannot be negative: times known up to a factor, rates of few events, shares of few events."""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from cgsim.observables.statistics import Estimate, scatter_inflation
from cgsim.typing import Array, Float64

LARGEST_LOG = 700.0  # exp of more is infinite


@dataclass(frozen=True)
class LogEstimate(Estimate):
    """A positive value whose error is in proportion to it: the logarithm is what scatters evenly, as of a time.

    The relative error is that of the logarithm, to first order, with Student's distribution.
    """

    @property
    def distribution(self) -> str:
        """Which distribution intervals follow."""
        return "log"

    def interval(self, level: float) -> tuple[float, float]:
        """Confidence interval, as far above as below on a logarithmic scale."""
        if not self.value > 0:
            return super().interval(level)
        half = float(stats.t.ppf(0.5 * (1.0 + level), self.degrees_of_freedom)) * self.standard_error / self.value
        factor = float(np.exp(min(half, LARGEST_LOG)))
        return self.value / factor, self.value * factor

    def of_replicas(self, _replicas: list[Estimate], _shares: Float64[Array, " replicas"], whole: Estimate) -> Estimate:
        """Known up to a factor as well."""
        return LogEstimate(whole.value, whole.standard_error, whole.degrees_of_freedom)


@dataclass(frozen=True)
class CountEstimate(Estimate):
    """A rate of events that were counted; without any, the standard error is the rate that one would have made.

    Value over error, squared, is the number of independent events behind it. The interval is that of Jeffreys for the
    mean of a Poisson count, the quantiles of Gamma(events + 1/2), from 0 on where nothing was seen (Brown, Cai and
    DasGupta, Statistica Sinica 13, 19 (2003)). With few degrees of freedom the level is raised to where Student's
    quantile would be a normal one.
    """

    @property
    def distribution(self) -> str:
        """Which distribution intervals follow."""
        return "count"

    @property
    def events(self) -> float:
        """Number of independent events."""
        return (self.value / self.standard_error) ** 2 if self.value > 0 else 0.0

    @property
    def of_one(self) -> float:
        """The rate that one event would have made."""
        return self.standard_error / float(np.sqrt(max(1.0, self.events)))

    def interval(self, level: float) -> tuple[float, float]:
        """Confidence interval, never below 0."""
        tail = _tail(level, self.degrees_of_freedom)
        shape = self.events + 0.5
        low = float(special.gammaincinv(shape, tail)) if self.value > 0 else 0.0
        return low * self.of_one, float(special.gammainccinv(shape, tail)) * self.of_one

    def of_replicas(self, replicas: list[Estimate], shares: Float64[Array, " replicas"], whole: Estimate) -> Estimate:
        """Events and times watched add up; replicas that scatter more than counts do are fewer independent events."""
        own = [r for r in replicas if isinstance(r, CountEstimate)]
        of_one = np.array([r.of_one for r in own])
        if whole.value == 0:
            return CountEstimate(0.0, 1.0 / float((1.0 / of_one).sum()), whole.degrees_of_freedom)
        excess = scatter_inflation(np.array([r.value for r in own]), whole.value * of_one, whole.value)
        events = np.array([r.events for r in own])
        error = float(np.sqrt(excess * (events * (shares * of_one) ** 2).sum()))
        return CountEstimate(whole.value, error, whole.degrees_of_freedom)


@dataclass(frozen=True)
class ShareEstimate(Estimate):
    """A share of events that were counted.

    The interval is that of Jeffreys, the quantiles of Beta(successes + 1/2, failures + 1/2), to 0 or 1 where all were
    alike (Brown, Cai and DasGupta, Stat. Sci. 16, 101 (2001)); few degrees of freedom as for :class:`CountEstimate`.

    Attributes:
        trials: number of independent events.
    """

    trials: float = 0.0

    @classmethod
    def of(cls, successes: float, trials: float, degrees_of_freedom: float = float("inf")) -> "ShareEstimate":
        """A share of so many independent events, one at least; where all are alike, with the error of a flat prior."""
        share = successes / trials
        if share in (0.0, 1.0):
            error = np.sqrt((successes + 1.0) * (trials - successes + 1.0) / (trials + 3.0)) / (trials + 2.0)
        else:
            error = np.sqrt(share * (1.0 - share) / trials)
        return cls(share, float(error), degrees_of_freedom, trials)

    @property
    def distribution(self) -> str:
        """Which distribution intervals follow."""
        return "share"

    def interval(self, level: float) -> tuple[float, float]:
        """Confidence interval within 0 and 1."""
        tail = _tail(level, self.degrees_of_freedom)
        successes = self.value * self.trials
        above, below = successes + 0.5, self.trials - successes + 0.5
        low = float(special.betaincinv(above, below, tail)) if self.value > 0 else 0.0
        return low, 1.0 - float(special.betaincinv(below, above, tail)) if self.value < 1 else 1.0

    def of_replicas(self, replicas: list[Estimate], _shares: Float64[Array, " replicas"], whole: Estimate) -> Estimate:
        """The events of all replicas together, fewer independent ones where replicas scatter more than they should."""
        own = [r for r in replicas if isinstance(r, ShareEstimate)]
        values, trials = np.array([r.value for r in own]), np.array([r.trials for r in own])
        share = float(values @ trials / trials.sum())
        excess = scatter_inflation(values, share * (1.0 - share) / trials, share)
        independent = max(1.0, float(trials.sum()) / excess)
        return ShareEstimate.of(share * independent, independent, whole.degrees_of_freedom)


def _tail(level: float, degrees_of_freedom: float) -> float:
    """Probability beyond either end of an interval whose normal quantile is to be that of Student's distribution."""
    quantile = (
        special.ndtri(0.5 * (1.0 + level))
        if np.isinf(degrees_of_freedom)
        else stats.t.ppf(0.5 * (1.0 + level), degrees_of_freedom)
    )
    return float(special.ndtr(-quantile))
