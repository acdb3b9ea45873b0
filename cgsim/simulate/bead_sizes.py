"""Sizes of beads along a trajectory, from the size head of a model."""

import torch

from cgsim.graph import BeadBatch
from cgsim.models.model import CoarseGrainedModel
from cgsim.typing import Float, Tensor

BEADS_AT_ONCE = 2**13


class BeadSizes:
    """Gives every bead of a configuration its mean squared size; configurations are looked at side by side.

    Args:
        model: the trained model, in evaluation mode, which must have a size head.
        batch: one system.

    Attributes:
        n_at_once: configurations that are looked at together, which bounds the memory.
    """

    def __init__(self, model: CoarseGrainedModel, batch: BeadBatch) -> None:
        if model.bead_size is None:
            raise ValueError("the model has no size head")
        self.head, self.batch = model.bead_size, batch
        self.n_at_once = max(1, BEADS_AT_ONCE // max(1, len(batch.masses)))
        self._copies = batch.copies(self.n_at_once)

    @torch.no_grad()
    def __call__(self, positions: Float[Tensor, "frames beads 3"]) -> Float[Tensor, "frames beads"]:
        """Mean squared sizes, length^2, in as many pieces as needed.

        Args:
            positions: anywhere, in or out of the cell of the batch, length.
        """
        parts = []
        for some in torch.split(positions.to(self.batch.masses.device), self.n_at_once):
            batch = self._copies if len(some) == self.n_at_once else self.batch.copies(len(some))
            parts.append(self.head(batch, some.flatten(0, 1)).view(some.shape[:2]))
        return torch.cat(parts)
