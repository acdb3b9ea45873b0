"""The score GNN: a noise-conditional denoiser of the next positions (Song & Ermon 2019; Karras et al. 2022)."""

from typing import Literal

import torch
from pydantic import PositiveFloat, model_validator
from torch import nn

from cgsim.graph import BeadBatch, build_graph
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
        geometry: which positions have edges and their vectors. ``noised``: those that are to be denoised, as published;
            where the noise is as large as the range, neighbours are chance. ``expected``: the best linear guess of the
            clean ones, ``m + c_skip (y - m)`` of :class:`ScoreNetwork`, which goes from the mean of the dynamics GNN at
            high noise levels to the noised positions at low ones.
    """

    network: NetworkSettings = NetworkSettings()
    largest_noise: PositiveFloat = 4.0
    smallest_noise: PositiveFloat = 0.05
    geometry: Literal["noised", "expected"] = "noised"

    @model_validator(mode="after")
    def _ordered(self) -> "RefinerSettings":
        if self.smallest_noise >= self.largest_noise:
            raise ValueError(f"smallest_noise {self.smallest_noise} must be below largest_noise {self.largest_noise}")
        return self


class ScoreNetwork(nn.Module):
    """Denoiser of next positions y at noise level sigma, given the present and the dynamics GNN's latents.

    ``D(y) = m + c_skip (y - m) + c_out F`` with m the mean of the dynamics GNN, s the displacement scale of the bead's
    class, ``c_skip = s^2 / (s^2 + sigma^2)`` and ``c_out = s sigma / sqrt(s^2 + sigma^2)`` (Karras et al., NeurIPS
    2022, Table 1). The score of the noised density is ``(D(y) - y) / sigma^2`` (Tweedie's formula).
    """

    frequencies: Tensor

    def __init__(
        self, settings: RefinerSettings, dynamics: NetworkSettings, scales: Scales, n_history: int, embedding_size: int
    ) -> None:
        super().__init__()
        self.settings = settings
        self.normalization = Normalization(scales)
        network = settings.network
        sizes = FeatureSizes(
            node_scalars=dynamics.latent + embedding_size + 2 * N_FREQUENCIES + 1,
            node_vectors=dynamics.n_vectors + n_history,
            edge_scalars=1,
            edge_vectors=2,
        )
        radial_range = scales.radial_range / scales.length
        self.body = make_body(network, sizes, radial_range=radial_range, mean_degree=scales.mean_degree)
        self.gates = zero_last_layer(
            mlp(network.latent, network.n_vectors, latent=network.latent, n_hidden=1, norm=False)
        )
        self.readout = nn.Linear(network.n_vectors, 1, bias=False)
        self.register_buffer("frequencies", 2.0 ** torch.arange(N_FREQUENCIES))

    def preconditioning(self, batch: BeadBatch, noise_level: Float[Tensor, " beads"]) -> tuple[Tensor, Tensor]:
        """c_skip [beads, 1] and c_out [beads, 1], length."""
        s = self.normalization.displacement(batch.bead_class)
        total = s.square() + noise_level.square()
        return (s.square() / total)[:, None], (s * noise_level * total.rsqrt())[:, None]

    def forward(
        self,
        batch: BeadBatch,
        history: Float[Tensor, "beads history 3"],
        mean: Float[Tensor, "beads 3"],
        latents: Latents,
        positions: Float[Tensor, "beads 3"],
        noise_level: Float[Tensor, " beads"],
    ) -> Float[Tensor, "beads 3"]:
        """The network's own output F, dimensionless; see :meth:`denoise`."""
        seen = positions
        if self.settings.geometry == "expected":
            skip, _ = self.preconditioning(batch, noise_level)
            seen = mean + skip * (positions - mean)
        graph = build_graph(seen, batch, self.settings.cutoff, self.settings.ion_cutoff)
        s = self.normalization.displacement(batch.bead_class)
        away = (positions - mean) * (s.square() + noise_level.square()).rsqrt()[:, None]
        phase = (noise_level / s).log()[:, None] * self.frequencies / 4.0
        noise_features = torch.cat([phase.sin(), phase.cos(), phase[:, :1]], dim=-1)
        edge_vectors = torch.stack([graph.edge_vectors(seen), graph.edge_vectors(history[:, -1])], dim=1)
        out: Latents = self.body(
            GraphFeatures(
                node_scalars=torch.cat([latents.scalars, batch.embedding, noise_features], dim=-1),
                node_vectors=torch.cat(
                    [latents.vectors, self.normalization.history(history, batch.bead_class), away[:, None]], dim=1
                ),
                edge_index=graph.edge_index,
                edge_scalars=graph.is_bond.to(positions.dtype)[:, None],
                edge_vectors=edge_vectors / self.normalization.length,
            )
        )
        gated = out.vectors * (1.0 + self.gates(out.scalars))[..., None]
        output: Tensor = self.readout(gated.transpose(1, 2))[..., 0]
        return output

    def denoise(
        self,
        batch: BeadBatch,
        history: Float[Tensor, "beads history 3"],
        mean: Float[Tensor, "beads 3"],
        latents: Latents,
        positions: Float[Tensor, "beads 3"],
        noise_level: Float[Tensor, " beads"],
    ) -> Float[Tensor, "beads 3"]:
        """Expected clean positions given noised ones; length."""
        skip, out = self.preconditioning(batch, noise_level)
        network: Tensor = self(batch, history, mean, latents, positions, noise_level)
        return mean + skip * (positions - mean) + out * network
