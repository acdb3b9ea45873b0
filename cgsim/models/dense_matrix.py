"""The matrices of :mod:`cgsim.models.gaussian` written out, one for each system of a batch, and their determinants."""

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from cgsim.typing import Float, Int, Tensor


def rows_of(sizes: tuple[int, ...], device: torch.device) -> Int[Tensor, " beads"]:
    """Row of each bead where every system has as many rows as the largest."""
    counts = torch.tensor(sizes, device=device)
    shift = max(sizes) * torch.arange(len(sizes), device=device) - (torch.cumsum(counts, 0) - counts)
    return torch.arange(sum(sizes), device=device) + torch.repeat_interleave(shift, counts)


def write_out(
    kappa: Float[Tensor, " beads"],
    blocks: Float[Tensor, "pairs 3 3"],
    pair_index: Int[Tensor, "2 pairs"],
    sizes: tuple[int, ...],
) -> Float[Tensor, "graphs coordinates coordinates"]:
    """``diag(kappa_i I_3) + sum over pairs (e_i - e_j)(e_i - e_j)^T (x) P_ij`` of each system, in double precision.

    Args:
        kappa: diagonal part.
        blocks: P_ij.
        pair_index: the beads of each pair.
        sizes: beads of each system; systems smaller than the largest are padded with the identity.
    """
    n_graphs, width = len(sizes), 3 * max(sizes)
    row = rows_of(sizes, kappa.device)
    first = 3 * width * row  # element of the whole where the three rows of a bead begin
    axis = torch.arange(3, device=kappa.device)
    corner = width * axis[:, None] + axis
    i, j = pair_index
    column = 3 * row % width
    elements = torch.cat([first[a] + column[b] for a, b in ((i, i), (j, j), (i, j), (j, i))])[:, None, None] + corner
    parts = blocks.double()
    values = torch.cat([parts, parts, -parts, -parts])
    dense = values.new_zeros(n_graphs * width * width).index_add(0, elements.view(-1), values.view(-1))
    own = values.new_ones(n_graphs * max(sizes)).index_copy(0, row, kappa.double())
    dense = dense.view(n_graphs, width, width)
    dense.diagonal(dim1=-2, dim2=-1).add_(own.repeat_interleave(3).view(n_graphs, width))
    return dense


def log_determinant(
    kappa: Float[Tensor, " beads"],
    blocks: Float[Tensor, "pairs 3 3"],
    pair_index: Int[Tensor, "2 pairs"],
    sizes: tuple[int, ...],
) -> Float[Tensor, " graphs"]:
    """Logarithm of the determinant of what :func:`write_out` writes out; same arguments.

    Raises:
        torch.linalg.LinAlgError: if a matrix is not positive definite.
    """
    apply: Callable[..., Tensor] = _LogDeterminant.apply
    return apply(kappa, blocks, pair_index, sizes)


class _LogDeterminant(torch.autograd.Function):
    """From the Cholesky factor; the gradient is the inverse (Petersen & Pedersen, The Matrix Cookbook, 2012, eq. 57).

    Of the inverse only the blocks on the graph are looked at. Going back through the factor itself would take six times
    the work of the factor, the inverse takes twice.
    """

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, blocks: Tensor, pair_index: Tensor, sizes: tuple[int, ...]) -> Tensor:
        factor = torch.linalg.cholesky(write_out(kappa, blocks, pair_index, sizes))
        ctx.save_for_backward(factor, pair_index)
        ctx.sizes, ctx.dtype = sizes, kappa.dtype
        return (2.0 * torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(-1)).to(kappa.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        factor, (i, j) = ctx.saved_tensors
        sizes, largest = ctx.sizes, max(ctx.sizes)
        inverse = torch.cholesky_inverse(factor).view(len(sizes), largest, 3, largest, 3)
        row = rows_of(sizes, factor.device)
        graph, place = row // largest, row % largest
        own = inverse[graph, place, :, place]
        of_bead = gradient.double()[graph]
        across = inverse[graph[i], place[i], :, place[j]]
        in_pairs = own[i] + own[j] - across - across.mT
        kappa = of_bead * torch.diagonal(own, dim1=-2, dim2=-1).sum(-1)
        return kappa.to(ctx.dtype), (of_bead[i, None, None] * in_pairs).to(ctx.dtype), None, None
