import shutil
import subprocess
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, chains_and_ion, random_trajectory

from cgsim.errors import InputError
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.store import StoreWriter, TrajectoryStore, write_store

OPEN = np.zeros((3, 3))


def assert_same_system(found: System, expected: System) -> None:
    for field in fields(System):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name), err_msg=field.name)


def assert_same_trajectory(found: Trajectory, expected: Trajectory) -> None:
    assert_same_system(found.system, expected.system)
    for name in ("wrapped_positions", "image_flags", "cell", "time"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@given(
    n_frames=st.integers(1, 7),
    length=st.integers(1, 4),
    cell=st.sampled_from([ORTHORHOMBIC, TRICLINIC, OPEN]),
    seed=st.integers(0, 2**32 - 1),
    pieces=st.integers(1, 3),
)
@settings(max_examples=15, deadline=None)
def test_store_round_trip_is_exact(tmp_path_factory, n_frames, length, cell, seed, pieces):
    path = tmp_path_factory.mktemp("store") / "x.h5"
    trajectory = random_trajectory(chains_and_ion(length=length), n_frames, cell, seed)
    with StoreWriter(path, trajectory.system) as writer:
        for start in range(0, n_frames, pieces):
            writer.append(trajectory[start : start + pieces])
    store = TrajectoryStore(path)
    assert_same_trajectory(store.read(), trajectory)
    assert store.is_periodic == bool(cell.any())


def test_cell_may_change_between_frames(tmp_path):
    trajectory = random_trajectory(chains_and_ion(), 6, TRICLINIC)
    trajectory.cell[4:] *= 1.1
    with StoreWriter(tmp_path / "x.h5", trajectory.system) as writer:
        for frame in range(6):
            writer.append(trajectory[frame : frame + 1])
    np.testing.assert_array_equal(TrajectoryStore(tmp_path / "x.h5").read().cell, trajectory.cell)


def test_layout_is_h5md(tmp_path):
    trajectory = random_trajectory(chains_and_ion(), 6, TRICLINIC)
    write_store(tmp_path / "x.h5", trajectory)
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["h5md"].attrs["version"].tolist() == [1, 1]
        group = file["particles/all"]
        np.testing.assert_array_equal(group["box/edges/value"][:], trajectory.cell)
        assert list(group["box"].attrs["boundary"]) == [b"periodic"] * 3
        assert group["position/value"].shape == (6, 7, 3)
        np.testing.assert_array_equal(group["image/time"][:], trajectory.time)
        np.testing.assert_array_equal(group["species"][:], trajectory.system.particle_type)
        assert group["position/value"].attrs["unit"] == "Angstrom"


def test_h5md_reader_of_mdanalysis_reads_positions_and_box(tmp_path):
    mda = pytest.importorskip("MDAnalysis")
    trajectory = random_trajectory(chains_and_ion(), 3, ORTHORHOMBIC)
    write_store(tmp_path / "x.h5md", trajectory)
    universe = mda.Universe.empty(trajectory.system.n_particles, trajectory=True)
    universe.load_new(str(tmp_path / "x.h5md"), format="H5MD")
    assert len(universe.trajectory) == 3
    np.testing.assert_array_equal(universe.trajectory[2].positions, trajectory.wrapped_positions[2])
    np.testing.assert_allclose(universe.dimensions[:3], [10, 12, 14])


def test_chunks_and_selected_particles_agree_with_the_whole(tmp_path):
    trajectory = random_trajectory(chains_and_ion(), 11, TRICLINIC)
    write_store(tmp_path / "x.h5", trajectory)
    store = TrajectoryStore(tmp_path / "x.h5")
    pieces = list(store.chunks(max_bytes=24 * 7 * 3))
    assert [piece.n_frames for piece in pieces] == [3, 3, 3, 2]
    np.testing.assert_array_equal(np.concatenate([p.wrapped_positions for p in pieces]), trajectory.wrapped_positions)
    chosen = np.array([6, 1])
    np.testing.assert_array_equal(
        store.unwrapped(chosen, slice(1, 9, 3)), trajectory.unwrapped_positions[1:9:3][:, chosen]
    )


def test_atoms_and_documents_come_back(tmp_path):
    beads, atoms = chains_and_ion(length=1), chains_and_ion(length=4)
    documents = {"mapping": {"hash": "ab", "weights": [0.5, 0.5]}, "provenance": ["µ", None]}
    write_store(tmp_path / "x.h5", random_trajectory(beads, 2, TRICLINIC), atoms=atoms, documents=documents)
    store = TrajectoryStore(tmp_path / "x.h5")
    assert_same_system(store.atoms, atoms)
    assert_same_system(store.system, beads)
    assert store.documents == documents


def test_fewer_decimals_move_positions_by_less_than_one_unit_of_the_last_and_leave_images_exact(tmp_path):
    trajectory = random_trajectory(chains_and_ion(n_chains=200), 40, TRICLINIC)
    write_store(tmp_path / "lossy.h5", trajectory, decimals=3)
    write_store(tmp_path / "exact.h5", trajectory)
    found = TrajectoryStore(tmp_path / "lossy.h5").read()
    assert np.abs(found.wrapped_positions - trajectory.wrapped_positions).max() < 1e-3
    np.testing.assert_array_equal(found.image_flags, trajectory.image_flags)
    assert (tmp_path / "lossy.h5").stat().st_size < 0.8 * (tmp_path / "exact.h5").stat().st_size


def test_save_interval_allows_float32_times_and_names_a_gap(tmp_path):
    trajectory = random_trajectory(chains_and_ion(), 5, TRICLINIC)
    time = (1e6 + 1.3 * np.arange(5)).astype(np.float32).astype(np.float64)
    write_store(tmp_path / "x.h5", replace(trajectory, time=time))
    # Times near 1e6 carry an error of 0.03 in float32, spread over four intervals.
    assert TrajectoryStore(tmp_path / "x.h5").save_interval == pytest.approx(1.3, abs=0.02)
    write_store(tmp_path / "x.h5", replace(trajectory, time=np.array([0.0, 1, 2, 4, 5])))
    with pytest.raises(InputError, match="2 between frames 2 and 3, 1 ps elsewhere"):
        _ = TrajectoryStore(tmp_path / "x.h5").save_interval
    write_store(tmp_path / "x.h5", trajectory[:1])
    with pytest.raises(InputError, match="has 1 frame"):
        _ = TrajectoryStore(tmp_path / "x.h5").save_interval


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": np.array([0.0, 2.0, 2.0])}, "frame 2 is at time 2, expected a time after 2"),
        ({"time": np.array([0.0, np.nan, 2.0])}, "frame 1 is at time nan"),
        ({"wrapped_positions": np.full((3, 7, 3), np.nan, np.float32)}, "frame 0: x of particle 1 is nan"),
        ({"system": chains_and_ion(length=2)}, "frames of 5 particles, expected 7"),
    ],
)
def test_refused_frames_leave_no_file_and_keep_the_old_one(tmp_path, change, message):
    path = tmp_path / "x.h5"
    trajectory = random_trajectory(chains_and_ion(), 3, TRICLINIC)
    path.write_text("old")
    with pytest.raises(InputError, match=message), StoreWriter(path, trajectory.system) as writer:
        writer.append(replace(trajectory, **change))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_places_are_one_line_errors(tmp_path):
    system = chains_and_ion()
    with pytest.raises(InputError, match=r"directory .* does not exist"):
        StoreWriter(tmp_path / "no" / "x.h5", system)
    with pytest.raises(InputError, match="is a directory"):
        StoreWriter(tmp_path, system)
    with pytest.raises(InputError, match="document 'a' cannot be written as JSON"):
        StoreWriter(tmp_path / "x.h5", system, documents={"a": object()})
    assert not list(tmp_path.iterdir())


