"""What one expectation of the Gaussian prior costs, level by level, and how exact it is.

    OMP_NUM_THREADS=1 python docs/evidence/posterior_mean.py electrolyte data/spe-450K/train/PVL.h5

The Gaussian is that of one configuration of MD. Prints for each noise level the CPU time of `posterior_mean`, median of
rounds, and its largest error in units of the displacement scale, from the written-out matrices in double precision.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import open_beads
from cgsim.checkpoint import find_model, load_model
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.train.source import lag_stride
from cgsim.trajectory.windows import history_window

LEVELS = (5.5, 2.5, 1.2, 0.5, 0.1)  # length
ROUNDS = 30


@torch.no_grad()
def main() -> None:
    """Print one line for each level."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("store", type=Path)
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    card, networks = model.card, model.model
    beads = open_beads(given.store, card.mapping)
    md, stride, offsets = beads.read(), lag_stride(beads, card.model.lag_time), card.model.history_offsets
    classes, name = card.scales.class_names, str(given.store)
    system = SystemInputs.of(beads.atoms, beads.mapping, md.cell[0], card.vocabulary, classes, name)
    batch = make_batch([system], [0], networks.embedding)
    history = batch.at_rest(torch.from_numpy(history_window(md, md.n_frames // 2, stride, offsets)).float())
    gaussian, _ = networks.dynamics(batch, history, networks.dynamics.graph(batch, history))
    generator, reference = torch.Generator().manual_seed(0), networks.dynamics.normalization.reference
    identity = torch.eye(3 * len(gaussian.mean), dtype=torch.float64)
    for level in LEVELS:
        sigma = torch.tensor([level / reference])
        noised = gaussian.sample(generator) + sigma * torch.randn(gaussian.mean.shape, generator=generator)
        matrix = identity + float(sigma) ** 2 * gaussian.dense_precision()[0]
        exact = gaussian.mean + torch.linalg.solve(matrix, (noised - gaussian.mean).double().ravel()).view(-1, 3)
        seconds = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            found = gaussian.posterior_mean(noised, sigma)
            seconds.append(time.process_time() - begun)
        print(
            f"{level:4.1f}: {1e3 * np.median(seconds):.2f} ms, largest error {float((found - exact).abs().max()):.1e}"
        )


if __name__ == "__main__":
    main()
