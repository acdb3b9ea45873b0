"""Two results side by side: which figures differ by more than their errors, all of them judged together."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

from cgsim.analysis.compared_shells import figures_of_other_shells
from cgsim.analysis.figures import LOWER, UPPER
from cgsim.analysis.run import analyze_files
from cgsim.analysis.settings import AnalysisSettings
from cgsim.errors import InputError, nearest
from cgsim.observables.positive import CountEstimate

Document = dict[str, Any]
Key = tuple[str, str, str, str]  # system, name, species, method
SYSTEM_MARK = "#"
STORES = (".h5", ".hdf5")
NUMBERS = ("value", "standard_error")
SHOWN = ("value", "standard_error", "unit", "warning")
NEEDED = ("name", "species", "method", "value", "standard_error", "unit", "system")


class Verdict(StrEnum):
    """What the comparison of one figure says."""

    DIFFERS = "differs"
    SUSPECT = "beyond its own error, not beyond chance"
    AGREES = "agrees"
    UNITS = "units differ"
    UNKNOWN = "no error"
    BOUND = "a bound that leaves it open"
    SHELLS = "not the same shell: analyze both with one --coordination-cutoff"
    ONLY_FIRST = "only in the first"
    ONLY_SECOND = "only in the second"


@dataclass(frozen=True)
class ComparedFigure:
    """One figure of both results.

    Attributes:
        first: as in ``results.json``; None if only the second has it.
        second: the same of the other.
        probability: of a difference as large by chance; nan if that cannot be said.
        verdict: what it says, after all figures have been judged together.
    """

    first: Document | None
    second: Document | None
    probability: float
    verdict: Verdict

    @property
    def figure(self) -> Document:
        """The figure of whichever has it."""
        found = self.first or self.second
        assert found is not None
        return found

    def to_json(self) -> Document:
        """The entry of this figure in the file that ``cgsim compare -o`` writes."""
        record: Document = {key: self.figure[key] for key in ("system", "name", "species", "method", "unit")}
        for label, one in (("first", self.first), ("second", self.second)):
            record[label] = one and {key: one.get(key) for key in (*SHOWN, "bound") if key in SHOWN or one.get(key)}
        known = math.isfinite(self.probability)
        return {**record, "probability": self.probability if known else None, "verdict": self.verdict.value}


@dataclass(frozen=True)
class Comparison:
    """All figures of two results.

    Attributes:
        figures: in the order of the first.
        level: confidence level of the joint test.
    """

    figures: tuple[ComparedFigure, ...]
    level: float

    @property
    def n_tests(self) -> int:
        """Number of figures that could be tested."""
        return sum(math.isfinite(f.probability) for f in self.figures)

    @property
    def expected_false_alarms(self) -> float:
        """Figures that would seem to differ by chance if each were judged alone at this level."""
        return (1.0 - self.level) * self.n_tests

    @property
    def differ(self) -> bool:
        """Whether any figure differs by more than chance allows for all of them."""
        return any(f.verdict is Verdict.DIFFERS for f in self.figures)

    def to_json(self) -> Document:
        """What ``cgsim compare -o`` writes."""
        return {
            "level": self.level,
            "comparisons": self.n_tests,
            "expected_false_alarms": self.expected_false_alarms,
            "differ": self.differ,
            "figures": [figure.to_json() for figure in self.figures],
        }


def read_results(text: str, settings: AnalysisSettings) -> list[Document]:
    """Figures of a results file, or of a store or rollout, which is then analysed.

    Args:
        text: path, with ``#SYSTEM`` behind it to take only the figures of one system.
        settings: how to analyse a store.

    Raises:
        InputError: if the file is missing or holds no results, or there is no such system.
    """
    name, _, system = text.partition(SYSTEM_MARK)
    path = Path(name)
    document = analyze_files([path], settings) if path.suffix in STORES else read_document(path)
    figures = document["figures"]
    systems = list(dict.fromkeys(figure["system"] for figure in figures))
    if system and system not in systems:
        raise InputError(f"{path}: no system {system!r}{nearest(system, systems)}")
    return [figure for figure in figures if system in ("", figure["system"])]


def compare_results(first: list[Document], second: list[Document], level: float = 0.95) -> Comparison:
    """Test every figure that both have, all together.

    A figure with Student's error is tested as Welch does; of two that are known up to a factor the logarithms are
    compared. That any of n figures differs is claimed at the level given for all of them together, by Holm's method
    (Scand. J. Statist. 6, 65 (1979)), which holds however figures depend on each other. Figures are matched by name,
    species, method and system; where either side has a single system, its name does not count. Figures of shells that
    are not the same on both sides are not tested.

    Raises:
        InputError: if the level is not between 0 and 1, or there is no figure in common.
    """
    if not 0 < level < 1:
        raise InputError(f"level must be between 0 and 1, got {level:g}")
    sides = [_by_key(side, ignore_system=_one_system(first) or _one_system(second)) for side in (first, second)]
    keys = list(dict.fromkeys([*sides[0], *sides[1]]))
    if not any(key in sides[0] and key in sides[1] for key in keys):
        raise InputError("the two results have no figure in common (the same system, name, species and method)")
    pairs = [(sides[0].get(key), sides[1].get(key)) for key in keys]
    others = figures_of_other_shells(sides[0], sides[1], _chance, 1.0 - level)
    chances = [math.nan if key in others else _chance(*pair) for key, pair in zip(keys, pairs, strict=True)]
    certain = _holm(np.array(chances), 1.0 - level)
    return Comparison(
        tuple(
            ComparedFigure(
                *pair,
                chance,
                Verdict.SHELLS if key in others else _verdict(*pair, chance, is_certain=bool(sure), level=level),
            )
            for key, pair, chance, sure in zip(keys, pairs, chances, certain, strict=True)
        ),
        level,
    )


def read_document(path: Path) -> Document:
    """A results file.

    Raises:
        InputError: if the file is missing or holds no results.
    """
    if path.suffix in STORES and path.exists():
        raise InputError(f"{path}: is a store, expected its results: cgsim analyze {path} -o results.json")
    try:
        document: Any = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        raise InputError(f"{path}: not JSON, expected results that 'cgsim analyze' wrote") from None
    figures = document.get("figures") if isinstance(document, dict) else None
    if not isinstance(figures, list) or not all(isinstance(f, dict) and all(k in f for k in NEEDED) for f in figures):
        raise InputError(f"{path}: no figures in it, expected results that 'cgsim analyze' wrote")
    for figure in figures:
        for key in NUMBERS:
            if not isinstance(figure[key], int | float | None):
                raise InputError(f"{path}: {key} of {figure['name']} is {figure[key]!r}, expected a number or null")
    curves = document.get("curves", {})
    if not isinstance(curves, dict) or not all(isinstance(own, list) for own in curves.values()):
        raise InputError(f"{path}: its curves are no lists by kind, expected results that 'cgsim analyze' wrote")
    return dict(document)


def _one_system(figures: list[Document]) -> bool:
    return len({figure["system"] for figure in figures}) == 1


def _by_key(figures: list[Document], *, ignore_system: bool) -> dict[Key, Document]:
    found: dict[Key, Document] = {}
    for figure in figures:
        key = ("" if ignore_system else figure["system"], figure["name"], figure["species"], figure["method"])
        if key in found:
            raise InputError(
                f"{figure['name']} of {figure['species']} by {figure['method']!r} is there more than once (systems "
                f"{found[key]['system']} and {figure['system']}); choose one with FILE{SYSTEM_MARK}SYSTEM"
            )
        found[key] = figure
    return found


def _chance(first: Document | None, second: Document | None) -> float:
    """Probability of a difference as large as this by chance; nan if there is no test."""
    if first is None or second is None or first["unit"] != second["unit"]:
        return math.nan
    numbers = [side[key] for side in (first, second) for key in ("value", "standard_error")]
    if any(number is None for number in numbers):
        return math.nan
    a, a_error, b, b_error = numbers
    if _is_open(first, second):
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


def _is_open(first: Document, second: Document) -> bool:
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


def _holm(chances: np.ndarray, alpha: float) -> np.ndarray:
    """Which differences are certain at the level of all of them together."""
    certain = np.zeros(len(chances), dtype=bool)
    tested = np.flatnonzero(np.isfinite(chances))
    for rank, k in enumerate(tested[np.argsort(chances[tested], kind="stable")]):
        if chances[k] > alpha / (len(tested) - rank):
            break
        certain[k] = True
    return certain


def _verdict(
    first: Document | None, second: Document | None, chance: float, *, is_certain: bool, level: float
) -> Verdict:
    if first is None or second is None:
        return Verdict.ONLY_SECOND if first is None else Verdict.ONLY_FIRST
    if first["unit"] != second["unit"]:
        return Verdict.UNITS
    if not math.isfinite(chance):
        if first.get("bound") or second.get("bound"):
            return Verdict.BOUND
        is_exact = first["standard_error"] == second["standard_error"] == 0
        return Verdict.AGREES if is_exact else Verdict.UNKNOWN
    if is_certain:
        return Verdict.DIFFERS
    return Verdict.SUSPECT if chance < 1.0 - level else Verdict.AGREES
