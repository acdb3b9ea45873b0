import numpy as np
import pytest

from cgsim.errors import InputError
from cgsim.reference.electrolyte import antechamber, charges
from cgsim.reference.electrolyte.build import chain_topology
from cgsim.reference.electrolyte.charges import (
    charge_table,
    gasteiger_unit_charges,
    make_unit_charges,
    unit_charges,
)
from cgsim.reference.electrolyte.make_charge_table import UNITS, write_table
from cgsim.reference.electrolyte.repeat_unit import oligomer, parse_unit

NEW_ETHER = "*OCCOCCCCC*"
NEW_ESTER = "*OC(=O)CCCCCCC*"


@pytest.fixture
def no_antechamber(monkeypatch):
    monkeypatch.setattr(charges, "find_antechamber", lambda: None)


@pytest.fixture
def has_antechamber():
    # AmberTools is on conda only; acpype brings it from PyPI, but under the GPL and in need of a library of the system.
    if antechamber.find_antechamber() is None:
        pytest.skip(f"antechamber makes AM1-BCC charges: {antechamber.INSTALL}")


def _by_element(topology):
    return {
        number: topology.charges[topology.atomic_numbers == number] for number in np.unique(topology.atomic_numbers)
    }


def test_the_table_has_the_common_electrolyte_polymers():
    wanted = ["*OCC*", "*OCC(C)*", "*OCCC*", "*OCCCC*", "*OCOCC*", "*OCC(COCC)*", "*OCOCCOCC*", "*OCOCCC*",
              "*OC(=O)OCC(C)*", "*OC(=O)OCC*", "*OC(=O)OCCC*", "*OC(=O)CCCCC*", "*OC(=O)CCC(=O)OCC*", "*OCCOCC(=O)*",
              "*CC(OC(C)=O)*", "*CC(C)(C(=O)OCCOC)*", "*OCC(COCCOC)*", "*CC(OCCOC)*", "*OC(C)C(=O)*", "*OCC(=O)*",
              "*CC(C#N)*"]  # fmt: skip
    table = charge_table()
    for smiles in wanted:
        assert parse_unit(smiles).key in table, smiles


def test_the_table_holds_what_its_command_makes():
    table = charge_table()
    assert len(table) == len(UNITS)  # no two entries are the same polymer
    for name, smiles in UNITS.items():
        entry = table[parse_unit(smiles).key]
        assert entry.name == name
        assert parse_unit(entry.smiles).directed == parse_unit(smiles).directed
        assert len(entry.heavy) == len(entry.hydrogen) == 3 * parse_unit(smiles).heavy_atoms + 2


@pytest.mark.parametrize("smiles", [e.smiles for e in charge_table().values()])
def test_every_unit_of_the_table_makes_a_neutral_chain_with_neutral_units(smiles):
    chain = chain_topology(smiles, 5)
    assert abs(chain.charge) < 1e-9  # sums of numbers with six decimals
    per_unit = np.bincount(chain.unit_index, weights=chain.charges)
    np.testing.assert_allclose(per_unit[1:-1], 0.0, atol=1e-9)


def test_charges_of_hydrogens_stand_at_atoms_that_have_some():
    """Atoms of a table and of the SMILES beside it are in one order."""
    for entry in charge_table().values():
        trimer = oligomer(parse_unit(entry.smiles), 3)
        has_hydrogens = np.bincount(trimer.heavy, minlength=trimer.n_heavy) > 1  # each counts itself
        np.testing.assert_array_equal(np.array(entry.hydrogen) != 0.0, has_hydrogens, err_msg=entry.name)


def test_conformations_and_the_middle_unit_agree_with_the_method():
    for entry in charge_table().values():
        # 0.035 e: the published size of the effect of the conformation on AM1 charges is a few hundredths
        assert entry.spread < 0.035
        assert abs(entry.residual) < 0.035


@pytest.mark.parametrize("smiles", ["*OCC(C)*", "*CC(C)O*", "*C(C)OC*", "*OCC(C)OCC(C)*"])
def test_rotated_reversed_and_doubled_units_find_the_entry_and_make_the_same_chain(smiles):
    reference, found = chain_topology("*OCC(C)*", 4), chain_topology(smiles, 4)
    assert found.type_names == reference.type_names
    for name in ("charges", "bonds", "angles", "dihedrals", "dihedral_parameters", "unit_index"):
        np.testing.assert_array_equal(getattr(found, name), getattr(reference, name))


def test_equivalent_atoms_of_an_endless_chain_have_equal_charges():
    chain = chain_topology("*OCC*", 7)
    middle = chain.unit_index == 3
    by_element = {n: chain.charges[middle & (chain.atomic_numbers == n)] for n in (1, 6, 8)}
    assert [len(by_element[n]) for n in (1, 6, 8)] == [4, 2, 1]
    for values in by_element.values():
        assert np.ptp(values) == 0


