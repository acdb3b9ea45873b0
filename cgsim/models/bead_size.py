"""The size head: how large the beads are inside, given where all beads are.

Beads leave out how far their atoms are from them. By the parallel-axis theorem (Huygens and Steiner) the radius of
gyration of a molecule's atoms is

    Rg^2 = Rg^2 of the beads + sum_b m_b s_b^2 / M,

with s_b^2 the squared radius of gyration of the atoms of bead b about it, exactly. So the residual head of Fu et al.
(TMLR 2023), which there learns what is missing of a whole chain's Rg, need only know the mean of every s_b^2 given the
configuration of the beads; the mean of Rg^2 over a simulation is then the mean of these conditional means.
"""

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat
from torch.nn import functional as F

from cgsim.graph import BeadBatch, build_graph
from cgsim.models.dynamics import SOFTPLUS_ONE
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.interface import GraphFeatures, Latents
from cgsim.models.message_passing import mlp
from cgsim.models.network import FeatureSizes, NetworkSettings, make_body, zero_last_layer
from cgsim.models.normalization import Normalization, Scales
from cgsim.typing import Float, Tensor


class SmallNetworkSettings(NetworkSettings):
    """A network as any other, but a smaller one by default: the size of a bead is a matter of its neighbourhood."""

    latent: int = Field(default=32, ge=4)
    n_steps: int = Field(default=2, ge=1)
    n_vectors: int = Field(default=8, ge=1)


class BeadSizeSettings(BaseModel):
    """The size head.

    Attributes:
        network: its message-passing body.
        cutoff: range of its edges, length; that of the dynamics GNN where not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    network: SmallNetworkSettings = SmallNetworkSettings()
    cutoff: PositiveFloat | None = None


class BeadSizeNetwork(torch.nn.Module):
    """Mean squared size of every bead given one configuration of all of them; no past, no noise, no randomness.

    What it learns moves no other part of the model: it takes the embedding of the beads as it finds it.
    """

    class_mean: Tensor

    def __init__(self, settings: BeadSizeSettings, scales: Scales, cutoff: float, embedding: EmbeddingSettings) -> None:
        super().__init__()
        if scales.squared_size is None:
            raise ValueError("a size head needs scales.squared_size")
        self.cutoff = cutoff if settings.cutoff is None else settings.cutoff
        self.normalization = Normalization(scales)
        self.n_classes = len(scales.class_names)
        self.register_buffer("class_mean", torch.tensor(scales.squared_size))
        network = settings.network
        sizes = FeatureSizes(
            node_scalars=embedding.size + self.n_classes + 1,
            node_vectors=0,
            edge_scalars=1 + embedding.bond_size,
            edge_vectors=1,
        )
        radial_range = min(self.cutoff, scales.radial_range) / scales.length
        self.body = make_body(network, sizes, radial_range=radial_range, mean_degree=scales.mean_degree)
        self.readout = zero_last_layer(mlp(network.latent, 1, latent=network.latent, n_hidden=1, norm=False))

    def relative(self, batch: BeadBatch, positions: Float[Tensor, "beads 3"]) -> Float[Tensor, " beads"]:
        """Mean squared size of each bead relative to the mean of its class in the training data; positive."""
        graph = build_graph(positions, batch, self.cutoff)
        one_hot = F.one_hot(batch.bead_class, self.n_classes).to(positions.dtype)
        masses = self.normalization.mass(batch.masses, batch.bead_class)
        latents: Latents = self.body(
            GraphFeatures(
                node_scalars=torch.cat([batch.embedding.detach(), one_hot, masses[:, None]], dim=-1),
                node_vectors=positions.new_zeros(len(positions), 0, 3),
                edge_index=graph.edge_index,
                edge_scalars=batch.bond_features.detach()[graph.bond_row],
                edge_vectors=graph.edge_vectors(positions)[:, None] / self.normalization.length,
            )
        )
        return F.softplus(self.readout(latents.scalars)[:, 0] + SOFTPLUS_ONE)

    def forward(self, batch: BeadBatch, positions: Float[Tensor, "beads 3"]) -> Float[Tensor, " beads"]:
        """Mean squared size of each bead, length^2; before training the mean of its class."""
        return self.relative(batch, positions) * self.class_mean[batch.bead_class]

    def loss(
        self, batch: BeadBatch, positions: Float[Tensor, "beads 3"], squared_sizes: Float[Tensor, " beads"]
    ) -> Float[Tensor, ""]:
        """Mean squared error in units of each class's mean; of all functions the conditional mean has the smallest.

        Args:
            batch: the systems.
            positions: [beads, 3], length.
            squared_sizes: [beads], the true ones, length^2.
        """
        mean = self.class_mean[batch.bead_class]
        has_size = mean > 0  # beads of a single atom have none, and teach nothing
        wanted = torch.where(has_size, squared_sizes / torch.where(has_size, mean, torch.ones_like(mean)), 0.0)
        return ((self.relative(batch, positions) - wanted) * has_size).square().mean()
