from dataclasses import replace

import numpy as np
import pytest
from small_stores import chains, salt

from cgsim.analysis.naming import Naming
from cgsim.analysis.selection import (
    all_species,
    default_pairs,
    formal_charge,
    radial_selections,
)
from cgsim.errors import InputError
from cgsim.trajectory import System
from cgsim.trajectory.species import molecule_species
from cgsim.units import UnitSystem

# element, bonds to earlier atoms of the molecule
TFSI = [(7, []), (16, [0]), (16, [0]), (8, [1]), (8, [1]), (8, [2]), (8, [2]), (6, [1]), (6, [2]),
        (9, [7]), (9, [7]), (9, [7]), (9, [8]), (9, [8]), (9, [8])]  # fmt: skip
PF6 = [(9, []), (15, [0]), (9, [1]), (9, [1]), (9, [1]), (9, [1]), (9, [1])]
WATER = [(1, []), (8, [0]), (1, [1])]
LITHIUM = [(3, [])]


def ether(units: int) -> list[tuple[int, list[int]]]:
    """CH3-(OCH2CH2)n-H, heavy atoms first."""
    heavy = [6] + [8, 6, 6] * units
    atoms = [(z, [k - 1] if k else []) for k, z in enumerate(heavy)]
    hydrogens = [k for k, z in enumerate(heavy) for _ in range(2 * (z == 6) + (k in (0, len(heavy) - 1)))]
    return atoms + [(1, [k]) for k in hydrogens]


def system_of(*molecules: tuple[list[tuple[int, list[int]]], float]) -> System:
    """A system of molecules with their net charges, spread evenly over their atoms."""
    numbers: list[int] = []
    bonds: list[tuple[int, int]] = []
    charges: list[float] = []
    molecule: list[int] = []
    for k, (atoms, charge) in enumerate(molecules):
        first = len(numbers)
        bonds += [(first + j, first + i) for i, (_, partners) in enumerate(atoms) for j in partners]
        numbers += [z for z, _ in atoms]
        charges += [charge / len(atoms)] * len(atoms)
        molecule += [k] * len(atoms)
    kinds = sorted(set(numbers))
    n = len(numbers)
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.array([kinds.index(z) for z in numbers]),
        type_names=tuple(str(z) for z in kinds),
        names=("x",) * n,
        atomic_numbers=np.array(numbers),
        masses=2.0 * np.array(numbers, dtype=np.float64),
        charges=np.array(charges),
        bond_index=np.array(bonds, dtype=np.int64).reshape(-1, 2).T.copy(),
        molecule_id=np.array(molecule),
    )


@pytest.fixture(scope="module")
def electrolyte() -> System:
    return system_of(
        (ether(5), 0.01), (ether(7), -0.01), (LITHIUM, 0.7), (TFSI, -0.7), (WATER, 0.0), (PF6, -1.0), (LITHIUM, 0.7)
    )


def test_molecules_are_named_by_what_they_are(electrolyte: System) -> None:
    names, of_molecule = molecule_species(electrolyte)
    assert names == ["polymer", "Li", "TFSI", "water", "PF6"]
    np.testing.assert_array_equal(of_molecule, [0, 0, 1, 2, 3, 4, 1])


def test_unknown_small_molecules_are_named_by_their_formula() -> None:
    assert molecule_species(system_of((ether(1), 0.0)))[0] == ["C3H8O"]


@pytest.mark.parametrize(("beads", "names"), [(True, ["Na", "Cl"]), (False, ["Na", "Cl"])])
def test_ions_are_named_alike_as_atoms_and_as_beads(beads: bool, names: list[str]) -> None:
    assert molecule_species(salt(3, beads=beads))[0] == names


def test_chains_of_unnamed_beads_are_polymers_and_single_ones_have_their_type() -> None:
    assert molecule_species(chains(2, 5))[0] == ["polymer"]
    assert molecule_species(chains(2, 1))[0] == ["1"]


def test_tracers_are_the_centres_of_ions_and_the_heteroatoms_of_chains(electrolyte: System) -> None:
    species = {s.name: s for s in all_species(electrolyte)}
    assert list(electrolyte.atomic_numbers[species["TFSI"].tracers]) == [7]
    assert list(electrolyte.atomic_numbers[species["PF6"].tracers]) == [15]
    assert list(electrolyte.atomic_numbers[species["polymer"].tracers]) == [8] * 12
    assert len(species["Li"].tracers) == 2
    assert [species[name].charge for name in ("Li", "TFSI", "PF6", "polymer")] == [1, -1, -1, 0]


