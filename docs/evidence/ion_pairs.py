"""How near two lithium ions come, in MD and in rollouts of a model.

    python docs/evidence/ion_pairs.py
    python docs/evidence/ion_pairs.py --model electrolyte

Without a model: the closest pair in the MD of every system that models of electrolytes learn from, and in how many of
its frames a pair is nearer than 3.2 Å, for those with a pair nearer than 3.6 Å. With a model: the same of a rollout of
3.2 ns of each of eight others, none of which has such pairs in MD; a minute of one core. A model that takes what amides
do for what lithium does everywhere keeps such pairs together.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from electrolyte_rollouts import DATA

from cgsim.beads import open_beads
from cgsim.checkpoint import find_model, load_model
from cgsim.geometry.periodic import minimum_image
from cgsim.production import ProductionSettings, simulate
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.typing import Array

BESIDE = DATA.parent / "train-beads"
SYSTEMS = [DATA / f"{name}.h5" for name in ("PDOL", "PTHF", "P-MO-TMO", "PTMC")]
SYSTEMS += [BESIDE / f"{name}.h5" for name in ("P-EO-EI", "PMEI", "P-EO-THF", "P-MO-3EO")]
TOGETHER, SHOWN = 3.2, 3.6  # Å
LENGTH = 3200.0  # ps


def closest(beads: Trajectory) -> Array:
    """Distance of the closest two lithium ions, [frames]."""
    kind = beads.system.type_names.index("Li")
    positions = torch.from_numpy(beads.wrapped_positions[:, beads.system.particle_type == kind])
    i, j = torch.triu_indices(positions.shape[1], positions.shape[1], offset=1)
    cells = torch.from_numpy(beads.cell)
    found = [minimum_image(x[i] - x[j], cell.to(x.dtype)) for x, cell in zip(positions, cells, strict=True)]
    nearest: Array = torch.stack(found).norm(dim=-1).amin(dim=-1).numpy()
    return nearest


def say(name: str, distances: Array) -> None:
    """One line."""
    together = float((distances < TOGETHER).mean())
    print(f"{name}: closest {distances.min():.2f}, nearer than {TOGETHER} in {together:.3f} of the frames", flush=True)


def main() -> None:
    """MD, or rollouts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="")
    given = parser.parse_args()
    if not given.model:
        mapping = load_model(find_model("electrolyte"), torch.device("cpu")).card.mapping
        for path in [*sorted(DATA.glob("*.h5")), *sorted(BESIDE.glob("*.h5"))]:
            distances = closest(open_beads(path, mapping).read())
            if distances.min() < SHOWN:
                say(path.stem, distances)
        return
    model = load_model(find_model(given.model), torch.device("cpu"))
    settings = ProductionSettings(time=LENGTH, sampler=model.card.sampler)
    with tempfile.TemporaryDirectory() as folder:
        for result in simulate(model, SYSTEMS, Path(folder) / "out.h5", settings, resume=False, report=lambda _: None):
            say(result.path.stem.removeprefix("out-"), closest(TrajectoryStore(result.path).read()))


if __name__ == "__main__":
    main()
