import numpy as np
import pytest
from molecules import lone_chain

from cgsim.errors import InputError
from cgsim.reference.electrolyte.build import build_electrolyte, molecule_topology
from cgsim.reference.electrolyte.gromacs_topology import gromacs_topology
from cgsim.reference.electrolyte.hydrogen_mass import repartitioned_masses
from cgsim.reference.electrolyte.lammps_data import lammps_data
from cgsim.reference.electrolyte.pairs import distant_pairs, one_four_pairs
from cgsim.reference.electrolyte.repeat_unit import oligomer, parse_unit


@pytest.fixture(scope="module")
def small():
    return build_electrolyte("*OCC*", "LiTFSI", n_chains=2, chain_mass=160.0, ion_pairs=2)


def _sections(text):
    """Rows of a GROMACS topology as (molecule, section, fields)."""
    molecule, section = "", ""
    for line in text.splitlines():
        fields = line.split(";")[0].split()
        if not fields:
            continue
        if fields[0] == "[":
            section = fields[1]
            continue
        if section == "moleculetype":
            molecule = fields[0]
        yield molecule, section, fields


def test_a_box_is_neutral_and_counts_add_up(small):
    assert [part.topology.name for part in small.components] == ["POL", "TFS", "LI"]
    assert [part.copies for part in small.components] == [2, 2, 2]
    assert abs(small.charge) < 1e-9
    assert small.n_atoms == sum(len(m.masses) for m in small.molecules)
    chain = small.components[0].topology
    assert small.oxygens_per_cation == 2 * (chain.atomic_numbers == 8).sum() / 2
    assert small.molality == pytest.approx(2 / (2 * chain.mass) * 1000)
    assert not np.array_equal(*small.components[0].conformers)  # every chain has its own shape


def test_molality_is_rounded_to_whole_ion_pairs():
    # 8 chains of 22 units, 12 LiTFSI: 1.501 mol/kg, O:Li 14.7
    box = build_electrolyte("*OCC*", "LiPF6", n_chains=2, molality=1.5)
    assert (box.n_units, box.components[1].copies) == (22, 3)
    assert box.molality == pytest.approx(1.501, abs=5e-4)
    assert box.oxygens_per_cation == pytest.approx(44 / 3)


def test_topology_prints_charges_that_add_up_to_nothing(small):
    net = {}
    for molecule, section, fields in _sections(gromacs_topology(small)):
        if section == "atoms":
            net[molecule] = net.get(molecule, 0.0) + float(fields[6])
    assert net["POL"] == pytest.approx(0.0, abs=1e-9)
    assert net["TFS"] == pytest.approx(-0.75, abs=1e-9)
    assert net["LI"] == pytest.approx(0.75, abs=1e-9)


def test_only_the_anion_has_pairs_of_its_own(small):
    functions = {}
    for molecule, section, fields in _sections(gromacs_topology(small)):
        if section == "pairs":
            functions.setdefault(molecule, set()).add(fields[2])
            if molecule == "TFS":
                # Half of both energies and geometric sigma, as OPLS: fields are fudge, charges, sigma, epsilon
                assert float(fields[3]) == 0.5
                if fields[:2] == ["1", "6"]:
                    assert float(fields[6]) == pytest.approx(np.sqrt(0.3118 * 0.315), rel=1e-6)
                    assert float(fields[7]) == pytest.approx(0.5 * np.sqrt(0.2554 * 0.83736), rel=1e-6)
    assert functions == {"POL": {"1"}, "TFS": {"2"}}


def test_pairs_of_a_molecule_are_each_in_one_class():
    mol = oligomer(parse_unit("*OCC1CCC(*)C1"), 2).mol  # with rings
    top = molecule_topology("MOL", mol, np.zeros(mol.GetNumAtoms()))
    n = top.n_atoms
    distance = np.full((n, n), 99)
    np.fill_diagonal(distance, 0)
    i, j = top.bonds.T
    distance[i, j] = distance[j, i] = 1
    for k in range(n):  # Floyd and Warshall: an independent way to bond distances
        distance = np.minimum(distance, distance[:, k : k + 1] + distance[k : k + 1])
    upper = np.triu(np.ones((n, n), dtype=bool), 1)
    assert {tuple(p) for p in one_four_pairs(top).tolist()} == set(
        zip(*np.nonzero(upper & (distance == 3)), strict=True)
    )
    assert {tuple(p) for p in distant_pairs(top).tolist()} == set(zip(*np.nonzero(upper & (distance > 3)), strict=True))


