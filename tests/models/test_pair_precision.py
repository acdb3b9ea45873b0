import numpy as np
import pytest
import torch
from gaussians import explicit_precision, random_gaussian
from hypothesis import given, settings
from hypothesis import strategies as st

import cgsim.models.pair_precision as module
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


def equations(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A matrix of two systems, a shift and right-hand sides."""
    matrix = explicit_precision(random_gaussian((4, 6), seed=1, alpha=2))
    numbers = torch.tensor([0.3] * 4 + [40.0] * 6, dtype=torch.float64)
    shift = torch.complex(torch.zeros_like(numbers), -numbers) if dtype.is_complex else numbers
    return matrix, shift, torch.randn(10, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


GRAPH = torch.tensor([0] * 4 + [1] * 6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_equations_of_different_difficulty_are_solved_side_by_side(dtype):
    matrix, shift, target = equations(dtype)
    diagonal = matrix.diagonal().view(10, 3).mean(dim=1) + shift
    found = solve(matrix, shift, diagonal, target, GRAPH, 2)
    assert found.dtype == dtype
    whole = matrix.to(dtype) + torch.diag(shift.repeat_interleave(3))
    torch.testing.assert_close(whole @ found.ravel(), target.ravel().to(dtype), rtol=0, atol=2e-3)


def test_complex_equations_need_fewer_iterations_than_those_of_the_square(monkeypatch):
    """The condition number of ``B - i s`` is about the root of that of ``B^2 + s^2``; both give the same posterior."""
    matrix, _, target = equations(torch.float64)
    square, s = matrix @ matrix, torch.full((10,), 0.05, dtype=torch.float64)
    exact = torch.linalg.solve(square + 0.05**2 * torch.eye(30, dtype=torch.float64), target.ravel()).view(10, 3)

    def errors(iterations: int) -> tuple[float, float]:
        monkeypatch.setattr(module, "MOST_ITERATIONS", iterations)
        plain = solve(square, s**2, square.diagonal().view(10, 3).mean(dim=1) + s**2, target, GRAPH, 2)
        shift = torch.complex(torch.zeros_like(s), -s)
        diagonal = matrix.diagonal().view(10, 3).mean(dim=1) + shift
        rotated = solve(matrix, shift, diagonal, target / 0.05, GRAPH, 2).imag
        return tuple(float((found - exact).norm() / exact.norm()) for found in (plain, rotated))

    plain, rotated = errors(1000)
    assert plain < 1e-3
    assert rotated < 1e-3
    plain, rotated = errors(12)
    assert rotated < 1e-2 < plain


def test_equations_that_are_not_numbers_end_and_show():
    target = torch.full((2, 3), float("nan"))
    found = solve(torch.eye(6), None, torch.ones(2), target, torch.zeros(2, dtype=torch.int64), 1)
    assert found.isnan().all()


@given(power=st.sampled_from([0.5, 1.0, 2.0]), **SEEDS)
@settings(max_examples=15, deadline=None)
def test_powers_of_the_blocks_are_matrix_powers(power, seed):
    pairs = random_gaussian((4,), seed).pairs
    root = pairs.blocks(power)
    double = pairs.blocks(2.0 * power)
    torch.testing.assert_close(root @ root, double)
