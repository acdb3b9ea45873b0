"""What other settings of `configs/benchmark/electrolyte.yaml` do for polymers that were held out of its training set.

    python docs/evidence/held_out.py
    python docs/evidence/held_out.py --only "as it was" "history of 256 ps"

Each variant is trained for 3,000 steps on 15 of the systems of data/spe-450K/train; the other four (an acetal, an
ester, one with side chains and a copolymer) are not learned from. No test system is read. Edges do not say which atoms
bond two beads, no ions are pushed, and refinement takes nine calls, without guidance: what was compared in this way was
compared before these were the settings. Prints the one-step losses on those four, and what `electrolyte_rollouts.py`
prints of rollouts of them and of three that were learned from. Models are kept in runs/held-out, and one that is there
already is only simulated. A variant takes about ten minutes of one core.

    python docs/evidence/held_out.py --wide

does so with all other settings as they are and data/spe-450K/train-beads as well, from which another polymer with side
chains is held out; rollouts are of the first four and of four others with side chains. Kept in runs/held-out-wide.
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import torch
from electrolyte_rollouts import DATA, compare

from cgsim.checkpoint import load_model

CONFIG = Path(__file__).parents[2] / "configs" / "benchmark" / "electrolyte.yaml"
HELD_OUT = ("PDOL", "PMEA", "PVL", "P-MO-TMO")
LEARNED = ("PEO", "PPO", "PTHF")
SIDE_CHAINS = ("PPO", "PMGE", "PBO", "PVME")
TIME = 3200.0  # ps
BEFORE = ["model.dynamics.solvation_cutoff=null", "model.refiner.solvation_cutoff=null"]  # ions saw chains to 6 A
LONG = [*BEFORE, "model.history_offsets=[0, 1, 2, 4, 8]"]
BONDS, UNPUSHED = ["model.embedding.bond_size=0"], ["training.pushed_ions.share=0"]
ENDS = [*BONDS, "model.embedding.boundaries=false"]
OF_ALL = [*ENDS, *UNPUSHED, "sampler.n_levels=9", "sampler.end=0.2", "sampler.guidance=0"]
VARIANTS = {
    "as it was": [],
    "noise to 20 A": ["model.refiner.largest_noise=20.0", "sampler.start=18.0", "sampler.n_levels=12"],
    "all to 6 A": BEFORE,
    "all to 8 A": [*BEFORE, "model.dynamics.cutoff=8.0", "model.refiner.cutoff=8.0"],
    "history of 256 ps": LONG,
    "history of 256 ps, noise to 2 A": [*LONG, "training.history_noise.largest=2.0"],
    "history of 256 ps, classes alike": [*LONG, "training.class_balance=1.0"],
    "finer radial basis": [*BEFORE, "model.refiner.network.n_radial=48"],
    "lag 64 ps": [*BEFORE, "model.lag_time=64 ps", "model.history_offsets=[0, 1, 2]"],
    "lag 128 ps": [
        *BEFORE,
        "model.lag_time=128 ps",
        "model.history_offsets=[0, 1]",
        "model.refiner.largest_noise=10.0",
        "sampler.start=9.0",
    ],
}
WIDE_VARIANTS = {
    "all settings": [],
    "no ions pushed": UNPUSHED,
    "where beads end": [*UNPUSHED, *BONDS],
    "neither": [*UNPUSHED, *ENDS],
}


def train(name: str, changes: list[str], held_out: list[str], learned: list[str], folder: Path) -> Path:
    """Train a variant if that has not been done."""
    home = folder / name.replace(" ", "_").replace(",", "")
    if not (home / "model" / "model.json").exists():
        data = [f"data.train={learned}", f"data.validation={held_out}", "training.steps=3000"]
        arguments = [x for o in [*data, *changes] for x in ("--set", o)]
        resume = ["--resume"] if (home / "checkpoints" / "last.ckpt").exists() else []
        command = [sys.executable, "-m", "cgsim", "train", CONFIG, "-o", home, *arguments, *resume]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return home


def main() -> None:
    """Print the figures of each variant as soon as they are known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", metavar="NAME", choices=[*VARIANTS, *WIDE_VARIANTS])
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    stores, beside = sorted(DATA.glob("*.h5")), sorted((DATA.parent / "train-beads").glob("*.h5"))
    names, shown = HELD_OUT, (*HELD_OUT, *LEARNED)
    variants = {name: [*OF_ALL, *changes] for name, changes in VARIANTS.items()}
    if given.wide:
        stores, names, variants = [*stores, *beside], (*HELD_OUT, "PEGE"), WIDE_VARIANTS
        shown = (*HELD_OUT, *SIDE_CHAINS)
    held_out = [str(path) for path in stores if path.stem in names]
    learned = [str(path) for path in stores if path.stem not in names]
    folder = given.output or Path("runs/held-out-wide" if given.wide else "runs/held-out")
    for name in given.only or variants:
        home = train(name, variants[name], held_out, learned, folder)
        with (home / "metrics.csv").open() as file:
            last = list(csv.DictReader(file))[-1]
        model = load_model(home / "model", torch.device("cpu"))
        losses = ", ".join(f"{x} {float(last[f'validation/{x}']):.4f}" for x in ("likelihood", "score"))
        print(f"{name}: {losses}")
        for some in (shown[:4], shown[4:]) if given.wide else (shown,):
            compare(model, [DATA / f"{system}.h5" for system in some], model.card.sampler, TIME, seed=3)


if __name__ == "__main__":
    main()
