"""How the surroundings of lithium change in the first steps of rollouts that begin at configurations of MD.

    python docs/evidence/first_steps.py electrolyte/seed-1
    python docs/evidence/first_steps.py runs/a/model data/spe-450K/train/PCL.h5 --steps 24
    python docs/evidence/first_steps.py electrolyte/seed-1 --steps 2 --sampler n_levels=9 churn=1

Prints how many beads of polymer and how many anions there are around a lithium, shell by shell: in MD, and after so
many steps from 16 windows of it, mean over the systems. Where a row settles shows how long errors add up. Of an
ensemble it looks at the first seed.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import open_beads
from cgsim.benchmark.electrolyte.roles import Roles, find_roles
from cgsim.checkpoint import TrainedModel, find_model, load_model
from cgsim.config import override_sampler
from cgsim.geometry.periodic import minimum_image
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.source import lag_stride
from cgsim.trajectory.windows import history_window
from cgsim.typing import Array

DATA = Path(__file__).parents[2] / "data" / "spe-450K" / "train"
SYSTEMS = ("PEO", "PPO", "PTHF", "P-EO-TMO")
N_WINDOWS = 16
EDGES = np.array([0.0, 2.4, 3.2, 4.0, 5.0, 6.0, 8.0])
PRINTED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def surroundings(positions: Array, cell: Array, roles: Roles) -> Array:
    """Numbers around a lithium, [polymer and anion, shells]; of positions [frames, beads, 3]."""
    counts = []
    for partner in (roles.polymer, roles.anion):
        apart = positions[:, roles.li.particles, None] - positions[:, None, partner.particles]
        vectors = torch.from_numpy(apart.astype(np.float64)).flatten(0, -2)
        distances = minimum_image(vectors, torch.from_numpy(cell.astype(np.float64))).norm(dim=-1).numpy()
        counts.append(np.histogram(distances, EDGES)[0] / (len(positions) * len(roles.li.particles)))
    return np.array(counts)


def follow(model: TrainedModel, sampler: SamplerSettings, path: Path, n_steps: int) -> Array:
    """Surroundings in MD and after every step, [1 + steps, polymer and anion, shells]."""
    card, beads = model.card, open_beads(path, model.card.mapping)
    md, stride = beads.read(), lag_stride(beads, card.model.lag_time)
    roles, cell = find_roles(md.system), md.cell[0]
    offsets = card.model.history_offsets
    frames = np.linspace(offsets[-1] * stride, md.n_frames - 1, N_WINDOWS).astype(int)
    every_lag = tuple(range(offsets[-1] + 1))
    recent = torch.from_numpy(np.concatenate([history_window(md, f, stride, every_lag) for f in frames])).float()
    system = SystemInputs.of(beads.atoms, beads.mapping, cell, card.vocabulary, card.scales.class_names, str(path))
    propagator = LearnedPropagator(model.model, sampler, card.calibration, model.trained)
    with torch.no_grad():
        batch = make_batch([system], [0] * N_WINDOWS, model.model.embedding)
    generator, back = torch.Generator().manual_seed(1), [-1 - offset for offset in reversed(offsets)]
    out = [surroundings(md.unwrapped_positions, cell, roles)]
    for _ in range(n_steps):
        following = propagator.draw(batch, recent[:, back], generator)
        recent = torch.cat([recent[:, 1:], following[:, None]], dim=1)
        out.append(surroundings(following.view(N_WINDOWS, -1, 3).numpy(), cell, roles))
    return np.array(out)


def main() -> None:
    """Print a table of each kind of neighbours."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("stores", nargs="*", type=Path, help=f"MD; by default {', '.join(SYSTEMS)}")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--sampler", nargs="*", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    sampler = override_sampler(model.card.sampler, given.sampler)
    stores = given.stores or [DATA / f"{name}.h5" for name in SYSTEMS]
    found = np.mean([follow(model, sampler, path, given.steps) for path in stores], axis=0)
    shells = " | ".join(f"{a:g} to {b:g} A" for a, b in pairwise(EDGES))
    for k, partner in enumerate(("polymer", "anions")):
        print(f"| {partner} | {shells} |\n|---|{'---|' * (len(EDGES) - 1)}")
        for step in (0, *(n for n in PRINTED if n <= given.steps)):
            cells = " | ".join(f"{x:.3f}" for x in found[step, k])
            print(f"| {f'after step {step}' if step else 'MD'} | {cells} |")
        print()


if __name__ == "__main__":
    main()
