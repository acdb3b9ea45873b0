import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_motion import brownian, first_order_autoregression

from cgsim.observables import dynamics
from cgsim.observables.dynamics import (
    autocorrelation,
    centre_of_mass,
    integrated_relaxation_time,
    mean_squared_displacement,
    merge_molecules,
    remove_drift,
    single_origin_displacements,
    squared_displacements,
)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 2**31), st.floats(-1e5, 1e5))
def test_msd_by_fourier_transform_equals_the_double_loop(frames: int, particles: int, seed: int, far: float) -> None:
    positions = brownian(frames, particles, 1.0, seed) + far
    fast = squared_displacements(positions)
    for lag in range(frames):
        pairs = [(positions[t + lag] - positions[t]) ** 2 for t in range(frames - lag)]
        # Cancellation in S1 - 2 S2 costs the squares' own rounding: eps x frames x (largest distance)^2, and an origin
        # far away costs eps x far in every position.
        np.testing.assert_allclose(fast[lag], np.mean(pairs, axis=0), rtol=1e-9, atol=1e-9 + 1e-15 * abs(far))


def test_msd_does_not_depend_on_translation_or_rotation() -> None:
    positions = brownian(50, 3, 1.0, seed=1)
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    moved = positions @ rotation.T + np.array([5.0, -7.0, 11.0])
    expected = squared_displacements(positions).sum(axis=-1)
    np.testing.assert_allclose(squared_displacements(moved).sum(axis=-1), expected, rtol=1e-10, atol=1e-10)


