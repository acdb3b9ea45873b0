"""Mean length of each kind of bead bond in rollouts of a model and in MD, and how far both are apart.

    python docs/evidence/bead_bonds.py electrolyte/seed-0
    python docs/evidence/bead_bonds.py electrolyte/seed-0 data/spe-450K/train/PPO.h5 --each

Bonds are of one kind if their beads have atoms with the same neighbours, which lie in the same or in another bead
alike, and the same atoms make the bond. Prints for each polymer the number of kinds and, as root mean squares over all
bonds in Å, how far rollouts are from MD kind by kind, and how far single bonds of MD are from the mean of their kind,
since a nanosecond is short and side chains stand on either side of their chain. With ``--each`` also every kind. Takes
half a minute of one core for four polymers.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from electrolyte_rollouts import DATA, LEFT_OUT, bonds

from cgsim.beads import BeadStore, open_beads
from cgsim.checkpoint import find_model, load_model
from cgsim.models.embedding import atom_types
from cgsim.production import ProductionSettings, simulate
from cgsim.trajectory.store import TrajectoryStore
from cgsim.typing import Array

SYSTEMS = ("PPO", "PVL", "PBO", "PDOL")
ROUNDS = 2  # how many bonds away an atom is told apart by its surroundings


def kinds(beads: BeadStore) -> dict[str, Array]:
    """Rows of the bead bonds of each kind, under the atoms of the two beads."""
    bead_of_atom, types = beads.mapping.bead_of_atom, atom_types(beads.atoms)
    neighbours: list[list[tuple[int, bool]]] = [[] for _ in types]
    for i, j in beads.atoms.bond_index.T.tolist():
        crosses = bool(bead_of_atom[i] != bead_of_atom[j])
        neighbours[i].append((j, crosses))
        neighbours[j].append((i, crosses))
    labels = types
    for _ in range(ROUNDS):
        seen = [str((labels[a], sorted((c, labels[b]) for b, c in near))) for a, near in enumerate(neighbours)]
        short = {text: str(k) for k, text in enumerate(sorted(set(seen)))}
        labels = [short[text] for text in seen]
    inside, plain = defaultdict(list), defaultdict(list)
    for atom, bead in enumerate(bead_of_atom.tolist()):
        inside[bead].append(labels[atom])
        plain[bead].append(types[atom])
    between = defaultdict(list)
    for i, j in beads.atoms.bond_index.T.tolist():
        a, b = int(bead_of_atom[i]), int(bead_of_atom[j])
        if a != b:
            ends = sorted([(sorted(inside[a]), labels[i]), (sorted(inside[b]), labels[j])])
            between[min(a, b), max(a, b)].append(str(ends))
    rows = defaultdict(list)
    for k, (a, b) in enumerate(beads.mapping.bond_index.T.tolist()):
        names = " - ".join(sorted("".join(sorted(plain[x])) for x in (a, b)))
        rows[names, str(sorted(between[a, b]))].append(k)
    return {f"{names} ({k})": np.array(rows[names, key]) for k, (names, key) in enumerate(sorted(rows))}


def main() -> None:
    """Compare kind by kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("stores", nargs="*", type=Path, default=[DATA / f"{name}.h5" for name in SYSTEMS])
    parser.add_argument("--each", action="store_true")
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    settings = ProductionSettings(time=3200.0, sampler=model.card.sampler, seed=3)
    with tempfile.TemporaryDirectory() as folder:
        results = simulate(model, given.stores, Path(folder) / "out.h5", settings, resume=False, report=lambda _: None)
        rollouts = [TrajectoryStore(result.path).read() for result in results]
    for path, rollout in zip(given.stores, rollouts, strict=True):
        beads = open_beads(path, model.card.mapping)
        md, ours = bonds(beads.read()), bonds(rollout[round(LEFT_OUT * rollout.n_frames) :])
        apart, scatter, groups = np.zeros(md.shape[1]), np.zeros(md.shape[1]), kinds(beads)
        for name, rows in groups.items():
            apart[rows] = ours[:, rows].mean() - md[:, rows].mean()
            scatter[rows] = md[:, rows].mean(axis=0) - md[:, rows].mean()
            if given.each:
                print(f"  {len(rows):3d} {name}: MD {md[:, rows].mean():.2f}, rollout {ours[:, rows].mean():.2f}")
        print(
            f"{path.stem}: {md.shape[1]} bonds of {len(groups)} kinds; rollouts are off by "
            f"{np.sqrt(np.square(apart).mean()):.3f}, MD within a kind by {np.sqrt(np.square(scatter).mean()):.3f}"
        )


if __name__ == "__main__":
    main()
