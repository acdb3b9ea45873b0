"""The learned propagator: a Gaussian draw by the dynamics GNN, refined by the score GNN."""

import torch

from cgsim.graph import BeadBatch, build_graph
from cgsim.models.model import CoarseGrainedModel
from cgsim.simulate.sampler import SamplerSettings, refine
from cgsim.typing import Float, Tensor


class LearnedPropagator:
    """Draws the next configuration with a trained model; satisfies :class:`cgsim.models.interface.Propagator`.

    Args:
        model: the trained model, in evaluation mode.
        sampler: how draws are refined; unused by a model without refiner.
        matched_start: the dynamics model's own error, length; what ``start: matched`` stands for.
    """

    def __init__(self, model: CoarseGrainedModel, sampler: SamplerSettings, matched_start: float) -> None:
        self.model, self.sampler = model, sampler
        self.start = matched_start if sampler.start == "matched" else sampler.start
        self.history_offsets = model.settings.history_offsets

    @torch.no_grad()
    def draw(
        self, batch: BeadBatch, history: Float[Tensor, "beads history 3"], generator: torch.Generator
    ) -> Float[Tensor, "beads 3"]:
        """Draw the next unwrapped positions; the centre of mass of a periodic system stays where it is."""
        model, present = self.model, history[:, -1]
        graph = build_graph(present, batch, model.settings.dynamics.cutoff)
        gaussian, latents = model.dynamics(batch, history, graph)
        reference = model.dynamics.normalization.reference
        positions = present + reference * gaussian.sample(generator)
        if model.refiner is not None:
            refiner, mean = model.refiner, present + reference * gaussian.mean

            def denoise(noised: Tensor, level: float) -> Tensor:
                levels = noised.new_full((len(noised),), level)
                return refiner.denoise(batch, history, mean, latents, noised, levels)

            positions = refine(denoise, positions, self.sampler, self.start, generator)
        return present + batch.remove_drift(positions - present)
