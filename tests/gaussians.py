"""Gaussians of displacements drawn at random, and their precision written out, for the tests of both."""

import numpy as np
import torch

from cgsim.models.gaussian import GaussianDisplacement
from cgsim.models.pair_precision import PairPrecision


def random_gaussian(
    sizes: tuple[int, ...], seed: int, n_pairs: int = 12, alpha: int = 1, held: tuple[bool, ...] = ()
) -> GaussianDisplacement:
    """Pairs drawn at random inside each system; some of them twice, as two images of one pair would be."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    pairs = []
    for k, size in enumerate(sizes):
        start = sum(sizes[:k])
        chosen = rng.integers(0, size, size=(n_pairs, 2))
        pairs += [sorted(p) for p in (chosen[chosen[:, 0] != chosen[:, 1]] + start).tolist()]
    directions = rng.normal(size=(len(pairs), 3))
    mean = torch.from_numpy(rng.normal(size=(n, 3)))
    return GaussianDisplacement(
        mean=mean,
        precision=torch.from_numpy(rng.uniform(0.2, 3.0, size=n)),
        pairs=PairPrecision(
            torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T,
            torch.from_numpy(directions / np.linalg.norm(directions, axis=1, keepdims=True)),
            torch.from_numpy(rng.uniform(0.0, 4.0, size=len(pairs))),
            torch.from_numpy(rng.uniform(0.0, 4.0, size=len(pairs))),
        ),
        sizes=sizes,
        is_held=torch.tensor(held or [False] * len(sizes)),
        alpha=alpha,
    )


def explicit_precision(gaussian: GaussianDisplacement) -> torch.Tensor:
    """Lambda of a whole batch, written out from its definition."""
    n = len(gaussian.mean)
    matrix = torch.diag(gaussian.precision.pow(1.0 / gaussian.alpha).repeat_interleave(3))
    for k, (i, j) in enumerate(gaussian.pairs.pair_index.T.tolist()):
        u = gaussian.pairs.directions[k][:, None]
        block = gaussian.pairs.along[k] * u @ u.T + gaussian.pairs.across[k] * (torch.eye(3) - u @ u.T)
        difference = torch.zeros(3, 3 * n, dtype=torch.float64)
        difference[:, 3 * i : 3 * i + 3] = torch.eye(3)
        difference[:, 3 * j : 3 * j + 3] = -torch.eye(3)
        matrix += difference.T @ block @ difference
    return torch.linalg.matrix_power(matrix, gaussian.alpha)
