"""Two results side by side: which figures differ by more than their errors, all of them judged together."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

from cgsim.analysis.run import analyze_files
from cgsim.analysis.settings import AnalysisSettings
from cgsim.errors import InputError, nearest

Document = dict[str, Any]
Key = tuple[str, str, str, str]  # system, name, species, method
SYSTEM_MARK = "#"
NEEDED = ("name", "species", "method", "value", "standard_error", "unit", "system")


class Verdict(StrEnum):
    """What the comparison of one figure says."""

    DIFFERS = "differs"
    SUSPECT = "beyond its own error, not beyond chance"
    AGREES = "agrees"
    UNITS = "units differ"
    UNKNOWN = "no error"
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
            record[label] = one and {key: one.get(key) for key in ("value", "standard_error", "unit", "warning")}
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
    figures = read_document(path, settings)["figures"]
    systems = list(dict.fromkeys(figure["system"] for figure in figures))
    if system and system not in systems:
        raise InputError(f"{path}: no system {system!r}{nearest(system, systems)}")
    return [figure for figure in figures if system in ("", figure["system"])]


def compare_results(first: list[Document], second: list[Document], level: float = 0.95) -> Comparison:
    """Test every figure that both have, all together.

    A figure with Student's error is tested as Welch does; of two that are known up to a factor the logarithms are
    compared. That any of n figures differs is claimed at the level given for all of them together, by Holm's method
    (Scand. J. Statist. 6, 65 (1979)), which holds however figures depend on each other. Figures are matched by name,
    species, method and system; where either side has a single system, its name does not count.

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
    chances = [_chance(*pair) for pair in pairs]
    certain = _holm(np.array(chances), 1.0 - level)
    return Comparison(
        tuple(
            ComparedFigure(*pair, chance, _verdict(*pair, chance, is_certain=bool(sure), level=level))
            for pair, chance, sure in zip(pairs, chances, certain, strict=True)
        ),
        level,
    )


def read_document(path: Path, settings: AnalysisSettings) -> Document:
    """A results file, or those of a store or rollout, which is then analysed.

    Raises:
        InputError: if the file is missing or holds no results.
    """
    if path.suffix in {".h5", ".hdf5"}:
        return analyze_files([path], settings)
    try:
        document: Any = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        raise InputError(f"{path}: not JSON, expected results that 'cgsim analyze' wrote, or a store (.h5)") from None
    figures = document.get("figures") if isinstance(document, dict) else None
    if not isinstance(figures, list) or not all(isinstance(f, dict) and all(k in f for k in NEEDED) for f in figures):
        raise InputError(f"{path}: no figures in it, expected results that 'cgsim analyze' wrote")
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
    if a_error == 0 and b_error == 0:
        return math.nan if math.isclose(a, b, rel_tol=1e-9) else 0.0  # exact and equal: nothing to test
    if all(side.get("distribution") == "scale" for side in (first, second)) and a > 0 and b > 0:
        return _chance_of_scales(a, a_error, b, b_error)
    squares = np.array([a_error**2, b_error**2])
    freedom = np.array([side.get("degrees_of_freedom") or np.inf for side in (first, second)])
    of_both = squares.sum() ** 2 / (squares**2 / freedom).sum() if (squares**2 / freedom).sum() > 0 else np.inf
    return float(2.0 * stats.t.sf(abs(a - b) / np.sqrt(squares.sum()), of_both))


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
        is_exact = first["standard_error"] == second["standard_error"] == 0
        return Verdict.AGREES if is_exact else Verdict.UNKNOWN
    if is_certain:
        return Verdict.DIFFERS
    return Verdict.SUSPECT if chance < 1.0 - level else Verdict.AGREES
