"""The message-passing body of Fu et al. (TMLR 2023), after Sanchez-Gonzalez et al. (ICML 2020): encode and process.

It sees vectors as plain numbers, so it is invariant to translation only; rotations are taught by augmentation.
"""

import torch
from torch import nn
from torch.nn import functional as F

from cgsim.models.interface import GraphFeatures, Latents
from cgsim.typing import Float, Int, Tensor


def mlp(n_in: int, n_out: int, *, latent: int, n_hidden: int, norm: bool) -> nn.Sequential:
    """Multilayer perceptron with SiLU; LayerNorm at the end where asked."""
    layers: list[nn.Module] = []
    width = n_in
    for _ in range(n_hidden):
        layers += [nn.Linear(width, latent), nn.SiLU()]
        width = latent
    layers.append(nn.Linear(width, n_out))
    if norm:
        layers.append(nn.LayerNorm(n_out))
    return nn.Sequential(*layers)


class EdgeMLP(nn.Module):
    """MLP of (edge, sender, receiver) whose first layer acts on the nodes before they are gathered.

    ``W [e, h_s, h_r] = W_e e + (W_s h)_s + (W_r h)_r`` needs two of its three matrix products per node instead of per
    edge; the result is the same.
    """

    def __init__(self, edge_size: int, latent: int, n_hidden: int) -> None:
        super().__init__()
        self.from_edge = nn.Linear(edge_size, latent)
        self.from_sender = nn.Linear(latent, latent, bias=False)
        self.from_receiver = nn.Linear(latent, latent, bias=False)
        self.rest = mlp(latent, latent, latent=latent, n_hidden=n_hidden - 1, norm=True)

    def forward(
        self,
        edges: Float[Tensor, "edges size"],
        nodes: Float[Tensor, "nodes latent"],
        edge_index: Int[Tensor, "2 edges"],
    ) -> Float[Tensor, "edges latent"]:
        """Update of each edge."""
        gathered = self.from_sender(nodes).index_select(0, edge_index[0])
        gathered = gathered + self.from_receiver(nodes).index_select(0, edge_index[1])
        out: Tensor = self.rest(F.silu(self.from_edge(edges) + gathered))
        return out


def sum_to_receivers(
    messages: Float[Tensor, "edges *channels"], receivers: Int[Tensor, " edges"], n_nodes: int
) -> Float[Tensor, "nodes *channels"]:
    """Sum the messages that arrive at each node."""
    out = messages.new_zeros((n_nodes, *messages.shape[1:]))
    return out.index_add(0, receivers, messages)


class MessagePassingBody(nn.Module):
    """Encode–process graph network with residual nodes and edges and sum aggregation."""

    def __init__(
        self,
        *,
        node_scalars: int,
        node_vectors: int,
        edge_scalars: int,
        edge_vectors: int,
        latent: int,
        n_steps: int,
        n_hidden: int,
        n_vectors: int,
    ) -> None:
        super().__init__()
        self.n_vectors = n_vectors
        sizes = {"latent": latent, "n_hidden": n_hidden}
        self.encode_nodes = mlp(node_scalars + 3 * node_vectors, latent, norm=True, **sizes)
        self.encode_edges = mlp(edge_scalars + 4 * edge_vectors, latent, norm=True, **sizes)
        self.edge_updates = nn.ModuleList(EdgeMLP(latent, latent, n_hidden) for _ in range(n_steps))
        self.node_updates = nn.ModuleList(mlp(2 * latent, latent, norm=True, **sizes) for _ in range(n_steps))
        self.decode_vectors = nn.Linear(latent, 3 * n_vectors)

    def forward(self, features: GraphFeatures) -> Latents:
        """Pass messages ``n_steps`` times."""
        n = len(features.node_scalars)
        lengths = features.edge_vectors.norm(dim=-1)
        nodes = self.encode_nodes(torch.cat([features.node_scalars, features.node_vectors.flatten(1)], dim=-1))
        edges = self.encode_edges(torch.cat([features.edge_scalars, features.edge_vectors.flatten(1), lengths], dim=-1))
        for update_edges, update_nodes in zip(self.edge_updates, self.node_updates, strict=True):
            edges = edges + update_edges(edges, nodes, features.edge_index)
            received = sum_to_receivers(edges, features.edge_index[1], n)
            nodes = nodes + update_nodes(torch.cat([nodes, received], dim=-1))
        return Latents(nodes, self.decode_vectors(nodes).view(n, self.n_vectors, 3))
