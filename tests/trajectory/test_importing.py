import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_examples import REAL, files
from lammps_files import CONVENTIONS, write_data, write_dump
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, chains_and_ion, moving_chains

from cgsim.errors import InputError
from cgsim.trajectory import importing
from cgsim.trajectory.importing import ImportSettings, import_trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.units import UnitSystem


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
