"""Neighbour pairs of small systems: all pairs are looked at, which takes less time than to build a cell list."""

import math
from dataclasses import dataclass

import torch

from cgsim.typing import Float, Float32, Float64, Int, Tensor

LARGEST_OPEN = 500  # particles of an open system of which all pairs are looked at
LARGEST_BOX = 400  # particles of a box of which they are
MARGIN = 1e-4  # of the squared cutoff: what single precision may miss, sorted out in double precision after


@dataclass(frozen=True)
class NeighborPairs:
    """Directed pairs within a cutoff; each unordered pair appears in both directions.

    Attributes:
        sender: [pairs], index of the neighbour.
        receiver: [pairs], index of the particle that has the neighbour; ascending, and for each the senders ascend.
        shifts: [pairs, 3], length; ``positions[sender] + shifts - positions[receiver]`` is the pair's vector.
    """

    sender: Int[Tensor, " pairs"]
    receiver: Int[Tensor, " pairs"]
    shifts: Float[Tensor, "pairs 3"]


class OpenPairs:
    """All pairs inside systems without a cell.

    Args:
        sizes: number of particles of each system.
        squared_cutoffs: of pairs in which none, one and both are marked; infinite where all pairs are wanted.
        mark: [particles], 1 for those that are marked.

    Attributes:
        sender, receiver: [pairs], of all pairs, near or far.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        squared_cutoffs: Float64[Tensor, "3"],
        mark: Int[Tensor, " particles"],
    ) -> None:
        count = torch.tensor(sizes, device=mark.device)
        graph = torch.repeat_interleave(torch.arange(len(sizes), device=mark.device), count)
        start, partners = torch.cumsum(count, 0) - count, count[graph]
        receiver = torch.repeat_interleave(torch.arange(len(graph), device=mark.device), partners)
        first = torch.cumsum(partners, 0) - partners
        sender = torch.arange(len(receiver), device=mark.device) - first[receiver] + start[graph][receiver]
        apart = sender != receiver
        self.sender, self.receiver = sender[apart], receiver[apart]
        self._squares = None
        if math.isfinite(float(squared_cutoffs[0])):
            self._squares = squared_cutoffs[mark[self.receiver] + mark[self.sender]]

    def pairs(self, positions: Float[Tensor, "particles 3"]) -> NeighborPairs:
        """Those within their cutoffs."""
        sender, receiver = self.sender, self.receiver
        if self._squares is not None:
            squares = (positions.index_select(0, sender) - positions.index_select(0, receiver)).square().sum(dim=-1)
            near = torch.nonzero(squares < self._squares).ravel()
            sender, receiver = sender.index_select(0, near), receiver.index_select(0, near)
        return NeighborPairs(sender, receiver, positions.new_zeros(len(sender), 3))


class BoxPairs:
    """All pairs inside one rectangular box, each in its nearest image: no cutoff may be above half an edge.

    Args:
        edges: of the box, length.
        squared_cutoffs: of pairs in which none, one and both are marked.
        mark: [particles], 1 for those that are marked.
    """

    def __init__(
        self, edges: Float64[Tensor, "3"], squared_cutoffs: Float64[Tensor, "3"], mark: Int[Tensor, " particles"]
    ) -> None:
        self.edges = edges
        squares = squared_cutoffs[mark[:, None] + mark[None]]
        self._squares = squares.fill_diagonal_(-1.0).ravel()
        self._limits: Float32[Tensor, "particles particles"] = (squares * (1.0 + MARGIN)).float()
        self._apart, self._found = torch.empty_like(self._limits), torch.empty_like(self._limits)

    def pairs(self, positions: Float[Tensor, "particles 3"]) -> NeighborPairs:
        """Those within their cutoffs."""
        n, exact = len(positions), positions.double()
        within = (exact - self.edges * torch.floor(exact / self.edges)).float().T.contiguous()
        apart, squares = self._apart, self._found.zero_()
        for coordinate, edge in zip(within, self.edges.tolist(), strict=True):
            # Of the two images along an edge the nearer one: half the edge less than the distance from that half.
            torch.sub(coordinate[None], coordinate[:, None], out=apart).abs_()
            apart.sub_(0.5 * edge).abs_().sub_(0.5 * edge)
            squares.addcmul_(apart, apart)
        near = torch.nonzero((squares < self._limits).view(-1)).ravel()
        receiver = torch.div(near, n, rounding_mode="floor")
        sender = near - n * receiver
        vectors = exact.index_select(0, sender) - exact.index_select(0, receiver)
        shifts = torch.round(vectors / self.edges).mul_(-self.edges)
        x, y, z = (vectors + shifts).unbind(dim=-1)
        kept = torch.nonzero(x * x + y * y + z * z < self._squares.index_select(0, near)).ravel()
        sender, receiver, shifts = (found.index_select(0, kept) for found in (sender, receiver, shifts))
        return NeighborPairs(sender, receiver, shifts.to(positions.dtype))
