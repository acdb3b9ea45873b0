from importlib.resources import files

import numpy as np
import pytest
from rdkit import Chem

from cgsim.errors import InputError
from cgsim.reference.electrolyte.atom_types import RULES, gaff_types
from cgsim.reference.electrolyte.build import chain_topology, chain_types, molecule_topology
from cgsim.reference.electrolyte.gaff import load_gaff
from cgsim.reference.electrolyte.make_gaff_table import reduce_table

KJ = 4.184


def _molecule(smiles):
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def _topology(smiles):
    mol = _molecule(smiles)
    return molecule_topology("MOL", mol, np.zeros(mol.GetNumAtoms()))


# What antechamber 22.0 (-at gaff2) gives, except ns (a secondary amide), which the table knows as n.
TYPES = {
    "CCOC": "c3 c3 os c3 hc hc hc h1 h1 h1 h1 h1",
    "COCOC": "c3 os c3 os c3 h1 h1 h1 h2 h2 h1 h1 h1",
    "COC(=O)OC": "c3 os c o os c3 h1 h1 h1 h1 h1 h1",
    "CC(=O)OC": "c3 c o os c3 hc hc hc h1 h1 h1",
    "CC#N": "c3 c1 n1 hc hc hc",
    "CN(C)C": "c3 n3 c3 c3 h1 h1 h1 h1 h1 h1 h1 h1 h1",
    "CNC(C)=O": "c3 n c c3 o h1 h1 h1 hn hc hc hc",
    "CSC": "c3 ss c3 h1 h1 h1 h1 h1 h1",
    "CC(F)(F)F": "c3 c3 f f f hc hc hc",
    "CS(C)(=O)=O": "c3 s6 c3 o o h1 h1 h1 h1 h1 h1",
    "Cc1ccccc1": "c3 ca ca ca ca ca ca hc hc hc ha ha ha ha ha",
    "O=COC": "o c os c3 h5 h1 h1 h1",
    "CO": "c3 oh h1 h1 h1 ho",
    "C=CC": "c2 c2 c3 ha ha ha hc hc hc",
}


@pytest.mark.parametrize("smiles", TYPES)
def test_atom_types_are_those_of_antechamber(smiles):
    assert " ".join(gaff_types(_molecule(smiles))) == TYPES[smiles]


@pytest.mark.parametrize(
    ("smiles", "atom"),
    [
        ("C[Si](C)(C)C", r"atom Si \(bonded to C, C, C, C\)"),
        ("COP(=O)(OC)OC", "atom P "),
        ("CC1CO1", "in a ring"),
        ("C=CC=C", r"atom C \(bonded to C, C, H\)"),  # conjugated: no torsion of isolated double bonds
        ("CBr", r"atom Br \(bonded to C\)"),
        ("CN=C", r"atom N \(bonded to C, C\)"),
    ],
)
def test_an_atom_without_type_is_named(smiles, atom):
    with pytest.raises(InputError, match=atom):
        gaff_types(_molecule(smiles))


# What parmchk2 22.0 (-s 2) gives for N-ethyl-2-methoxyethanamine and 1-methoxypropan-2-amine: (k, n, phase) of a path.
AMINE_TORSIONS = {
    "h1-c3-n7-hn": (1.8 / 6, 3.0, 0.0),
    "c3-c3-n7-hn": (0.217, 3.0, 0.0),
    "hc-c3-c3-n7": (0.1, 3.0, 0.0),
    "h1-c3-n8-hn": (1.8 / 6, 3.0, 0.0),
    "c3-c3-n7-c3": (0.14, 3.0, 0.0),  # in gaff2.dat itself
}


@pytest.mark.parametrize("types", AMINE_TORSIONS)
def test_torsions_of_amines_that_the_table_lacks_are_those_of_tertiary_ones(types):
    assert load_gaff().dihedral(tuple(types.split("-"))) == [AMINE_TORSIONS[types]]
    assert load_gaff().dihedral(tuple(types.split("-"))[::-1]) == [AMINE_TORSIONS[types]]


def test_every_assigned_type_has_lennard_jones_parameters():
    gaff = load_gaff()
    for _, name in RULES:
        sigma, epsilon = gaff.lennard_jones(name)
        assert 0.5 < sigma < 4.2
        assert 0 < epsilon < 0.5


def test_parameters_of_poly_ethylene_oxide():
    """Numbers of gaff2.dat 2.2.20, and of gaff.dat for C-C-O-C; checked by hand against both files."""
    top = chain_topology("*OCC*", 4)
    names = top.type_names
    bonds = {
        tuple(sorted((names[i], names[j]))): tuple(p) for (i, j), p in zip(top.bonds, top.bond_parameters, strict=True)
    }
    assert bonds == {
        ("c3", "os"): (282.27, 1.4273),
        ("c3", "c3"): (228.89, 1.5354),
        ("c3", "h1"): (344.22, 1.0969),
        ("c3", "hc"): (345.25, 1.0962),
    }
    angles = {
        min((key := tuple(names[i] for i in row)), key[::-1]): tuple(p)
        for row, p in zip(top.angles, top.angle_parameters, strict=True)
    }
    assert angles[("c3", "os", "c3")] == (88.33, 113.6)
    assert angles[("c3", "c3", "os")] == (77.44, 107.62)
    series = {}
    for row, p in zip(top.dihedrals, top.dihedral_parameters, strict=True):
        key = tuple(names[i] for i in row)
        series.setdefault(min(key, key[::-1]), set()).add(tuple(p))
    assert series[("c3", "c3", "os", "c3")] == {(0.383, 3, 0), (0.1, 2, 180)}
    assert series[("os", "c3", "c3", "os")] == {(0.5, 3, 0), (0.9, 2, 0), (0.18, 1, 0)}
    assert series[("c3", "os", "c3", "h1")] == {(0.337, 3, 0)}
    types = {t.name: (t.sigma, t.epsilon * KJ) for t in chain_types(top)}
    # As GROMACS files of this force field have them, nm and kJ/mol with seven digits
    for name, wanted in {"c3": (3.397710, 0.4510352), "os": (3.156098, 0.3037584), "h1": (2.421997, 0.0870272)}.items():
        np.testing.assert_allclose(types[name], wanted, rtol=2e-7)


