"""Sizes of beads: exact, in the store, and enough to make the size of whole molecules of atoms."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from commands import run_here
from systems import OPEN, TRICLINIC, electrolyte, shaking_molecules, trajectory_of

from cgsim import beads as module
from cgsim.beads import open_beads, write_beads
from cgsim.errors import InputError
from cgsim.mapping import Mapping, MappingSettings, partition
from cgsim.observables.structure import radius_of_gyration
from cgsim.trajectory import System
from cgsim.trajectory.store import StoreWriter, TrajectoryStore, write_store

ATOMS = electrolyte()
CELL = 2.5 * TRICLINIC


def squared_radius_from_beads(mapping: Mapping, beads: np.ndarray, squared_sizes: np.ndarray) -> np.ndarray:
    """Huygens and Steiner: Rg^2 of the beads' centres plus the mass-weighted mean of their own."""
    molecule, masses = mapping.molecule_id, mapping.masses
    shares = masses / np.bincount(molecule, weights=masses)[molecule]
    own = np.stack([np.bincount(molecule, weights=shares * frame) for frame in squared_sizes])
    return radius_of_gyration(beads, masses, molecule) ** 2 + own


def shared_atoms(atoms: System, seed: int) -> Mapping:
    """Beads of a molecule that share its atoms at random: parts of each atom's mass, which add up to all of it."""
    rng = np.random.default_rng(seed)
    plain = partition(atoms, MappingSettings(atoms_per_bead=3))
    owner = plain.molecule_id[:, None] == atoms.molecule_id[None]
    parts = rng.uniform(size=owner.shape) * owner
    mass = parts / parts.sum(axis=0) * atoms.masses
    weights = type(plain.mapping_weights)(mass / mass.sum(axis=1, keepdims=True))
    return replace(plain, mapping_weights=weights, masses=mass.sum(axis=1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", ["partition", "shared"])
def test_sizes_of_beads_make_the_size_of_every_molecule_of_atoms_exactly(make, seed):
    rng = np.random.default_rng(seed)
    atoms = replace(ATOMS, masses=rng.uniform(1.0, 40.0, size=ATOMS.n_particles))
    settings = MappingSettings(atoms_per_bead=int(rng.integers(1, 12)), beads_per_molecule={"ions": 1})
    mapping = partition(atoms, settings) if make == "partition" else shared_atoms(atoms, seed)
    positions = rng.normal(scale=20.0, size=(5, atoms.n_particles, 3)) + 1000.0
    expected = radius_of_gyration(positions, atoms.masses, atoms.molecule_id) ** 2
    sizes = mapping.squared_sizes(positions)
    found = squared_radius_from_beads(mapping, mapping.map_positions(positions), sizes)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)  # double precision at coordinates of 1000
    lonely = np.bincount(mapping.bead_of_atom, minlength=mapping.n_beads) == 1
    if make == "partition":
        assert lonely.any()
        assert not sizes[:, lonely].any()


@pytest.mark.parametrize("cell", [OPEN, CELL], ids=["open", "periodic"])
def test_sizes_read_from_a_store_of_atoms_are_those_of_whole_molecules(tmp_path, cell, monkeypatch):
    motion = shaking_molecules(ATOMS, cell, 12, drift=6.0, rattle=0.2, seed=0)  # over several cells
    write_store(tmp_path / "atoms.h5", trajectory_of(ATOMS, motion, cell, 2.0))
    beads = open_beads(tmp_path / "atoms.h5", MappingSettings())
    assert beads.has_sizes
    whole = beads.read(sizes=True)
    # Atoms come from float32 in-box positions below 40, which are off by 2e-6 on molecules of some 5 A.
    np.testing.assert_allclose(whole.squared_sizes, beads.mapping.squared_sizes(motion), rtol=1e-6, atol=1e-4)
    assert beads.read().squared_sizes is None
    monkeypatch.setattr(module, "PIECE_BYTES", 6 * module.BYTES_PER_ATOM * ATOMS.n_particles)
    np.testing.assert_array_equal(beads.read(slice(1, 11, 2), sizes=True).squared_sizes, whole.squared_sizes[1:11:2])
    np.testing.assert_array_equal(next(beads.chunks(sizes=True)).squared_sizes, whole.squared_sizes)


def test_a_store_of_beads_keeps_sizes_if_asked_and_only_then(tmp_path, monkeypatch):
    motion = shaking_molecules(ATOMS, CELL, 6, drift=1.0, rattle=0.2, seed=0)
    write_store(tmp_path / "atoms.h5", trajectory_of(ATOMS, motion, CELL, 2.0))
    assert run_here(monkeypatch, "map", tmp_path / "atoms.h5", "-o", tmp_path / "sized.h5", "--sizes") == 0
    assert run_here(monkeypatch, "map", tmp_path / "atoms.h5", "-o", tmp_path / "plain.h5") == 0
    expected = open_beads(tmp_path / "atoms.h5", MappingSettings()).read(sizes=True).squared_sizes
    sized, plain = (open_beads(tmp_path / f"{name}.h5", MappingSettings()) for name in ("sized", "plain"))
    assert (sized.has_sizes, plain.has_sizes) == (True, False)
    np.testing.assert_array_equal(sized.read(slice(1, 6, 2), sizes=True).squared_sizes, expected[1:6:2])
    per_frame = 28 * sized.mapping.n_beads
    pieces = [piece.squared_sizes for piece in sized.store.chunks(4 * per_frame, sizes=True)]
    assert [len(piece) for piece in pieces] == [4, 2]
    np.testing.assert_array_equal(np.concatenate(pieces), expected)
    with h5py.File(tmp_path / "sized.h5") as file, h5py.File(tmp_path / "plain.h5") as other:
        element, position = file["particles/all/squared_size"], file["particles/all/position"]
        assert element["value"].attrs["unit"] == "Angstrom2"
        assert element["value"].shape == position["value"].shape[:2]
        assert element["time"] == position["time"]  # one object under two names
        assert "squared_size" not in other["particles/all"]
    with pytest.raises(InputError, match=r"plain.h5: holds no sizes of beads; 'cgsim map --sizes' keeps"):
        plain.read(sizes=True)
    with pytest.raises(InputError, match=r"plain.h5: holds no sizes of beads"):
        write_beads(plain, tmp_path / "again.h5", 0.0, np.inf, None, sizes=True)


@pytest.mark.parametrize(
    ("first", "message"),
    [(True, "frame 2 has no sizes of beads, expected them"), (False, "frame 2 has sizes of beads, expected none")],
)
def test_a_store_has_sizes_of_all_frames_or_of_none(tmp_path, first, message):
    motion = shaking_molecules(ATOMS, OPEN, 4, drift=1.0, rattle=0.2, seed=0)
    plain = trajectory_of(ATOMS, motion, OPEN, 2.0)
    sized = replace(plain, squared_sizes=np.ones((4, ATOMS.n_particles), dtype=np.float32))
    writer = StoreWriter(tmp_path / "x.h5", plain.system)
    writer.append((sized if first else plain)[:2])
    with pytest.raises(InputError, match=message), writer:
        writer.append((plain if first else sized)[2:])
    assert not (tmp_path / "x.h5").exists()
    assert not list(tmp_path.iterdir())


def test_velocities_and_sizes_are_kept_side_by_side(tmp_path):
    motion = shaking_molecules(ATOMS, CELL, 4, drift=1.0, rattle=0.2, seed=0)
    plain = trajectory_of(ATOMS, motion, CELL, 2.0)
    rng = np.random.default_rng(0)
    both = replace(
        plain,
        velocities=rng.normal(size=plain.wrapped_positions.shape).astype(np.float32),
        squared_sizes=rng.uniform(size=plain.wrapped_positions.shape[:2]).astype(np.float32),
    )
    write_store(tmp_path / "x.h5", both)
    found = TrajectoryStore(tmp_path / "x.h5").read(velocities=True, sizes=True)
    np.testing.assert_array_equal(found.velocities, both.velocities)
    np.testing.assert_array_equal(found.squared_sizes, both.squared_sizes)
