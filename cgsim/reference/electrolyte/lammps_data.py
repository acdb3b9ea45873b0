"""The force field as a LAMMPS data file, and the commands that belong to it.

What LAMMPS cannot say: factors for atoms three bonds apart are the same for every molecule (``special_bonds``), so the
anions follow Amber's rule here (1/2 and 1/1.2, arithmetic) instead of their own (1/2 and 1/2, geometric).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgsim.reference.electrolyte.hydrogen_mass import repartitioned_masses
from cgsim.reference.electrolyte.topology import AtomType, Electrolyte
from cgsim.typing import Array, Float64, Int64

# Styles of the data file, after `units real` and `atom_style full`; `{cutoff}` in Å.
STYLES = """\
pair_style lj/cut/coul/long {cutoff}
pair_modify mix arithmetic tail yes
kspace_style pppm 1e-5
special_bonds amber
bond_style harmonic
angle_style harmonic
dihedral_style fourier
improper_style cvff
"""


@dataclass(frozen=True)
class _Terms:
    """Bonded terms of the whole box: rows of atoms from 1, and the number of their coefficients from 1."""

    coefficients: list[str]
    rows: list[tuple[int, ...]]


def lammps_data(
    electrolyte: Electrolyte,
    positions: Float64[Array, "atoms 3"],
    box: Float64[Array, " edges"],
    images: Int64[Array, "atoms 3"] | None = None,
    hydrogen_mass: float | None = None,
) -> str:
    """Text of a data file of atom style ``full``, units ``real``.

    Masses belong to types in LAMMPS: atoms that heavier hydrogens leave with different masses get types of their own.

    Args:
        electrolyte: what is in the box.
        positions: Å; inside the box if ``images`` are given.
        box: Å, three edges of a rectangular box that begins at the origin.
        images: boxes by which each atom is away from its position.
        hydrogen_mass: g/mol, see :func:`repartitioned_masses`; None for physical masses.

    Raises:
        InputError: if hydrogens of this mass leave another atom without mass.
    """
    types, type_of = _massive_types(electrolyte, hydrogen_mass)
    bonds, angles, dihedrals, impropers = _all_terms(electrolyte)
    kinds = {"bond": bonds, "angle": angles, "dihedral": dihedrals, "improper": impropers}
    lines = [f"{electrolyte.smiles} x {electrolyte.n_units}, {electrolyte.salt}; units real, atom_style full", ""]
    lines += [f"{electrolyte.n_atoms} atoms", *(f"{len(terms.rows)} {kind}s" for kind, terms in kinds.items())]
    lines += [f"{len(types)} atom types"]
    lines += [f"{len(terms.coefficients)} {kind} types" for kind, terms in kinds.items()]
    lines += ["", *(f"0.0 {edge:.6f} {axis}lo {axis}hi" for edge, axis in zip(box, "xyz", strict=True))]
    lines += _section("Masses", [f"{i + 1} {mass:.5f} # {t.name}" for i, (t, mass) in enumerate(types)])
    lines += _section(
        "Pair Coeffs", [f"{i + 1} {t.epsilon:.9f} {t.sigma:.9f} # {t.name}" for i, (t, _) in enumerate(types)]
    )
    for kind, terms in kinds.items():
        lines += _section(f"{kind.title()} Coeffs", [f"{i + 1} {c}" for i, c in enumerate(terms.coefficients)])
    lines += _section("Atoms # full", _atom_rows(electrolyte, type_of, positions, images))
    for kind, terms in kinds.items():
        lines += _section(
            f"{kind.title()}s", [f"{i + 1} {' '.join(str(n) for n in row)}" for i, row in enumerate(terms.rows)]
        )
    return "\n".join(lines) + "\n"


def _section(title: str, rows: list[str]) -> list[str]:
    return ["", title, "", *rows] if rows else []


def _massive_types(
    electrolyte: Electrolyte, hydrogen_mass: float | None
) -> tuple[list[tuple[AtomType, float]], list[list[int]]]:
    """Every pair of type and mass in use, and for each component the number of that pair for each atom."""
    types = {t.name: t for t in electrolyte.atom_types}
    names = [t.name for t in electrolyte.atom_types]
    used = [
        list(zip(part.topology.type_names, masses.round(6).tolist(), strict=True))
        for part in electrolyte.components
        if (masses := repartitioned_masses(part.topology, hydrogen_mass)) is not None
    ]
    distinct = sorted({pair for pairs in used for pair in pairs}, key=lambda pair: (names.index(pair[0]), pair[1]))
    number = {pair: i + 1 for i, pair in enumerate(distinct)}
    return [(types[name], mass) for name, mass in distinct], [[number[pair] for pair in pairs] for pairs in used]


def _all_terms(electrolyte: Electrolyte) -> tuple[_Terms, _Terms, _Terms, _Terms]:
    found: tuple[_Terms, _Terms, _Terms, _Terms] = (_Terms([], []), _Terms([], []), _Terms([], []), _Terms([], []))
    numbers: tuple[dict[str, int], ...] = ({}, {}, {}, {})
    first = 1
    for part in electrolyte.components:
        top = part.topology
        own = (
            [(row, f"{k:.7f} {r0:.7f}") for row, (k, r0) in _zip(top.bonds, top.bond_parameters)],
            [(row, f"{k:.7f} {angle:.5f}") for row, (k, angle) in _zip(top.angles, top.angle_parameters)],
            _series(top.dihedrals, top.dihedral_parameters),
            [
                (row, f"{k:.7f} {-1 if phase == 180 else 1} {n:.0f}")
                for row, (k, n, phase) in _zip(top.impropers, top.improper_parameters)
            ],
        )
        for _ in range(part.copies):
            for terms, number, rows in zip(found, numbers, own, strict=True):
                for atoms, text in rows:
                    if text not in number:
                        number[text] = len(number) + 1
                        terms.coefficients.append(text)
                    terms.rows.append((number[text], *(first + i for i in atoms)))
            first += top.n_atoms
    return found


def _zip(
    atoms: Int64[Array, "rows places"], values: Float64[Array, "rows columns"]
) -> list[tuple[tuple[int, ...], Sequence[float]]]:
    return [(tuple(row), numbers) for row, numbers in zip(atoms.tolist(), values.tolist(), strict=True)]


def _series(atoms: Int64[Array, "terms 4"], values: Float64[Array, "terms 3"]) -> list[tuple[tuple[int, ...], str]]:
    """One line for each torsion: the number of its terms, then k, n and phase of each."""
    grouped: dict[tuple[int, ...], list[str]] = {}
    for row, (k, n, phase) in _zip(atoms, values):
        grouped.setdefault(row, []).append(f"{k:.7f} {n:.0f} {phase:.2f}")
    return [(row, " ".join([str(len(terms)), *terms])) for row, terms in grouped.items()]


def _atom_rows(
    electrolyte: Electrolyte,
    type_of: list[list[int]],
    positions: Float64[Array, "atoms 3"],
    images: Int64[Array, "atoms 3"] | None,
) -> list[str]:
    rows = []
    flags = np.zeros(positions.shape, dtype=np.int64) if images is None else images
    atom, molecule = 0, 0
    for part, numbers in zip(electrolyte.components, type_of, strict=True):
        for _ in range(part.copies):
            molecule += 1
            for number, charge in zip(numbers, part.topology.charges, strict=True):
                place = " ".join(f"{x:.6f}" for x in positions[atom])
                image = " ".join(str(n) for n in flags[atom])
                atom += 1
                rows.append(f"{atom} {molecule} {number} {charge:.6f} {place} {image}")
    return rows
