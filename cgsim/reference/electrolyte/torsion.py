"""Torsion profiles in vacuum: the check on every bonded group that a force field has not been tried on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdMolTransforms
from scipy.optimize import minimize

from cgsim.errors import InputError
from cgsim.reference.electrolyte.build import chain_types, molecule_topology
from cgsim.reference.electrolyte.charges import unit_charges
from cgsim.reference.electrolyte.energy import MoleculeEnergy, dihedral_angles
from cgsim.reference.electrolyte.repeat_unit import oligomer, parse_unit
from cgsim.reference.electrolyte.topology import MoleculeTopology
from cgsim.typing import Array, Float64

ANGLES = (180.0, 150.0, 120.0, 90.0, 60.0, 30.0, 0.0)  # degrees; 180 is trans
# Torsions that were compared with what is known of ethyl methyl ether, 1,2-dimethoxyethane and dimethoxymethane.
TRIED = frozenset({"c3-c3-os-c3", "os-c3-c3-os", "c3-os-c3-os", "c3-c3-c3-os", "c3-c3-c3-c3"})
HOLD = 300.0  # kcal/mol/rad^2, of the spring that holds the torsion; its energy is not counted
FORCE_TOLERANCE = 1e-2  # kcal/mol/Å


@dataclass(frozen=True)
class TorsionProfile:
    """Energy of a molecule along one of its torsions, everything else relaxed.

    Attributes:
        types: of the four atoms, joined with ``-``.
        atoms: the four atoms.
        angles: [angles], degrees, as found: within a degree or two of those asked for.
        energies: [angles], kcal/mol above the first one, the trans form.
    """

    types: str
    atoms: tuple[int, int, int, int]
    angles: Float64[Array, " angles"]
    energies: Float64[Array, " angles"]


def torsion_profile(
    topology: MoleculeTopology,
    start: Float64[Array, "atoms 3"],
    atoms: tuple[int, int, int, int],
    angles: Sequence[float] = ANGLES,
) -> TorsionProfile:
    """Relax a molecule in vacuum with one torsion held at each angle in turn, from the form before.

    Args:
        topology: of the molecule.
        start: positions near the first angle, Å.
        atoms: the torsion.
        angles: degrees.
    """
    energy = MoleculeEnergy(topology, chain_types(topology))
    torsion = torch.tensor([atoms])
    positions = np.array(start)
    found_angles, found = [], []
    for angle in angles:
        positions = turned(topology, positions, atoms, angle)
        positions = _relaxed(energy, positions, torsion, np.deg2rad(angle))
        held = torch.from_numpy(positions)
        found_angles.append(float(torch.rad2deg(dihedral_angles(held, torsion)[0])))
        found.append(float(energy.total(held)))
    names = "-".join(topology.type_names[i] for i in atoms)
    return TorsionProfile(names, atoms, np.array(found_angles), np.array(found) - found[0])


def relaxed_energy(topology: MoleculeTopology, start: Float64[Array, "atoms 3"]) -> tuple[float, Array]:
    """Energy in kcal/mol and positions of the minimum nearest to ``start``, nothing held."""
    energy = MoleculeEnergy(topology, chain_types(topology))
    positions = _relaxed(energy, np.array(start), None, 0.0)
    return float(energy.total(torch.from_numpy(positions))), positions


def unit_torsion_profiles(
    smiles: str, angles: Sequence[float] = ANGLES, known: frozenset[str] = TRIED
) -> list[TorsionProfile]:
    """Profiles of every kind of backbone torsion of a repeat unit, in two capped units that start all-trans.

    Args:
        smiles: of the repeat unit.
        angles: degrees.
        known: torsions to leave out, as types joined with ``-`` in the order that comes first in the alphabet.

    Raises:
        InputError: if the unit has no parameters.
    """
    unit, charges, _, _ = unit_charges(parse_unit(smiles))
    chain = oligomer(unit, 2)
    topology = molecule_topology("POL", chain.mol, charges.of_chain(chain), chain.unit_index)
    mol = _embedded(chain.mol)
    backbone = list(Chem.GetShortestPath(mol, 0, chain.n_heavy - 1))
    path: list[tuple[int, int, int, int]] = [
        (backbone[k], backbone[k + 1], backbone[k + 2], backbone[k + 3]) for k in range(len(backbone) - 3)
    ]
    turning = [row for row in path if not mol.GetBondBetweenAtoms(row[1], row[2]).IsInRing()]
    kinds: dict[tuple[str, ...], tuple[int, int, int, int]] = {}
    for row in turning:
        rdMolTransforms.SetDihedralDeg(mol.GetConformer(), *row, 180.0)
        names = tuple(topology.type_names[i] for i in row)
        kinds[min(names, names[::-1])] = row
    wanted = [row for names, row in kinds.items() if "-".join(names) not in known]
    if not wanted:
        return []
    _, start = relaxed_energy(topology, np.asarray(mol.GetConformer().GetPositions()))
    return [torsion_profile(topology, start, row, angles) for row in wanted]


def _embedded(mol: Chem.Mol) -> Chem.Mol:
    copy = Chem.Mol(mol)
    if rdDistGeom.EmbedMolecule(copy, randomSeed=1, useRandomCoords=True) != 0:
        raise InputError(f"{Chem.MolToSmiles(Chem.RemoveHs(mol))!r}: RDKit finds no conformation of this molecule")
    return copy


def _relaxed(
    energy: MoleculeEnergy, start: Float64[Array, "atoms 3"], torsion: torch.Tensor | None, target: float
) -> Float64[Array, "atoms 3"]:
    def value_and_gradient(flat: Float64[Array, " coordinates"]) -> tuple[float, Float64[Array, " coordinates"]]:
        positions = torch.from_numpy(flat.reshape(-1, 3)).requires_grad_(True)
        value = energy.total(positions)
        if torsion is not None:
            value = value + HOLD * 2 * (1 - torch.cos(dihedral_angles(positions, torsion)[0] - target))
        (gradient,) = torch.autograd.grad(value, positions)
        return float(value.detach()), gradient.numpy().ravel()

    done = minimize(
        value_and_gradient,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "gtol": FORCE_TOLERANCE, "ftol": 1e-10},
    )
    return np.asarray(done.x.reshape(-1, 3))


def turned(
    topology: MoleculeTopology, positions: Float64[Array, "atoms 3"], atoms: tuple[int, int, int, int], angle: float
) -> Float64[Array, "atoms 3"]:
    """Turn what is beyond the middle bond of a torsion, as a whole, until the torsion has the angle."""
    now = float(dihedral_angles(torch.from_numpy(positions), torch.tensor([atoms]))[0])
    beyond = _side(topology, atoms[1], atoms[2])
    axis = positions[atoms[2]] - positions[atoms[1]]
    axis = axis / np.linalg.norm(axis)
    arm = positions[beyond] - positions[atoms[2]]
    turn = np.deg2rad(angle) - now
    moved = np.array(positions)
    # Rodrigues' rotation about the bond
    moved[beyond] = (
        positions[atoms[2]]
        + arm * np.cos(turn)
        + np.cross(axis, arm) * np.sin(turn)
        + np.outer(arm @ axis, axis) * (1 - np.cos(turn))
    )
    return moved


def _side(topology: MoleculeTopology, near: int, far: int) -> list[int]:
    """Atoms on the far side of a bond."""
    reached, border = {near, far}, [far]
    while border:
        atom = border.pop()
        for pair in topology.bonds[(topology.bonds == atom).any(axis=1)]:
            other = int(pair[0] if pair[1] == atom else pair[1])
            if other not in reached:
                reached.add(other)
                border.append(other)
    return sorted(reached - {near})
