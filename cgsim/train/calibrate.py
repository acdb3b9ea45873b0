"""Calibration of a trained model on its own training windows; no likelihood says what these numbers should be."""

import numpy as np
import torch

from cgsim.graph import BeadBatch
from cgsim.models.inputs import make_batch
from cgsim.models.model import CoarseGrainedModel
from cgsim.simulate.propagator import Calibration, LearnedPropagator
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.data import TrainingSet, Windows
from cgsim.train.module import collate, epoch_order
from cgsim.typing import Float, Tensor

BEADS_FOR_CALIBRATION = 10_000
LARGEST_WINDOWS = 256
SCALE_RANGE = (0.7, 2.0)
N_ITERATIONS = 4  # the variance follows the scale closely, so a few fixed-point steps meet the statistical error


@torch.no_grad()
def calibrate(model: CoarseGrainedModel, sampler: SamplerSettings, data: TrainingSet, seed: int) -> Calibration:
    """Measure the dynamics GNN's own error, and the noise scales at which displacements have the right variance.

    Args:
        model: the trained model, in evaluation mode.
        sampler: the refinement that the noise scale is for.
        data: the training set.
        seed: of the windows and the draws.
    """
    windows = Windows(data.train, model.settings)
    n_beads = max(len(d.store.mapping.masses) for d in data.train)
    n = min(len(windows), LARGEST_WINDOWS, max(2, BEADS_FOR_CALIBRATION // n_beads))
    which, history, displacement, *_ = collate([windows[i] for i in epoch_order(len(windows), n, seed, 0).tolist()])
    device = model.embedding.atom_embedding.weight.device
    batch = make_batch(data.inputs(data.train), which, model.embedding)
    history, displacement = batch.at_rest(history.to(device)), batch.remove_drift(displacement.to(device))
    gaussian, _ = model.dynamics(batch, history, model.dynamics.graph(batch, history))
    drawn = gaussian.sample(torch.Generator(device=device).manual_seed(seed)) * model.dynamics.normalization.reference
    own_error = float((batch.remove_drift(drawn) - displacement).square().mean().sqrt())
    centre_variance = _centre_variance(data) if model.settings.dynamics.free_centre else None
    n_classes = len(model.scales.class_names)
    # The published draws are not scaled either.
    if model.refiner is None or sampler.scaled == "none" or sampler.method == "published":
        return Calibration(own_error=own_error, noise_scale=(1.0,) * n_classes, centre_variance=centre_variance)
    scales = torch.ones(n_classes, device=displacement.device)
    for _ in range(N_ITERATIONS):
        trial = Calibration(own_error=own_error, noise_scale=tuple(scales.tolist()), centre_variance=centre_variance)
        propagator = LearnedPropagator(model, sampler, trial, data.trained)
        generator = torch.Generator(device=device).manual_seed(seed)
        refined = propagator.draw(batch, history, generator) - history[:, -1]
        scales = (scales * _variance_ratio(refined, displacement, batch, n_classes).rsqrt()).clamp(*SCALE_RANGE)
    return Calibration(own_error=own_error, noise_scale=tuple(scales.tolist()), centre_variance=centre_variance)


def _centre_variance(data: TrainingSet) -> float | None:
    """Mass times what the mean square displacement per axis of open systems' centres of mass grows by in one lag.

    From one lag to two, because its growth over the first one is slower: inertia takes its part of that, and draws have
    none. None without open systems of at least two lags.
    """
    found = []
    for one in data.train:
        masses, stride = one.store.mapping.masses, one.stride
        if not one.trajectory.is_periodic and one.trajectory.n_frames > 2 * stride:
            centre = np.einsum("p,fpx->fx", masses / masses.sum(), one.trajectory.unwrapped_positions)
            once, twice = (np.square(centre[n * stride :] - centre[: -n * stride]).mean() for n in (1, 2))
            found.append([masses.sum() * (twice - once), one.trajectory.n_frames])
    growth, n_frames = np.array(found).reshape(-1, 2).T
    return float(np.average(growth, weights=n_frames)) if found else None


def _variance_ratio(
    drawn: Float[Tensor, "beads 3"], true: Float[Tensor, "beads 3"], batch: BeadBatch, n_classes: int
) -> Float[Tensor, " classes"]:
    """Mean square displacement drawn over true, class by class; 1 for a class that is not there."""
    zeros = drawn.new_zeros(n_classes)
    sums = [zeros.index_add(0, batch.bead_class, x.square().mean(dim=-1)) for x in (drawn, true)]
    return torch.where(sums[1] > 0, sums[0] / sums[1], torch.ones_like(zeros))
