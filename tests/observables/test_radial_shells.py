"""First peaks and shells of radial distribution functions whose truth is known."""

import numpy as np
import pytest
from scipy import stats
from synthetic_rdf import Shape, Values, broad, bump, flat, no_contact, rare_contact, sample, sharp, skewed, step

from cgsim.observables.extrema import extremum_in
from cgsim.observables.radial import radial_distribution
from cgsim.observables.shells import within
from cgsim.observables.statistics import Estimate


def truth_of_peak(shape: Shape, low: float, high: float) -> tuple[float, float]:
    r = np.linspace(low, high, 200_001)
    return float(r[shape(r).argmax()]), float(shape(r).max())


def chance(first: Estimate, second: Estimate) -> float:
    """Probability of a difference as large as this, as ``cgsim compare`` has it (Welch)."""
    squares = np.array([first.standard_error**2, second.standard_error**2])
    freedom = squares.sum() ** 2 / (squares**2 / [first.degrees_of_freedom, second.degrees_of_freedom]).sum()
    return float(2 * stats.t.sf(abs(first.value - second.value) / np.sqrt(squares.sum()), freedom))


def at_most(share: float, n: int) -> float:
    """Share that n tries of this chance exceed in one of 1,000 cases."""
    return float(stats.binom.ppf(0.999, n, share)) / n


@pytest.mark.parametrize("width", [0.05, 0.1])
def test_contact_lower_than_the_second_shell_and_than_one_is_the_first_peak(width: float) -> None:
    generator = np.random.default_rng(1)
    places = [sample(rare_contact, width, 60, 2.0, generator).first_peak(0)[0].value for _ in range(40)]
    # About 30 standard errors high: none is missed.
    assert np.abs(np.array(places) - 2.25).max() < 0.15


@pytest.mark.parametrize(("width", "frames"), [(0.05, 8), (0.05, 60), (0.1, 60)])
def test_noise_of_few_counts_is_no_peak(width: float, frames: int) -> None:
    generator = np.random.default_rng(2)
    n = 100
    found = [sample(no_contact, width, frames, 0.3, generator).first_peak(0)[0].value for _ in range(n)]
    nearer = np.mean(np.array(found) < 5.0)
    print(f"noise is a nearer peak in {nearer:.1%} of {n} runs of {frames} frames, bins of {width}")
    assert nearer <= at_most(0.02, n)


def test_pair_that_stays_together_for_a_while_is_no_peak() -> None:
    # One pair in contact during one of eight parts: a single event, however many frames have it.
    generator = np.random.default_rng(3)
    frames = []
    for k in range(160):
        positions = generator.uniform(5.0, 20.0, size=(12, 3))
        positions[0], positions[1] = (
            [1.0, 1.0, 1.0],
            [2.0 + 0.1 * generator.normal(), 1.0, 1.0] if k < 20 else [12.0] * 3,
        )
        frames.append((positions, np.eye(3) * 25.0))
    result = radial_distribution(frames, np.ones((1, 12), bool), np.array([[0, 0]]), np.arange(0, 3.0, 0.05))
    assert result.rdf.max() > 5
    assert result.landmarks(0) is None


def test_maximum_at_the_end_of_the_range_is_no_peak_but_ends_a_shell() -> None:
    def rising(r: Values) -> Values:
        return bump(r, 10.0, 2.0, 0.2) + 0.1 * r * step(r, 3.5, 0.2)

    result = sample(rising, 0.05, 60, 2.0, np.random.default_rng(4), reach=9.0)
    assert result.first_peak(0)[0].value == pytest.approx(2.0, abs=0.05)
    shell = result.first_shell(0)
    assert shell is not None
    assert 2.6 < shell.radius.value < 3.6
    without = sample(lambda r: 0.1 * r, 0.05, 60, 2.0, np.random.default_rng(4), reach=9.0)
    assert np.isnan(without.first_peak(0)[0].value)
    assert without.first_shell(0) is None


