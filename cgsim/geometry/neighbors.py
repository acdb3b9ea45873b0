"""Neighbour pairs of a batch of systems: all pairs of small systems are looked at, larger ones have vesin's cell list.

There a search is made with a skin and kept until a particle has moved half of it (Verlet, Phys. Rev. 159, 98 (1967)).
Where one has moved by more than the whole skin since the last search, as in the first calls of a refinement, the next
is made without, for it would not be kept. Whether a kept search or a new one gives the pairs makes no difference to
them, nor to their order.

Some particles may be marked, and pairs with one or two of them be sought further: a few ions feel each other from afar,
and a list of all pairs that near would be many times as long.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import vesin.torch

from cgsim.geometry.all_pairs import LARGEST_BOX, LARGEST_OPEN, NeighborPairs, OpenPairs, SmallBoxes
from cgsim.geometry.cutoffs import Cutoffs
from cgsim.geometry.periodic import inverse_cell
from cgsim.typing import Bool, Float, Float32, Float64, Int, Tensor


@dataclass(frozen=True)
class _Found:
    """Pairs in the order that is handed out.

    Attributes:
        receiver, sender: [pairs].
        offsets: [pairs, 3], lattice translations between wrapped positions.
        squares: [pairs] or for all of them, squared cutoff; None where no pair is beyond its own.
    """

    receiver: Int[Tensor, " pairs"]
    sender: Int[Tensor, " pairs"]
    offsets: Float32[Tensor, "pairs 3"]
    squares: Float64[Tensor, "*pairs"] | None


@dataclass(frozen=True)
class _Search:
    """What was found, and where everything was.

    Attributes:
        found: all pairs within their cutoffs and the skin.
        images: [particles, 3], of the positions.
        wrapped: [particles, 3], in the cell; length.
        skin: length.
    """

    found: _Found
    images: Float64[Tensor, "particles 3"]
    wrapped: Float64[Tensor, "particles 3"]
    skin: float


class NeighborSearch:
    """Finds all pairs closer than their cutoff inside each system of a batch, never between systems.

    Correct in any triclinic cell, for cutoffs beyond half the cell (a pair then appears once per image), for particles
    far outside the cell, and for a single particle. Systems without a cell may have an infinite cutoff.

    Args:
        sizes: number of particles of each system.
        cell: rows are lattice vectors; zeros for open boundaries.
        cutoffs: ranges of pairs.
        skin: length that a search reaches further, so that it can be kept; 0 searches anew every time.
        is_marked: which particles are; none if not given.
        largest_box: particles of a box of which all pairs are looked at, if it is rectangular and large enough for the
            cutoffs to find nearest images only.

    Attributes:
        n_searches: searches made so far, but those for the pairs of small systems, which are not kept.
        has_nearest_images_only: no pair with a particle that is not marked is found in two images, and the one that is
            found is the nearest.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        cell: Float[Tensor, "graphs 3 3"],
        cutoffs: Cutoffs,
        skin: float,
        is_marked: Bool[Tensor, " particles"] | None = None,
        largest_box: int = LARGEST_BOX,
    ) -> None:
        device = cell.device
        self.sizes, self.cutoffs, self.skin = sizes, cutoffs, skin
        if cutoffs.is_uniform or is_marked is None or not bool(is_marked.any()):
            self.cutoffs, is_marked = Cutoffs.of(cutoffs.plain), None
        self.n_searches = 0
        self._cell = cell.detach().double()
        self._inverse = inverse_cell(self._cell)
        self._is_open: list[bool] = (cell == 0).all(dim=-1).all(dim=-1).tolist()
        self._one_cell = bool((self._cell == self._cell[:1]).all())
        heights = self._inverse.norm(dim=-2).clamp(min=1e-300).reciprocal()  # between opposite faces of the cell
        self._lowest_height = float(heights.min()) if heights.numel() else math.inf
        self.has_nearest_images_only = self._has_nearest_images_only(self.cutoffs.near)
        count = torch.tensor(sizes, device=device)
        self._graph = torch.repeat_interleave(torch.arange(len(sizes), device=device), count)
        self._mark = torch.zeros_like(self._graph) if is_marked is None else is_marked.long()
        plain, mixed, marked = self.cutoffs.plain, self.cutoffs.mixed, self.cutoffs.marked
        self._squares = torch.tensor([plain, mixed, marked], dtype=torch.float64, device=device).square()
        self._marked: Tensor | None = None
        if is_marked is not None and marked > self.cutoffs.near:
            self._marked = torch.nonzero(is_marked).ravel()
            self._marked_sizes = tuple(torch.bincount(self._graph[self._marked], minlength=len(sizes)).tolist())
        self._kept: _Search | None = None
        largest = max(sizes, default=0)
        self._open: OpenPairs | None = None
        self._has_small_boxes = False
        self._boxes: dict[float, SmallBoxes] = {}  # by how much further than the cutoffs they reach
        if all(self._is_open) and (math.isinf(self.cutoffs.largest) or largest <= LARGEST_OPEN):
            self._open = OpenPairs(sizes, self._squares, self._mark)
        elif not any(self._is_open) and largest <= largest_box:
            off_diagonal = self._cell - torch.diag_embed(self._cell.diagonal(dim1=-2, dim2=-1))
            self._has_small_boxes = not bool(off_diagonal.any())

    @torch.no_grad()
    def pairs(self, positions: Float[Tensor, "particles 3"]) -> NeighborPairs:
        """All pairs closer than their cutoff.

        Args:
            positions: all systems' particles, one system after the other.
        """
        if self._open is not None:
            return self._open.pairs(positions)
        if self._looks_at_all(0.0):
            sender, receiver, numbers = self._within_boxes(positions.double(), 0.0)
            return NeighborPairs(sender, receiver, self._translations(numbers, receiver).to(positions.dtype))
        search = self._search(positions, 0.5)
        found = search.found
        receiver, sender, offsets = found.receiver, found.sender, found.offsets
        if found.squares is not None:
            vectors = search.wrapped.index_select(0, sender) - search.wrapped.index_select(0, receiver)
            vectors += self._translations(offsets, receiver)
            near = torch.nonzero(vectors.square().sum(dim=-1) < found.squares).ravel()
            receiver, sender, offsets = (x.index_select(0, near) for x in (receiver, sender, offsets))
        return NeighborPairs(sender, receiver, self._shifts(receiver, sender, offsets, search).to(positions.dtype))

    @torch.no_grad()
    def candidates(self, positions: Float[Tensor, "particles 3"]) -> tuple[NeighborPairs, float]:
        """All pairs closer than the cutoff and some that are not: the same tensors for as long as a search is kept.

        Returns:
            The pairs, and the length that every particle may move before some might be missing.
        """
        if self._open is not None:
            sender, receiver = self._open.sender, self._open.receiver
            return NeighborPairs(sender, receiver, positions.new_zeros(len(sender), 3)), math.inf
        search = self._search(positions, 0.25, always_with_skin=True)
        found = search.found
        shifts = self._shifts(found.receiver, found.sender, found.offsets, search)
        return NeighborPairs(found.sender, found.receiver, shifts.to(positions.dtype)), 0.25 * self.skin

    def _search(self, positions: Tensor, tolerated: float, *, always_with_skin: bool = False) -> _Search:
        """The kept search brought up to these positions, or a new one.

        Args:
            positions: of all particles.
            tolerated: share of the skin by which a particle may have moved since the kept search.
            always_with_skin: else only where the last movement lets expect that the search will be kept.
        """
        double, kept, with_skin = positions.detach().double(), self._kept, always_with_skin
        if kept is not None:
            moved = double - kept.wrapped - self._lattice(kept.images, self._cell)
            crossed = torch.round(self._lattice(moved, self._inverse))
            moved = moved - self._lattice(crossed, self._cell)
            furthest = float(moved.square().sum(dim=-1).max()) ** 0.5
            if furthest < tolerated * kept.skin:
                return _Search(kept.found, kept.images + crossed, kept.wrapped + moved, kept.skin)
            with_skin = with_skin or furthest < self.skin
        images = torch.floor(self._lattice(double, self._inverse))
        wrapped = double - self._lattice(images, self._cell)
        skin = self.skin if with_skin else 0.0
        self._kept = _Search(self._find(wrapped, skin), images, wrapped, skin)
        self.n_searches += 1
        return self._kept

    def _find(self, wrapped: Float64[Tensor, "particles 3"], skin: float) -> _Found:
        """All pairs within their cutoffs and the skin."""
        if self._looks_at_all(skin):
            sender, receiver, numbers = self._within_boxes(wrapped, skin)
            return _Found(receiver, sender, numbers.float(), self._squares_of(receiver, sender))
        receiver, sender, offsets, lengths = self._within(wrapped, self.sizes, self.cutoffs.near + skin)
        if not self.cutoffs.is_uniform:
            limits = self._squares.sqrt() + skin
            if self._marked is not None:
                limits[2] = 0.0  # those are sought by themselves
            limit = limits.index_select(0, self._kind(receiver, sender))
            kept = torch.nonzero(lengths < limit).ravel()
            receiver, sender, offsets = (x.index_select(0, kept) for x in (receiver, sender, offsets))
        if self._marked is not None:
            far = self._within(wrapped[self._marked], self._marked_sizes, self.cutoffs.marked + skin)
            receiver = torch.cat([receiver, self._marked[far[0]]])
            sender = torch.cat([sender, self._marked[far[1]]])
            offsets = torch.cat([offsets, far[2]])
        key = receiver * len(wrapped) + sender
        if len(offsets) and not self._has_nearest_images_only(self.cutoffs.largest + skin):
            # Several images of one pair follow each other in the order of their translations.
            reach = int(offsets.abs().max())
            code = offsets.long() + reach
            base = 2 * reach + 1
            key = ((key * base + code[:, 0]) * base + code[:, 1]) * base + code[:, 2]
        order = _order(key)
        receiver, sender = receiver.index_select(0, order), sender.index_select(0, order)
        offsets = offsets.index_select(0, order).float()
        squares = self._squares_of(receiver, sender) if skin > 0.0 else None
        return _Found(receiver, sender, offsets, squares)

    def _within(
        self, wrapped: Float64[Tensor, "chosen 3"], sizes: tuple[int, ...], radius: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Receivers, senders, lattice translations and lengths of all pairs within a radius, in no order."""
        finder = vesin.torch.NeighborList(cutoff=radius, full_list=True)
        parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        start = 0
        for size, box, is_open in zip(sizes, self._cell, self._is_open, strict=True):
            if size == 0:
                continue
            receiver, sender, *rest = finder.compute(wrapped[start : start + size], box, not is_open, "ijSd")
            parts.append((receiver + start, sender + start, *rest) if start else (receiver, sender, *rest))
            start += size
        if len(parts) == 1:
            return parts[0]
        receiver, sender, offsets, lengths = (torch.cat(column) for column in zip(*parts, strict=True))
        return receiver, sender, offsets, lengths

    def _kind(self, receiver: Tensor, sender: Tensor) -> Int[Tensor, " pairs"]:
        """How many of each pair are marked."""
        return self._mark.index_select(0, receiver) + self._mark.index_select(0, sender)

    def _squares_of(self, receiver: Tensor, sender: Tensor) -> Float64[Tensor, "*pairs"]:
        """Squared cutoff of each pair, or of all of them."""
        if self.cutoffs.is_uniform:
            return self._squares[0]
        return self._squares.index_select(0, self._kind(receiver, sender))

    def _has_nearest_images_only(self, cutoff: float) -> bool:
        reach = cutoff if math.isfinite(cutoff) else 0.0
        return self._lowest_height > 2.0 * reach * (1.0 + 1e-6)

    def _shifts(self, receiver: Tensor, sender: Tensor, offsets: Tensor, search: _Search) -> Float64[Tensor, "pairs 3"]:
        images = search.images.index_select(0, receiver) - search.images.index_select(0, sender)
        return self._translations(offsets + images, receiver)

    def _translations(self, numbers: Tensor, particle: Tensor) -> Float64[Tensor, "pairs 3"]:
        """Lattice translations of pairs."""
        if self._one_cell:
            return numbers.double() @ self._cell[0]
        rows = self._cell.index_select(0, self._graph.index_select(0, particle))
        return (numbers[:, :, None] * rows).sum(dim=1)

    def _lattice(self, vectors: Tensor, matrix: Tensor) -> Float64[Tensor, "particles 3"]:
        """Vectors of all particles times the matrix of their system."""
        if self._one_cell:
            return vectors @ matrix[0]
        return (vectors[:, :, None] * matrix.index_select(0, self._graph)).sum(dim=1)

    def _looks_at_all(self, skin: float) -> bool:
        """Whether all pairs are looked at: in small boxes where none has a second image within cutoff and skin."""
        return self._has_small_boxes and self._has_nearest_images_only(self.cutoffs.largest + skin)

    def _within_boxes(self, positions: Tensor, skin: float) -> tuple[Tensor, Tensor, Tensor]:
        """Senders, receivers and lattice translations of the pairs of all boxes, in order."""
        if skin not in self._boxes:
            squares = (self._squares.sqrt() + skin).square()
            self._boxes[skin] = SmallBoxes(self._cell.diagonal(dim1=-2, dim2=-1), self.sizes, squares, self._mark)
        return self._boxes[skin].within(positions)


def neighbor_pairs(
    positions: Float[Tensor, "particles 3"], sizes: tuple[int, ...], cell: Float[Tensor, "graphs 3 3"], cutoff: float
) -> NeighborPairs:
    """Find all pairs closer than the cutoff in one configuration; see :class:`NeighborSearch`."""
    return NeighborSearch(sizes, cell, Cutoffs.of(cutoff), 0.0).pairs(positions)


def _order(key: Int[Tensor, " pairs"]) -> Int[Tensor, " pairs"]:
    """Places of different numbers in ascending order; numpy finds them three times as fast as torch on a CPU."""
    return torch.from_numpy(np.argsort(key.numpy())) if key.device.type == "cpu" else key.argsort()
