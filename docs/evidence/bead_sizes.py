"""How much of what beads leave out of a chain's size the size head gives back, on chains that no model has seen.

    python docs/evidence/bead_sizes.py MODEL

MODEL was trained with configs/demo-chains.yaml and --set 'model.bead_size={}'. The residual of a configuration is Rg^2
of all particles less that of the beads. It is compared with that of the head, and with the mean size of all beads of
the training data, which is what a single number can give.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import open_beads
from cgsim.checkpoint import load_model
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.observables.statistics import block_average
from cgsim.observables.structure import radius_of_gyration
from cgsim.simulate.bead_sizes import BeadSizes
from cgsim.trajectory.store import TrajectoryStore

CHAINS = sorted((Path(__file__).parents[2] / "data" / "chains-100" / "validation").glob("*.h5"))


def main(path: Path) -> None:
    """Print errors between and within chains, and of <Rg^2>."""
    trained = load_model(path, torch.device("cpu"))
    card = trained.card
    assert card.scales.squared_size is not None
    true, head, mean, of_atoms = [], [], [], []
    for chain in CHAINS:
        beads = open_beads(chain, card.mapping)
        trajectory, atoms = beads.read(), TrajectoryStore(chain).read()
        inputs = SystemInputs.of(
            beads.atoms, beads.mapping, trajectory.cell[0], card.vocabulary, card.scales.class_names, str(chain)
        )
        with torch.no_grad():
            batch = make_batch([inputs], [0], trained.model.embedding)
        sizes = BeadSizes(trained.model, batch)(torch.from_numpy(trajectory.wrapped_positions)).double().numpy()
        shares = beads.mapping.masses / beads.mapping.masses.sum()
        squares = [
            radius_of_gyration(one.unwrapped_positions, one.system.masses, one.system.molecule_id)[:, 0] ** 2
            for one in (atoms, trajectory)
        ]
        of_atoms.append(squares[0])
        true.append(squares[0] - squares[1])
        head.append(sizes @ shares)
        mean.append(np.full(len(true[-1]), shares @ np.array(card.scales.squared_size)[inputs.bead_class]))
    residual, atomistic = np.array(true), np.array(of_atoms).mean(axis=1)
    print(f"{len(CHAINS)} unseen chains, {residual.shape[1]} frames each; residual {residual.mean():.2f} sigma^2 of "
          f"<Rg^2> = {atomistic.mean():.2f}")  # fmt: skip
    print("                       nothing  mean size  size head")
    guesses = [np.zeros_like(residual), np.array(mean), np.array(head)]
    errors = [residual - guess for guess in guesses]
    average = [e.mean(axis=1) for e in errors]
    within = [e - e.mean(axis=1, keepdims=True) for e in errors]
    _line("bias of <Rg^2>, sigma^2", [-a.mean() for a in average])
    _line("MAE of <Rg^2>, sigma^2", [np.abs(a).mean() for a in average])
    sampling = [np.array([block_average(chain).estimate.standard_error for chain in e]) for e in errors]
    _line(
        "rms of error / sampling",
        [float(np.sqrt(np.square(a / s).mean())) for a, s in zip(average, sampling, strict=True)],
    )
    _line("MAE of <Rg^2>, %", [100.0 * np.abs(a / atomistic).mean() for a in average])
    between = np.square(residual.mean(axis=1) - residual.mean()).mean()
    _line("explained between", [1.0 - np.square(a - a.mean()).mean() / between for a in average])
    inside = np.square(residual - residual.mean(axis=1, keepdims=True)).mean()
    _line("explained within", [1.0 - np.square(w).mean() / inside for w in within])


def _line(name: str, values: list[float]) -> None:
    print(f"{name:23s}" + "".join(f"{value + 0.0:9.3f}" if abs(value) > 5e-4 else f"{0:9d}" for value in values))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
