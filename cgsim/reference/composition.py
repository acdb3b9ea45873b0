"""How much of a property the composition alone explains: the bar that any model of sequences has to clear.

A test set on which a regression on composition does well proves nothing about a simulator.
"""

from dataclasses import dataclass

import numpy as np

from cgsim.reference.sequences import UNITS, chain_system
from cgsim.typing import Array, Float64, Int64

N_TREES = 100
LEAF_SAMPLES = 3


@dataclass(frozen=True)
class CompositionBaseline:
    """Coefficients of determination on test chains, of regressions that know the composition only.

    Attributes:
        linear: linear regression, fitted to the training chains.
        forest: random forest, fitted to the training chains.
        bound: the best that *any* function of composition can do on these test chains, told their values.
    """

    linear: float
    forest: float
    bound: float


def composition_baseline(
    train: dict[str, float], test: dict[str, float], generator: np.random.Generator
) -> CompositionBaseline:
    """Predict the values of test chains from their composition.

    Args:
        train: value of each training sequence.
        test: value of each test sequence.
        generator: for the forest.
    """
    features, known = _features(train), np.array(list(train.values()))
    asked, truth = _features(test), np.array(list(test.values()))
    design = np.column_stack([features, np.ones(len(features))])
    coefficients = np.linalg.lstsq(design, known, rcond=None)[0]
    linear = np.column_stack([asked, np.ones(len(asked))]) @ coefficients
    forest = random_forest(features, known, asked, generator)
    _, same = np.unique(asked, axis=0, return_inverse=True)
    means = np.bincount(same, weights=truth) / np.bincount(same)
    return CompositionBaseline(
        determination(truth, linear), determination(truth, forest), determination(truth, means[same])
    )


def determination(truth: Float64[Array, " chains"], predicted: Float64[Array, " chains"]) -> float:
    """Coefficient of determination R^2; 1 is perfect, 0 is as good as the mean of the truth."""
    return float(1.0 - np.square(truth - predicted).sum() / np.square(truth - truth.mean()).sum())


def _features(sequences: dict[str, float]) -> Float64[Array, "chains features"]:
    """Numbers of beads of each type and of units of each kind."""
    rows = []
    for sequence in sequences:
        types = np.bincount(chain_system(sequence).particle_type, minlength=4)
        rows.append([*types, *(sequence.count(unit) for unit in UNITS)])
    return np.array(rows, dtype=np.float64)


def random_forest(
    features: Float64[Array, "samples features"],
    values: Float64[Array, " samples"],
    asked: Float64[Array, "asked features"],
    generator: np.random.Generator,
) -> Float64[Array, " asked"]:
    """Predict by a random forest: regression trees on bootstrap samples (Breiman, Machine Learning 45, 5 (2001))."""
    total = np.zeros(len(asked))
    for _ in range(N_TREES):
        drawn = generator.integers(len(values), size=len(values))
        _grow(features[drawn], values[drawn], asked, np.arange(len(asked)), total, generator)
    return total / N_TREES


def _grow(
    features: Float64[Array, "samples features"],
    values: Float64[Array, " samples"],
    asked: Float64[Array, "asked features"],
    here: Int64[Array, " here"],
    total: Float64[Array, " asked"],
    generator: np.random.Generator,
) -> None:
    """Split as long as it lowers the squared error; add the leaf's mean to ``total`` where it is asked for."""
    n, best, split = len(values), 0.0, (0, 0.0)
    for feature in generator.permutation(features.shape[1])[: max(1, features.shape[1] // 2)]:
        order = np.argsort(features[:, feature], kind="stable")
        x, sums = features[order, feature], np.cumsum(values[order] - values.mean())
        left = np.arange(1, n)
        gain = sums[:-1] ** 2 * (1.0 / left + 1.0 / (n - left))
        allowed = (x[1:] > x[:-1]) & (left >= LEAF_SAMPLES) & (n - left >= LEAF_SAMPLES)
        gain = np.where(allowed, gain, 0.0)
        if gain.size and gain.max() > best:
            place = int(gain.argmax())
            best, split = float(gain[place]), (int(feature), float(0.5 * (x[place] + x[place + 1])))
    if best <= 0.0 or not len(here):
        total[here] += values.mean()
        return
    below, asked_below = features[:, split[0]] <= split[1], asked[here, split[0]] <= split[1]
    _grow(features[below], values[below], asked, here[asked_below], total, generator)
    _grow(features[~below], values[~below], asked, here[~asked_below], total, generator)
