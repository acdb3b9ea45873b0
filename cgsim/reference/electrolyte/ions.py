"""Ions: the force field of Canongia Lopes and Pádua (CL&P) for anions, that of Åqvist for cations.

Anions, every value: il.ff of 2021/02/18, github.com/paduagroup/clandp, MIT licence, Agilio Padua. Papers that it names:
TFSI: J. Phys. Chem. B 108, 16893 (2004), with the oxygen and fluorine of Phys. Chem. Chem. Phys. 19, 29617 (2017);
FSI: the same two; PF6: J. Chem. Soc., Perkin Trans. 2, 2365 (1999). CL&P is an OPLS force field: atoms three bonds
apart keep half of both energies, and mix geometrically.

Cations: Åqvist, J. Phys. Chem. 94, 8021 (1990), as opls_406 (Li) and opls_407 (Na) of the OPLS-AA files of GROMACS.

Charges are multiplied by a common factor, for which 0.75 stands for the electronic polarisation that fixed charges lack
(Leontyev and Stuchebrukhov, Phys. Chem. Chem. Phys. 13, 2613 (2011), find 0.7 from the refractive index).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from cgsim.errors import InputError
from cgsim.reference.electrolyte.gaff import find_angles, find_dihedrals, floats, integers, neighbours
from cgsim.reference.electrolyte.repeat_unit import conformers
from cgsim.reference.electrolyte.topology import AtomType, MoleculeTopology, OneFour
from cgsim.typing import Array, Float64

KJ = 1 / 4.184  # kcal
CLP_ONE_FOUR = OneFour(lennard_jones=0.5, coulomb=0.5, combination="geometric")
CHARGE_DECIMALS = 6
PF_BOND = 1.606  # Å


@dataclass(frozen=True)
class _Atom:
    """Name of the type and of the class of bonded terms, charge in e, and the type's Lennard-Jones in Å and kJ/mol."""

    type_name: str
    bonded: str
    number: int
    mass: float
    charge: float
    sigma: float
    epsilon: float


_C = _Atom("CBT", "C", 6, 12.011, 0.35, 3.50, 0.27614)
_S = _Atom("SBT", "S", 16, 32.066, 1.02, 3.55, 1.04600)
_N = _Atom("NBT", "N", 7, 14.007, -0.66, 3.25, 0.71128)
_O = _Atom("OBT", "O", 8, 15.999, -0.53, 3.15, 0.83736)
_F = _Atom("FBT", "F", 9, 18.998, -0.16, 3.118, 0.25540)
_F_FSI = _Atom("FBT", "F", 9, 18.998, -0.13, 3.118, 0.25540)
_P = _Atom("PPF", "P", 15, 30.974, 1.34, 3.74, 0.83680)
_F_PF6 = _Atom("FPF", "F", 9, 18.998, -0.39, 3.12, 0.25520)
_LI = _Atom("LI", "Li", 3, 6.941, 1.0, 2.12645, 0.0764793)
_NA = _Atom("NA", "Na", 11, 22.98977, 1.0, 3.33045, 0.0115980)


@dataclass(frozen=True)
class Ion:
    """An ion, and how its atoms follow each other.

    Attributes:
        residue: name in files.
        smiles: gives bonds and, but for octahedra, conformations.
        atoms: in the order of the SMILES.
    """

    residue: str
    smiles: str
    atoms: tuple[_Atom, ...]


CATIONS = {"Li": Ion("LI", "[Li+]", (_LI,)), "Na": Ion("NA", "[Na+]", (_NA,))}
ANIONS = {
    "TFSI": Ion(
        "TFS",
        "FC(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)F",
        (_F, _C, _F, _F, _S, _O, _O, _N, _S, _O, _O, _C, _F, _F, _F),
    ),
    "FSI": Ion("FSI", "FS(=O)(=O)[N-]S(=O)(=O)F", (_F_FSI, _S, _O, _O, _N, _S, _O, _O, _F_FSI)),
    "PF6": Ion("PF6", "F[P-](F)(F)(F)(F)F", (_F_PF6, _P, _F_PF6, _F_PF6, _F_PF6, _F_PF6, _F_PF6)),
}
SALTS = tuple(cation + anion for cation in CATIONS for anion in ANIONS)

# k of k/2 (x - x0)^2 in kJ/mol/Å^2 or kJ/mol/rad^2, and x0 in Å or degrees
_BONDS = {
    "F-C": (3698.0, 1.323),
    "C-S": (1950.0, 1.818),
    "S-O": (5331.0, 1.437),
    "N-S": (3137.0, 1.570),
    "F-S": (1879.0, 1.575),
    "P-F": (3100.0, PF_BOND),
}
_ANGLES = {
    "F-C-F": (781.0, 107.1),
    "F-C-S": (694.0, 111.7),
    "O-S-O": (969.0, 118.5),
    "C-S-O": (870.0, 102.6),
    "N-S-O": (789.0, 113.6),
    "N-S-C": (764.0, 103.5),
    "S-N-S": (671.0, 125.6),
    "F-S-O": (1077.0, 104.1),
    "F-S-N": (902.0, 103.0),
    "F-P-F": (1165.0, 90.0),
}
# V1 to V4 of V1/2 (1 + cos x) + V2/2 (1 - cos 2x) + V3/2 (1 + cos 3x) + V4/2 (1 - cos 4x), kJ/mol
_DIHEDRALS = {
    "O-S-C-F": (0.0, 0.0, 1.4510, 0.0),
    "N-S-C-F": (0.0, 0.0, 1.3220, 0.0),
    "O-S-N-S": (0.0, 0.0, -0.0150, 0.0),
    "S-N-S-C": (32.7730, -10.4200, -3.1950, 0.0),
    "F-S-N-S": (11.4450, -15.1860, -3.2120, 0.0),
}