def test_sites_of_an_ion_are_what_a_cation_touches(electrolyte: System) -> None:
    species = {s.name: s for s in all_species(electrolyte)}
    assert sorted(electrolyte.atomic_numbers[species["TFSI"].sites]) == [7, 8, 8, 8, 8, 16, 16]
    assert set(electrolyte.atomic_numbers[species["PF6"].sites]) == {9}


def test_ends_of_a_chain_are_heavy_atoms(electrolyte: System) -> None:
    polymer = all_species(electrolyte)[0]
    assert not polymer.are_identical
    assert set(polymer.ends[0]) == {0, 15}
    assert electrolyte.atomic_numbers[polymer.ends].max() == 6


@pytest.mark.parametrize(("net", "formal"), [(0.7, 1.0), (-0.75, -1.0), (1.5, 2.0), (-2.0, -2.0), (0.1, 0.0)])
def test_scaled_charges_count_as_whole_ones(net: float, formal: float) -> None:
    assert formal_charge(net) == formal


def test_default_pairs_look_at_what_surrounds_the_cation(electrolyte: System) -> None:
    species = all_species(electrolyte)
    selections = radial_selections(electrolyte, species)
    assert selections["TFSI.O"].sum() == 4
    pairs = default_pairs(electrolyte, species, selections)
    assert ("Li", "polymer.O") in pairs
    assert ("Li", "PF6.F") in pairs
    assert ("Li", "TFSI.F") not in pairs
    assert ("Li", "TFSI.N") not in pairs  # the same particles as ("Li", "TFSI")
    assert len(pairs) == len(set(pairs))


def test_bead_classes_are_paired_with_each_other() -> None:
    system = salt(3, beads=True)
    selections = radial_selections(system, all_species(system))
    assert default_pairs(system, all_species(system), selections) == [("Na", "Na"), ("Na", "Cl"), ("Cl", "Cl")]


def test_a_pair_of_no_particles_names_the_nearest(electrolyte: System) -> None:
    naming = Naming(electrolyte, all_species(electrolyte))
    assert naming.parse_pair("Li:polymer.O") == ("Li", "polymer.O")
    with pytest.raises(InputError, match=r"no particles 'polymer\.0'; did you mean 'polymer\.O'"):
        naming.parse_pair("Li:polymer.0")
    with pytest.raises(InputError, match="expected two selections"):
        naming.parse_pair("Li")


@pytest.mark.parametrize(
    ("text", "elements", "molecules"),
    [
        ("Li", {3}, {2, 6}),
        ("TFSI", {7}, {3}),  # an ion by its central atom
        ("species=TFSI", {6, 7, 8, 9, 16}, {3}),
        ("species=TFSI,PF6", {6, 7, 8, 9, 15, 16}, {3, 5}),
        ("polymer", {1, 6, 8}, {0, 1}),  # no name of ours: all of the species
        ("polymer.O", {8}, {0, 1}),
        ("O", {8}, {0, 1, 3, 4}),
        ("element=O,S", {8, 16}, {0, 1, 3, 4}),
        ("TFSI.C", {6}, {3}),
        ("water.element=H", {1}, {4}),
        ("TFSI.name=x", {6, 7, 8, 9, 16}, {3}),
        ("name=*", {1, 3, 6, 7, 8, 9, 15, 16}, {0, 1, 2, 3, 4, 5, 6}),
        ("type=1?", {15, 16}, {3, 5}),  # types are called by their atomic number here
        ("all", {1, 3, 6, 7, 8, 9, 15, 16}, {0, 1, 2, 3, 4, 5, 6}),
        ("TFSI.K", set(), set()),
        ("element=Cl", set(), set()),
    ],
)
def test_selections_are_by_species_element_type_and_name(
    electrolyte: System, text: str, elements: set[int], molecules: set[int]
) -> None:
    chosen = Naming(electrolyte, all_species(electrolyte)).select(text)
    assert set(electrolyte.atomic_numbers[chosen].tolist()) == elements
    assert set(electrolyte.molecule_id[chosen].tolist()) == molecules


def test_a_chain_without_bonds_has_neither_ends_nor_backbone(electrolyte: System) -> None:
    polymer = all_species(electrolyte)[0]
    assert polymer.are_bonded
    assert len(polymer.backbones[0]) == 16  # carbons and oxygens of CH3-(OCH2CH2)5-H
    assert electrolyte.atomic_numbers[polymer.backbones[0]].min() == 6
    loose = replace(electrolyte, bond_index=np.zeros((2, 0), dtype=np.int64))
    assert not all_species(loose)[0].are_bonded
