"""What each choice of `configs/benchmark/chain.yaml` is worth: one thing changed at a time, judged by rollouts.

    python docs/evidence/ablations.py --seeds 2
    python docs/evidence/ablations.py --only "lag 50 tau" "no refiner"

Each variant is trained on the 150 chains of data/chains-100/train for 1,000 steps, a quarter of what the shipped model
had, and simulates the 36 validation chains for 20,000 tau; the test chains are not looked at. Models and scores are
kept in runs/ablations, and a variant that is there already is only printed. One takes about three minutes of one core.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from chain_rollouts import score

from cgsim.checkpoint import load_model

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "benchmark" / "chain.yaml"
BASE = [f'data.train=["{ROOT}/data/chains-100/train/*.h5"]', "training.steps=1000", "training.validate_every=500"]
LENGTH = 20000.0
PLAIN = "model.{}.network={{kind: plain, latent: 48, n_steps: 3}}"
TRAINED = {
    "as it ships": [],
    "history 0, 1": ["model.history_offsets=[0, 1]"],
    "history 0, 1, 2, 5": ["model.history_offsets=[0, 1, 2, 5]"],
    "history 0, 1, 2, 5, 10, 29": ["model.history_offsets=[0, 1, 2, 5, 10, 29]"],
    "lag 25 tau": ["model.lag_time=25 tau", "model.refiner.largest_noise=4", "sampler.start=2", "sampler.n_levels=8"],
    "lag 50 tau": ["model.lag_time=50 tau", "model.refiner.largest_noise=6", "sampler.start=3"],
    "5 atoms a bead": ["mapping.atoms_per_bead=5"],
    "20 atoms a bead": ["mapping.atoms_per_bead=20"],
    "no history noise": ["training.history_noise.largest=0"],
    "history noise to 1": ["training.history_noise.largest=1.0"],
    "plain network": [PLAIN.format("dynamics"), PLAIN.format("refiner")],
    "plain, rotated": [PLAIN.format("dynamics"), PLAIN.format("refiner"), "training.augment_rotations=true"],
    "independent noise": ["model.dynamics.noise=independent"],
    "pair noise": ["model.dynamics.noise=pair"],
    "no refiner": ["model.refiner=null"],
    "noised geometry": ["model.refiner.geometry=noised"],
    "independent prior": ["model.refiner.prior=independent"],
    "time runs forward only": ["training.both_ways=false"],
    "centre left to the network": ["model.dynamics.free_centre=false"],
    "width 24": ["model.dynamics.network.latent=24", "model.refiner.network.latent=24"],
    "width 96": ["model.dynamics.network.latent=96", "model.refiner.network.latent=96"],
    "depth 1": ["model.dynamics.network.n_steps=1", "model.refiner.network.n_steps=1"],
    "depth 5": ["model.dynamics.network.n_steps=5", "model.refiner.network.n_steps=5"],
    "steps 4,000": ["training.steps=4000"],
}
PUBLISHED = ["method=published", "start=4.0", "end=0.1", "n_levels=20", "n_steps=10", "step_size=0.005"]
SAMPLED = {
    "1 call": ["n_levels=1", "start=1.0"],
    "2 calls": ["n_levels=2"],
    "4 calls": ["n_levels=4"],
    "16 calls": ["n_levels=16"],
    "start 2.0": ["start=2.0"],
    "start 8.0": ["start=8.0", "n_levels=11"],
    "whole start scaled": ["scaled=start"],
    "Heun, 17 calls": ["method=heun"],
    "ancestral, 9 calls": ["method=ancestral"],
    "published, 200 calls": PUBLISHED,
}


def home_of(name: str, seed: int, folder: Path) -> Path:
    """Folder of a variant's training run."""
    return folder / f"{name}-{seed}".replace(" ", "_").replace(",", "")


def train(name: str, seed: int, folder: Path) -> Path:
    """Train a variant if it has not been done; one of the sampler is the first one calibrated anew."""
    home = home_of(name, seed, folder)
    overrides = [*BASE, f"training.seed={seed}", *TRAINED.get(name, [])]
    if name in SAMPLED:
        if not home.exists():
            shutil.copytree(train("as it ships", seed, folder), home, ignore=shutil.ignore_patterns("model", "*.json"))
        overrides += [f"sampler.{change}" for change in SAMPLED[name]]
    if not (home / "model" / "model.json").exists():
        resume = ["--resume"] if (home / "checkpoints" / "last.ckpt").exists() else []
        arguments = [x for o in overrides for x in ("--set", o)]
        command = [sys.executable, "-m", "cgsim", "train", CONFIG, "-o", home, *arguments, *resume]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return home


def measure(name: str, seed: int, folder: Path) -> dict[str, float]:
    """Scores of a variant, from its rollouts if they have not been made."""
    home = train(name, seed, folder)
    scores = home / "scores.json"
    if not scores.exists():
        model = load_model(home / "model", torch.device("cpu"))
        calls = model.card.sampler.n_calls if model.model.refiner else 0
        scores.write_text(json.dumps(asdict(score(model, model.card.sampler, LENGTH, seed)) | {"calls": calls}))
    return {key: float(value) for key, value in json.loads(scores.read_text()).items()}


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", metavar="NAME", choices=[*TRAINED, *SAMPLED])
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/ablations"))
    given = parser.parse_args()
    columns = ("r2", "mae", "bias", "bond", "spread", "diffusion", "relaxation", "stable")
    print(f"| changed | calls | {' | '.join(columns)} |\n|---|{'---|' * (len(columns) + 1)}")
    for name in given.only or [*TRAINED, *SAMPLED]:
        found = [measure(name, seed, given.output) for seed in range(given.seeds)]
        cells = [" ".join(f"{scores[column]:.3g}" for scores in found) for column in columns]
        print(f"| {name} | {np.mean([s['calls'] for s in found]):.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
