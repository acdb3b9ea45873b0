"""The dynamics GNN: a Gaussian of the displacements of all beads over one lag time."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from cgsim.graph import BeadBatch, Graph
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.equivariant import RadialBasis, safe_norm
from cgsim.models.execution import Compiled
from cgsim.models.gaussian import GaussianDisplacement
from cgsim.models.interface import GraphFeatures, Latents
from cgsim.models.message_passing import mlp
from cgsim.models.network import EdgeSettings, FeatureSizes, NetworkSettings, make_body, zero_last_layer
from cgsim.models.normalization import Normalization, Scales
from cgsim.models.pair_precision import PairPrecision
from cgsim.typing import Float, Tensor

SOFTPLUS_ONE = math.log(math.e - 1.0)  # softplus of this is 1
PAIR_BIAS = -1.0  # softplus(-1) = 0.31: neighbours start weakly coupled
SMOOTH_BIAS = -2.0  # added to it at the start of training where B is squared; softplus(-3) = 0.05


class DynamicsSettings(EdgeSettings):
    """The dynamics GNN.

    Attributes:
        network: its message-passing body.
        target: what the mean describes: the ``displacement`` x(t+1) - x(t), or the ``acceleration``
            x(t+1) - 2 x(t) + x(t-1) of the published model, which continues the last displacement.
        noise: ``independent`` beads (published), correlated neighbours (``pair``), or correlated neighbours whose
            variance falls faster from soft modes to stiff ones (``smooth``); see :mod:`cgsim.models.gaussian`.
        free_centre: the network moves no system as a whole; the centre of mass of one without a cell is drawn by
            itself, as a free Brownian particle with a diffusivity inverse to its mass, measured on the training data.
            For molecules in implicit solvent: forces within cancel, and a uniform friction has no memory.
        std_floor: smallest standard deviation of a bead, length.
    """

    network: NetworkSettings = NetworkSettings()
    target: Literal["displacement", "acceleration"] = "displacement"
    noise: Literal["pair", "smooth", "independent"] = "pair"
    free_centre: bool = False
    std_floor: float = Field(default=0.02, ge=0)


class DynamicsNetwork(nn.Module):
    """From history and chemistry to the Gaussian of the next displacement, in units of one reference scale."""

    def __init__(
        self, settings: DynamicsSettings, scales: Scales, n_history: int, embedding: EmbeddingSettings
    ) -> None:
        super().__init__()
        self.settings = settings
        self.normalization = Normalization(scales)
        n_classes = len(scales.class_names)
        sizes = FeatureSizes(
            node_scalars=embedding.size + n_classes + 1,
            node_vectors=n_history - 1,
            edge_scalars=1 + embedding.bond_size,
            edge_vectors=1,
        )
        radial_range = scales.radial_range / scales.length
        network = settings.network
        self.n_classes = n_classes
        self.body = make_body(network, sizes, radial_range=radial_range, mean_degree=scales.mean_degree)
        self.mean_readout = nn.Linear(network.n_vectors, 1, bias=False)
        nn.init.zeros_(self.mean_readout.weight)
        self.std_readout = zero_last_layer(mlp(network.latent, 1, latent=network.latent, n_hidden=1, norm=False))
        self.alpha = 2 if settings.noise == "smooth" else 1
        if settings.noise != "independent":
            self.pair_radial = RadialBasis(network.n_radial, radial_range)
            pair_size = 2 * network.latent + network.n_radial + 2
            readout = mlp(pair_size, 2, latent=network.latent, n_hidden=1, norm=False)
            self.pair_readout = zero_last_layer(readout, bias=SMOOTH_BIAS if self.alpha == 2 else 0.0)

    def graph(self, batch: BeadBatch, history: Float[Tensor, "beads history 3"]) -> Graph:
        """The edges of the present."""
        return self.settings.graph(history[:, -1], batch)

    def forward(
        self, batch: BeadBatch, history: Float[Tensor, "beads history 3"], graph: Graph
    ) -> tuple[GaussianDisplacement, Latents]:
        """Gaussian of displacement / ``normalization.reference``, and the latents that condition the refiner."""
        scale = self.normalization.displacement(batch.bead_class)[:, None]
        class_one_hot = F.one_hot(batch.bead_class, self.n_classes).to(history.dtype)
        masses = self.normalization.mass(batch.masses, batch.bead_class)
        vectors = graph.edge_vectors(history[:, -1]) / self.normalization.length
        is_bond = graph.is_bond.to(history.dtype)[:, None]
        latents: Latents = self.body(
            GraphFeatures(
                node_scalars=torch.cat([batch.embedding, class_one_hot, masses[:, None]], dim=-1),
                node_vectors=self.normalization.history(history, batch.bead_class),
                edge_index=graph.edge_index,
                edge_scalars=batch.bond_features[graph.bond_row],
                edge_vectors=vectors[:, None, :],
            )
        )
        mean = self.mean_readout(latents.vectors.transpose(1, 2))[..., 0] * scale
        if self.settings.free_centre:
            mean = mean - batch.centre_of_mass(mean)
        if self.settings.target == "acceleration":
            mean = mean + history[:, -1] - history[:, -2]
        mean = batch.remove_drift(mean)
        std = F.softplus(self.std_readout(latents.scalars) + SOFTPLUS_ONE) * scale + self.settings.std_floor
        reference = self.normalization.reference
        precision = (reference / std[:, 0]).square()
        pairs = self._pairs(latents, graph, vectors, is_bond, scale[:, 0] / reference)
        gaussian = GaussianDisplacement(mean / reference, precision, pairs, batch.sizes, batch.is_periodic, self.alpha)
        return gaussian, latents

    def _pairs(self, latents: Latents, graph: Graph, vectors: Tensor, is_bond: Tensor, scale: Tensor) -> PairPrecision:
        is_coupled = self.settings.noise != "independent"
        chosen = graph.undirected if is_coupled else graph.undirected[:0]
        pair_index, vectors = graph.edge_index[:, chosen], vectors[chosen]
        lengths = safe_norm(vectors)
        directions = vectors / lengths[:, None]
        if not is_coupled:
            return PairPrecision(pair_index, directions, lengths, lengths)
        unit = scale ** (1.0 / self.alpha)  # B is an inverse variance, or the root of one
        how = self.body.execution
        largest = how.largest_block(vectors.device, gradients=torch.is_grad_enabled()) or len(lengths) + 1
        parts = [
            _couple(how, self.pair_readout, self.pair_radial, latents.scalars, *ends.unbind(), length, bonded, unit)
            for ends, length, bonded in zip(
                torch.split(pair_index, largest, dim=1),
                torch.split(lengths, largest),
                torch.split(is_bond[chosen], largest),
                strict=True,
            )
        ]
        weights = torch.cat(parts) if len(parts) > 1 else parts[0]
        return PairPrecision(pair_index, directions, weights[:, 0], weights[:, 1])


@Compiled
def _couple(
    readout: nn.Module,
    radial: nn.Module,
    scalars: Tensor,
    first: Tensor,
    second: Tensor,
    lengths: Tensor,
    is_bond: Tensor,
    scale: Tensor,
) -> Float[Tensor, "pairs 2"]:
    """Weights of some pairs along and across, from the latents of both ends."""
    one, other = scalars.index_select(0, first), scalars.index_select(0, second)
    features = torch.cat([one + other, one * other, radial(lengths), is_bond], dim=-1)
    scales = scale.index_select(0, first) * scale.index_select(0, second)
    return F.softplus(readout(features) + PAIR_BIAS) / scales[:, None]
