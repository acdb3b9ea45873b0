"""Several models as one propagator: each step is drawn by one of them, chosen at random."""

from collections.abc import Sequence

import torch

from cgsim.graph import BeadBatch
from cgsim.models.interface import GuardedPropagator
from cgsim.typing import Float, Int, Tensor


class EnsemblePropagator:
    """Lets one of several propagators draw each step; satisfies :class:`cgsim.models.interface.GuardedPropagator`.

    The kernel is the mean of theirs, so that errors which differ from one training seed to the next average out in
    the configurations that a rollout settles to, at the price of one model a step.

    Args:
        members: propagators that look back on the same frames, with the batch as each of them embeds it.

    Attributes:
        n_guarded: [graphs], beads that the guard moved in the last draw.
    """

    def __init__(self, members: Sequence[tuple[GuardedPropagator, BeadBatch]]) -> None:
        self.members = list(members)
        self.history_offsets = self.members[0][0].history_offsets
        self.n_guarded: Int[Tensor, " graphs"] = torch.zeros(0, dtype=torch.int64)

    @torch.no_grad()
    def draw(
        self,
        batch: BeadBatch,  # noqa: ARG002 - every member has its own
        history: Float[Tensor, "beads history 3"],
        generator: torch.Generator,
    ) -> Float[Tensor, "beads 3"]:
        """Draw the next unwrapped positions with a member that the generator chooses."""
        chosen = int(torch.randint(len(self.members), (1,), generator=generator, device=generator.device))
        propagator, own = self.members[chosen]
        positions = propagator.draw(own, history, generator)
        self.n_guarded = propagator.n_guarded
        return positions
