"""Whether diffusion in rollouts depends on a model's lag time or on how far it looks back.

    python docs/evidence/lag_times.py runs/a/model runs/b/model --systems md/one.h5 md/other.h5

All models simulate the same systems. Prints for each model and role the mean over the systems of the decimal logarithm
of the diffusion coefficient of the molecules' centres of mass over that of the first model, +- its standard error from
their scatter; 0 is what a model without memory errors would give. All are fitted in the same window of lags, and the
trajectories are seen at the same interval. Beside it, the mean size of the difference of log10 D between two rollouts
of a system, over the root of two.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from cgsim.benchmark.electrolyte.roles import find_roles
from cgsim.checkpoint import find_model, load_model
from cgsim.observables.diffusion import diffusion_coefficient_within
from cgsim.observables.dynamics import centre_of_mass, mean_squared_displacement, remove_drift
from cgsim.observables.structure import centres_of_mass
from cgsim.production import ProductionSettings, simulate
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.typing import Array

WINDOW = (256.0, 1024.0)  # ps, fitted
LEFT_OUT = 512.0  # ps, in which a rollout finds what it holds for equilibrium
ROLES = ("li", "anion", "polymer")
SEEDS = (0, 1)


def log_diffusivities(rollout: Trajectory, seen_every: float) -> list[float]:
    """Decimal logarithm of D, Å^2/ps, of each role, from frames that far apart."""
    interval = float(np.median(np.diff(rollout.time)))
    beads = rollout[round(LEFT_OUT / interval) :: round(seen_every / interval)]
    system = beads.system
    positions = beads.unwrapped_positions
    positions = remove_drift(positions, centre_of_mass(positions, system.masses))
    found = []
    for _, species in find_roles(system).items():
        of = species.particles
        molecules = np.unique(system.molecule_id[of], return_inverse=True)[1]
        centres = centres_of_mass(positions[:, of], system.masses[of], molecules)
        displacement = mean_squared_displacement(centres, np.arange(centres.shape[1]), seen_every)
        found.append(float(np.log10(diffusion_coefficient_within(displacement, WINDOW).coefficient.value)))
    return found


def measure(name: str, stores: list[Path], length: float, seen_every: float) -> Array:
    """Log diffusivities, [seeds, systems, roles]."""
    model = load_model(find_model(name), torch.device("cpu"))
    found = []
    for seed in SEEDS:
        settings = ProductionSettings(time=length, sampler=model.card.sampler, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            results = simulate(model, stores, Path(folder) / "out.h5", settings, resume=False, report=lambda _: None)
            found.append([log_diffusivities(TrajectoryStore(result.path).read(), seen_every) for result in results])
    return np.array(found)


def main() -> None:
    """Print one line for each model as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--systems", nargs="+", type=Path, required=True, help="stores to begin from")
    parser.add_argument("--time", type=float, default=6400.0, help="of each rollout, in ps")
    parser.add_argument("--seen-every", type=float, default=128.0, help="in ps; a multiple of all lag times")
    given = parser.parse_args()
    first = None
    for name in given.models:
        found = measure(name, given.systems, given.time, given.seen_every)
        first = found if first is None else first
        difference = (found - first).mean(axis=0)
        errors = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
        noise = np.abs(found[1] - found[0]).mean(axis=0) / np.sqrt(2.0)
        cells = [
            f"{role} {mean:+.3f} +- {error:.3f} (one rollout {scatter:.3f})"
            for role, mean, error, scatter in zip(ROLES, difference.mean(axis=0), errors, noise, strict=True)
        ]
        print(f"{name}: {', '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
