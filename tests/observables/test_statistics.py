import numpy as np
import pytest
from scipy import stats
from synthetic_motion import first_order_autoregression

from cgsim.observables.records import Records
from cgsim.observables.statistics import (
    Estimate,
    ScaleEstimate,
    block_average,
    combine_replicas,
    earth_mover_distance,
    independent_average,
    independent_sum,
    ratio_of_scales,
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


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("n", [400, 4096])
def test_effective_sample_size_of_an_autoregression_is_its_closed_form(phi: float, n: int) -> None:
    n_series = 60
    series = first_order_autoregression(phi, n, n_series, np.random.default_rng(5))
    records = [Records() for _ in range(12)]  # those of the longer series are means over several frames
    for k, own in enumerate(records):
        for value in series[:, k]:
            own.add(np.array(value))
    for averages in ([block_average(series[:, k]) for k in range(n_series)], [own.average() for own in records]):
        inverse = np.array([1.0 / float(a.n_effective) for a in averages])  # squared errors are what is unbiased
        n_blocks = np.mean([a.n_blocks for a in averages])
        # A variance from b blocks scatters by sqrt(2 / b); blocks of finite length miss about (tau / n)^(1/3) of it.
        tolerance = 3.0 * np.sqrt(2.0 / n_blocks / len(averages)) + 1.5 * ((1 + phi) / (1 - phi) / n) ** (1 / 3)
        assert 1.0 / inverse.mean() == pytest.approx(n * (1 - phi) / (1 + phi), rel=tolerance)
        assert all(a.block_length * a.n_blocks <= n for a in averages)
        assert all(a.block_length * (a.n_blocks + 1) > n - 16 for a in averages)  # a record is of up to 16 frames


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


def test_constant_series_has_no_error_where_its_mean_is_rounded() -> None:
    assert float(block_average(np.full(500, 17 / 15)).standard_error) == 0.0


@pytest.mark.parametrize("frame", [0, 1, 51, 52, 250, 499])
def test_an_event_in_any_one_frame_has_its_error(frame: int) -> None:
    series = np.zeros(500)
    series[frame] = 0.5
    # One event of a kind that comes by chance: its number is known to 1, whatever the blocks.
    assert float(block_average(series).standard_error) == pytest.approx(0.5 / 500, rel=0.1)


def test_frames_left_over_by_blocks_count() -> None:
    for n in range(9, 200, 7):
        series = np.zeros((n, n))
        np.fill_diagonal(series, 1.0)  # every column has its event in another frame
        assert (block_average(series).standard_error > 0).all()


def test_series_whose_blocks_are_alike_keeps_the_error_of_its_frames() -> None:
    average = block_average(np.tile([1.0, -1.0], 256))
    assert float(average.standard_error) == pytest.approx(1 / np.sqrt(512), rel=0.01)


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


@pytest.mark.parametrize("replicas", [2, 3, 6])
def test_interval_of_combined_replicas_covers_at_its_rate(replicas: int) -> None:
    generator = np.random.default_rng(20)
    runs, freedom = 1000, 19
    combined = []
    for _ in range(runs):
        errors = np.sqrt(generator.chisquare(freedom, size=replicas) / freedom)
        values = generator.normal(size=replicas)
        members = [Estimate(float(v), float(e), float(freedom)) for v, e in zip(values, errors, strict=True)]
        combined.append(combine_replicas(members, np.ones(replicas)))
    for level in (0.68, 0.95):
        covered = np.mean([low <= 0 <= high for low, high in (e.interval(level) for e in combined)])
        print(f"{replicas} replicas: {level:.0%} interval covers {covered:.1%} of {runs}")
        # binomial at 3 sigma; the one in twenty whose scatter enlarges the error may add 2 %
        margin = 3 * np.sqrt(level * (1 - level) / runs)
        assert level - margin < covered < level + margin + 0.02


def test_replicas_that_hide_their_scatter_are_found_out() -> None:
    generator = np.random.default_rng(21)
    runs = 300
    boasting = [
        combine_replicas([Estimate(float(v), 0.1) for v in generator.normal(size=5)], np.ones(5)) for _ in range(runs)
    ]
    covered = np.mean([low <= 0 <= high for low, high in (e.interval(0.95) for e in boasting)])
    # Five values whose spread of 1 is stated as 0.1: the interval is that of their scatter, of 4 degrees of freedom.
    assert abs(covered - 0.95) < 3 * np.sqrt(0.95 * 0.05 / runs)
    assert np.mean([e.degrees_of_freedom == 4 for e in boasting]) > 0.98


@pytest.mark.parametrize(("above", "below"), [(8.0, np.inf), (8.0, 20.0), (np.inf, 8.0)])
def test_interval_of_a_scale_covers_exactly_where_a_symmetric_one_does_not(above: float, below: float) -> None:
    generator = np.random.default_rng(22)
    runs = 1000

    def scale(freedom: float) -> np.ndarray:
        return np.ones(runs) if np.isinf(freedom) else generator.chisquare(freedom, size=runs) / freedom

    values = scale(above) / scale(below)
    for level in (0.68, 0.95):
        intervals = [ScaleEstimate(float(v), 0.0, above, below).interval(level) for v in values]
        covered = np.mean([low <= 1.0 <= high for low, high in intervals])
        assert abs(covered - level) < 3 * np.sqrt(level * (1 - level) / runs)
    if np.isinf(below):
        symmetric = [Estimate(float(v), float(v) * np.sqrt(2 / above), above).interval(0.95) for v in values]
        assert np.mean([low <= 1.0 <= high for low, high in symmetric]) < 0.92


def test_ratio_of_two_scales_keeps_both_their_degrees_of_freedom() -> None:
    ratio = ratio_of_scales(
        ScaleEstimate(6.0, 6.0 * np.sqrt(2 / 50), 50.0), ScaleEstimate(2.0, 2.0 * np.sqrt(2 / 9), 9.0)
    )
    assert isinstance(ratio, ScaleEstimate)
    assert (ratio.value, ratio.degrees_of_freedom, ratio.freedom_below) == pytest.approx((3.0, 50.0, 9.0))
    assert np.isnan(ratio_of_scales(Estimate(1.0, 0.1), Estimate(-1.0, 0.1)).value)


def test_scaled_estimates_keep_their_distribution() -> None:
    low, high = ScaleEstimate(2.0, 1.0, 8.0).interval(0.95)
    assert ScaleEstimate(2.0, 1.0, 8.0).scaled(10.0).interval(0.95) == pytest.approx((10 * low, 10 * high))


def test_replicas_of_a_scale_add_up_their_degrees_of_freedom() -> None:
    member = ScaleEstimate(1.0, np.sqrt(2 / 10), 10.0)
    together = combine_replicas([member] * 4, np.ones(4))
    assert isinstance(together, ScaleEstimate)
    assert together.degrees_of_freedom == pytest.approx(40.0)


def test_sum_of_independent_estimates_is_dominated_by_the_least_known() -> None:
    total = independent_sum([Estimate(1.0, 1.0, 4.0), Estimate(2.0, 0.001, 100.0)], np.array([1.0, -2.0]))
    assert total.value == -3.0
    assert total.standard_error == pytest.approx(1.0, rel=1e-5)
    assert total.degrees_of_freedom == pytest.approx(4.0, rel=1e-4)
