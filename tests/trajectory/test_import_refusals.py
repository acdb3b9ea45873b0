"""Files and settings that import refuses: in one line, and nothing is left."""

import errno
from dataclasses import replace

import numpy as np
import pytest
from import_examples import REAL, files
from lammps_files import write_data, write_dump
from trajectory_examples import ORTHORHOMBIC, moving_chains

from cgsim.errors import InputError
from cgsim.trajectory import writer
from cgsim.trajectory.importing import ImportSettings, import_trajectory
from cgsim.trajectory.store import TrajectoryStore


def assert_refused(folder, message, topology="x.data", trajectory="x.dump", settings_=REAL):
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
    assert_refused(tmp_path, "none.data: no such file", topology="none.data")
    assert_refused(tmp_path, "none.dump: no such file", trajectory="none.dump")
    assert_refused(tmp_path, "empty: the file is empty", topology="empty")
    assert_refused(tmp_path, "empty: the file is empty", trajectory="empty")
    assert_refused(tmp_path, "garbage.lammpstrj: line 1: expected 'ITEM: TIMESTEP'", trajectory="garbage.lammpstrj")
    assert_refused(tmp_path, "garbage.xyzzy: not a trajectory of a known format", trajectory="garbage.xyzzy")
    assert_refused(tmp_path, "garbage.xyzzy: not a topology of a known format", topology="garbage.xyzzy")


def test_topology_and_trajectory_that_disagree_are_refused(tmp_path):
    files(tmp_path)
    other, unwrapped = moving_chains(ORTHORHOMBIC, n_chains=2)
    write_data(tmp_path / "other.data", other, unwrapped[0], ORTHORHOMBIC)
    assert_refused(
        tmp_path, r"x.dump: frame 0 \(timestep 0\): 61 atoms, expected 41 as in the topology", topology="other.data"
    )


def test_a_dump_that_ends_within_a_frame_leaves_nothing(tmp_path):
    _, dump, _, _ = files(tmp_path)
    dump.write_text(dump.read_text()[:-200])
    assert_refused(tmp_path, r"frame 4 \(timestep 4000\): the file is cut off in line \d+.*--stop 4 imports")
    import_trajectory(tmp_path / "x.data", [dump], tmp_path / "ok.h5", replace(REAL, stop=4))
    assert TrajectoryStore(tmp_path / "ok.h5").n_frames == 4


def test_a_topology_without_bonds_is_refused_unless_all_are_ions_or_it_is_allowed(tmp_path):
    system, unwrapped = moving_chains(ORTHORHOMBIC, n_chains=2, length=1)
    for name, masses in (("carbon", system.masses), ("ions", np.array([22.99, 22.99, 35.45]))):
        write_data(tmp_path / f"{name}.data", replace(system, masses=masses), unwrapped[0], ORTHORHOMBIC)
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5)
    assert_refused(tmp_path, "carbon.data: the topology has no bonds", topology="carbon.data")
    for name, settings_ in (("ions", REAL), ("carbon", replace(REAL, allow_no_bonds=True))):
        import_trajectory(tmp_path / f"{name}.data", [tmp_path / "x.dump"], tmp_path / f"{name}.h5", settings_)
        assert TrajectoryStore(tmp_path / f"{name}.h5").system.n_molecules == 3


def test_a_step_beyond_half_the_cell_without_images_is_refused(tmp_path):
    files(tmp_path, convention="x")
    _, unwrapped = moving_chains(ORTHORHOMBIC)
    unwrapped[3] = unwrapped[2]
    unwrapped[3, -1, 2] += 0.47 * 14
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5, convention="x")
    assert_refused(
        tmp_path, r"frame 3 .*: the molecule of particle 61 \(2\) moved by 6.58 Angstrom along c since the frame"
    )


def test_a_cell_or_images_that_come_and_go_are_refused(tmp_path):
    _, dump, _, _ = files(tmp_path)
    parts = dump.read_text().split("ITEM: TIMESTEP")
    dump.write_text("ITEM: TIMESTEP".join([*parts[:3], parts[3].replace("pp pp pp", "ff ff ff"), *parts[4:]]))
    assert_refused(tmp_path, r"frame 2 .*: without a cell, unlike the frames before \(with image flags\)")


def test_a_step_number_that_stays_the_same_is_refused_and_not_taken_for_repetition(tmp_path):
    files(tmp_path, steps=[0, 1000, 1000, 2000, 3000])
    assert_refused(tmp_path, r"frame 2 \(timestep 1000\): time 2 does not lie after 2 of the frame before")


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
    assert_refused(tmp_path, "out.h5: no space left on the disk; nothing was written")
