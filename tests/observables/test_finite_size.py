import numpy as np
import pytest

from cgsim.observables.finite_size import (
    CUBIC,
    finite_size_correction,
    lattice_constants,
    thermal_energy_molecular,
)


def test_constant_of_a_cube_is_that_of_yeh_and_hummer() -> None:
    for edge in (1.0, 37.5):
        np.testing.assert_allclose(lattice_constants(edge * np.eye(3)), CUBIC * np.eye(3), atol=1e-6)


# Hasimoto (1959): the drag on a dilute lattice of spheres grows by the factor 1 + a c^(1/3), c their volume fraction.
@pytest.mark.parametrize(
    ("cell", "coefficient"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 1.7601),
        ([[-1, 1, 1], [1, -1, 1], [1, 1, -1]], 1.7919),
        ([[0, 1, 1], [1, 0, 1], [1, 1, 0]], 1.7917),
    ],
    ids=["simple cubic", "body-centred", "face-centred"],
)
def test_dilute_lattice_of_spheres_has_the_drag_of_hasimoto(cell: list[list[int]], coefficient: float) -> None:
    # xi kT / (6 pi eta L) over kT / (6 pi eta a) is xi a / L, and a / L = (3 c / 4 pi)^(1/3).
    found = lattice_constants(np.array(cell, dtype=np.float64)) / np.cbrt(4 * np.pi / 3)
    np.testing.assert_allclose(found, coefficient * np.eye(3), atol=5e-5)  # the digits printed there


def test_constant_belongs_to_the_lattice_and_not_to_the_cell_that_describes_it() -> None:
    cell = np.array([[5.0, 0, 0], [1.0, 4, 0], [-1.0, 2, 7]])
    other = np.array([[1, 0, 0], [3, 1, 0], [-2, 1, 1]]) @ cell
    np.testing.assert_allclose(lattice_constants(other), lattice_constants(cell), atol=1e-10)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turned = lattice_constants(cell @ rotation.T)
    np.testing.assert_allclose(turned, rotation @ lattice_constants(cell) @ rotation.T, atol=1e-10)


def test_long_box_slows_motion_across_and_speeds_motion_along() -> None:
    flat, along = np.diag(lattice_constants(np.diag([1.0, 1.0, 3.0])))[[0, 2]]
    assert flat < 0 < along  # the known change of sign in elongated boxes (Kikugawa et al.)
    # Far beyond, images across see a sheet: the tensor along z grows with the length of the box.
    assert lattice_constants(np.diag([1.0, 1.0, 6.0]))[2, 2] > along


def test_correction_of_water_is_a_tenth_of_its_diffusivity() -> None:
    # 2.837297 kB 298 K / (6 pi 0.896 mPa s 30 A), worked out by hand: 2.304e-6 cm2/s.
    shift = finite_size_correction(30.0 * np.eye(3), thermal_energy_molecular(298.0), 0.896)
    np.testing.assert_allclose(shift * 1e-4, 2.304e-6, rtol=1e-3)


def test_correction_restores_one_diffusivity_from_boxes_of_every_size() -> None:
    exact, energy, viscosity = 0.8, 1.0, 2.0
    for edge in (5.0, 10.0, 40.0):
        periodic = exact - CUBIC * energy / (6 * np.pi * viscosity * edge)
        found = periodic + finite_size_correction(edge * np.eye(3), energy, viscosity)
        np.testing.assert_allclose(found, exact, rtol=1e-6)


@pytest.mark.parametrize(("energy", "viscosity"), [(1.0, 0.0), (0.0, 1.0), (1.0, -2.0)])
def test_numbers_that_are_not_positive_are_refused(energy: float, viscosity: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        finite_size_correction(np.eye(3), energy, viscosity)


def test_open_boundaries_have_no_correction() -> None:
    with pytest.raises(ValueError, match="needs a periodic cell"):
        lattice_constants(np.zeros((3, 3)))
