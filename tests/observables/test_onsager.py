"""Correlated ions whose Onsager coefficients are known exactly, and the laws that bind these coefficients."""

import numpy as np
import pytest
from synthetic_motion import brownian

from cgsim.observables.correlated_points import displacement_covariance
from cgsim.observables.diffusion import Regime, diffusion_coefficient
from cgsim.observables.dynamics import mean_squared_displacement
from cgsim.observables.onsager import (
    Collective,
    CollectiveRun,
    cross_displacement,
    follow_charge,
    point_errors,
    product_covariance,
)
from cgsim.observables.statistics import ratio_of_scales
from cgsim.observables.transport import nernst_einstein

SALT = np.array([1.0, -1.0])
PAIRED = np.array([[2.0, 1.2], [1.2, 1.5]])  # cations and anions that travel together
OPPOSED = np.array([[2.0, -0.7], [-0.7, 1.0]])
MIXTURE = np.array([[2.0, 0.3, -0.5], [0.3, 1.0, 0.4], [-0.5, 0.4, 3.0]])


def correlated(
    coefficients: np.ndarray, frames: int, generator: np.random.Generator, rattle: float = 0.0, memory: float = 0.8
) -> np.ndarray:
    """Sums of positions, [frames, sums, 3], that walk with <dR_i . dR_j> = 6 D_ij t; each may rattle as an AR(1)."""
    shape = (frames, len(coefficients), 3)
    steps = np.einsum("ij,fjx->fix", np.linalg.cholesky(2 * coefficients), generator.normal(size=shape))
    noise = generator.normal(size=shape) * rattle * np.sqrt(1 - memory**2)
    noise[0] /= np.sqrt(1 - memory**2)
    for t in range(1, frames):
        noise[t] += memory * noise[t - 1]
    return np.asarray(steps.cumsum(axis=0) + noise)


def one(run: CollectiveRun) -> Collective:
    return Collective((run,), np.ones(1))


def assert_covers(hits: dict[tuple[str, float], list[bool]], runs: int, spare: float = 0.0) -> None:
    """Rates of coverage within three binomial standard errors, printed; ``spare`` more may be covered."""
    for (name, level), hit in hits.items():
        covered = np.mean(hit)
        print(f"{name}: {level:.0%} interval covers {covered:.1%} of {runs}")
        margin = 3 * np.sqrt(level * (1 - level) / runs)
        assert level - margin < covered < level + margin + spare, (name, level, covered)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("coefficients", "frames", "rattle", "runs"),
    [(OPPOSED, 400, 0.0, 200), (PAIRED, 400, 0.0, 120), (PAIRED, 2000, 2.0, 100)],
    ids=["opposed", "paired", "rattling"],
)
def test_intervals_of_onsager_coefficients_cover_at_their_rates(
    coefficients: np.ndarray, frames: int, rattle: float, runs: int
) -> None:
    generator = np.random.default_rng(1)
    unit = np.eye(2)
    exact = {
        "L++": (unit[0], unit[0]),
        "L+-": (unit[0], unit[1]),
        "L--": (unit[1], unit[1]),
        "conductivity": (SALT, SALT),
    }
    share = float(unit[0] @ coefficients @ SALT / (SALT @ coefficients @ SALT))
    hits: dict[tuple[str, float], list[bool]] = {}
    freedom, shares = [], []
    for _ in range(runs):
        common = one(follow_charge(correlated(coefficients, frames, generator, rattle), SALT, 1.0))
        found = {name: (common.coefficient(a, b), float(a @ coefficients @ b)) for name, (a, b) in exact.items()}
        found["transference"] = (common.share(unit[0], SALT), share)
        freedom.append(found["conductivity"][0].degrees_of_freedom)
        shares.append(found["transference"][0].value)
        for name, (estimate, true) in found.items():
            for level in (0.68, 0.95):
                low, high = estimate.interval(level)
                hits.setdefault((name, level), []).append(low <= true <= high)
    print(f"degrees of freedom of the conductivity: median {np.median(freedom):.0f}")
    assert_covers(hits, runs)
    assert abs(np.mean(shares) - share) < 4 * np.std(shares) / np.sqrt(runs)


