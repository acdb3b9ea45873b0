"""What is minimised: likelihood of the displacement, and denoising of the next positions."""

from dataclasses import dataclass

import torch

from cgsim.graph import BeadBatch, build_graph
from cgsim.models.gaussian import GaussianDisplacement
from cgsim.models.model import CoarseGrainedModel
from cgsim.train.noise import class_weights, log_uniform
from cgsim.typing import Float, Tensor


@dataclass(frozen=True)
class Window:
    """A batch of training windows.

    Attributes:
        batch: the systems.
        history: [beads, history, 3], length; the present last and in the box.
        displacement: [beads, 3], length; over the next lag, drift removed in periodic systems.
    """

    batch: BeadBatch
    history: Float[Tensor, "beads history 3"]
    displacement: Float[Tensor, "beads 3"]


@dataclass(frozen=True)
class Losses:
    """Losses of one batch, nats per coordinate (likelihood) or per unit variance (score).

    Attributes:
        likelihood: joint negative log-likelihood per coordinate, in units of the reference scale.
        balance: conditional negative log-likelihood of the classes that the joint one neglects.
        score: denoising error; zero without refiner.
    """

    likelihood: Float[Tensor, ""]
    balance: Float[Tensor, ""]
    score: Float[Tensor, ""]

    @property
    def total(self) -> Float[Tensor, ""]:
        """Sum."""
        return self.likelihood + self.balance + self.score


def compute_losses(model: CoarseGrainedModel, window: Window, generator: torch.Generator) -> Losses:
    """All losses of a batch."""
    batch, history = window.batch, window.history
    graph = build_graph(history[:, -1], batch, model.settings.dynamics.cutoff)
    gaussian, latents = model.dynamics(batch, history, graph)
    reference = model.dynamics.normalization.reference
    target = window.displacement / reference
    likelihood = -gaussian.log_prob(target).sum() / (3 * len(history))
    balance = _balance(gaussian, target, batch, len(model.scales.class_names))
    if model.refiner is None:
        return Losses(likelihood, balance, torch.zeros_like(likelihood))
    settings = model.refiner.settings
    present = history[:, -1]
    mean = (present + reference * gaussian.mean).detach()
    levels = log_uniform(len(batch.sizes), settings.smallest_noise, settings.largest_noise, generator, present.device)[
        batch.graph_index
    ]
    noise = torch.randn(present.shape, generator=generator, device=present.device)
    following = present + window.displacement
    noised = following + levels[:, None] * noise
    detached = type(latents)(latents.scalars.detach(), latents.vectors.detach())
    output = model.refiner(batch, history, mean, detached, noised, levels)
    skip, out = model.refiner.preconditioning(batch, levels)
    wanted = (following - mean - skip * (noised - mean)) / out
    errors = (output - wanted).square().mean(dim=-1)
    weights = class_weights(batch.bead_class, len(model.scales.class_names))
    return Losses(likelihood, balance, (weights * errors).sum())


def _balance(gaussian: GaussianDisplacement, target: Tensor, batch: BeadBatch, n_classes: int) -> Tensor:
    """Make up for classes with few beads, so that ions weigh as much as polymer.

    A class with a share f of the beads has the weight f in the joint likelihood; it is given ``1/n - f`` more, if that
    is positive, as the conditional likelihood of its beads given all others (Besag's pseudo-likelihood).
    """
    counts = torch.bincount(batch.bead_class, minlength=n_classes)
    present = (counts > 0).sum()
    if int(present) < 2:
        return target.new_zeros(())
    missing = (1.0 / present - counts / counts.sum()).clamp(min=0.0)
    weights = (missing / counts.clamp(min=1))[batch.bead_class]
    return -(weights * gaussian.conditional_log_prob(target)).sum() / 3.0
