import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import LITHIUM, TFSI, bead_spring, electrolyte, glyme, join, molecule

from cgsim.errors import InputError
from cgsim.mapping import Mapping, MappingSettings, partition
from cgsim.trajectory import System
from cgsim.units import UnitSystem

DEFAULT = MappingSettings()


def tree(parents: list[int]) -> System:
    """A molecule of carbon atoms whose bonds are a tree: atom i + 1 is bonded to ``parents[i]``."""
    n = len(parents) + 1
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.zeros(n, dtype=np.int64),
        type_names=("C",),
        names=("C",) * n,
        atomic_numbers=np.full(n, 6),
        masses=np.linspace(1.0, 20.0, n),
        charges=np.zeros(n),
        bond_index=np.array([parents, range(1, n)], dtype=np.int64).reshape(2, -1),
        molecule_id=np.zeros(n, dtype=np.int64),
    )


def random_tree(rng: np.random.Generator) -> System:
    """From stars to chains: every atom is bonded to one of the few before it."""
    n, reach = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    return tree([int(rng.integers(max(0, i + 1 - reach), i + 1)) for i in range(n - 1)])


def beads_of(mapping: Mapping) -> list[np.ndarray]:
    return [np.flatnonzero(mapping.bead_of_atom == bead) for bead in range(mapping.n_beads)]


def assert_contiguous(atoms: System, mapping: Mapping) -> None:
    graph = nx.Graph(atoms.bond_index.T.tolist())
    graph.add_nodes_from(range(atoms.n_particles))
    for bead, members in enumerate(beads_of(mapping)):
        assert len(members), f"bead {bead} is empty"
        assert nx.is_connected(graph.subgraph(members.tolist())), f"bead {bead} is in pieces"


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_every_molecule_is_cut_into_as_many_contiguous_beads_as_asked_for(seed):
    rng = np.random.default_rng(seed)
    atoms = random_tree(rng)
    n_beads = int(rng.integers(1, atoms.n_particles + 1))
    mapping = partition(atoms, MappingSettings(beads_per_molecule={"all": n_beads}))
    assert mapping.n_beads == n_beads
    assert_contiguous(atoms, mapping)
    first_atoms = [members[0] for members in beads_of(mapping)]
    assert first_atoms == sorted(first_atoms)


def test_linear_chain_gets_round_n_over_atoms_per_bead_beads_of_almost_equal_size():
    mapping = partition(bead_spring(100), MappingSettings(atoms_per_bead=10))
    sizes = np.bincount(mapping.bead_of_atom)
    assert mapping.n_beads == 10
    # METIS balances parts to 3 % of their total by default, and a part of 10 atoms may be one off.
    assert sizes.min() >= 8
    assert sizes.max() <= 12
    np.testing.assert_array_equal(mapping.bond_index, [np.arange(9), np.arange(1, 10)])


def test_ions_stay_single_beads_and_nothing_spans_molecules():
    atoms = electrolyte(n_chains=3, n_salt=4)
    mapping = partition(atoms, DEFAULT)
    for members in beads_of(mapping):
        assert len(set(atoms.molecule_id[members])) == 1
    for name, size in (("Li", 1), ("TFSI", 15)):
        beads = np.flatnonzero(mapping.bead_class == mapping.class_names.index(name))
        assert len(beads) == 4
        assert {len(np.flatnonzero(mapping.bead_of_atom == b)) for b in beads} == {size}
    assert_contiguous(atoms, mapping)
    n_atoms = molecule(glyme(6)).n_particles
    polymer = mapping.bead_class == mapping.class_names.index("polymer")
    assert polymer.sum() == 3 * round(n_atoms / 7)


def test_masses_charges_and_bonds_of_beads_are_those_of_their_atoms():
    atoms = electrolyte()
    mapping = partition(atoms, DEFAULT)
    for bead, members in enumerate(beads_of(mapping)):
        assert mapping.masses[bead] == pytest.approx(atoms.masses[members].sum(), rel=1e-12)
        assert mapping.charges[bead] == pytest.approx(atoms.charges[members].sum(), abs=1e-12)
        assert set(atoms.molecule_id[members]) == {mapping.molecule_id[bead]}
    crossing = {tuple(sorted(mapping.bead_of_atom[pair])) for pair in atoms.bond_index.T}
    expected = sorted(pair for pair in crossing if pair[0] != pair[1])
    assert list(map(tuple, mapping.bond_index.T.tolist())) == expected


