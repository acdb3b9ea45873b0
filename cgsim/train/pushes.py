"""Pairs of ions that training puts where the MD of their system does not bring them.

In some systems two ions share what coordinates them, in most they never meet. A model of all of them takes the closest
of any system for possible in each, and no MD shows the way back. These windows do.
"""

from dataclasses import dataclass, replace

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from cgsim.train.objectives import Window
from cgsim.typing import Float, Tensor


class PushedIons(BaseModel):
    """Pairs of ions put nearer to each other in the history; the next positions, which are to be learned, stay.

    The new distance is uniform between the closest of their classes in all training data and that in the MD of their
    own system, and both move as much as leaves their centre of mass where it is, in all frames of the history alike.

    Attributes:
        share: share of the windows in which one pair is moved, if there is one to move; 0 switches it off.
        reach: how much further apart than the closest of their classes in the MD of their system a pair to be moved may
            be, length.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(default=0.0, ge=0, le=1)
    reach: PositiveFloat = 3.0


@dataclass(frozen=True)
class Approaches:
    """How near beads of two classes come, length.

    Attributes:
        of_all: [classes, classes], in all training data; 0 where no pair was seen.
        of_each: [systems, classes, classes], in the MD of each system, or the range up to which that was looked at.
    """

    of_all: Float[Tensor, "classes classes"]
    of_each: Float[Tensor, "systems classes classes"]

    def of_systems(self, which: list[int], device: torch.device) -> "Approaches":
        """Those of the systems of a batch, on its device."""
        return Approaches(self.of_all.to(device), self.of_each[which].to(device))


def push_ions(
    window: Window,
    closest: Approaches,
    settings: PushedIons,
    generator: torch.Generator,
) -> Window:
    """Move one pair of ions in some of the systems of a batch.

    Args:
        window: a batch of windows.
        closest: in all training data, and in the MD of each system of the batch.
        settings: how often and from how far.
        generator: of the choice of pairs and distances.
    """
    batch, present = window.batch, window.history[:, -1]
    pairs = torch.combinations(batch.ions)
    first, second = pairs[batch.graph_index[pairs[:, 0]] == batch.graph_index[pairs[:, 1]]].T
    graph, classes = batch.graph_index[first], (batch.bead_class[first], batch.bead_class[second])
    lowest, highest = closest.of_all[classes], closest.of_each[(graph, *classes)]
    vectors = batch.nearest_image(present[second] - present[first], first)
    lengths = vectors.norm(dim=-1)
    is_candidate = (highest > lowest) & (lowest > 0) & (lengths > 0) & (lengths < highest + settings.reach)
    ranks = torch.rand(lengths.shape, generator=generator, device=lengths.device) * is_candidate
    best = ranks.new_zeros(len(batch.sizes)).scatter_reduce(0, graph, ranks, "amax")
    is_pushed = torch.rand(best.shape, generator=generator, device=best.device) < settings.share
    chosen = torch.nonzero((ranks > 0) & (ranks == best[graph]) & is_pushed[graph]).ravel()
    first, second, vectors, lengths = first[chosen], second[chosen], vectors[chosen], lengths[chosen]
    places = torch.rand(lengths.shape, generator=generator, device=lengths.device)
    wanted = torch.lerp(lowest[chosen], highest[chosen], places)
    push = vectors * (wanted / lengths - 1.0)[:, None]
    share = batch.mass_share(first, second)[:, None]
    moves = torch.zeros_like(present).index_add(0, first, -push * share).index_add(0, second, push * (1.0 - share))
    return replace(window, history=window.history + moves[:, None], displacement=window.displacement - moves)
