import numpy as np
import pytest
from lammps_files import write_data, write_dump
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, chains_and_ion, moving_chains

from cgsim.errors import InputError
from cgsim.trajectory.lammps_data import read_lammps_data
from cgsim.trajectory.lammps_dump import sample_dump
from cgsim.trajectory.topologies import lammps_topology
from cgsim.units import LAMMPS_UNITS, UnitSystem

REAL = LAMMPS_UNITS["real"]
POSITIONS = np.random.default_rng(0).uniform(0, 10, (7, 3))


@pytest.mark.parametrize("style", ["atomic", "charge", "bond", "angle", "molecular", "full"])
@pytest.mark.parametrize("with_images", [False, True])
@pytest.mark.parametrize("cell", [ORTHORHOMBIC, TRICLINIC], ids=["orthorhombic", "triclinic"])
def test_every_style_gives_the_same_atoms(tmp_path, style, with_images, cell):
    system = chains_and_ion()
    images = np.arange(21).reshape(7, 3) - 10 if with_images else None
    ids = 5 * np.arange(1, 8)
    origin = (-3.0, 0.5, 7.0)
    write_data(tmp_path / "x.data", system, POSITIONS, cell, origin=origin, style=style, images=images, ids=ids)
    data = read_lammps_data(tmp_path / "x.data")
    np.testing.assert_array_equal(data.ids, ids)
    np.testing.assert_array_equal(data.atom_type, system.particle_type)
    np.testing.assert_allclose(data.masses, system.masses)
    np.testing.assert_array_equal(data.bond_index, system.bond_index)
    np.testing.assert_allclose(data.positions, POSITIONS, atol=1e-14)
    np.testing.assert_allclose(data.cell, cell, atol=1e-14)
    assert (data.image_flags is None) == (images is None)
    if images is not None:
        np.testing.assert_array_equal(data.image_flags, images)
    assert (data.charges is not None) == (style in ("charge", "full"))
    assert (data.molecule is not None) == (style not in ("atomic", "charge"))


@pytest.mark.parametrize(("style", "with_images"), [("atomic", False), ("full", False), ("full", True)])
def test_a_style_is_inferred_where_the_number_of_columns_leaves_no_choice(tmp_path, style, with_images):
    images = np.zeros((7, 3), dtype=int) if with_images else None
    write_data(
        tmp_path / "x.data.gz", chains_and_ion(), POSITIONS, ORTHORHOMBIC, style=style, remark=False, images=images
    )
    np.testing.assert_allclose(read_lammps_data(tmp_path / "x.data.gz").positions, POSITIONS)


@pytest.mark.parametrize("style", ["charge", "molecular"])
def test_a_style_that_could_be_two_has_to_be_stated(tmp_path, style):
    write_data(tmp_path / "x.data", chains_and_ion(), POSITIONS, ORTHORHOMBIC, style=style, remark=False)
    with pytest.raises(InputError, match="6 columns and does not name its style, expected --atom-style"):
        read_lammps_data(tmp_path / "x.data")
    data = read_lammps_data(tmp_path / "x.data", atom_style=style)
    np.testing.assert_allclose(data.positions, POSITIONS)
    assert (data.charges is None) == (style == "molecular")


def test_a_stated_style_must_agree_with_the_file(tmp_path):
    write_data(tmp_path / "x.data", chains_and_ion(), POSITIONS, ORTHORHOMBIC, style="full")
    with pytest.raises(InputError, match="says 'Atoms # full', but --atom-style is molecular"):
        read_lammps_data(tmp_path / "x.data", atom_style="molecular")
    text = (tmp_path / "x.data").read_text()
    (tmp_path / "y.data").write_text(text.replace("Atoms # full", "Atoms # sphere"))
    with pytest.raises(InputError, match="atom style 'sphere' is not read here"):
        read_lammps_data(tmp_path / "y.data")
    (tmp_path / "y.data").write_text(text.replace("Atoms # full", "Atoms # charge"))
    with pytest.raises(InputError, match="7 columns, expected 6 or 9 for atom style charge"):
        read_lammps_data(tmp_path / "y.data")


