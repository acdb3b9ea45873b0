import errno
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lammps_files import CONVENTIONS, write_data, write_dump
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, chains_and_ion, moving_chains

from cgsim.errors import InputError
from cgsim.trajectory import importing, writer
from cgsim.trajectory.importing import ImportSettings, import_trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.units import UnitSystem

REAL = ImportSettings(units="real", timestep=2.0)  # of 1000 steps: 2 ps


def files(folder, cell=ORTHORHOMBIC, *, data=None, **dump):
    """A data file and a dump of the same moving chains; returns their paths, the system and unwrapped positions."""
    system, unwrapped = moving_chains(cell)
    write_data(folder / "x.data", system, unwrapped[0], cell, **(data or {}))
    write_dump(folder / "x.dump", unwrapped, [cell] * len(unwrapped), **dump)
    return folder / "x.data", folder / "x.dump", system, unwrapped


@given(
    convention=st.sampled_from(list(CONVENTIONS)),
    cell=st.sampled_from([ORTHORHOMBIC, TRICLINIC]),
    origin=st.sampled_from([(0.0, 0.0, 0.0), (-7.5, 3.0, 100.0)]),
)
@settings(max_examples=24, deadline=None)
def test_every_convention_gives_the_same_unwrapped_motion(tmp_path_factory, convention, cell, origin):
    folder = tmp_path_factory.mktemp("import")
    data, dump, system, unwrapped = files(folder, cell, convention=convention, origin=origin, seed=3)
    import_trajectory(data, [dump], folder / "x.h5", REAL)
    found = TrajectoryStore(folder / "x.h5").read()
    np.testing.assert_array_equal(found.system.bond_index, system.bond_index)
    np.testing.assert_allclose(found.time, [0, 2, 4, 6, 8], rtol=1e-15)
    # Up to one constant lattice vector for each molecule where the file has no images; float32 in the cell.
    shift = (found.unwrapped_positions - unwrapped) @ np.linalg.inv(cell)
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-6)
    shift = np.round(shift)
    assert (shift == shift[0]).all()
    for molecule in range(system.n_molecules):
        of_molecule = shift[0, system.molecule_id == molecule]
        assert (of_molecule == of_molecule[0]).all()
    if "+" in convention or "u" in convention:
        assert not shift.any()
    fractional = found.wrapped_positions @ np.linalg.inv(cell)
    assert fractional.min() > -1e-6
    assert fractional.max() < 1 + 1e-6


def test_images_make_any_step_exact(tmp_path):
    system = chains_and_ion()
    rng = np.random.default_rng(0)
    unwrapped = rng.normal(0, 1, (4, 7, 3)) + rng.normal(0, 500, (4, 1, 3))
    write_data(tmp_path / "x.data", system, unwrapped[0], TRICLINIC)
    write_dump(tmp_path / "x.dump", unwrapped, [TRICLINIC] * 4)
    import_trajectory(tmp_path / "x.data", [tmp_path / "x.dump"], tmp_path / "x.h5", REAL)
    # The error is that of float32 in a cell of 12, not in coordinates of 500.
    np.testing.assert_allclose(TrajectoryStore(tmp_path / "x.h5").read().unwrapped_positions, unwrapped, atol=2e-6)


