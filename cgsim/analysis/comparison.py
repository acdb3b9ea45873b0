"""Two results side by side: which figures differ by more than their errors, all of them judged together."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.analysis.chances import chance, holm
from cgsim.analysis.compared_shells import Document, figures_of_other_shells
from cgsim.analysis.run import analyze_files
from cgsim.analysis.settings import AnalysisSettings
from cgsim.errors import InputError, nearest

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
    others = figures_of_other_shells(sides[0], sides[1], chance, 1.0 - level)
    chances = [math.nan if key in others else chance(*pair) for key, pair in zip(keys, pairs, strict=True)]
    certain = holm(np.array(chances), 1.0 - level)
    return Comparison(
        tuple(
            ComparedFigure(
                *pair,
                probability,
                Verdict.SHELLS if key in others else _verdict(*pair, probability, is_certain=bool(sure), level=level),
            )
            for key, pair, probability, sure in zip(keys, pairs, chances, certain, strict=True)
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
