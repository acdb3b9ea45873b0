import math

import numpy as np
import pytest
import torch
from densities import Mixture, Quartic, distance
from pydantic import ValidationError

from cgsim.simulate.sampler import SamplerSettings, noise_levels, refine

N = 4000  # particles, three coordinates each
# A sample of 12,000 coordinates lies within 1.95 / sqrt(12000) of its own distribution 999 times in 1000 (Kolmogorov).
KOLMOGOROV = 1.95 / math.sqrt(3 * N)
TWO_HILLS = Mixture(weights=(0.3, 0.7), means=(-2.0, 1.0), stds=(0.4, 0.7))
NORMAL = Mixture(weights=(1.0,), means=(0.0,), stds=(1.0,))

# With these many levels what a method does to a density, beyond what statistics hide, stays below BIAS.
EXACT_IN_THE_LIMIT = {
    "multistep": SamplerSettings(method="multistep", n_levels=60, end=0.01),
    "multistep with churn": SamplerSettings(method="multistep", n_levels=120, end=0.01, churn=1.0),
    "multistep with some churn": SamplerSettings(method="multistep", n_levels=120, end=0.01, churn=0.5),
    "heun": SamplerSettings(method="heun", n_levels=60, end=0.01),
    "heun with churn": SamplerSettings(method="heun", n_levels=80, end=0.01, churn=0.1),
    "ancestral": SamplerSettings(method="ancestral", n_levels=300, end=0.01),
    "langevin": SamplerSettings(method="langevin", n_levels=80, n_steps=6, step_size=0.2, end=0.02),
}
BIAS = 0.008


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("level", [0.1, 1.0, 5.0])
def test_denoiser_less_position_over_sigma_squared_is_the_gradient_of_the_log_density(level):
    y = torch.linspace(-6.0, 6.0, 50, dtype=torch.float64).requires_grad_(True)
    (score,) = torch.autograd.grad(TWO_HILLS.log_density(y, level).sum(), y)
    torch.testing.assert_close((TWO_HILLS.denoise(y.detach(), level) - y.detach()) / level**2, score)


@pytest.mark.parametrize("density", [TWO_HILLS, Quartic()], ids=["two hills", "quartic"])
@pytest.mark.parametrize("name", list(EXACT_IN_THE_LIMIT))
def test_sampler_with_many_levels_draws_from_the_density_whatever_it_starts_from(density, name):
    start = 40.0  # far above the density, so that where the noise is added hardly matters
    found = refine(density.denoise, torch.full((N, 3), 0.5).double(), EXACT_IN_THE_LIMIT[name], start, generator(1))
    assert distance(found, density.cumulative) < KOLMOGOROV + BIAS


@pytest.mark.parametrize("name", list(EXACT_IN_THE_LIMIT))
def test_sampler_keeps_a_draw_from_the_density_in_the_density(name):
    drawn = TWO_HILLS.sample((N, 3), np.random.default_rng(0))
    found = refine(TWO_HILLS.denoise, drawn, EXACT_IN_THE_LIMIT[name], 0.8, generator(2))
    assert distance(found, TWO_HILLS.cumulative) < KOLMOGOROV + BIAS


@pytest.mark.parametrize("spread", [0.0, 0.8, 1.3])
def test_spread_of_the_first_noise_comes_out_in_proportion_where_the_denoiser_is_linear(spread):
    start = 3.0
    nowhere = torch.zeros(N, 3, dtype=torch.float64)
    found = refine(NORMAL.denoise, nowhere, EXACT_IN_THE_LIMIT["multistep"], start, generator(5), spread)
    # The probability-flow equation takes a width w at the first level to w / sqrt(1 + start^2).
    expected = spread * start / math.sqrt(1.0 + start**2)
    assert float(found.std()) == pytest.approx(expected, rel=4.5 / math.sqrt(2 * 3 * N) + BIAS, abs=1e-12)


def test_kolmogorov_distance_sees_a_wrong_density():
    # What the two tests above would say of a sampler that is 15 % too narrow.
    drawn = 0.85 * TWO_HILLS.sample((N, 3), np.random.default_rng(0))
    assert distance(drawn, TWO_HILLS.cumulative) > 1.5 * (KOLMOGOROV + BIAS)


def test_five_heun_steps_keep_the_width_that_five_first_order_steps_lose():
    # Why the default is of second order: ancestral steps of this length contract a Gaussian.
    drawn = NORMAL.sample((N, 3), np.random.default_rng(0))
    width = {}
    for method in ("heun", "ancestral"):
        settings = SamplerSettings(method=method, n_levels=5, end=0.1)
        width[method] = float(refine(NORMAL.denoise, drawn, settings, 1.0, generator(3)).std())
    # The standard error of a width from 12,000 numbers is 0.006.
    assert width["heun"] == pytest.approx(1.0, abs=0.03)
    assert width["ancestral"] < 0.97


