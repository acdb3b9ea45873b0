"""What is minimised: likelihood of the displacement, denoising of the next positions, errors of sizes of beads."""

from dataclasses import dataclass

import torch

from cgsim.graph import BeadBatch
from cgsim.models.gaussian import GaussianDisplacement
from cgsim.models.model import CoarseGrainedModel
from cgsim.train.noise import class_weights, log_uniform
from cgsim.typing import Float, Tensor


@dataclass(frozen=True)
class SizeTarget:
    """What the size head learns from: configurations as they are in the data, never noised.

    Attributes:
        positions: [beads, 3], length; of the present, in the box.
        squared_sizes: [beads], length^2.
    """

    positions: Float[Tensor, "beads 3"]
    squared_sizes: Float[Tensor, " beads"]


@dataclass(frozen=True)
class Window:
    """A batch of training windows.

    Attributes:
        batch: the systems.
        history: [beads, history, 3], length; the present last and in the box.
        displacement: [beads, 3], length; over the next lag, drift removed in periodic systems.
        sizes: for the size head, if there is one.
    """

    batch: BeadBatch
    history: Float[Tensor, "beads history 3"]
    displacement: Float[Tensor, "beads 3"]
    sizes: SizeTarget | None = None


@dataclass(frozen=True)
class Losses:
    """Losses of one batch, nats per coordinate (likelihood), per unit variance (score) or relative (size).

    Attributes:
        likelihood: joint negative log-likelihood per coordinate, in units of the reference scale.
        balance: conditional negative log-likelihood of the classes that the joint one neglects.
        score: denoising error; zero without refiner.
        size: squared error of the sizes of beads, relative to the means of their classes; none without size head.
    """

    likelihood: Float[Tensor, ""]
    balance: Float[Tensor, ""]
    score: Float[Tensor, ""]
    size: Float[Tensor, ""] | None = None

    @property
    def total(self) -> Float[Tensor, ""]:
        """Sum."""
        total = self.likelihood + self.balance + self.score
        return total if self.size is None else total + self.size


def compute_losses(
    model: CoarseGrainedModel, window: Window, class_balance: float, generator: torch.Generator
) -> Losses:
    """All losses of a batch.

    Args:
        model: the model.
        window: a batch of windows.
        class_balance: 0 weighs all beads alike, 1 all classes; see :func:`cgsim.train.noise.class_weights`.
        generator: the only source of randomness.
    """
    batch, history = window.batch, window.history
    gaussian, latents = model.dynamics(batch, history, model.dynamics.graph(batch, history))
    reference = model.dynamics.normalization.reference
    target = window.displacement / reference
    likelihood = -gaussian.log_prob(target).sum() / (3 * len(history))
    balance = _balance(gaussian, target, batch, class_balance, len(model.scales.class_names))
    size = model.bead_size.loss(batch, **vars(window.sizes)) if model.bead_size and window.sizes else None
    if model.refiner is None:
        return Losses(likelihood, balance, torch.zeros_like(likelihood), size)
    settings = model.refiner.settings
    present = history[:, -1]
    levels = log_uniform(len(batch.sizes), settings.smallest_noise, settings.largest_noise, generator, present.device)
    noise = torch.randn(present.shape, generator=generator, device=present.device)
    following = present + window.displacement
    noised = following + levels[batch.graph_index, None] * noise
    detached = type(latents)(latents.scalars.detach(), latents.vectors.detach())
    expected, scale, output = model.refiner.parts(batch, history, gaussian.detach(), detached, noised, levels)
    wanted = (following - expected) / scale
    errors = (output - wanted).square().mean(dim=-1)
    weights = class_weights(batch.bead_class, len(model.scales.class_names), class_balance)
    return Losses(likelihood, balance, (weights * errors).sum(), size)


def _balance(
    gaussian: GaussianDisplacement, target: Tensor, batch: BeadBatch, class_balance: float, n_classes: int
) -> Tensor:
    """Make up for classes with few beads, so that ions weigh more than their number.

    In the joint likelihood every bead has the weight 1/N. A bead whose balanced weight is larger gets the difference as
    conditional likelihood given all other beads (Besag's pseudo-likelihood, which weighs bead by bead).
    """
    n = len(batch.bead_class)
    missing = (class_weights(batch.bead_class, n_classes, class_balance) - 1.0 / n).clamp(min=0.0)
    if not bool((missing > 1e-6 / n).any()):
        return target.new_zeros(())
    return -(missing * gaussian.conditional_log_prob(target)).sum() / 3.0
