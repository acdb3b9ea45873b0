"""Figures side by side: how far a value is from the MD's, in units of the combined error and in percent."""

import math
from dataclasses import dataclass
from enum import StrEnum

from cgsim.benchmark.report.manifest import TableRow

AGREES_WITHIN, POOR_BEYOND = 2.0, 3.0  # combined standard errors
CLOSE = 5.0  # percent: a difference that is certain, but small
UNRESOLVED = 0.5  # of the MD's value: a combined error beyond this cannot tell good from bad


class Verdict(StrEnum):
    """What a deviation says; the rule stands beside the table of the page."""

    AGREES = "agrees"
    CLOSE = "close"
    OFF = "off"
    POOR = "poor"
    UNRESOLVED = "not resolved"
    UNKNOWN = ""


@dataclass(frozen=True)
class Deviation:
    """A value against the MD's.

    Attributes:
        sigmas: difference in combined standard errors; nan if an error is not known.
        percent: difference in percent of the MD's value; nan if that is 0.
        verdict: what it says.
    """

    sigmas: float
    percent: float
    verdict: Verdict


NOTHING = Deviation(math.nan, math.nan, Verdict.UNKNOWN)


def deviation(value: float | None, error: float | None, md: float | None, md_error: float | None) -> Deviation:
    """Compare a value with the MD's; errors are taken as independent, combined sqrt(e^2 + e_md^2).

    Without both errors there is no deviation to speak of.
    """
    if value is None or md is None or not (math.isfinite(value) and math.isfinite(md)):
        return NOTHING
    if error is None or md_error is None:
        return NOTHING
    percent = 100.0 * (value - md) / abs(md) if md else math.nan
    combined = math.hypot(error, md_error)
    if not (combined > 0 and math.isfinite(combined)):
        return Deviation(math.nan, percent, Verdict.UNKNOWN)
    sigmas = (value - md) / combined
    if abs(sigmas) > AGREES_WITHIN and abs(percent) <= CLOSE:
        verdict = Verdict.CLOSE
    elif abs(sigmas) > POOR_BEYOND:
        verdict = Verdict.POOR
    elif abs(sigmas) > AGREES_WITHIN:
        verdict = Verdict.OFF
    elif combined > UNRESOLVED * abs(md):
        verdict = Verdict.UNRESOLVED
    else:
        verdict = Verdict.AGREES
    return Deviation(sigmas, percent, verdict)


@dataclass(frozen=True)
class ComparedRow:
    """A row of the table with its deviations from the MD."""

    row: TableRow
    cgsim: Deviation
    short_md: Deviation


@dataclass(frozen=True)
class Overall:
    """One kind of figure over several systems.

    Attributes:
        figure: which.
        n_systems: how many systems have it from rollout and MD.
        cgsim_bias, cgsim_error: mean deviation and mean size of the deviation, percent of the mean MD value.
        short_md_bias, short_md_error: the same of the short MD.
    """

    figure: str
    n_systems: int
    cgsim_bias: float
    cgsim_error: float
    short_md_bias: float
    short_md_error: float


def compare(table: tuple[TableRow, ...]) -> tuple[ComparedRow, ...]:
    """Deviations of every row."""
    return tuple(
        ComparedRow(
            row,
            deviation(row.cgsim, row.cgsim_error, row.md, row.md_error),
            deviation(row.short_md, row.short_md_error, row.md, row.md_error),
        )
        for row in table
    )


def overall(rows: tuple[ComparedRow, ...]) -> tuple[Overall, ...]:
    """Mean deviations of figures that at least three systems have."""
    found = []
    for figure in dict.fromkeys(r.row.figure for r in rows):
        same = [r for r in rows if r.row.figure == figure and math.isfinite(r.cgsim.percent)]
        if len({r.row.system for r in same}) < 3:
            continue
        ours = [(r.row.cgsim, r.row.md) for r in same]
        short = [(r.row.short_md, r.row.md) for r in same]
        found.append(Overall(figure, len(same), *_deviations(ours), *_deviations(short)))
    return tuple(found)


def _deviations(pairs: list[tuple[float | None, float | None]]) -> tuple[float, float]:
    """Mean deviation and mean size of the deviation, in percent of the mean MD value: one near 0 does not blow up."""
    known = [(value, md) for value, md in pairs if value is not None and md is not None and math.isfinite(value)]
    scale = sum(abs(md) for _, md in known) / 100.0
    if not scale:
        return math.nan, math.nan
    return sum(value - md for value, md in known) / scale, sum(abs(value - md) for value, md in known) / scale


def verdict_sentence(rows: tuple[ComparedRow, ...]) -> str:
    """How many figures agree with the MD, ours and those of the short MD."""
    ours: list[Verdict] = [r.cgsim.verdict for r in rows if r.cgsim.verdict is not Verdict.UNKNOWN]
    if not ours:
        return "No figure can be compared: it takes a rollout and a reference MD, both with errors."
    parts = [f"{ours.count(Verdict.AGREES)} of {len(ours)} figures agree with the MD within two combined errors"]
    counted: tuple[tuple[Verdict, str], ...] = (
        (Verdict.CLOSE, f"{{n}} differ by less than {CLOSE:g} %"),
        (Verdict.OFF, "{n} off by two to three errors"),
        (Verdict.POOR, "{n} poor, off by more"),
        (Verdict.UNRESOLVED, "{n} not resolved"),
    )
    for verdict, text in counted:
        if n := ours.count(verdict):
            parts.append(text.format(n=n))
    short: list[Verdict] = [r.short_md.verdict for r in rows if r.short_md.verdict is not Verdict.UNKNOWN]
    sentence = "; ".join(parts) + "."
    if others := len([r for r in rows if r.cgsim.verdict is Verdict.UNKNOWN and r.row.cgsim is not None]):
        sentence += f" {others} more cannot be judged, because the MD gives no value or no error."
    if short:
        counts = [f"{n} {word.replace('agrees', 'agree')}" for word in Verdict if word and (n := short.count(word))]
        sentence += f" The short MD's {len(short)} estimates: {', '.join(counts)}."
    return sentence
