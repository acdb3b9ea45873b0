import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gaussians import explicit_precision, random_gaussian
from hypothesis import given, settings
from hypothesis import strategies as st

from cgsim.models import gaussian as module
from cgsim.models.gaussian import GaussianDisplacement
from cgsim.models.pair_precision import PairPrecision

SEEDS = {"seed": st.integers(0, 2**32 - 1)}
BATCHES = {
    "sizes": st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple),
    "alpha": st.sampled_from([1, 2]),
    **SEEDS,
}


@given(**BATCHES)
@settings(max_examples=25, deadline=None)
def test_dense_precision_is_its_definition_and_positive_definite(sizes, alpha, seed):
    gaussian = random_gaussian(sizes, seed, alpha=alpha)
    expected, dense = explicit_precision(gaussian), gaussian.dense_precision()
    start, largest = 0, 3 * max(sizes)
    for k, size in enumerate(sizes):
        own = slice(start, start + 3 * size)
        torch.testing.assert_close(dense[k, : 3 * size, : 3 * size], expected[own, own])
        padding = dense[k].clone()
        padding[: 3 * size, : 3 * size] = torch.eye(3 * size)
        torch.testing.assert_close(padding, torch.eye(largest, dtype=torch.float64))
        start += 3 * size
    # The pair part is positive semidefinite, so no eigenvalue lies below the smallest lambda.
    assert torch.linalg.eigvalsh(dense).min() > min(1.0, float(gaussian.precision.min())) - 1e-9


@given(**BATCHES)
@settings(max_examples=25, deadline=None)
def test_log_density_is_that_of_the_dense_normal(sizes, alpha, seed):
    gaussian = random_gaussian(sizes, seed, alpha=alpha)
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(sum(sizes), 3)))
    matrix = explicit_precision(gaussian)
    start = 0
    for size, found in zip(sizes, gaussian.log_prob(x), strict=True):
        own = slice(start, start + size)
        flat = slice(3 * start, 3 * (start + size))
        normal = torch.distributions.MultivariateNormal(gaussian.mean[own].ravel(), precision_matrix=matrix[flat, flat])
        torch.testing.assert_close(found, normal.log_prob(x[own].ravel()))
        start += size


@given(n_pairs=st.sampled_from([0, 12]), **BATCHES)
@settings(max_examples=25, deadline=None)
def test_density_of_systems_that_do_not_move_as_a_whole_is_that_of_draws_without_their_drift(
    n_pairs, sizes, alpha, seed
):
    gaussian = random_gaussian((1, *sizes), seed, n_pairs, alpha, held=(False, *(True for _ in sizes)))
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(1 + sum(sizes), 3)))
    matrix = explicit_precision(gaussian)
    start = 0
    for size, found in zip(gaussian.sizes, gaussian.log_prob(x), strict=True):
        own = slice(start, start + size)
        flat = slice(3 * start, 3 * (start + size))
        covariance, away = torch.linalg.inv(matrix[flat, flat]), (x - gaussian.mean)[own].ravel()
        expected = 0.0
        if start > 0:
            # Coordinates that shifts of all beads alike leave alone: an orthonormal basis of differences of beads. The
            # measure of the shift itself is length of one bead, so that of all along the unit vector counts sqrt(n).
            basis = torch.linalg.svd(torch.ones(1, size, dtype=torch.float64)).Vh[1:].contiguous()
            basis = torch.kron(basis, torch.eye(3, dtype=torch.float64))
            covariance, away, expected = basis @ covariance @ basis.T, basis @ away, -1.5 * math.log(size)
        if len(away):
            covariance = (covariance + covariance.T) / 2
            normal = torch.distributions.MultivariateNormal(torch.zeros(len(away), dtype=torch.float64), covariance)
            expected += float(normal.log_prob(away))
        torch.testing.assert_close(float(found), expected, rtol=1e-7, atol=1e-7)
        start += size
    shifted = x + torch.from_numpy(rng.normal(size=3))
    torch.testing.assert_close(gaussian.log_prob(shifted)[1:], gaussian.log_prob(x)[1:])


@given(**BATCHES)
@settings(max_examples=25, deadline=None)
def test_conditional_density_is_that_of_the_dense_normal_given_all_other_beads(sizes, alpha, seed):
    gaussian = random_gaussian(sizes, seed, alpha=alpha)
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(sum(sizes), 3)))
    covariance = torch.linalg.inv(explicit_precision(gaussian))
    found = gaussian.conditional_log_prob(x)
    for bead in range(sum(sizes)):
        own = torch.zeros(3 * sum(sizes), dtype=torch.bool)
        own[3 * bead : 3 * bead + 3] = True
        # Textbook conditioning on blocks of the covariance (Bishop 2006, eq. 2.81 and 2.82).
        gain = covariance[own][:, ~own] @ torch.linalg.inv(covariance[~own][:, ~own])
        residual = (x - gaussian.mean).ravel()
        mean = gaussian.mean[bead] + gain @ residual[~own]
        spread = covariance[own][:, own] - gain @ covariance[~own][:, own]
        normal = torch.distributions.MultivariateNormal(mean, (spread + spread.T) / 2)
        torch.testing.assert_close(found[bead], normal.log_prob(x[bead]))


