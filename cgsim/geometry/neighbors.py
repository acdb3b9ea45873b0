"""Neighbour pairs of a batch of systems: all pairs without a cell, vesin's cell list in a periodic one."""

import math
from dataclasses import dataclass

import torch
import vesin.torch

from cgsim.geometry.periodic import wrap
from cgsim.typing import Float, Int, Tensor


@dataclass(frozen=True)
class NeighborPairs:
    """Directed pairs within a cutoff; each unordered pair appears in both directions.

    Attributes:
        sender: [pairs], index of the neighbour.
        receiver: [pairs], index of the particle that has the neighbour; ascending.
        shifts: [pairs, 3], length; ``positions[sender] + shifts - positions[receiver]`` is the pair's vector.
    """

    sender: Int[Tensor, " pairs"]
    receiver: Int[Tensor, " pairs"]
    shifts: Float[Tensor, "pairs 3"]


def neighbor_pairs(
    positions: Float[Tensor, "particles 3"], sizes: tuple[int, ...], cell: Float[Tensor, "graphs 3 3"], cutoff: float
) -> NeighborPairs:
    """Find all pairs closer than the cutoff inside each system of a batch, never between systems.

    Correct in any triclinic cell, for cutoffs beyond half the cell (a pair then appears once per image), for particles
    far outside the cell, and for a single particle. Systems without a cell may have an infinite cutoff.

    Args:
        positions: all systems' particles, one system after the other.
        sizes: number of particles of each system.
        cell: rows are lattice vectors; zeros for open boundaries.
        cutoff: length.
    """
    is_open = [bool(o) for o in (cell == 0).all(dim=-1).all(dim=-1).tolist()]
    if all(is_open):
        return _open_pairs(positions, sizes, cutoff)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    start = 0
    for size, box, without_cell in zip(sizes, cell, is_open, strict=True):
        local = positions[start : start + size]
        pairs = _open_pairs(local, (size,), cutoff) if without_cell else _periodic_pairs(local, box, cutoff)
        parts.append((pairs.sender + start, pairs.receiver + start, pairs.shifts))
        start += size
    return NeighborPairs(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _periodic_pairs(positions: Tensor, cell: Tensor, cutoff: float) -> NeighborPairs:
    double, box = positions.detach().double(), cell.double()
    wrapped, images = wrap(double, box)
    neighbors = vesin.torch.NeighborList(cutoff=cutoff, full_list=True)
    receiver, sender, offsets = neighbors.compute(wrapped, box, True, "ijS")
    receiver, order = receiver.sort(stable=True)
    sender, offsets = sender[order], offsets[order]
    shifts = (offsets.double() + images[receiver] - images[sender]) @ box
    return NeighborPairs(sender, receiver, shifts.to(positions.dtype))


def _open_pairs(positions: Tensor, sizes: tuple[int, ...], cutoff: float) -> NeighborPairs:
    device = positions.device
    size = torch.tensor(sizes, device=device)
    start = torch.cumsum(size, 0) - size
    graph = torch.repeat_interleave(torch.arange(len(sizes), device=device), size)
    n_partners = size[graph]
    receiver = torch.repeat_interleave(torch.arange(len(graph), device=device), n_partners)
    first = torch.cumsum(n_partners, 0) - n_partners
    sender = torch.arange(len(receiver), device=device) - first[receiver] + start[graph][receiver]
    keep = sender != receiver
    if math.isfinite(cutoff):
        distances = (positions[sender] - positions[receiver]).norm(dim=-1)
        keep &= distances < cutoff
    sender, receiver = sender[keep], receiver[keep]
    return NeighborPairs(sender, receiver, positions.new_zeros(len(sender), 3))