def test_type_labels_name_types_wherever_they_stand(tmp_path):
    write_data(tmp_path / "x.data", chains_and_ion(), POSITIONS, ORTHORHOMBIC, style="atomic")
    lines = (tmp_path / "x.data").read_text().split("\n")
    start = lines.index("Atoms # atomic") + 2
    for i in range(start, start + 7):
        words = lines[i].split()
        lines[i] = " ".join([words[0], {"1": "c3", "2": "Li+"}[words[1]], *words[2:]])
    lines[lines.index("Masses") : 0] = ["Atom Type Labels", "", "1 c3", "2 Li+", ""]
    (tmp_path / "x.data").write_text("\n".join(lines))
    data = read_lammps_data(tmp_path / "x.data")
    assert data.type_names == ("c3", "Li+")
    np.testing.assert_array_equal(data.atom_type, chains_and_ion().particle_type)


def test_comments_beside_masses_name_types_only_if_they_tell_all_apart(tmp_path):
    write_data(tmp_path / "x.data", chains_and_ion(), POSITIONS, ORTHORHOMBIC)
    text = (tmp_path / "x.data").read_text()
    for comments, expected in ((("c3 carbon", "Li"), ("c3", "Li")), (("a", "a"), ("1", "2")), (("a", ""), ("1", "2"))):
        new = text.replace("1 12.011", f"1 12.011 # {comments[0]}").replace("2 6.94", f"2 6.94 # {comments[1]}")
        (tmp_path / "y.data").write_text(new)
        assert read_lammps_data(tmp_path / "y.data").type_names == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2 6.94", "2 0.0", r"section Masses: the mass of type 2 \(2\) is 0, expected a positive mass"),
        ("2 6.94", "2 -6.94", r"the mass of type 2 \(2\) is -6.94, expected a positive mass"),
        ("2 6.94\n", "", r"section Masses \(line 12\) has 1 lines, expected 2"),
        ("2 6.94", "1 6.94", "does not list each type 1 to 2 once"),
        ("2 6.94", "2 heavy", "line 15: expected a number for mass, found 'heavy'"),
        ("7 atoms", "8 atoms", r"section Atoms \(line 21\) has 7 lines, expected 8"),
        ("7 atoms", "seven atoms", "line 3: expected a number of atoms, found 'seven atoms'"),
        ("4 bonds", "5 bonds", r"section Bonds .* has 4 lines, expected 5"),
        ("1 1 2 1", "1 1 2 99", "line 33: the bond names atom 99, which does not exist"),
        ("1 1 2 1", "1 1 2 2", "line 33: the bond joins atom 2 to itself"),
        ("1 1 2 1", "1 1", "line 33: expected a bond 'id type atom atom', found '1 1'"),
        ("0 10 xlo xhi\n", "", "no box bounds, expected lines such as"),
        ("0 10 xlo xhi", "10 0 xlo xhi", "upper bound 0 is not above lower bound 10"),
        ("0 10 xlo xhi", "0 ten xlo xhi", "cannot read the box from '0 ten xlo xhi'"),
        ("Masses", "Weights", "no section Masses, expected one of 2 lines"),
        ("\n7 3 2 ", "\n7 3 3 ", "atom id 7 has type 3, expected 1 to 2"),
        ("\n7 3 2 ", "\n6 3 2 ", "section Atoms: id 6 occurs twice"),
        ("\n7 3 2 ", "\n7 3 2 nan ", "line .*: 8 columns, expected 7"),
        ("\n7 3 2 1 ", "\n7 3 2 inf ", "line .*: q is inf, expected a finite number"),
    ],
)
def test_bad_data_file_is_one_line_that_names_it(tmp_path, old, new, message):
    path = tmp_path / "x.data"
    write_data(path, chains_and_ion(), POSITIONS, ORTHORHOMBIC)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        read_lammps_data(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_garbage_is_no_data_file(tmp_path):
    (tmp_path / "x.data").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(InputError, match="is not text"):
        read_lammps_data(tmp_path / "x.data")


def topology(path, dump=None, *, units="real", elements=None):
    sample = None if dump is None else sample_dump(dump)
    return lammps_topology(path, LAMMPS_UNITS[units], None, elements, sample)


def test_units_of_the_file_become_units_of_the_store(tmp_path):
    write_data(tmp_path / "x.data", chains_and_ion(), POSITIONS, ORTHORHOMBIC)
    real, lj = topology(tmp_path / "x.data").system, topology(tmp_path / "x.data", units="lj").system
    assert (real.units, lj.units) == (UnitSystem.MOLECULAR, UnitSystem.LJ)
    np.testing.assert_array_equal(real.atomic_numbers, [6] * 6 + [3])
    assert not lj.atomic_numbers.any()
    np.testing.assert_array_equal(real.molecule_id, chains_and_ion().molecule_id)
    # nano: attograms. 1 ag is 6.02214e5 g/mol, so no element weighs that little: it has to be said.
    nano = topology(tmp_path / "x.data", units="nano", elements="none").system
    np.testing.assert_allclose(nano.masses, chains_and_ion().masses * 602214.076)


def test_charges_and_elements_that_the_data_file_lacks_are_those_of_the_dump(tmp_path):
    system, unwrapped = moving_chains(ORTHORHOMBIC, n_chains=2, length=3)
    write_data(tmp_path / "x.data", system, POSITIONS, ORTHORHOMBIC, style="molecular")
    text = (tmp_path / "x.data").read_text().replace("1 12.011", "1 14.027")  # a united atom: no element weighs this
    (tmp_path / "x.data").write_text(text)
    extra = {"element": ["C"] * 6 + ["Li"], "q": [-0.5] * 6 + [3.0], "type": [1] * 6 + [2]}
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5, extra=extra, seed=0)
    found = topology(tmp_path / "x.data", tmp_path / "x.dump")
    np.testing.assert_array_equal(found.system.charges, extra["q"])
    assert "charges are those of the first frame of the dump" in found.notes