@pytest.mark.parametrize("density", [TWO_HILLS, NORMAL], ids=["two hills", "normal"])
def test_seven_multistep_calls_are_nearer_to_the_density_than_nine_heun_calls(density):
    # From three times the width, as bead-spring chains are refined.
    drawn = density.sample((N, 3), np.random.default_rng(0))
    widths = {}
    for method, n_levels in (("multistep", 7), ("heun", 5)):
        settings = SamplerSettings(method=method, n_levels=n_levels, end=0.15)
        assert settings.n_calls == {"multistep": 7, "heun": 9}[method]
        found = refine(density.denoise, drawn, settings, 3.0, generator(3))
        widths[method] = float(found.std() / drawn.std())
        if method == "multistep":
            assert distance(found, density.cumulative) < KOLMOGOROV + BIAS
    # The standard error of a ratio of widths is below 0.009.
    assert widths["multistep"] == pytest.approx(1.0, abs=0.02)
    assert widths["heun"] > 1.03


@pytest.mark.parametrize("step", [0.02, 0.2, 1.0])
def test_published_constant_step_has_its_known_bias(step):
    """Unadjusted Langevin on N(0, v) is an AR(1) with coefficient 1 - step / v: its variance is v / (1 - step / 2v)."""
    level, n_steps = 0.5, 200
    settings = SamplerSettings(method="published", n_levels=1, n_steps=n_steps, step_size=step)
    drawn = NORMAL.sample((2000, 3), np.random.default_rng(0)) * (1.0 + level**2) ** 0.5
    found = refine(NORMAL.denoise, drawn, settings, level, generator(4))
    v = 1.0 + level**2
    expected = v / (1.0 - step / (2.0 * v))
    # Of 6,000 numbers: relative error sqrt(2 / 6000) = 1.8 %; 4 sigma; (1 - step / v)^400 of the start is left.
    assert float(found.var()) == pytest.approx(expected, rel=4.0 * (2.0 / 6000) ** 0.5)


def test_published_schedule_is_right_for_small_steps_only():
    drawn = TWO_HILLS.sample((N, 3), np.random.default_rng(0))

    def after(step: float) -> float:
        # The last level is 0.05, whose noise is far below the density's own width.
        settings = SamplerSettings(method="published", n_levels=3, end=0.05, n_steps=30, step_size=step)
        return distance(refine(TWO_HILLS.denoise, drawn, settings, 0.2, generator(5)), TWO_HILLS.cumulative)

    assert after(1e-3) < KOLMOGOROV + BIAS
    assert after(0.2) > 1.5 * (KOLMOGOROV + BIAS)


@pytest.mark.parametrize("method", ["multistep", "heun", "langevin", "ancestral", "published"])
@pytest.mark.parametrize(("n_levels", "n_steps"), [(1, 1), (4, 1), (3, 2)])
def test_number_of_network_calls_is_what_the_settings_say(method, n_levels, n_steps):
    levels = []

    def denoise(positions, level):
        levels.append(level)
        return positions

    settings = SamplerSettings(method=method, n_levels=n_levels, n_steps=n_steps, end=0.1)
    refine(denoise, torch.zeros(2, 3), settings, 1.0, generator())
    assert len(levels) == settings.n_calls
    assert max(levels) == pytest.approx(1.0)
    assert min(levels) == pytest.approx(0.1 if n_levels > 1 else 1.0)


@pytest.mark.parametrize("method", ["multistep", "heun", "langevin", "ancestral"])
def test_last_step_takes_all_noise_away(method):
    """A density concentrated in one point has a denoiser that knows it; the result is that point exactly."""
    point = torch.tensor([[1.0, 2.0, 3.0]])
    settings = SamplerSettings(method=method, n_levels=4, end=0.3, churn=0.2)
    found = refine(lambda _y, _level: point, point + 5.0, settings, 2.0, generator())
    torch.testing.assert_close(found, point)


def test_all_randomness_comes_from_the_generator():
    start = torch.zeros(10, 3, dtype=torch.float64)
    for method in ("multistep", "heun", "langevin", "ancestral", "published"):
        settings = SamplerSettings(method=method, churn=0.5)
        one, two, three = (refine(TWO_HILLS.denoise, start, settings, 1.0, generator(seed)) for seed in (7, 7, 8))
        assert torch.equal(one, two), method
        assert not torch.equal(one, three), method


def test_levels_are_geometric_and_descend_from_start_to_end():
    levels = noise_levels(10.0, 0.1, 5)
    assert levels == pytest.approx([10.0, 10.0**0.5, 1.0, 0.1**0.5, 0.1])
    assert noise_levels(2.0, 0.1, 1) == [2.0]


@pytest.mark.parametrize("method", ["multistep", "heun", "langevin", "ancestral", "published"])
def test_start_below_the_end_refines_at_the_start_alone(method):
    levels = []

    def denoise(positions, level):
        levels.append(level)
        return positions

    found = refine(denoise, torch.zeros(1, 3), SamplerSettings(method=method, end=0.5), 0.2, generator())
    assert set(levels) == {0.2}
    assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize(
    "wrong", [{"method": "magic"}, {"n_levels": 0}, {"start": -1.0}, {"churn": 2.0}, {"start": "matching"}], ids=str
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        SamplerSettings(**wrong)
