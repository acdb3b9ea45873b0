"""What every network body takes and gives, and what every propagator can do."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from cgsim.graph import BeadBatch
from cgsim.typing import Float, Int, Tensor


@dataclass(frozen=True)
class GraphFeatures:
    """Input of a message-passing body: scalars and vectors on nodes and edges.

    Attributes:
        node_scalars: [nodes, node scalars], dimensionless.
        node_vectors: [nodes, node vectors, 3], dimensionless.
        edge_index: [2, edges]; row 0 sends, row 1 receives.
        edge_scalars: [edges, edge scalars], invariant features such as "is a bond".
        edge_vectors: [edges, edge vectors, 3], dimensionless; the first is the geometry whose length the body sees.
    """

    node_scalars: Float[Tensor, "nodes node_scalars"]
    node_vectors: Float[Tensor, "nodes node_vectors 3"]
    edge_index: Int[Tensor, "2 edges"]
    edge_scalars: Float[Tensor, "edges edge_scalars"]
    edge_vectors: Float[Tensor, "edges edge_vectors 3"]


@dataclass(frozen=True)
class Latents:
    """Output of a message-passing body.

    Attributes:
        scalars: [nodes, latent].
        vectors: [nodes, channels, 3]; rotate with the input if the body is equivariant.
    """

    scalars: Float[Tensor, "nodes latent"]
    vectors: Float[Tensor, "nodes channels 3"]


@runtime_checkable
class Propagator(Protocol):
    """Anything that draws the next configuration one lag time ahead: a network, Langevin MD, a Brownian model.

    Attributes:
        history_offsets: which past frames it needs, in lags before the present, ascending from 0.
    """

    history_offsets: tuple[int, ...]

    def draw(
        self, batch: BeadBatch, history: Float[Tensor, "beads history 3"], generator: torch.Generator
    ) -> Float[Tensor, "beads 3"]:
        """Draw the next unwrapped positions.

        Args:
            batch: the systems.
            history: positions at ``history_offsets`` lags before the present, the present last, unwrapped; length.
            generator: the only source of randomness.
        """
        ...


@runtime_checkable
class GuardedPropagator(Propagator, Protocol):
    """A propagator that keeps beads from where no training data were.

    Attributes:
        n_guarded: [graphs], beads that were moved for it in the last draw.
    """

    n_guarded: Int[Tensor, " graphs"]
