import numpy as np

from cgsim.observables.contacts import chain_contacts, mean_by_kind, molecule_contacts

CELL = np.array([[10.0, 0.0, 0.0], [3.0, 9.0, 0.0], [-2.0, 4.0, 11.0]])


def test_contacts_of_a_hairpin_are_its_ladder() -> None:
    up = np.stack([np.arange(4.0), np.zeros(4), np.zeros(4)], axis=1)
    hairpin = np.concatenate([up, up[::-1] + np.array([0, 1.0, 0])])  # units k and 7 - k face each other
    found = chain_contacts(hairpin, np.arange(8), 8, 1.2)
    i, j = np.indices((8, 8))
    np.testing.assert_array_equal(found, (abs(i - j) <= 1) | (i + j == 7))


def test_units_touch_where_any_of_their_particles_do() -> None:
    generator = np.random.default_rng(1)
    positions, unit = generator.uniform(0, 8, size=(40, 3)), generator.integers(0, 10, size=40)
    distance = np.linalg.norm(positions[:, None] - positions, axis=-1)
    expected = np.zeros((10, 10), bool)
    np.logical_or.at(expected, (unit[:, None], unit), distance <= 2.0)
    np.testing.assert_array_equal(chain_contacts(positions, unit, 10, 2.0), expected)
    assert 10 < expected.sum() < 100


def test_contacts_of_an_ideal_gas_are_its_density_times_the_sphere() -> None:
    n, cutoff, frames = np.array([60, 30]), 2.0, 400
    generator = np.random.default_rng(2)
    kind = np.repeat([0, 1], n)
    series = [
        mean_by_kind(
            molecule_contacts(generator.uniform(size=(90, 3)) @ CELL, CELL, np.arange(90), kind, 2, cutoff), kind
        )
        for _ in range(frames)
    ]
    mean, error = np.mean(series, axis=0), np.std(series, axis=0) / np.sqrt(frames)
    sphere = 4 / 3 * np.pi * cutoff**3 / abs(np.linalg.det(CELL))
    expected = sphere * (n[None, :] - np.eye(2))
    assert np.abs((mean - expected) / error).max() < 4
    np.testing.assert_allclose(mean[0, 1] * n[0], mean[1, 0] * n[1])  # every contact has two sides


def test_a_pair_of_molecules_counts_once_and_never_with_itself() -> None:
    # Two dumbbells side by side, the second through the face of the cell; a third molecule is alone.
    positions = np.array([[0.1, 1, 1], [0.1, 2, 1], [-0.5, 1, 1], [-0.5, 2, 1], [5.0, 5, 5]])
    found = molecule_contacts(positions, np.eye(3) * 10.0, np.array([0, 0, 1, 1, 2]), np.array([0, 0, 1]), 2, 1.2)
    np.testing.assert_array_equal(found, [[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(mean_by_kind(found, np.array([0, 0, 1])), [[1.0, 0.0], [0.0, 0.0]])