def test_summary_says_what_a_user_can_check(tmp_path):
    data, dump, _, _ = files(tmp_path)
    summary = import_trajectory(data, [dump], tmp_path / "x.h5", REAL)
    text = "\n".join(summary.lines())
    assert "particles   61 (C60 Li1), 57 bonds" in text
    assert "molecules   4" in text
    assert "1 Li" in text
    assert "frames      5, 8 ps long, every 2 ps" in text
    assert "cell        10 x 12 x 14 Angstrom" in text
    # 60 C and one Li: 727.6 g/mol in 1680 Å^3.
    assert "density     0.71917 g/cm3" in text
    assert not summary.warnings
    assert summary.save_interval == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("charge", "expected"),
    [(1.0, ()), (2.0, ("the net charge is +1 e: the system is not neutral",)), (1.3, ("the net charge is 0.3 e",))],
)
def test_net_charge_is_warned_of(tmp_path, charge, expected):
    system, unwrapped = moving_chains(ORTHORHOMBIC)
    system.charges[-1] = charge
    write_data(tmp_path / "x.data", system, unwrapped[0], ORTHORHOMBIC)
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5)
    found = import_trajectory(tmp_path / "x.data", [tmp_path / "x.dump"], tmp_path / "x.h5", REAL).warnings
    assert len(found) == len(expected)
    for warning, beginning in zip(found, expected, strict=True):
        assert warning.startswith(beginning)


# Units and time are stated or found, never guessed.


def test_units_must_be_stated_or_found(tmp_path):
    data, dump, _, _ = files(tmp_path)
    with pytest.raises(InputError, match="LAMMPS files do not say their units; give --units"):
        import_trajectory(data, [dump], tmp_path / "x.h5", ImportSettings(timestep=2.0))
    with pytest.raises(InputError, match="unknown LAMMPS units 'reel'; did you mean 'real'"):
        import_trajectory(data, [dump], tmp_path / "x.h5", ImportSettings(units="reel", timestep=2.0))
    data, dump, _, unwrapped = files(tmp_path, items=("ITEM: UNITS", "metal"))
    with pytest.raises(InputError, match="--units is 'real', but the dump says 'metal'"):
        import_trajectory(data, [dump], tmp_path / "x.h5", REAL)
    import_trajectory(data, [dump], tmp_path / "x.h5", ImportSettings(timestep=0.002))
    store = TrajectoryStore(tmp_path / "x.h5")
    assert store.save_interval == pytest.approx(2.0)
    np.testing.assert_allclose(store.read().unwrapped_positions, unwrapped, atol=1e-5)


def test_reduced_units_stay_reduced_and_need_no_elements(tmp_path):
    data, dump, _, _ = files(tmp_path)
    import_trajectory(data, [dump], tmp_path / "x.h5", ImportSettings(units="lj", save_interval="5 tau"))
    store = TrajectoryStore(tmp_path / "x.h5")
    assert store.system.units is UnitSystem.LJ
    assert not store.system.atomic_numbers.any()
    assert store.save_interval == 5.0


@pytest.mark.parametrize(
    ("settings_", "items", "steps", "expected"),
    [
        ({"timestep": 2.0}, (), [0, 500, 1000, 2000, 3000], [0, 1, 2, 4, 6]),
        ({"save_interval": "3 ps"}, (), [700, 800, 900, 1000, 1200], [0, 3, 6, 9, 15]),
        ({}, ("ITEM: TIME", "{time}"), [0, 500, 1000, 2000, 3000], [0, 1, 2, 4, 6]),
        ({"timestep": 2.0}, ("ITEM: TIME", "{time}"), [0, 500, 1000, 2000, 3000], [0, 1, 2, 4, 6]),
        ({"save_interval": "1ps"}, ("ITEM: TIME", "{time}"), [0, 500, 1000, 1500, 2000], [0, 1, 2, 3, 4]),
    ],
)
def test_times_come_from_the_file_or_the_user(tmp_path, settings_, items, steps, expected):
    data, dump, _, _ = files(tmp_path, steps=steps, items=items)
    lines = dump.read_text().split("\n")  # the time in fs, of a step of 2 fs
    steps_left = iter(steps)
    dump.write_text("\n".join(str(2 * next(steps_left)) if line == "{time}" else line for line in lines))
    import_trajectory(data, [dump], tmp_path / "x.h5", ImportSettings(units="real", **settings_))
    np.testing.assert_allclose(TrajectoryStore(tmp_path / "x.h5").time, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({}, r"frame 0 \(timestep 0\): the file has no times; give --timestep .* or --save-interval"),
        ({"save_interval": "2"}, "time '2' needs one of the units fs, ps, ns, us"),
        ({"save_interval": "2 tau"}, "needs one of the units"),
        ({"save_interval": "2 ps", "timestep": 1.0}, "both set the time"),
        ({"timestep": -1.0}, "--timestep must be positive, got -1"),
    ],
)
def test_missing_or_contradictory_times_are_refused(tmp_path, settings_, message):
    data, dump, _, _ = files(tmp_path)
    with pytest.raises(InputError, match=message):
        import_trajectory(data, [dump], tmp_path / "x.h5", ImportSettings(units="real", **settings_))


