import gzip
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lammps_files import CONVENTIONS, write_dump
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, moving_chains

from cgsim.errors import InputError
from cgsim.trajectory.lammps_dump import read_dump, sample_dump
from cgsim.units import LAMMPS_UNITS

REAL = LAMMPS_UNITS["real"]
IDS = np.arange(1, 62)  # of moving_chains


def unwrapped_of(frame):
    """Apply what the file says: positions plus images."""
    images = 0 if frame.image_flags is None else frame.image_flags @ frame.cell
    return frame.positions + images


def read(path, ids=IDS, units=REAL):
    return list(read_dump(path, ids, units))


@st.composite
def cells(draw):
    """Restricted triclinic cells within LAMMPS' limits on tilt, and beyond."""
    a, b, c = (draw(st.floats(5.0, 30.0)) for _ in range(3))
    xy, xz, yz = (draw(st.floats(-0.9, 0.9)) for _ in range(3))
    return np.array([[a, 0, 0], [xy * a, b, 0], [xz * a, yz * b, c]])


@given(
    cell=cells(),
    origin=st.tuples(*[st.floats(-50, 50)] * 3),
    convention=st.sampled_from(["x+images", "xs+images", "xu", "xsu"]),
    seed=st.integers(0, 1000),
    grows=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_every_convention_gives_the_same_unwrapped_positions(tmp_path_factory, cell, origin, convention, seed, grows):
    path = tmp_path_factory.mktemp("dump") / "x.lammpstrj"
    _, unwrapped = moving_chains(cell, n_frames=3, seed=seed)
    cells_of_frames = [cell * (1 + 0.1 * i * grows) for i in range(3)]
    write_dump(path, unwrapped, cells_of_frames, convention=convention, origin=origin, seed=seed)
    frames = read(path)
    assert len(frames) == 3
    for frame, expected, expected_cell in zip(frames, unwrapped, cells_of_frames, strict=True):
        # Text has 17 digits; rounding comes from origins of up to 50 and fractional coordinates of a few cells.
        np.testing.assert_allclose(frame.cell, expected_cell, atol=1e-12)
        np.testing.assert_allclose(unwrapped_of(frame), expected, atol=1e-10)


@pytest.mark.parametrize("convention", ["x", "xs"])
def test_wrapped_positions_differ_from_unwrapped_ones_by_lattice_vectors(tmp_path, convention):
    _, unwrapped = moving_chains(TRICLINIC)
    write_dump(tmp_path / "x.dump", unwrapped, [TRICLINIC] * 5, convention=convention, origin=(-3, 4, 5), seed=1)
    for frame, expected in zip(read(tmp_path / "x.dump"), unwrapped, strict=True):
        assert frame.image_flags is None
        assert not frame.is_unwrapped
        shift = (frame.positions - expected) @ np.linalg.inv(TRICLINIC)
        np.testing.assert_allclose(shift, np.round(shift), atol=1e-12)


def test_gzip_strings_among_the_columns_and_sparse_ids_are_read(tmp_path):
    _, unwrapped = moving_chains(ORTHORHOMBIC)
    ids = 7 * IDS + 3
    extra = {"element": ["C"] * 60 + ["Li"], "type": [1] * 60 + [2], "q": [-0.25] * 60 + [15.0]}
    write_dump(tmp_path / "x.dump.gz", unwrapped, [ORTHORHOMBIC] * 5, ids=ids, seed=3, extra=extra)
    frames = read(tmp_path / "x.dump.gz", ids)
    np.testing.assert_allclose([unwrapped_of(frame) for frame in frames], unwrapped, atol=1e-10)
    sample = sample_dump(tmp_path / "x.dump.gz")
    assert sample.by_id["element"] == ["C"] * 60 + ["Li"]
    assert [float(q) for q in sample.by_id["q"]] == extra["q"]


def test_time_units_and_numbers_of_steps_are_those_of_the_file(tmp_path):
    _, unwrapped = moving_chains(ORTHORHOMBIC, n_frames=1)
    items = ("ITEM: UNITS", "nano", "ITEM: TIME", "2.5")
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC], steps=[40], items=items)
    assert sample_dump(tmp_path / "x.dump").units == "nano"
    (frame,) = read(tmp_path / "x.dump", units=LAMMPS_UNITS["nano"])
    assert (frame.time, frame.step) == (2500.0, 40)  # ns to ps
    np.testing.assert_allclose(unwrapped_of(frame), 10 * unwrapped[0], atol=1e-9)  # nm to Å
    np.testing.assert_allclose(frame.cell, 10 * ORTHORHOMBIC)


