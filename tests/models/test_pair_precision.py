import numpy as np
import torch
from gaussians import explicit_precision, random_gaussian
from hypothesis import given, settings
from hypothesis import strategies as st

from cgsim.models.pair_precision import solve

SEEDS = {"seed": st.integers(0, 2**32 - 1)}
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


@given(sizes=SIZES, **SEEDS)
@settings(max_examples=25, deadline=None)
def test_applying_the_pairs_is_multiplying_with_the_matrix(sizes, seed):
    gaussian = random_gaussian(sizes, seed)
    vectors = torch.from_numpy(np.random.default_rng(seed).normal(size=(sum(sizes), 3)))
    applied = gaussian.precision[:, None] * vectors + gaussian.pairs.apply(vectors)
    exact = explicit_precision(gaussian) @ vectors.ravel()
    torch.testing.assert_close(applied.ravel(), exact)
    torch.testing.assert_close(gaussian.pairs.matrix(gaussian.precision) @ vectors.ravel(), exact)


def test_equations_of_different_difficulty_are_solved_side_by_side():
    matrix = explicit_precision(random_gaussian((4, 6), seed=1, alpha=2))
    target = torch.randn(10, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph = torch.tensor([0] * 4 + [1] * 6)
    diagonal = matrix.diagonal().view(10, 3).mean(dim=1)
    found = solve(lambda x: matrix @ x, diagonal, target, graph, 2)
    torch.testing.assert_close(matrix @ found.ravel(), target.ravel(), rtol=0, atol=2e-3)


def test_equations_that_are_not_numbers_end_and_show():
    target = torch.full((2, 3), float("nan"))
    found = solve(lambda x: x, torch.ones(2), target, torch.zeros(2, dtype=torch.int64), 1)
    assert found.isnan().all()


@given(power=st.sampled_from([0.5, 1.0, 2.0]), **SEEDS)
@settings(max_examples=15, deadline=None)
def test_powers_of_the_blocks_are_matrix_powers(power, seed):
    pairs = random_gaussian((4,), seed).pairs
    root = pairs.blocks(power)
    double = pairs.blocks(2.0 * power)
    torch.testing.assert_close(root @ root, double)