def test_a_time_that_contradicts_the_file_is_refused(tmp_path):
    data, dump, _, _ = files(tmp_path, items=("ITEM: TIME", "{time}"))
    parts = dump.read_text().split("{time}")
    dump.write_text("".join(f"{part}{2000 * i}" for i, part in enumerate(parts[:-1])) + parts[-1])
    for settings_, gives in (({"timestep": 1.0}, "1 ps"), ({"save_interval": "5ps"}, "5 ps")):
        with pytest.raises(InputError, match=f"frame 1 .*: the file has frames 2 ps apart, but .* gives {gives}"):
            import_trajectory(data, [dump], tmp_path / "x.h5", ImportSettings(units="real", **settings_))


# Several files, selections


def test_files_are_joined_and_frames_written_twice_are_dropped_with_a_note(tmp_path):
    system, unwrapped = moving_chains(ORTHORHOMBIC)
    write_data(tmp_path / "x.data", system, unwrapped[0], ORTHORHOMBIC)
    for name, frames in (("a", [0, 1, 2]), ("b", [2, 3, 3, 4])):
        steps = [1000 * i for i in frames]
        write_dump(tmp_path / f"{name}.dump.gz", unwrapped[frames], [ORTHORHOMBIC] * len(frames), steps=steps)
    paths = [tmp_path / "a.dump.gz", tmp_path / "b.dump.gz"]
    summary = import_trajectory(tmp_path / "x.data", paths, tmp_path / "x.h5", REAL)
    assert summary.notes == (f"{paths[1]}: dropped 2 frames that repeat the one before",)
    np.testing.assert_allclose(TrajectoryStore(tmp_path / "x.h5").read().unwrapped_positions, unwrapped, atol=1e-5)
    with pytest.raises(InputError, match=r"a.dump.gz: frame 0 .*: time 0 does not lie after 8 of the frame before"):
        import_trajectory(tmp_path / "x.data", paths[::-1], tmp_path / "y.h5", REAL)


def test_a_step_number_that_stays_the_same_is_refused_and_not_taken_for_repetition(tmp_path):
    files(tmp_path, steps=[0, 1000, 1000, 2000, 3000])
    refused(tmp_path, r"frame 2 \(timestep 1000\): time 2 does not lie after 2 of the frame before")


@pytest.mark.parametrize("convention", ["x+images", "x"])
def test_a_selection_is_the_slice_of_the_whole(tmp_path, convention):
    data, dump, _, _ = files(tmp_path, convention=convention)
    import_trajectory(data, [dump], tmp_path / "all.h5", REAL)
    import_trajectory(data, [dump], tmp_path / "some.h5", replace(REAL, start=1, stop=4, stride=2))
    every, some = (TrajectoryStore(tmp_path / f"{name}.h5").read() for name in ("all", "some"))
    np.testing.assert_array_equal(some.unwrapped_positions, every.unwrapped_positions[1:4:2])
    np.testing.assert_array_equal(some.time, every.time[1:4:2])
    with pytest.raises(InputError, match=r"no frame is left by --start 9: it has 5"):
        import_trajectory(data, [dump], tmp_path / "none.h5", replace(REAL, start=9))


