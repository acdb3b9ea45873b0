"""Neighbour pairs of small systems: all pairs are looked at, which takes less time than to build a cell list."""

import itertools
import math
from dataclasses import dataclass

import torch

from cgsim.typing import Float, Float32, Float64, Int, Tensor

LARGEST_OPEN = 500  # particles of an open system of which all pairs are looked at
LARGEST_BOX = 400  # particles of a box of which they are


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

    Lengths are taken in single precision: whether a pair is found that is at its cutoff but for a ten-millionth of an
    edge is left to rounding.

    Args:
        edges: of the box, length.
        squared_cutoffs: of pairs in which none, one and both are marked.
        mark: [particles], 1 for those that are marked.
    """

    def __init__(
        self, edges: Float64[Tensor, "3"], squared_cutoffs: Float64[Tensor, "3"], mark: Int[Tensor, " particles"]
    ) -> None:
        self.edges = edges
        self._limits: Float32[Tensor, "particles particles"] = squared_cutoffs.float()[mark[:, None] + mark[None]]
        self._limits.fill_diagonal_(-1.0)
        self._apart, self._squares = torch.empty_like(self._limits), torch.empty_like(self._limits)

    def within(self, positions: Float64[Tensor, "particles 3"]) -> tuple[Tensor, Tensor, Float64[Tensor, "pairs 3"]]:
        """Senders and receivers of pairs within their cutoffs, in order, and the translations of senders, in edges."""
        n, apart, squares = len(positions), self._apart, self._squares
        in_box = (positions - self.edges * torch.floor(positions / self.edges)).float().T.contiguous()
        for axis, (coordinate, edge) in enumerate(zip(in_box, self.edges.tolist(), strict=True)):
            # Of the two images along an edge the nearer one: half the edge less than the distance from that half.
            torch.sub(coordinate[None], coordinate[:, None], out=apart).abs_()
            apart.sub_(0.5 * edge).abs_().sub_(0.5 * edge)
            if axis == 0:
                torch.mul(apart, apart, out=squares)
            else:
                squares.addcmul_(apart, apart)
        near = torch.nonzero((squares < self._limits).view(-1)).ravel()
        receiver = torch.div(near, n, rounding_mode="floor")
        sender = near - n * receiver
        vectors = positions.index_select(0, sender) - positions.index_select(0, receiver)
        return sender, receiver, torch.round(vectors / self.edges).neg_()


class SmallBoxes:
    """All pairs inside each of several rectangular boxes; copies of one system share its buffers.

    Args:
        edges: of the boxes, length.
        sizes: particles of each.
        squared_cutoffs: of pairs in which none, one and both are marked.
        mark: [particles], 1 for those that are marked.
    """

    def __init__(
        self,
        edges: Float64[Tensor, "graphs 3"],
        sizes: tuple[int, ...],
        squared_cutoffs: Float64[Tensor, "3"],
        mark: Int[Tensor, " particles"],
    ) -> None:
        self._starts = [0, *itertools.accumulate(sizes[:-1])]
        made: dict[tuple[float, ...], BoxPairs] = {}
        self.boxes: list[BoxPairs] = []
        for box, own in zip(edges, mark.tensor_split(self._starts[1:]), strict=True):
            key = (*box.tolist(), *own.tolist())
            if key not in made:
                made[key] = BoxPairs(box, squared_cutoffs, own)
            self.boxes.append(made[key])

    def within(self, positions: Float64[Tensor, "particles 3"]) -> tuple[Tensor, Tensor, Float64[Tensor, "pairs 3"]]:
        """As :meth:`BoxPairs.within`, for all boxes."""
        parts = positions.tensor_split(self._starts[1:])
        found = [box.within(part) for box, part in zip(self.boxes, parts, strict=True)]
        if len(found) == 1:
            return found[0]
        sender = torch.cat([one[0] + start for one, start in zip(found, self._starts, strict=True)])
        receiver = torch.cat([one[1] + start for one, start in zip(found, self._starts, strict=True)])
        return sender, receiver, torch.cat([one[2] for one in found])
