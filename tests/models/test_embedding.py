from dataclasses import replace

import numpy as np
import pytest
import torch
from systems import TFSI, bead_spring, electrolyte, glyme, join, molecule, random_model

from cgsim.errors import InputError
from cgsim.mapping import Mapping, MappingSettings, partition
from cgsim.models.embedding import AtomGraph, EmbeddingSettings, Vocabulary, atom_types, surroundings
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.models.model import ModelSettings
from cgsim.trajectory import System

MAPPING = MappingSettings()
SETTINGS = ModelSettings(
    lag_time=1.0, embedding=EmbeddingSettings(type_size=4, latent=8, n_steps=4, size=5), history_offsets=(0,)
)


def test_atom_types_are_element_and_number_of_bonds():
    assert atom_types(molecule("C=O")) == ["C3", "O1", "H1", "H1"]
    assert atom_types(molecule("[Li+]")) == ["Li0"]
    assert atom_types(molecule("[H][H]")) == ["H1", "H1"]


def test_atom_types_do_not_depend_on_the_names_that_a_force_field_gives():
    atoms = electrolyte()
    renamed = replace(
        atoms,
        type_names=tuple(f"opls_{k}" for k in range(len(atoms.type_names))),
        names=tuple(f"X{k}" for k in range(atoms.n_particles)),
    )
    finer = replace(
        atoms,
        particle_type=np.arange(atoms.n_particles),
        type_names=tuple(f"t{k}" for k in range(atoms.n_particles)),
    )
    expected = Vocabulary.of([atoms])
    assert Vocabulary.of([renamed]) == expected
    assert Vocabulary.of([finer]) == expected


def test_beads_without_an_element_keep_the_names_of_the_topology():
    chain = bead_spring(4, type_names=("backbone", "side"))
    assert atom_types(chain) == ["backbone", "side", "backbone", "side"]
    vocabulary = Vocabulary.of([chain])
    assert vocabulary.atom_types == ("backbone", "side")
    assert vocabulary.bond_types == ("backbone-side",)


def test_vocabulary_does_not_depend_on_the_order_of_systems_and_bonds():
    first, second = molecule(glyme(3)), molecule(TFSI)
    flipped = replace(second, bond_index=second.bond_index[:, ::-1].copy())
    a, b = Vocabulary.of([first, second]), Vocabulary.of([flipped, first])
    assert a.atom_types == b.atom_types
    assert a.bond_types == b.bond_types
    assert "C4-H1" in a.bond_types
    assert a.mean_mass == pytest.approx(b.mean_mass, rel=1e-12)


def test_surroundings_tell_groups_apart_that_atom_types_do_not():
    ether, acetal = molecule(glyme(3)), molecule("COCOC")
    assert Vocabulary.of([ether]).atom_types == Vocabulary.of([acetal]).atom_types
    assert surroundings(["C3", "O1", "H1", "H1"], [(1, 0), (0, 2), (3, 0)]) == [
        "C3 (H1 H1 O1)", "O1 (C3)", "H1 (C3)", "H1 (C3)",
    ]  # fmt: skip
    assert Vocabulary.of([molecule("C=O")]).surroundings == ("C3 (H1 H1 O1)", "H1 (C3)", "O1 (C3)")
    assert Vocabulary.of([molecule("C=O"), molecule("[Li+]")]).surroundings[-2:] == ("Li0 ()", "O1 (C3)")
    assert Vocabulary.of([ether]).unfamiliar(join([ether, acetal, acetal])) == {"C4 (H1 H1 O2 O2)": 2}
    assert Vocabulary.of([ether, acetal]).unfamiliar(join([acetal, ether])) == {}
    flipped = replace(acetal, bond_index=acetal.bond_index[::-1].copy())
    assert Vocabulary.of([flipped]).surroundings == Vocabulary.of([acetal]).surroundings


def test_commonest_unfamiliar_surroundings_come_first_and_models_that_kept_none_are_silent():
    ether, ester = molecule(glyme(3)), molecule("CC(=O)OC")
    known = replace(Vocabulary.of([ether, ester]), surroundings=Vocabulary.of([ether]).surroundings)
    found = known.unfamiliar(join([ester, ester, ether]))
    assert found == {"C4 (C3 H1 H1 H1)": 2, "C3 (C4 O1 O2)": 2, "O1 (C3)": 2, "O2 (C3 C4)": 2}
    assert replace(known, surroundings=()).unfamiliar(ester) == {}


