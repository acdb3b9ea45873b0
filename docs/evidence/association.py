"""How many anions hold a lithium ion in each polymer, in MD and in rollouts of a model that learned from it.

    python docs/evidence/association.py
    python docs/evidence/association.py electrolyte/seed-0
    python docs/evidence/association.py runs/a/model --sampler guidance=0 scaled=none --systems data/spe-450K/train/*.h5

For fourteen polymers, from those that part ions to those that hardly do: beads of anion within 5.2 Å and of polymer
within 3.8 Å of a lithium ion, the mean over the MD and over the last three quarters of a rollout of 3.2 ns. Below, over
the polymers: slope of the logarithm in rollouts against that in MD (1 where a model knows each polymer, 0 where it only
knows their mean), its root mean square error, and the same of the numbers of polymer beads. MD is a nanosecond long and
no rule for what equilibrium is, so errors do not go to zero: without a model its halves are compared in the same way.
Four minutes of one core a model.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from electrolyte_rollouts import DATA

from cgsim.beads import open_beads
from cgsim.checkpoint import find_model, load_model
from cgsim.config import override_sampler
from cgsim.geometry.neighbors import neighbor_pairs
from cgsim.production import ProductionSettings, simulate
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.typing import Array

NAMES = [
    "P-EO-TMO",
    "P-EO-glycolate",
    "P-MO-TMO",
    "PEC",
    "PEO-0.75",
    "PEO",
    "PMA",
    "PMGE",
    "PPO",
    "PTHF",
    "PTMC",
    "PVME",
]
SYSTEMS = [DATA / f"{name}.h5" for name in NAMES]
SYSTEMS += [DATA.parent / "train-beads" / f"{name}.h5" for name in ("P-EO-EI", "P-urea")]
REACH = {"TFSI": 5.2, "polymer": 3.8}  # Å, first minima of g(r)
SEEN_EVERY = {"MD": 8.0, "rollouts": 32.0}  # ps
LENGTH, LEFT_OUT, SEED = 3200.0, 0.25, 3


def neighbours(beads: Trajectory, seen_every: float) -> list[float]:
    """Beads of each class of ``REACH`` around a lithium ion, mean over ions and frames."""
    system = beads.system
    seen = beads[:: max(1, round(seen_every / float(np.median(np.diff(beads.time)))))]
    kind = torch.from_numpy(np.array(system.particle_type))
    codes = {name: system.type_names.index(name) for name in ("Li", *REACH)}
    counts = np.zeros(len(REACH))
    for positions, cell in zip(seen.unwrapped_positions, seen.cell, strict=True):
        x = torch.from_numpy(np.array(positions, dtype=float))
        cells = torch.from_numpy(np.array(cell, dtype=float))[None]
        pairs = neighbor_pairs(x, (len(x),), cells, max(REACH.values()))
        lengths = (x[pairs.sender] + pairs.shifts - x[pairs.receiver]).norm(dim=-1)
        of_lithium = kind[pairs.receiver] == codes["Li"]
        for k, (name, reach) in enumerate(REACH.items()):
            near = of_lithium & (kind[pairs.sender] == codes[name]) & (lengths < reach)
            counts[k] += int(near.sum())
    return list(counts / (seen.n_frames * int((kind == codes["Li"]).sum())))


def show(table: Array, names: list[str], others: str) -> None:
    """Print each system, and how well they are told apart; table is [systems, MD and others, classes]."""
    for name, (md, ours) in zip(names, table, strict=True):
        print(f"  {name}: anions {md[0]:.2f} in MD, {ours[0]:.2f}; polymer {md[1]:.2f} in MD, {ours[1]:.2f}")
    logs, held = np.log(table[:, :, 0].clip(min=0.01)), table[:, :, 1]
    slopes = [np.polyfit(values[:, 0], values[:, 1], 1)[0] for values in (logs, held)]
    errors = [np.sqrt(np.square(values[:, 1] - values[:, 0]).mean()) for values in (logs, held)]
    print(
        f"{others}: anions: slope {slopes[0]:.2f}, error of the logarithm {errors[0]:.2f}, mean "
        f"{(logs[:, 1] - logs[:, 0]).mean():+.2f}; polymer: slope {slopes[1]:.2f}, error {errors[1]:.2f}",
        flush=True,
    )


def main() -> None:
    """Halves of the MD, or all systems simulated side by side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", default="")
    parser.add_argument("--systems", nargs="+", type=Path, default=SYSTEMS)
    parser.add_argument("--sampler", nargs="*", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    names = [path.stem for path in given.systems]
    model = load_model(find_model(given.model or "electrolyte"), torch.device("cpu"))
    mds = [open_beads(path, model.card.mapping).read() for path in given.systems]
    if not given.model:
        halves = [(md[: md.n_frames // 2], md[md.n_frames // 2 :]) for md in mds]
        show(np.array([[neighbours(half, SEEN_EVERY["MD"]) for half in pair] for pair in halves]), names, "halves")
        return
    sampler = override_sampler(model.card.sampler, given.sampler)
    settings = ProductionSettings(time=LENGTH, sampler=sampler, seed=SEED)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.h5"
        results = simulate(model, given.systems, out, settings, resume=False, report=lambda _: None)
        for md, result in zip(mds, results, strict=True):
            rollout = TrajectoryStore(result.path).read()
            settled = rollout[round(LEFT_OUT * rollout.n_frames) :]
            rows.append([neighbours(md, SEEN_EVERY["MD"]), neighbours(settled, SEEN_EVERY["rollouts"])])
    show(np.array(rows), names, "rollouts")


if __name__ == "__main__":
    main()
