import numpy as np
import pytest
from rdkit import Chem

from cgsim.errors import InputError
from cgsim.reference.electrolyte.repeat_unit import conformers, oligomer, parse_unit, ring, units_for_mass

PEO = ["*OCC*", "*CCO*", "*COC*", "*OCCOCC*", "C(*)CO*", "[*:1]COC[*:2]"]
PPO = ["*OCC(C)*", "*CC(C)O*", "*C(C)OC*", "*C(C)CO*", "*OC(C)C*", "*O[C@@H](C)C*", "*CC(C)OCC(C)O*"]
HEAD_TO_HEAD_PPO = ["*OCC(C)OC(C)C*", "*OC(C)COCC(C)*", "*C(C)OC(C)COC*"]
SIDE_RING = ["*OCC1CCC(*)C1", "*CC1CCC(O*)C1"]


@pytest.mark.parametrize("family", [PEO, PPO, HEAD_TO_HEAD_PPO, SIDE_RING])
def test_every_way_to_write_a_polymer_has_one_key(family):
    assert len({parse_unit(smiles).key for smiles in family}) == 1


def test_different_polymers_have_different_keys():
    units = [PEO[0], PPO[0], HEAD_TO_HEAD_PPO[0], SIDE_RING[0], "*OC*", "*OCCC*", "*OCOCC*", "*OC(=O)CC*", "*OCC(=O)*"]
    assert len({parse_unit(smiles).key for smiles in units}) == len(units)


@pytest.mark.parametrize("smiles", [*PEO, *PPO[:5]])
def test_an_aligned_unit_makes_the_chain_of_its_template_atom_for_atom(smiles):
    template = parse_unit("*OCC*" if smiles in PEO else "*OCC(C)*")
    chain = oligomer(parse_unit(smiles).aligned(template), 4).mol
    wanted = oligomer(template, 4).mol
    assert [a.GetSymbol() for a in chain.GetAtoms()] == [a.GetSymbol() for a in wanted.GetAtoms()]
    assert chain.HasSubstructMatch(wanted)
    assert tuple(range(wanted.GetNumAtoms())) in chain.GetSubstructMatches(wanted, uniquify=False, maxMatches=100_000)


def test_a_chain_is_its_units_between_two_methyl_groups():
    chain = oligomer(parse_unit("*OC(=O)OCC*"), 3)
    plain = Chem.MolToSmiles(Chem.RemoveHs(chain.mol))
    assert plain == Chem.CanonSmiles("C" + "OC(=O)OCC" * 3 + "C")
    heavy_units = chain.unit_index[: chain.n_heavy].tolist()
    assert heavy_units == [0] + [0] * 6 + [1] * 6 + [2] * 6 + [2]
    for atom in chain.mol.GetAtoms():
        if atom.GetAtomicNum() == 1:
            neighbour = atom.GetNeighbors()[0].GetIdx()
            assert chain.heavy[atom.GetIdx()] == neighbour
            assert chain.unit_index[atom.GetIdx()] == chain.unit_index[neighbour]


def test_a_marked_stereocentre_keeps_its_hand_when_the_unit_is_turned_round():
    left = parse_unit("*C(=O)[C@H](C)O*")
    turned = left.aligned(parse_unit("*OC(C)C(=O)*"))
    # Poly(L-lactide): every centre is S, whichever way the unit was written.
    for unit in (left, turned, parse_unit("*O[C@@H](C)C(=O)*")):
        centres = Chem.FindMolChiralCenters(oligomer(unit, 3).mol, useLegacyImplementation=False)
        assert [hand for _, hand in centres] == ["S"] * 3


def test_mass_of_a_chain_is_close_to_the_one_asked_for():
    for smiles in ("*OCC*", "*OCC(C)*", "*OC(=O)OCC*"):
        unit = parse_unit(smiles)
        n_units = units_for_mass(unit, 1000.0)
        mass = sum(atom.GetMass() for atom in oligomer(unit, n_units).mol.GetAtoms())
        assert abs(mass - 1000.0) <= unit.mass / 2 + 0.1  # 0.1: rounded atomic weights


def test_a_ring_has_no_ends_and_every_unit_alike():
    circle = ring(parse_unit("*OCC(C)*"), 6)
    ranks = np.array(Chem.CanonicalRankAtoms(circle, breakTies=False)).reshape(6, 4)
    assert circle.GetNumAtoms() == 24
    assert (ranks == ranks[0]).all()


def test_chains_differ_in_shape_and_unmarked_centres_are_random():
    mol = oligomer(parse_unit("*OCC(C)*"), 5).mol  # the last unit ends in isopropyl: four centres
    shapes = conformers(mol, 4, seed=3)
    assert np.abs(shapes.mean(axis=1)).max() < 1e-9  # centred, float64
    hands = []
    for shape in shapes:
        placed = Chem.Mol(mol)
        conformer = Chem.Conformer(mol.GetNumAtoms())
        conformer.SetPositions(shape)
        placed.AddConformer(conformer)
        Chem.AssignStereochemistryFrom3D(placed)
        hands += [hand for _, hand in Chem.FindMolChiralCenters(placed, useLegacyImplementation=False)]
    # 16 fair centres: all alike with probability 2^-15, and the seed is fixed.
    assert len(hands) == 16
    assert set(hands) == {"R", "S"}
    assert np.array_equal(shapes, conformers(mol, 4, seed=3))
    assert not np.array_equal(shapes, conformers(mol, 4, seed=4))


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("nonsense", "RDKit cannot read"),
        ("", "RDKit cannot read"),
        ("CCO", "has 0 ends"),
        ("*CCO", "has 1 ends"),
        ("*CC(*)O*", "has 3 ends"),
        ("**", "one connected group"),
        ("*OCC*.O", "one connected group"),
        ("*=CC=*", "one single bond"),
        ("*C[N+](C)(C)C*", r"atom 2 \(N\) has a charge"),
        ("*C[CH]*", r"atom 2 \(C\) has an open valence"),
    ],
)
def test_a_unit_that_cannot_be_used_is_refused_in_one_line(smiles, message, capfd):
    with pytest.raises(InputError, match=message) as caught:
        parse_unit(smiles)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""  # RDKit's own log stays silent


def test_a_syndiotactic_unit_is_refused():
    with pytest.raises(InputError, match="stereochemistry only"):
        _ = parse_unit("*O[C@H](C)C(=O)O[C@@H](C)C(=O)*").key