def test_general_triclinic_box_keeps_its_vectors(tmp_path):
    cell = np.array([[6.0, 1.0, 0.5], [-1.0, 7.0, 0.3], [0.2, 0.4, 8.0]])
    origin = np.array([1.0, 2.0, 3.0])
    text = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", "1", "ITEM: BOX BOUNDS abc origin pp pp pp"]
    text += [" ".join(str(v) for v in (*row, o)) for row, o in zip(cell, origin, strict=True)]
    (tmp_path / "x.dump").write_text(
        "\n".join([*text, "ITEM: ATOMS id xs ys zs ix iy iz", "1 0.25 0.5 0.75 1 -2 0"]) + "\n"
    )
    (frame,) = read(tmp_path / "x.dump", np.array([1]))
    np.testing.assert_allclose(unwrapped_of(frame)[0], np.array([1.25, -1.5, 0.75]) @ cell, atol=1e-12)


def test_boundaries_that_are_not_periodic_mean_no_cell_and_mixed_ones_are_refused(tmp_path):
    _, unwrapped = moving_chains(ORTHORHOMBIC)
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5, convention="xu")
    text = (tmp_path / "x.dump").read_text()
    (tmp_path / "open.dump").write_text(text.replace("pp pp pp", "ss ff fm"))
    frame = read(tmp_path / "open.dump")[-1]
    assert not frame.cell.any()
    np.testing.assert_allclose(frame.positions, unwrapped[-1], atol=1e-10)
    (tmp_path / "slab.dump").write_text(text.replace("pp pp pp", "pp pp ff"))
    with pytest.raises(InputError, match="boundaries are pp pp ff, expected all periodic or none"):
        read(tmp_path / "slab.dump")


@pytest.mark.parametrize("convention", ["xu", "xsu"])
def test_bounds_that_follow_the_particles_do_not_move_them(tmp_path, convention):
    _, unwrapped = moving_chains(ORTHORHOMBIC, n_frames=2)
    for number in range(2):  # shrink-wrapped: other bounds in every frame
        path = tmp_path / f"{number}.dump"
        write_dump(
            path, unwrapped[[number]] - 5.0 * number, [ORTHORHOMBIC], convention=convention, origin=[5.0 * number] * 3
        )
        path.write_text(path.read_text().replace("pp pp pp", "ss ss ss"))
        np.testing.assert_allclose(read(path)[0].positions, unwrapped[number], atol=1e-10)


def test_bounds_without_flags_are_periodic(tmp_path):
    _, unwrapped = moving_chains(ORTHORHOMBIC)
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5)
    (tmp_path / "x.dump").write_text((tmp_path / "x.dump").read_text().replace(" pp pp pp", ""))
    np.testing.assert_allclose(read(tmp_path / "x.dump")[0].cell, ORTHORHOMBIC)


FRAME = 2 * (9 + 61)  # line (counted from 0) at which frame 2 of five with 61 atoms begins
ATOM = FRAME + 9 + 4  # its fifth atom


def without(lines, number):
    return [*lines[:number], *lines[number + 1 :]]


def replaced(lines, number, line):
    return [*lines[:number], line, *lines[number + 1 :]]


def with_x(lines, x):
    words = lines[ATOM].split(" ")
    return replaced(lines, ATOM, " ".join([words[0], x, *words[2:]]))


