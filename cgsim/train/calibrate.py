"""Calibration of a trained model on its own training windows; no likelihood says what these numbers should be."""

import numpy as np
import torch

from cgsim.graph import BeadBatch
from cgsim.models.inputs import make_batch
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.observables.dynamics import centre_of_mass
from cgsim.simulate.propagator import Calibration, LearnedPropagator
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.data import TrainingSet
from cgsim.train.source import BeadData
from cgsim.trajectory.windows import displacement_window, history_window
from cgsim.typing import Float, Tensor

BEADS_FOR_CALIBRATION = 10_000
LARGEST_WINDOWS = 256
SCALE_RANGE = (0.7, 2.0)
N_STEPS = 16  # of the rollouts in which noise scales are found; those of the second half are averaged
GAIN = 0.5  # of the correction after each step; the variance of a step follows its scale closely


@torch.no_grad()
def calibrate(
    model: CoarseGrainedModel,
    sampler: SamplerSettings,
    data: TrainingSet,
    seed: int,
    before: Calibration | None = None,
) -> Calibration:
    """Measure the dynamics GNN's own error, and the noise scales at which displacements have the right variance.

    Args:
        model: the trained model, in evaluation mode.
        sampler: the refinement that the noise scale is for.
        data: the training set.
        seed: of the windows and the draws.
        before: of the model that training went on from; its noise scales are the first guess, and stay those of
            classes that the new data lack.
    """
    offsets = model.settings.history_offsets
    which, recent, displacement = _windows(data, model.settings, seed)
    device = model.embedding.atom_embedding.weight.device
    batch = make_batch(data.inputs(data.train), which, model.embedding)
    recent, displacement = batch.at_rest(recent.to(device)), batch.remove_drift(displacement.to(device))
    back = [-1 - offset for offset in reversed(offsets)]
    history = recent[:, back]
    gaussian, _ = model.dynamics(batch, history, model.dynamics.graph(batch, history))
    drawn = gaussian.sample(torch.Generator(device=device).manual_seed(seed)) * model.dynamics.normalization.reference
    own_error = float((batch.remove_drift(drawn) - displacement).square().mean().sqrt())
    centre_variance = _centre_variance(data) if model.settings.dynamics.free_centre else None
    n_classes = len(model.scales.class_names)
    # The published draws are not scaled either.
    if model.refiner is None or sampler.scaled == "none" or sampler.method == "published":
        return Calibration(own_error=own_error, noise_scale=(1.0,) * n_classes, centre_variance=centre_variance)
    # In rollouts and not on windows of MD alone: a rollout is a little looser than MD, and beads then move further.
    of_system = {k: _squared_displacements(data.train[k]) for k in set(which)}
    squares = torch.cat([of_system[k] for k in which]).to(device)
    scales, found = torch.tensor(before.noise_scale if before else (1.0,) * n_classes, device=device), []
    generator = torch.Generator(device=device).manual_seed(seed)
    ranges = data.ranges(which)
    for _ in range(N_STEPS):
        trial = Calibration(own_error=own_error, noise_scale=tuple(scales.tolist()), centre_variance=centre_variance)
        propagator = LearnedPropagator(model, sampler, trial, ranges)
        following = propagator.draw(batch, recent[:, back], generator)
        ratio = _variance_ratio((following - recent[:, -1]).square().sum(dim=-1), squares, batch, n_classes)
        scales = (scales * ratio ** (-0.5 * GAIN)).clamp(*SCALE_RANGE)
        found.append(scales.log())
        recent = torch.cat([recent[:, 1:], following[:, None]], dim=1)
    mean = torch.stack(found[N_STEPS // 2 :]).mean(dim=0).exp()
    return Calibration(own_error=own_error, noise_scale=tuple(mean.tolist()), centre_variance=centre_variance)


def _centre_variance(data: TrainingSet) -> float | None:
    """Mass times what the mean square displacement per axis of open systems' centres of mass grows by in one lag.

    From one lag to two, because its growth over the first one is slower: inertia takes its part of that, and draws have
    none. None without open systems of at least two lags.
    """
    found = []
    for one in data.train:
        masses, stride = one.store.mapping.masses, one.stride
        if not one.trajectory.is_periodic and one.trajectory.n_frames > 2 * stride:
            centre = centre_of_mass(one.trajectory.unwrapped_positions, masses)
            once, twice = (np.square(centre[n * stride :] - centre[: -n * stride]).mean() for n in (1, 2))
            found.append([masses.sum() * (twice - once), one.trajectory.n_frames])
    growth, n_frames = np.array(found).reshape(-1, 2).T
    return float(np.average(growth, weights=n_frames)) if found else None


def _windows(
    data: TrainingSet, settings: ModelSettings, seed: int
) -> tuple[list[int], Float[Tensor, "beads lags 3"], Float[Tensor, "beads 3"]]:
    """Windows of all systems in turn: which system, positions at every lag of the history, and the displacement."""
    n_systems = len(data.train)
    every_lag = tuple(range(settings.history_offsets[-1] + 1))
    n_beads = max(len(d.store.mapping.masses) for d in data.train)
    n = min(LARGEST_WINDOWS, max(n_systems, BEADS_FOR_CALIBRATION // n_beads))
    rng = np.random.default_rng(seed)
    which = np.resize(rng.permutation(n_systems), n).tolist()
    recent, displacement = [], []
    for k in which:
        one = data.train[k]
        frame = int(rng.choice(one.frames(settings)))
        recent.append(torch.from_numpy(history_window(one.trajectory, frame, one.stride, every_lag)))
        displacement.append(torch.from_numpy(displacement_window(one.trajectory, frame, one.stride)))
    return which, torch.cat(recent), torch.cat(displacement)


def _squared_displacements(one: BeadData) -> Float[Tensor, " beads"]:
    """Mean over all frames of the squared displacement of each bead in one lag, drift removed; length^2."""
    positions, masses = one.trajectory.unwrapped_positions, one.store.mapping.masses
    moved = positions[one.stride :] - positions[: -one.stride]
    if one.trajectory.is_periodic:
        moved = moved - centre_of_mass(moved, masses)[:, None]
    return torch.from_numpy(np.square(moved).sum(axis=-1).mean(axis=0)).float()


def _variance_ratio(
    drawn: Float[Tensor, " beads"], true: Float[Tensor, " beads"], batch: BeadBatch, n_classes: int
) -> Float[Tensor, " classes"]:
    """Mean over the systems of squared displacements drawn over true ones; 1 for a class that is not there.

    Each system counts alike, however far its beads go: the slow ones are to be as right as the quick ones.
    """
    place = batch.graph_index * n_classes + batch.bead_class
    zeros = drawn.new_zeros(len(batch.sizes) * n_classes)
    ours, theirs = (zeros.index_add(0, place, squares).view(-1, n_classes) for squares in (drawn, true))
    is_there = theirs > 0
    ratios = torch.where(is_there, ours / theirs, torch.zeros_like(theirs))
    n_systems = is_there.sum(dim=0)
    return torch.where(n_systems > 0, ratios.sum(dim=0) / n_systems.clamp(min=1), torch.ones_like(ratios[0]))
