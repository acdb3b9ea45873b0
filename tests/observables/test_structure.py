import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgsim.observables.shape import shape
from cgsim.observables.statistics import independent_average
from cgsim.observables.structure import (
    backbones,
    centres_of_mass,
    chain_ends,
    end_to_end_distance,
    gyration_tensor,
    image_reach,
    perpendicular_widths,
    radius_of_gyration,
)


def gaussian_chains(n_beads: int, chains: int, bond: float, seed: int) -> np.ndarray:
    """Independent freely jointed chains with Gaussian bonds of root mean square ``bond``, [chains, n_beads, 3]."""
    steps = np.random.default_rng(seed).normal(scale=bond / np.sqrt(3), size=(chains, n_beads, 3))
    return np.cumsum(steps, axis=1)


@pytest.mark.parametrize("n_beads", [2, 10, 100])
def test_radius_of_gyration_of_a_gaussian_chain_is_its_closed_form(n_beads: int) -> None:
    bond, chains = 1.3, 20_000 // n_beads
    radii = radius_of_gyration(gaussian_chains(n_beads, chains, bond, 1), np.ones(n_beads), np.zeros(n_beads, int))
    squared = independent_average((radii**2).ravel())
    exact = bond**2 * (n_beads**2 - 1) / (6 * n_beads)  # -> N b^2 / 6
    assert abs(squared.value - exact) < 4 * squared.standard_error
    assert squared.standard_error < 0.1 * exact


def test_end_to_end_distance_of_a_gaussian_chain_is_six_times_its_radius_of_gyration_squared() -> None:
    n_beads, bond = 50, 1.0
    chains = gaussian_chains(n_beads, 4000, bond, 2)
    ends = chain_ends(np.stack([np.arange(n_beads - 1), np.arange(1, n_beads)]), np.zeros(n_beads, int))
    squared = independent_average((end_to_end_distance(chains, ends) ** 2).ravel())
    assert abs(squared.value - (n_beads - 1) * bond**2) < 4 * squared.standard_error


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_radius_of_gyration_does_not_depend_on_translation_rotation_or_order(seed: int) -> None:
    generator = np.random.default_rng(seed)
    positions, masses = generator.normal(size=(3, 9, 3)), generator.uniform(1, 20, size=9)
    molecule = np.repeat([0, 1, 2], 3)
    expected = radius_of_gyration(positions, masses, molecule)
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    order = generator.permutation(9)
    moved = positions @ rotation.T + generator.normal(size=3) * 100
    np.testing.assert_allclose(radius_of_gyration(moved, masses, molecule), expected, rtol=1e-9)
    np.testing.assert_allclose(
        radius_of_gyration(positions[:, order], masses[order], molecule[order]), expected, rtol=1e-9
    )
    trace = np.trace(gyration_tensor(positions, masses, molecule), axis1=-2, axis2=-1)
    np.testing.assert_allclose(trace, expected**2, rtol=1e-9)


def test_two_unequal_masses_weigh_as_a_dumbbell() -> None:
    positions = np.array([[[0.0, 0, 0], [4.0, 0, 0]]])
    masses = np.array([3.0, 1.0])
    assert radius_of_gyration(positions, masses, np.zeros(2, int))[0, 0] == pytest.approx(4 * np.sqrt(3) / 4)
    np.testing.assert_allclose(centres_of_mass(positions, masses, np.zeros(2, int))[0, 0], [1.0, 0, 0])


def test_ends_of_a_branched_chain_are_its_furthest_particles() -> None:
    # 3-0-1-2-4-5 with a side bead 6 on 1, and an ion 7 alone; numbered out of order on purpose.
    bonds = np.array([[0, 0, 1, 2, 4, 1], [3, 1, 2, 4, 5, 6]])
    ends = chain_ends(bonds, np.array([0, 0, 0, 0, 0, 0, 0, 1]))
    assert set(ends[0]) == {3, 5}
    np.testing.assert_array_equal(ends[1], [7, 7])
    paths = backbones(bonds, np.array([0, 0, 0, 0, 0, 0, 0, 1]))
    assert paths[0].tolist() in ([3, 0, 1, 2, 4, 5], [5, 4, 2, 1, 0, 3])
    assert paths[1].tolist() == [7]


def test_widths_of_a_skewed_cell_are_less_than_its_edges() -> None:
    cell = np.array([[[10.0, 0, 0], [8.0, 6.0, 0], [0, 0, 5.0]]])
    np.testing.assert_allclose(perpendicular_widths(cell)[0], [6.0, 6.0, 5.0])


def test_reach_of_one_image_is_half_the_shortest_lattice_vector() -> None:
    cube = np.eye(3) * 10.0
    skewed = np.array([[1, 0, 0], [3, 1, 0], [-2, 7, 1]]) @ cube
    hexagonal = 10.0 * np.array([[1.0, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, 3.0]])
    np.testing.assert_allclose(image_reach(np.stack([cube, skewed, hexagonal])), 5.0)


SHAPES = {  # points, asphericity / Rg^2, acylindricity / Rg^2, relative shape anisotropy
    "rod": (np.outer(np.arange(5.0), [1, 2, -2]), 1.0, 0.0, 1.0),
    "square": (np.array([[1.0, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0]]), 0.25, 0.5, 0.25),
    "cube": (np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(-1, 3), 0.0, 0.0, 0.0),
    "point": (np.zeros((1, 3)), 0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("body", SHAPES)
def test_shapes_of_simple_bodies_are_exact_in_any_orientation(body: str) -> None:
    points, asphericity, acylindricity, anisotropy = SHAPES[body]
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    n = len(points)
    tensor = gyration_tensor((points @ rotation.T + 7.0)[None], np.full(n, 2.0), np.zeros(n, int))
    found = shape(tensor)
    squared_radius = float(found.moments.sum())
    assert squared_radius == pytest.approx(float((points**2).sum(axis=1).mean() - (points.mean(axis=0) ** 2).sum()))
    assert found.asphericity[0, 0] == pytest.approx(asphericity * squared_radius, abs=1e-12)
    assert found.acylindricity[0, 0] == pytest.approx(acylindricity * squared_radius, abs=1e-12)
    assert found.anisotropy[0, 0] == pytest.approx(anisotropy, abs=1e-12)


def test_gaussian_chains_are_as_elongated_as_random_walks_are() -> None:
    """<sum over pairs of (L_i - L_j)^2> / (2 <(L_1 + L_2 + L_3)^2>) of long walks is 10/19.

    Rudnick and Gaspari, J. Phys. A 19, L191 (1986), 2 (d + 2) / (5 d + 4) for d = 3; here with averages taken apart.
    """
    chains = gaussian_chains(200, 3000, 1.0, 6)
    found = shape(gyration_tensor(chains, np.ones(200), np.zeros(200, int)))
    squared_radius = found.moments.sum(axis=-1).ravel()
    numerator, denominator = (found.anisotropy.ravel() * squared_radius**2), squared_radius**2
    ratio = numerator.mean() / denominator.mean()
    error = (numerator - ratio * denominator).std() / denominator.mean() / np.sqrt(3000)
    assert abs(ratio - 10 / 19) < 4 * error + 10 / 200  # corrections of finite chains are of the order 1 / N
    assert error < 0.02
