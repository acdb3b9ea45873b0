"""Currents whose transport coefficient is known exactly: free, correlated, caged and with memory."""

from collections.abc import Callable

import numpy as np
import pytest
from synthetic_motion import langevin, ornstein_uhlenbeck, sampled_integral
from test_onsager import assert_covers, one

from cgsim.observables.currents import MIN_FRAMES, averaged, current_spectrum, running_integral
from cgsim.observables.green_kubo import CepstralFit, cepstral_coefficient
from cgsim.observables.onsager import follow_charge

FRICTION, SPREAD, STEP = 0.5, 2.0, 0.4  # of free Langevin ions: D = SPREAD / FRICTION
Draw = Callable[[int, np.random.Generator], tuple[np.ndarray, float]]


def fit(current: np.ndarray, step: float = STEP) -> CepstralFit:
    return cepstral_coefficient(current_spectrum(current, step))


def folded(friction: float, step: float) -> float:
    """By how much the sum over a sampled exponential exceeds its integral: x / tanh(x) for x = friction step / 2."""
    half = 0.5 * friction * step
    return float(half / np.tanh(half))


def free(frames: int, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Ten Langevin ions of charges +1 and -1: the sum of their coefficients."""
    _, velocities = langevin(frames, 10, FRICTION, SPREAD, STEP, generator)
    charges = np.tile([1.0, -1.0], 5)
    return np.einsum("p,fpx->fx", charges, velocities), 10 * SPREAD / FRICTION * folded(FRICTION, STEP)


def shared(frames: int, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Five pairs whose ions of unlike charge share a part of their motion, which carries no current.

    v = (own + common), each with half of the variance: ions by themselves diffuse as before, and the conductivity is
    half of what Nernst and Einstein say.
    """
    _, own = langevin(frames, 10, FRICTION, 0.5 * SPREAD, STEP, generator)
    _, common = langevin(frames, 5, FRICTION, 0.5 * SPREAD, STEP, generator)
    velocities = own + np.repeat(common, 2, axis=1)
    nernst_einstein = 10 * SPREAD / FRICTION * folded(FRICTION, STEP)
    return np.einsum("p,fpx->fx", np.tile([1.0, -1.0], 5), velocities), 0.5 * nernst_einstein


def with_memory(frames: int, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Generalised Langevin ions whose friction remembers: dv/dt = -integral of k exp(-s / tau) v(t - s) ds + noise.

    With the auxiliary force y: dv = y dt, dy = (-k v - y / tau) dt + noise, <v^2> = SPREAD, <y^2> = k SPREAD. At zero
    frequency the friction is k tau, so D = SPREAD / (k tau); velocities turn back many times, and the running integral
    overshoots by far before it comes down.
    """
    k, tau = 1.0, 8.0
    drift, covariance = np.array([[0.0, -1.0], [k, 1.0 / tau]]), np.diag([SPREAD, k * SPREAD])
    state = ornstein_uhlenbeck(drift, covariance, STEP, (frames, 4, 3), generator)
    exact = 4 * sampled_integral(drift, covariance, STEP)[0, 0]
    assert exact == pytest.approx(4 * SPREAD / (k * tau), rel=0.02)  # what the sampling adds
    return state[..., 0].sum(axis=1), exact


def caged(frames: int, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Ions that vibrate in harmonic cages, which carry no current in the long run, while the cages move slowly.

    Of the vibration dx = v dt, dv = (-w^2 x - g v) dt + noise the integral of <v v> is nil; the cages are Langevin
    particles, 1/50 as fast in the mean square as the ions in them.
    """
    frequency, damping = 1.0, 0.6
    drift, covariance = np.array([[0.0, -1.0], [frequency**2, damping]]), np.diag([SPREAD / frequency**2, SPREAD])
    state = ornstein_uhlenbeck(drift, covariance, STEP, (frames, 4, 3), generator)
    _, cages = langevin(frames, 4, 0.2, 0.02 * SPREAD, STEP, generator)
    exact = 4 * 0.02 * SPREAD / 0.2 * folded(0.2, STEP)
    added = 4 * sampled_integral(drift, covariance, STEP)[1, 1]
    assert 0 < added < 0.1 * exact
    return state[..., 1].sum(axis=1) + cages.sum(axis=1), exact + added


def vibrating(frames: int, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Free ions beside six weakly damped vibrations, sharp peaks far above zero as those of bonds and angles."""
    current, exact = free(frames, generator)
    drift, covariance = np.zeros((12, 12)), np.zeros((12, 12))
    for k, frequency in enumerate([1.2, 2.0, 2.4, 3.7, 5.5, 6.5]):
        own = slice(2 * k, 2 * k + 2)
        drift[own, own] = [[0.0, -1.0], [frequency**2, 0.075]]
        covariance[own, own] = np.diag([4 * SPREAD / frequency**2, 4 * SPREAD])
    state = ornstein_uhlenbeck(drift, covariance, STEP, (frames, 3), generator)
    added = sampled_integral(drift, covariance, STEP)[1::2, 1::2].sum()
    return current + state[..., 1::2].sum(axis=-1), exact + added


def test_spectrum_holds_the_power_of_the_current_and_its_logarithm_has_no_bias() -> None:
    step, spread = 0.25, 3.0
    current = np.random.default_rng(0).normal(scale=spread, size=(4001, 3))
    spectrum = current_spectrum(current, step)
    # Parseval: the integral over all frequencies, of both signs, is the mean square along an axis.
    total = (2 * spectrum.density.sum() - spectrum.density[0]) / (4001 * step)
    assert total == pytest.approx((current**2).mean(), rel=1e-12)
    assert spectrum.frequency[-1] == pytest.approx(0.5 / step, rel=1e-3)
    logarithm = spectrum.log_density
    assert logarithm.var() == pytest.approx(spectrum.variance[1], rel=0.1)  # 2000 values; kurtosis below 4: 4 %
    assert abs(logarithm.mean() - np.log(spread**2 * step)) < 4 * np.sqrt(spectrum.variance[1] / len(logarithm))
    many = [current_spectrum(np.random.default_rng(k).normal(size=(64, 3)), 1.0) for k in range(400)]
    for end in (0, -1):  # real amplitudes
        ends = [one.log_density[end] for one in many]
        assert abs(np.mean(ends)) < 4 * np.std(ends) / 20
        assert np.var(ends) == pytest.approx(many[0].variance[end], rel=0.3)  # of 400 skewed numbers
    assert fit(current, step).coefficient.value == pytest.approx(0.5 * spread**2 * step, rel=0.15)


@pytest.mark.parametrize("draw", [free, shared, with_memory, caged, vibrating])
def test_coefficient_of_a_long_run_is_the_exact_one(draw: Draw) -> None:
    current, exact = draw(40_000, np.random.default_rng(5))
    found = fit(current)
    low, high = found.coefficient.interval(0.9999)
    assert low < exact < high
    assert found.coefficient.standard_error < 0.2 * exact
    assert abs(found.discrepancy) < 3.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "frames"), [(free, 2000), (shared, 2000), (with_memory, 6000), (caged, 3000), (vibrating, 3000)]
)
def test_intervals_cover_at_their_rates(draw: Draw, frames: int) -> None:
    generator = np.random.default_rng(6)
    runs, hits = 200, dict[tuple[str, float], list[bool]]()
    ratios, claimed, warned = [], [], []
    for _ in range(runs):
        current, exact = draw(frames, generator)
        found = fit(current)
        ratios.append(found.coefficient.value / exact)
        claimed.append(found.coefficient.standard_error / exact)
        warned.append(abs(found.discrepancy) > 2.5)
        for level in (0.68, 0.95):
            low, high = found.coefficient.interval(level)
            hits.setdefault((draw.__name__, level), []).append(low <= exact <= high)
    print(f"{draw.__name__}: mean of found / exact {np.mean(ratios):.3f}, scatter {np.std(ratios):.3f}")
    print(f"{draw.__name__}: error claimed {np.mean(claimed):.3f}; {np.mean(warned):.1%} warn of slower motion")
    assert_covers(hits, runs, spare=0.15)  # averaged models are careful: more may be covered than claimed
    assert abs(np.mean(ratios) - 1) < 0.4 * np.std(ratios)  # a bias that leaves intervals what they are
    assert np.mean(warned) < 0.05


@pytest.mark.slow
def test_runs_of_few_correlation_times_cover_less_often_and_have_few_degrees_of_freedom() -> None:
    generator = np.random.default_rng(14)
    for times, expected in ((40, (0.65, 0.95)), (100, (0.85, 1.0))):  # what docs/analysis.md says
        covered, few = [], []
        for _ in range(150):
            _, velocities = langevin(50 * times, 1, 0.05, 1.0, STEP, generator)
            coefficient = fit(velocities[:, 0]).coefficient
            low, high = coefficient.interval(0.95)
            covered.append(low < 1.0 / 0.05 < high)
            few.append(coefficient.degrees_of_freedom < 40)
        print(f"{times} correlation times: 95% interval covers {np.mean(covered):.0%}; {np.mean(few):.0%} told")
        assert expected[0] < np.mean(covered) <= expected[1]
        assert (np.mean(few) > 0.6) == (times == 40)


@pytest.mark.slow
def test_running_integral_scatters_as_its_error_says() -> None:
    generator = np.random.default_rng(7)
    deviations, errors, frames = [], [], 1500
    for _ in range(200):
        current, _ = free(frames, generator)
        found = running_integral(current, STEP)
        time = found.lags * STEP
        # The trapezoidal sum of an exponential is its integral times the factor of folding.
        exact = 10 * SPREAD / FRICTION * (1 - np.exp(-FRICTION * time)) * folded(FRICTION, STEP)
        deviations.append(found.integral - exact)
        errors.append(found.standard_error)
    claimed = np.sqrt(np.mean(np.square(errors), axis=0))
    scatter = np.std(deviations, axis=0) / claimed
    print(f"scatter of the running integral over its error: {scatter.min():.2f} to {scatter.max():.2f}")
    assert (np.abs(scatter - 1) < 4 / np.sqrt(2 * 200)).all()  # four standard errors of a standard deviation
    assert found.lags[-1] == frames // 4 - 1
    assert (np.abs(np.mean(deviations, axis=0) / claimed) < 4 / np.sqrt(200)).all()


def test_running_integral_is_the_sum_over_the_correlation() -> None:
    current, _ = free(300, np.random.default_rng(8))
    found = running_integral(current, STEP)
    direct = [(current[: 300 - m] * current[m:]).sum() / (3 * (300 - m)) for m in range(76)]
    np.testing.assert_allclose(found.correlation, np.array(direct)[found.lags], rtol=1e-10, atol=1e-10)
    expected = [np.trapezoid(direct[: lag + 1], dx=STEP) for lag in found.lags]
    np.testing.assert_allclose(found.integral, expected, rtol=1e-10, atol=1e-10)


def test_green_kubo_and_einstein_agree_on_one_run() -> None:
    generator = np.random.default_rng(9)
    charges = np.array([1.0, -1.0])
    differences, ratios = [], []
    for _ in range(8):
        sums, velocities = langevin(8000, 2, FRICTION, SPREAD, STEP, generator)
        einstein = one(follow_charge(sums, charges, STEP)).coefficient(charges, charges)
        kubo = fit(np.einsum("p,fpx->fx", charges, velocities)).coefficient
        differences.append((einstein.value - kubo.value) / np.hypot(einstein.standard_error, kubo.standard_error))
        ratios.append(kubo.standard_error / kubo.value)
    print(f"Einstein less Green-Kubo in joint errors: {np.round(differences, 2)}")
    # Both see the same run, so that they differ by less than independent ones would.
    assert np.abs(differences).max() < 2
    assert abs(np.mean(differences)) < 0.7
    assert np.median(ratios) < 0.15


@pytest.mark.parametrize("step", [0.5, 1.0, 1.5])
def test_what_is_lost_between_frames_is_seen_at_the_nyquist_frequency(step: float) -> None:
    # The exact excess of a sum over exp(-t) at intervals of the step is 1 - tanh(x) / x of it, x = step / 2.
    found = [fit(langevin(20_000, 1, 1.0, 1.0, step, np.random.default_rng(seed))[1][:, 0], step) for seed in range(4)]
    half = 0.5 * step
    excess = np.mean([f.sampling_excess for f in found])
    assert excess == pytest.approx(1 - np.tanh(half) / half, rel=0.25)  # S(0) of four runs, and the form of the tail
    values = [f.coefficient.value for f in found]
    assert np.mean(values) == pytest.approx(folded(1.0, step), rel=0.1)


def test_velocities_that_are_forgotten_between_frames_leave_a_flat_spectrum() -> None:
    found = fit(np.random.default_rng(11).normal(size=(4000, 3)), 1.0)
    assert found.nyquist_ratio == pytest.approx(1.0, abs=0.2)


@pytest.mark.slow
def test_motion_slower_than_the_run_resolves_is_told() -> None:
    # An overdamped cage that gives way within 10: S falls to a hundred thousandth, all of it in the lowest eight
    # frequencies. The value is far too large; nearly every run says that it rests on little, or that they differ.
    generator = np.random.default_rng(12)
    told, ratios = [], []
    for _ in range(60):
        drift, covariance = np.array([[0.0, -1.0], [0.9, 9.0]]), np.diag([1.0 / 0.9, 1.0])
        state = ornstein_uhlenbeck(drift, covariance, 0.1, (3000, 1, 3), generator)
        walk = generator.normal(scale=0.005 / np.sqrt(0.1), size=(3000, 3))
        found = fit(state[:, 0, :, 1] + walk, 0.1)
        ratios.append(found.coefficient.value / (0.5 * 0.005**2))
        told.append(abs(found.discrepancy) > 2.5 or found.coefficient.degrees_of_freedom < 20)
    print(f"slow cages: median of found / exact {np.median(ratios):.1f}; told in {np.mean(told):.0%}")
    assert np.median(ratios) > 2
    assert np.mean(told) > 0.7


def test_model_and_bins_follow_the_spectrum() -> None:
    current, _ = free(40_000, np.random.default_rng(13))
    spectrum = current_spectrum(current, STEP)
    found = cepstral_coefficient(spectrum)
    frequency, density, error = averaged(spectrum)
    model, model_error = found.spectrum(frequency)
    inside = frequency < 0.5
    deviation = ((density - model) / np.hypot(error, model_error))[inside]
    assert np.abs(deviation).max() < 5
    assert 0.7 < deviation.std() < 1.4
    assert len(frequency) < 80
    at_zero, error_at_zero = found.spectrum(np.zeros(1))
    assert abs(0.5 * at_zero[0] - found.coefficient.value) < 2 * found.coefficient.standard_error
    assert error_at_zero[0] > 0


def test_too_few_frames_and_frozen_currents_are_refused() -> None:
    with pytest.raises(ValueError, match="63 frames, expected at least 64"):
        current_spectrum(np.ones((MIN_FRAMES - 1, 3)), 1.0)
    with pytest.raises(ValueError, match="never changes"):
        current_spectrum(np.zeros((100, 3)), 1.0)
