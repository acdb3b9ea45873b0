"""Wrapping, unwrapping and minimum images in any triclinic cell, on torch tensors.

A cell is a [3, 3] matrix whose rows are lattice vectors. A cell of zeros stands for open boundaries: every function
then leaves vectors as they are, so callers need no second path.
"""

import itertools

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

    Rounding fractional coordinates alone is wrong in skewed cells (Tuckerman, Statistical Mechanics, App. B); after it
    the 26 surrounding images are compared as well unless the cell is orthorhombic, where rounding is exact.
    """
    rounded = vectors - torch.round(vectors @ inverse_cell(cell)) @ cell
    off_diagonal = cell - torch.diag_embed(torch.diagonal(cell, dim1=-2, dim2=-1))
    if not bool(off_diagonal.any()):
        return rounded
    offsets = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)), dtype=cell.dtype, device=cell.device)
    best, best_length = rounded, rounded.square().sum(-1)
    for offset in offsets:
        candidate = rounded + (offset @ cell).unsqueeze(-2)
        length = candidate.square().sum(-1)
        closer = length < best_length
        best = torch.where(closer[..., None], candidate, best)
        best_length = torch.where(closer, length, best_length)
    return best


def unwrap_step(
    previous: Float[Tensor, "*batch particles 3"],
    positions: Float[Tensor, "*batch particles 3"],
    cell: Float[Tensor, "*batch 3 3"],
) -> Float[Tensor, "*batch particles 3"]:
    """Return the image of ``positions`` nearest to ``previous``: exact if nothing moved further than half the cell."""
    return previous + minimum_image(positions - previous, cell)
