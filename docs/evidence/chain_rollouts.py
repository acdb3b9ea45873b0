"""How a model and its sampler do on the validation chains of data/chains-100; the test chains are not looked at.

    python docs/evidence/chain_rollouts.py chain
    python docs/evidence/chain_rollouts.py runs/a/model --sampler method=heun n_levels=9 --sampler start=1.0

Prints for each choice of the sampler: calls a step; R2, mean absolute error and bias of <Rg^2> of the beads over the
chains; bond mean and spread, D of the centre of mass and the median relaxation time of Rg, relative to MD; CPU time.
The MD is 20,000 tau long: its own noise alone makes a mean absolute error of about 0.44 (0.8 times the mean standard
error in reference.json).
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import open_beads
from cgsim.checkpoint import TrainedModel, find_model, load_model
from cgsim.config import override_sampler
from cgsim.observables.dynamics import autocorrelation, integrated_relaxation_time
from cgsim.observables.structure import radius_of_gyration
from cgsim.production import ProductionSettings, simulate
from cgsim.production.segments import HEALTHY
from cgsim.simulate.sampler import SamplerSettings
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore

CHAINS = sorted((Path(__file__).parents[2] / "data" / "chains-100" / "validation").glob("*.h5"))
LEFT_OUT = 0.05


def figures(beads: Trajectory, lag_time: float) -> list[float]:
    """<Rg^2>, mean and spread of bead bonds, squared displacement of the centre in 100 tau, relaxation time of Rg."""
    interval = float(np.median(np.diff(beads.time)))
    positions, masses = beads.unwrapped_positions, beads.system.masses
    i, j = beads.system.bond_index
    bonds = np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)
    centre = np.average(positions, axis=1, weights=masses)
    frames = max(1, round(100.0 / interval))
    moved = np.square(centre[frames:] - centre[:-frames]).sum(axis=-1).mean()
    rg = radius_of_gyration(positions, masses, beads.system.molecule_id)
    stride = max(1, round(lag_time / interval))  # a rollout is seen once a lag, so MD is as well
    correlation = autocorrelation(rg[::stride], rg.mean(axis=0))
    relaxation, _ = integrated_relaxation_time(correlation, stride * interval, rg.shape[1])
    return [float(x) for x in (np.square(rg).mean(), bonds.mean(), bonds.std(), moved, relaxation.value)]


@dataclass(frozen=True)
class Scores:
    """How the rollouts of one model compare with the MD of the validation chains.

    Attributes:
        r2, mae, bias: of <Rg^2> of the beads over the chains.
        bond, spread, diffusion: mean and spread of bead bonds, and D of the centre of mass, relative to MD.
        relaxation: median over chains of the relaxation time of Rg relative to MD.
        stable: share of rollouts that reached their end.
        seconds: CPU time of the rollouts.
    """

    r2: float
    mae: float
    bias: float
    bond: float
    spread: float
    diffusion: float
    relaxation: float
    stable: float
    seconds: float


def score(model: TrainedModel, sampler: SamplerSettings, time_limit: float, seed: int = 0) -> Scores:
    """Simulate all validation chains, side by side, from the first frames of their MD."""
    lag = model.card.model.lag_time
    md = np.array([figures(open_beads(path, model.card.mapping).read(), lag) for path in CHAINS])
    settings = ProductionSettings(time=time_limit, begin=0.0, sampler=sampler, seed=seed)
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        results = simulate(model, CHAINS, Path(folder) / "out.h5", settings, resume=False, report=lambda _: None)
        rollouts = [TrajectoryStore(result.path).read() for result in results]
    seconds = time.process_time() - begun
    ours = np.array([figures(r[round(LEFT_OUT * r.n_frames) :], lag) for r in rollouts])
    error = ours[:, 0] - md[:, 0]
    r2 = 1.0 - np.square(error).sum() / np.square(md[:, 0] - md[:, 0].mean()).sum()
    bond, spread, diffusion = (ours / md).mean(axis=0)[1:4]
    stable = np.mean([result.verdict.verdict == HEALTHY for result in results])
    relaxation = np.median(ours[:, 4] / md[:, 4])
    mae, bias = np.abs(error).mean(), error.mean()
    return Scores(*(float(x) for x in (r2, mae, bias, bond, spread, diffusion, relaxation, stable, seconds)))


def main() -> None:
    """Run the choices one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--time", type=float, default=40000.0, help="in tau")
    parser.add_argument("--sampler", nargs="*", action="append", metavar="KEY=VALUE")
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    for changes in given.sampler or [[]]:
        sampler = override_sampler(model.card.sampler, changes)
        s = score(model, sampler, given.time)
        print(
            f"{' '.join(changes) or 'as it ships'}: {sampler.n_calls} calls, R2 {s.r2:.3f}, MAE {s.mae:.2f}, "
            f"bias {s.bias:+.2f}, bond {s.bond:.3f}, spread {s.spread:.3f}, D {s.diffusion:.3f}, "
            f"relaxation {s.relaxation:.2f}, {s.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
