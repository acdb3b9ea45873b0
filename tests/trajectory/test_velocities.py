"""Velocities on their way in, through the store, into beads and out again."""

import warnings
from dataclasses import replace

import h5py
import MDAnalysis
import numpy as np
import pytest
from import_examples import REAL, files
from lammps_files import write_data, write_dump
from test_exporting import compact_trajectory
from test_readers import universe_of, write
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, chains_and_ion, moving_chains, random_trajectory

from cgsim.beads import BeadStore, write_beads
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings, partition
from cgsim.trajectory.exporting import convert_store
from cgsim.trajectory.importing import ImportSettings, import_trajectory
from cgsim.trajectory.lammps_dump import read_dump
from cgsim.trajectory.store import StoreWriter, TrajectoryStore, write_store
from cgsim.trajectory.trajectory import join
from cgsim.units import LAMMPS_UNITS

KEPT = replace(REAL, velocities=True)


def velocities_of(shape, seed=5):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def moving_store(path, n_frames=6, cell=TRICLINIC):
    """A store of chains and an ion with random velocities."""
    trajectory = compact_trajectory(cell, n_frames=n_frames)
    trajectory = replace(trajectory, velocities=velocities_of(trajectory.wrapped_positions.shape))
    write_store(path, trajectory)
    return trajectory


def dump_with_velocities(path, cell, *, units="real", convention="x+images", seed=None):
    """A dump of moving chains with the velocities that take each frame to the next, in LAMMPS units; the first four."""
    style = LAMMPS_UNITS[units]
    _, unwrapped = moving_chains(cell)
    velocities = np.diff(unwrapped, axis=0) / 2.0  # length / ps, frames being 2 ps apart
    with path.open("w") as whole:
        for frame, (positions, velocity) in enumerate(zip(unwrapped[:-1] / style.length, velocities, strict=True)):
            extra = {f"v{x}": velocity[:, k] / style.length * style.time for k, x in enumerate("xyz")}
            part = path.with_suffix(".part")
            shape = {"convention": convention, "seed": seed, "extra": extra}
            write_dump(part, positions[None], [cell / style.length], steps=[1000 * frame], **shape)
            whole.write(part.read_text())
    return unwrapped, velocities


@pytest.mark.parametrize("units", ["real", "metal", "nano", "electron", "si", "lj"])
def test_lammps_velocities_are_length_per_time_of_every_style(tmp_path, units):
    _, velocities = dump_with_velocities(tmp_path / "x.dump", TRICLINIC, units=units, convention="xs", seed=1)
    found = list(read_dump(tmp_path / "x.dump", np.arange(1, 62), LAMMPS_UNITS[units], velocities=True))
    # Written with 17 digits; what is left is the rounding of the two conversions.
    np.testing.assert_allclose([frame.velocities for frame in found], velocities, rtol=1e-14, atol=1e-15)
    assert all(f.velocities is None for f in read_dump(tmp_path / "x.dump", np.arange(1, 62), LAMMPS_UNITS[units]))


@pytest.mark.parametrize("cell", [ORTHORHOMBIC, TRICLINIC], ids=["orthorhombic", "triclinic"])
def test_import_keeps_velocities_that_belong_to_the_steps_of_the_positions(tmp_path, cell):
    unwrapped, velocities = dump_with_velocities(tmp_path / "x.dump", cell, seed=3)
    write_data(tmp_path / "x.data", moving_chains(cell)[0], unwrapped[0], cell)
    summary = import_trajectory(tmp_path / "x.data", [tmp_path / "x.dump"], tmp_path / "x.h5", KEPT)
    store = TrajectoryStore(tmp_path / "x.h5")
    assert store.has_velocities
    assert any("velocities" in line for line in summary.lines())
    assert store.documents["provenance"]["settings"]["velocities"] is True
    found = store.read(velocities=True)
    assert found.velocities is not None
    np.testing.assert_array_equal(found.velocities, velocities.astype(np.float32))
    steps = np.diff(found.unwrapped_positions, axis=0)
    # Positions are float32 of up to 14 A.
    np.testing.assert_allclose(steps, found.velocities[:-1] * 2.0, atol=4 * np.finfo(np.float32).eps * 14)
    assert store.read().velocities is None


