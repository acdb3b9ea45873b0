"""How many polymers of a list a model knows, and the force field of reference data, by their atoms and neighbours.

    python docs/evidence/coverage.py electrolyte/seed-0 labels.csv --column mol_smiles

The list is a CSV file with SMILES of repeat units, their ends marked by `*`, or by gold and copper as in that of HTP-MD
(6,025 polymers, github.com/TRI-AMDD/htp_md). What is looked at is the middle one of three units. Half a minute.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

import torch
from rdkit import rdBase

from cgsim.checkpoint import find_model, load_model
from cgsim.errors import InputError
from cgsim.models.embedding import surroundings
from cgsim.reference.electrolyte.atom_types import gaff_types
from cgsim.reference.electrolyte.repeat_unit import oligomer, parse_unit


def main() -> None:
    """Print shares of the list, and what is missing most often."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("polymers", type=Path)
    parser.add_argument("--column", default="smiles")
    given = parser.parse_args()
    card = load_model(find_model(given.model), torch.device("cpu")).card
    groups, types = set(card.surroundings), set(card.atom_types)
    missing: Counter[str] = Counter()
    n = n_types = n_groups = n_gaff = 0
    with given.polymers.open() as file, rdBase.BlockLogs():
        rows = [row[given.column].replace("[Au]", "*").replace("[Cu]", "*") for row in csv.DictReader(file)]
        for smiles in rows:
            n += 1
            try:
                chain = oligomer(parse_unit(smiles), 3)
            except InputError:  # charged groups
                missing["a unit without charges"] += 1
                continue
            names = [f"{atom.GetSymbol()}{atom.GetDegree()}" for atom in chain.mol.GetAtoms()]
            bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in chain.mol.GetBonds()]
            middle = chain.unit_index == 1
            found = {name for name, inside in zip(surroundings(names, bonds), middle, strict=True) if inside}
            unknown = sorted({name for name, inside in zip(names, middle, strict=True) if inside} - types)
            n_types, n_groups = n_types + (not unknown), n_groups + (found <= groups)
            missing[" ".join(unknown)] += 1
            try:
                gaff_types(chain.mol)
                n_gaff += 1
            except InputError:
                continue
    print(f"{n} polymers; the model knows all types of atoms of {n_types} ({n_types / n:.1%}),")
    print(f"all their surroundings of {n_groups} ({n_groups / n:.1%});")
    print(f"'cgsim generate electrolyte' has a force field for {n_gaff} ({n_gaff / n:.1%})")
    print("missing:", ", ".join(f"{types} in {count}" for types, count in missing.most_common(8) if types))


if __name__ == "__main__":
    main()