@pytest.mark.slow
def test_few_independent_displacements_give_few_degrees_of_freedom_and_wide_intervals() -> None:
    # 40 frames of one vector: at most 3 x 39 numbers, of which the fit with an intercept leaves a handful.
    generator = np.random.default_rng(2)
    runs, hits = 150, dict[tuple[str, float], list[bool]]()
    freedom = []
    for _ in range(runs):
        estimate = one(follow_charge(correlated(OPPOSED, 40, generator), SALT, 1.0)).coefficient(SALT, SALT)
        freedom.append(estimate.degrees_of_freedom)
        for level in (0.68, 0.95):
            low, high = estimate.interval(level)
            hits.setdefault(("conductivity", level), []).append(low <= float(SALT @ OPPOSED @ SALT) <= high)
    assert np.median(freedom) < 20
    assert_covers(hits, runs, spare=0.1)  # of so little, more may be covered than claimed, but not less


@pytest.mark.slow
def test_replicas_together_cover_at_their_rates_and_know_more_than_one() -> None:
    generator = np.random.default_rng(3)
    runs, hits = 80, dict[tuple[str, float], list[bool]]()
    narrower = []
    share = float(np.array([1.0, 0.0]) @ PAIRED @ SALT / (SALT @ PAIRED @ SALT))
    for _ in range(runs):
        members = tuple(follow_charge(correlated(PAIRED, frames, generator), SALT, 1.0) for frames in (150, 150, 300))
        together = Collective(members, np.array([0.25, 0.25, 0.5]))
        found = {
            "conductivity": (together.coefficient(SALT, SALT), float(SALT @ PAIRED @ SALT)),
            "transference": (together.share(np.array([1.0, 0.0]), SALT), share),
        }
        alone = one(members[2]).coefficient(SALT, SALT)
        narrower.append(found["conductivity"][0].degrees_of_freedom / alone.degrees_of_freedom)
        for name, (estimate, true) in found.items():
            for level in (0.68, 0.95):
                low, high = estimate.interval(level)
                hits.setdefault((name, level), []).append(low <= true <= high)
    assert_covers(hits, runs)
    assert np.median(narrower) == pytest.approx(2.0, rel=0.15)  # twice the frames of the longest


@pytest.mark.slow
def test_haven_ratio_of_independent_ions_is_one_and_its_interval_covers() -> None:
    generator = np.random.default_rng(4)
    runs, n, hits = 100, 20, dict[tuple[str, float], list[bool]]()
    for _ in range(runs):
        ions = [brownian(300, n, variance, int(generator.integers(2**31))) for variance in (1.0, 2.0)]
        own = [diffusion_coefficient(mean_squared_displacement(some, np.arange(n), 1.0)).coefficient for some in ions]
        free = nernst_einstein(own, SALT, np.full(2, float(n))).charge_diffusion
        sums = np.stack([some.sum(axis=1) for some in ions], axis=1)
        ratio = ratio_of_scales(free, one(follow_charge(sums, SALT, 1.0)).coefficient(SALT, SALT))
        for level in (0.68, 0.95):
            low, high = ratio.interval(level)
            hits.setdefault(("Haven ratio", level), []).append(low <= 1.0 <= high)
    # Sums and single ions share their motion, which is neglected: 1 / n of the variance.
    assert_covers(hits, runs, spare=0.02)


def test_mixture_of_three_kinds_of_ions_gives_the_whole_matrix() -> None:
    charges = np.array([1.0, 2.0, -1.0])
    common = one(follow_charge(correlated(MIXTURE, 4000, np.random.default_rng(5)), charges, 1.0))
    unit = np.eye(3)
    for i in range(3):
        for j in range(3):
            found = common.coefficient(unit[i], unit[j])
            assert abs(found.value - MIXTURE[i, j]) < 4 * found.standard_error
    shares = [common.share(z * e, charges) for z, e in zip(charges, unit, strict=True)]
    assert sum(s.value for s in shares) == pytest.approx(1.0, abs=1e-9)


def test_conductivity_is_the_sum_of_all_coefficients_with_their_charges() -> None:
    common = one(follow_charge(correlated(OPPOSED, 300, np.random.default_rng(6)), SALT, 1.0))
    unit = np.eye(2)
    total = sum(SALT[i] * SALT[j] * common.value(unit[i], unit[j]) for i in range(2) for j in range(2))
    assert common.value(SALT, SALT) == pytest.approx(total, rel=1e-9)


def test_conductivity_is_that_of_the_charge_alone() -> None:
    sums = correlated(OPPOSED, 300, np.random.default_rng(7))
    run = follow_charge(sums, SALT, 0.5)
    whole = one(run).coefficient(SALT, SALT)
    assert whole.value == pytest.approx(run.fit.coefficient.value, rel=1e-9)
    assert whole.standard_error == pytest.approx(run.fit.coefficient.standard_error, rel=1e-6)


