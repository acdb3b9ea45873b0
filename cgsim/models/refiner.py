"""The score GNN: a noise-conditional denoiser of the next positions (Song & Ermon 2019; Karras et al. 2022)."""

from typing import Literal

import torch
from pydantic import PositiveFloat, model_validator
from torch import nn

from cgsim.graph import BeadBatch
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.gaussian import GaussianDisplacement
from cgsim.models.interface import GraphFeatures, Latents
from cgsim.models.message_passing import mlp
from cgsim.models.network import EdgeSettings, FeatureSizes, NetworkSettings, make_body, zero_last_layer
from cgsim.models.normalization import Normalization, Scales
from cgsim.typing import Float, Tensor

N_FREQUENCIES = 4


class RefinerSettings(EdgeSettings):
    """The score GNN.

    Attributes:
        network: its message-passing body.
        largest_noise: upper end of the noise levels seen in training, length.
        smallest_noise: lower end, length.
        prior: what is expected of clean positions before the network speaks; it learns the rest. ``independent``: beads
            spread about the mean of the dynamics GNN by the displacement scale of their class; ``gaussian``: they
            spread as the dynamics GNN says, neighbours together, so that chains keep their motion as wholes from
            however high a noise level a refinement starts.
        geometry: which positions have edges and their vectors. ``noised``: those that are to be denoised, as published;
            where the noise is as large as the range, neighbours are chance. ``expected``: those that the prior expects
            given the noised ones, which go from the mean of the dynamics GNN at high noise levels to the noised
            positions at low ones.
    """

    network: NetworkSettings = NetworkSettings()
    largest_noise: PositiveFloat = 4.0
    smallest_noise: PositiveFloat = 0.05
    prior: Literal["independent", "gaussian"] = "independent"
    geometry: Literal["noised", "expected"] = "noised"

    @model_validator(mode="after")
    def _ordered(self) -> "RefinerSettings":
        if self.smallest_noise >= self.largest_noise:
            raise ValueError(f"smallest_noise {self.smallest_noise} must be below largest_noise {self.largest_noise}")
        return self


