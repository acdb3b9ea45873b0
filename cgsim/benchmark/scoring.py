"""Scores: how far predicted portraits are from those of long MD, system by system and over all, with errors.

The standard error of a figure over all systems is that of a bootstrap that draws systems and training seeds with
replacement; the noise of each rollout is in the scatter over systems, because every one has its own. With fewer
than five systems drawing says little; then the measured values are drawn from their own errors, and seeds as before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from cgsim.benchmark.portrait import Portrait
from cgsim.benchmark.rows import ALL, Row
from cgsim.observables.statistics import Estimate
from cgsim.typing import Array, Float64, Int64

N_DRAWS = 400
FEW_SYSTEMS = 5  # below this many, systems are not drawn
LEAST_FOR_SPREAD = 3  # systems that a coefficient of determination or of correlation needs

PairScore = Callable[[Portrait, Portrait], Estimate]
Statistic = Callable[[Array, Array, Array], float]


@dataclass(frozen=True)
class PairMetric:
    """A score of one system at a time.

    Attributes:
        name: of the metric.
        score: takes the predicted and the reference portrait.
        over_systems: how the figure over all systems is made.
    """

    name: str
    score: PairScore
    over_systems: Literal["mean", "median", "largest", "smallest"] = "mean"


@dataclass(frozen=True)
class SetMetric:
    """A score of all systems together.

    Attributes:
        name: of the metric.
        quantity: the figure of the portraits that it compares.
        statistic: takes predicted values, reference values and standard errors of the reference.
        least: systems that it needs.
    """

    name: str
    quantity: str
    statistic: Statistic
    least: int = 1


Metric = PairMetric | SetMetric
OVER_SYSTEMS: dict[str, Callable[[Array], float]] = {
    "mean": lambda x: float(np.mean(x)),
    "median": lambda x: float(np.median(x)),
    "largest": lambda x: float(np.max(x)),
    "smallest": lambda x: float(np.min(x)),
}


def mean_absolute_error(predicted: Array, true: Array, _error: Array) -> float:
    """Mean size of the difference."""
    return float(np.abs(predicted - true).mean())


def determination(predicted: Array, true: Array, _error: Array) -> float:
    """Coefficient of determination R^2: 1 is perfect, 0 as good as the mean of the truth."""
    spread = float(np.square(true - true.mean()).sum())
    return float(1.0 - np.square(predicted - true).sum() / spread) if spread > 0 else float("nan")


def rank_correlation(predicted: Array, true: Array, _error: Array) -> float:
    """Spearman's coefficient; not a number for a constant, which ranks nothing."""
    return _correlation(stats.rankdata(predicted), stats.rankdata(true))


def linear_correlation(predicted: Array, true: Array, _error: Array) -> float:
    """Pearson's coefficient."""
    return _correlation(predicted, true)


def in_reference_errors(predicted: Array, true: Array, error: Array) -> float:
    """Root mean square of the difference in units of the reference's own standard error; about 1 is all there is."""
    known = error > 0
    return float(np.sqrt(np.square((predicted - true)[known] / error[known]).mean())) if known.any() else float("nan")


def accuracy(quantity: str, prefix: str) -> list[Metric]:
    """The four figures by which predictions of a quantity are judged."""
    return [
        SetMetric(f"{prefix}_mae", quantity, mean_absolute_error),
        SetMetric(f"{prefix}_r2", quantity, determination, LEAST_FOR_SPREAD),
        SetMetric(f"{prefix}_spearman", quantity, rank_correlation, LEAST_FOR_SPREAD),
        SetMetric(f"{prefix}_in_md_errors", quantity, in_reference_errors),
    ]


def ratio_of(quantity: str) -> PairScore:
    """Predicted over reference value of a quantity."""

    def score(predicted: Portrait, reference: Portrait) -> Estimate:
        top, bottom = predicted.value(quantity), reference.value(quantity)
        if not bottom.value:
            return Estimate(float("nan"), float("nan"))
        ratio = top.value / bottom.value
        error = np.hypot(_size(top.standard_error), ratio * _size(bottom.standard_error)) / bottom.value
        return Estimate(ratio, float(abs(error)))

    return score


def difference_of(quantity: str) -> PairScore:
    """Predicted less reference value; of logarithms, the logarithm of the ratio."""

    def score(predicted: Portrait, reference: Portrait) -> Estimate:
        ours, true = predicted.value(quantity), reference.value(quantity)
        error = float(np.hypot(_size(ours.standard_error), _size(true.standard_error)))
        return Estimate(ours.value - true.value, error)

    return score


def value_of(quantity: str) -> PairScore:
    """The predicted value itself."""
    return lambda predicted, _reference: predicted.value(quantity)


@dataclass(frozen=True)
class Scored:
    """What is to be scored.

    Attributes:
        task: name of the task.
        method: name of the method.
        references: portraits of long MD by system.
        predictions: portraits by system, for each training seed.
        n_seeds: training seeds behind the predictions; 0 for methods without any.
    """

    task: str
    method: str
    references: dict[str, Portrait]
    predictions: list[dict[str, Portrait]]
    n_seeds: int