def test_unknown_atom_types_are_refused_by_name():
    vocabulary = Vocabulary.of([molecule(glyme(4))])
    atoms = join([molecule(glyme(4)), molecule(TFSI)])
    with pytest.raises(InputError) as error:
        AtomGraph.of(atoms, partition(atoms, MAPPING), vocabulary, "salt.h5")
    assert str(error.value) == (
        "salt.h5: atom type 'F1' (element and number of bonds) is unknown to the model, which knows "
        "C4, H1, O2; train on systems that contain F1, N2, O1, S4, from the beginning or from this model on "
        "(start_from)"
    )


def test_unknown_species_is_refused_by_name():
    known = electrolyte()
    vocabulary = Vocabulary.of([known])
    other = join([molecule(glyme(6)), molecule("COCCOC")])
    mapping = partition(other, MAPPING)
    with pytest.raises(InputError) as error:
        SystemInputs.of(other, mapping, np.zeros((3, 3)), vocabulary, partition(known, MAPPING).class_names, "b.h5")
    assert str(error.value).startswith("b.h5: species 'C4H10O2' is unknown to the model")


def test_pair_of_known_atoms_never_seen_bonded_is_let_through_as_an_unknown_bond():
    vocabulary = Vocabulary.of([molecule("CO"), molecule("CC")])
    peroxide = molecule("COOC")
    graph = AtomGraph.of(peroxide, partition(peroxide, MAPPING), vocabulary, "x")
    unknown = [i for i, (a, b) in enumerate(peroxide.bond_index.T) if {a, b} == {1, 2}]
    assert graph.bond_type[unknown].tolist() == [0]
    assert (graph.bond_type == 0).sum() == 1


