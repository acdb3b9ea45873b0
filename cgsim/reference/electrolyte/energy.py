"""Energy of one molecule in vacuum, term by term and without a cutoff: what engines are checked against.

Functional forms: :mod:`cgsim.reference.electrolyte.topology`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cgsim.reference.electrolyte.pairs import distant_pairs, one_four_pairs
from cgsim.reference.electrolyte.topology import AtomType, MoleculeTopology
from cgsim.typing import Array, Float64, Int64, Tensor

COULOMB = 332.0637133  # kcal/mol Å / e^2 (CODATA 2018), as in GROMACS to nine digits


@dataclass(frozen=True)
class _Pairs:
    """Pairs of atoms with their mixed Lennard-Jones parameters and products of charges, scaled."""

    atoms: Tensor
    sigma: Tensor
    epsilon: Tensor
    charges: Tensor


class MoleculeEnergy:
    """The energy of a molecule as a function of its positions, and of their gradient with torch."""

    def __init__(self, topology: MoleculeTopology, types: Sequence[AtomType]) -> None:
        self._springs = [
            (torch.from_numpy(atoms), torch.from_numpy(values))
            for atoms, values in (
                (topology.bonds, topology.bond_parameters),
                (topology.angles, _radians(topology.angle_parameters)),
            )
        ]
        self._cosines = [
            (torch.from_numpy(atoms), torch.from_numpy(_phases(values)))
            for atoms, values in (
                (topology.dihedrals, topology.dihedral_parameters),
                (topology.impropers, topology.improper_parameters),
            )
        ]
        rule = topology.one_four
        self._close = _mixed(topology, types, one_four_pairs(topology), rule.combination == "geometric",
                             rule.lennard_jones, rule.coulomb)  # fmt: skip
        self._far = _mixed(topology, types, distant_pairs(topology), False, 1.0, 1.0)

    def terms(self, positions: Tensor) -> dict[str, Tensor]:
        """Energies in kcal/mol at positions [atoms, 3] in Å; ``1-4`` are the pairs three bonds apart."""
        bonds, bond_values = self._springs[0]
        angles, angle_values = self._springs[1]
        lengths = (positions[bonds[:, 0]] - positions[bonds[:, 1]]).norm(dim=-1)
        close_lj, close_coulomb = _pair_energies(positions, self._close)
        far_lj, far_coulomb = _pair_energies(positions, self._far)
        return {
            "bond": (bond_values[:, 0] * (lengths - bond_values[:, 1]) ** 2).sum(),
            "angle": (angle_values[:, 0] * (_angles(positions, angles) - angle_values[:, 1]) ** 2).sum(),
            "dihedral": _cosine_energy(positions, *self._cosines[0]),
            "improper": _cosine_energy(positions, *self._cosines[1]),
            "lj-14": close_lj,
            "coulomb-14": close_coulomb,
            "lj": far_lj,
            "coulomb": far_coulomb,
        }

    def total(self, positions: Tensor) -> Tensor:
        """Sum of all terms, kcal/mol."""
        return torch.stack(list(self.terms(positions).values())).sum()


def dihedral_angles(positions: Tensor, atoms: Tensor) -> Tensor:
    """Dihedral angles [rows] of atoms [rows, 4], radians, 0 for cis (IUPAC), between -pi and pi."""
    first = positions[atoms[:, 1]] - positions[atoms[:, 0]]
    axis = positions[atoms[:, 2]] - positions[atoms[:, 1]]
    last = positions[atoms[:, 3]] - positions[atoms[:, 2]]
    left, right = torch.linalg.cross(first, axis), torch.linalg.cross(axis, last)
    along = (axis.norm(dim=-1) * (first * right).sum(-1), (left * right).sum(-1))
    return torch.atan2(*along)


def _angles(positions: Tensor, atoms: Tensor) -> Tensor:
    left = positions[atoms[:, 0]] - positions[atoms[:, 1]]
    right = positions[atoms[:, 2]] - positions[atoms[:, 1]]
    # atan2 keeps its accuracy where arccos loses it, near 0 and 180 degrees
    return torch.atan2(torch.linalg.cross(left, right).norm(dim=-1), (left * right).sum(-1))


def _cosine_energy(positions: Tensor, atoms: Tensor, values: Tensor) -> Tensor:
    phi = dihedral_angles(positions, atoms)
    return (values[:, 0] * (1 + torch.cos(values[:, 1] * phi - values[:, 2]))).sum()


def _pair_energies(positions: Tensor, pairs: _Pairs) -> tuple[Tensor, Tensor]:
    distance = (positions[pairs.atoms[:, 0]] - positions[pairs.atoms[:, 1]]).norm(dim=-1)
    sixth = (pairs.sigma / distance) ** 6
    return (4 * pairs.epsilon * (sixth**2 - sixth)).sum(), (COULOMB * pairs.charges / distance).sum()


def _mixed(
    topology: MoleculeTopology,
    types: Sequence[AtomType],
    pairs: Int64[Array, "pairs 2"],
    geometric: bool,
    lennard_jones: float,
    coulomb: float,
) -> _Pairs:
    known = {t.name: t for t in types}
    sigma = np.array([known[name].sigma for name in topology.type_names])
    epsilon = np.array([known[name].epsilon for name in topology.type_names])
    i, j = pairs.T
    mixed = np.sqrt(sigma[i] * sigma[j]) if geometric else (sigma[i] + sigma[j]) / 2
    return _Pairs(
        torch.from_numpy(pairs),
        torch.from_numpy(mixed),
        torch.from_numpy(np.sqrt(epsilon[i] * epsilon[j]) * lennard_jones),
        torch.from_numpy(topology.charges[i] * topology.charges[j] * coulomb),
    )


def _radians(values: Float64[Array, "rows 2"]) -> Float64[Array, "rows 2"]:
    """The second column, degrees, in radians."""
    return np.stack([values[:, 0], np.deg2rad(values[:, 1])], axis=1)


def _phases(values: Float64[Array, "rows 3"]) -> Float64[Array, "rows 3"]:
    """The third column, degrees, in radians."""
    return np.stack([values[:, 0], values[:, 1], np.deg2rad(values[:, 2])], axis=1)
