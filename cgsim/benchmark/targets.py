"""Targets: what a method is meant to reach, checked on the rows."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from cgsim.benchmark.rows import OURS, REFERENCE, Row, Rows

HALVES = "md-half"  # second half of the long MD against its first: the noise of the reference
Check = Callable[[Rows, str], bool | None]
BETTER_HIGH = ("_r2", "_spearman", "_correlation")
OTHER_START = "md-other-start"  # an independent start of the same system: the noise between boxes
BASELINES_APART = (HALVES, OTHER_START, REFERENCE)  # not baselines: they are made of the reference itself


@dataclass(frozen=True)
class Target:
    """One target.

    Attributes:
        metric: which row is meant.
        sentence: the target in words.
        check: takes all rows and the method; None where the rows do not say.
    """

    metric: str
    sentence: str
    check: Check


def at_most(metric: str, limit: float) -> Target:
    """The value is no larger than a limit."""
    return Target(metric, f"at most {limit:g}", _compare(metric, lambda value: value <= limit))


def at_least(metric: str, limit: float) -> Target:
    """The value is no smaller than a limit."""
    return Target(metric, f"at least {limit:g}", _compare(metric, lambda value: value >= limit))


def above(metric: str, limit: float) -> Target:
    """The value is larger than a limit."""
    return Target(metric, f"above {limit:g}", _compare(metric, lambda value: value > limit))


def within(metric: str, centre: float, distance: float, words: str) -> Target:
    """The value is near another."""
    return Target(metric, words, _compare(metric, lambda value: abs(value - centre) <= distance))


def share_of(metric: str, other: str, factor: float, words: str) -> Target:
    """The value is at most so many times that of another method."""

    def check(rows: Rows, method: str) -> bool | None:
        ours, theirs = rows.find(method, metric), rows.find(other, metric)
        return None if ours is None or theirs is None else _value(ours) <= factor * _value(theirs)

    return Target(metric, words, check)


def no_more_than_md(metric: str) -> Target:
    """The value exceeds that of the long MD by no more than the combined error."""

    def check(rows: Rows, method: str) -> bool | None:
        ours, theirs = rows.find(method, metric), rows.find(REFERENCE, metric)
        return None if ours is None or theirs is None else _value(ours) <= _value(theirs) + combined_error(ours, theirs)

    return Target(metric, "no more than in MD, within the combined error", check)


def better_than(metric: str, methods: tuple[str, ...] | None = None) -> Target:
    """The value is better than that of the named baselines, or of all, by more than the combined error."""

    def check(rows: Rows, method: str) -> bool | None:
        ours = rows.find(method, metric)
        rivals = [rows.find(name, metric) for name in methods or baselines(rows)]
        found = [rival for rival in rivals if rival is not None]
        if ours is None or not found:
            return None
        return all(is_better(ours, rival) for rival in found)

    names = ", ".join(methods) if methods else "every baseline"
    return Target(metric, f"better than {names} by more than the combined error", check)


def baselines(rows: Rows) -> list[str]:
    """Methods that are neither ours nor made of the reference."""
    return [name for name in rows.methods if not name.startswith(OURS) and name not in BASELINES_APART]


def is_better(ours: Row, rival: Row) -> bool:
    """Whether a score beats another by more than the combined error."""
    gain = _value(ours) - _value(rival)
    gain = gain if ours.metric.endswith(BETTER_HIGH) else -gain
    return gain > combined_error(ours, rival)


def combined_error(first: Row, second: Row) -> float:
    """Square root of the sum of the squared errors; an error that is not known counts as zero."""
    return math.hypot(first.standard_error or 0.0, second.standard_error or 0.0)


def _compare(metric: str, holds: Callable[[float], bool]) -> Check:
    def check(rows: Rows, method: str) -> bool | None:
        row = rows.find(method, metric)
        return None if row is None else holds(_value(row))

    return check


def _value(row: Row) -> float:
    assert row.value is not None
    return row.value
