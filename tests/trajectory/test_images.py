from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, chains_and_ion, moving_chains

from cgsim.errors import InputError
from cgsim.trajectory.frames import Frame
from cgsim.trajectory.images import ImageFinder, bonded_molecules


def frame_of(positions, cell, number=0):
    """A frame as files have it: positions as they are, no images."""
    return Frame(f"x.xtc: frame {number}", positions, None, False, cell, None, None, 0)


def wrapped(unwrapped, cell):
    return unwrapped - np.floor(unwrapped @ np.linalg.inv(cell)) @ cell


@given(seed=st.integers(0, 2**32 - 1), cell=st.sampled_from([ORTHORHOMBIC, TRICLINIC]), swells=st.booleans())
@settings(max_examples=30, deadline=None)
def test_images_from_bonds_undo_wrapping_up_to_one_lattice_vector_per_molecule(seed, cell, swells):
    system, unwrapped = moving_chains(cell, seed=seed)
    finder = ImageFinder(system)
    cells = [cell * (1 + 0.05 * k * swells) for k in range(len(unwrapped))]
    shifts = []
    for positions, cell_now in zip(unwrapped @ np.linalg.inv(cell), cells, strict=True):
        positions = wrapped(positions @ cell_now, cell_now)
        whole = positions + finder.from_bonds(frame_of(positions, cell_now)) @ cell_now
        shifts.append(whole @ np.linalg.inv(cell_now))
    shifts = np.array(shifts) - unwrapped @ np.linalg.inv(cell)
    # Fractional coordinates of a few cells in double precision.
    np.testing.assert_allclose(shifts, np.round(shifts), atol=1e-11)
    shifts = np.round(shifts)
    assert (shifts == shifts[0]).all(), "the shift must not change over time"
    for molecule in range(system.n_molecules):
        of_molecule = shifts[0, system.molecule_id == molecule]
        assert (of_molecule == of_molecule[0]).all(), "the shift must be one for a molecule"


def test_rings_and_branches_are_made_whole_whatever_the_order_of_bonds():
    rng = np.random.default_rng(1)
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([3 * np.cos(angles), 3 * np.sin(angles), np.zeros(8)], axis=1)
    positions = np.concatenate([ring, ring[:3] * 1.7]) + np.array([0.1, 0.2, 13.9])
    bonds = np.array([[i, (i + 1) % 8] for i in range(8)] + [[i, i + 8] for i in range(3)])
    order = rng.permutation(11)  # particle i is stored at order[i]
    bonds = np.sort(order[bonds], axis=1)[rng.permutation(11)].T
    stored = np.empty_like(positions)
    stored[order] = positions
    chain = chains_and_ion(n_chains=1, length=10)
    system = replace(chain, bond_index=bonds)
    folded = wrapped(stored, ORTHORHOMBIC)
    whole = folded + ImageFinder(system).from_bonds(frame_of(folded, ORTHORHOMBIC)) @ ORTHORHOMBIC
    np.testing.assert_allclose(whole - whole[0], stored - stored[0], atol=1e-12)


@given(n=st.integers(2, 30), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_bonded_molecules_are_the_connected_components_in_order_of_their_first_particle(n, seed):
    bonds = np.random.default_rng(seed).integers(0, n, (2, n // 2))
    found = bonded_molecules(n, bonds)
    label = np.arange(n)  # merge labels along bonds until nothing changes
    for _ in range(n):
        for a, b in bonds.T:
            label[[a, b]] = min(label[a], label[b])
    first = {number: i for i, number in enumerate(dict.fromkeys(label))}
    np.testing.assert_array_equal(found, [first[number] for number in label])


def test_a_step_near_half_the_cell_is_refused_with_frame_particle_and_lengths():
    system = chains_and_ion(n_chains=1, length=1)
    finder = ImageFinder(system)
    finder.from_bonds(frame_of(np.array([[1.0, 1, 1], [2, 2, 2]]), ORTHORHOMBIC, 0))
    finder.from_bonds(frame_of(np.array([[1.0, 1, 1], [2, 2 + 0.44 * 12, 2]]), ORTHORHOMBIC, 1))
    with pytest.raises(
        InputError, match=r"frame 2: the molecule of particle 2 .Li. moved by 5.52 Angstrom along b"
    ) as e:
        finder.from_bonds(frame_of(np.array([[1.0, 1, 1], [2, 2 + 0.90 * 12, 2]]), ORTHORHOMBIC, 2))
    assert "half the cell (6)" in str(e.value)


def test_a_chain_may_turn_by_more_than_half_the_cell_if_its_centre_stays():
    system = replace(chains_and_ion(n_chains=1, length=9), charges=np.zeros(10))
    rod = np.zeros((10, 3))
    rod[:9, 0] = np.arange(-4, 5) * 1.0
    rod[9] = 1.0
    turned = rod.copy()
    turned[:9] = -turned[:9]  # its ends move by 8, of a cell of 10
    finder = ImageFinder(system)
    for number, positions in enumerate((rod + 5, turned + 5)):
        folded = wrapped(positions, ORTHORHOMBIC)
        whole = folded + finder.from_bonds(frame_of(folded, ORTHORHOMBIC, number)) @ ORTHORHOMBIC
        np.testing.assert_allclose(whole[:9], positions[:9], atol=1e-12)


def test_a_bond_near_half_the_cell_is_refused():
    system = chains_and_ion(n_chains=1, length=2)
    positions = np.array([[1.0, 1, 1], [1, 1, 1 + 0.47 * 14], [5, 5, 5]])
    with pytest.raises(InputError, match=r"bond 1-2 .* spans 0.47 of the cell along c, too near to half of it"):
        ImageFinder(system).from_bonds(frame_of(positions, ORTHORHOMBIC))


def test_a_molecule_bonded_to_its_own_image_is_refused():
    system = chains_and_ion(n_chains=1, length=4)
    system = replace(system, bond_index=np.array([[0, 1, 2, 0], [1, 2, 3, 3]]))
    positions = np.zeros((5, 3))
    positions[:4, 0] = [0, 2.5, 5, 7.5]  # the fourth is bonded to the first across the face
    with pytest.raises(InputError, match="is bonded to its own periodic image along a"):
        ImageFinder(system).from_bonds(frame_of(positions, ORTHORHOMBIC))


def test_images_of_a_file_are_checked_by_the_length_of_bonds():
    system, unwrapped = moving_chains(TRICLINIC)
    positions = wrapped(unwrapped[0], TRICLINIC)
    images = np.floor(unwrapped[0] @ np.linalg.inv(TRICLINIC)).astype(np.int32)
    finder = ImageFinder(system)
    finder.check(frame_of(positions, TRICLINIC), images)
    images[3, 1] += 1
    with pytest.raises(InputError, match=r"frame 0: bond 3-4 .* along b with the images in the file"):
        finder.check(frame_of(positions, TRICLINIC), images)