def test_independent_beads_are_a_product_of_normals():
    coupled = random_gaussian((3, 4), seed=0)
    pairs = coupled.pairs
    no_pairs = PairPrecision(pairs.pair_index[:, :0], pairs.directions[:0], pairs.along[:0], pairs.across[:0])
    gaussian = replace(coupled, pairs=no_pairs)
    assert gaussian.is_independent
    assert not coupled.is_independent
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    normal = torch.distributions.Normal(gaussian.mean, gaussian.precision.rsqrt()[:, None])
    each = normal.log_prob(x).sum(-1)
    torch.testing.assert_close(gaussian.log_prob(x), torch.stack([each[:3].sum(), each[3:].sum()]))
    torch.testing.assert_close(gaussian.conditional_log_prob(x), each)


def test_pairs_of_no_weight_leave_beads_independent():
    coupled = random_gaussian((5,), seed=0)
    nothing = torch.zeros_like(coupled.pairs.along)
    pairs = PairPrecision(coupled.pairs.pair_index, coupled.pairs.directions, nothing, nothing)
    gaussian = replace(coupled, pairs=pairs)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    normal = torch.distributions.Normal(gaussian.mean, gaussian.precision.rsqrt()[:, None])
    torch.testing.assert_close(gaussian.log_prob(x).sum(), normal.log_prob(x).sum())


def draws(gaussian: GaussianDisplacement, n: int, seed: int) -> torch.Tensor:
    """So many independent samples, drawn as one batch of copies side by side: [draws, beads, 3]."""
    n_beads = len(gaussian.mean)
    starts = n_beads * torch.arange(n)
    pairs = PairPrecision(
        (gaussian.pairs.pair_index[:, None] + starts[:, None]).flatten(1),
        gaussian.pairs.directions.repeat(n, 1),
        gaussian.pairs.along.repeat(n),
        gaussian.pairs.across.repeat(n),
    )
    copies = GaussianDisplacement(
        gaussian.mean.repeat(n, 1),
        gaussian.precision.repeat(n),
        pairs,
        gaussian.sizes * n,
        gaussian.is_held.repeat(n),
        gaussian.alpha,
    )
    return copies.sample(torch.Generator().manual_seed(seed)).view(n, n_beads, 3)


@pytest.mark.parametrize("alpha", [1, 2])
@pytest.mark.parametrize("path", ["independent", "cholesky", "solve"])
def test_samples_have_the_mean_and_covariance_of_the_density(path, alpha, monkeypatch):
    if path == "solve":
        monkeypatch.setattr(module, "LARGEST_DENSE_SYSTEM", 0)
        monkeypatch.setattr(GaussianDisplacement, "_dense", None)
    if path == "cholesky":
        monkeypatch.setattr(GaussianDisplacement, "_sample_by_solving", None)
    gaussian = random_gaussian((4, 2), seed=3, n_pairs=0 if path == "independent" else 5, alpha=alpha)
    n = 20_000
    samples = draws(gaussian, n, seed=1).flatten(1)
    covariance = torch.linalg.inv(explicit_precision(gaussian))
    spread = covariance.diagonal().sqrt()
    # The mean of n draws errs by sigma / sqrt(n); a covariance by sqrt((C_ii C_jj + C_ij^2) / n) (Wishart). 18 means
    # and 171 covariances: 4.5 sigma are exceeded once in 800 seeds.
    error = (samples.mean(0) - gaussian.mean.ravel()) / (spread / math.sqrt(n))
    assert error.abs().max() < 4.5
    expected_error = ((spread[:, None] * spread).square() + covariance.square()).div(n).sqrt()
    deviation = (torch.cov(samples.T) - covariance) / expected_error
    assert deviation.abs().max() < 4.5