def test_embedding_is_the_same_for_the_same_chemistry_and_differs_for_another():
    atoms = join([molecule(glyme(8)), molecule(glyme(8)), molecule(TFSI)])
    model = random_model(SETTINGS, [atoms], MAPPING)
    mapping = partition(atoms, MAPPING)
    with torch.no_grad():
        beads = model.embedding(AtomGraph.of(atoms, mapping, model.vocabulary, "x")).beads
    n = int((mapping.molecule_id == 0).sum())
    # float32 sums of a few dozen numbers of order 1 in another order: 1e-5.
    torch.testing.assert_close(beads[n : 2 * n], beads[:n], atol=1e-5, rtol=1e-5)
    assert (beads[-1] - beads[:n]).abs().amax(dim=-1).min() > 1e-2
    # Four steps of messages reach four bonds: chain ends differ from the middle.
    assert (beads[0] - beads[n // 2]).abs().max() > 1e-3


def three_heavy_atoms_a_bead(first: int, units: int = 14) -> tuple[System, Mapping]:
    """CH3-O-(CH2-CH2-O)n-CH3 cut after so many heavy atoms and then every three; hydrogens go with their carbons."""
    atoms = molecule(f"CO{'CCO' * units}C")
    heavy = np.flatnonzero(atoms.atomic_numbers > 1)
    bead = np.zeros(atoms.n_particles, dtype=np.int64)
    bead[heavy] = (np.arange(len(heavy)) + 3 - first) // 3
    for i, j in atoms.bond_index.T:
        h, parent = (i, j) if atoms.atomic_numbers[i] == 1 else (j, i)
        if atoms.atomic_numbers[h] == 1:
            bead[h] = bead[parent]
    n = int(bead.max()) + 1
    return atoms, Mapping.from_parts(atoms, bead, ("ether",), np.zeros(n, dtype=np.int64))


@pytest.mark.parametrize(("boundaries", "bond_size"), [(False, 0), (True, 0), (False, 3), (True, 3)])
def test_where_a_chain_is_cut_is_seen_by_what_knows_bonds_between_beads_and_by_nothing_else(boundaries, bond_size):
    chemistry = SETTINGS.embedding.model_copy(update={"boundaries": boundaries, "bond_size": bond_size})
    settings = SETTINGS.model_copy(update={"embedding": chemistry})
    made = {}
    for name, first in {"C-O": 2, "C-C": 3}.items():
        atoms, mapping = three_heavy_atoms_a_bead(first)
        model = random_model(settings, [atoms], MAPPING)
        with torch.no_grad():
            found = model.embedding(AtomGraph.of(atoms, mapping, model.vocabulary, "x"))
        assert found.bonds.shape == (2, mapping.n_beads - 1, bond_size)
        made[name] = found.beads[7], found.bonds[:, 7]  # too far from the ends for four rounds of messages
    # All beads have two carbons, four hydrogens and an oxygen, with the same neighbours.
    assert torch.allclose(made["C-O"][0], made["C-C"][0], atol=1e-5) == (not boundaries)
    if bond_size:
        one, other = made["C-O"][1]
        assert (one - other).abs().max() > 1e-3  # carbon and oxygen see their bond differently
        one, other = made["C-C"][1]
        assert torch.allclose(one, other, atol=1e-5)  # the chain is the same in both directions
        assert (made["C-O"][1] - made["C-C"][1]).abs().max() > 1e-3


def test_bond_between_beads_is_embedded_alike_whatever_the_order_of_beads_and_atoms():
    atoms, mapping = three_heavy_atoms_a_bead(2)
    chemistry = SETTINGS.embedding.model_copy(update={"boundaries": True, "bond_size": 3})
    model = random_model(SETTINGS.model_copy(update={"embedding": chemistry}), [atoms], MAPPING)
    n = mapping.n_beads
    mixed = np.random.default_rng(0).permutation(n)
    other = Mapping.from_parts(atoms, mixed[mapping.bead_of_atom], mapping.class_names, mapping.bead_class)
    with torch.no_grad():
        first, second = (model.embedding(AtomGraph.of(atoms, m, model.vocabulary, "x")) for m in (mapping, other))
    torch.testing.assert_close(second.beads[mixed], first.beads)
    seen = {}
    for k, (i, j) in enumerate(other.bond_index.T.tolist()):
        seen[i, j], seen[j, i] = second.bonds[0, k], second.bonds[1, k]
    for k, (i, j) in enumerate(mapping.bond_index.T):
        torch.testing.assert_close(seen[mixed[i], mixed[j]], first.bonds[0, k])
        torch.testing.assert_close(seen[mixed[j], mixed[i]], first.bonds[1, k])


def test_batch_embeds_each_distinct_system_once_and_repeats_it():
    systems = [electrolyte(1, 3, 1), electrolyte(2, 4, 1)]
    chemistry = SETTINGS.embedding.model_copy(update={"bond_size": 3})
    model = random_model(SETTINGS.model_copy(update={"embedding": chemistry}), systems, MAPPING)
    inputs = [
        SystemInputs.of(a, partition(a, MAPPING), np.eye(3) * 20.0, model.vocabulary, model.scales.class_names, "x")
        for a in systems
    ]
    embedded = []
    model.embedding.register_forward_hook(lambda _, args, __: embedded.append(args[0].n_beads))
    batch = make_batch(inputs, [1, 0, 1, 1], model.embedding)
    sizes = [i.n_beads for i in inputs]
    assert embedded == [sum(sizes)]
    assert batch.sizes == (sizes[1], sizes[0], sizes[1], sizes[1])
    n_bonds = [inputs[k].bond_index.shape[1] for k in (1, 0, 1, 1)]
    first, second, third, _ = batch.bond_embedding.split(n_bonds, dim=1)
    assert torch.equal(third, first)
    assert not torch.equal(second, first[:, : n_bonds[1]])
    for name in ("embedding", "masses", "bead_class"):
        first, _, third, fourth = getattr(batch, name).split(list(batch.sizes))
        torch.testing.assert_close(third, first, atol=0, rtol=0)
        torch.testing.assert_close(fourth, first, atol=0, rtol=0)
    assert batch.graph_index[batch.bond_index[0]].tolist() == batch.graph_index[batch.bond_index[1]].tolist()
