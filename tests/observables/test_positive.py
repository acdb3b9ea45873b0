"""Intervals of times, rates and shares: inside their range, covering at their rates, alone and as replicas."""

from collections.abc import Iterable

import numpy as np
import pytest
from synthetic_motion import first_order_autoregression

from cgsim.observables.dynamics import autocorrelation, integrated_relaxation_time
from cgsim.observables.hopping import Hops, event_rate
from cgsim.observables.positive import CountEstimate, LogEstimate, ShareEstimate
from cgsim.observables.statistics import Estimate, combine_replicas

LEVELS = (0.68, 0.95)


def coverage(what: str, estimates: Iterable[Estimate], exact: float | Iterable[float]) -> dict[float, float]:
    """Print and return how often intervals hold the exact value, one for all or one for each."""
    found = list(estimates)
    truths = [exact] * len(found) if isinstance(exact, float) else list(exact)
    rates = {}
    for level in LEVELS:
        intervals = [e.interval(level) for e in found]
        assert all(0 <= low <= high for low, high in intervals)
        rates[level] = float(np.mean([low <= x <= high for (low, high), x in zip(intervals, truths, strict=True)]))
    print(f"{what}: " + ", ".join(f"{k:.0%} interval covers {v:.1%}" for k, v in rates.items()) + f" of {len(found)}")
    return rates


def assert_covers(rates: dict[float, float], runs: int, slack: float) -> None:
    """Rates are those of the levels, to 3 sigma of the binomial and a slack that the caller explains."""
    for level, rate in rates.items():
        assert abs(rate - level) < 3 * np.sqrt(level * (1 - level) / runs) + slack, (level, rate)


@pytest.mark.parametrize("particles", [4, 20])
@pytest.mark.parametrize(("fewest", "most"), [(1.0, 5.0), (5.0, 50.0)])
def test_rate_of_few_poisson_events_is_covered(fewest: float, most: float, particles: int) -> None:
    # Counts are whole numbers, so coverage of one rate swings about the level; over a range of rates it is the level.
    runs, intervals, generator = 1500, 500, np.random.default_rng(particles)
    expected = generator.uniform(fewest, most, size=runs)
    counts = generator.poisson(expected[:, None] / particles, size=(runs, particles))
    found = [event_rate(row, intervals) for row in counts]
    exact = expected / particles / intervals
    rates = coverage(f"rate of {fewest:g} to {most:g} events on {particles} particles", found, exact)
    # 4 %: scatter over particles that is never taken for less than Poisson's
    assert_covers(rates, runs, 0.04 if particles == 20 else 0.01)


def test_rate_of_clustered_events_is_covered_because_their_scatter_counts() -> None:
    runs, particles, mean = 600, 24, 3.0
    generator = np.random.default_rng(1)
    bursts = (
        generator.poisson(mean / 4, size=(runs, particles)) * 4
    )  # every event is four: variance four times Poisson's
    rates = coverage("rate of events in bursts", (event_rate(row, 100) for row in bursts), mean / 100)
    # 4 %: the variance of a skew count is found too small as often as the count itself
    assert_covers(rates, runs, 0.04)
    poisson = [CountEstimate(float(row.mean()) / 100, float(np.sqrt(row.sum())) / 2400) for row in bursts]
    assert coverage("the same taken for Poisson's", poisson, mean / 100)[0.68] < 0.45  # half the width: 38 %


@pytest.mark.parametrize(("fewest", "most"), [(2, 8), (8, 80)])
def test_share_of_few_hops_is_covered(fewest: int, most: int) -> None:
    runs, ions, generator = 1500, 20, np.random.default_rng(most)
    share = generator.uniform(0, 1, size=runs)
    of_ion = generator.multinomial(generator.integers(fewest, most + 1, size=runs), np.full(ions, 1 / ions))
    between = generator.binomial(of_ion, share[:, None])
    found = [Hops(a - b, b, 1000).share_between for a, b in zip(of_ion, between, strict=True)]
    rates = coverage(f"share of {fewest} to {most} hops", found, share)
    # 4 %: as for counts; the last bit, to 0 or 1 where all hops were alike, makes the interval wider than it is meant
    assert_covers(rates, runs, 0.04)
    assert all(high <= 1 for high in (f.interval(0.95)[1] for f in found))


def test_share_of_one_hop_says_next_to_nothing_and_stays_within_0_and_1() -> None:
    for within, between in ((1, 0), (0, 1)):
        hops = Hops(np.array([within, *[0] * 19]), np.array([between, *[0] * 19]), 1000)
        low, high = hops.share_between.interval(0.95)
        assert 0 <= low < high <= 1
        assert high - low > 0.8
        assert hops.share_between.standard_error > 0.2


