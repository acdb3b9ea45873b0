import numpy as np
import pytest
from synthetic_motion import brownian

from cgsim.observables.van_hove import (
    count_distances,
    displacement_moments,
    merge_distances,
    merge_moments,
    non_gaussian_peak,
    van_hove_distinct,
    van_hove_self,
)

CELL = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [-1.0, 3.0, 10.0]])


def test_brownian_motion_is_gaussian() -> None:
    lag, width = 7, 0.5
    found = van_hove_self(count_distances(brownian(2000, 60, 1.0, seed=1), lag, width), width)
    r = found.bin_centres
    maxwell = np.sqrt(2 / np.pi) * r**2 / lag**1.5 * np.exp(-(r**2) / (2 * lag))
    np.testing.assert_allclose(found.gaussian, maxwell, atol=0.01)  # bins of 0.2 standard deviations: curvature
    pull = (found.value - found.gaussian) / np.maximum(found.standard_error, 1e-4)
    assert np.abs(pull).max() < 4.5
    assert abs(np.mean(pull**2) - 1) < 0.8  # about 25 bins: sqrt(2 / 25) = 0.28
    np.testing.assert_allclose(found.value.sum() * width, 1.0, rtol=1e-12)


def test_two_halves_of_the_particles_give_what_all_give() -> None:
    motion = brownian(300, 10, 1.0, seed=2)
    whole = van_hove_self(count_distances(motion, 5, 0.3), 0.3)
    parts = merge_distances([count_distances(motion[:, k], 5, 0.3) for k in (slice(0, 3), slice(3, 10))])
    joined = van_hove_self(parts, 0.3)
    np.testing.assert_allclose(joined.value, whole.value, rtol=1e-12)
    np.testing.assert_allclose(joined.gaussian, whole.gaussian, rtol=1e-12)


@pytest.mark.parametrize("axes", [1, 3])
def test_non_gaussian_parameter_of_brownian_motion_is_zero_within_its_error(axes: int) -> None:
    runs, lags, pulls = 60, np.array([1, 4, 20]), []
    for seed in range(runs):
        moments = displacement_moments(brownian(400, 20, 1.0, seed)[:, :, :axes], np.arange(20), lags)
        value, error = moments.non_gaussian()
        pulls.append(value / error)
    inside = np.mean(np.abs(pulls) < 1.03)  # Student's t of 19 degrees: 68 %
    print(f"non-Gaussian parameter along {axes} axes: 68 % interval covers {inside:.1%} of {3 * runs}")
    # Three lags of a run are correlated, so 60 runs count: 3 sigma are 18 %.
    assert abs(inside - 0.68) < 0.18


def test_non_gaussian_parameter_of_a_mixture_of_fast_and_slow_is_its_closed_form() -> None:
    fast, slow = 4.0, 1.0
    motion = np.concatenate([brownian(800, 150, fast, seed=3), brownian(800, 150, slow, seed=4)], axis=1)
    moments = displacement_moments(motion, np.arange(300), np.array([1, 10]))
    exact = 0.5 * (fast**2 + slow**2) / (0.5 * (fast + slow)) ** 2 - 1
    value, error = moments.non_gaussian()
    assert np.abs((value - exact) / error).max() < 3.5
    peak, when = non_gaussian_peak(np.array([2.0, 20.0]), moments)
    assert peak.value == value.max()
    assert when == 2.0 * np.array([1, 10])[value.argmax()]


def test_parameter_counts_molecules_and_merges() -> None:
    motion, molecule = brownian(200, 9, 1.0, seed=5), np.repeat([0, 1, 2], 3)
    whole = displacement_moments(motion, molecule, np.array([1, 5]))
    parts = [displacement_moments(motion[:, molecule == m], np.zeros(3, int), np.array([1, 5])) for m in range(3)]
    for one, other in zip(whole.non_gaussian(), merge_moments(parts).non_gaussian(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_what_stands_still_is_gaussian_of_no_width() -> None:
    still = np.ones((20, 4, 3))
    value, _ = displacement_moments(still, np.arange(4), np.array([1, 3])).non_gaussian()
    np.testing.assert_array_equal(value, 0.0)
    found = van_hove_self(count_distances(still, 3, 0.5), 0.5)
    np.testing.assert_allclose(found.value, found.gaussian)


def test_distinct_part_of_an_ideal_gas_is_one_at_any_lag() -> None:
    generator = np.random.default_rng(6)
    n, edges = 80, np.linspace(0, 3.5, 8)
    first = np.arange(n) < 30
    frames = [(generator.uniform(size=(n, 3)) @ CELL, generator.uniform(size=(n, 3)) @ CELL, CELL) for _ in range(300)]
    for second in (~first, first):
        found = van_hove_distinct(frames, first, second, 1, edges)
        assert np.abs((found.value - 1) / found.standard_error).max() < 4


def test_distinct_part_at_lag_zero_is_the_radial_distribution_and_forgets_a_lattice_as_it_melts() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3) + 0.5
    cell, all_of_them = 4.0 * np.eye(3), np.ones(64, dtype=bool)
    edges = np.array([0.0, 0.9, 1.1, 1.3, 1.5])
    frozen = van_hove_distinct([(grid, grid, cell)] * 4, all_of_them, all_of_them, 1, edges)
    shell = 4 / 3 * np.pi * np.diff(edges**3) * 63 / 64
    np.testing.assert_allclose(frozen.value, np.array([0, 6, 0, 12]) / shell, rtol=1e-9)
    generator = np.random.default_rng(7)
    melted = [(grid, grid + generator.normal(scale=3.0, size=grid.shape), cell) for _ in range(300)]
    later = van_hove_distinct(melted, all_of_them, all_of_them, 1, edges)
    assert np.abs((later.value - 1) / later.standard_error).max() < 4


def test_particle_that_takes_the_place_of_another_is_seen_at_the_origin() -> None:
    before = np.array([[1.0, 1, 1], [4.0, 1, 1]])
    edges = np.array([0.0, 0.5, 1.0])
    both = np.ones(2, dtype=bool)
    found = van_hove_distinct([(before, before[::-1].copy(), 9.0 * np.eye(3))] * 4, both, both, 1, edges)
    assert found.value[0] > 100
    assert found.value[1] == 0


def test_lag_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match="a lag of 10 frames in a trajectory of 10"):
        count_distances(np.zeros((10, 2, 3)), 10, 0.1)


def test_pairs_of_one_particle_with_itself_are_refused() -> None:
    only = np.array([True, False])
    with pytest.raises(ValueError, match="no pairs"):
        van_hove_distinct([(np.zeros((2, 3)), np.zeros((2, 3)), np.eye(3))], only, only, 1, np.array([0.0, 0.4]))
