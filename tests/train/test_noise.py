import math

import pytest
import torch

from cgsim.train.module import epoch_order
from cgsim.train.noise import class_weights, log_spaced, log_uniform, random_rotations

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_random_rotations_are_orthogonal_with_determinant_one():
    rotations = random_rotations(1000, generator(), CPU).double()
    identity = torch.eye(3, dtype=torch.float64).expand(1000, 3, 3)
    # Products of float32 numbers of order 1.
    torch.testing.assert_close(rotations @ rotations.mT, identity, atol=2e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(1000).double(), atol=3e-6, rtol=0)


def test_random_rotations_prefer_no_direction():
    n = 20_000
    rotations = random_rotations(n, generator(), CPU).double()
    # Under the Haar measure an entry has mean 0, variance 1/3 and fourth moment 1/5; 4.5 standard errors.
    assert rotations.mean(0).abs().max() < 4.5 * (1.0 / 3.0 / n) ** 0.5
    assert (rotations.square().mean(0) - 1.0 / 3.0).abs().max() < 4.5 * ((1.0 / 5.0 - 1.0 / 9.0) / n) ** 0.5
    # The angle has the density (1 - cos a) / pi: the trace 1 + 2 cos a has mean 0 and variance 1.
    trace = rotations.diagonal(dim1=1, dim2=2).sum(-1)
    assert abs(float(trace.mean())) < 4.5 / n**0.5


def test_log_uniform_levels_are_even_in_their_logarithm():
    n = 10_000
    levels = log_uniform(n, 0.01, 10.0, generator(), CPU)
    assert levels.min() >= 0.01
    assert levels.max() <= 10.0
    place = ((levels / 0.01).log() / math.log(1000.0)).sort().values
    # Kolmogorov distance of n uniform numbers stays below 1.95 / sqrt(n) 999 times in 1000.
    assert (place - (torch.arange(n) + 0.5) / n).abs().max() < 1.95 / n**0.5


def test_log_spaced_levels_are_the_fixed_ones_and_no_others():
    levels = log_spaced(1000, 0.01, 0.1, 3, generator(), CPU)
    expected = torch.tensor([0.01, 0.01**0.5 * 0.1**0.5, 0.1])
    assert torch.isclose(levels[:, None], expected, rtol=1e-5).any(dim=1).all()
    counts = torch.isclose(levels[:, None], expected, rtol=1e-5).sum(0)
    # Binomial with p = 1/3: 4.5 standard deviations of 15.
    assert ((counts - 1000 / 3).abs() < 67).all()


@pytest.mark.parametrize("balance", [0.0, 0.3, 1.0])
def test_class_weights_share_the_total_by_a_power_of_the_number_of_beads(balance):
    bead_class = torch.tensor([0] * 90 + [2] * 9 + [3])
    weights = class_weights(bead_class, 4, balance)
    assert float(weights.sum()) == pytest.approx(1.0)
    totals = torch.stack([weights[bead_class == c].sum() for c in (0, 2, 3)])
    expected = torch.tensor([90.0, 9.0, 1.0]) ** (1.0 - balance)
    torch.testing.assert_close(totals, expected / expected.sum())


def test_order_of_an_epoch_is_a_function_of_seed_and_epoch():
    assert torch.equal(epoch_order(50, 50, seed=3, epoch=4), epoch_order(50, 50, seed=3, epoch=4))
    orders = [epoch_order(50, 50, seed, epoch).tolist() for seed in range(3) for epoch in range(3)]
    assert len(set(map(tuple, orders))) == 9
    assert all(sorted(order) == list(range(50)) for order in orders)


@pytest.mark.parametrize(("n_windows", "n_wanted"), [(10, 4), (10, 10), (10, 37), (1, 5)])
def test_epoch_takes_as_many_windows_as_wanted_and_none_again_before_all_others(n_windows, n_wanted):
    order = epoch_order(n_windows, n_wanted, 0, 0)
    assert len(order) == n_wanted
    counts = torch.bincount(order, minlength=n_windows)
    assert counts.max() - counts.min() <= 1
    for start in range(0, n_wanted, n_windows):
        assert len(set(order[start : start + n_windows].tolist())) == min(n_windows, n_wanted - start)
