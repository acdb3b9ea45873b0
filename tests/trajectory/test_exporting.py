from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, chains_and_ion, moving_chains, random_trajectory

from cgsim.errors import InputError
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.exporting import FORMATS, convert_store
from cgsim.trajectory.importing import ImportSettings, import_trajectory
from cgsim.trajectory.store import TrajectoryStore, write_store
from cgsim.units import UnitSystem

ROTATED = TRICLINIC @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
ROTATED *= np.sign(np.linalg.det(ROTATED))
OPEN = np.zeros((3, 3))


def compact_trajectory(cell, seed=0, n_frames=3):
    """Short chains far from the cell they started in, as a store has them."""
    system = replace(chains_and_ion(), names=("c3",) * 6 + ("Li⁺",))  # LAMMPS has no names but those of types
    rng = np.random.default_rng(seed)
    unwrapped = rng.normal(0, 0.5, (n_frames, 7, 3)) + np.append(np.repeat(rng.normal(0, 80, 2), 3), 5.0)[None, :, None]
    cells = np.broadcast_to(cell, (n_frames, 3, 3)) * (1 + 0.01 * np.arange(n_frames))[:, None, None]
    images = np.zeros(unwrapped.shape, dtype=np.int32)
    if cell.any():
        images = np.floor(unwrapped @ np.linalg.inv(cells)).astype(np.int32)
    wrapped = (unwrapped - images @ cells).astype(np.float32)
    return Trajectory(system, wrapped, images, cells, 1.5 * np.arange(n_frames))


@given(
    cell=st.sampled_from([ORTHORHOMBIC, TRICLINIC, ROTATED, OPEN]),
    seed=st.integers(0, 10**6),
    units=st.sampled_from(list(UnitSystem)),
    suffix=st.sampled_from([".lammpstrj", ".dump.gz"]),
)
@settings(max_examples=25, deadline=None)
def test_lammps_files_bring_everything_back(tmp_path_factory, cell, seed, units, suffix):
    folder = tmp_path_factory.mktemp("convert")
    trajectory = compact_trajectory(cell, seed)
    numbers = trajectory.system.atomic_numbers * (units is UnitSystem.MOLECULAR)
    trajectory = replace(trajectory, system=replace(trajectory.system, units=units, atomic_numbers=numbers))
    write_store(folder / "a.h5", trajectory)
    data, dump = folder / "a.data", folder / f"a{suffix}"
    assert len(convert_store(folder / "a.h5", [data, dump])) == 2
    style = "real" if units is UnitSystem.MOLECULAR else "lj"
    import_trajectory(data, [dump], folder / "b.h5", ImportSettings(units=style))
    found = TrajectoryStore(folder / "b.h5").read()
    for field in fields(System):
        np.testing.assert_array_equal(
            getattr(found.system, field.name), getattr(trajectory.system, field.name), err_msg=field.name
        )
    np.testing.assert_allclose(found.time, trajectory.time, rtol=1e-15)
    # Box bounds go through additions of tilts; a position on a face may come back on the other one.
    np.testing.assert_allclose(found.cell, trajectory.cell, rtol=1e-14, atol=1e-14)
    atol = 4 * np.finfo(np.float32).eps * 12
    np.testing.assert_allclose(found.unwrapped_positions, trajectory.unwrapped_positions, rtol=1e-13, atol=atol)


@pytest.mark.parametrize(("suffix", "atol"), [(".xtc", 0.011), (".trr", 1e-4), (".dcd", 1e-4)])
def test_other_formats_have_unwrapped_frames_and_bonds(tmp_path, suffix, atol):
    system, unwrapped = moving_chains(TRICLINIC)
    cells = np.broadcast_to(TRICLINIC, (5, 3, 3)).copy()
    images = np.floor(unwrapped @ np.linalg.inv(TRICLINIC)).astype(np.int32)
    trajectory = Trajectory(system, (unwrapped - images @ cells).astype(np.float32), images, cells, 1.5 * np.arange(5))
    write_store(tmp_path / "a.h5", trajectory)
    convert_store(tmp_path / "a.h5", [tmp_path / "a.pdb", tmp_path / f"a{suffix}"])
    clock = "1.5 ps" if suffix == ".dcd" else None
    choice = ImportSettings(images="unwrapped", save_interval=clock)
    import_trajectory(tmp_path / "a.pdb", [tmp_path / f"a{suffix}"], tmp_path / "b.h5", choice)
    store = TrajectoryStore(tmp_path / "b.h5")
    np.testing.assert_allclose(store.read().unwrapped_positions, unwrapped, atol=atol)
    np.testing.assert_allclose(store.time, trajectory.time, rtol=1e-7)
    np.testing.assert_array_equal(store.system.bond_index, system.bond_index)
    np.testing.assert_array_equal(store.system.atomic_numbers, system.atomic_numbers)


def test_extended_xyz_has_lattice_time_and_positions_in_the_box(tmp_path):
    trajectory = random_trajectory(chains_and_ion(), 3, TRICLINIC)
    write_store(tmp_path / "a.h5", trajectory)
    convert_store(tmp_path / "a.h5", [tmp_path / "a.xyz"], slice(1, 3))
    lines = (tmp_path / "a.xyz").read_text().split("\n")
    assert lines[0] == "7"
    lattice = [float(x) for x in lines[1].split('"')[1].split()]
    np.testing.assert_array_equal(np.reshape(lattice, (3, 3)), TRICLINIC)
    assert lines[1].endswith("Properties=species:S:1:pos:R:3 Time=1.5")
    words = [line.split() for line in lines[2:9]]
    assert [word[0] for word in words] == ["C"] * 6 + ["Li"]
    positions = np.array([word[1:] for word in words], dtype=np.float32)
    np.testing.assert_array_equal(positions, trajectory.wrapped_positions[1])


def test_frames_can_be_chosen(tmp_path):
    trajectory = compact_trajectory(TRICLINIC, n_frames=9)
    write_store(tmp_path / "a.h5", trajectory)
    outputs = [tmp_path / "a.data", tmp_path / "a.dump"]
    assert convert_store(tmp_path / "a.h5", outputs, slice(2, 8, 3)) == [
        f"{outputs[0]}: 1 frame",
        f"{outputs[1]}: 2 frames",
    ]
    import_trajectory(outputs[0], [outputs[1]], tmp_path / "b.h5", ImportSettings(units="real"))
    np.testing.assert_allclose(
        TrajectoryStore(tmp_path / "b.h5").read().unwrapped_positions, trajectory.unwrapped_positions[2:8:3], atol=1e-5
    )


def test_refused_outputs_leave_nothing(tmp_path):
    write_store(tmp_path / "a.h5", compact_trajectory(TRICLINIC))
    for name, message in (
        ("a.docx", "unknown format '.docx'"),
        ("a.xtc.gz", "cannot be gzipped here"),
        ("no/a.xyz", "the directory .* does not exist"),
    ):
        with pytest.raises(InputError, match=message):
            convert_store(tmp_path / "a.h5", [tmp_path / name])
    with pytest.raises(InputError, match="no frame chosen of 3"):
        convert_store(tmp_path / "a.h5", [tmp_path / "a.xyz"], slice(3, None))
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert ".lammpstrj" in FORMATS


def test_command_prints_what_it_wrote(tmp_path, monkeypatch, capsys):
    import sys

    from cgsim.cli import main

    write_store(tmp_path / "a.h5", compact_trajectory(TRICLINIC))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cgsim", "convert", "a.h5", "-o", "a.data", "-o", "a.dump", "--stride", "2"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out == "a.data: 1 frame\na.dump: 2 frames\n"
