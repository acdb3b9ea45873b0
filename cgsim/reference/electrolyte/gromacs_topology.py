"""The force field as a GROMACS topology: one file that `grompp` reads."""

import numpy as np

from cgsim.reference.electrolyte.hydrogen_mass import repartitioned_masses
from cgsim.reference.electrolyte.pairs import one_four_pairs
from cgsim.reference.electrolyte.topology import AMBER_ONE_FOUR, AtomType, Electrolyte, MoleculeTopology
from cgsim.typing import Array, Float64, Int64

KJ = 4.184  # of a kcal
NM = 0.1  # of an Å
EXCLUDED_BONDS = 3  # nrexcl: pairs up to so many bonds apart are left out, the last ones come back as [ pairs ]


def gromacs_topology(electrolyte: Electrolyte, hydrogen_mass: float | None = None) -> str:
    """Text of ``topol.top``.

    Lorentz-Berthelot for all pairs. Atoms three bonds apart follow the rule of their molecule: that of Amber from
    ``[ defaults ]``, any other as explicit pairs of function 2.

    Args:
        electrolyte: what is in the box.
        hydrogen_mass: g/mol, see :func:`repartitioned_masses`; None for physical masses.

    Raises:
        InputError: if hydrogens of this mass leave another atom without mass.
    """
    lines = [
        f"; {electrolyte.smiles} x {electrolyte.n_units}, {electrolyte.salt}",
        "[ defaults ]",
        f"1 2 yes {AMBER_ONE_FOUR.lennard_jones:g} {AMBER_ONE_FOUR.coulomb:.10f}",
        "",
        "[ atomtypes ]",
    ]
    lines += [
        f"{t.name} {t.atomic_number} {t.mass:.5f} 0 A {t.sigma * NM:.9f} {t.epsilon * KJ:.9f}"
        for t in electrolyte.atom_types
    ]
    types = {t.name: t for t in electrolyte.atom_types}
    for part in electrolyte.components:
        lines += ["", *_molecule(part.topology, types, hydrogen_mass)]
    lines += ["", "[ system ]", f"{electrolyte.smiles} {electrolyte.salt}", "", "[ molecules ]"]
    lines += [f"{part.topology.name} {part.copies}" for part in electrolyte.components]
    return "\n".join(lines) + "\n"


def _molecule(topology: MoleculeTopology, types: dict[str, AtomType], hydrogen_mass: float | None) -> list[str]:
    masses = repartitioned_masses(topology, hydrogen_mass)
    atoms = zip(topology.type_names, topology.atom_names, topology.charges, masses, strict=True)
    lines = ["[ moleculetype ]", f"{topology.name} {EXCLUDED_BONDS}", "", "[ atoms ]"]
    lines += [
        f"{i + 1} {kind} 1 {topology.name} {name} {i + 1} {charge:.6f} {mass:.5f}"
        for i, (kind, name, charge, mass) in enumerate(atoms)
    ]
    bonds = topology.bond_parameters[:, ::-1] * [NM, 2 * KJ / NM**2]
    angles = topology.angle_parameters[:, ::-1] * [1, 2 * KJ]
    dihedrals = topology.dihedral_parameters[:, [2, 0, 1]] * [1, KJ, 1]
    impropers = topology.improper_parameters[:, [2, 0, 1]] * [1, KJ, 1]
    lines += _section("bonds", _rows(topology.bonds, "1", bonds, "{:.6f} {:.4f}"))
    lines += _section("pairs", _pairs(topology, types))
    lines += _section("angles", _rows(topology.angles, "1", angles, "{:.4f} {:.6f}"))
    lines += _section("dihedrals", _rows(topology.dihedrals, "9", dihedrals, "{:.2f} {:.7f} {:.0f}"))
    return lines + _section("dihedrals", _rows(topology.impropers, "4", impropers, "{:.2f} {:.7f} {:.0f}"))


def _section(name: str, rows: list[str]) -> list[str]:
    return ["", f"[ {name} ]", *rows] if rows else []


def _rows(
    atoms: Int64[Array, "rows places"], function: str, values: Float64[Array, "rows columns"], form: str
) -> list[str]:
    return [
        f"{' '.join(str(i + 1) for i in row)} {function} {form.format(*numbers)}"
        for row, numbers in zip(atoms, values, strict=True)
    ]


def _pairs(topology: MoleculeTopology, types: dict[str, AtomType]) -> list[str]:
    rule = topology.one_four
    rows = []
    for i, j in one_four_pairs(topology).tolist():
        if rule == AMBER_ONE_FOUR:
            rows.append(f"{i + 1} {j + 1} 1")
            continue
        a, b = types[topology.type_names[i]], types[topology.type_names[j]]
        geometric = rule.combination == "geometric"
        sigma = np.sqrt(a.sigma * b.sigma) if geometric else (a.sigma + b.sigma) / 2
        epsilon = np.sqrt(a.epsilon * b.epsilon) * rule.lennard_jones
        charges = f"{topology.charges[i]:.6f} {topology.charges[j]:.6f}"
        rows.append(f"{i + 1} {j + 1} 2 {rule.coulomb:.10f} {charges} {sigma * NM:.9f} {epsilon * KJ:.9f}")
    return rows
