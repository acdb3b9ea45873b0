"""An equivariant message-passing body: scalar and vector channels, after PaiNN (Schütt et al., ICML 2021).

Rotating or reflecting every input vector rotates or reflects every output vector and leaves the scalars unchanged.
Departures from PaiNN: messages are a two-layer MLP that also sees the projections of both ends' vectors on the edge;
several edge vectors (present and noised geometry) are allowed.
"""

import torch
from torch import nn
from torch.nn import functional as F

from cgsim.models.interface import GraphFeatures, Latents
from cgsim.models.message_passing import mlp, sum_to_receivers
from cgsim.typing import Float, Tensor

EPSILON = 1e-8  # keeps the gradient of a length finite at zero


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
        basis = torch.exp(-((root[..., None] - self.centers) * self.inverse_width).square())
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

    def forward(
        self,
        scalars: Tensor,
        vectors: Tensor,
        features: GraphFeatures,
        edges: Tensor,
        directions: Tensor,
        scale: float,
    ) -> tuple[Tensor, Tensor]:
        """Update scalars [nodes, latent] and vectors [nodes, channels, 3]."""
        sender, receiver = features.edge_index
        n = len(scalars)
        normed = self.norm(scalars)
        sent = vectors.index_select(0, sender)
        along_sender = torch.einsum("ecx,evx->ecv", sent, directions).flatten(1)
        along_receiver = torch.einsum("ecx,evx->ecv", vectors.index_select(0, receiver), directions).flatten(1)
        gathered = self.from_sender(normed).index_select(0, sender)
        gathered = gathered + self.from_receiver(normed).index_select(0, receiver)
        message = self.message(gathered + self.from_edge(torch.cat([edges, along_sender, along_receiver], dim=-1)))
        gates = self.vector_gates(message).view(len(message), self.channels, 1 + directions.shape[1])
        carried = torch.einsum("ecv,evx->ecx", gates[..., 1:], directions) + gates[..., :1] * sent
        vectors = vectors + sum_to_receivers(carried, receiver, n) * scale
        received = sum_to_receivers(message, receiver, n) * scale
        mixed = self.mix(vectors.transpose(1, 2)).transpose(1, 2)
        update = self.update(torch.cat([normed, received, safe_norm(mixed)], dim=-1))
        scalars = scalars + update[:, : scalars.shape[1]]
        vectors = vectors + mixed * torch.tanh(update[:, scalars.shape[1] :])[..., None]
        return scalars, vectors


class EquivariantBody(nn.Module):
    """Message passing on scalars and vectors."""

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
        self.radial = RadialBasis(n_radial, radial_range)
        self.scale = max(mean_degree, 1.0) ** -0.5
        self.encode_scalars = mlp(node_scalars + node_vectors, latent, latent=latent, n_hidden=1, norm=False)
        self.encode_vectors = nn.Linear(max(node_vectors, 1), n_vectors, bias=False)
        self.encode_edges = nn.Linear(edge_scalars + edge_vectors * (n_radial + 1), latent)
        self.layers = nn.ModuleList(EquivariantLayer(latent, n_vectors, edge_vectors, latent) for _ in range(n_steps))
        self.final_norm = nn.LayerNorm(latent)

    def forward(self, features: GraphFeatures) -> Latents:
        """Pass messages ``n_steps`` times."""
        lengths = safe_norm(features.edge_vectors)
        # Directions fade where a vector vanishes: a unit vector there would be noise.
        directions = features.edge_vectors / (lengths + 0.05)[..., None]
        edges = F.silu(self.encode_edges(torch.cat([features.edge_scalars, self.radial(lengths).flatten(1)], dim=-1)))
        invariants = torch.cat([features.node_scalars, safe_norm(features.node_vectors)], dim=-1)
        scalars = self.encode_scalars(invariants)
        node_vectors = features.node_vectors
        if node_vectors.shape[1] == 0:
            node_vectors = node_vectors.new_zeros(len(node_vectors), 1, 3)
        vectors = self.encode_vectors(node_vectors.transpose(1, 2)).transpose(1, 2)
        for layer in self.layers:
            scalars, vectors = layer(scalars, vectors, features, edges, directions, self.scale)
        return Latents(self.final_norm(scalars), vectors)
