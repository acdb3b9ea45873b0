"""What other settings of `configs/benchmark/electrolyte.yaml` do for polymers that were held out of its training set.

    python docs/evidence/held_out.py
    python docs/evidence/held_out.py --only "as it ships" "history of 256 ps"

Each variant is trained for 3,000 steps, a quarter of what the shipped model had, on 15 of the systems of
data/spe-450K/train; the other four (an acetal, an ester, one with side chains and a copolymer) are not learned from. No
test system is read. Refinement takes nine calls, without guidance. Prints the one-step losses on those four, and what
`electrolyte_rollouts.py` prints of rollouts of them and of three that were learned from. Models are kept in
runs/held-out, and one that is there already is only simulated. A variant takes about ten minutes of one core.
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
TIME = 3200.0  # ps
BEFORE = ["model.dynamics.solvation_cutoff=null", "model.refiner.solvation_cutoff=null"]  # ions saw chains to 6 A
LONG = [*BEFORE, "model.history_offsets=[0, 1, 2, 4, 8]"]
SAMPLER = ["sampler.n_levels=9", "sampler.end=0.2", "sampler.guidance=0"]
VARIANTS = {
    "as it ships": [],
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


def train(name: str, folder: Path) -> Path:
    """Train a variant if that has not been done."""
    home = folder / name.replace(" ", "_").replace(",", "")
    if not (home / "model" / "model.json").exists():
        held_out = [str(DATA / f"{system}.h5") for system in HELD_OUT]
        others = [str(path) for path in sorted(DATA.glob("*.h5")) if path.stem not in HELD_OUT]
        data = [f"data.train={others}", f"data.validation={held_out}", "training.steps=3000"]
        arguments = [x for o in [*data, *SAMPLER, *VARIANTS[name]] for x in ("--set", o)]
        resume = ["--resume"] if (home / "checkpoints" / "last.ckpt").exists() else []
        command = [sys.executable, "-m", "cgsim", "train", CONFIG, "-o", home, *arguments, *resume]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return home


def main() -> None:
    """Print the figures of each variant as soon as they are known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", metavar="NAME", choices=list(VARIANTS))
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/held-out"))
    given = parser.parse_args()
    for name in given.only or VARIANTS:
        home = train(name, given.output)
        with (home / "metrics.csv").open() as file:
            last = list(csv.DictReader(file))[-1]
        model = load_model(home / "model", torch.device("cpu"))
        losses = ", ".join(f"{x} {float(last[f'validation/{x}']):.4f}" for x in ("likelihood", "score"))
        print(f"{name}: {losses}")
        stores = [DATA / f"{system}.h5" for system in (*HELD_OUT, *LEARNED)]
        compare(model, stores, model.card.sampler, TIME, seed=3)


if __name__ == "__main__":
    main()
