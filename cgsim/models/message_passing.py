"""The message-passing body of Fu et al. (TMLR 2023), after Sanchez-Gonzalez et al. (ICML 2020): encode and process.

It sees vectors as plain numbers, so it is invariant to translation only; rotations are taught by augmentation.
"""

import torch
from torch import nn
from torch.nn import functional as F

from cgsim.models.execution import Compiled, EdgeBlock, Execution, edge_blocks
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
        return self.from_gathered(edges, self.from_sender(nodes), self.from_receiver(nodes), *edge_index)

    def from_gathered(
        self, edges: Tensor, sent: Tensor, received: Tensor, sender: Tensor, receiver: Tensor
    ) -> Float[Tensor, "edges latent"]:
        """The same, with the products of the nodes at hand."""
        gathered = sent.index_select(0, sender) + received.index_select(0, receiver)
        out: Tensor = self.rest(F.silu(self.from_edge(edges) + gathered))
        return out


def sum_to_receivers(
    messages: Float[Tensor, "edges *channels"], receivers: Int[Tensor, " edges"], n_nodes: int
) -> Float[Tensor, "nodes *channels"]:
    """Sum the messages that arrive at each node."""
    out = messages.new_zeros((n_nodes, *messages.shape[1:]))
    return out.index_add(0, receivers, messages)


class MessagePassingBody(nn.Module):
    """Encode–process graph network with residual nodes and edges and sum aggregation.

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
        n_hidden: int,
        n_vectors: int,
    ) -> None:
        super().__init__()
        self.execution = Execution()
        self.n_vectors = n_vectors
        sizes = {"latent": latent, "n_hidden": n_hidden}
        self.encode_nodes = mlp(node_scalars + 3 * node_vectors, latent, norm=True, **sizes)
        self.encode_edges = mlp(edge_scalars + 4 * edge_vectors, latent, norm=True, **sizes)
        self.edge_updates = nn.ModuleList(EdgeMLP(latent, latent, n_hidden) for _ in range(n_steps))
        self.node_updates = nn.ModuleList(mlp(2 * latent, latent, norm=True, **sizes) for _ in range(n_steps))
        self.decode_vectors = nn.Linear(latent, 3 * n_vectors)

    def forward(self, features: GraphFeatures) -> Latents:
        """Pass messages ``n_steps`` times."""
        device, dtype = features.node_scalars.device, features.node_scalars.dtype
        with self.execution.matrix_precision(device):
            nodes = self._process(features)
            vectors = self.decode_vectors(nodes)
        return Latents(nodes.to(dtype), vectors.to(dtype).view(len(nodes), self.n_vectors, 3))

    def _process(self, features: GraphFeatures) -> Tensor:
        n, how = len(features.node_scalars), self.execution
        largest = how.largest_block(features.node_scalars.device, gradients=torch.is_grad_enabled())
        blocks = edge_blocks(features.edge_index, n, largest)
        nodes: Tensor = self.encode_nodes(torch.cat([features.node_scalars, features.node_vectors.flatten(1)], dim=-1))
        edges = [
            _encode(how, self.encode_edges, features.edge_scalars[b.edges], features.edge_vectors[b.edges])
            for b in blocks
        ]
        for update_edges, update_nodes in zip(self.edge_updates, self.node_updates, strict=True):
            assert isinstance(update_edges, EdgeMLP)
            sent, received = update_edges.from_sender(nodes), update_edges.from_receiver(nodes)
            parts = []
            for k, b in enumerate(blocks):
                part, edges[k] = _pass_block(
                    how, update_edges, update_nodes, nodes[b.nodes], edges[k], sent, received[b.nodes], *_ends(b)
                )
                parts.append(part)
            nodes = torch.cat(parts) if len(parts) > 1 else parts[0]
        return nodes


def _ends(block: EdgeBlock) -> tuple[Tensor, Tensor]:
    return block.sender, block.receiver


@Compiled
def _encode(encoder: nn.Module, scalars: Tensor, vectors: Tensor) -> Tensor:
    edges: Tensor = encoder(torch.cat([scalars, vectors.flatten(1), vectors.norm(dim=-1)], dim=-1))
    return edges


@Compiled
def _pass_block(
    update_edges: EdgeMLP,
    update_nodes: nn.Module,
    nodes: Tensor,
    edges: Tensor,
    sent: Tensor,
    received: Tensor,
    sender: Tensor,
    receiver: Tensor,
) -> tuple[Tensor, Tensor]:
    """One round of messages to the nodes of one block: the nodes and the edges after it."""
    edges = edges + update_edges.from_gathered(edges, sent, received, sender, receiver)
    sums = sum_to_receivers(edges, receiver, len(nodes))
    return nodes + update_nodes(torch.cat([nodes, sums], dim=-1)), edges
