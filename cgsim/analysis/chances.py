"""How likely two figures differ as much as they do by chance alone."""

import math

import numpy as np
from scipy import special, stats

from cgsim.analysis.compared_shells import Document
from cgsim.analysis.figures import LOWER, UPPER
from cgsim.observables.positive import CountEstimate


def chance(first: Document | None, second: Document | None) -> float:
    """Probability of a difference as large as this by chance; nan if there is no test."""
    if first is None or second is None or first["unit"] != second["unit"]:
        return math.nan
    numbers = [side[key] for side in (first, second) for key in ("value", "standard_error")]
    if any(number is None for number in numbers):
        return math.nan
    a, a_error, b, b_error = numbers
    if is_open(first, second):
        return math.nan
    if a_error == 0 and b_error == 0:
        return math.nan if math.isclose(a, b, rel_tol=1e-9) else 0.0  # exact and equal: nothing to test
    laws = {side.get("distribution") for side in (first, second)}
    freedom = np.array([side.get("degrees_of_freedom") or np.inf for side in (first, second)])
    if laws == {"scale"} and a > 0 and b > 0:
        return _chance_of_scales(a, a_error, b, b_error)
    if laws == {"count"}:
        return _chance_of_counts(a, a_error, b, b_error, freedom)
    if laws == {"log"} and a > 0 and b > 0:
        return _student(math.log(a / b), np.array([a_error / a, b_error / b]), freedom)
    return _student(a - b, np.array([a_error, b_error]), freedom)


def is_open(first: Document, second: Document) -> bool:
    """Whether a bound allows for any value of the other: only one on the wrong side of it can be told from it.

    Given that it lies there, twice the chance beyond one side is evenly distributed where truth and bound are equal, so
    the test of two values serves.
    """
    bounds = [side.get("bound") for side in (first, second)]
    a, b = first["value"], second["value"]
    is_above = bounds[0] != UPPER and bounds[1] != LOWER and a > b  # all that the first can be is above the second
    is_below = bounds[0] != LOWER and bounds[1] != UPPER and a < b
    return any(bounds) and not (is_above or is_below)


def _student(difference: float, errors: np.ndarray, freedom: np.ndarray) -> float:
    """Chance of a difference as large, with Welch's degrees of freedom."""
    return float(2.0 * stats.t.sf(abs(difference) / np.sqrt((errors**2).sum()), _of_both(errors, freedom)))


def _of_both(errors: np.ndarray, freedom: np.ndarray) -> float:
    spread = float((errors**4 / freedom).sum())
    return float((errors**2).sum()) ** 2 / spread if spread > 0 else math.inf


def _chance_of_counts(a: float, a_error: float, b: float, b_error: float, freedom: np.ndarray) -> float:
    """Compare rates of events: of all events, those of the first are binomial; tails of Beta(n1 + 1/2, n2 + 1/2)."""
    rates = [CountEstimate(a, a_error), CountEstimate(b, b_error)]
    events, of_one = np.array([r.events for r in rates]), np.array([r.of_one for r in rates])
    if not events.any():
        return 1.0
    share = float(of_one[1] / of_one.sum())  # of the time watched
    below = float(special.betainc(events[0] + 0.5, events[1] + 0.5, share))
    quantile = special.ndtri(min(below, 1.0 - below))
    return float(2.0 * stats.t.cdf(quantile, _of_both(np.array([a_error, b_error]), freedom)))


def _chance_of_scales(a: float, a_error: float, b: float, b_error: float) -> float:
    """Compare logarithms of chi-squared values: mean digamma(n/2) - log(n/2), variance trigamma(n/2), nearly normal."""
    half = [(value / error) ** 2 if error > 0 else np.inf for value, error in ((a, a_error), (b, b_error))]
    bias = [float(special.digamma(h) - np.log(h)) if np.isfinite(h) else 0.0 for h in half]
    variance = sum(float(special.polygamma(1, h)) for h in half if np.isfinite(h))
    return float(2.0 * stats.norm.sf(abs(math.log(a / b) - bias[0] + bias[1]) / math.sqrt(variance)))


def holm(chances: np.ndarray, alpha: float) -> np.ndarray:
    """Which differences are certain at the level of all of them together."""
    certain = np.zeros(len(chances), dtype=bool)
    tested = np.flatnonzero(np.isfinite(chances))
    for rank, k in enumerate(tested[np.argsort(chances[tested], kind="stable")]):
        if chances[k] > alpha / (len(tested) - rank):
            break
        certain[k] = True
    return certain