DAMAGE = {
    "cut in an atom": lambda lines: [*lines[:ATOM], lines[ATOM][:12]],
    "cut between atoms": lambda lines: [*lines[:ATOM], ""],
    "cut in the last number": lambda lines: [*lines[:-2], lines[-2][:-3]],
    "cut in the box": lambda lines: [*lines[: FRAME + 6], ""],
    "fewer atoms": lambda lines: without(replaced(lines, FRAME + 3, "60"), ATOM),
    "line lost": lambda lines: without(lines, ATOM),
    "id twice": lambda lines: replaced(lines, ATOM, "6" + lines[ATOM][1:]),
    "id unknown": lambda lines: replaced(lines, ATOM, "9999" + lines[ATOM][1:]),
    "nan": lambda lines: with_x(lines, "nan"),
    "word": lambda lines: with_x(lines, "1.2.3"),
    "short line": lambda lines: replaced(lines, ATOM, "5 1.0 2.0"),
    "no id": lambda lines: [line.replace("ATOMS id", "ATOMS number") for line in lines],
    "no positions": lambda lines: [line.replace("id x y z", "id vx vy vz") for line in lines],
    "not a dump": lambda lines: ["hello", *lines],
    "flat box": lambda lines: replaced(lines, FRAME + 5, "1.0 1.0"),
    "local dump": lambda lines: [line.replace("OF ATOMS", "OF ENTRIES") for line in lines],
}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "cut in an atom",
            r"frame 2 \(timestep 2000\): the file is cut off in line 154, after 5 of 61 atoms; --stop 2",
        ),
        ("cut between atoms", r"frame 2 \(timestep 2000\): the file is cut off in line 153, after 4 of 61 atoms"),
        ("cut in the last number", r"frame 4 \(timestep 4000\): the file is cut off in line 350, after 61 of 61 atoms"),
        ("cut in the box", r"frame 2 \(timestep 2000\): line 146: expected numbers, found '' \(the file ends"),
        ("fewer atoms", r"frame 2 \(timestep 2000\): 60 atoms, expected 61 as in the topology and the frames before"),
        ("line lost", r"frame 2 \(timestep 2000\): line 210: 2 columns, expected 7"),
        ("id twice", r"frame 2 \(timestep 2000\): atom id 6 occurs twice"),
        ("id unknown", r"atom id 5 of the topology is missing, and id 9999 is not in the topology"),
        ("nan", r"frame 2 \(timestep 2000\): line 154: x is 'nan', expected a finite number"),
        ("word", r"frame 2 \(timestep 2000\): line 154: x is '1.2.3', expected a finite number"),
        ("short line", r"line 154: 3 columns, expected 7"),
        ("no id", "has no column id"),
        ("no positions", "hold no positions, expected x y z, xs, xu or xsu"),
        ("not a dump", "line 1: expected 'ITEM: TIMESTEP' of a LAMMPS dump, found 'hello'"),
        ("flat box", r"frame 2 \(timestep 2000\): the box has no volume"),
        ("local dump", "a dump of 'NUMBER OF ENTRIES', expected one of atoms"),
    ],
)
def test_damage_is_one_line_that_names_file_and_frame(tmp_path, kind, message):
    path = tmp_path / "x.dump"
    _, unwrapped = moving_chains(ORTHORHOMBIC)
    write_dump(path, unwrapped, [ORTHORHOMBIC] * 5)
    path.write_text("\n".join(DAMAGE[kind](path.read_text().split("\n"))))
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gzip_that_is_cut_off_or_damaged_is_named(tmp_path):
    path = tmp_path / "x.dump.gz"
    _, unwrapped = moving_chains(ORTHORHOMBIC)
    write_dump(path, unwrapped, [ORTHORHOMBIC] * 5)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(InputError, match="the gzip file is cut off or damaged"):
        read(path)
    path.write_bytes(good[:500] + bytes(100) + good[600:])
    with pytest.raises(InputError):
        read(path)


def test_empty_and_missing_files_are_named(tmp_path):
    (tmp_path / "empty.dump").write_text("")
    with pytest.raises(InputError, match="the file is empty"):
        read(tmp_path / "empty.dump")
    with gzip.open(tmp_path / "empty.dump.gz", "wb"):
        pass
    with pytest.raises(InputError, match="no frames"):
        read(tmp_path / "empty.dump.gz")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.dump")
    with pytest.raises(InputError, match="is a directory"):
        read(tmp_path)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_frames_are_equal_whatever_the_order_of_lines_and_columns(tmp_path, convention):
    _, unwrapped = moving_chains(TRICLINIC)
    write_dump(tmp_path / "sorted.dump", unwrapped, [TRICLINIC] * 5, convention=convention)
    write_dump(tmp_path / "shuffled.dump", unwrapped, [TRICLINIC] * 5, convention=convention, seed=5)
    for a, b in zip(read(tmp_path / "sorted.dump"), read(tmp_path / "shuffled.dump"), strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        assert replace(a, where="", positions=b.positions, bytes_read=0).step == b.step