def test_change_of_frame_transforms_the_matrix_as_theory_says() -> None:
    # Two ions of masses 7 and 280 in a solvent of mass 5000 per molecule of 10; all momenta add up to zero. In the
    # frame of the solvent R_i' = R_i + N_i sum_j m_j R_j / M_solvent, so L' = A L A^T with that A.
    generator = np.random.default_rng(8)
    n, masses, solvent_mass = np.array([15.0, 15.0]), np.array([7.0, 280.0]), 10 * 5000.0
    ions = correlated(OPPOSED, 500, generator)
    solvent = -np.einsum("i,fix->fx", masses, ions)[:, None] / solvent_mass
    run = one(follow_charge(np.concatenate([ions, solvent], axis=1), np.array([1.0, -1.0, 0.0]), 1.0))
    box = np.eye(2, 3)
    frame = box - np.outer(n, [0.0, 0.0, 1.0])
    transform = np.eye(2) + np.outer(n, masses) / solvent_mass
    matrix = np.array([[run.value(a, b) for a in box] for b in box])
    moved = np.array([[run.value(a, b) for a in frame] for b in frame])
    np.testing.assert_allclose(moved, transform @ matrix @ transform.T, rtol=1e-9)
    # Ions of both signs in equal numbers carry the same current in any frame.
    assert run.value(SALT @ frame, SALT @ frame) == pytest.approx(run.value(SALT @ box, SALT @ box), rel=1e-9)
    in_box, in_solvent = (run.share(e[0], SALT @ e).value for e in (box, frame))
    exact = (transform @ matrix @ transform.T)[0] @ SALT / (SALT @ matrix @ SALT)
    assert in_solvent == pytest.approx(exact, rel=1e-9)
    assert abs(in_solvent - in_box) > 1e-3


def test_two_ions_without_a_solvent_share_the_current_by_their_masses() -> None:
    # m+ R+ + m- R- = 0: t+ = m- / (m+ + m-), whatever the ions do.
    cations = correlated(np.eye(1), 300, np.random.default_rng(9))
    sums = np.concatenate([cations, -cations * 23.0 / 35.5], axis=1)
    share = one(follow_charge(sums, SALT, 1.0)).share(np.array([1.0, 0.0]), SALT)
    assert share.value == pytest.approx(35.5 / 58.5, rel=1e-9)


def test_covariance_of_products_is_what_many_pairs_of_walks_scatter_by() -> None:
    frames, runs = 40, 5000
    generator = np.random.default_rng(10)
    lags = np.array([1, 3, 8, 15])
    steps = np.einsum("ij,fjrx->firx", np.linalg.cholesky(2 * PAIRED), generator.normal(size=(frames, 2, runs, 3)))
    walks = steps.cumsum(axis=0)
    products = []
    for lag in lags:
        d = walks[lag:] - walks[:-lag]
        products.append((d[:, 0] * d[:, 1]).sum(axis=-1).mean(axis=0))
    time = np.arange(31.0)
    predicted = product_covariance(
        lags, 6 * PAIRED[0, 0] * time, 6 * PAIRED[1, 1] * time, 6 * PAIRED[0, 1] * time, frames
    )
    measured = np.cov(products)
    scale = np.sqrt(np.outer(np.diag(measured), np.diag(measured)))
    np.testing.assert_allclose(predicted / scale, measured / scale, atol=5 * 2 / np.sqrt(runs))
    same = 6 * PAIRED[0, 0] * time
    equal = displacement_covariance(lags, same, frames, 3)
    np.testing.assert_allclose(product_covariance(lags, same, same, same, frames), equal, rtol=1e-12)


def test_errors_of_points_are_the_scatter_of_many_runs() -> None:
    generator = np.random.default_rng(11)
    lags = np.array([1, 5, 20])
    unit = np.eye(2)
    points, errors = [], []
    for _ in range(400):
        displacement = cross_displacement(correlated(PAIRED, 100, generator), 1.0)
        points.append(displacement.between(unit[0], unit[1])[lags])
        errors.append(point_errors(displacement, unit[0], unit[1], lags) ** 2)
    # The scatter of 400 runs is known to 4 %, and estimates of small mean squares are skewed.
    np.testing.assert_allclose(np.sqrt(np.mean(errors, axis=0)), np.std(points, axis=0), rtol=0.25)


def test_ballistic_charge_is_not_called_diffusive() -> None:
    velocities = np.random.default_rng(12).normal(size=(1, 2, 3))
    assert follow_charge(np.arange(100.0)[:, None, None] * velocities, SALT, 1.0).fit.regime is Regime.NOT_YET


def test_five_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="5 frames, at least 6"):
        follow_charge(correlated(PAIRED, 5, np.random.default_rng(13)), SALT, 1.0)
