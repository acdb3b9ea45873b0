"""Parameters of GAFF2 for atom types: the shipped table, and what it says of a molecule."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import permutations
from typing import TypeVar

import numpy as np

from cgsim.errors import InputError
from cgsim.typing import Array, Float64, Int64

TABLE = "gaff2.txt"
ANY = "X"
# Terms of secondary and primary amines that gaff2.dat lacks are those of tertiary ones, as parmchk2 of AmberTools says.
STAND_INS = {"n7": "n3", "n8": "n3"}

Series = list[tuple[float, float, float]]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Gaff:
    """The table; keys are atom types in the order of the table, ``X`` being any.

    Where it has no term for :data:`STAND_INS`, that of their stand-ins holds.

    Attributes:
        nonbonded: type -> (sigma in Å, epsilon in kcal/mol).
        bonds: two types -> (k, r0).
        angles: three types -> (k, theta0).
        dihedrals: four types -> terms (k, n, phase), k already divided among the paths of the bond.
        impropers: four types -> (k, n, phase), the centre third.
    """

    nonbonded: dict[str, tuple[float, float]]
    bonds: dict[tuple[str, ...], tuple[float, float]]
    angles: dict[tuple[str, ...], tuple[float, float]]
    dihedrals: dict[tuple[str, ...], Series]
    impropers: dict[tuple[str, ...], tuple[float, float, float]]

    def lennard_jones(self, name: str) -> tuple[float, float]:
        """Sigma in Å and epsilon in kcal/mol of a type."""
        return _found(self.nonbonded.get(name), "Lennard-Jones", (name,))

    def bond(self, types: tuple[str, ...]) -> tuple[float, float]:
        """The spring between two types."""
        return _found(_either(self.bonds, types), "bond", types)

    def angle(self, types: tuple[str, ...]) -> tuple[float, float]:
        """The spring of an angle between three types."""
        return _found(_either(self.angles, types), "angle", types)

    def dihedral(self, types: tuple[str, ...]) -> Series:
        """Terms of a torsion: of the four types if the table has them, else of the two inner ones."""
        found = _either(self.dihedrals, types)
        return _found(found or _either(self.dihedrals, (ANY, *types[1:3], ANY)), "torsion", types)

    def improper(
        self, centre: str, others: Sequence[str]
    ) -> tuple[tuple[int, int, int], tuple[float, float, float]] | None:
        """The most specific term that keeps a centre in the plane of its three neighbours.

        Returns:
            Positions in ``others`` of the first, second and fourth atom, and (k, n, phase); None if there is no term.
        """
        best: tuple[int, tuple[int, int, int], tuple[float, float, float]] | None = None
        for a, b, d in permutations(range(3)):
            names = (others[a], others[b], others[d])
            for key, value in self.impropers.items():
                slots = (key[0], key[1], key[3])
                if key[2] != centre or any(s not in (ANY, n) for s, n in zip(slots, names, strict=True)):
                    continue
                wild = slots.count(ANY)
                if best is None or wild < best[0]:
                    best = (wild, (a, b, d), value)
        return None if best is None else best[1:]


def _either(table: dict[tuple[str, ...], Value], types: tuple[str, ...]) -> Value | None:
    """What a table has for types in either order, for themselves or for their stand-ins."""
    for names in (types, tuple(STAND_INS.get(name, name) for name in types)):
        if (found := table.get(names, table.get(names[::-1]))) is not None:
            return found
    return None


def _found(value: Value | None, what: str, types: tuple[str, ...]) -> Value:
    if value is None:
        raise InputError(f"GAFF2 table of this program has no {what} parameters for {'-'.join(types)}")
    return value


@cache
def load_gaff() -> Gaff:
    """Read the shipped table."""
    gaff = Gaff({}, {}, {}, {}, {})
    for line in (files("cgsim.reference.electrolyte") / TABLE).read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        kind, name, *rest = line.split()
        types, values = tuple(name.split("-")), [float(value) for value in rest]
        match kind:
            case "atom":
                # The table has the distance of the minimum from each atom: r_min / 2.
                gaff.nonbonded[name] = (values[0] * 2 / 2 ** (1 / 6), values[1])
            case "bond":
                gaff.bonds[types] = (values[0], values[1])
            case "angle":
                gaff.angles[types] = (values[0], values[1])
            case "dihedral":
                gaff.dihedrals.setdefault(types, []).append((values[1] / values[0], values[3], values[2]))
            case _:
                gaff.impropers[types] = (values[0], values[2], values[1])
    return gaff


@dataclass(frozen=True)
class Bonded:
    """Bonded terms of a molecule, as in :class:`~cgsim.reference.electrolyte.topology.MoleculeTopology`."""

    angles: Int64[Array, "angles 3"]
    dihedrals: Int64[Array, "dihedrals 4"]
    bond_parameters: Float64[Array, "bonds 2"]
    angle_parameters: Float64[Array, "angles 2"]
    dihedral_parameters: Float64[Array, "dihedrals 3"]
    impropers: Int64[Array, "impropers 4"]
    improper_parameters: Float64[Array, "impropers 3"]


def neighbours(n_atoms: int, bonds: Int64[Array, "bonds 2"]) -> list[list[int]]:
    """Bonded atoms of each atom, in order."""
    found: list[list[int]] = [[] for _ in range(n_atoms)]
    for i, j in bonds.tolist():
        found[i].append(j)
        found[j].append(i)
    return [sorted(atoms) for atoms in found]


def find_angles(bonded: list[list[int]]) -> list[tuple[int, int, int]]:
    """Every pair of neighbours of every atom."""
    return [(a, j, b) for j, atoms in enumerate(bonded) for k, a in enumerate(atoms) for b in atoms[k + 1 :]]


def find_dihedrals(bonded: list[list[int]]) -> list[tuple[int, int, int, int]]:
    """Every path of three bonds that does not close a ring of three."""
    return [
        (i, j, k, m)
        for j, atoms in enumerate(bonded)
        for k in atoms
        if j < k
        for i in atoms
        if i != k
        for m in bonded[k]
        if m not in (i, j)
    ]


def assign_bonded(types: Sequence[str], bonds: Int64[Array, "bonds 2"]) -> Bonded:
    """Find every bonded term of a molecule and its parameters.

    Raises:
        InputError: if the table lacks one; names the types.
    """
    gaff = load_gaff()
    bonded = neighbours(len(types), bonds)
    angles = find_angles(bonded)
    torsions = [
        (path, term)
        for path in find_dihedrals(bonded)
        for term in gaff.dihedral(tuple(types[i] for i in path))
        if term[0] != 0.0
    ]
    planes: list[tuple[tuple[int, ...], tuple[float, ...]]] = []
    for centre, around in enumerate(bonded):
        if len(around) == 3 and (found := gaff.improper(types[centre], [types[i] for i in around])):
            (a, b, d), value = found
            planes.append(((around[a], around[b], centre, around[d]), value))
    return Bonded(
        angles=integers(angles, 3),
        dihedrals=integers([path for path, _ in torsions], 4),
        bond_parameters=floats([gaff.bond((types[i], types[j])) for i, j in bonds.tolist()], 2),
        angle_parameters=floats([gaff.angle((types[i], types[j], types[k])) for i, j, k in angles], 2),
        dihedral_parameters=floats([term for _, term in torsions], 3),
        impropers=integers([atoms for atoms, _ in planes], 4),
        improper_parameters=floats([value for _, value in planes], 3),
    )


def integers(rows: Sequence[Sequence[int]], columns: int) -> Int64[Array, "rows columns"]:
    """Rows as an array that keeps its number of columns when empty."""
    return np.array(rows, dtype=np.int64).reshape(-1, columns)


def floats(rows: Sequence[Sequence[float]], columns: int) -> Float64[Array, "rows columns"]:
    """The same for real numbers."""
    return np.array(rows, dtype=np.float64).reshape(-1, columns)
