"""Partial charges of a chain: AM1-BCC of a methyl-capped trimer, from a shipped table or from antechamber.

The middle unit of the trimer, shifted to no net charge, is repeated; the end units keep what the ends of the trimer
have.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers, rdPartialCharges

from cgsim.errors import InputError
from cgsim.reference.electrolyte.antechamber import INSTALL, am1bcc_charges, find_antechamber
from cgsim.reference.electrolyte.repeat_unit import Oligomer, RepeatUnit, conformers, oligomer, parse_unit, ring
from cgsim.typing import Array, Float64

TABLE = "charges.json"
N_CONFORMERS = 10
SEED = 20261120
DECIMALS = 6


@dataclass(frozen=True)
class UnitCharges:
    """Charges of the capped trimer of a repeat unit, e; equal for equivalent atoms and exactly neutral.

    Attributes:
        name: of the polymer.
        smiles: of the unit, in the direction and with the atom order that the charges are for.
        key: of the unit, see :attr:`RepeatUnit.key`.
        heavy: of cap, units and cap without hydrogens.
        hydrogen: of each hydrogen on those atoms; 0 where there is none.
        spread: largest standard deviation of a charge between conformations, e.
        residual: net charge of the middle unit before it was shifted to zero, e.
    """

    name: str
    smiles: str
    key: str
    heavy: tuple[float, ...]
    hydrogen: tuple[float, ...]
    spread: float
    residual: float

    def of_chain(self, chain: Oligomer) -> Float64[Array, " atoms"]:
        """Charges of a chain of at least two of these units, e."""
        per_unit = (len(self.heavy) - 2) // 3
        index = np.arange(chain.n_heavy)
        last = chain.n_heavy - 1 - per_unit
        middle = 1 + per_unit + (index - 1) % per_unit
        trimer = np.where(index <= per_unit, index, np.where(index < last, middle, index - chain.n_heavy))
        is_hydrogen = np.arange(len(chain.heavy)) >= chain.n_heavy
        source = trimer[chain.heavy]
        return np.asarray(np.where(is_hydrogen, np.array(self.hydrogen)[source], np.array(self.heavy)[source]))


@cache
def charge_table() -> dict[str, UnitCharges]:
    """The shipped table, by key of the repeat unit."""
    document = json.loads((files("cgsim.reference.electrolyte") / TABLE).read_text())
    entries = [
        UnitCharges(**{**entry, "heavy": tuple(entry["heavy"]), "hydrogen": tuple(entry["hydrogen"])})
        for entry in document["units"]
    ]
    return {entry.key: entry for entry in entries}


def to_document(entry: UnitCharges) -> dict[str, object]:
    """JSON-serialisable form of an entry."""
    return asdict(entry)


def unit_charges(unit: RepeatUnit) -> tuple[RepeatUnit, UnitCharges, str, tuple[str, ...]]:
    """Find or make the charges of a repeat unit.

    Returns:
        The unit as the charges have it (rotated, perhaps reversed), the charges, where they come from, warnings.

    Raises:
        InputError: if the unit is not in the table, antechamber is not installed, and Gasteiger charges will not do.
    """
    entry = charge_table().get(unit.key)
    if entry is not None:
        return unit.aligned(parse_unit(entry.smiles)), entry, f"AM1-BCC, shipped table ({entry.name})", ()
    if find_antechamber() is not None:
        return parse_unit(unit.smiles), _computed(unit.smiles), "AM1-BCC, antechamber", ()
    plain = all(atom.GetAtomicNum() in (0, 6, 8) for atom in unit.mol.GetAtoms())
    if not plain or unit.mol.HasSubstructMatch(Chem.MolFromSmarts("*=,#,:[*]")):
        raise InputError(
            f"repeat unit {unit.smiles!r} is not in the table of charges, and Gasteiger charges are wrong for anything "
            f"but ethers (in carbonates even their order): AM1-BCC charges need antechamber: {INSTALL}"
        )
    warning = (
        f"charges of {unit.smiles!r} are Gasteiger's, about 10 % smaller on ether oxygen than AM1-BCC; for better ones "
        f"install antechamber: {INSTALL}"
    )
    return unit, gasteiger_unit_charges(unit), "Gasteiger", (warning,)


@cache
def _computed(smiles: str) -> UnitCharges:
    """Charges of a unit that is not in the table, for its atoms in the order of ``smiles``; computed once."""
    return make_unit_charges(parse_unit(smiles), smiles)


def make_unit_charges(unit: RepeatUnit, name: str) -> UnitCharges:
    """AM1-BCC charges of the capped trimer, the mean of ten conformations relaxed with MMFF94.

    Raises:
        InputError: if antechamber fails.
    """
    trimer = oligomer(unit, 3)
    shapes = conformers(trimer.mol, N_CONFORMERS, SEED)
    drawn = np.stack([am1bcc_charges(_relaxed(trimer.mol, positions)) for positions in shapes])
    return _tidy(unit, name, drawn)


def gasteiger_unit_charges(unit: RepeatUnit) -> UnitCharges:
    """Gasteiger charges of the capped trimer (Gasteiger and Marsili, Tetrahedron 36, 3219 (1980))."""
    mol = Chem.Mol(oligomer(unit, 3).mol)
    rdPartialCharges.ComputeGasteigerCharges(mol)
    charges = np.array([atom.GetDoubleProp("_GasteigerCharge") for atom in mol.GetAtoms()])
    return _tidy(unit, unit.smiles, charges[None])


def _relaxed(mol: Chem.Mol, positions: Float64[Array, "atoms 3"]) -> Chem.Mol:
    relaxed = Chem.Mol(mol)
    shape = Chem.Conformer(mol.GetNumAtoms())
    shape.SetPositions(positions)
    relaxed.AddConformer(shape)
    Chem.AssignStereochemistryFrom3D(relaxed)
    rdForceFieldHelpers.MMFFOptimizeMolecule(relaxed, maxIters=5000)
    return relaxed


def _tidy(unit: RepeatUnit, name: str, drawn: Float64[Array, "conformers atoms"]) -> UnitCharges:
    """Average over conformations and equivalent atoms; make the middle unit, and the ends together, neutral."""
    trimer = oligomer(unit, 3)
    n_heavy, per_unit = trimer.n_heavy, unit.heavy_atoms
    is_hydrogen = np.arange(len(trimer.heavy)) >= n_heavy
    n_hydrogens = np.bincount(trimer.heavy[is_hydrogen], minlength=n_heavy)
    mean = drawn.mean(axis=0)
    heavy = mean[:n_heavy].copy()
    total = np.bincount(trimer.heavy[is_hydrogen], weights=mean[is_hydrogen], minlength=n_heavy)
    hydrogen = np.where(n_hydrogens > 0, total / np.maximum(n_hydrogens, 1), 0.0)

    middle = np.arange(1 + per_unit, 1 + 2 * per_unit)
    ends = np.setdiff1d(np.arange(n_heavy), middle)
    flat = Chem.RemoveHs(trimer.mol)
    Chem.RemoveStereochemistry(flat)
    ranks = np.array(Chem.CanonicalRankAtoms(flat, breakTies=False))
    # In an endless chain atoms are equivalent that differ in a trimer: ranks of the middle unit come from a large ring.
    circle = ring(unit, 6)
    ranks[middle] = len(ranks) * 100 + np.array(Chem.CanonicalRankAtoms(circle, breakTies=False))[:per_unit]
    for rank in np.unique(ranks):
        same = ranks == rank
        heavy[same], hydrogen[same] = heavy[same].mean(), hydrogen[same].mean()

    residual = float((heavy + n_hydrogens * hydrogen)[middle].sum())
    for part in (middle, ends):
        weight = 1 + n_hydrogens[part]
        shift = (heavy[part] + n_hydrogens[part] * hydrogen[part]).sum() / weight.sum()
        heavy[part] -= shift
        hydrogen[part] -= np.where(n_hydrogens[part] > 0, shift, 0.0)
        heavy[part], hydrogen[part] = heavy[part].round(DECIMALS), hydrogen[part].round(DECIMALS)
        lone = part[np.argmin([np.sum(ranks == rank) for rank in ranks[part]])]
        heavy[lone] = round(float(heavy[lone] - (heavy[part] + n_hydrogens[part] * hydrogen[part]).sum()), DECIMALS)
    return UnitCharges(
        name=name,
        smiles=unit.smiles,
        key=unit.key,
        heavy=tuple(heavy.tolist()),
        hydrogen=tuple(hydrogen.tolist()),
        spread=round(float(drawn.std(axis=0).max()), 4),
        residual=round(residual, 4),
    )