def find_salt(name: str) -> tuple[Ion, Ion]:
    """Cation and anion of a salt.

    Raises:
        InputError: if there are no parameters for it; lists the salts.
    """
    if name not in SALTS:
        raise InputError(f"salt {name!r} has no parameters here; expected one of {', '.join(SALTS)}")
    return CATIONS[name[:2]], ANIONS[name[2:]]


def ion_types(ion: Ion) -> list[AtomType]:
    """Types of the atoms of an ion, each once."""
    types = {a.type_name: AtomType(a.type_name, a.number, a.mass, a.sigma, a.epsilon * KJ) for a in ion.atoms}
    return list(types.values())


def ion_topology(ion: Ion, charge_scale: float) -> MoleculeTopology:
    """The force field of an ion with scaled charges; the net charge is the scale, to the last printed digit."""
    mol = Chem.MolFromSmiles(ion.smiles)
    n_atoms = len(ion.atoms)
    bonds = integers(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()), 2)
    bonded = neighbours(n_atoms, bonds)
    classes = [atom.bonded for atom in ion.atoms]
    angles = [angle for angle in find_angles(bonded) if not _is_straight(ion, angle)]
    torsions = [
        (path, term)
        for path in find_dihedrals(bonded)
        for term in _fourier(_look_up(_DIHEDRALS, [classes[i] for i in path]))
    ]
    charges = np.round([charge_scale * atom.charge for atom in ion.atoms], CHARGE_DECIMALS)
    net = round(charge_scale * float(np.sign(sum(atom.charge for atom in ion.atoms))), CHARGE_DECIMALS)
    charges[int(np.argmax(np.bincount(bonds.ravel(), minlength=n_atoms)))] += net - charges.sum()
    return MoleculeTopology(
        name=ion.residue,
        atom_names=tuple(f"{atom.bonded}{i + 1}" for i, atom in enumerate(ion.atoms)),
        type_names=tuple(atom.type_name for atom in ion.atoms),
        unit_index=np.zeros(n_atoms, dtype=np.int64),
        atomic_numbers=np.array([atom.number for atom in ion.atoms], dtype=np.int64),
        charges=charges.round(CHARGE_DECIMALS),
        masses=np.array([atom.mass for atom in ion.atoms], dtype=np.float64),
        bonds=bonds,
        bond_parameters=floats([_spring(_look_up(_BONDS, [classes[i] for i in row])) for row in bonds.tolist()], 2),
        angles=integers(angles, 3),
        angle_parameters=floats([_spring(_look_up(_ANGLES, [classes[i] for i in row])) for row in angles], 2),
        dihedrals=integers([path for path, _ in torsions], 4),
        dihedral_parameters=floats([term for _, term in torsions], 3),
        impropers=integers([], 4),
        improper_parameters=floats([], 3),
        one_four=CLP_ONE_FOUR,
    )


def ion_conformers(ion: Ion, copies: int, seed: int) -> Float64[Array, "copies atoms 3"]:
    """Shapes of so many ions, Å, centred on the origin."""
    if len(ion.atoms) == 1:
        return np.zeros((copies, 1, 3))
    if ion.residue == "PF6":
        return np.repeat(_octahedron()[None], copies, axis=0)
    return conformers(Chem.MolFromSmiles(ion.smiles), copies, seed)


def _octahedron() -> Float64[Array, "7 3"]:
    """F, P, then five more F: fluorines 0 and 2, 3 and 4, 5 and 6 are opposite."""
    axes = np.eye(3) * PF_BOND
    return np.stack([axes[0], np.zeros(3), -axes[0], axes[1], -axes[1], axes[2], -axes[2]])


def _is_straight(ion: Ion, angle: tuple[int, int, int]) -> bool:
    """Whether an angle is between opposite atoms of an octahedron, which the right angles hold in place."""
    if ion.residue != "PF6":
        return False
    shape = _octahedron()
    return bool((shape[angle[0]] + shape[angle[2]] == 0).all())


def _look_up(table: Mapping[str, tuple[float, ...]], classes: list[str]) -> tuple[float, ...]:
    forward = "-".join(classes)
    return table[forward if forward in table else "-".join(classes[::-1])]


def _spring(parameters: tuple[float, ...]) -> tuple[float, float]:
    return parameters[0] / 2 * KJ, parameters[1]


def _fourier(opls: tuple[float, ...]) -> list[tuple[float, float, float]]:
    return [(v / 2 * KJ, n + 1.0, 180.0 * (n % 2)) for n, v in enumerate(opls) if v]
