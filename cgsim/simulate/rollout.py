"""The rollout: a generator that draws one configuration after another and carries images exactly."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from cgsim.geometry.periodic import wrap
from cgsim.graph import BeadBatch
from cgsim.models.interface import Propagator
from cgsim.typing import Float, Int32, Tensor


@dataclass(frozen=True)
class RolloutState:
    """The frames that the next draw may look back on, oldest first.

    In-box float32 positions and int32 images are the state itself, and also what is written to disk, so a rollout that
    is taken up again from its file continues bit for bit.

    Attributes:
        wrapped_positions: [kept, beads, 3], length.
        image_flags: [kept, beads, 3].
    """

    wrapped_positions: Float[Tensor, "kept beads 3"]
    image_flags: Int32[Tensor, "kept beads 3"]

    def history(self, offsets: tuple[int, ...], batch: BeadBatch) -> Float[Tensor, "beads history 3"]:
        """Positions at the offsets before the present, oldest first, in the image that has the present in the box."""
        index = [len(self.wrapped_positions) - 1 - offset for offset in reversed(offsets)]
        images = (self.image_flags[index] - self.image_flags[-1]).to(self.wrapped_positions.dtype)
        shifts = torch.einsum("hnx,nxy->hny", images, batch.cell[batch.graph_index])
        return (self.wrapped_positions[index] + shifts).transpose(0, 1).contiguous()

    def followed_by(self, frame: "RolloutFrame") -> "RolloutState":
        """The state one step later: the oldest frame goes, the new one comes."""
        return RolloutState(
            torch.cat([self.wrapped_positions[1:], frame.wrapped_positions[None]]),
            torch.cat([self.image_flags[1:], frame.image_flags[None]]),
        )


@dataclass(frozen=True)
class RolloutFrame:
    """One drawn configuration.

    Attributes:
        wrapped_positions: [beads, 3], length.
        image_flags: [beads, 3].
    """

    wrapped_positions: Float[Tensor, "beads 3"]
    image_flags: Int32[Tensor, "beads 3"]


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
    if len(state.wrapped_positions) < needed:
        raise ValueError(f"the propagator looks back on {needed} frames, the state has {len(state.wrapped_positions)}")
    state = RolloutState(state.wrapped_positions[-needed:], state.image_flags[-needed:])
    cell_of_bead = batch.cell[batch.graph_index]
    while True:
        positions = propagator.draw(batch, state.history(propagator.history_offsets, batch), generator)
        in_box, crossed = wrap(positions[:, None], cell_of_bead)
        frame = RolloutFrame(in_box[:, 0], state.image_flags[-1] + crossed[:, 0])
        state = state.followed_by(frame)
        yield frame
