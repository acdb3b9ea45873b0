"""An equivariant message-passing body: scalar and vector channels, after PaiNN (Schütt et al., ICML 2021).

Rotating or reflecting every input vector rotates or reflects every output vector and leaves the scalars unchanged.
Departures from PaiNN: messages are a two-layer MLP that also sees the projections of both ends' vectors on the edge;
several edge vectors (present and noised geometry) are allowed.

Vectors are kept as three tensors, one for each axis, so that all work on them is a sum of products of whole tensors: a
compiler can fuse it, and without one it is faster than batches of tiny matrix products.
"""

import torch
from torch import nn
from torch.nn import functional as F

from cgsim.models.execution import Compiled, Execution, edge_blocks
from cgsim.models.interface import GraphFeatures, Latents
from cgsim.models.message_passing import mlp, sum_to_receivers
from cgsim.typing import Float, Tensor

EPSILON = 1e-8  # keeps the gradient of a length finite at zero
SMALLEST_EXPONENT = -50.0  # of the radial basis: further out it would be denormal, and arithmetic ten times slower
Axes = tuple[Tensor, Tensor, Tensor]  # vectors, [nodes, channels] for each axis


def safe_norm(vectors: Float[Tensor, "*axes 3"]) -> Float[Tensor, "*axes"]:
    """Length with a finite gradient at zero."""
    return (vectors.square().sum(-1) + EPSILON).sqrt()


