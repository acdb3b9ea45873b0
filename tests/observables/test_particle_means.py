"""Errors of contacts and coordination numbers, where particles keep their surroundings and where they change them."""

import numpy as np
import pytest
from synthetic_motion import first_order_autoregression

from cgsim.observables.contacts import mean_by_kind, molecule_contacts, scatter_by_kind
from cgsim.observables.particle_means import MAX_PARTICLES, larger_error, scatter_error
from cgsim.observables.radial import RadialDistribution, radial_distribution
from cgsim.observables.statistics import Estimate, block_average

IONS, EACH, MEAN, FRAMES = 12, 12, 6.0, 32
CELL = np.eye(3) * 30.0
KIND = np.repeat([0, 1], [IONS, IONS * EACH])


def neighbour_numbers(frozen: float, noise: float, memory: float, generator: np.random.Generator) -> np.ndarray:
    """Numbers of neighbours, [frames, ions]: a Gaussian number that each ion keeps and one that it forgets."""
    fast = first_order_autoregression(memory, FRAMES, IONS, generator) * noise * np.sqrt(1 - memory**2)
    # Rounding a Gaussian number leaves its mean; 0 and 12 are four standard deviations away.
    own = generator.normal(scale=frozen, size=IONS)
    return np.clip(np.rint(MEAN + own + fast), 0, EACH).astype(np.int64)


def positions_of(numbers: np.ndarray) -> np.ndarray:
    """Ions on a wide grid, each with twelve particles of its own, so many of them at 1 and the others at 4."""
    grid = 10.0 * np.stack(np.unravel_index(np.arange(IONS), (3, 3, 3)), axis=1) + 5.0
    radius = np.where(np.arange(EACH) < numbers[..., None], 1.0, 4.0)
    directions = np.random.default_rng(0).normal(size=(EACH, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    around = grid[:, None] + radius[..., None] * directions
    ions = np.broadcast_to(grid, (len(numbers), IONS, 3))
    return np.asarray(np.concatenate([ions, around.reshape(len(numbers), -1, 3)], axis=1))


def coordination(positions: np.ndarray) -> RadialDistribution:
    masks = np.stack([KIND == 0, KIND == 1])
    return radial_distribution([(p, CELL) for p in positions], masks, np.array([[0, 1]]), np.array([0.0, 2.0]))


def contacts(positions: np.ndarray) -> Estimate:
    counts = [molecule_contacts(p, CELL, np.arange(len(KIND)), KIND, 2, 2.0) for p in positions]
    blocks = block_average(np.array([mean_by_kind(c, KIND) for c in counts]))
    scatter = scatter_by_kind(np.mean(counts, axis=0), KIND)
    error, n = larger_error(blocks.standard_error, scatter, np.array([[IONS], [IONS * EACH]]))
    return Estimate(float(blocks.mean[0, 1]), float(error[0, 1]), float((n[0, 1] or blocks.n_blocks) - 1))


def estimates(frozen: float, noise: float, memory: float, runs: int) -> list[Estimate]:
    """Mean numbers of neighbours found in many runs; contacts, where they are counted too, must be the same."""
    found = []
    for seed in range(runs):
        positions = positions_of(neighbour_numbers(frozen, noise, memory, np.random.default_rng(seed)))
        result = coordination(positions)
        n = int(result.coordination_particles[0, 0]) or result.coordination_average.n_blocks
        found.append(Estimate(float(result.coordination[0, 0]), float(result.coordination_error[0, 0]), n - 1.0))
        if seed % 10 == 0:
            touching = contacts(positions)
            assert touching.value == pytest.approx(found[-1].value)
            if frozen > 0:  # blocks of a whole matrix of contacts are of another length
                assert touching.standard_error == pytest.approx(found[-1].standard_error)
                assert touching.degrees_of_freedom == found[-1].degrees_of_freedom
    return found


@pytest.mark.slow
def test_intervals_cover_where_every_particle_keeps_its_surroundings() -> None:
    runs = 300
    found = estimates(frozen=1.2, noise=0.6, memory=0.3, runs=runs)
    assert {e.degrees_of_freedom for e in found} == {IONS - 1.0}
    for level in (0.68, 0.95):
        covered = np.mean([low <= MEAN <= high for low, high in (e.interval(level) for e in found)])
        print(f"frozen surroundings: {level:.0%} interval covers {covered:.1%} of {runs}")
        # Means of Gaussian numbers: Student's interval is exact, binomial at 3 sigma
        assert abs(covered - level) < 3 * np.sqrt(level * (1 - level) / runs)


@pytest.mark.slow
def test_errors_stay_right_where_surroundings_change_fast() -> None:
    runs = 300
    found = estimates(frozen=0.0, noise=1.2, memory=0.3, runs=runs)
    true = np.std([e.value for e in found])
    mean = np.mean([e.standard_error for e in found])
    print(f"fast exchange: mean error {mean / true:.2f} of the true one")
    # The larger of two, of which one scatters by sqrt(1/22); the true one is known to sqrt(1/600) = 4 %.
    assert 0.9 < mean / true < 1.2
    for level in (0.68, 0.95):
        covered = np.mean([low <= MEAN <= high for low, high in (e.interval(level) for e in found)])
        print(f"fast exchange: {level:.0%} interval covers {covered:.1%} of {runs}")
        margin = 3 * np.sqrt(level * (1 - level) / runs)
        assert level - margin < covered < level + margin + 0.06  # an error 15 % too large covers 5 % more


def test_contacts_within_a_selection_are_counted_at_both_ends() -> None:
    generator = np.random.default_rng(1)
    n, share, runs = 30, 0.2, 400
    means, errors = [], []
    for _ in range(runs):  # pairs that touch for ever, or never
        touch = np.triu(generator.random((n, n)) < share, 1)
        own = (touch | touch.T).sum(axis=1).astype(float)
        means.append(own.mean())
        errors.append(float(scatter_error(own, n, both_ends=True)))
    # The truth is known to sqrt(1 / 800) = 3.5 %, three times that
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(means), rel=0.11)


def test_few_particles_say_nothing_and_many_are_sampled() -> None:
    assert float(scatter_error(np.array([1.0, 2.0, 3.0]), 3)) == 0.0
    generator = np.random.default_rng(2)
    n = 3 * MAX_PARTICLES
    first = np.arange(2 * n) < n
    x = np.concatenate([np.arange(n), np.arange(n) + np.where(generator.random(n) < 0.5, 0.1, 0.3)])
    positions = np.stack([x, np.zeros(2 * n), np.zeros(2 * n)], axis=1)
    frames = [(positions, np.diag([float(n), 10.0, 10.0]))] * 2
    result = radial_distribution(frames, np.stack([first, ~first]), np.array([[0, 1]]), np.array([0.0, 0.2]))
    exact = float(scatter_error((x[n:] - x[:n] < 0.2).astype(float), n))
    assert result.coordination_error[0, 0] == pytest.approx(exact, rel=0.05)  # a scatter of 1000 is known to 2 %
    assert result.coordination_particles[0, 0] == n