def test_without_the_option_a_dump_with_velocities_gives_the_same_store_as_one_without(tmp_path):
    unwrapped, _ = dump_with_velocities(tmp_path / "v.dump", ORTHORHOMBIC)
    write_data(tmp_path / "x.data", moving_chains(ORTHORHOMBIC)[0], unwrapped[0], ORTHORHOMBIC)
    write_dump(tmp_path / "x.dump", unwrapped[:-1], [ORTHORHOMBIC] * 4)
    for name in ("v", "x"):
        import_trajectory(tmp_path / "x.data", [tmp_path / f"{name}.dump"], tmp_path / f"{name}.h5", REAL)
    with h5py.File(tmp_path / "v.h5") as found, h5py.File(tmp_path / "x.h5") as expected:
        assert "velocity" not in found["particles/all"]
        np.testing.assert_array_equal(
            found["particles/all/position/value"][:], expected["particles/all/position/value"][:]
        )


def test_a_frame_without_velocities_is_named(tmp_path):
    data, dump, _, _ = files(tmp_path)
    with pytest.raises(InputError, match=r"x.dump: frame 0 \(timestep 0\): has no velocities, expected them in every"):
        import_trajectory(data, [dump], tmp_path / "x.h5", KEPT)
    assert not (tmp_path / "x.h5").exists()


def test_frames_with_and_without_velocities_are_refused_unless_those_without_are_left_out(tmp_path):
    unwrapped, velocities = dump_with_velocities(tmp_path / "x.dump", ORTHORHOMBIC)
    write_data(tmp_path / "x.data", moving_chains(ORTHORHOMBIC)[0], unwrapped[0], ORTHORHOMBIC)
    write_dump(tmp_path / "y.dump", unwrapped[-1:], [ORTHORHOMBIC], steps=[4000])
    paths = [tmp_path / "x.dump", tmp_path / "y.dump"]
    with pytest.raises(InputError, match=r"y.dump: frame 0 \(timestep 4000\): has no velocities"):
        import_trajectory(tmp_path / "x.data", paths, tmp_path / "x.h5", KEPT)
    import_trajectory(tmp_path / "x.data", paths, tmp_path / "x.h5", replace(KEPT, start=1, stride=2))
    found = TrajectoryStore(tmp_path / "x.h5").read(velocities=True).velocities
    np.testing.assert_array_equal(found, velocities[1::2].astype(np.float32))


def test_a_velocity_that_is_no_number_is_named(tmp_path):
    unwrapped, _ = dump_with_velocities(tmp_path / "x.dump", ORTHORHOMBIC)
    write_data(tmp_path / "x.data", moving_chains(ORTHORHOMBIC)[0], unwrapped[0], ORTHORHOMBIC)
    text = (tmp_path / "x.dump").read_text().splitlines()
    columns = next(line for line in text if line.startswith("ITEM: ATOMS")).split()[2:]
    words = text[9].split()
    words[columns.index("vy")] = "nan"
    text[9] = " ".join(words)
    (tmp_path / "x.dump").write_text("\n".join(text) + "\n")
    with pytest.raises(InputError, match="line 10: vy is 'nan', expected a finite number"):
        import_trajectory(tmp_path / "x.data", [tmp_path / "x.dump"], tmp_path / "x.h5", KEPT)


