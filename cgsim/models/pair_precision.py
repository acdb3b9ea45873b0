"""A sparse positive definite matrix on the graph of a system, a sum over pairs of beads, and equations with it.

See :mod:`cgsim.models.gaussian` for what it stands for.
"""

import warnings
from dataclasses import dataclass

import torch

from cgsim.typing import Float, Inexact, Int, Tensor

TOLERANCE = 1e-4  # of the residual, relative to that of zero, in the norm of the preconditioner
MOST_ITERATIONS = 1000  # some tens are enough unless something is not a number
CHECKED_EVERY = {"cpu": 1, "cuda": 8}  # iterations; on a GPU a look at the residual waits for all that came before


@dataclass(frozen=True)
class PairPrecision:
    """Pair part of B.

    Attributes:
        pair_index: [2, pairs], each unordered pair once.
        directions: [pairs, 3], unit vectors.
        along: [pairs], weight of relative displacements along the pair; >= 0.
        across: [pairs], weight of relative displacements across it; >= 0.
    """

    pair_index: Int[Tensor, "2 pairs"]
    directions: Float[Tensor, "pairs 3"]
    along: Float[Tensor, " pairs"]
    across: Float[Tensor, " pairs"]

    def blocks(self, power: float = 1.0) -> Float[Tensor, "pairs 3 3"]:
        """P_ij to some power."""
        outer = self.directions[:, :, None] * self.directions[:, None, :]
        across = self.across.pow(power)[:, None, None]
        identity = torch.eye(3, dtype=outer.dtype, device=outer.device)
        return across * identity + (self.along.pow(power)[:, None, None] - across) * outer

    @torch.no_grad()
    def matrix(self, kappa: Float[Tensor, " beads"]) -> Tensor:
        """B as a sparse matrix of 3 beads x 3 beads, in compressed rows.

        Args:
            kappa: diagonal part.
        """
        n, (i, j), blocks = len(kappa), self.pair_index, self.blocks()
        beads = torch.arange(n, device=kappa.device)
        own = torch.diag_embed(kappa[:, None].expand(-1, 3)).index_add(0, i, blocks).index_add(0, j, blocks)
        keys = torch.cat([beads * n + beads, i * n + j, j * n + i])
        keys, which = torch.unique(keys, return_inverse=True)  # two images of one pair are one block
        merged = blocks.new_zeros(len(keys), 3, 3).index_add(0, which, torch.cat([own, -blocks, -blocks]))
        row, column = keys // n, keys % n
        n_blocks = torch.bincount(row, minlength=n)
        first = torch.cumsum(n_blocks, 0) - n_blocks
        axis = torch.arange(3, device=kappa.device)
        corner = 9 * first[row] + 3 * (torch.arange(len(keys), device=kappa.device) - first[row])
        place = corner[:, None, None] + (3 * n_blocks[row])[:, None, None] * axis[:, None] + axis
        values = torch.empty_like(merged).view(-1).index_copy(0, place.view(-1), merged.view(-1))
        columns = (3 * column[:, None, None] + axis).expand(-1, 3, 3).reshape(-1)
        columns = torch.empty_like(columns).index_copy(0, place.view(-1), columns)
        ends = torch.cumsum((3 * n_blocks).repeat_interleave(3), 0)
        starts = torch.cat([ends.new_zeros(1), ends])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
            size = (3 * n, 3 * n)
            return torch.sparse_csr_tensor(starts.int(), columns.int(), values, size, check_invariants=True)

    def apply(self, vectors: Float[Tensor, "beads 3"]) -> Float[Tensor, "beads 3"]:
        """Pair part of B times a vector, without the matrix."""
        i, j = self.pair_index
        difference = vectors[i] - vectors[j]
        along = (difference * self.directions).sum(-1, keepdim=True) * self.directions
        pull = self.across[:, None] * (difference - along) + self.along[:, None] * along
        return torch.zeros_like(vectors).index_add(0, i, pull).index_add(0, j, -pull)


@torch.no_grad()
def solve(
    matrix: Tensor,
    shift: Inexact[Tensor, " beads"] | None,
    diagonal: Inexact[Tensor, " beads"],
    target: Float[Tensor, "beads 3"],
    graph: Int[Tensor, " beads"],
    n_graphs: int,
) -> Inexact[Tensor, "beads 3"]:
    """Solve (matrix + shift) x = target by conjugate gradients, preconditioned by about the diagonal of the sum.

    The algorithm is that of Hestenes and Stiefel (1952). Of a complex shift the sum is symmetric, not Hermitian; the
    same recurrence with products that are not conjugated solves it (van der Vorst and Melissen, IEEE Trans. Magn. 26,
    706 (1990)). Each system goes at its own pace: one that has converged stands still, so that it gets the same x
    whatever else is in the batch.

    Args:
        matrix: [3 beads, 3 beads], real, symmetric and positive definite.
        shift: [beads], real and not negative, or imaginary; none is zero.
        diagonal: [beads], about that of the sum, one number for each bead.
        target: right-hand sides.
        graph: system of each bead.
        n_graphs: how many systems.

    Returns:
        x, [beads, 3], complex if the shift is, without gradients; not a number where the target is not.
    """
    coordinate = graph.repeat_interleave(3)
    inverse = diagonal.reciprocal().repeat_interleave(3)
    added = None if shift is None else shift.repeat_interleave(3)
    zeros = diagonal.new_zeros(n_graphs)

    def apply(vectors: Tensor) -> Tensor:
        if vectors.is_complex():
            image = torch.view_as_complex((matrix @ torch.view_as_real(vectors)).contiguous())
        else:
            image = matrix @ vectors
        return image if added is None else torch.addcmul(image, added, vectors)

    def sums(products: Tensor) -> Tensor:
        return products.new_zeros(n_graphs).index_add(0, coordinate, products)

    def overlap_and_size(products: Tensor) -> tuple[Tensor, Tensor]:
        overlap = sums(products)
        return overlap, sums(products.abs()) if overlap.is_complex() else overlap

    residual = target.reshape(-1).to(diagonal.dtype)
    x = torch.zeros_like(residual)
    direction = preconditioned = residual * inverse
    overlap, size = overlap_and_size(residual * preconditioned)
    stop = TOLERANCE**2 * size
    every = CHECKED_EVERY.get(target.device.type, CHECKED_EVERY["cuda"])
    for iteration in range(MOST_ITERATIONS):
        moving = ~(size <= stop)  # what is not a number stays so, and is seen
        if iteration % every == 0 and not bool(moving.any()):
            break
        image = apply(direction)
        step = torch.where(moving, overlap / sums(direction * image), zeros)[coordinate]
        x = torch.addcmul(x, step, direction)
        residual = torch.addcmul(residual, step, image, value=-1.0)
        preconditioned = residual * inverse
        previous = overlap
        overlap, size = overlap_and_size(residual * preconditioned)
        turned = torch.where(moving, overlap / previous, zeros)[coordinate]
        direction = torch.addcmul(preconditioned, turned, direction)
    return x.view_as(target)