def score(scored: Scored, metrics: list[Metric], quantities: tuple[str, ...]) -> list[Row]:
    """All rows of one method.

    Args:
        scored: the method, its portraits and the reference.
        metrics: what to compute.
        quantities: figures whose values become rows of each system.
    """
    rows: list[Row] = []
    if not scored.predictions:
        return rows
    systems = list(scored.references)
    for name in quantities:
        table = _table(scored, systems, value_of(name))
        rows += _system_rows(scored, name, systems, table)
    measured = np.zeros(len(systems))
    for metric in metrics:
        if isinstance(metric, PairMetric):
            table = _table(scored, systems, metric.score)
            rows += _system_rows(scored, metric.name, systems, table)
            figure = _pair_figure(metric, table)
        else:
            table = _table(scored, systems, value_of(metric.quantity))
            figure = _set_figure(metric, table, [scored.references[s].value(metric.quantity) for s in systems])
        measured = np.maximum(measured, np.isfinite(table[0]).mean(axis=0))
        if np.isfinite(figure.value):
            rows.append(_row(scored, ALL, metric.name, figure))
    rows.append(_row(scored, ALL, "measured_fraction", Estimate(float(measured.mean()), float("nan"))))
    return rows


def _table(scored: Scored, systems: list[str], pair_score: PairScore) -> Float64[Array, "2 seeds systems"]:
    """Values and errors; not a number where a seed has no portrait of a system."""
    table = np.full((2, len(scored.predictions), len(systems)), np.nan)
    for k, portraits in enumerate(scored.predictions):
        for s, system in enumerate(systems):
            if system in portraits:
                found = pair_score(portraits[system], scored.references[system])
                table[:, k, s] = found.value, _size(found.standard_error)
    return table


def _system_rows(
    scored: Scored, metric: str, systems: list[str], table: Float64[Array, "2 seeds systems"]
) -> list[Row]:
    """Mean over seeds; its error has the scatter over seeds and, as it may be common to all, the error of each."""
    rows = []
    for s, system in enumerate(systems):
        values, errors = table[:, :, s][:, np.isfinite(table[0, :, s])]
        if not len(values):
            continue
        scatter = float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0
        error = float(np.sqrt(scatter + np.square(errors).mean()))
        rows.append(_row(scored, system, metric, Estimate(float(values.mean()), error)))
    return rows


def _pair_figure(metric: PairMetric, table: Float64[Array, "2 seeds systems"]) -> Estimate:
    known = np.isfinite(table[0]).any(axis=0)
    values, errors = table[0][:, known], table[1][:, known]
    if not known.any():
        return Estimate(float("nan"), float("nan"))
    over = OVER_SYSTEMS[metric.over_systems]

    def figure(drawn: Array) -> float:
        return over(_mean_of_seeds(drawn))

    draws = []
    for seeds, systems, noise in _draws(*values.shape):
        shaken = values[np.ix_(seeds, systems)] + errors[np.ix_(seeds, systems)] * noise
        draws.append(figure(shaken))
    return Estimate(figure(values), _spread(draws))


def _set_figure(metric: SetMetric, table: Float64[Array, "2 seeds systems"], references: list[Estimate]) -> Estimate:
    true = np.array([r.value for r in references])
    true_error = np.array([_size(r.standard_error) for r in references])
    known = np.isfinite(table[0]).all(axis=0) & np.isfinite(true)
    if known.sum() < metric.least:
        return Estimate(float("nan"), float("nan"))
    values, errors, true, true_error = table[0][:, known], table[1][:, known], true[known], true_error[known]

    def figure(drawn: Array, against: Array, error: Array) -> float:
        found = [metric.statistic(row, against, error) for row in drawn]
        return float(np.mean(found))

    generator = np.random.default_rng(1)
    draws = []
    for seeds, systems, noise in _draws(*values.shape):
        shaken = values[np.ix_(seeds, systems)] + errors[np.ix_(seeds, systems)] * noise
        kick = generator.normal(size=len(systems)) if len(systems) < FEW_SYSTEMS else np.zeros(len(systems))
        draws.append(figure(shaken, true[systems] + true_error[systems] * kick, true_error[systems]))
    return Estimate(figure(values, true, true_error), _spread(draws))


def _draws(n_seeds: int, n_systems: int) -> list[tuple[Int64[Array, " seeds"], Int64[Array, " systems"], Array]]:
    """Seeds and systems of each draw, and standard normal noise; no noise where systems are drawn."""
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(N_DRAWS):
        seeds = generator.integers(n_seeds, size=n_seeds)
        if n_systems < FEW_SYSTEMS:
            draws.append((seeds, np.arange(n_systems), generator.normal(size=(n_seeds, n_systems))))
        else:
            systems = generator.integers(n_systems, size=n_systems)
            draws.append((seeds, systems, np.zeros((n_seeds, n_systems))))
    return draws


def _mean_of_seeds(values: Float64[Array, "seeds systems"]) -> Float64[Array, " systems"]:
    """Mean over the seeds that have a value; systems that none of the drawn seeds has are left out."""
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(sums[counts > 0] / counts[counts > 0]) if counts.any() else np.array([np.nan])


def _spread(draws: list[float]) -> float:
    """Half the width of the middle 68 % of the draws, which a wild draw does not move; unknown if nothing varies."""
    found = np.array([d for d in draws if np.isfinite(d)])
    if len(found) < 0.5 * len(draws):
        return float("nan")
    low, high = np.percentile(found, [15.865, 84.135])
    return float(0.5 * (high - low)) or float("nan")


def _correlation(first: Array, second: Array) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _size(error: float) -> float:
    return error if np.isfinite(error) else 0.0


def _row(scored: Scored, system: str, metric: str, estimate: Estimate) -> Row:
    return Row(
        task=scored.task,
        system=system,
        method=scored.method,
        metric=metric,
        value=estimate.value,
        standard_error=estimate.standard_error,
        n_seeds=scored.n_seeds,
    )
