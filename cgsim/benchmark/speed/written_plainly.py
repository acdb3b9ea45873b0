"""The message-passing network as one writes it down first: what the speed of ours is stated against."""

import torch
from torch import nn

from cgsim.models.interface import GraphFeatures, Latents
from cgsim.models.message_passing import mlp
from cgsim.models.network import FeatureSizes, NetworkSettings
from cgsim.typing import Tensor


class WrittenPlainly(nn.Module):
    """Encode–process graph network of Sanchez-Gonzalez et al. (ICML 2020): edge MLPs read edge, sender and receiver.

    The same function as :class:`cgsim.models.message_passing.MessagePassingBody`, of the same size, in one piece and
    without factorising the first layer.
    """

    def __init__(self, sizes: FeatureSizes, settings: NetworkSettings) -> None:
        super().__init__()
        n = settings.latent
        self.n_vectors = settings.n_vectors

        def block(n_in: int) -> nn.Sequential:
            return mlp(n_in, n, latent=n, n_hidden=settings.n_hidden, norm=True)

        self.encode_nodes = block(sizes.node_scalars + 3 * sizes.node_vectors)
        self.encode_edges = block(sizes.edge_scalars + 4 * sizes.edge_vectors)
        self.edge_updates = nn.ModuleList(block(3 * n) for _ in range(settings.n_steps))
        self.node_updates = nn.ModuleList(block(2 * n) for _ in range(settings.n_steps))
        self.decode_vectors = nn.Linear(n, 3 * settings.n_vectors)

    def forward(self, features: GraphFeatures) -> Latents:
        """Pass messages."""
        sender, receiver = features.edge_index
        lengths = features.edge_vectors.norm(dim=-1)
        nodes = self.encode_nodes(torch.cat([features.node_scalars, features.node_vectors.flatten(1)], dim=-1))
        edges = self.encode_edges(torch.cat([features.edge_scalars, features.edge_vectors.flatten(1), lengths], dim=-1))
        for update_edges, update_nodes in zip(self.edge_updates, self.node_updates, strict=True):
            edges = edges + update_edges(torch.cat([edges, nodes[sender], nodes[receiver]], dim=-1))
            sums: Tensor = torch.zeros_like(nodes).index_add(0, receiver, edges)
            nodes = nodes + update_nodes(torch.cat([nodes, sums], dim=-1))
        return Latents(nodes, self.decode_vectors(nodes).view(len(nodes), self.n_vectors, 3))