def test_a_dump_of_other_types_does_not_belong_to_the_topology(tmp_path):
    system, unwrapped = moving_chains(ORTHORHOMBIC, n_chains=2, length=3)
    write_data(tmp_path / "x.data", system, POSITIONS, ORTHORHOMBIC)
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5, extra={"type": [1] * 5 + [2, 2]})
    with pytest.raises(InputError, match="atom id 6 has type 1, but type 2 in the first frame of the dump"):
        topology(tmp_path / "x.data", tmp_path / "x.dump")


def test_elements_may_be_given_for_all_types_of_the_file_or_for_those_that_occur(tmp_path):
    write_data(tmp_path / "x.data", chains_and_ion(), POSITIONS, ORTHORHOMBIC)
    text = (tmp_path / "x.data").read_text()
    text = text.replace("2  atom types", "3 atom types").replace("2 6.94", "3 99.0\n2 6.94")
    (tmp_path / "x.data").write_text(text)
    for elements in ("N,Na,F", "N,Na"):
        numbers = topology(tmp_path / "x.data", elements=elements).system.atomic_numbers
        np.testing.assert_array_equal(numbers, [7] * 6 + [11])


def test_an_element_that_cannot_be_told_is_named_with_the_way_out(tmp_path):
    write_data(tmp_path / "x.data", chains_and_ion(), POSITIONS, ORTHORHOMBIC)
    (tmp_path / "x.data").write_text((tmp_path / "x.data").read_text().replace("2 6.94", "2 72.0"))
    with pytest.raises(InputError, match=r"cannot tell the element of type '2' \(mass 72 g/mol\); give --elements"):
        topology(tmp_path / "x.data")
    with pytest.raises(InputError, match="--elements has 1 entries, expected 2, one for each of the types 1, 2"):
        topology(tmp_path / "x.data", elements="C")
    with pytest.raises(InputError, match="'Xx' is no element"):
        topology(tmp_path / "x.data", elements="C,Xx")