def written_trr(folder, velocities, cell=TRICLINIC):
    """Topology and TRR of wrapped chains; frames whose velocities are None have none."""
    system, unwrapped = moving_chains(cell)
    universe = universe_of(system, unwrapped - np.floor(unwrapped @ np.linalg.inv(cell)) @ cell, cell)
    write(universe, folder / "x.pdb", topology=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with MDAnalysis.Writer(str(folder / "x.trr"), n_atoms=system.n_particles) as file:
            for frame, vectors in zip(universe.trajectory, velocities, strict=True):
                frame.has_velocities = vectors is not None
                if vectors is not None:
                    frame.velocities = vectors
                file.write(universe.atoms)
    return folder / "x.pdb", folder / "x.trr"


def test_trr_velocities_come_in_angstrom_per_ps(tmp_path):
    given = velocities_of((5, 61, 3))
    topology, trr = written_trr(tmp_path, given)
    import_trajectory(topology, [trr], tmp_path / "x.h5", ImportSettings(velocities=True))
    found = TrajectoryStore(tmp_path / "x.h5").read(velocities=True).velocities
    np.testing.assert_allclose(found, given, rtol=4 * np.finfo(np.float32).eps)  # to nm and back


def test_a_trr_frame_without_velocities_is_named(tmp_path):
    given = velocities_of((5, 61, 3))
    topology, trr = written_trr(tmp_path, [*given[:3], None, given[4]])
    with pytest.raises(InputError, match=r"x.trr: frame 3: has no velocities"):
        import_trajectory(topology, [trr], tmp_path / "x.h5", ImportSettings(velocities=True))


def test_a_trr_frame_of_velocities_alone_is_refused_if_they_are_wanted(tmp_path):
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile

    topology, trr = written_trr(tmp_path, velocities_of((5, 61, 3)))
    with TRRFile(str(trr)) as file:
        frames = list(file)
    with TRRFile(str(trr), "w") as file:
        for k, frame in enumerate(frames):
            file.write(frame.x if k != 2 else None, frame.v, None, frame.box, k, 2.0 * k, 0.0, 61)
    with pytest.raises(InputError, match=r"x.trr: frame 2 has velocities but no positions.*nstvout = nstxout"):
        import_trajectory(topology, [trr], tmp_path / "x.h5", ImportSettings(velocities=True))
    import_trajectory(topology, [trr], tmp_path / "x.h5")
    assert TrajectoryStore(tmp_path / "x.h5").n_frames == 4


def test_formats_of_mdanalysis_give_velocities_where_they_have_them(tmp_path):
    system, unwrapped = moving_chains(ORTHORHOMBIC)
    universe = universe_of(system, unwrapped[:1] % np.diagonal(ORTHORHOMBIC), ORTHORHOMBIC)
    write(universe, tmp_path / "x.pdb", topology=True)
    given = velocities_of((61, 3))
    universe.trajectory.ts.velocities = given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe.atoms.write(str(tmp_path / "x.gro"))
    settings = ImportSettings(velocities=True, save_interval="1 ps")
    import_trajectory(tmp_path / "x.pdb", [tmp_path / "x.gro"], tmp_path / "x.h5", settings)
    found = TrajectoryStore(tmp_path / "x.h5").read(velocities=True).velocities
    np.testing.assert_allclose(found[0], given, atol=0.0006)  # gro files have 4 decimals in nm/ps


def test_store_holds_velocities_as_h5md_says(tmp_path):
    expected = moving_store(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        velocity, position = file["particles/all/velocity"], file["particles/all/position"]
        assert set(velocity) == {"value", "step", "time"}
        assert velocity["value"].shape == position["value"].shape
        assert velocity["value"].attrs["unit"] == "Angstrom ps-1"
        assert velocity["time"] == position["time"]  # one object under two names
        assert velocity["step"] == position["step"]
    store = TrajectoryStore(tmp_path / "x.h5")
    np.testing.assert_array_equal(store.read(slice(1, 5, 2), velocities=True).velocities, expected.velocities[1:5:2])


def test_pieces_with_velocities_follow_each_other_and_stay_within_their_bytes(tmp_path):
    expected = moving_store(tmp_path / "x.h5")
    pieces = list(TrajectoryStore(tmp_path / "x.h5").chunks(36 * 7 * 4, velocities=True))
    assert [piece.n_frames for piece in pieces] == [4, 2]
    np.testing.assert_array_equal(join(pieces).velocities, expected.velocities)
    np.testing.assert_array_equal(join(pieces)[2:5].velocities, expected.velocities[2:5])
    assert all(piece.velocities is None for piece in TrajectoryStore(tmp_path / "x.h5").chunks())


def test_velocities_that_are_not_there_are_refused_with_the_way_to_get_them(tmp_path):
    write_store(tmp_path / "x.h5", random_trajectory(chains_and_ion(), 3, ORTHORHOMBIC))
    store = TrajectoryStore(tmp_path / "x.h5")
    assert not store.has_velocities
    with pytest.raises(InputError, match=r"x.h5: holds no velocities; 'cgsim import --velocities'"):
        store.read(velocities=True)
    with pytest.raises(InputError, match="holds no velocities"):
        next(store.chunks(velocities=True))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [(True, False, "frame 2 has no velocities, expected them"), (False, True, "frame 2 has velocities, expected none")],
)
def test_a_store_has_velocities_of_all_frames_or_of_none(tmp_path, first, second, message):
    plain = random_trajectory(chains_and_ion(), 4, ORTHORHOMBIC)
    moving = replace(plain, velocities=velocities_of(plain.wrapped_positions.shape))
    writer = StoreWriter(tmp_path / "x.h5", plain.system)
    writer.append((moving if first else plain)[:2])
    with pytest.raises(InputError, match=message), writer:
        writer.append((moving if second else plain)[2:])
    assert not (tmp_path / "x.h5").exists()


def test_a_velocity_that_is_not_finite_is_not_stored(tmp_path):
    trajectory = random_trajectory(chains_and_ion(), 3, ORTHORHOMBIC)
    velocities = velocities_of(trajectory.wrapped_positions.shape)
    velocities[1, 4, 2] = np.inf
    with pytest.raises(InputError, match="frame 1: vz of particle 5 is inf, expected a finite number"):
        write_store(tmp_path / "x.h5", replace(trajectory, velocities=velocities))


def test_beads_move_with_the_momentum_of_their_atoms(tmp_path):
    atoms = moving_store(tmp_path / "atoms.h5")
    mapping = partition(atoms.system, MappingSettings(atoms_per_bead=2))
    beads = BeadStore(TrajectoryStore(tmp_path / "atoms.h5"), atoms.system, mapping, is_mapped=False)
    found = beads.read(velocities=True).velocities
    momentum = np.zeros((6, mapping.n_beads, 3))
    np.add.at(
        momentum, (slice(None), mapping.bead_of_atom), (atoms.velocities * atoms.system.masses[:, None]).astype(float)
    )
    np.testing.assert_allclose(found * mapping.masses[:, None], momentum, rtol=1e-5, atol=1e-4)  # single precision
    np.testing.assert_array_equal(next(beads.chunks(velocities=True)).velocities, found)
    assert beads.read().velocities is None
    assert write_beads(beads, tmp_path / "beads.h5", 0.0, np.inf, None) == 6
    np.testing.assert_array_equal(TrajectoryStore(tmp_path / "beads.h5").read(velocities=True).velocities, found)


@pytest.mark.parametrize("suffix", [".lammpstrj", ".dump.gz"])
def test_dumps_bring_velocities_back_exactly(tmp_path, suffix):
    expected = moving_store(tmp_path / "a.h5")
    outputs = [tmp_path / "a.data", tmp_path / f"a{suffix}"]
    told = convert_store(tmp_path / "a.h5", outputs)
    assert told[0].endswith("1 frame, without velocities")
    assert told[1].endswith("6 frames")
    settings = ImportSettings(units="real", velocities=True)
    import_trajectory(outputs[0], outputs[1:], tmp_path / "b.h5", settings)
    found = TrajectoryStore(tmp_path / "b.h5").read(velocities=True)
    np.testing.assert_array_equal(found.velocities, expected.velocities)


def test_trr_has_velocities_and_xtc_says_that_it_has_none(tmp_path):
    expected = moving_store(tmp_path / "a.h5")
    told = convert_store(tmp_path / "a.h5", [tmp_path / "a.trr", tmp_path / "a.xtc"])
    assert ["without velocities" in line for line in told] == [False, True]
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile

    with TRRFile(str(tmp_path / "a.trr")) as file:
        found = np.array([frame.v for frame in file]) * 10  # nm/ps
    np.testing.assert_allclose(found, expected.velocities, rtol=4 * np.finfo(np.float32).eps)
