"""Noise and rotations that training adds to its windows."""

import math

import torch

from cgsim.typing import Float, Int, Tensor


def log_uniform(
    n: int, smallest: float, largest: float, generator: torch.Generator, device: torch.device
) -> Float[Tensor, " graphs"]:
    """Noise levels drawn evenly in their logarithm."""
    uniform = torch.rand(n, generator=generator, device=device)
    return smallest * (largest / smallest) ** uniform


def log_spaced(
    n: int, smallest: float, largest: float, n_levels: int, generator: torch.Generator, device: torch.device
) -> Float[Tensor, " graphs"]:
    """Noise levels drawn from ``n_levels`` fixed ones (Fu et al. 2023: 10 or 20 from 0.1 to 0.01)."""
    exponents = torch.linspace(math.log(smallest), math.log(largest), n_levels, device=device)
    return exponents.exp()[torch.randint(n_levels, (n,), generator=generator, device=device)]


def random_rotations(n: int, generator: torch.Generator, device: torch.device) -> Float[Tensor, "graphs 3 3"]:
    """Rotations drawn from the Haar measure: unit quaternions from four normal numbers (Shoemake 1992)."""
    quaternion = torch.randn(n, 4, generator=generator, device=device)
    w, x, y, z = (quaternion / quaternion.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).view(n, 3, 3)


def class_weights(bead_class: Int[Tensor, " beads"], n_classes: int, balance: float) -> Float[Tensor, " beads"]:
    """Weight of each bead; all weights sum to 1.

    Args:
        bead_class: [beads].
        n_classes: number of classes.
        balance: 0 weighs all beads alike, 1 gives every class present the same total; a class of n beads has a total
            proportional to ``n ** (1 - balance)``.
    """
    counts = torch.bincount(bead_class, minlength=n_classes).to(torch.get_default_dtype())
    weights = counts[bead_class] ** -balance
    return weights / weights.sum()