def test_one_ion_that_makes_all_hops_does_not_make_their_share_certain() -> None:
    within, between = np.zeros(20, dtype=np.int64), np.zeros(20, dtype=np.int64)
    within[3], between[3] = 2, 3
    share = Hops(within, between, 1000).share_between
    assert share.standard_error == pytest.approx(np.sqrt(0.6 * 0.4 / 5))


def test_rate_without_events_reaches_from_0_to_about_two_events() -> None:
    low, high = event_rate(np.zeros(10, dtype=np.int64), 100).interval(0.95)
    assert low == 0
    assert high == pytest.approx(2.51 / 1000, rel=0.01)  # chi-squared of one degree of freedom, 97.5 %: 5.02 / 2


def test_times_known_to_a_factor_are_covered_on_both_sides() -> None:
    phi, runs, frames = 0.9, 1000, 700
    series = first_order_autoregression(phi, frames, 2 * runs, np.random.default_rng(2)).reshape(frames, runs, 2)
    exact = 0.5 * (1 + phi) / (1 - phi)
    times = [integrated_relaxation_time(autocorrelation(series[:, k], np.zeros(2)), 1.0, 2)[0] for k in range(runs)]
    rates = coverage("relaxation time of two series of 74 relaxation times", times, exact)
    # 5 %: Sokal's error holds for correlations of any shape and is too large for an exponential
    assert_covers(rates, runs, 0.05)
    symmetric = [Estimate(t.value, t.standard_error) for t in times]
    above = [float(np.mean([t.interval(0.95)[1] < exact for t in which])) for which in (times, symmetric)]
    print(f"true time above the 95 % interval: {above[0]:.1%} on a logarithmic scale, {above[1]:.1%} on a linear one")
    assert above[0] < above[1]


def test_intervals_of_times_never_go_below_0() -> None:
    low, high = LogEstimate(3.6e3, 2.2e3, 15.0).interval(0.95)
    assert 0 < low < 3.6e3 < high
    assert low * high == pytest.approx(3.6e3**2)
    assert Estimate(3.6e3, 2.2e3, 15.0).interval(0.95)[0] < 0
    assert LogEstimate(1.0, 100.0, 1.0).interval(0.95)[1] < np.inf
    assert np.isnan(LogEstimate(1.0, float("nan")).interval(0.95)[0])


@pytest.mark.parametrize("estimate", [LogEstimate(2.0, 0.5, 7.0), CountEstimate(2.0, 0.5, 7.0)])
def test_another_unit_scales_the_interval(estimate: Estimate) -> None:
    low, high = estimate.interval(0.95)
    assert estimate.scaled(10.0).interval(0.95) == pytest.approx((10 * low, 10 * high))


def test_replicas_of_counts_are_one_long_run() -> None:
    generator, whole = np.random.default_rng(3), 400
    for expected in (0.0, 3.0):
        counts = generator.poisson(expected / 4, size=4)
        parts: list[Estimate] = [event_rate(np.array([n]), 100) for n in counts]
        together, long = combine_replicas(parts, np.ones(4)), event_rate(np.array([counts.sum()]), whole)
        assert isinstance(together, CountEstimate)
        assert together.value == pytest.approx(long.value)
        assert together.standard_error == pytest.approx(long.standard_error)
        assert together.interval(0.95) == pytest.approx(long.interval(0.95))


def test_replicas_of_shares_pool_their_hops() -> None:
    together = combine_replicas([ShareEstimate.of(s, n) for s, n in ((1.0, 1.0), (1.0, 4.0), (0.0, 3.0))], np.ones(3))
    assert isinstance(together, ShareEstimate)
    assert together.value == pytest.approx(2 / 8)
    assert together.standard_error == pytest.approx(np.sqrt(0.25 * 0.75 / 8))


def test_replicas_of_times_and_of_rates_are_covered() -> None:
    runs, generator = 800, np.random.default_rng(4)
    times = [
        combine_replicas([LogEstimate(v, 0.15 * v, 40.0) for v in generator.normal(1.0, 0.15, size=3)], np.ones(3))
        for _ in range(runs)
    ]
    assert all(isinstance(t, LogEstimate) for t in times)
    # 4 %: errors in proportion to values that are chosen here to scatter evenly
    assert_covers(coverage("time of three replicas", times, 1.0), runs, 0.04)
    rates = [
        combine_replicas([event_rate(generator.poisson(0.4, size=10), 100) for _ in range(3)], np.ones(3))
        for _ in range(runs)
    ]
    # 5 %: as for single counts, of 12 events
    assert_covers(coverage("rate of three replicas", rates, 0.004), runs, 0.05)


def test_replicas_whose_errors_are_unknown_are_certain_of_nothing_when_they_agree() -> None:
    unknown = [LogEstimate(45.0, float("nan"), 5.0)] * 2
    assert np.isnan(combine_replicas(list(unknown), np.ones(2)).standard_error)
    exact = [Estimate(2.0, 0.0)] * 2
    assert combine_replicas(exact, np.ones(2)).standard_error == 0
