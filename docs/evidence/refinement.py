"""What refinement, guard and noise scale do to rollouts of a trained model.

    python docs/evidence/refinement.py MODEL STORE

MODEL is the folder of a trained model with a refiner, STORE the molecular dynamics (atoms or beads) that it starts from
and is compared with. After ``make demo``: runs/demo/electrolyte/model and runs/demo/electrolyte/md.h5.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import open_beads
from cgsim.checkpoint import TrainedModel, load_model
from cgsim.geometry.neighbors import neighbor_pairs
from cgsim.graph import BeadBatch
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.production.start import starting_frames
from cgsim.simulate.propagator import Calibration, LearnedPropagator
from cgsim.simulate.rollout import RolloutState, rollout
from cgsim.simulate.sampler import SamplerSettings
from cgsim.trajectory import Trajectory

N_STEPS, N_STEPS_PUBLISHED, SETTLE = 150, 50, 25  # steps of a rollout, and those left out at its start


def main(model_path: Path, store_path: Path) -> None:
    """Roll out with one thing changed at a time."""
    trained = load_model(model_path, torch.device("cpu"))
    card, own = trained.card, trained.card.sampler
    beads = open_beads(store_path, card.mapping)
    start = starting_frames(beads, card, float("inf"))
    inputs = SystemInputs.of(
        beads.atoms, beads.mapping, start.cell[-1], card.vocabulary, card.scales.class_names, str(store_path)
    )
    with torch.no_grad():
        batch = make_batch([inputs], [0], trained.model.embedding)
    largest, smallest = card.model.refiner.largest_noise, card.model.refiner.smallest_noise
    published = {"method": "published", "start": largest, "end": smallest, "n_levels": 20, "n_steps": 10}
    published["step_size"] = 0.5 * smallest**2
    variants = {
        "as trained": (own, True, True),
        "no refinement": (own, False, True),
        "no refinement, no guard": (own.model_copy(update={"guard": False}), False, True),
        "no guard": (own.model_copy(update={"guard": False}), True, True),
        "noise scale 1": (own, True, False),
        "3 levels": (own.model_copy(update={"n_levels": 3}), True, True),
        "published schedule": (own.model_copy(update=published), True, True),
    }
    md = beads.read()
    stride = round(card.model.lag_time / beads.store.save_interval)
    names = card.scales.class_names
    print(f"{N_STEPS} steps of {card.model.lag_time:g} {card.units.time}; bond: mean and spread; MSD after one and ten")
    print("steps relative to MD by class; pairs: beads closer than any pair of their classes in training, per frame")
    print(f"{'':24s} calls  bond        {'  '.join(f'{n:>11s}' for n in names)}   pairs  guarded")
    truth = md[::stride]
    ones, close = "  ".join(["  1.00  1.00"] * len(names)), _close(trained, batch, truth)
    print(f"{'MD':24s}     -  {_bonds(truth, batch)}  {ones}   {close:5.2f}", flush=True)
    for name, (sampler, refine, scale) in variants.items():
        n_steps = N_STEPS_PUBLISHED if sampler.method == "published" else N_STEPS  # it makes 200 calls a step
        found, guarded = _roll(trained, batch, start, sampler, n_steps, refine=refine, scale=scale)
        ratios = "  ".join(
            " ".join(f"{_msd(found, batch, k, lag) / _msd(truth, batch, k, lag):5.2f}" for lag in (1, 10))
            for k in range(len(names))
        )
        calls = sampler.n_calls if refine else 0
        close = _close(trained, batch, found)
        print(f"{name:24s} {calls:5d}  {_bonds(found, batch)}  {ratios}   {close:5.2f}  {guarded:7.2f}", flush=True)


def _roll(
    trained: TrainedModel,
    batch: BeadBatch,
    start: Trajectory,
    sampler: SamplerSettings,
    n_steps: int,
    *,
    refine: bool,
    scale: bool,
) -> tuple[Trajectory, float]:
    """A rollout without its first steps, and the beads that the guard moved per step."""
    card, model = trained.card, trained.model
    calibration = card.calibration
    if not (scale and refine):
        calibration = Calibration(own_error=calibration.own_error, noise_scale=(1.0,) * len(card.scales.class_names))
    kept, model.refiner = model.refiner, model.refiner if refine else None
    propagator = LearnedPropagator(model, sampler, calibration, [card.trained])
    state = RolloutState(torch.from_numpy(start.wrapped_positions), torch.from_numpy(start.image_flags))
    frames, guarded = [], 0
    for frame in rollout(propagator, batch, state, torch.Generator().manual_seed(0)):
        frames.append(frame)
        guarded += int(propagator.n_guarded.sum())
        if len(frames) == n_steps:
            break
    model.refiner = kept
    frames = frames[SETTLE:]
    n = len(frames)
    trajectory = Trajectory(
        start.system,
        np.stack([f.wrapped_positions.numpy() for f in frames]),
        np.stack([f.image_flags.numpy() for f in frames]),
        np.repeat(start.cell[-1:], n, axis=0),
        np.arange(n) * card.model.lag_time,
    )
    return trajectory, guarded / n_steps


def _bonds(run: Trajectory, batch: BeadBatch) -> str:
    """Mean length of the bead bonds and its spread."""
    i, j = batch.bond_index.numpy()
    positions = run.unwrapped_positions
    lengths = np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)
    return f"{lengths.mean():.2f} {lengths.std():.2f}"


def _msd(run: Trajectory, batch: BeadBatch, kind: int, lag: int) -> float:
    """Mean squared displacement of a class over some lags, drift removed."""
    positions = run.unwrapped_positions
    step = positions[lag:] - positions[:-lag]
    step = step - np.average(step, axis=1, weights=run.system.masses)[:, None]
    return float((step[:, (batch.bead_class == kind).numpy()] ** 2).sum(axis=-1).mean())


def _close(trained: TrainedModel, batch: BeadBatch, run: Trajectory) -> float:
    """Pairs closer than any of their classes in training, per frame."""
    closest = torch.tensor(trained.card.trained.closest_pair)
    count = 0
    for positions in run.wrapped_positions:
        found = torch.from_numpy(positions)
        pairs = neighbor_pairs(found, batch.sizes, batch.cell, float(closest.max()))
        lengths = (found[pairs.sender] + pairs.shifts - found[pairs.receiver]).norm(dim=-1)
        limits = closest[batch.bead_class[pairs.sender], batch.bead_class[pairs.receiver]]
        count += int((lengths < 0.99 * limits).sum()) // 2
    return count / run.n_frames


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
