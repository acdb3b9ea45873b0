"""Figures of a run, on motion whose answer is known."""

import numpy as np

from cgsim.reference.figures import langevin_diffusivity


def langevin_positions(diffusivity, friction, interval, n_frames, generator):
    """Positions of a free Langevin particle, exact at any interval (Chandrasekhar 1943, eqs. 171 to 175)."""
    kt = diffusivity * friction
    decay = np.exp(-friction * interval)
    covariance = kt * np.array(
        [
            [1 - decay**2, (1 - decay) ** 2 / friction],
            [(1 - decay) ** 2 / friction, (2 * friction * interval - 3 + 4 * decay - decay**2) / friction**2],
        ]
    )
    kicks = generator.multivariate_normal(np.zeros(2), covariance, size=(n_frames, 3))
    velocity, position, positions = np.sqrt(kt) * generator.normal(size=3), np.zeros(3), []
    for kick in kicks:
        positions.append(position)
        position = position + velocity * (1 - decay) / friction + kick[:, 1]
        velocity = velocity * decay + kick[:, 0]
    return np.array(positions)


def test_diffusivity_of_a_langevin_particle_is_covered_by_its_interval_at_its_rate():
    generator = np.random.default_rng(0)
    inside, n = 0, 200
    for _ in range(n):
        positions = langevin_positions(0.01, 1.0, 5.0, 400, generator)
        low, high = langevin_diffusivity(positions, 5.0, 1.0).interval(0.68)
        inside += low < 0.01 < high
    assert abs(inside / n - 0.68) < 4 * np.sqrt(0.68 * 0.32 / n)


def test_diffusivity_is_unbiased_where_ballistic_motion_still_shows():
    generator = np.random.default_rng(1)
    friction, estimates = 0.01, []
    for _ in range(1000):
        positions = langevin_positions(2.0, friction, 500.0, 40, generator)  # lag of 20 momentum relaxation times
        estimates.append(langevin_diffusivity(positions, 500.0, friction).value)
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - 2.0) < 4 * error
    assert error < 0.05 * 2.0 / 4  # the correction for ballistic motion is 5 %: the test could see it missing


def test_a_run_too_short_for_a_displacement_gives_nan():
    assert np.isnan(langevin_diffusivity(np.zeros((3, 3)), 5.0, 1.0).value)
