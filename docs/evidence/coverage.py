"""How many polymers of a list a model and the reference data's force field can take, by the types of their atoms.

    python docs/evidence/coverage.py electrolyte/seed-0 labels.csv --column mol_smiles

The list is a CSV file with SMILES of repeat units, their ends marked by `*`, or by gold and copper as in that of HTP-MD
(6,025 polymers, github.com/TRI-AMDD/htp_md).
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

import torch
from rdkit import Chem, rdBase

from cgsim.checkpoint import find_model, load_model
from cgsim.errors import InputError
from cgsim.reference.electrolyte.atom_types import gaff_types

ENDS = {0, 29, 79}


def capped(smiles: str) -> Chem.Mol | None:
    """The unit with carbon at its ends and with hydrogens; None if RDKit cannot read it."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return None
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() in ENDS:
            atom.SetAtomicNum(6)
            atom.SetNoImplicit(False)
    Chem.SanitizeMol(mol)
    return Chem.AddHs(mol)


def main() -> None:
    """Print shares of the list, and what is missing most often."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("polymers", type=Path)
    parser.add_argument("--column", default="smiles")
    given = parser.parse_args()
    known = set(load_model(find_model(given.model), torch.device("cpu")).card.atom_types)
    with given.polymers.open() as file, rdBase.BlockLogs():
        units = [mol for row in csv.DictReader(file) if (mol := capped(row[given.column])) is not None]
    missing: Counter[str] = Counter()
    typed = 0
    for unit in units:
        missing[" ".join(sorted({f"{a.GetSymbol()}{a.GetDegree()}" for a in unit.GetAtoms()} - known))] += 1
        try:
            gaff_types(unit)
            typed += 1
        except InputError:
            continue
    n = len(units)
    print(f"{n} polymers; the model knows all atom types of {missing['']} ({missing[''] / n:.1%})")
    print(f"the force field of 'cgsim generate electrolyte' those of {typed} ({typed / n:.1%})")
    print("missing:", ", ".join(f"{types} in {count}" for types, count in missing.most_common(8) if types))


if __name__ == "__main__":
    main()