def test_identical_molecules_are_cut_alike_however_their_bonds_are_listed():
    first = molecule(glyme(8))
    rng = np.random.default_rng(0)
    shuffled = System(**{**vars(first), "bond_index": first.bond_index[:, rng.permutation(first.bond_index.shape[1])]})
    mapping = partition(join([first, molecule(LITHIUM), shuffled, first]), DEFAULT)
    n = first.n_particles
    per_molecule = [mapping.bead_of_atom[start : start + n] for start in (0, n + 1, 2 * n + 1)]
    for parts in per_molecule[1:]:
        np.testing.assert_array_equal(parts - parts.min(), per_molecule[0])


def test_molecule_whose_atoms_are_scattered_over_the_file_is_still_one_molecule():
    chain = electrolyte(n_chains=1, n_salt=1)
    order = np.random.default_rng(1).permutation(chain.n_particles)
    scattered = chain.select(order)
    mapping = partition(scattered, DEFAULT)
    assert_contiguous(scattered, mapping)
    assert sorted(np.bincount(mapping.bead_class)) == sorted(np.bincount(partition(chain, DEFAULT).bead_class))


def test_chain_whose_rounded_charges_do_not_quite_cancel_is_no_ion():
    chain = molecule(glyme(6))
    charged = System(**{**vars(chain), "charges": chain.charges + 0.02 / chain.n_particles})
    assert partition(charged, DEFAULT).n_beads == round(chain.n_particles / 7)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"ions": 1}, {"polymer": 7, "Li": 1, "TFSI": 1}),
        ({}, {"polymer": 7, "Li": 1, "TFSI": 2}),
        ({"TFSI": 2}, {"polymer": 7, "Li": 1, "TFSI": 2}),
        ({"TFSI": 3, "ions": 1}, {"polymer": 7, "Li": 1, "TFSI": 3}),
        ({"all": 1}, {"polymer": 1, "Li": 1, "TFSI": 1}),
        ({"polymer": 3, "all": 1}, {"polymer": 3, "Li": 1, "TFSI": 1}),
        ({"ions": 1, "all": 2}, {"polymer": 2, "Li": 1, "TFSI": 1}),
    ],
    ids=str,
)
def test_rules_name_a_species_or_all_ions_or_everything_and_the_narrowest_wins(rules, expected):
    atoms = join([molecule(glyme(6)), molecule(LITHIUM), molecule(TFSI)])
    mapping = partition(atoms, MappingSettings(beads_per_molecule=rules))
    found = {name: int((mapping.bead_class == k).sum()) for k, name in enumerate(mapping.class_names)}
    assert found == expected


def test_molecule_without_bonds_is_one_bead_or_refused():
    water = molecule("O")
    loose = join([System(**{**vars(water), "bond_index": np.empty((2, 0), dtype=np.int64)}), molecule(LITHIUM)])
    assert partition(loose, DEFAULT).n_beads == 2
    with pytest.raises(InputError) as error:
        partition(loose, MappingSettings(beads_per_molecule={"water": 2}))
    assert str(error.value) == (
        "molecule 1 (water) is in 3 pieces without bonds between them and cannot be cut into 2 contiguous beads: "
        "import it with its bonds, or make it one bead with beads_per_molecule"
    )


def test_molecule_that_maps_to_one_bead_has_no_bonds_and_keeps_its_centre_of_mass():
    atoms = molecule(TFSI)
    mapping = partition(atoms, DEFAULT)
    assert mapping.n_beads == 1
    assert mapping.bond_index.shape == (2, 0)
    positions = np.random.default_rng(0).normal(size=(2, atoms.n_particles, 3))
    expected = np.average(positions, axis=1, weights=atoms.masses)[:, None]
    np.testing.assert_allclose(mapping.map_positions(positions), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"TFS": 1}, "beads_per_molecule names 'TFS', which this system does not have; did you mean 'TFSI'?"),
        ({"Li": 2}, "beads_per_molecule: 'Li' has 1 atoms and cannot become 2 beads"),
        ({"TFSI": 0}, "beads_per_molecule: 'TFSI' has 15 atoms and cannot become 0 beads"),
    ],
    ids=["unknown species", "more beads than atoms", "no bead"],
)
def test_rule_that_cannot_hold_is_refused(rule, message):
    with pytest.raises(InputError) as error:
        partition(electrolyte(), MappingSettings(beads_per_molecule=rule))
    assert str(error.value) == message