def test_a_data_file_serves_as_a_trajectory_of_one_frame(tmp_path):
    system, unwrapped = moving_chains(TRICLINIC)
    images = np.floor(unwrapped[0] @ np.linalg.inv(TRICLINIC)).astype(int)
    wrapped = unwrapped[0] - images @ TRICLINIC
    write_data(tmp_path / "x.data", system, wrapped, TRICLINIC, images=images, origin=(1.0, 2.0, 3.0))
    import_trajectory(tmp_path / "x.data", [tmp_path / "x.data"], tmp_path / "x.h5", ImportSettings(units="real"))
    found = TrajectoryStore(tmp_path / "x.h5").read()
    np.testing.assert_allclose(found.unwrapped_positions[0], unwrapped[0], atol=1e-5)


def test_images_of_the_file_can_be_set_aside(tmp_path):
    data, dump, system, unwrapped = files(tmp_path, extra={"ix": np.arange(61)}, convention="xu")
    text = dump.read_text().replace("id ix xu yu zu", "id ix x y z")
    text = "\n".join(f"{line} 0 0" if len(line.split()) == 5 else line for line in text.split("\n"))
    dump.write_text(text.replace("id ix x y z", "id ix x y z iy iz"))
    with pytest.raises(InputError, match=r"bond 1-2 .* with the images in the file.*--images bonds rebuilds them"):
        import_trajectory(data, [dump], tmp_path / "x.h5", REAL)
    import_trajectory(data, [dump], tmp_path / "bonds.h5", replace(REAL, images="bonds"))
    import_trajectory(data, [dump], tmp_path / "unwrapped.h5", replace(REAL, images="unwrapped"))
    found = TrajectoryStore(tmp_path / "unwrapped.h5").read()
    np.testing.assert_allclose(found.unwrapped_positions, unwrapped, atol=1e-5)
    a, b = system.bond_index
    found = TrajectoryStore(tmp_path / "bonds.h5").read().unwrapped_positions
    np.testing.assert_allclose(found[:, b] - found[:, a], unwrapped[:, b] - unwrapped[:, a], atol=1e-5)


# Bad input: one line, and nothing is left


def refused(folder, message, topology="x.data", trajectory="x.dump", settings_=REAL):
    before = {path.name for path in folder.iterdir()}
    with pytest.raises(InputError, match=message) as caught:
        import_trajectory(folder / topology, [folder / trajectory], folder / "out.h5", settings_)
    assert "\n" not in str(caught.value)
    assert {path.name for path in folder.iterdir()} == before


def test_missing_empty_and_binary_files_are_refused(tmp_path):
    files(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "garbage.lammpstrj").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "garbage.xyzzy").write_bytes(bytes(range(256)) * 100)
    refused(tmp_path, "none.data: no such file", topology="none.data")
    refused(tmp_path, "none.dump: no such file", trajectory="none.dump")
    refused(tmp_path, "empty: the file is empty", topology="empty")
    refused(tmp_path, "empty: the file is empty", trajectory="empty")
    refused(tmp_path, "garbage.lammpstrj: line 1: expected 'ITEM: TIMESTEP'", trajectory="garbage.lammpstrj")
    refused(tmp_path, "garbage.xyzzy: not a trajectory of a known format", trajectory="garbage.xyzzy")
    refused(tmp_path, "garbage.xyzzy: not a topology of a known format", topology="garbage.xyzzy")


def test_topology_and_trajectory_that_disagree_are_refused(tmp_path):
    files(tmp_path)
    other, unwrapped = moving_chains(ORTHORHOMBIC, n_chains=2)
    write_data(tmp_path / "other.data", other, unwrapped[0], ORTHORHOMBIC)
    refused(
        tmp_path, r"x.dump: frame 0 \(timestep 0\): 61 atoms, expected 41 as in the topology", topology="other.data"
    )


