"""How many polymers of a list a model knows, and the force field of reference data, by their atoms and neighbours.

    python docs/evidence/coverage.py electrolyte/seed-0 labels.csv --column mol_smiles
    python docs/evidence/coverage.py electrolyte/seed-0 labels.csv --column mol_smiles --choose 8

The list is a CSV file with SMILES of repeat units, their ends marked by `*`, or by gold and copper as in that of HTP-MD
(6,025 polymers, github.com/TRI-AMDD/htp_md). What is looked at is the middle one of three units. Half a minute.

With `--choose N` also which N of them to make reference data of next: one after the other, that of up to 14 heavy atoms
a unit, with a force field, after which the model would know all surroundings of the most polymers.
"""

import argparse
import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from rdkit import rdBase

from cgsim.checkpoint import find_model, load_model
from cgsim.errors import InputError
from cgsim.models.embedding import surroundings
from cgsim.reference.electrolyte.atom_types import gaff_types
from cgsim.reference.electrolyte.repeat_unit import oligomer, parse_unit

LARGEST_UNIT = 14  # heavy atoms of one that is chosen


@dataclass(frozen=True)
class Unit:
    """A repeat unit between two others: its types of atoms, these with their neighbours, and whether GAFF has all."""

    smiles: str
    types: frozenset[str]
    surroundings: frozenset[str]
    n_heavy: int
    has_force_field: bool


def look_at(smiles: str) -> Unit:
    """The middle one of three units; InputError if it cannot be read or has charged groups."""
    chain = oligomer(parse_unit(smiles), 3)
    names = [f"{atom.GetSymbol()}{atom.GetDegree()}" for atom in chain.mol.GetAtoms()]
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in chain.mol.GetBonds()]
    middle = [i for i, unit in enumerate(chain.unit_index) if unit == 1]
    around = surroundings(names, bonds)
    try:
        gaff_types(chain.mol)
        has_force_field = True
    except InputError:
        has_force_field = False
    return Unit(
        smiles,
        frozenset(names[i] for i in middle),
        frozenset(around[i] for i in middle),
        sum(chain.mol.GetAtomWithIdx(i).GetAtomicNum() > 1 for i in middle),
        has_force_field,
    )


def choose(units: list[Unit], known: frozenset[str], n_chosen: int, n_listed: int) -> None:
    """Print the units that add most, one after the other, and the share of the list that is known with each."""
    for _ in range(n_chosen):
        candidates = [u for u in units if u.has_force_field and u.n_heavy <= LARGEST_UNIT and u.surroundings - known]
        if not candidates:
            return

        def gain(unit: Unit, known: frozenset[str] = known) -> tuple[int, int]:
            return sum(u.surroundings <= known | unit.surroundings for u in units), -unit.n_heavy

        best = max(candidates, key=gain)
        new = ", ".join(sorted(best.surroundings - known))
        known |= best.surroundings
        share = sum(u.surroundings <= known for u in units) / n_listed
        print(f"{best.smiles}: {new}; then {share:.1%}")


def main() -> None:
    """Print shares of the list, what is missing most often, and what to learn next."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("polymers", type=Path)
    parser.add_argument("--column", default="smiles")
    parser.add_argument("--choose", type=int, default=0, metavar="N")
    given = parser.parse_args()
    card = load_model(find_model(given.model), torch.device("cpu")).card
    groups, types = frozenset(card.surroundings), frozenset(card.atom_types)
    missing: Counter[str] = Counter()
    units: list[Unit] = []
    with given.polymers.open() as file, rdBase.BlockLogs():
        rows = [row[given.column].replace("[Au]", "*").replace("[Cu]", "*") for row in csv.DictReader(file)]
        for smiles in rows:
            try:
                units.append(look_at(smiles))
            except InputError:
                missing["a unit without charges"] += 1
                continue
            missing[" ".join(sorted(units[-1].types - types))] += 1
    n = len(rows)
    n_types, n_groups = sum(u.types <= types for u in units), sum(u.surroundings <= groups for u in units)
    n_gaff = sum(u.has_force_field for u in units)
    print(f"{n} polymers; the model knows all types of atoms of {n_types} ({n_types / n:.1%}),")
    print(f"all their surroundings of {n_groups} ({n_groups / n:.1%});")
    print(f"'cgsim generate electrolyte' has a force field for {n_gaff} ({n_gaff / n:.1%})")
    print("missing:", ", ".join(f"{types} in {count}" for types, count in missing.most_common(8) if types))
    choose(units, groups, given.choose, n)


if __name__ == "__main__":
    main()
