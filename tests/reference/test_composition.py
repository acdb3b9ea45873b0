"""What composition explains, on made-up properties whose answer is known."""

import itertools

import numpy as np
import pytest

from cgsim.reference.composition import composition_baseline, determination, random_forest
from cgsim.reference.sequences import UNITS
from cgsim.reference.settings import ChainSettings, draw_chains

TRAIN = [c.sequence for c in draw_chains(ChainSettings(chains={"repeated": 80}))]
TEST = [c.sequence for c in draw_chains(ChainSettings(chains={"family": 24}))]


def test_a_property_linear_in_composition_is_explained_completely():
    value = lambda s: 3.0 * s.count("A") - s.count("B") + 0.5 * s.count("C")  # noqa: E731
    baseline = composition_baseline({s: value(s) for s in TRAIN}, {s: value(s) for s in TEST}, np.random.default_rng(0))
    assert baseline.linear == pytest.approx(1.0)
    assert baseline.bound == pytest.approx(1.0)


def test_a_property_of_order_alone_is_not_explained():
    value = lambda s: sum(a != b for a, b in itertools.pairwise(s)) / len(s)  # noqa: E731
    baseline = composition_baseline({s: value(s) for s in TRAIN}, {s: value(s) for s in TEST}, np.random.default_rng(0))
    assert max(baseline.linear, baseline.forest) <= baseline.bound < 0.5


def test_nothing_that_knows_composition_only_beats_the_bound():
    generator = np.random.default_rng(3)
    known, truth = ({s: float(generator.normal()) for s in some} for some in (TRAIN, TEST))
    baseline = composition_baseline(known, truth, generator)
    assert max(baseline.linear, baseline.forest) <= baseline.bound


def test_the_forest_learns_a_step_that_a_line_cannot():
    generator = np.random.default_rng(1)
    features = generator.uniform(size=(400, len(UNITS)))
    asked = generator.uniform(size=(200, len(UNITS)))
    step = lambda x: np.where((x[:, 0] > 0.5) != (x[:, 1] > 0.5), 1.0, 0.0)  # noqa: E731
    forest = determination(step(asked), random_forest(features, step(features), asked, generator))
    assert forest > 0.6  # the best line has R2 = 0 by symmetry


def test_determination_of_the_mean_is_zero_and_of_the_truth_one():
    truth = np.array([1.0, 2.0, 4.0])
    assert determination(truth, truth) == 1.0
    assert determination(truth, np.full(3, truth.mean())) == pytest.approx(0.0)