def test_charges_are_in_the_published_range():
    """AM1-BCC as in other people's tables: ether O about -0.42 e, carbonate C=O O -0.57 e and C 0.77 e."""
    ether, carbonate = chain_topology("*OCC*", 5), chain_topology("*OC(=O)OCC*", 5)
    # 0.01: the standard deviation over conformations is 0.02, the mean is over ten of them
    assert _by_element(ether)[8][2] == pytest.approx(-0.418, abs=0.01)
    types = np.array(carbonate.type_names)
    assert carbonate.charges[types == "o"][2] == pytest.approx(-0.568, abs=0.015)
    assert carbonate.charges[types == "c"][2] == pytest.approx(0.766, abs=0.015)
    assert carbonate.charges[types == "o"][2] < carbonate.charges[types == "os"][4] < 0


def test_longer_chains_repeat_the_middle_unit():
    short, long = chain_topology("*OCC(=O)*", 3), chain_topology("*OCC(=O)*", 6)
    for top in (short, long):
        assert top.charges[0] == short.charges[0]
    for unit in range(1, 5):
        np.testing.assert_array_equal(long.charges[long.unit_index == unit], short.charges[short.unit_index == 1])
    np.testing.assert_array_equal(long.charges[long.unit_index == 5], short.charges[short.unit_index == 2])


@pytest.mark.usefixtures("no_antechamber")
def test_without_antechamber_a_new_ether_gets_gasteiger_charges_and_a_warning():
    _, entry, source, warnings = unit_charges(parse_unit(NEW_ETHER))
    assert source == "Gasteiger"
    assert len(warnings) == 1
    assert "antechamber" in warnings[0]
    chain = oligomer(parse_unit(NEW_ETHER), 4)
    assert abs(entry.of_chain(chain).sum()) < 1e-9


def test_with_antechamber_a_new_unit_is_computed_once_for_its_own_atoms(monkeypatch):
    calls = []

    def computed(mol):
        calls.append(mol)
        return np.array([float(atom.GetAtomicNum() == 8) * -0.3 for atom in mol.GetAtoms()])

    monkeypatch.setattr(charges, "N_CONFORMERS", 2)
    monkeypatch.setattr(charges, "find_antechamber", lambda: antechamber.Path("antechamber"))
    monkeypatch.setattr(charges, "am1bcc_charges", computed)
    charges._computed.cache_clear()
    try:
        for _ in range(2):
            chain = chain_topology("*CCCCOC(C)CCO*", 3)
    finally:
        charges._computed.cache_clear()  # no other test shall see these
    assert len(calls) == 2
    oxygen = chain.atomic_numbers == 8
    assert chain.charges[oxygen].max() < chain.charges[~oxygen].min()


def test_gasteiger_charges_of_ethers_are_ten_per_cent_low():
    table = charge_table()[parse_unit("*OCC*").key]
    weak = gasteiger_unit_charges(parse_unit("*OCC*"))
    assert weak.heavy[4] / table.heavy[4] == pytest.approx(0.9, abs=0.03)


@pytest.mark.usefixtures("no_antechamber")
@pytest.mark.parametrize("smiles", [NEW_ESTER, "*OC(=O)OCCCC*", "*N(CC)CC*", "*CC(F)*", "*CC=CC*"])
def test_without_antechamber_anything_but_an_ether_is_refused(smiles):
    with pytest.raises(InputError, match=r"install.*acpype|conda install"):
        unit_charges(parse_unit(smiles))


def test_a_broken_antechamber_is_reported_in_one_line(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "antechamber"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'libarpack.so.2: cannot open shared object file' >&2\nexit 127\n")
    program.chmod(0o755)
    monkeypatch.setenv("AMBERHOME", str(tmp_path))
    monkeypatch.setattr(charges, "N_CONFORMERS", 1)
    assert antechamber.find_antechamber() == program
    with pytest.raises(InputError, match=r"libarpack\.so\.2.*install") as caught:
        make_unit_charges(parse_unit("*OCCOCCCCC*"), "new")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("has_antechamber")
def test_antechamber_gives_the_charges_of_the_table():
    made = make_unit_charges(parse_unit("*OC*"), "POM, poly(oxymethylene)")
    table = charge_table()[made.key]
    # The same conformations with the same RDKit; other versions may draw others: then within the spread.
    np.testing.assert_allclose(made.heavy, table.heavy, atol=0.02)


@pytest.mark.slow
@pytest.mark.usefixtures("has_antechamber")
def test_the_command_writes_a_table_that_reads_back(tmp_path, monkeypatch):
    monkeypatch.setattr("cgsim.reference.electrolyte.make_charge_table.UNITS", {"POM": "*OC*"})
    monkeypatch.setattr(charges, "N_CONFORMERS", 1)
    write_table(tmp_path / "charges.json")
    monkeypatch.setattr(charges, "files", lambda _: tmp_path)
    charge_table.cache_clear()
    try:
        (entry,) = charge_table().values()
        assert entry.name == "POM"
        assert abs(entry.of_chain(oligomer(parse_unit("*OC*"), 5)).sum()) < 1e-9
    finally:
        charge_table.cache_clear()
