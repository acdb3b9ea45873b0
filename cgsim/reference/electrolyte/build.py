"""From a repeat unit and a salt to everything in the box but where it is."""

import numpy as np
from rdkit import Chem

from cgsim.errors import InputError
from cgsim.reference.electrolyte.atom_types import gaff_types
from cgsim.reference.electrolyte.charges import unit_charges
from cgsim.reference.electrolyte.gaff import assign_bonded, integers, load_gaff
from cgsim.reference.electrolyte.ions import find_salt, ion_conformers, ion_topology, ion_types
from cgsim.reference.electrolyte.repeat_unit import conformers, oligomer, parse_unit, units_for_mass
from cgsim.reference.electrolyte.topology import AtomType, Component, Electrolyte, MoleculeTopology
from cgsim.typing import Array, Float64

POLYMER = "POL"
OXYGEN = 8


def build_electrolyte(
    smiles: str,
    salt: str,
    *,
    n_chains: int = 8,
    chain_mass: float = 1000.0,
    molality: float | None = 1.5,
    ion_pairs: int | None = None,
    charge_scale: float = 0.75,
    seed: int = 1,
) -> Electrolyte:
    """Chains, anions and cations with their force field and one random shape for each molecule.

    Args:
        smiles: repeat unit with two ends ``*``.
        salt: for example ``LiTFSI``.
        n_chains: number of chains.
        chain_mass: g/mol, rounded to whole repeat units.
        molality: mol of salt in a kg of polymer, rounded to whole ion pairs.
        ion_pairs: number of cations and of anions, instead of ``molality``.
        charge_scale: factor of the ions' charges.
        seed: of the shapes.

    Raises:
        InputError: if the unit, one of its atoms or the salt cannot be used, see the functions called here.
    """
    cation, anion = find_salt(salt)
    unit, n_units, charge_source, warnings = chain_plan(smiles, chain_mass)
    chain, mol = _chain(smiles, n_units)
    total = n_chains * chain.mass
    pairs = ion_pairs if ion_pairs is not None else max(1, round((molality or 0.0) * total / 1000))
    oxygens = n_chains * int((chain.atomic_numbers == OXYGEN).sum())
    # The streams of chains and ions do not depend on how many of the others there are.
    chain_seed, anion_seed = np.random.SeedSequence(seed).generate_state(2).tolist()
    components = (
        Component(chain, conformers(mol, n_chains, chain_seed)),
        Component(ion_topology(anion, charge_scale), ion_conformers(anion, pairs, anion_seed)),
        Component(ion_topology(cation, charge_scale), ion_conformers(cation, pairs, anion_seed)),
    )
    return Electrolyte(
        components=components,
        atom_types=(*chain_types(chain), *ion_types(anion), *ion_types(cation)),
        smiles=unit,
        salt=salt,
        n_units=n_units,
        charge_scale=charge_scale,
        charge_source=charge_source,
        molality=pairs / total * 1000,
        oxygens_per_cation=oxygens / pairs,
        warnings=warnings,
    )


def chain_plan(smiles: str, chain_mass: float) -> tuple[str, int, str, tuple[str, ...]]:
    """What the chains will be: unit as built, number of units, source of the charges, warnings. Builds nothing.

    Raises:
        InputError: if the unit cannot be read, typed or charged.
    """
    unit = parse_unit(smiles)
    gaff_types(oligomer(unit, 3).mol)
    unit, _, source, warnings = unit_charges(unit)
    return unit.smiles, units_for_mass(unit, chain_mass), source, warnings


def chain_topology(smiles: str, n_units: int) -> MoleculeTopology:
    """The force field of a chain of so many units with methyl ends.

    Raises:
        InputError: if the unit, an atom or a bonded term has no parameters, or there are fewer than two units.
    """
    return _chain(smiles, n_units)[0]


def _chain(smiles: str, n_units: int) -> tuple[MoleculeTopology, Chem.Mol]:
    if n_units < 2:
        raise InputError(f"a chain of {n_units} repeat units: expected at least 2")
    unit, charges, _, _ = unit_charges(parse_unit(smiles))
    chain = oligomer(unit, n_units)
    return molecule_topology(POLYMER, chain.mol, charges.of_chain(chain), chain.unit_index), chain.mol


def molecule_topology(
    name: str, mol: Chem.Mol, charges: Float64[Array, " atoms"], unit_index: Array | None = None
) -> MoleculeTopology:
    """GAFF2 for a molecule with explicit hydrogens; charges are given.

    Raises:
        InputError: if an atom or a bonded term has no parameters.
    """
    types = gaff_types(mol)
    bonds = integers(sorted(tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in mol.GetBonds()), 2)
    bonded = assign_bonded(types, bonds)
    table = Chem.GetPeriodicTable()
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    return MoleculeTopology(
        name=name,
        atom_names=tuple(f"{atom.GetSymbol()}{atom.GetIdx() + 1}" for atom in mol.GetAtoms()),
        type_names=types,
        unit_index=np.zeros(len(types), dtype=np.int64) if unit_index is None else unit_index,
        atomic_numbers=numbers,
        charges=charges,
        masses=np.array([table.GetAtomicWeight(int(number)) for number in numbers], dtype=np.float64),
        bonds=bonds,
        bond_parameters=bonded.bond_parameters,
        angles=bonded.angles,
        angle_parameters=bonded.angle_parameters,
        dihedrals=bonded.dihedrals,
        dihedral_parameters=bonded.dihedral_parameters,
        impropers=bonded.impropers,
        improper_parameters=bonded.improper_parameters,
    )


def chain_types(topology: MoleculeTopology) -> list[AtomType]:
    """The GAFF2 types of a molecule, each once, in order of appearance."""
    gaff = load_gaff()
    first = {name: i for i, name in reversed(list(enumerate(topology.type_names)))}
    return [
        AtomType(name, int(topology.atomic_numbers[i]), float(topology.masses[i]), *gaff.lennard_jones(name))
        for name, i in sorted(first.items(), key=lambda item: item[1])
    ]
