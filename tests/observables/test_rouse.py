from math import gamma

import numpy as np
import pytest
from synthetic_motion import rouse_chains, rouse_modes_of

from cgsim.observables.bartlett import stretched_exponential_errors
from cgsim.observables.rouse import fit_stretched_exponential, merge_mode_sums, mode_relaxation, mode_sums, rouse_modes
from cgsim.observables.statistics import Estimate


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_chains", "n_modes", "runs", "least_freedom"), [(1, 1, 300, 11), (2, 1, 300, 11), (8, 3, 100, 15)]
)
def test_amplitudes_and_times_of_a_harmonic_rouse_chain_are_covered_by_their_intervals(
    n_chains: int, n_modes: int, runs: int, least_freedom: int
) -> None:
    n_beads, bond, slowest, frames = 8, 1.3, 20.0, 1000
    amplitude, time = rouse_modes_of(n_beads, bond, slowest)
    found: dict[str, list[Estimate]] = {"amplitude": [], "relaxation time": [], "stretching exponent": []}
    exact = [(amplitude[p], time[p], 1.0) for p in range(n_modes)] * runs
    for seed in range(runs):
        modes = rouse_modes(rouse_chains(frames, n_chains, n_beads, bond, slowest, seed), n_modes)
        for p in range(n_modes):  # modes of one chain are independent
            one = mode_relaxation(mode_sums(modes[:, :, p]))
            for own, estimate in zip(found.values(), (one.amplitude, one.time, one.stretching), strict=True):
                own.append(estimate)
    for (name, own), truth in zip(found.items(), zip(*exact, strict=True), strict=True):
        # Some run looks slower by chance, so that fewer parts of it are independent.
        assert np.median([e.degrees_of_freedom for e in own]) >= least_freedom
        for level in (0.68, 0.95):
            ends = [e.interval(level) for e in own]
            covered = np.mean([low <= x <= high for (low, high), x in zip(ends, truth, strict=True)])
            print(f"{name}, {n_chains} Rouse chains: {level:.0%} interval covers {covered:.1%} of {len(own)}")
            margin = 3 * np.sqrt(level * (1 - level) / len(own))
            # An error that is the larger of two covers up to some 5 % more.
            assert level - margin < covered < level + margin + 0.05
    if n_modes == 1:
        scatter = np.std([np.log(e.value) for e in found["relaxation time"]])
        least = min(e.standard_error / e.value for e in found["relaxation time"])
        # Errors are in proportion to the time, so that relative ones hardly differ from run to run.
        assert least > 0.3 * scatter


def test_errors_of_a_chain_are_at_least_those_of_a_gaussian_process() -> None:
    # An exponential correlation of n values: Bartlett's variance of the mean square is 2 (1 + q) / (1 - q) / n with
    # q = exp(-2 / tau), from the sum of a geometric series.
    tau, n = 25.0, 30_000
    of_square, _, _ = stretched_exponential_errors(np.arange(1, 58), tau, 1.0, n // 4, 4)
    q = np.exp(-2 / tau)
    # the weights of a run take off tau / (2 n) of its length, here 0.2 %
    assert of_square == pytest.approx(np.sqrt(2 * (1 + q) / (1 - q) / n), rel=2e-3)
    # What never changes within a run has one value in each series.
    of_square, _, _ = stretched_exponential_errors(np.arange(1, 58), 1e6, 1.0, 100, 8)
    assert of_square == pytest.approx(np.sqrt(2 / 8), rel=1e-3)


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


def test_few_chains_summed_up_in_parts_of_the_run_give_the_same_curve() -> None:
    vectors = rouse_modes(rouse_chains(900, 3, 6, 1.0, 10.0, seed=6), 1)[:, :, 0]
    parts, whole = mode_relaxation(mode_sums(vectors)), mode_relaxation(mode_sums(vectors, of_chains=100))
    np.testing.assert_allclose(parts.correlation, whole.correlation, atol=1e-12)
    assert parts.time.value == pytest.approx(whole.time.value)
    assert parts.amplitude.value == pytest.approx(whole.amplitude.value)
    assert (parts.time.degrees_of_freedom, whole.time.degrees_of_freedom) == (9 * 8 - 1, 8)
    one_by_one = merge_mode_sums([mode_sums(vectors[:, k : k + 1], 3) for k in range(3)])
    assert mode_relaxation(one_by_one).time.value == pytest.approx(whole.time.value)


def test_run_that_is_too_short_says_so() -> None:
    modes = rouse_modes(rouse_chains(60, 10, 10, 1.0, 200.0, seed=4), 1)
    assert not mode_relaxation(mode_sums(modes[:, :, 0])).has_decayed
