import numpy as np
import pytest

from cgsim.observables.arrhenius import arrhenius, vogel_fulcher_tammann
from cgsim.observables.statistics import Estimate, ScaleEstimate

TEMPERATURES = np.array([280.0, 300.0, 320.0, 340.0, 370.0, 400.0, 430.0, 460.0])
LOG_A, E_OVER_R = -3.0, 2000.0
B, T0 = 900.0, 200.0
RUNS = 300


def measured(exact: np.ndarray, relative: float, generator: np.random.Generator) -> list[Estimate]:
    values = exact * (1 + relative * generator.normal(size=len(exact)))
    return [Estimate(float(v), float(relative * e)) for v, e in zip(values, exact, strict=True)]


def assert_covers(name: str, estimates: list[Estimate], exact: float) -> None:
    for level in (0.68, 0.95):
        covered = np.mean([low <= exact <= high for low, high in (e.interval(level) for e in estimates)])
        print(f"{name}: {level:.0%} interval covers {covered:.1%} of {len(estimates)}")
        assert abs(covered - level) < 3 * np.sqrt(level * (1 - level) / len(estimates))


def test_exact_points_give_back_their_parameters() -> None:
    line = [Estimate(float(v), 0.01 * float(v)) for v in np.exp(LOG_A - E_OVER_R / TEMPERATURES)]
    assert arrhenius(TEMPERATURES, line).parameters == pytest.approx((LOG_A, E_OVER_R), rel=1e-9)
    curve = [Estimate(float(v), 0.01 * float(v)) for v in np.exp(-2.0 - B / (TEMPERATURES - T0))]
    fit = vogel_fulcher_tammann(TEMPERATURES, curve)
    assert fit is not None
    assert fit.parameters == pytest.approx((-2.0, B, T0), rel=1e-4)
    assert fit.log_value(250.0).value == pytest.approx(-2.0 - B / 50.0, rel=1e-4)


def test_intervals_of_an_arrhenius_law_cover_at_their_rates() -> None:
    generator = np.random.default_rng(0)
    fits = [
        arrhenius(TEMPERATURES, measured(np.exp(LOG_A - E_OVER_R / TEMPERATURES), 0.05, generator)) for _ in range(RUNS)
    ]
    assert_covers("activation energy", [f.parameter(1) for f in fits], E_OVER_R)
    assert_covers("prefactor", [f.parameter(0) for f in fits], LOG_A)
    assert_covers("value at 250 K", [f.log_value(250.0) for f in fits], LOG_A - E_OVER_R / 250.0)


@pytest.mark.slow
def test_intervals_of_a_vft_law_cover_at_their_rates() -> None:
    generator = np.random.default_rng(1)
    exact = np.exp(-2.0 - B / (TEMPERATURES - T0))
    fits = [vogel_fulcher_tammann(TEMPERATURES, measured(exact, 0.03, generator)) for _ in range(RUNS)]
    found = [f for f in fits if f is not None]
    assert len(found) == RUNS
    assert_covers("B", [f.parameter(1) for f in found], B)
    assert_covers("T0", [f.parameter(2) for f in found], T0)
    assert_covers("value at 260 K", [f.log_value(260.0) for f in found], -2.0 - B / 60.0)


@pytest.mark.slow
def test_straight_points_are_not_bent() -> None:
    generator = np.random.default_rng(2)
    exact = np.exp(LOG_A - E_OVER_R / TEMPERATURES)
    bent = [vogel_fulcher_tammann(TEMPERATURES, measured(exact, 0.05, generator)) is not None for _ in range(RUNS)]
    # T0 cannot be below 0, so chance bends half of the one in twenty: 2.5 %, 3 sigma of the binomial on top.
    assert np.mean(bent) < 0.025 + 3 * np.sqrt(0.025 * 0.975 / RUNS)


def test_points_that_scatter_more_than_their_errors_enlarge_them() -> None:
    generator = np.random.default_rng(3)
    exact = np.exp(LOG_A - E_OVER_R / TEMPERATURES)
    honest = measured(exact, 0.2, generator)
    boasting = [Estimate(e.value, e.standard_error / 10) for e in honest]
    with_errors, without = (arrhenius(TEMPERATURES, points).parameter(1) for points in (honest, boasting))
    assert without.standard_error > 3 * with_errors.standard_error / 10
    assert without.degrees_of_freedom == len(TEMPERATURES) - 2
    assert arrhenius(TEMPERATURES, boasting).chance < 1e-3


def test_errors_that_are_not_known_come_from_the_scatter() -> None:
    generator = np.random.default_rng(4)
    exact = np.exp(LOG_A - E_OVER_R / TEMPERATURES)
    fits = []
    for _ in range(RUNS):
        points = [Estimate(e.value, float("nan")) for e in measured(exact, 0.05, generator)]
        fits.append(arrhenius(TEMPERATURES, points))
    assert_covers("activation energy by scatter", [f.parameter(1) for f in fits], E_OVER_R)
    assert np.isnan(fits[0].chance)


def test_two_temperatures_give_the_slope_between_them() -> None:
    fit = arrhenius(np.array([300.0, 400.0]), [Estimate(1.0, 0.1), Estimate(2.0, 0.2)])
    assert fit.parameters[1] == pytest.approx(np.log(2.0) / (1 / 300 - 1 / 400))
    assert fit.parameter(1).standard_error == pytest.approx(np.hypot(0.1, 0.1) / (1 / 300 - 1 / 400))


def test_skewed_errors_of_few_degrees_of_freedom_are_taken() -> None:
    points = [ScaleEstimate(float(v), 0.1 * float(v), 200.0) for v in np.exp(LOG_A - E_OVER_R / TEMPERATURES)]
    assert 200.0 <= arrhenius(TEMPERATURES, points).parameter(1).degrees_of_freedom < 200.0 * len(points)


@pytest.mark.parametrize(
    ("temperatures", "values", "message"),
    [
        ([300.0, 300.0], [1.0, 2.0], "1 different temperatures, at least 2"),
        ([300.0, -1.0], [1.0, 2.0], "temperature -1 K"),
        ([300.0, 400.0], [1.0, 0.0], "value 0"),
    ],
)
def test_points_that_cannot_be_fitted_are_refused(temperatures: list, values: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        arrhenius(np.array(temperatures), [Estimate(v, 0.1) for v in values])


def test_three_temperatures_are_too_few_for_a_curve() -> None:
    with pytest.raises(ValueError, match="3 different temperatures, at least 4"):
        vogel_fulcher_tammann(TEMPERATURES[:3], [Estimate(1.0, 0.1)] * 3)
    with pytest.raises(ValueError, match="needs an error"):
        vogel_fulcher_tammann(TEMPERATURES, [Estimate(1.0, float("nan"))] * 8)
