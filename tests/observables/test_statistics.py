import numpy as np
import pytest
from scipy import stats
from synthetic_motion import first_order_autoregression

from cgsim.observables.statistics import (
    Estimate,
    block_average,
    combine_replicas,
    earth_mover_distance,
    independent_average,
    n_effective,
)


def exact_error_of_the_mean(phi: float, n: int) -> float:
    """Standard error of the mean of a stationary AR(1): sum of its autocovariances, in closed form."""
    variance = 1 / (1 - phi**2)
    correction = (1 + phi) / (1 - phi) - 2 * phi * (1 - phi**n) / (n * (1 - phi) ** 2)
    return float(np.sqrt(variance / n * correction))


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_block_error_of_an_autoregression_is_its_closed_form(phi: float) -> None:
    n, n_series = 20_000, 40
    series = first_order_autoregression(phi, n, n_series, np.random.default_rng(3))
    squared = np.mean([float(block_average(series[:, k]).standard_error) ** 2 for k in range(n_series)])
    # The rule balances bias and noise at about (tau / n)^(1/3) of the error: 7 % for the slowest series here.
    assert np.sqrt(squared) == pytest.approx(exact_error_of_the_mean(phi, n), rel=0.1)


def test_naive_error_of_a_correlated_series_is_too_small_and_the_block_error_is_not() -> None:
    series = first_order_autoregression(0.95, 20_000, 1, np.random.default_rng(0))[:, 0]
    naive = independent_average(series).standard_error
    assert float(block_average(series).standard_error) > 4 * naive  # sqrt(2 tau) = 6.2
    assert n_effective(series) == pytest.approx(20_000 * (1 - 0.95) / (1 + 0.95), rel=0.35)


def test_interval_of_a_block_average_covers_the_mean_at_its_rate() -> None:
    runs = 400
    series = first_order_autoregression(0.8, 2000, runs, np.random.default_rng(11))
    estimates = [block_average(series[:, k]).estimate for k in range(runs)]
    for level in (0.68, 0.95):
        covered = np.mean([low <= 0 <= high for low, high in (e.interval(level) for e in estimates)])
        print(f"block average of AR(1): {level:.0%} interval covers {covered:.1%} of {runs}")
        # binomial at 3 sigma, and 4 % that blocks of finite length lose (their residual correlation)
        margin = 3 * np.sqrt(level * (1 - level) / runs)
        assert level - margin - 0.04 < covered < level + margin


def test_too_short_a_series_is_called_so() -> None:
    series = first_order_autoregression(0.99, 64, 1, np.random.default_rng(1))[:, 0]
    assert not block_average(series).is_converged
    assert block_average(np.random.default_rng(1).normal(size=4096)).is_converged


def test_constant_series_has_no_error() -> None:
    average = block_average(np.full((100, 3), 2.5))
    np.testing.assert_array_equal(average.mean, 2.5)
    np.testing.assert_array_equal(average.standard_error, 0.0)


def test_frame_weights_move_the_average_to_the_target_distribution() -> None:
    generator = np.random.default_rng(5)
    samples = generator.normal(size=50_000)
    weights = np.exp(0.5 * samples)  # tilts the normal to mean 1/2
    average = block_average(samples, weights)
    assert abs(float(average.mean) - 0.5) < 4 * float(average.standard_error)
    equal = block_average(samples, np.full(50_000, 7.0))
    assert float(equal.standard_error) == pytest.approx(float(block_average(samples).standard_error), rel=1e-12)


def test_scattered_replicas_enlarge_the_error() -> None:
    agreeing = combine_replicas([Estimate(1.0, 0.1), Estimate(1.0, 0.1)], np.ones(2))
    assert agreeing.standard_error == pytest.approx(0.1 / np.sqrt(2))
    apart = combine_replicas([Estimate(0.0, 0.1), Estimate(2.0, 0.1)], np.ones(2))
    assert apart.value == 1.0
    assert apart.standard_error == pytest.approx(1.0)  # half their distance, as two samples would give


def test_longer_replicas_count_for_more() -> None:
    assert combine_replicas([Estimate(0.0, 0.1), Estimate(4.0, 5.0)], np.array([3.0, 1.0])).value == 1.0


def test_earth_mover_distance_of_shifted_normals_is_the_shift() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=20_000), generator.normal(loc=0.7, size=20_000)
    distance = earth_mover_distance(first, second)
    assert abs(distance.value - 0.7) < 4 * distance.standard_error
    assert distance.standard_error == pytest.approx(np.sqrt(2 / 20_000), rel=0.5)  # that of a difference of means
    assert earth_mover_distance(first, first).value == 0.0


def test_few_degrees_of_freedom_widen_the_interval() -> None:
    low, high = Estimate(0.0, 1.0, 3.0).interval(0.95)
    assert high == -low == pytest.approx(stats.t.ppf(0.975, 3))
