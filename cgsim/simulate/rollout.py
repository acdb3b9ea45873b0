"""The rollout: a generator that draws one configuration after another and carries images exactly."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from cgsim.geometry.periodic import wrap
from cgsim.graph import BeadBatch
from cgsim.models.interface import Propagator
from cgsim.typing import Float, Int32, Tensor


@dataclass(frozen=True)
class RolloutFrame:
    """One drawn configuration.

    Attributes:
        wrapped_positions: [beads, 3], length.
        image_flags: [beads, 3].
    """

    wrapped_positions: Float[Tensor, "beads 3"]
    image_flags: Int32[Tensor, "beads 3"]


class RolloutState:
    """The frames that the next draw may look back on, oldest first; a step copies none of them.

    In-box float32 positions and int32 images are the state itself, and also what is written to disk, so a rollout that
    is taken up again from its file continues bit for bit.

    Args:
        wrapped_positions: [kept, beads, 3], length.
        image_flags: [kept, beads, 3].

    Attributes:
        frames: the frames.
    """

    def __init__(
        self, wrapped_positions: Float[Tensor, "kept beads 3"], image_flags: Int32[Tensor, "kept beads 3"]
    ) -> None:
        pairs = zip(wrapped_positions.unbind(), image_flags.unbind(), strict=True)
        self.frames = tuple(RolloutFrame(*pair) for pair in pairs)

    @property
    def wrapped_positions(self) -> Float[Tensor, "kept beads 3"]:
        """A copy of all positions, length."""
        return torch.stack([frame.wrapped_positions for frame in self.frames])

    @property
    def image_flags(self) -> Int32[Tensor, "kept beads 3"]:
        """A copy of all images."""
        return torch.stack([frame.image_flags for frame in self.frames])

    def last(self, n_kept: int) -> "RolloutState":
        """The last frames only."""
        state = RolloutState.__new__(RolloutState)
        state.frames = self.frames[-n_kept:]
        return state

    def followed_by(self, frame: RolloutFrame) -> "RolloutState":
        """The state one step later: the oldest frame goes, the new one comes."""
        state = RolloutState.__new__(RolloutState)
        state.frames = (*self.frames[1:], frame)
        return state

    def history(self, offsets: tuple[int, ...], batch: BeadBatch) -> Float[Tensor, "beads history 3"]:
        """Positions at the offsets before the present, oldest first, in the image that has the present in the box."""
        chosen, present = [self.frames[-1 - offset] for offset in reversed(offsets)], self.frames[-1]
        positions = torch.stack([frame.wrapped_positions for frame in chosen], dim=1)
        images = torch.stack([frame.image_flags - present.image_flags for frame in chosen], dim=1).to(positions.dtype)
        if len(batch.sizes) == 1:
            return positions + images @ batch.cell[0]
        return positions + torch.einsum("nhx,nxy->nhy", images, batch.cell[batch.graph_index])


def rollout(
    propagator: Propagator, batch: BeadBatch, state: RolloutState, generator: torch.Generator
) -> Iterator[RolloutFrame]:
    """Draw configurations one lag time apart, without end; the caller takes as many as it wants and records them.

    Args:
        propagator: draws the next configuration.
        batch: the systems, side by side.
        state: at least ``max(history_offsets) + 1`` frames, one lag time apart, the present last.
        generator: the only source of randomness.

    Raises:
        ValueError: if the state is shorter than the propagator's history.
    """
    needed = propagator.history_offsets[-1] + 1
    if len(state.frames) < needed:
        raise ValueError(f"the propagator looks back on {needed} frames, the state has {len(state.frames)}")
    state = state.last(needed)
    cell_of_bead = batch.cell[0] if len(batch.sizes) == 1 else batch.cell[batch.graph_index]
    while True:
        positions = propagator.draw(batch, state.history(propagator.history_offsets, batch), generator)
        if len(batch.sizes) == 1:
            in_box, crossed = wrap(positions, cell_of_bead)
        else:
            one_each, images = wrap(positions[:, None], cell_of_bead)
            in_box, crossed = one_each[:, 0], images[:, 0]
        frame = RolloutFrame(in_box, state.frames[-1].image_flags + crossed)
        state = state.followed_by(frame)
        yield frame
