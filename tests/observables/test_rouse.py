from math import gamma

import numpy as np
import pytest
from synthetic_motion import rouse_chains, rouse_modes_of

from cgsim.observables.rouse import fit_stretched_exponential, merge_mode_sums, mode_relaxation, mode_sums, rouse_modes


@pytest.mark.slow
def test_amplitudes_and_times_of_a_harmonic_rouse_chain_are_covered_by_their_intervals() -> None:
    n_beads, bond, slowest, runs = 20, 1.3, 60.0, 40
    amplitude, time = rouse_modes_of(n_beads, bond, slowest)
    inside = {"amplitude": [], "relaxation time": [], "stretching exponent": []}
    for seed in range(runs):
        modes = rouse_modes(rouse_chains(1500, 8, n_beads, bond, slowest, seed), 3)
        for p in range(3):
            found = mode_relaxation(mode_sums(modes[:, :, p]))
            for name, estimate, exact in (
                ("amplitude", found.amplitude, amplitude[p]),
                ("relaxation time", found.time, time[p]),
                ("stretching exponent", found.stretching, 1.0),
            ):
                low, high = estimate.interval(0.68)
                inside[name].append(low <= exact <= high)
    for name, hits in inside.items():
        print(f"{name} of Rouse modes: 68 % interval covers {np.mean(hits):.1%} of {len(hits)}")
        # binomial at 3 sigma: 9 %; a jackknife of 16 groups and a fit that is not linear: 5 % more
        assert abs(np.mean(hits) - 0.68) < 3 * np.sqrt(0.68 * 0.32 / len(hits)) + 0.05


def test_modes_of_a_chain_are_its_cosine_transform() -> None:
    n = 6
    positions = np.random.default_rng(1).normal(size=(4, 3, n, 3))
    found = rouse_modes(positions, n - 1)
    for p in range(1, n):
        waves = np.cos(p * np.pi * (np.arange(1, n + 1) - 0.5) / n) / n
        np.testing.assert_allclose(found[:, :, p - 1], np.einsum("fcbx,b->fcx", positions, waves), atol=1e-12)
    shifted = rouse_modes(positions + np.array([100.0, -30.0, 7.0]), n - 1)
    np.testing.assert_allclose(shifted, found, atol=1e-12)  # modes from the first on know nothing of the place


def test_first_modes_of_a_long_gaussian_chain_are_rouse_modes() -> None:
    n_beads, bond = 40, 2.0
    generator = np.random.default_rng(2)
    walk = np.cumsum(generator.normal(scale=bond / np.sqrt(3), size=(400, 30, n_beads, 3)), axis=2)
    exact, _ = rouse_modes_of(n_beads, bond, 1.0)
    for p in range(3):
        found = mode_relaxation(mode_sums(rouse_modes(walk, 3)[:, :, p]))
        assert abs(found.amplitude.value - exact[p]) < 4 * found.amplitude.standard_error
        assert found.time.value < 1.0  # every frame is a new chain


@pytest.mark.parametrize(("tau", "beta"), [(12.0, 1.0), (40.0, 0.6), (25.0, 1.4)])
def test_stretched_exponential_is_found_again(tau: float, beta: float) -> None:
    correlation = np.exp(-((np.arange(600.0) / tau) ** beta))
    time, stretching = fit_stretched_exponential(correlation)
    assert stretching == pytest.approx(beta, abs=1e-4)
    assert time == pytest.approx(tau / beta * gamma(1 / beta), rel=1e-3)


def test_what_forgets_at_once_has_no_shape_and_what_never_forgets_no_time() -> None:
    assert fit_stretched_exponential(np.array([1.0, 0.05, 0.0, 0.0, 0.0])) == (pytest.approx(1 / np.log(20)), 1.0)
    frozen = mode_relaxation(
        mode_sums(np.broadcast_to(np.random.default_rng(3).normal(size=(1, 5, 3)), (50, 5, 3)).copy())
    )
    assert not frozen.has_decayed
    assert frozen.time.value > 1000


def test_chains_summed_up_in_parts_give_what_all_give() -> None:
    vectors = rouse_modes(rouse_chains(300, 32, 6, 1.0, 10.0, seed=5), 1)[:, :, 0]
    whole = mode_relaxation(mode_sums(vectors))
    parts = mode_relaxation(merge_mode_sums([mode_sums(vectors[:, :16]), mode_sums(vectors[:, 16:])]))
    assert parts.time.value == pytest.approx(whole.time.value)
    assert parts.amplitude.standard_error == pytest.approx(whole.amplitude.standard_error)


def test_run_that_is_too_short_says_so() -> None:
    modes = rouse_modes(rouse_chains(60, 10, 10, 1.0, 200.0, seed=4), 1)
    assert not mode_relaxation(mode_sums(modes[:, :, 0])).has_decayed