class ScoreNetwork(nn.Module):
    """Denoiser of next positions y at noise level sigma, given the present and what the dynamics GNN says.

    ``D(y) = p + c_out F`` with p what the prior expects and F the network. For independent beads
    ``p = m + c_skip (y - m)``, m the mean of the dynamics GNN, ``c_skip = s^2 / (s^2 + sigma^2)``, s the displacement
    scale of the bead's class (Karras et al., NeurIPS 2022, Table 1); for the Gaussian of the dynamics GNN see
    :meth:`cgsim.models.gaussian.GaussianDisplacement.posterior_mean`. For both
    ``c_out = s sigma / sqrt(s^2 + sigma^2)``. The score of the noised density is ``(D(y) - y) / sigma^2`` (Tweedie's
    formula). Each system has one noise level.
    """

    frequencies: Tensor

    def __init__(
        self,
        settings: RefinerSettings,
        dynamics: NetworkSettings,
        scales: Scales,
        n_history: int,
        embedding: EmbeddingSettings,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.normalization = Normalization(scales)
        network = settings.network
        sizes = FeatureSizes(
            node_scalars=dynamics.latent + embedding.size + 2 * N_FREQUENCIES + 1,
            node_vectors=dynamics.n_vectors + n_history + (settings.prior == "gaussian"),
            edge_scalars=1 + embedding.bond_size,
            edge_vectors=2,
        )
        radial_range = scales.radial_range / scales.length
        self.body = make_body(network, sizes, radial_range=radial_range, mean_degree=scales.mean_degree)
        self.gates = zero_last_layer(
            mlp(network.latent, network.n_vectors, latent=network.latent, n_hidden=1, norm=False)
        )
        self.readout = nn.Linear(network.n_vectors, 1, bias=False)
        self.register_buffer("frequencies", 2.0 ** torch.arange(N_FREQUENCIES))

    def output_scale(self, batch: BeadBatch, noise_level: Float[Tensor, " graphs"]) -> Float[Tensor, "beads 1"]:
        """c_out, length."""
        s, level = self.normalization.displacement(batch.bead_class), noise_level[batch.graph_index]
        return (s * level * (s.square() + level.square()).rsqrt())[:, None]

    def expect(
        self,
        batch: BeadBatch,
        present: Float[Tensor, "beads 3"],
        gaussian: GaussianDisplacement,
        positions: Float[Tensor, "beads 3"],
        noise_level: Float[Tensor, " graphs"],
    ) -> Float[Tensor, "beads 3"]:
        """Clean positions as the prior expects them, given noised ones; length."""
        reference: float = self.normalization.reference
        if self.settings.prior == "gaussian":
            noised = (positions - present) / reference
            moved = gaussian.posterior_mean(noised, noise_level / reference)
            return present + reference * batch.remove_drift(moved)
        mean, s = present + reference * gaussian.mean, self.normalization.displacement(batch.bead_class)
        skip = s.square() / (s.square() + noise_level[batch.graph_index].square())
        return mean + skip[:, None] * (positions - mean)

    def forward(
        self,
        batch: BeadBatch,
        history: Float[Tensor, "beads history 3"],
        gaussian: GaussianDisplacement,
        latents: Latents,
        positions: Float[Tensor, "beads 3"],
        noise_level: Float[Tensor, " graphs"],
        expected: Float[Tensor, "beads 3"],
    ) -> Float[Tensor, "beads 3"]:
        """The network's own output F, dimensionless; see :meth:`parts`."""
        seen = expected if self.settings.geometry == "expected" else positions
        graph = self.settings.graph(seen, batch)
        present = history[:, -1]
        mean = present + self.normalization.reference * gaussian.mean
        s, level = self.normalization.displacement(batch.bead_class), noise_level[batch.graph_index]
        away = [(positions - mean) * (s.square() + level.square()).rsqrt()[:, None]]
        if self.settings.prior == "gaussian":
            away.append((expected - mean) / s[:, None])
        phase = (level / s).log()[:, None] * self.frequencies / 4.0
        noise_features = torch.cat([phase.sin(), phase.cos(), phase[:, :1]], dim=-1)
        edge_vectors = torch.stack([graph.edge_vectors(seen), graph.edge_vectors(present)], dim=1)
        moved = self.normalization.history(history, batch.bead_class)
        out: Latents = self.body(
            GraphFeatures(
                node_scalars=torch.cat([latents.scalars, batch.embedding, noise_features], dim=-1),
                node_vectors=torch.cat([latents.vectors, moved, torch.stack(away, dim=1)], dim=1),
                edge_index=graph.edge_index,
                edge_scalars=batch.bond_features[graph.bond_row],
                edge_vectors=edge_vectors / self.normalization.length,
            )
        )
        gated = out.vectors * (1.0 + self.gates(out.scalars))[..., None]
        output: Tensor = self.readout(gated.transpose(1, 2))[..., 0]
        return output

    def parts(
        self,
        batch: BeadBatch,
        history: Float[Tensor, "beads history 3"],
        gaussian: GaussianDisplacement,
        latents: Latents,
        positions: Float[Tensor, "beads 3"],
        noise_level: Float[Tensor, " graphs"],
    ) -> tuple[Float[Tensor, "beads 3"], Float[Tensor, "beads 1"], Float[Tensor, "beads 3"]]:
        """The parts p, c_out (lengths) and F (dimensionless); a periodic system as a whole moves by noise alone."""
        present = history[:, -1]
        positions = present + batch.remove_drift(positions - present)
        expected = self.expect(batch, present, gaussian, positions, noise_level)
        network: Tensor = self(batch, history, gaussian, latents, positions, noise_level, expected)
        return expected, self.output_scale(batch, noise_level), network

    def denoise(
        self,
        batch: BeadBatch,
        history: Float[Tensor, "beads history 3"],
        gaussian: GaussianDisplacement,
        latents: Latents,
        positions: Float[Tensor, "beads 3"],
        noise_level: Float[Tensor, " graphs"],
        guidance: float = 0.0,
    ) -> Float[Tensor, "beads 3"]:
        """Expected clean positions given noised ones, ``D = p + (1 + guidance) c_out F``; length."""
        expected, scale, network = self.parts(batch, history, gaussian, latents, positions, noise_level)
        return expected + (1.0 + guidance) * scale * network
