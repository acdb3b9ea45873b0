"""Curves of rollouts over those of MD: distributions and memory of Rg, radial distributions, displacements."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from cgsim.analysis.drawings import Line
from cgsim.analysis.lettering import common_exponent, power_of_ten, pretty_unit
from cgsim.analysis.plots import draw_line, log_ticks
from cgsim.benchmark.report.measure import CGSIM as OURS
from cgsim.benchmark.report.measure import MD as LONG
from cgsim.benchmark.report.measure import SHORT_MD as SHORT
from cgsim.benchmark.report.measure import Document, Measured
from cgsim.benchmark.report.style import CGSIM, MD, MUTED, SHORT_MD, Panel, plot
from cgsim.benchmark.report.text import pretty_value
from cgsim.typing import Array, Float64

COLORS = {OURS: CGSIM, LONG: MD, SHORT: SHORT_MD}
ORDER = (LONG, SHORT, OURS)  # drawn in this order: ours on top
MOST_PANELS = 24
CHARGE, COLLECTIVE = "charge_displacement", "einstein-collective multi-origin"
N_BINS = 40


def average(curves: list[Document], x: str, y: str) -> Line | None:
    """Mean of the replicas' curves on the points of the longest; their errors are independent."""
    if not curves:
        return None
    columns = [tuple(np.array(c[name], dtype=np.float64) for name in (x, y, "standard_error")) for c in curves]
    grid = max((own for own, _, _ in columns), key=lambda own: (own[-1], len(own)))
    total, weight, squared = np.zeros(len(grid)), np.zeros(len(grid)), np.zeros(len(grid))
    for own, values, errors in columns:
        inside = (grid >= own[0] - 1e-9) & (grid <= own[-1] * (1 + 1e-9))
        total += np.where(inside, np.interp(grid, own, values), 0.0)
        squared += np.where(inside, np.interp(grid, own, errors) ** 2, 0.0)
        weight += inside
    return Line(grid, total / weight, np.sqrt(squared) / weight)


def density(curves: list[Document], x: str, edges: Float64[Array, " edges"]) -> Float64[Array, " bins"]:
    """Histograms of replicas, each with its own bins, as one on common bins, by way of the distribution function."""
    total = np.zeros(len(edges))
    for curve in curves:
        centres, values = np.array(curve[x], dtype=np.float64), np.array(curve["density"], dtype=np.float64)
        half = 0.5 * (centres[1] - centres[0])
        own = np.append(centres - half, centres[-1] + half)
        total += np.interp(edges, own, np.append(0.0, np.cumsum(values) * 2 * half))
    return np.asarray(np.diff(total) / np.diff(edges) / len(curves))


def rg_panels(measured: list[Measured]) -> list[Panel]:
    """Distribution of the radius of gyration, one panel a system and species."""
    panels = []
    for one, label in _each(measured, "rg_histogram"):
        curves = {source: one.curves("rg_histogram", label, source) for source in ORDER}
        values = np.concatenate([c["radius_of_gyration"] for found in curves.values() for c in found])
        edges = np.linspace(values.min(), values.max(), N_BINS + 1)
        unit = pretty_unit(next(c for found in curves.values() for c in found)["units"]["radius_of_gyration"])
        means = _values(one, "mean Rg", "radius_of_gyration", label)
        alt = f"Distribution of the radius of gyration of {label} in {one.name}. {means}."
        with plot(_title(one, label, "rg_histogram", measured), alt, note=means) as sheet:
            for source, found in curves.items():
                if not found:
                    continue
                height = density(found, "radius_of_gyration", edges)
                style = {"linestyle": "--", "linewidth": 1.0} if source == SHORT else {"linewidth": 1.4}
                if source == LONG:
                    sheet.axes.stairs(height, edges, fill=True, color=MD, alpha=0.28, linewidth=0)
                sheet.axes.stairs(height, edges, color=COLORS[source], **style)
            sheet.axes.set(xlabel=f"Rg ({unit})", yticks=[], ylim=(0, None))
            sheet.axes.spines["left"].set_visible(False)
        panels.append(sheet.panel)
    return panels


