"""One choice for every network of the simulator: which message-passing body, and how large."""

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator
from torch import nn

from cgsim.geometry.cutoffs import Cutoffs
from cgsim.graph import BeadBatch, Graph, build_graph
from cgsim.models.equivariant import EquivariantBody
from cgsim.models.execution import Execution
from cgsim.models.message_passing import MessagePassingBody
from cgsim.typing import Float, Tensor

FEWEST_EDGES = 1024  # below it the rest of a step needs more memory than the edges


class NetworkSettings(BaseModel):
    """Size and kind of a message-passing body.

    Attributes:
        kind: ``plain`` is the published network, ``equivariant`` keeps scalars and vectors apart.
        latent: width of the scalar channels.
        n_steps: rounds of message passing.
        n_hidden: hidden layers of each MLP (plain body only).
        n_vectors: vector channels (in the plain body only the number of vectors it gives out).
        n_radial: number of radial basis functions of the lengths (equivariant body only).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["plain", "equivariant"] = "equivariant"
    latent: int = Field(default=64, ge=4)
    n_steps: int = Field(default=3, ge=1)
    n_hidden: int = Field(default=2, ge=1)
    n_vectors: int = Field(default=16, ge=1)
    n_radial: int = Field(default=16, ge=2)


class EdgeSettings(BaseModel):
    """How far the edges of a network reach.

    Attributes:
        cutoff: range of the edges, length; infinite connects every pair of an open system.
        ion_cutoff: range of the edges between beads that are molecules by themselves, such as ions, which feel each
            other from further away than beads of chains do; that of all others if not given.
        solvation_cutoff: range of the edges between such a bead and one of a chain: an ion that is a large bead has its
            first neighbours further away than beads of chains have theirs; that of all others if not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    cutoff: PositiveFloat = math.inf
    ion_cutoff: PositiveFloat | None = Field(default=None, exclude_if=lambda value: value is None)
    solvation_cutoff: PositiveFloat | None = Field(default=None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _ions_reach_further(self) -> "EdgeSettings":
        for name in ("ion_cutoff", "solvation_cutoff"):
            given: float | None = getattr(self, name)
            if given is not None and given <= self.cutoff:
                raise ValueError(f"{name} {given} must be above cutoff {self.cutoff}")
        return self

    @property
    def cutoffs(self) -> Cutoffs:
        """Ranges of pairs, ions marked."""
        return Cutoffs.of(self.cutoff, self.solvation_cutoff, self.ion_cutoff)

    def graph(self, positions: Float[Tensor, "beads 3"], batch: BeadBatch) -> Graph:
        """The edges of a configuration."""
        return build_graph(positions, batch, self.cutoffs)


@dataclass(frozen=True)
class FeatureSizes:
    """How many scalars and vectors nodes and edges bring."""

    node_scalars: int
    node_vectors: int
    edge_scalars: int
    edge_vectors: int


def make_body(
    settings: NetworkSettings, sizes: FeatureSizes, *, radial_range: float, mean_degree: float
) -> MessagePassingBody | EquivariantBody:
    """Build the body that the settings name.

    Args:
        settings: kind and size.
        sizes: number of input features.
        radial_range: largest length of interest, in the (scaled) unit of the edge vectors.
        mean_degree: typical number of edges of a node.
    """
    if settings.kind == "plain":
        return MessagePassingBody(
            **vars(sizes),
            latent=settings.latent,
            n_steps=settings.n_steps,
            n_hidden=settings.n_hidden,
            n_vectors=settings.n_vectors,
        )
    return EquivariantBody(
        **vars(sizes),
        latent=settings.latent,
        n_steps=settings.n_steps,
        n_vectors=settings.n_vectors,
        n_radial=settings.n_radial,
        radial_range=radial_range,
        mean_degree=mean_degree,
    )


def set_execution(model: nn.Module, execution: Execution) -> None:
    """Let all message-passing bodies of a model run in a given way."""
    for module in model.modules():
        if isinstance(module, MessagePassingBody | EquivariantBody):
            module.execution = execution


def halve_edges_at_once(model: nn.Module) -> bool:
    """Let all bodies of a model process half as many edges at once; false if they do few already."""
    bodies = [m for m in model.modules() if isinstance(m, MessagePassingBody | EquivariantBody)]
    device = next(model.parameters()).device
    halves = [body.execution.largest_block(device, gradients=False) // 2 for body in bodies]
    if min(halves) < FEWEST_EDGES:
        return False
    for body, half in zip(bodies, halves, strict=True):
        body.execution = body.execution.model_copy(update={"edges_at_once": half})
    return True


def zero_last_layer(readout: nn.Sequential, bias: float = 0.0) -> nn.Sequential:
    """Start a readout at zero, or another constant, so that training begins at the normalisation itself."""
    last = readout[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, bias)
    return readout
