"""How well the Gaussian of the dynamics network knows the motion of MD, from the softest modes to the stiffest.

    python docs/evidence/modes.py MODEL STORE...

Along each eigenvector of the covariance of its draws, drift removed, MD moves with the variance that the model gives
it, if that is right. Prints for each store and eighth of these modes, soft to stiff, the mean squared residual of MD
over the variance of the model; the same for each class of beads; and what share of a draw goes with its drift. Of an
ensemble it looks at the first seed.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import open_beads
from cgsim.checkpoint import TrainedModel, find_model, load_model
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.train.source import lag_stride
from cgsim.trajectory.windows import displacement_window, history_window

N_WINDOWS, N_PARTS = 16, 8


@torch.no_grad()
def compare(model: TrainedModel, path: Path) -> None:
    """Print the ratios of one store."""
    card, networks = model.card, model.model
    beads = open_beads(path, card.mapping)
    trajectory, stride = beads.read(), lag_stride(beads, card.model.lag_time)
    cell, offsets = trajectory.cell[0], card.model.history_offsets
    system = SystemInputs.of(beads.atoms, beads.mapping, cell, card.vocabulary, card.scales.class_names, str(path))
    batch = make_batch([system], [0], networks.embedding)
    share = (batch.masses / batch.masses.sum()).double()[None, :] * batch.is_periodic
    n_still = 3 * int(batch.is_periodic.sum())
    by_mode, lost, residuals, variances = [], [], [], []
    for frame in np.linspace(offsets[-1] * stride, trajectory.n_frames - 1 - stride, N_WINDOWS).astype(int):
        history = batch.at_rest(torch.from_numpy(history_window(trajectory, frame, stride, offsets)).float())
        moved = batch.remove_drift(torch.from_numpy(displacement_window(trajectory, frame, stride)).float())
        gaussian, _ = networks.dynamics(batch, history, networks.dynamics.graph(batch, history))
        free = torch.linalg.inv(gaussian.dense_precision()[0])
        shift = torch.kron(share.expand(len(moved), -1), torch.eye(3, dtype=torch.float64))
        still = torch.eye(len(shift), dtype=torch.float64) - shift
        covariance = still @ free @ still.T
        variance, vectors = torch.linalg.eigh(covariance)
        variance, vectors = variance[n_still:].flip(0), vectors[:, n_still:].flip(1)  # the drift, zero, comes first
        residual = (moved / networks.dynamics.normalization.reference - gaussian.mean).double().ravel()
        ratios = (vectors.T @ residual).square() / variance
        by_mode.append([float(part.mean()) for part in torch.tensor_split(ratios, N_PARTS)])
        lost.append(1.0 - float(covariance.trace() / free.trace()))
        residuals.append(residual.square().view(-1, 3).mean(dim=-1))
        variances.append(covariance.diagonal().view(-1, 3).mean(dim=-1))
    found, expected = torch.stack(residuals).mean(dim=0), torch.stack(variances).mean(dim=0)
    members = {name: batch.bead_class == k for k, name in enumerate(card.scales.class_names)}
    classes = {name: found[own].mean() / expected[own].mean() for name, own in members.items()}
    print(
        f"{path.stem}: modes {' '.join(f'{ratio:.2f}' for ratio in np.mean(by_mode, axis=0))}; "
        + ", ".join(f"{name} {float(ratio):.2f}" for name, ratio in classes.items())
        + f"; {np.mean(lost):.3f} go with the drift",
        flush=True,
    )


def main() -> None:
    """Compare on each store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("stores", nargs="+", type=Path)
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    for path in given.stores:
        compare(model, path)


if __name__ == "__main__":
    main()
