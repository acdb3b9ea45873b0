"""How models of single chains compare with MD in what a Gaussian can get wrong: bonds and motion as a whole.

    python docs/evidence/chains.py MODEL...

Every MODEL was trained with configs/demo-chains.yaml and some changes; all simulate the unseen chains of chains-100.
The centre of mass of a chain of N beads of mass m diffuses with D = kT / (N m friction), exactly.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import BeadStore, open_beads
from cgsim.checkpoint import load_model
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.production.start import starting_frames
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.simulate.rollout import RolloutState, rollout

CHAINS = sorted((Path(__file__).parents[2] / "data" / "chains-100" / "test").glob("*.h5"))
N_STEPS, SETTLE = 2000, 100  # steps of each rollout, and those left out at its start
EXACT = 0.01  # sigma^2 / tau, for 100 beads of mass 1 at kT 1 and friction 1


def main(models: list[Path]) -> None:
    """One line for each model."""
    print(
        f"{len(CHAINS)} unseen chains, {N_STEPS} steps; bond: mean and spread relative to MD; D of the centre of mass"
    )
    print("relative to its exact value; mean <Rg^2> relative to MD")
    print(f"{'':32s}  lag / tau  bond         D     <Rg^2>")
    for path in models:
        trained = load_model(path, torch.device("cpu"))
        card = trained.card
        stores = [open_beads(chain, card.mapping) for chain in CHAINS]
        starts = [starting_frames(beads, card, 0.0) for beads in stores]
        inputs = [
            SystemInputs.of(b.atoms, b.mapping, s.cell[-1], card.vocabulary, card.scales.class_names, b.name)
            for b, s in zip(stores, starts, strict=True)
        ]
        with torch.no_grad():
            batch = make_batch(inputs, list(range(len(inputs))), trained.model.embedding)
        state = RolloutState(
            torch.from_numpy(np.concatenate([s.wrapped_positions for s in starts], axis=1)),
            torch.from_numpy(np.concatenate([s.image_flags for s in starts], axis=1)),
        )
        propagator = LearnedPropagator(trained.model, card.sampler, card.calibration, [card.trained])
        frames = rollout(propagator, batch, state, torch.Generator().manual_seed(0))
        drawn = np.stack([next(frames).wrapped_positions.numpy() for _ in range(N_STEPS)])[SETTLE:]
        ends = np.cumsum(batch.sizes)
        rows = np.array(
            [
                _compare(beads, drawn[:, end - size : end].astype(float), card.model.lag_time)
                for beads, size, end in zip(stores, batch.sizes, ends, strict=True)
            ]
        )
        mean, spread, diffusion, size = rows.mean(axis=0)
        name = f"{path.parent.name}/{path.name}"
        print(
            f"{name:32s}  {card.model.lag_time:9g}  {mean:.2f} {spread:.2f}  {diffusion:6.2f}  {size:6.2f}", flush=True
        )


def _compare(beads: BeadStore, drawn: np.ndarray, lag: float) -> tuple[float, float, float, float]:
    """Bond mean and spread relative to MD, D of the centre of mass to its exact value, <Rg^2> to MD."""
    md, masses = beads.read(), beads.mapping.masses / beads.mapping.masses.sum()
    centre = np.einsum("p,fpx->fx", masses, drawn)
    step = centre[1:] - centre[:-1]
    diffusion = float((step**2).sum(axis=1).mean()) / (6 * lag)
    ours, true = _bonds(beads, drawn), _bonds(beads, md.unwrapped_positions)
    sizes = [_squared_radius(positions, masses) for positions in (drawn, md.unwrapped_positions)]
    return ours.mean() / true.mean(), ours.std() / true.std(), diffusion / EXACT, sizes[0] / sizes[1]


def _bonds(beads: BeadStore, positions: np.ndarray) -> np.ndarray:
    i, j = beads.mapping.bond_index
    return np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)


def _squared_radius(positions: np.ndarray, masses: np.ndarray) -> float:
    centre = np.einsum("p,fpx->fx", masses, positions)
    return float(np.einsum("p,fpx->f", masses, (positions - centre[:, None]) ** 2).mean())


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