def test_a_dump_that_ends_within_a_frame_leaves_nothing(tmp_path):
    _, dump, _, _ = files(tmp_path)
    dump.write_text(dump.read_text()[:-200])
    refused(tmp_path, r"frame 4 \(timestep 4000\): the file is cut off in line \d+.*--stop 4 imports")
    import_trajectory(tmp_path / "x.data", [dump], tmp_path / "ok.h5", replace(REAL, stop=4))
    assert TrajectoryStore(tmp_path / "ok.h5").n_frames == 4


def test_a_topology_without_bonds_is_refused_unless_all_are_ions_or_it_is_allowed(tmp_path):
    system, unwrapped = moving_chains(ORTHORHOMBIC, n_chains=2, length=1)
    for name, masses in (("carbon", system.masses), ("ions", np.array([22.99, 22.99, 35.45]))):
        write_data(tmp_path / f"{name}.data", replace(system, masses=masses), unwrapped[0], ORTHORHOMBIC)
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5)
    refused(tmp_path, "carbon.data: the topology has no bonds", topology="carbon.data")
    for name, settings_ in (("ions", REAL), ("carbon", replace(REAL, allow_no_bonds=True))):
        import_trajectory(tmp_path / f"{name}.data", [tmp_path / "x.dump"], tmp_path / f"{name}.h5", settings_)
        assert TrajectoryStore(tmp_path / f"{name}.h5").system.n_molecules == 3


def test_a_step_beyond_half_the_cell_without_images_is_refused(tmp_path):
    files(tmp_path, convention="x")
    _, unwrapped = moving_chains(ORTHORHOMBIC)
    unwrapped[3] = unwrapped[2]
    unwrapped[3, -1, 2] += 0.47 * 14
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5, convention="x")
    refused(tmp_path, r"frame 3 .*: the molecule of particle 61 \(2\) moved by 6.58 Angstrom along c since the frame")


def test_a_cell_or_images_that_come_and_go_are_refused(tmp_path):
    _, dump, _, _ = files(tmp_path)
    parts = dump.read_text().split("ITEM: TIMESTEP")
    dump.write_text("ITEM: TIMESTEP".join([*parts[:3], parts[3].replace("pp pp pp", "ff ff ff"), *parts[4:]]))
    refused(tmp_path, r"frame 2 .*: without a cell, unlike the frames before \(with image flags\)")


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"start": -1}, "--start must not be negative"),
        ({"start": 5, "stop": 5}, "--stop must lie after --start"),
        ({"stride": 0}, "--stride must be at least 1"),
        ({"decimals": 9}, "--decimals must be 0 to 6"),
        ({"images": "yes"}, "--images must be one of auto, bonds, unwrapped"),
    ],
)
def test_impossible_settings_are_refused(settings_, message):
    with pytest.raises(InputError, match=message):
        ImportSettings(**settings_)


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    files(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer._Disk, "_write_some", full)
    refused(tmp_path, "out.h5: no space left on the disk; nothing was written")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_dump(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "BUFFER_BYTES", 2**20)
    system, unwrapped = moving_chains(ORTHORHOMBIC, n_frames=1, n_chains=50)
    write_data(tmp_path / "x.data", system, unwrapped[0], ORTHORHOMBIC)
    write_dump(tmp_path / "one.dump", unwrapped, [ORTHORHOMBIC])
    frame = (tmp_path / "one.dump").read_text().removeprefix("ITEM: TIMESTEP\n0\n")
    with (tmp_path / "x.dump").open("w") as file:
        for step in range(320):
            file.write(f"ITEM: TIMESTEP\n{step}\n{frame}")
    assert (tmp_path / "x.dump").stat().st_size > 20 * 2**20
    tracemalloc.start()
    import_trajectory(tmp_path / "x.data", [tmp_path / "x.dump"], tmp_path / "x.h5", REAL)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Buffers of 1 MiB, their concatenation, a few chunks of HDF5 and one frame: far below the dump of over 20 MiB.
    assert peak < 8 * 2**20
    assert TrajectoryStore(tmp_path / "x.h5").n_frames == 320