def test_perturbation_solves_large_systems_as_exactly_as_cholesky():
    # Same equations, so same residual: Lambda x must equal the perturbed right-hand side to the solver's tolerance.
    gaussian = random_gaussian((60,), seed=5, n_pairs=300)
    x = gaussian._sample_by_solving(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    i, j = gaussian.pairs.pair_index
    own = gaussian.precision.sqrt()[:, None] * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    kicks = torch.randn(len(i), 3, generator=generator, dtype=torch.float64)
    kicks = torch.einsum("pxy,py->px", gaussian.pairs.blocks(0.5), kicks)
    target = own.index_add(0, i, kicks).index_add(0, j, -kicks)
    exact = torch.linalg.solve(explicit_precision(gaussian), target.ravel()).view(-1, 3)
    # Residual below 1e-4 in the preconditioned norm; the condition number of a few hundred allows 1e-2 in x.
    assert (x - exact).norm() < 1e-2 * exact.norm()


def test_batch_of_two_draws_each_system_with_its_own_covariance():
    # A batch is block diagonal: nothing of one system enters the other, whatever their sizes.
    gaussian = random_gaussian((2, 5), seed=9)
    samples = draws(gaussian, 20_000, seed=0)
    correlation = torch.corrcoef(samples.flatten(1).T)[:6, 6:]
    # 90 correlations with error 1/sqrt(20000): below 4.5 sigma.
    assert correlation.abs().max() < 4.5 / math.sqrt(20_000)


@pytest.mark.parametrize(("n_pairs", "alpha"), [(0, 1), (12, 1), (0, 2), (12, 2)])
def test_posterior_mean_is_bayes_rule_with_the_explicit_matrices(n_pairs, alpha):
    gaussian = random_gaussian((5, 1, 3), seed=4, n_pairs=n_pairs, alpha=alpha)
    rng = np.random.default_rng(0)
    noised = torch.from_numpy(rng.normal(scale=2.0, size=(9, 3)))
    level = torch.from_numpy(rng.uniform(0.05, 5.0, size=3))
    confidence = torch.diag(level.pow(-2).repeat_interleave(torch.tensor([15, 3, 9])))
    away = (noised - gaussian.mean).ravel()
    exact = gaussian.mean + torch.linalg.solve(explicit_precision(gaussian) + confidence, confidence @ away).view(-1, 3)
    torch.testing.assert_close(gaussian.posterior_mean(noised, level), exact, rtol=0, atol=2e-3)


def test_posterior_mean_is_the_noised_at_no_noise_and_the_mean_at_infinite_noise():
    gaussian = random_gaussian((4, 3), seed=6)
    noised = gaussian.mean + 1.0
    for level, expected in ((1e-4, noised), (1e5, gaussian.mean)):
        found = gaussian.posterior_mean(noised, torch.full((2,), level, dtype=torch.float64))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_posterior_mean_of_a_system_does_not_depend_on_what_else_is_in_the_batch():
    alone = random_gaussian((6,), seed=7)
    stiff = random_gaussian((9,), seed=8, n_pairs=30)
    pairs = PairPrecision(
        torch.cat([alone.pairs.pair_index, stiff.pairs.pair_index + 6], dim=1),
        torch.cat([alone.pairs.directions, stiff.pairs.directions]),
        torch.cat([alone.pairs.along, 50.0 * stiff.pairs.along]),
        torch.cat([alone.pairs.across, 50.0 * stiff.pairs.across]),
    )
    together = GaussianDisplacement(
        torch.cat([alone.mean, stiff.mean]),
        torch.cat([alone.precision, stiff.precision]),
        pairs,
        (6, 9),
        torch.cat([alone.is_held, stiff.is_held]),
    )
    noised = torch.randn(15, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    level = torch.full((2,), 2.0, dtype=torch.float64)
    found = together.posterior_mean(noised, level)[:6]
    torch.testing.assert_close(found, alone.posterior_mean(noised[:6], level[:1]), rtol=1e-12, atol=1e-12)


def test_no_noise_to_remove_is_a_solution_too():
    gaussian = random_gaussian((4, 3), seed=6)
    level = torch.ones(2, dtype=torch.float64)
    torch.testing.assert_close(gaussian.posterior_mean(gaussian.mean, level), gaussian.mean)


@pytest.mark.parametrize(("alpha", "held"), [(1, (False, True)), (2, (True, False))])
def test_gradient_is_that_of_finite_differences(alpha, held):
    gaussian = random_gaussian((2, 4), seed=2, alpha=alpha, held=held)
    leaves = [gaussian.mean, gaussian.precision, gaussian.pairs.along, gaussian.pairs.across]
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def log_prob(mean, precision, along, across):
        pairs = PairPrecision(gaussian.pairs.pair_index, gaussian.pairs.directions, along, across)
        return replace(gaussian, mean=mean, precision=precision, pairs=pairs).log_prob(x)

    assert torch.autograd.gradcheck(log_prob, [leaf.clone().requires_grad_(True) for leaf in leaves])
