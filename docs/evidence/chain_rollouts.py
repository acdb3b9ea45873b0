"""How a model and its sampler do on the validation chains of data/chains-100; the test chains are not looked at.

    python docs/evidence/chain_rollouts.py chain
    python docs/evidence/chain_rollouts.py runs/a/model --sampler method=heun n_levels=9 --sampler start=1.0

Prints for each choice of the sampler: calls a step; R2, mean absolute error and bias of <Rg^2> of the beads over the
chains; bond mean and spread, and D of the centre of mass, relative to MD; CPU time. The MD is 20,000 tau long: its own
noise alone makes a mean absolute error of about 0.44 (0.8 times the mean standard error in reference.json).
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import open_beads
from cgsim.checkpoint import find_model, load_model
from cgsim.config import override_sampler
from cgsim.observables.structure import radius_of_gyration
from cgsim.production import ProductionSettings, simulate
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore

CHAINS = sorted((Path(__file__).parents[2] / "data" / "chains-100" / "validation").glob("*.h5"))
LEFT_OUT = 0.05


def figures(beads: Trajectory, interval: float) -> list[float]:
    """<Rg^2>, mean and spread of bead bonds, mean squared displacement of the centre over an interval."""
    positions, masses = beads.unwrapped_positions, beads.system.masses
    i, j = beads.system.bond_index
    bonds = np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)
    centre = np.average(positions, axis=1, weights=masses)
    frames = max(1, round(interval / float(np.median(np.diff(beads.time)))))
    moved = np.square(centre[frames:] - centre[:-frames]).sum(axis=-1).mean()
    size = np.square(radius_of_gyration(positions, masses, beads.system.molecule_id)).mean()
    return [float(x) for x in (size, bonds.mean(), bonds.std(), moved)]


def main() -> None:
    """Run the choices one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--time", type=float, default=40000.0, help="in tau")
    parser.add_argument("--sampler", nargs="*", action="append", metavar="KEY=VALUE")
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    md = np.array([figures(open_beads(path, model.card.mapping).read(), 100.0) for path in CHAINS])
    for changes in given.sampler or [[]]:
        sampler = override_sampler(model.card.sampler, changes)
        settings = ProductionSettings(time=given.time, begin=0.0, sampler=sampler)
        begun = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "out.h5"
            results = simulate(model, CHAINS, output, settings, resume=False, report=lambda _: None)
            rollouts = [TrajectoryStore(result.path).read() for result in results]
        ours = np.array([figures(r[round(LEFT_OUT * r.n_frames) :], 100.0) for r in rollouts])
        error = ours[:, 0] - md[:, 0]
        r2 = 1.0 - np.square(error).sum() / np.square(md[:, 0] - md[:, 0].mean()).sum()
        bond, spread, diffusion = (ours / md).mean(axis=0)[1:]
        print(
            f"{' '.join(changes) or 'as it ships'}: {sampler.n_calls} calls, R2 {r2:.3f}, "
            f"MAE {np.abs(error).mean():.2f}, bias {error.mean():+.2f}, bond {bond:.3f}, spread {spread:.3f}, "
            f"D {diffusion:.3f}, {time.process_time() - begun:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
