"""Calibration of a trained model on its own training windows; no likelihood says what these numbers should be."""

import math
from collections.abc import Iterator

import torch

from cgsim.graph import BeadBatch, build_graph
from cgsim.models.inputs import make_batch
from cgsim.models.model import CoarseGrainedModel
from cgsim.simulate.propagator import Calibration, LearnedPropagator
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.data import TrainingSet, Windows
from cgsim.train.module import collate, epoch_order
from cgsim.typing import Float, Tensor

BEADS_FOR_CALIBRATION = 3000
LARGEST_WINDOWS = 256
CENTRE_BATCHES = 30  # a system has one centre of mass, so the same error takes as many windows more as it has beads
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
    batch, history, displacement, drawn = next(_batches(model, data, 1, seed))
    own_error = float((batch.remove_drift(drawn) - displacement).square().mean().sqrt())
    centre_scale = _centre_scale(model, data, seed) if model.settings.dynamics.free_centre else 1.0
    n_classes = len(model.scales.class_names)
    if model.refiner is None or sampler.method == "published":  # the published draws are not rescaled
        return Calibration(own_error=own_error, noise_scale=(1.0,) * n_classes, centre_scale=centre_scale)
    scales = torch.ones(n_classes, device=displacement.device)
    for _ in range(N_ITERATIONS):
        trial = Calibration(own_error=own_error, noise_scale=tuple(scales.tolist()), centre_scale=centre_scale)
        propagator = LearnedPropagator(model, sampler, trial, data.trained)
        generator = torch.Generator(device=displacement.device).manual_seed(seed)
        refined = propagator.draw(batch, history, generator) - history[:, -1]
        scales = (scales * _variance_ratio(refined, displacement, batch, n_classes).rsqrt()).clamp(*SCALE_RANGE)
    return Calibration(own_error=own_error, noise_scale=tuple(scales.tolist()), centre_scale=centre_scale)


def _batches(
    model: CoarseGrainedModel, data: TrainingSet, n_batches: int, seed: int
) -> Iterator[tuple[BeadBatch, Float[Tensor, "beads history 3"], Float[Tensor, "beads 3"], Float[Tensor, "beads 3"]]]:
    """Some batches of training windows: systems, history, true displacement, and one that the Gaussian draws."""
    windows = Windows(data.train, model.settings)
    n_beads = max(len(d.store.mapping.masses) for d in data.train)
    per_batch = min(LARGEST_WINDOWS, max(2, BEADS_FOR_CALIBRATION // n_beads))
    order = epoch_order(len(windows), min(len(windows), n_batches * per_batch), seed, 0).tolist()
    device = model.embedding.atom_embedding.weight.device
    generator = torch.Generator(device=device).manual_seed(seed)
    inputs = data.inputs(data.train)
    for begin in range(0, len(order), per_batch):
        which, history, displacement = collate([windows[i] for i in order[begin : begin + per_batch]])
        batch = make_batch(inputs, which, model.embedding)
        history, displacement = batch.at_rest(history.to(device)), batch.remove_drift(displacement.to(device))
        gaussian, _ = model.dynamics(batch, history, build_graph(history[:, -1], batch, model.settings.dynamics.cutoff))
        yield batch, history, displacement, gaussian.sample(generator) * model.dynamics.normalization.reference


def _centre_scale(model: CoarseGrainedModel, data: TrainingSet, seed: int) -> float:
    """Root of the ratio of the mean square displacements of the centres of mass of open systems; 1 without any."""
    if all(bool(inputs.cell.any()) for inputs in data.inputs(data.train)):
        return 1.0
    squares = [0.0, 0.0]
    for batch, _, displacement, drawn in _batches(model, data, CENTRE_BATCHES, seed):
        is_open = ~batch.is_periodic[batch.graph_index]
        for k, moved in enumerate((displacement, drawn)):
            squares[k] += float(batch.centre_of_mass(moved)[is_open].square().sum())
    return math.sqrt(squares[0] / squares[1])


def _variance_ratio(
    drawn: Float[Tensor, "beads 3"], true: Float[Tensor, "beads 3"], batch: BeadBatch, n_classes: int
) -> Float[Tensor, " classes"]:
    """Mean square displacement drawn over true, class by class; 1 for a class that is not there."""
    zeros = drawn.new_zeros(n_classes)
    sums = [zeros.index_add(0, batch.bead_class, x.square().mean(dim=-1)) for x in (drawn, true)]
    return torch.where(sums[1] > 0, sums[0] / sums[1], torch.ones_like(zeros))
