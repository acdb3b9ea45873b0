"""The force field as a system of OpenMM."""

from itertools import combinations
from typing import Any

import numpy as np

from cgsim.reference.electrolyte.gaff import neighbours
from cgsim.reference.electrolyte.hydrogen_mass import repartitioned_masses
from cgsim.reference.electrolyte.pairs import one_four_pairs
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.electrolyte.topology import AtomType, Electrolyte, MoleculeTopology

KJ = 4.184  # of a kcal
NM = 0.1  # of an Å
HYDROGEN = 1
EWALD_TOLERANCE = 5e-4


def openmm_system(electrolyte: Electrolyte, settings: ElectrolyteSettings, edge: float) -> Any:
    """Everything that moves, with bonds to hydrogen held fixed.

    Args:
        electrolyte: what is in the box.
        settings: cutoff and mass of hydrogens.
        edge: of the box at the start, Å.
    """
    import openmm

    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*(edge * NM * np.eye(3)))
    bonds, angles = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
    torsions, pairs = openmm.PeriodicTorsionForce(), openmm.NonbondedForce()
    pairs.setNonbondedMethod(openmm.NonbondedForce.PME)
    pairs.setCutoffDistance(settings.protocol.cutoff * NM)
    pairs.setEwaldErrorTolerance(EWALD_TOLERANCE)
    pairs.setUseDispersionCorrection(True)
    types = {kind.name: kind for kind in electrolyte.atom_types}
    first = 0
    for molecule in electrolyte.molecules:
        for mass in repartitioned_masses(molecule, settings.protocol.hydrogen_mass).tolist():
            system.addParticle(mass)
        _bonded(system, molecule, first, bonds, angles, torsions)
        _pairs(molecule, types, first, pairs)
        first += molecule.n_atoms
    for force in (bonds, angles, torsions, pairs, openmm.CMMotionRemover(100)):
        system.addForce(force)
    return system


def _bonded(system: Any, molecule: MoleculeTopology, first: int, bonds: Any, angles: Any, torsions: Any) -> None:
    """Springs have no factor 1/2 in the topology and one in OpenMM."""
    for (i, j), (k, length) in zip(molecule.bonds.tolist(), molecule.bond_parameters.tolist(), strict=True):
        bonds.addBond(first + i, first + j, length * NM, 2 * k * KJ / NM**2)
        if HYDROGEN in (molecule.atomic_numbers[i], molecule.atomic_numbers[j]):
            system.addConstraint(first + i, first + j, length * NM)
    for atoms, (k, angle) in zip(molecule.angles.tolist(), molecule.angle_parameters.tolist(), strict=True):
        angles.addAngle(*(first + i for i in atoms), np.radians(angle), 2 * k * KJ)
    for rows, values in (
        (molecule.dihedrals, molecule.dihedral_parameters),
        (molecule.impropers, molecule.improper_parameters),
    ):
        for atoms, (k, n, phase) in zip(rows.tolist(), values.tolist(), strict=True):
            torsions.addTorsion(*(first + i for i in atoms), int(n), np.radians(phase), k * KJ)


def _pairs(molecule: MoleculeTopology, types: dict[str, AtomType], first: int, pairs: Any) -> None:
    kinds = [types[name] for name in molecule.type_names]
    charges = molecule.charges.tolist()
    for kind, charge in zip(kinds, charges, strict=True):
        pairs.addParticle(charge, kind.sigma * NM, kind.epsilon * KJ)
    rule = molecule.one_four
    near = {(min(i, j), max(i, j)) for i, j in molecule.bonds.tolist()}
    for around in neighbours(molecule.n_atoms, molecule.bonds):  # not every two atoms around a third have an angle term
        near |= {(min(i, j), max(i, j)) for i, j in combinations(around, 2)}
    for i, j in near:
        pairs.addException(first + i, first + j, 0.0, 0.1, 0.0)
    for i, j in one_four_pairs(molecule).tolist():
        a, b = kinds[i], kinds[j]
        geometric = rule.combination == "geometric"
        sigma = (a.sigma * b.sigma) ** 0.5 if geometric else (a.sigma + b.sigma) / 2
        epsilon = (a.epsilon * b.epsilon) ** 0.5 * rule.lennard_jones
        charge = charges[i] * charges[j] * rule.coulomb
        pairs.addException(first + i, first + j, charge, sigma * NM, epsilon * KJ)
