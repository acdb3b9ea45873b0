"""Scales taken from the training data, so that every network sees and gives numbers of order one, class by class."""

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from cgsim.typing import Float, Int, Tensor


class Scales(BaseModel):
    """Scales of the training data; all lengths in the unit of the stores.

    Attributes:
        class_names: bead classes in the order of every list here.
        displacement: [classes], root mean square per axis of the displacement over one lag (drift removed).
        history: [classes][intervals], the same for the displacements between successive history frames.
        mass: [classes], mean bead mass.
        length: mean length of a bead bond, or of the distance to the nearest bead where nothing is bonded, or of a
            displacement where beads are alone.
        radial_range: distance that the radial features resolve: the cutoff, or the largest distance in open systems.
        mean_degree: mean number of edges of a bead.
        squared_size: [classes], mean squared radius of gyration of the atoms of a bead about it, length^2; only where a
            model learns sizes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_names: tuple[str, ...]
    displacement: tuple[float, ...]
    history: tuple[tuple[float, ...], ...]
    mass: tuple[float, ...]
    length: float
    radial_range: float
    mean_degree: float
    squared_size: tuple[float, ...] | None = Field(default=None, exclude_if=lambda value: value is None)

    def unscaled(self) -> "Scales":
        """The same with every scale 1, as in the published code; lengths keep their meaning."""
        ones = tuple(1.0 for _ in self.class_names)
        history = tuple(tuple(1.0 for _ in row) for row in self.history)
        scaled = {"displacement": ones, "mass": ones, "history": history, "length": 1.0, "mean_degree": 1.0}
        return self.model_copy(update=scaled)


class Normalization(nn.Module):
    """The scales as buffers, looked up per bead."""

    displacement_scale: Tensor
    history_scale: Tensor
    mass_scale: Tensor

    def __init__(self, scales: Scales) -> None:
        super().__init__()
        self.register_buffer("displacement_scale", torch.tensor(scales.displacement))
        self.register_buffer("history_scale", torch.tensor(scales.history).view(len(scales.class_names), -1))
        self.register_buffer("mass_scale", torch.tensor(scales.mass))
        self.length = scales.length
        squares = [s * s for s in scales.displacement]
        self.reference = (sum(squares) / len(squares)) ** 0.5  # one displacement scale for all classes

    def displacement(self, bead_class: Int[Tensor, " beads"]) -> Float[Tensor, " beads"]:
        """Displacement scale of each bead, length."""
        return self.displacement_scale[bead_class]

    def history(
        self, history: Float[Tensor, "beads history 3"], bead_class: Int[Tensor, " beads"]
    ) -> Float[Tensor, "beads intervals 3"]:
        """Displacements between successive history frames, each in units of its own scale."""
        return history.diff(dim=1) / self.history_scale[bead_class][:, :, None]

    def mass(self, masses: Float[Tensor, " beads"], bead_class: Int[Tensor, " beads"]) -> Float[Tensor, " beads"]:
        """Mass relative to the mean of the bead's class."""
        return masses / self.mass_scale[bead_class] - 1.0
