"""Wrapping, unwrapping and minimum images in any triclinic cell, on torch tensors.

A cell is a [3, 3] matrix whose rows are lattice vectors. A cell of zeros stands for open boundaries: every function
then leaves vectors as they are, so callers need no second path.
"""

import itertools
from functools import lru_cache

import torch

from cgsim.typing import Float, Int32, Tensor


def inverse_cell(cell: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Invert each cell; open boundaries (zero rows) give zeros, so that no image is ever found in them."""
    is_open = (cell == 0).all(dim=-1).all(dim=-1)[..., None, None]
    identity = torch.eye(3, dtype=cell.dtype, device=cell.device)
    inverse: Tensor = torch.linalg.inv(torch.where(is_open, identity, cell))
    return torch.where(is_open, torch.zeros_like(inverse), inverse)


def wrap(
    positions: Float[Tensor, "*batch particles 3"], cell: Float[Tensor, "*batch 3 3"]
) -> tuple[Float[Tensor, "*batch particles 3"], Int32[Tensor, "*batch particles 3"]]:
    """Bring positions into the cell.

    Returns:
        Wrapped positions and image flags with ``positions = wrapped + image_flags @ cell``. Wrapping wrapped positions
        changes nothing: a particle that rounding leaves on the upper face stays where it is with the image it has.
    """
    images = torch.floor(positions @ inverse_cell(cell))
    wrapped = positions - images @ cell
    # Rounding can put a particle just below 0 exactly onto the far face; one more pass makes wrap idempotent.
    second = torch.floor(wrapped @ inverse_cell(cell))
    wrapped = wrapped - second @ cell
    return wrapped, (images + second).to(torch.int32)


def minimum_image(
    vectors: Float[Tensor, "*batch pairs 3"], cell: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch pairs 3"]:
    """Return the shortest periodic image of each vector; exact for every cell, also for strongly skewed ones.

    Rounding fractional coordinates alone is wrong in skewed cells (Tuckerman, Statistical Mechanics, App. B). So the
    basis is reduced first, and after rounding the 26 surrounding images are compared as well, which is enough in a
    reduced basis of three dimensions (Nguyen and Stehlé, ACM Trans. Algorithms 5, 46 (2009)). In an orthorhombic cell
    rounding is exact.
    """
    off_diagonal = cell - torch.diag_embed(torch.diagonal(cell, dim1=-2, dim2=-1))
    if not bool(off_diagonal.any()):
        return vectors - torch.round(vectors @ inverse_cell(cell)) @ cell
    reduced = reduce_cell(cell)
    rounded = vectors - torch.round(vectors @ inverse_cell(reduced)) @ reduced
    offsets = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)), dtype=cell.dtype, device=cell.device)
    best, best_length = rounded, rounded.square().sum(-1)
    for offset in offsets:
        candidate = rounded + (offset @ reduced).unsqueeze(-2)
        length = candidate.square().sum(-1)
        closer = length < best_length
        best = torch.where(closer[..., None], candidate, best)
        best_length = torch.where(closer, length, best_length)
    return best


def reduce_cell(cell: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the shortest lattice vectors that span the same lattice (Minkowski reduction); open cells stay open."""
    flat = cell.detach().reshape(-1, 9).double().cpu().tolist()
    changes = torch.tensor([_reduction(tuple(row)) for row in flat], dtype=cell.dtype, device=cell.device)
    return changes.reshape(cell.shape) @ cell


@lru_cache(maxsize=256)
def _reduction(rows: tuple[float, ...]) -> list[list[float]]:
    """Find the integers that make a reduced basis of a cell: the greedy algorithm of Nguyen and Stehlé (2009), Fig. 5.

    The two shortest vectors are reduced as Gauss does; the third is shortened by the nearest vector of their plane;
    this repeats until the third is the longest.
    """
    cell = torch.tensor(rows, dtype=torch.float64).reshape(3, 3)
    change = torch.eye(3, dtype=torch.float64)
    if not bool(cell.any()):
        return change.tolist()
    near = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=2)), dtype=torch.float64)
    for _ in range(1000):  # each round shortens a vector; a few are enough unless the cell is degenerate
        change = change[torch.argsort((change @ cell).norm(dim=-1), stable=True)]
        a, b, c = change @ cell
        if (multiple := torch.round((a @ b) / (a @ a))) != 0:
            change[1] -= multiple * change[0]
            continue
        plane = torch.stack([a, b])
        coefficients = torch.round(torch.linalg.solve(plane @ plane.T, plane @ c)) + near
        candidates = c - coefficients @ plane
        best = int(candidates.norm(dim=-1).argmin())
        if not candidates[best].norm() < c.norm() * (1 - 1e-12):
            break
        change[2] -= coefficients[best] @ change[:2]
    return change.tolist()


def unwrap_step(
    previous: Float[Tensor, "*batch particles 3"],
    positions: Float[Tensor, "*batch particles 3"],
    cell: Float[Tensor, "*batch 3 3"],
) -> Float[Tensor, "*batch particles 3"]:
    """Return the image of ``positions`` nearest to ``previous``: exact if nothing moved further than half the cell."""
    return previous + minimum_image(positions - previous, cell)
