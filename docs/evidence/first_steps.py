"""How the surroundings of lithium change in the first steps of rollouts that begin at configurations of MD.

    python docs/evidence/first_steps.py electrolyte/seed-1
    python docs/evidence/first_steps.py runs/a/model data/spe-450K/train/PCL.h5 --steps 24
    python docs/evidence/first_steps.py electrolyte/seed-1 --steps 2 --sampler n_levels=9 churn=1
    python docs/evidence/first_steps.py electrolyte/seed-1 --noised 0.6 1.5 5.5 --sampler n_levels=9

Prints how many beads of polymer and how many anions there are around a lithium, shell by shell: in MD, and after so
many steps from 16 windows of it, mean over the systems. Where a row settles shows how long errors add up. With
--noised it looks at one step alone: MD's own next configuration with noise of each of these levels on it, refined from
there, and draws of the model from the sampler's start, neither scaled nor guarded; and how far the polymer moved,
squared, relative to MD. It shows at which levels of noise a refinement goes wrong. Of an ensemble it looks at the first
seed.
"""

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import open_beads
from cgsim.benchmark.electrolyte.roles import Roles, find_roles
from cgsim.checkpoint import TrainedModel, find_model, load_model
from cgsim.config import override_sampler
from cgsim.geometry.periodic import minimum_image
from cgsim.graph import BeadBatch
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.simulate.sampler import SamplerSettings, refine
from cgsim.train.source import lag_stride
from cgsim.trajectory.windows import history_window
from cgsim.typing import Array, Tensor

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


@dataclass
class Windows:
    """Some windows of one system's MD, and what the model needs to go on from them.

    Attributes:
        batch: as many copies of the system.
        recent: [beads, lags, 3], positions one lag apart as far back as the model looks, the last ``ahead`` of them
            behind the present.
        roles: which beads are lithium, anion and polymer.
        cell: lattice vectors.
        md: surroundings in the whole MD.
    """

    batch: BeadBatch
    recent: Tensor
    roles: Roles
    cell: Array
    md: Array

    def surroundings(self, positions: Tensor) -> Array:
        """Of one configuration of all windows, [beads, 3]."""
        return surroundings(positions.view(N_WINDOWS, -1, 3).numpy(), self.cell, self.roles)


def windows(model: TrainedModel, path: Path, ahead: int) -> Windows:
    """Windows spread over the MD."""
    card, beads = model.card, open_beads(path, model.card.mapping)
    md, stride = beads.read(), lag_stride(beads, card.model.lag_time)
    roles, cell = find_roles(md.system), md.cell[0]
    every_lag = tuple(range(card.model.history_offsets[-1] + 1 + ahead))
    frames = np.linspace(every_lag[-1] * stride, md.n_frames - 1, N_WINDOWS).astype(int)
    recent = torch.from_numpy(np.concatenate([history_window(md, f, stride, every_lag) for f in frames])).float()
    system = SystemInputs.of(beads.atoms, beads.mapping, cell, card.vocabulary, card.scales.class_names, str(path))
    with torch.no_grad():
        batch = make_batch([system], [0] * N_WINDOWS, model.model.embedding)
    return Windows(batch, recent, roles, cell, surroundings(md.unwrapped_positions, cell, roles))


def follow(model: TrainedModel, sampler: SamplerSettings, path: Path, n_steps: int) -> Array:
    """Surroundings in MD and after every step, [1 + steps, polymer and anion, shells]."""
    given = windows(model, path, ahead=0)
    ranges = [model.range_of(open_beads(path, model.card.mapping).atoms)]
    propagator = LearnedPropagator(model.model, sampler, model.card.calibration, ranges)
    generator = torch.Generator().manual_seed(1)
    back = [-1 - offset for offset in reversed(model.card.model.history_offsets)]
    out, recent = [given.md], given.recent
    for _ in range(n_steps):
        following = propagator.draw(given.batch, recent[:, back], generator)
        recent = torch.cat([recent[:, 1:], following[:, None]], dim=1)
        out.append(given.surroundings(following))
    return np.array(out)


@torch.no_grad()
def restore(model: TrainedModel, sampler: SamplerSettings, path: Path, levels: list[float]) -> tuple[Array, Array]:
    """Surroundings in MD, after refinement of MD from each level and of the model's own draws; and squares moved."""
    given, networks = windows(model, path, ahead=1), model.model
    batch, dynamics, refiner = given.batch, networks.dynamics, networks.refiner
    assert refiner is not None
    back = [-2 - offset for offset in reversed(model.card.model.history_offsets)]
    history, following = batch.at_rest(given.recent[:, back]), given.recent[:, -1]
    present = history[:, -1]
    following = present + batch.remove_drift(following - present)
    gaussian, latents = dynamics(batch, history, dynamics.graph(batch, history))
    generator = torch.Generator().manual_seed(1)

    def denoise(noised: Tensor, level: float) -> Tensor:
        levels = noised.new_full((len(batch.sizes),), level)
        return refiner.denoise(batch, history, gaussian, latents, noised, levels, sampler.guidance_at(level))

    assert not isinstance(sampler.start, str)
    drawn = present + dynamics.normalization.reference * gaussian.sample(generator)
    starts = [*((following, level) for level in levels), (drawn, sampler.start)]
    refined = [following, *(refine(denoise, start, sampler, level, generator) for start, level in starts)]
    polymer = ~batch.is_ion
    moved = [float((x - present)[polymer].square().sum()) for x in refined]
    return np.array([given.surroundings(x) for x in refined]), np.array(moved) / moved[0]


def main() -> None:
    """Print a table of each kind of neighbours."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("stores", nargs="*", type=Path, help=f"MD; by default {', '.join(SYSTEMS)}")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--sampler", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--noised", nargs="*", type=float, metavar="LEVEL", help="of one step, from MD with noise")
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    sampler = override_sampler(model.card.sampler, given.sampler)
    stores = given.stores or [DATA / f"{name}.h5" for name in SYSTEMS]
    if given.noised is None:
        found = np.mean([follow(model, sampler, path, given.steps) for path in stores], axis=0)
        kept = [0, *(n for n in PRINTED if n <= given.steps)]
        labels, moved = ["MD", *(f"after step {n}" for n in kept[1:])], None
    else:
        each = [restore(model, sampler, path, given.noised) for path in stores]
        found, moved = (np.mean(column, axis=0) for column in zip(*each, strict=True))
        kept, labels = range(len(found)), ["MD", *(f"from {x:g} A" for x in given.noised), "own draws"]
    shells = " | ".join(f"{a:g} to {b:g} A" for a, b in pairwise(EDGES))
    for k, partner in enumerate(("polymer", "anions")):
        print(f"| {partner} | {shells} |\n|---|{'---|' * (len(EDGES) - 1)}")
        for label, row in zip(labels, kept, strict=True):
            cells = " | ".join(f"{x:.3f}" for x in found[row, k])
            print(f"| {label}{'' if moved is None else f', moved {moved[row]:.2f}'} | {cells} |")
        print()


if __name__ == "__main__":
    main()