def damaged(path, kind):
    """Damage a good store in one way."""
    if kind == "text":
        path.write_text("hello " * 500)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-5000])
    else:
        with h5py.File(path, "r+" if kind == "newer" else "w") as file:
            if kind == "newer":
                file["parameters/cgsim"].attrs["version"] = [2, 0]
            else:
                file["a"] = 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "not an HDF5 file"),
        ("empty", "not an HDF5 file"),
        ("truncated", "truncated"),
        ("newer", "store version 2.0 is newer than 1.0"),
        ("foreign", "not a cgsim store"),
    ],
)
def test_damaged_store_is_a_one_line_error_that_names_the_file(tmp_path, kind, message):
    path = tmp_path / "x.h5"
    write_store(path, random_trajectory(chains_and_ion(), 20, TRICLINIC))
    damaged(path, kind)
    with pytest.raises(InputError, match=message) as caught:
        TrajectoryStore(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_store_and_damaged_frames_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        TrajectoryStore(tmp_path / "x.h5")
    write_store(tmp_path / "x.h5", random_trajectory(chains_and_ion(), 20, TRICLINIC))
    with h5py.File(tmp_path / "x.h5") as file:
        start = file["particles/all/position/value"].id.get_chunk_info(0).byte_offset
    data = bytearray((tmp_path / "x.h5").read_bytes())
    data[start : start + 100] = bytes(100)
    (tmp_path / "x.h5").write_bytes(data)
    with pytest.raises(InputError, match="damaged store"):
        TrajectoryStore(tmp_path / "x.h5").read()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB, where the machine lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
        ).returncode
    ):
        # Only root may mount, and nothing else fills a disk without filling that of the machine.
        pytest.skip("cannot mount a small file system here: not root")
    yield place
    subprocess.run(["umount", place], check=True)


def test_full_disk_is_a_one_line_error_and_leaves_nothing(small_disk):
    trajectory = random_trajectory(chains_and_ion(n_chains=1000), 100, TRICLINIC)
    with pytest.raises(InputError, match="no space left"):
        write_store(small_disk / "x.h5", trajectory)
    assert not list(small_disk.iterdir())
