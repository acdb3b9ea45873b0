import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from systems import TRICLINIC, electrolyte, molecule, shaking_molecules

from cgsim.errors import InputError
from cgsim.mapping import Mapping, MappingSettings, partition

ATOMS = electrolyte()


def assert_same(found: Mapping, expected: Mapping) -> None:
    assert found.hash == expected.hash
    assert (found.mapping_weights != expected.mapping_weights).nnz == 0
    assert found.class_names == expected.class_names
    for name in ("masses", "charges", "bond_index", "bead_class", "molecule_id", "bead_of_atom"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@given(atoms_per_bead=st.integers(1, 60), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_mapping_conserves_mass_charge_momentum_and_centre_of_mass(atoms_per_bead, seed):
    mapping = partition(ATOMS, MappingSettings(atoms_per_bead=atoms_per_bead))
    atoms = shaking_molecules(ATOMS, TRICLINIC, 2, drift=1.0, rattle=1.0, seed=seed)
    beads = mapping.map_positions(atoms)
    # Sums of some hundred doubles of order 1000: rounding stays below 1e-9.
    assert mapping.masses.sum() == pytest.approx(ATOMS.masses.sum(), abs=1e-9)
    assert mapping.charges.sum() == pytest.approx(ATOMS.charges.sum(), abs=1e-9)
    moments = np.einsum("a,fax->fx", ATOMS.masses, atoms)
    np.testing.assert_allclose(np.einsum("b,fbx->fx", mapping.masses, beads), moments, atol=1e-8)
    momentum = np.diff(moments, axis=0)
    np.testing.assert_allclose(np.diff(np.einsum("b,fbx->fx", mapping.masses, beads), axis=0), momentum, atol=1e-8)


def test_bead_system_has_the_molecules_and_species_of_the_atoms():
    mapping = partition(ATOMS, MappingSettings())
    beads = mapping.bead_system(ATOMS)
    assert beads.units is ATOMS.units
    assert beads.n_molecules == ATOMS.n_molecules
    assert not beads.atomic_numbers.any()
    np.testing.assert_allclose(
        np.bincount(beads.molecule_id, weights=beads.charges),
        np.bincount(ATOMS.molecule_id, weights=ATOMS.charges),
        atol=1e-12,
    )


@pytest.mark.parametrize("system", [ATOMS, molecule("[Li+]")], ids=["electrolyte", "one ion"])
def test_saved_mapping_is_the_same_to_the_last_bit(tmp_path, system):
    mapping = partition(system, MappingSettings())
    mapping.save(tmp_path / "mapping.json")
    assert_same(Mapping.load(tmp_path / "mapping.json"), mapping)
    assert [f.name for f in tmp_path.iterdir()] == ["mapping.json"]


def test_hash_tells_mappings_apart():
    mapping = partition(ATOMS, MappingSettings())
    assert partition(ATOMS, MappingSettings()).hash == mapping.hash
    assert partition(ATOMS, MappingSettings(atoms_per_bead=8)).hash != mapping.hash
    renamed = replace(mapping, class_names=tuple(name.lower() for name in mapping.class_names))
    assert renamed.hash != mapping.hash


def _move_an_atom(document):
    document["row"][0] = document["row"][-1]


def _change_a_weight(document):
    document["weight"][0] *= 1.0 + 1e-15


def _change_a_charge(document):
    document["charges"][0] += 1e-9


def _drop_a_key(document):
    del document["molecule_id"]


@pytest.mark.parametrize("tamper", [_move_an_atom, _change_a_weight, _change_a_charge, _drop_a_key])
def test_changed_mapping_is_refused(tamper):
    mapping = partition(ATOMS, MappingSettings())
    document = json.loads(json.dumps(mapping.to_document()))
    tamper(document)
    with pytest.raises(InputError, match=r"^mapping.json: mapping hash is .*, expected .*: the file was changed$"):
        Mapping.from_document(document, "mapping.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a mapping (JSON written by cgsim)"),
        ("[1]", "not a mapping (JSON written by cgsim)"),
        ('{"masses": [1]}', "not a mapping (JSON written by cgsim)"),
        ('{"version": 99, "hash": "0"}', "mapping format 99, expected 1"),
    ],
)
def test_file_that_is_no_mapping_is_refused(tmp_path, text, message):
    path = tmp_path / "mapping.json"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        Mapping.load(path)
    assert str(error.value) == f"{path}: {message}"


def test_missing_mapping_is_refused(tmp_path):
    with pytest.raises(InputError) as error:
        Mapping.load(tmp_path / "none.json")
    assert str(error.value) == f"{tmp_path / 'none.json'}: no such file"


def test_mapping_of_other_atoms_is_refused():
    mapping = partition(ATOMS, MappingSettings())
    with pytest.raises(InputError) as error:
        mapping.map_positions(np.zeros((1, 3, 3)))
    assert str(error.value) == f"mapping is for {ATOMS.n_particles} atoms, the trajectory has 3"


def test_empty_bead_is_refused():
    mapping = partition(ATOMS, MappingSettings())
    emptied = mapping.mapping_weights.toarray()
    emptied[3] = 0.0
    with pytest.raises(InputError, match=r"^weights of bead 4 sum to 0, expected 1"):
        replace(mapping, mapping_weights=sparse.csr_array(emptied))