def relaxation_panels(measured: list[Measured]) -> list[Panel]:
    """Autocorrelation of the radius of gyration."""
    panels = []
    for one, label in _each(measured, "rg_autocorrelation"):
        times = _values(one, "relaxation time", "relaxation_time", label)
        alt = f"Autocorrelation of the radius of gyration of {label} in {one.name}. {times}."
        with plot(_title(one, label, "rg_autocorrelation", measured), alt, note=times) as sheet:
            lines = _lines(one, "rg_autocorrelation", label, "lag", "autocorrelation")
            _draw(sheet.axes, lines)
            sheet.axes.axhline(0, color=MUTED, linewidth=0.5)
            # The fastest decay is what one wants to see; a poor one that never decays must not squeeze it.
            reach = min(line.x[-1] for line in lines.values())
            unit = _unit(one, "rg_autocorrelation", label, "lag")
            sheet.axes.set(xlabel=f"time ({unit})", ylabel="autocorrelation of Rg", xlim=(0, reach), ylim=(-0.35, 1.05))
        panels.append(sheet.panel)
    return panels


def rdf_panels(measured: list[Measured]) -> list[Panel]:
    """Radial distribution functions of pairs of bead classes."""
    panels = []
    for one, label in _each(measured, "rdf"):
        lines = _lines(one, "rdf", label, "r", "rdf")
        away = [
            f"{s} {mean_difference(lines[s], lines[LONG]):.3f}" for s in (OURS, SHORT) if s in lines and LONG in lines
        ]
        note = f"mean |Δg| from MD: {', '.join(away)}" if away else ""
        alt = f"Radial distribution function of {label} beads in {one.name}. {note}"
        with plot(_title(one, label, "rdf", measured), alt, note=note) as sheet:
            _draw(sheet.axes, lines)
            sheet.axes.axhline(1, color=MUTED, linewidth=0.5)
            unit = _unit(one, "rdf", label, "r")
            reach = max(line.x[-1] for line in lines.values())
            sheet.axes.set(xlabel=f"r ({unit})", ylabel="g(r)", xlim=(0, reach), ylim=(0, None))
        panels.append(sheet.panel)
    return panels


def mean_difference(line: Line, reference: Line) -> float:
    """Mean absolute difference of two curves over the range that both cover, in the ordinate's unit."""
    both = reference.x <= min(line.x[-1], reference.x[-1])
    return float(np.abs(np.interp(reference.x[both], line.x, line.y) - reference.y[both]).mean())


def msd_panels(measured: list[Measured]) -> list[Panel]:
    """Mean squared displacements, with the windows in which diffusion coefficients were fitted."""
    rise = _Rise("msd", "msd", "MSD", "Mean squared displacement", "D", "self_diffusivity", "multi-origin")
    return [_rise_panel(one, label, rise, measured) for one, label in _each(measured, rise.kind)]


def charge_panels(measured: list[Measured]) -> list[Panel]:
    """Mean squared displacement of the charge of all ions, with the windows in which the conductivity was fitted."""
    what = "Mean squared displacement of the charge"
    rise = _Rise(CHARGE, "displacement", "charge MSD", what, "conductivity", "conductivity", COLLECTIVE)
    of_salts = [(one, label) for one, label in _each(measured, CHARGE) if "+" in label]
    return [_rise_panel(one, label, rise, measured) for one, label in of_salts]


@dataclass(frozen=True)
class _Rise:
    """A displacement that rises with time, and the figure that is its slope.

    Attributes:
        kind, column: of the curves.
        axis: name of the ordinate.
        words: the same in words.
        value: what the slope is called.
        figure, method: the slope in the analysis.
    """

    kind: str
    column: str
    axis: str
    words: str
    value: str
    figure: str
    method: str