@pytest.mark.parametrize("width", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("sigma", [0.06, 0.1, 0.3])
def test_height_of_a_sharp_peak_is_not_that_of_its_bins(width: float, sigma: float) -> None:
    edges = np.arange(1.0, 3.5, width)
    x, weights = np.polynomial.legendre.leggauss(20)
    r = 0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * width * x
    g = (weights * r**2 * bump(r, 20.0, 2.13, sigma)).sum(axis=1) / (weights * r**2).sum(axis=1)
    top = int(g.argmax())
    derive = extremum_in(edges, slice(top - 3, top + 4), 4, is_peak=True)
    # The exponential of a parabola is exact; what is left is the integral over a bin by four points.
    np.testing.assert_allclose(derive(g), [2.13, 20.0], rtol=2e-4)


def test_peak_within_one_bin_is_that_bin() -> None:
    edges, g = np.arange(0, 3.0, 0.1), np.zeros(29)
    g[20] = 7.0
    place, height = extremum_in(edges, slice(17, 24), 4, is_peak=True)(g)
    assert place == pytest.approx(2.05, abs=0.01)
    assert height == 7.0


def test_number_within_any_distance_grows_with_the_volume() -> None:
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    counts = edges[1:] ** 3  # constant density
    for radius in (0.5, 1.0, 1.7, 2.9):
        assert within(edges, counts, radius) == pytest.approx(radius**3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "width", "frames", "density", "search"),
    [
        (sharp, 0.05, 16, 0.5, (1.5, 3.0)),
        (sharp, 0.1, 32, 4.0, (1.5, 3.0)),
        (skewed, 0.02, 32, 4.0, (1.5, 3.0)),
        (rare_contact, 0.05, 32, 15.0, (1.5, 3.0)),
        (broad, 0.1, 32, 2.0, (4.0, 7.0)),
    ],
    ids=["sharp, short", "sharp, coarse", "skewed, fine", "rare", "broad"],
)
def test_intervals_of_peaks_cover_the_truth(
    shape: Shape, width: float, frames: int, density: float, search: tuple[float, float]
) -> None:
    generator = np.random.default_rng(5)
    n = 150
    truth = truth_of_peak(shape, *search)
    runs = [sample(shape, width, frames, density, generator).first_peak(0) for _ in range(n)]
    for k, name in enumerate(("position", "height")):
        for level in (0.68, 0.95):
            intervals = np.array([run[k].interval(level) for run in runs])
            covered = np.mean((intervals[:, 0] <= truth[k]) & (truth[k] <= intervals[:, 1]))
            print(
                f"{shape.__name__}, bins of {width}: {level:.0%} intervals of the {name} cover in {covered:.1%} of {n}"
            )
            # Errors from eight parts and small numbers of counts: five points are allowed below the rate, beside
            # what chance makes of so many runs. Above it they may lie, as errors of the fit's form are added.
            assert 1 - covered <= at_most(1.05 - level, n)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "width", "frames", "density"),
    [
        (skewed, 0.05, 16, 0.5),
        (rare_contact, 0.1, 32, 2.0),
        (broad, 0.05, 16, 1.0),
        (flat, 0.05, 32, 0.6),
        (flat, 0.1, 32, 2.0),
    ],
)
def test_shells_of_two_halves_differ_no_more_often_than_chance(
    shape: Shape, width: float, frames: int, density: float
) -> None:
    generator = np.random.default_rng(6)
    n = 100
    shells = [sample(shape, width, frames, density, generator).first_shell(0) for _ in range(2 * n)]
    pairs = [(a, b) for a, b in zip(shells[::2], shells[1::2], strict=True) if a is not None and b is not None]
    assert len(pairs) > 0.9 * n
    for name in ("radius", "number"):
        alarms = np.mean([chance(getattr(a, name), getattr(b, name)) < 0.05 for a, b in pairs])
        print(f"{shape.__name__}, bins of {width}: {alarms:.1%} of {len(pairs)} pairs differ in {name} at 5 %")
        assert alarms <= at_most(0.05, len(pairs))


def test_flat_and_shallow_minima_say_so() -> None:
    generator = np.random.default_rng(7)
    open_end = sample(flat, 0.05, 60, 1.0, generator).first_shell(0)
    assert open_end is not None
    assert open_end.radius.standard_error > 0.4  # g is the same between 3 and 5, a range of 2 / sqrt(12) = 0.6
    # dn/dr is 4 pi r^2 rho g, with rho = 1 / 10 and g = 0.2, and the shell has some 15 neighbours.
    slope = 4 * np.pi * open_end.radius.value**2 * 0.1 * 0.2
    assert open_end.number.standard_error > 0.8 * slope * open_end.radius.standard_error
    shallow = sample(broad, 0.05, 60, 5.0, generator).first_shell(0)
    assert shallow is not None
    exact = broad(np.array([8.0]))[0] / broad(np.array([10.2]))[0]
    assert shallow.depth == pytest.approx(exact, abs=0.05)
