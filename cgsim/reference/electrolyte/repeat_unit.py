"""Repeat units and the chains that they make: SMILES in, molecules of RDKit out."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom

from cgsim.errors import InputError
from cgsim.typing import Array, Float64, Int64

HEAD, TAIL = 1, 2  # isotope labels of the two ends: the tail of a unit is bonded to the head of the next
CAP_MASS = 2 * 15.034  # g/mol, a methyl group at each end
EMBEDDING_TRIES = 20


@dataclass(frozen=True)
class RepeatUnit:
    """A repeat unit with a direction.

    Attributes:
        mol: heavy atoms and two dummy atoms, isotopes ``HEAD`` and ``TAIL``.
    """

    mol: Chem.Mol

    @cached_property
    def directed(self) -> str:
        """Canonical SMILES with labelled ends, without stereochemistry: equal for equal units in equal direction."""
        plain = Chem.Mol(self.mol)
        Chem.RemoveStereochemistry(plain)
        return str(Chem.MolToSmiles(plain))

    @cached_property
    def smiles(self) -> str:
        """SMILES with plain ends ``*``, the head first."""
        plain = Chem.Mol(self.mol)
        head, tail = _ends(plain)
        for end in (head, tail):
            plain.GetAtomWithIdx(end).SetIsotope(0)
        return str(Chem.MolToSmiles(plain, rootedAtAtom=head))

    @property
    def heavy_atoms(self) -> int:
        """Number of atoms without hydrogens."""
        return int(self.mol.GetNumAtoms()) - 2

    @cached_property
    def mass(self) -> float:
        """g/mol, with hydrogens."""
        table = Chem.GetPeriodicTable()
        atoms = Chem.AddHs(self.mol).GetAtoms()
        return float(sum(table.GetAtomicWeight(atom.GetAtomicNum()) for atom in atoms if atom.GetAtomicNum()))

    @cached_property
    def key(self) -> str:
        """The same for every way to write the same polymer: rotated, reversed, doubled; stereochemistry left out."""
        smallest = _primitive(self)
        return min((unit.directed for unit in _rotations(smallest)), key=lambda text: (len(text), text))

    def aligned(self, template: "RepeatUnit") -> "RepeatUnit":
        """Rotate and renumber to the atoms of ``template``, which must have the same key; keeps own stereochemistry.

        Raises:
            InputError: if the unit only repeats when its stereochemistry is ignored, as in a syndiotactic chain.
        """
        smallest = _primitive(self)
        for unit in _rotations(smallest):
            if unit.directed == template.directed:
                order = unit.mol.GetSubstructMatch(template.mol)
                return RepeatUnit(Chem.RenumberAtoms(unit.mol, list(order)))
        raise InputError(f"repeat unit {self.smiles!r} is not {template.smiles!r}")


def parse_unit(smiles: str) -> RepeatUnit:
    """Read a repeat unit from SMILES with two ends ``*``, for example ``*OCC*``.

    Raises:
        InputError: if RDKit cannot read it, or it has not exactly two ends on single bonds, or is charged or in pieces.
    """
    what = f"repeat unit {smiles!r}"
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    if mol is None or not smiles.strip():
        raise InputError(f"{what}: RDKit cannot read this SMILES, expected something like '*OCC*'")
    ends = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]
    if len(ends) != 2:
        raise InputError(f"{what} has {len(ends)} ends (*), expected two, as in '*OCC*'")
    if mol.GetNumAtoms() < 3 or len(Chem.GetMolFrags(mol)) != 1:
        raise InputError(f"{what}: expected one connected group of atoms between two ends (*), as in '*OCC*'")
    single = all([b.GetBondType() for b in end.GetBonds()] == [Chem.BondType.SINGLE] for end in ends)
    if not single or ends[0].GetNeighbors()[0].GetAtomicNum() == 0:
        raise InputError(f"{what}: each end (*) must be on one single bond, as in '*OCC*'")
    for atom in mol.GetAtoms():
        if atom.GetFormalCharge() or atom.GetNumRadicalElectrons():
            kind = "a charge" if atom.GetFormalCharge() else "an open valence"
            raise InputError(f"{what}: atom {atom.GetIdx()} ({atom.GetSymbol()}) has {kind}, expected a neutral unit")
    for atom, label in zip(ends, (HEAD, TAIL), strict=True):
        atom.SetIsotope(label)
        atom.SetAtomMapNum(0)
    return RepeatUnit(mol)


def _ends(mol: Chem.Mol) -> tuple[int, int]:
    """Dummy atoms at the head and at the tail."""
    label = {atom.GetIsotope(): atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0}
    return label[HEAD], label[TAIL]


def _join(unit: RepeatUnit, n_units: int, caps: bool) -> Chem.Mol:
    """Bond units head to tail, and methyl groups to both ends; atoms in the order of the units, caps outermost."""
    whole: Chem.Mol = Chem.Mol()
    pieces = [Chem.Mol(unit.mol) for _ in range(n_units)]
    for number, piece in enumerate(pieces):
        for position, atom in enumerate(piece.GetAtoms()):
            atom.SetIntProp("order", number * (piece.GetNumAtoms() + 2) + position + 1)
            atom.SetIntProp("unit", number)
        head, tail = _ends(piece)
        for end, joint in ((head, number), (tail, number + 1)):
            if caps or 0 < joint < n_units:
                piece.GetAtomWithIdx(end).SetIsotope(0)
                piece.GetAtomWithIdx(end).SetAtomMapNum(joint + 1)
    for joint in (0, n_units) if caps else ():
        cap = Chem.MolFromSmiles(f"C[*:{joint + 1}]")
        cap.GetAtomWithIdx(0).SetIntProp("order", joint * (unit.mol.GetNumAtoms() + 2))
        cap.GetAtomWithIdx(0).SetIntProp("unit", min(joint, n_units - 1))
        pieces.append(cap)
    for piece in pieces:
        whole = Chem.CombineMols(whole, piece)
    joined = Chem.molzip(whole)
    order = np.argsort([atom.GetIntProp("order") for atom in joined.GetAtoms()])
    joined = Chem.RenumberAtoms(joined, order.tolist())
    Chem.SanitizeMol(joined)
    return joined


def ring(unit: RepeatUnit, n_units: int) -> Chem.Mol:
    """Units head to tail, the last bonded to the first; without hydrogens and stereochemistry."""
    chain = _join(unit, n_units, caps=False)
    for end in _ends(chain):
        chain.GetAtomWithIdx(end).SetIsotope(0)
        chain.GetAtomWithIdx(end).SetAtomMapNum(1)
    order = [atom.GetIdx() for atom in chain.GetAtoms() if atom.GetAtomicNum()]
    for position, atom in enumerate(order):
        chain.GetAtomWithIdx(atom).SetIntProp("order", position)
    closed = Chem.molzip(chain)
    closed = Chem.RenumberAtoms(closed, np.argsort([a.GetIntProp("order") for a in closed.GetAtoms()]).tolist())
    Chem.RemoveStereochemistry(closed)
    return closed


def _rotations(unit: RepeatUnit) -> list[RepeatUnit]:
    """The unit cut at every bond of its backbone where it can be cut, in both directions."""
    two = _join(unit, 2, caps=False)
    backbone = _backbone(two)
    length = len(backbone) // 2
    forward = [part for start in range(length) if (part := _cut(two, backbone, start, length)) is not None]
    return forward + [_reversed(part) for part in forward]


def _primitive(unit: RepeatUnit) -> RepeatUnit:
    """The smallest unit that ``unit`` is a repetition of.

    Raises:
        InputError: if it is a repetition only when stereochemistry is ignored.
    """
    two = _join(unit, 2, caps=False)
    backbone = _backbone(two)
    length = len(backbone) // 2
    for size in range(1, length):
        if length % size:
            continue
        parts = [_cut(two, backbone, start, size) for start in range(0, length, size)]
        found = [part for part in parts if part is not None]
        if len(found) == len(parts) and len({part.directed for part in found}) == 1:
            if len({part.smiles for part in found}) > 1:
                raise InputError(
                    f"repeat unit {unit.smiles!r}: its halves differ in stereochemistry only, expected one unit "
                    "(centres without a mark come out at random: atactic)"
                )
            return found[0]
    return unit


def _backbone(mol: Chem.Mol) -> list[int]:
    head, tail = _ends(mol)
    return list(Chem.GetShortestPath(mol, head, tail))[1:-1]


def _cut(mol: Chem.Mol, backbone: list[int], start: int, length: int) -> RepeatUnit | None:
    """The piece between two backbone bonds, or None if one of them is in a ring or is no single bond."""
    head, tail = _ends(mol)
    path = [head, *backbone, tail]
    bonds = []
    for before in (start, start + length):
        bond = mol.GetBondBetweenAtoms(path[before], path[before + 1])
        if bond.IsInRing() or bond.GetBondType() != Chem.BondType.SINGLE:
            return None
        bonds.append(bond.GetIdx())
    cut = Chem.FragmentOnBonds(mol, bonds, dummyLabels=[(TAIL, HEAD), (TAIL, HEAD)])
    # Labels go by the order of a bond's atoms, which may be either: give them anew from what each dummy is bonded to.
    pieces: list[tuple[int, ...]] = []
    fragments = Chem.GetMolFrags(cut, asMols=True, sanitizeFrags=True, fragsMolAtomMapping=pieces)
    chosen = next(k for k, atoms in enumerate(pieces) if path[start + 1] in atoms)
    fragment = fragments[chosen]
    first, last = pieces[chosen].index(path[start + 1]), pieces[chosen].index(path[start + length])
    dummies = [atom for atom in fragment.GetAtoms() if atom.GetAtomicNum() == 0]
    if first == last:
        dummies[0].SetIsotope(HEAD)
        dummies[1].SetIsotope(TAIL)
    else:
        for dummy in dummies:
            dummy.SetIsotope(HEAD if dummy.GetNeighbors()[0].GetIdx() == first else TAIL)
    return RepeatUnit(fragment)


def _reversed(unit: RepeatUnit) -> RepeatUnit:
    mol = Chem.Mol(unit.mol)
    head, tail = _ends(mol)
    mol.GetAtomWithIdx(head).SetIsotope(TAIL)
    mol.GetAtomWithIdx(tail).SetIsotope(HEAD)
    return RepeatUnit(mol)


@dataclass(frozen=True)
class Oligomer:
    """A chain of repeat units, a methyl group at each end.

    Attributes:
        mol: cap, units, cap; then the hydrogens.
        unit_index: [atoms], of the unit of each atom; caps and hydrogens go with their neighbour.
        heavy: [atoms], the heavy atom that each atom is, or is bonded to.
        n_units: number of units.
    """

    mol: Chem.Mol
    unit_index: Int64[Array, " atoms"]
    heavy: Int64[Array, " atoms"]
    n_units: int

    @property
    def n_heavy(self) -> int:
        """Number of atoms without hydrogens."""
        return int(self.mol.GetNumHeavyAtoms())


def oligomer(unit: RepeatUnit, n_units: int) -> Oligomer:
    """Methyl, ``n_units`` units head to tail, methyl."""
    mol = Chem.AddHs(_join(unit, n_units, caps=True))
    heavy = np.arange(mol.GetNumAtoms())
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 1:
            heavy[atom.GetIdx()] = atom.GetNeighbors()[0].GetIdx()
    n_heavy = mol.GetNumHeavyAtoms()
    units = np.array([mol.GetAtomWithIdx(i).GetIntProp("unit") for i in range(n_heavy)], dtype=np.int64)
    return Oligomer(mol, units[heavy], heavy.astype(np.int64), n_units)


def units_for_mass(unit: RepeatUnit, chain_mass: float) -> int:
    """Number of units with which a capped chain comes closest to a mass in g/mol; at least three."""
    return max(3, round((chain_mass - CAP_MASS) / unit.mass))


def conformers(mol: Chem.Mol, copies: int, seed: int) -> Float64[Array, "copies atoms 3"]:
    """Random conformations, Å, each centred on the origin; stereocentres without a mark come out at random.

    Raises:
        InputError: if the distances cannot be met.
    """
    seeds = np.random.default_rng(seed).integers(1, 2**31 - 1, size=copies * EMBEDDING_TRIES).tolist()
    found: list[Float64[Array, "atoms 3"]] = []
    while len(found) < copies:
        if not seeds:
            raise InputError(f"{Chem.MolToSmiles(Chem.RemoveHs(mol))!r}: RDKit finds no conformation of this molecule")
        trial = Chem.Mol(mol)
        with rdBase.BlockLogs():
            failed = rdDistGeom.EmbedMolecule(trial, randomSeed=seeds.pop(), useRandomCoords=True) != 0
        if not failed:
            positions = np.asarray(trial.GetConformer().GetPositions(), dtype=np.float64)
            found.append(positions - positions.mean(axis=0))
    return np.stack(found)