def _rise_panel(one: Measured, label: str, rise: _Rise, measured: list[Measured]) -> Panel:
    """A displacement of every source on logarithmic axes, with the windows of the fits."""
    lines = _lines(one, rise.kind, label, "lag", rise.column)
    lines = {s: Line(line.x[ok], line.y[ok], line.error[ok]) for s, line in lines.items() for ok in [line.y > 0]}
    values = _values(one, rise.value, rise.figure, label, rise.method)
    alt = f"{rise.words} of {label} in {one.name} against time, both logarithmic. {values}."
    with plot(_title(one, label, rise.kind, measured), alt, note=values) as sheet:
        for source in (LONG, OURS):
            figure = one.figure(rise.figure, label, source, rise.method)
            if figure is not None:
                sheet.axes.axvspan(*figure["window"], color=COLORS[source], alpha=0.13, linewidth=0)
        _draw(sheet.axes, lines, is_log=True)
        _slope_one(sheet.axes, lines.get(LONG) or next(iter(lines.values())))
        lag, squared = (_unit(one, rise.kind, label, column) for column in ("lag", rise.column))
        sheet.axes.set(xscale="log", yscale="log", xlabel=f"time ({lag})", ylabel=f"{rise.axis} ({squared})")
        log_ticks(sheet.axes.xaxis, sheet.axes.get_xlim())
        log_ticks(sheet.axes.yaxis, sheet.axes.get_ylim())
    return sheet.panel


def _slope_one(axes: Axes, line: Line) -> None:
    """A guide for the eye with slope 1, beneath the end of a curve."""
    end = line.x[line.x <= 0.25 * line.x[-1]]
    if len(end) < 2:
        return
    x = np.array([max(end[-1] / 8, line.x[0]), end[-1]])
    top = float(np.interp(x[1], line.x, line.y))
    axes.plot(x, 0.35 * top * x / x[1], color=MUTED, linewidth=0.8, linestyle=":")
    axes.annotate("slope 1", (x[1], 0.35 * top), (3, -2), textcoords="offset points", color=MUTED, fontsize=7)


def _draw(axes: Axes, lines: dict[str, Line], *, is_log: bool = False) -> None:
    for source, line in lines.items():
        if source == SHORT:
            axes.plot(line.x, line.y, color=COLORS[source], linestyle="--", linewidth=1.0)
        else:
            draw_line(axes, line, COLORS[source], is_log=is_log, linewidth=1.4)


def _each(measured: list[Measured], kind: str) -> Iterable[tuple[Measured, str]]:
    """System and label of every panel, no more than fit a page."""
    found = [(one, label) for one in measured for label in one.labels(kind)]
    return found[:MOST_PANELS]


def _title(one: Measured, label: str, kind: str, measured: list[Measured]) -> str:
    """System and species, as far as they tell panels apart."""
    pair = label.replace("-", "–")
    if len(measured) == 1:
        return pair
    return one.name if len({name for m in measured for name in m.labels(kind)}) == 1 else f"{one.name}, {pair}"


def _lines(one: Measured, kind: str, label: str, x: str, y: str) -> dict[str, Line]:
    found = {source: average(one.curves(kind, label, source), x, y) for source in ORDER}
    return {source: line for source, line in found.items() if line is not None}


def _unit(one: Measured, kind: str, label: str, column: str) -> str:
    curve = next(c for source in ORDER for c in one.curves(kind, label, source))
    return pretty_unit(curve["units"][column])


def _values(one: Measured, what: str, name: str, label: str, method: str = "") -> str:
    """``"Rg in Å: cgsim 1.70 ± 0.29, MD 1.65 ± 0.02"``; a star marks values that come with a warning."""
    found = [(source, one.figure(name, label, source, method)) for source in (LONG, OURS, SHORT)]
    known = {source: figure for source, figure in found if figure is not None and figure["value"] is not None}
    if not known:
        return ""
    first = next(iter(known.values()))
    shift = common_exponent(first["value"])
    parts = [
        f"{source} {pretty_value(known[source]['value'], known[source]['standard_error'], shift)}"
        f"{'*' if known[source].get('warning') else ''}"
        for source in (OURS, LONG, SHORT)
        if source in known
    ]
    unit = f"{power_of_ten(shift) if shift else ''} {pretty_unit(first['unit'])}".strip()
    return f"{what}{f' in {unit}' if unit else ''}: {', '.join(parts)}"