def test_heavier_hydrogens_keep_the_mass_of_every_group():
    top = lone_chain("*OCC(C)*").components[0].topology
    masses = repartitioned_masses(top, 3.024)
    assert masses.sum() == pytest.approx(top.mass)
    assert set(masses[top.atomic_numbers == 1]) == {3.024}
    assert masses.min() == pytest.approx(3.024)
    # A methyl carbon gives 2.016 to each of three hydrogens, oxygen nothing
    assert masses[0] == pytest.approx(12.011 - 3 * 2.016)
    np.testing.assert_array_equal(masses[top.atomic_numbers == 8], top.masses[top.atomic_numbers == 8])
    np.testing.assert_array_equal(repartitioned_masses(top, None), top.masses)


def test_hydrogens_that_take_everything_are_refused():
    top = lone_chain("*OCC*").components[0].topology
    with pytest.raises(InputError, match="hydrogen mass 5"):
        repartitioned_masses(top, 5.0)


@pytest.mark.parametrize("hydrogen_mass", [None, 3.024])
def test_both_files_have_the_same_masses(small, hydrogen_mass):
    wanted = np.concatenate([repartitioned_masses(m, hydrogen_mass) for m in small.molecules])
    per_molecule = {}
    for molecule, section, fields in _sections(gromacs_topology(small, hydrogen_mass)):
        if section == "atoms":
            per_molecule.setdefault(molecule, []).append(float(fields[7]))
    printed = np.concatenate([per_molecule[m.name] for m in small.molecules])
    np.testing.assert_allclose(printed, wanted, atol=1e-5)  # five decimals

    blocks = _data_blocks(lammps_data(small, np.zeros((small.n_atoms, 3)), np.full(3, 30.0), None, hydrogen_mass))
    mass_of = {row[0]: float(row[1]) for row in blocks["Masses"]}
    np.testing.assert_allclose([mass_of[row[2]] for row in blocks["Atoms # full"]], wanted, atol=1e-5)


def _data_blocks(text):
    blocks, title = {}, "head"
    for line in text.splitlines():
        if line and line[0].isupper():
            title = line.strip()
        elif line.strip():
            blocks.setdefault(title, []).append(line.split("#")[0].split())
    return blocks


def test_data_file_counts_what_it_lists(small):
    positions = np.random.default_rng(0).uniform(0, 30, size=(small.n_atoms, 3))
    images = np.arange(3 * small.n_atoms).reshape(-1, 3) % 3 - 1
    blocks = _data_blocks(lammps_data(small, positions, np.array([30.0, 31.0, 32.0]), images))
    counts = {" ".join(row[1:]): int(row[0]) for row in blocks["head"] if row[0].isdigit()}
    titles = {"atoms": "Atoms # full", "bonds": "Bonds", "angles": "Angles", "dihedrals": "Dihedrals"}
    for kind, title in titles.items():
        assert counts[kind] == len(blocks[title])
        if kind != "atoms":
            assert counts[f"{kind[:-1]} types"] == len(blocks[f"{kind[:-1].title()} Coeffs"])
            used = {int(row[1]) for row in blocks[title]}
            assert used == set(range(1, counts[f"{kind[:-1]} types"] + 1))
    assert counts["impropers"] == 0
    rows = np.array([[float(x) for x in row] for row in blocks["Atoms # full"]])
    np.testing.assert_allclose(rows[:, 4:7], positions, atol=1e-6)
    np.testing.assert_array_equal(rows[:, 7:], images)
    assert abs(rows[:, 3].sum()) < 1e-9
    assert rows[-1, 1] == len(small.molecules)
