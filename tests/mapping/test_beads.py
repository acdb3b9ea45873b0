from pathlib import Path

import numpy as np
import pytest
from systems import OPEN, TRICLINIC, electrolyte, glyme, molecule, shaking_molecules, trajectory_of

from cgsim import beads as module
from cgsim.beads import open_beads, write_beads
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings, partition
from cgsim.trajectory.store import TrajectoryStore, write_store

ATOMS = electrolyte()
MAPPING = MappingSettings()
CELL = 2.5 * TRICLINIC


@pytest.fixture(scope="module", params=[OPEN, CELL], ids=["open", "periodic"])
def atoms_store(request, tmp_path_factory) -> tuple[Path, np.ndarray]:
    """A store of atoms that wander over several cells, and their unwrapped positions."""
    motion = shaking_molecules(ATOMS, request.param, 40, drift=6.0, rattle=0.2, seed=0)
    path = tmp_path_factory.mktemp("atoms") / "atoms.h5"
    write_store(path, trajectory_of(ATOMS, motion, request.param, 2.0))
    return path, motion


def test_beads_follow_the_centres_of_mass_of_their_atoms_across_all_cells(atoms_store):
    path, motion = atoms_store
    beads = open_beads(path, MAPPING)
    expected = beads.mapping.map_positions(motion)
    found = beads.read()
    # Atoms come from float32 in-box positions below 40.
    np.testing.assert_allclose(found.unwrapped_positions, expected, atol=1e-5)
    assert found.time == pytest.approx(2.0 * np.arange(40))
    if found.is_periodic:
        assert np.abs(found.image_flags).max() >= 2
        fractional = found.wrapped_positions @ np.linalg.inv(CELL)
        assert fractional.min() >= -1e-6
        assert fractional.max() <= 1 + 1e-6


@pytest.mark.parametrize("frames", [slice(None), slice(3, 30, 4), slice(39, 40), slice(5, 5)], ids=str)
def test_frames_read_in_pieces_are_the_frames_read_at_once(atoms_store, frames, monkeypatch):
    beads = open_beads(atoms_store[0], MAPPING)
    whole = beads.read(frames)
    monkeypatch.setattr(module, "PIECE_BYTES", 3 * module.BYTES_PER_ATOM * ATOMS.n_particles)
    pieces = beads.read(frames)
    assert whole.n_frames == len(range(*frames.indices(40)))
    for name in ("wrapped_positions", "image_flags", "cell", "time"):
        np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name), err_msg=name)


def test_chunks_are_the_whole(atoms_store):
    beads = open_beads(atoms_store[0], MAPPING)
    joined = np.concatenate([piece.unwrapped_positions for piece in beads.chunks()])
    np.testing.assert_array_equal(joined, beads.read().unwrapped_positions)


def test_store_of_beads_keeps_positions_atoms_and_its_own_mapping(atoms_store, tmp_path):
    beads = open_beads(atoms_store[0], MAPPING)
    assert write_beads(beads, tmp_path / "beads.h5", 0.0, np.inf, None) == 40
    # Its mapping is in the store; the settings of whoever opens it play no part.
    again = open_beads(tmp_path / "beads.h5", MappingSettings(atoms_per_bead=2))
    assert again.is_mapped
    assert again.mapping.hash == beads.mapping.hash
    assert again.atoms.names == ATOMS.names
    assert again.name == "beads"
    before, after = beads.read(), again.read()
    for name in ("wrapped_positions", "image_flags", "cell", "time"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)
    assert again.beads.type_names == beads.beads.type_names


def test_part_of_the_frames_can_be_written(atoms_store, tmp_path):
    beads = open_beads(atoms_store[0], MAPPING)
    assert write_beads(beads, tmp_path / "part.h5", 10.0, 20.0, None) == 6
    assert TrajectoryStore(tmp_path / "part.h5").time == pytest.approx([10, 12, 14, 16, 18, 20])
    with pytest.raises(InputError) as error:
        write_beads(beads, tmp_path / "none.h5", 100.0, 200.0, None)
    assert str(error.value) == f"{atoms_store[0]}: no frame between 100 and 200; the file ends at 78"
    assert not (tmp_path / "none.h5").exists()


@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_every_third_frame_of_a_part_can_be_written(atoms_store, tmp_path, monkeypatch, at_once):
    beads = open_beads(atoms_store[0], MAPPING)
    monkeypatch.setattr("cgsim.beads.PIECE_BYTES", at_once * 24 * beads.store.system.n_particles)
    assert write_beads(beads, tmp_path / "thin.h5", 10.0, np.inf, None, every=3) == 12
    thin, whole = open_beads(tmp_path / "thin.h5", MAPPING).read(), beads.read()
    assert thin.time == pytest.approx(np.arange(10, 79, 6))
    np.testing.assert_array_equal(thin.unwrapped_positions, whole.unwrapped_positions[5::3])


def test_bead_bond_over_half_the_cell_is_refused(tmp_path):
    chain = molecule(glyme(4))
    positions = np.zeros((1, chain.n_particles, 3))
    positions[0, :, 0] = 0.4 * np.arange(chain.n_particles)
    write_store(tmp_path / "long.h5", trajectory_of(chain, positions, np.eye(3) * 5.0, 1.0))
    whole = MappingSettings(beads_per_molecule={"all": 1})
    assert open_beads(tmp_path / "long.h5", whole).read().n_frames == 1
    with pytest.raises(InputError, match=r"^.*long.h5: bead bond \d-\d is .* Angstrom long, more than half the cell"):
        open_beads(tmp_path / "long.h5", MappingSettings(atoms_per_bead=15)).read()


def test_rule_that_does_not_fit_names_the_file(atoms_store):
    path, _ = atoms_store
    with pytest.raises(InputError) as error:
        open_beads(path, MappingSettings(beads_per_molecule={"PF6": 1}))
    assert str(error.value).startswith(f"{path}: beads_per_molecule names 'PF6', which this system does not have")


def test_changed_mapping_in_a_store_is_refused(tmp_path):
    mapping = partition(ATOMS, MAPPING)
    document = mapping.to_document()
    document["charges"] = [0.0] * mapping.n_beads
    positions = np.zeros((1, mapping.n_beads, 3))
    trajectory = trajectory_of(mapping.bead_system(ATOMS), positions, OPEN, 1.0)
    write_store(tmp_path / "changed.h5", trajectory, atoms=ATOMS, documents={"mapping": document})
    with pytest.raises(InputError, match=r"changed.h5: mapping hash is .*: the file was changed$"):
        open_beads(tmp_path / "changed.h5", MAPPING)
    write_store(tmp_path / "bare.h5", trajectory, documents={"mapping": mapping.to_document()})
    with pytest.raises(InputError) as error:
        open_beads(tmp_path / "bare.h5", MAPPING)
    assert str(error.value) == f"{tmp_path / 'bare.h5'}: has a mapping but not the atoms that it maps"