def test_sp2_carbon_is_held_in_its_plane():
    carbonate, ketone, benzene = _topology("COC(=O)OC"), _topology("CC(C)=O"), _topology("c1ccccc1")
    for top, numbers in ((carbonate, [10.5]), (ketone, [10.5]), (benzene, [1.1] * 6)):
        assert top.improper_parameters[:, 0].tolist() == numbers
        assert (top.improper_parameters[:, 1:] == [2, 180]).all()
    centres = carbonate.impropers[:, 2]
    assert [carbonate.type_names[i] for i in centres] == ["c"]
    assert carbonate.type_names[carbonate.impropers[0, 3]] == "o"  # the table's X-X-c-o, the oxygen fourth


def test_every_torsion_occurs_once_for_each_term():
    top = chain_topology("*OC(=O)OCC*", 3)
    rows = [(*row, n) for row, n in zip(top.dihedrals.tolist(), top.dihedral_parameters[:, 1], strict=True)]
    canonical = [min(tuple(row), tuple(row)[::-1]) for row in top.dihedrals.tolist()]
    keys = [(*atoms, n) for atoms, (*_, n) in zip(canonical, rows, strict=True)]
    assert len(set(keys)) == len(keys)


def test_number_of_terms_follows_from_the_bond_graph():
    top = chain_topology("*OCC(C)*", 3)
    degree = np.bincount(top.bonds.ravel(), minlength=top.n_atoms)
    assert len(top.bonds) == top.n_atoms - 1  # a tree
    assert len(top.angles) == (degree * (degree - 1) // 2).sum()
    unique = {min(tuple(row), tuple(row)[::-1]) for row in top.dihedrals.tolist()}
    assert len(unique) == ((degree[top.bonds[:, 0]] - 1) * (degree[top.bonds[:, 1]] - 1)).sum()


def test_missing_parameters_are_named():
    with pytest.raises(InputError, match=r"no \w+ parameters for [\w-]*s6"):
        _topology("CS(=O)(=O)S(=O)(=O)OC(F)=C")


SMALL_TABLE = """A force field (Version 0)
c3 12.01         0.878               Sp3 C
os 16.00         0.465               Ether

c3  os
c3-os  282.27   1.4273     2021
os-zz  100.00   1.0000     unknown type

c3-os-c3   88.33      113.60    2021

c3-os-c3-c3   1    0.750         0.000          -3.000      first
c3-os-c3-c3   1    0.880       180.000           1.000      first
os-c3-c3-os   1    0.500         0.000          -3.000      first
os-c3-c3-os   1    0.180         0.000           1.000      first
os-c3-c3-os   2    0.700         0.000           2.000      a later definition holds
X -c3-os-X    3    1.150         0.000           3.000      Junmei et al, 1999

X -X -c -o          10.5         180.          2.           JCC,7,(1986),230

  hw  ow  0000.     0000.

c3  c4

MOD4      RE
  c3          1.9069  0.1078
  zz          1.0000  0.1000

END
"""


def test_the_table_is_what_the_reducing_command_makes():
    rows = [line for line in reduce_table(SMALL_TABLE).splitlines() if not line.startswith("#")]
    assert rows == [
        "atom c3 1.9069 0.1078",
        "bond c3-os 282.27 1.4273",
        "angle c3-os-c3 88.33 113.60",
        "dihedral c3-c3-os-c3 1 0.383 0 3",
        "dihedral c3-c3-os-c3 1 0.1 180 2",
        "dihedral os-c3-c3-os 2 0.700 0.000 2",
        "dihedral X-c3-os-X 3 1.150 0.000 3",
        "improper X-X-c-o 10.5 180. 2.",
    ]


def test_the_table_says_where_it_comes_from():
    head = (files("cgsim.reference.electrolyte") / "gaff2.txt").read_text().splitlines()[:14]
    text = " ".join(head)
    for part in ("2.2.20", "public domain", "make_gaff_table", "c3-c3-os-c3"):
        assert part in text


@pytest.mark.parametrize(
    ("types", "terms"),
    [
        (("os", "c3", "os", "c3"), [(0.85, 3.0, 0.0), (0.85, 2.0, 0.0), (0.46, 1.0, 180.0)]),
        (("c3", "c3", "os", "c"), [(0.383, 3.0, 0.0), (0.8, 1.0, 180.0)]),
        (("o", "c", "os", "c3"), [(2.7, 2.0, 180.0), (1.4, 1.0, 180.0)]),
        (("c2", "c", "os", "c3"), [(2.7, 2.0, 180.0)]),  # X-c-os-X, 5.4 over two paths
    ],
)
def test_torsions_of_acetals_esters_and_carbonates(types, terms):
    for order in (types, types[::-1]):
        np.testing.assert_allclose(load_gaff().dihedral(order), terms)