class RadialBasis(nn.Module):
    """Gaussians of the length, evenly spaced in its square root so that close contacts are resolved best."""

    centers: Tensor

    def __init__(self, n_radial: int, radial_range: float) -> None:
        super().__init__()
        centers = torch.linspace(0.0, radial_range**0.5, n_radial)
        self.register_buffer("centers", centers)
        self.inverse_width = (n_radial - 1) / radial_range**0.5
        self.range = radial_range

    def forward(self, lengths: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes radial"]:
        """Values of the basis; beyond the range the length itself still enters through its logarithm."""
        root = lengths.clamp(min=0.0).add(EPSILON).sqrt()
        exponent = -((root[..., None] - self.centers) * self.inverse_width).square()
        basis = torch.exp(exponent.clamp(min=SMALLEST_EXPONENT))
        return torch.cat([basis, torch.log1p(lengths / self.range)[..., None]], dim=-1)


class EquivariantLayer(nn.Module):
    """One round of messages."""

    def __init__(self, latent: int, channels: int, edge_vectors: int, edge_latent: int) -> None:
        super().__init__()
        self.channels = channels
        self.from_sender = nn.Linear(latent, latent, bias=False)
        self.from_receiver = nn.Linear(latent, latent, bias=False)
        self.from_edge = nn.Linear(edge_latent + 2 * channels * edge_vectors, latent)
        self.message = nn.Sequential(nn.SiLU(), nn.Linear(latent, latent), nn.SiLU())
        self.vector_gates = nn.Linear(latent, channels * (edge_vectors + 1))
        self.update = mlp(2 * latent + channels, latent + channels, latent=latent, n_hidden=1, norm=False)
        self.mix = nn.Linear(channels, channels, bias=False)
        self.norm = nn.LayerNorm(latent)

    def first_layer(self, edges: Tensor, projections: list[Tensor]) -> Tensor:
        """``from_edge`` of the edges and of the projections, which come edge vector by edge vector.

        Its columns are kept channel by channel: they are put in the other order here, where they are few.
        """
        weight, n = self.from_edge.weight, edges.shape[1]
        columns = weight[:, n:].reshape(len(weight), 2, self.channels, -1).transpose(2, 3).flatten(1)
        weight = torch.cat([weight[:, :n], columns], dim=1)
        return F.linear(torch.cat([edges, *projections], dim=-1), weight, self.from_edge.bias)

    def gates(self, message: Tensor) -> tuple[Tensor, ...]:
        """Gates [edges, channels] of what the sender's vectors carry, and of each edge vector."""
        weight, bias = self.vector_gates.weight, self.vector_gates.bias
        rows = weight.view(self.channels, -1, weight.shape[1]).transpose(0, 1).reshape(weight.shape)
        return F.linear(message, rows, bias.view(self.channels, -1).T.reshape(-1)).tensor_split(
            weight.shape[0] // self.channels, dim=1
        )


@Compiled
def _encode(
    encoder: nn.Module, radial: nn.Module, scalars: Tensor, vectors: Tensor
) -> tuple[Float[Tensor, "edges latent"], Float[Tensor, "edges edge_vectors 3"]]:
    """Invariant features of edges, and their directions."""
    lengths = safe_norm(vectors)
    # Directions fade where a vector vanishes: a unit vector there would be noise.
    directions = vectors / (lengths + 0.05)[..., None]
    return F.silu(encoder(torch.cat([scalars, radial(lengths).flatten(1)], dim=-1))), directions


@Compiled
def _pass_block(
    layer: EquivariantLayer,
    scale: float,
    scalars: Tensor,
    normed: Tensor,
    own: Axes,
    received: Tensor,
    sent: Tensor,
    vectors: Axes,
    edges: Tensor,
    directions: Tensor,
    sender: Tensor,
    receiver: Tensor,
) -> tuple[Tensor, Axes]:
    """One round of messages to the nodes of one block; all but ``sent`` and ``vectors`` are of the block only."""
    latent = scalars.shape[1]
    along = [[directions[:, k, x, None] for x in range(3)] for k in range(directions.shape[1])]
    there = [v.index_select(0, sender) for v in vectors]
    here = [v.index_select(0, receiver) for v in own]
    projections = [end[0] * d[0] + end[1] * d[1] + end[2] * d[2] for end in (there, here) for d in along]
    gathered = sent.index_select(0, sender) + received.index_select(0, receiver)
    message = layer.message(gathered + layer.first_layer(edges, projections))
    carry, *gates = layer.gates(message)
    carried = []
    for x in range(3):
        total = carry * there[x]
        for gate, direction in zip(gates, along, strict=True):
            total = total + gate * direction[x]
        carried.append(total)
    arriving = torch.cat([message, *carried], dim=-1).to(scalars.dtype)
    sums = sum_to_receivers(arriving, receiver, len(scalars)) * scale
    moved = [v + s for v, s in zip(own, sums[:, latent:].tensor_split(3, dim=1), strict=True)]
    mixed = [layer.mix(v) for v in moved]
    lengths = (mixed[0].square() + mixed[1].square() + mixed[2].square() + EPSILON).sqrt()
    update = layer.update(torch.cat([normed, sums[:, :latent], lengths], dim=-1))
    gate = torch.tanh(update[:, latent:])
    x, y, z = (v + m * gate for v, m in zip(moved, mixed, strict=True))
    return scalars + update[:, :latent], (x, y, z)


class EquivariantBody(nn.Module):
    """Message passing on scalars and vectors.

    Attributes:
        execution: how it is run; see :func:`cgsim.models.network.set_execution`.
    """

    def __init__(
        self,
        *,
        node_scalars: int,
        node_vectors: int,
        edge_scalars: int,
        edge_vectors: int,
        latent: int,
        n_steps: int,
        n_vectors: int,
        n_radial: int,
        radial_range: float,
        mean_degree: float,
    ) -> None:
        super().__init__()
        self.execution = Execution()
        self.radial = RadialBasis(n_radial, radial_range)
        self.scale = max(mean_degree, 1.0) ** -0.5
        self.encode_scalars = mlp(node_scalars + node_vectors, latent, latent=latent, n_hidden=1, norm=False)
        self.encode_vectors = nn.Linear(max(node_vectors, 1), n_vectors, bias=False)
        self.encode_edges = nn.Linear(edge_scalars + edge_vectors * (n_radial + 1), latent)
        self.layers = nn.ModuleList(EquivariantLayer(latent, n_vectors, edge_vectors, latent) for _ in range(n_steps))
        self.final_norm = nn.LayerNorm(latent)

    def forward(self, features: GraphFeatures) -> Latents:
        """Pass messages ``n_steps`` times."""
        device, dtype = features.node_scalars.device, features.node_scalars.dtype
        with self.execution.matrix_precision(device):
            scalars, vectors = self._process(features)
            scalars = self.final_norm(scalars)
        return Latents(scalars.to(dtype), torch.stack(vectors, dim=-1).to(dtype))

    def _process(self, features: GraphFeatures) -> tuple[Tensor, Axes]:
        n, how = len(features.node_scalars), self.execution
        largest = how.largest_block(features.node_scalars.device, gradients=torch.is_grad_enabled())
        blocks = edge_blocks(features.edge_index, n, largest)
        edges = [
            _encode(how, self.encode_edges, self.radial, features.edge_scalars[b.edges], features.edge_vectors[b.edges])
            for b in blocks
        ]
        scalars = self.encode_scalars(torch.cat([features.node_scalars, safe_norm(features.node_vectors)], dim=-1))
        given = features.node_vectors
        if given.shape[1] == 0:
            given = given.new_zeros(n, 1, 3)
        vectors: Axes = tuple(self.encode_vectors(given[..., x]) for x in range(3))
        for layer in self.layers:
            assert isinstance(layer, EquivariantLayer)
            normed = layer.norm(scalars)
            sent, received = layer.from_sender(normed), layer.from_receiver(normed)
            parts = [
                _pass_block(
                    how,
                    layer,
                    self.scale,
                    scalars[b.nodes],
                    normed[b.nodes],
                    tuple(v[b.nodes] for v in vectors),
                    received[b.nodes],
                    sent,
                    vectors,
                    *encoded,
                    b.sender,
                    b.receiver,
                )
                for b, encoded in zip(blocks, edges, strict=True)
            ]
            scalars, vectors = parts[0]
            if len(parts) > 1:
                scalars = torch.cat([s for s, _ in parts])
                x, y, z = (torch.cat(axis) for axis in zip(*(v for _, v in parts), strict=True))
                vectors = (x, y, z)
        return scalars, vectors