def test_ballistic_motion_is_quadratic_and_a_particle_at_rest_stays() -> None:
    time = np.arange(30.0)[:, None, None]
    positions = np.concatenate([time * np.array([1.0, 2.0, -2.0]), 0 * time + np.ones(3) * 1e6], axis=1)
    squared = squared_displacements(positions).sum(axis=-1)
    np.testing.assert_allclose(squared[:, 0], 9.0 * np.arange(30.0) ** 2, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(squared[:, 1], 0.0)
    np.testing.assert_allclose(single_origin_displacements(positions)[:, 0], squared[:, 0], rtol=1e-12, atol=1e-9)


def test_removing_drift_undoes_any_motion_of_the_box() -> None:
    positions = brownian(40, 6, 1.0, seed=3)
    masses = np.array([1.0, 2, 3, 4, 5, 6])
    still = remove_drift(positions, centre_of_mass(positions, masses))
    drifting = positions + np.cumsum(np.random.default_rng(4).normal(size=(40, 1, 3)), axis=0)
    np.testing.assert_allclose(
        single_origin_displacements(remove_drift(drifting, centre_of_mass(drifting, masses))),
        single_origin_displacements(still),
        atol=1e-10,
    )
    np.testing.assert_allclose(
        centre_of_mass(still, masses), np.tile(centre_of_mass(still, masses)[0], (40, 1)), atol=1e-12
    )


def test_removing_drift_costs_independent_particles_their_share_of_the_mass() -> None:
    n = 5
    positions = brownian(20_000, n, 1.0, seed=5)
    masses = np.ones(n)
    removed = squared_displacements(remove_drift(positions, centre_of_mass(positions, masses)))[1].mean()
    kept = squared_displacements(positions)[1].mean()
    assert removed / kept == pytest.approx(1 - 1 / n, rel=0.02)  # 3e5 squared steps: 0.3 %


def test_molecules_one_by_one_give_what_all_at_once_give() -> None:
    positions = brownian(64, 7, 1.0, seed=6)
    molecule = np.array([0, 0, 0, 1, 1, 2, 2])
    together = mean_squared_displacement(positions, molecule, 2.0)
    apart = merge_molecules(
        [
            mean_squared_displacement(positions[:, molecule == m], np.zeros((molecule == m).sum(), int), 2.0)
            for m in range(3)
        ]
    )
    np.testing.assert_allclose(apart.msd, together.msd, rtol=1e-12)
    np.testing.assert_allclose(apart.by_molecule, together.by_molecule, rtol=1e-12)
    np.testing.assert_allclose(apart.scatter, together.scatter, rtol=1e-12)
    np.testing.assert_allclose(apart.molecule_weights @ apart.by_molecule / 7, together.msd[together.lags], rtol=1e-12)


def test_each_axis_has_its_own_displacement_and_they_add_up() -> None:
    spread = np.array([1.0, 2.0, 0.5])
    found = mean_squared_displacement(brownian(400, 30, 1.0, seed=9) * spread, np.arange(30), 1.0)
    np.testing.assert_allclose(found.by_axis.sum(axis=1), found.msd, rtol=1e-12)
    np.testing.assert_allclose(found.by_axis[1], spread**2, rtol=0.05)  # 12 000 squared steps: 1.3 %
    along = mean_squared_displacement(brownian(400, 30, 1.0, seed=9)[:, :, [1]], np.arange(30), 1.0)
    np.testing.assert_allclose(along.msd * 4.0, found.by_axis[:, 1], rtol=1e-9)
    assert along.n_dimensions == 1


@pytest.mark.parametrize("threads", ["1", "3"])
def test_blocks_and_threads_and_order_of_particles_change_nothing(
    threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    positions, molecule = brownian(50, 24, 1.0, seed=10), np.arange(24) % 5  # molecules of 5 and 4 particles, mixed up
    whole = mean_squared_displacement(positions, molecule, 1.0)
    monkeypatch.setattr(dynamics, "FFT_BYTES", 24 * 50 * 6)  # six particles at a time: one molecule
    blocks = mean_squared_displacement(positions, molecule, 1.0)
    for name in ("by_axis", "by_molecule", "scatter"):
        np.testing.assert_allclose(getattr(blocks, name), getattr(whole, name), rtol=1e-10)
    expected = squared_displacements(positions).sum(axis=-1)
    for m in range(5):
        np.testing.assert_allclose(blocks.by_molecule[m], expected[whole.lags][:, molecule == m].mean(axis=1))


def test_single_precision_positions_keep_the_precision_that_they_have() -> None:
    positions = brownian(300, 8, 1.0, seed=11)
    single = mean_squared_displacement(positions.astype(np.float32), np.arange(8), 1.0)
    double = mean_squared_displacement(positions, np.arange(8), 1.0)
    # Positions up to 50 rounded to 24 bits: 3e-6 in steps of 1, on both ends.
    np.testing.assert_allclose(single.msd[1:], double.msd[1:], rtol=1e-5)


def test_particles_that_move_together_are_recognised() -> None:
    alone = mean_squared_displacement(brownian(2000, 40, 1.0, seed=7), np.arange(40), 1.0)
    assert alone.correlation(1, 20) == 1.0
    carried = np.repeat(brownian(2000, 4, 1.0, seed=8), 10, axis=1)
    together = mean_squared_displacement(carried, np.arange(40), 1.0)
    assert together.correlation(1, 20) == pytest.approx(10.0, rel=0.3)  # ten riders on each of four carriers


@pytest.mark.parametrize("phi", [0.0, 0.8, 0.98])
def test_relaxation_time_of_an_autoregression_is_its_closed_form(phi: float) -> None:
    n, n_series = 5000, 20
    series = first_order_autoregression(phi, n, n_series, np.random.default_rng(9))
    tau, window = integrated_relaxation_time(autocorrelation(series, np.zeros(n_series)), 2.0, n_series)
    exact = 0.5 * (1 + phi) / (1 - phi) * 2.0
    assert abs(tau.value - exact) < 4 * tau.standard_error + np.exp(-6) * exact
    assert window < n / 5


def test_interval_of_the_relaxation_time_covers() -> None:
    phi, runs = 0.9, 300
    series = first_order_autoregression(phi, 4000, runs, np.random.default_rng(10))
    exact = 0.5 * (1 + phi) / (1 - phi)
    times = [integrated_relaxation_time(autocorrelation(series[:, [k]], np.zeros(1)), 1.0, 1)[0] for k in range(runs)]
    for level in (0.68, 0.95):
        covered = np.mean([low <= exact <= high for low, high in (t.interval(level) for t in times)])
        print(f"relaxation time of AR(1): {level:.0%} interval covers {covered:.1%} of {runs}")
        # binomial at 3 sigma; 5 %: the error is proportional to the value, which skews the interval
        assert level - 3 * np.sqrt(level * (1 - level) / runs) - 0.05 < covered
