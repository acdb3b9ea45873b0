"""What one step of a model makes of configurations of MD: structure and displacements after it, beside those of the MD.

    python docs/evidence/one_step.py MODEL STORE... --sampler start=2.5 --sampler scaled=none n_levels=12

Nothing has had time to add up, so errors show where they are made. Prints for each store and choice of the sampler:
mean squared displacement over that of the MD, for each class of beads and for the centres of mass of the chains; mean
and spread of bead bonds over those of the MD; for each pair of classes the mean absolute difference of g(r) up to 10 Å
from that of the MD and, in brackets, what it is between two such samples of the MD itself; of the pairs in contact
before the step, which share is in contact after it (and in MD). Of an ensemble it looks at the first seed.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import BeadStore, open_beads
from cgsim.benchmark.electrolyte.roles import find_roles
from cgsim.benchmark.electrolyte.structure import contact_distance, pair_names, structure_portrait
from cgsim.checkpoint import TrainedModel, find_model, load_model
from cgsim.config import override_sampler
from cgsim.geometry.periodic import minimum_image
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.observables.radial import radial_distribution
from cgsim.observables.structure import centres_of_mass
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.source import lag_stride
from cgsim.trajectory import Trajectory
from cgsim.trajectory.windows import displacement_window, history_window
from cgsim.typing import Array

N_WINDOWS = 24
PARTNERS = ("polymer", "anion")
EDGES = np.arange(0.0, 10.05, 0.1)


def curves(first: Trajectory, positions: Array) -> dict[str, Array]:
    """g(r) of every pair of classes in some frames, [frames, beads, 3]."""
    system = first.system
    pairs = pair_names(first, find_roles(system))
    selections = np.array([system.particle_type == k for k in range(len(system.type_names))])
    wanted = np.array([[system.type_names.index(name) for name in pair] for pair in pairs])
    found = radial_distribution(((frame, first.cell[0]) for frame in positions), selections, wanted, EDGES)
    return {f"{a}-{b}": found.rdf[k] for k, (a, b) in enumerate(pairs)}


def drawn(model: TrainedModel, sampler: SamplerSettings, beads: BeadStore, histories: Array, cell: Array) -> Array:
    """The next positions, [windows, beads, 3], one draw for each history."""
    card = model.card
    system = SystemInputs.of(
        beads.atoms, beads.mapping, cell, card.vocabulary, card.scales.class_names, str(beads.store.path)
    )
    propagator = LearnedPropagator(model.model, sampler, card.calibration, [model.range_of(beads.atoms)])
    with torch.no_grad():
        batch = make_batch([system], [0] * len(histories), model.model.embedding)
    history = torch.from_numpy(histories).float().flatten(0, 1)
    moved = propagator.draw(batch, history, torch.Generator().manual_seed(0)) - history[:, -1]
    return moved.view(len(histories), -1, 3).double().numpy()


def compare(model: TrainedModel, path: Path, choices: list[list[str]]) -> None:
    """Print what the choices of the sampler make of one store."""
    card = model.card
    beads = open_beads(path, card.mapping)
    trajectory, stride = beads.read(), lag_stride(beads, card.model.lag_time)
    system, offsets = trajectory.system, card.model.history_offsets
    frames = np.linspace(offsets[-1] * stride, trajectory.n_frames - 1 - stride, 2 * N_WINDOWS).astype(int)
    histories = np.stack([history_window(trajectory, f, stride, offsets) for f in frames]).astype(np.float64)
    truth = np.stack([displacement_window(trajectory, f, stride) for f in frames]).astype(np.float64)
    present = histories[:, :, -1]
    chains = np.isin(system.molecule_id, system.molecule_id[system.bond_index[0]])
    first = trajectory[:1]

    def moments(steps: Array) -> Array:
        squares = [np.square(steps[:, system.particle_type == k]).mean() for k in range(len(system.type_names))]
        still = steps - np.average(steps, axis=1, weights=system.masses)[:, None]
        centres = centres_of_mass(still[:, chains], system.masses[chains], system.molecule_id[chains])
        return np.array([*squares, np.square(centres).mean()])

    def bonds(positions: Array) -> Array:
        i, j = system.bond_index
        return np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)

    roles = find_roles(system)
    ruler = structure_portrait(trajectory, roles, None)

    def touching(positions: Array) -> list[Array]:
        """Which pairs of Li with a polymer bead, and with an anion, are in contact."""
        out, cell = [], torch.from_numpy(trajectory.cell[0].astype(np.float64))
        for partner in (roles.polymer, roles.anion):
            apart = positions[:, roles.li.particles, None] - positions[:, None, partner.particles]
            nearest = minimum_image(torch.from_numpy(apart).flatten(0, -2), cell).view(apart.shape)
            out.append(nearest.norm(dim=-1).numpy() < contact_distance(ruler, roles.li, partner))
        return out

    def kept(positions: Array) -> list[float]:
        pairs = zip(touching(present[::2]), touching(positions), strict=True)
        return [float((before & after).sum() / before.sum()) for before, after in pairs]

    md, other = (present[k::2] + truth[k::2] for k in (0, 1))
    reference, noise = curves(first, md), curves(first, other)
    for changes in choices:
        sampler = override_sampler(card.sampler, changes)
        steps = drawn(model, sampler, beads, histories[::2], trajectory.cell[0])
        ours = present[::2] + steps
        ratios = moments(steps) / moments(truth[::2])
        labels = [*system.type_names, "chains"]
        found, true = bonds(ours), bonds(md)
        differences = {
            pair: f"{abs(g - reference[pair]).mean():.3f} ({abs(noise[pair] - reference[pair]).mean():.3f})"
            for pair, g in curves(first, ours).items()
        }
        print(
            f"{path.stem}, {' '.join(changes) or 'as it is'}:\n  moved "
            + ", ".join(f"{label} {ratio:.2f}" for label, ratio in zip(labels, ratios, strict=True))
            + f"; bonds {found.mean() / true.mean():.3f}, spread {found.std() / true.std():.2f}\n  g(r) "
            + ", ".join(f"{pair} {text}" for pair, text in differences.items())
            + "\n  contacts kept "
            + ", ".join(f"Li-{n} {a:.3f} ({b:.3f})" for n, a, b in zip(PARTNERS, kept(ours), kept(md), strict=True)),
            flush=True,
        )


def main() -> None:
    """Compare on each store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("stores", nargs="+", type=Path)
    parser.add_argument("--sampler", nargs="*", action="append", metavar="KEY=VALUE")
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    for path in given.stores:
        compare(model, path, given.sampler or [[]])


if __name__ == "__main__":
    main()
