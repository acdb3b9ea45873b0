"""Curves of results as images: one file for each kind and species, the systems over each other, errors as bands."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cgsim.analysis.drawings import Cells, Drawing, Line, drawings
from cgsim.analysis.lettering import axis_label, common_exponent, power_of_ten
from cgsim.analysis.looks import Scale, kind_of
from cgsim.errors import InputError
from cgsim.trajectory.writer import disk_errors
from cgsim.typing import Array, Float64

if TYPE_CHECKING:  # importing matplotlib takes a second that an analysis without plots need not wait
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

FORMATS = ("png", "svg", "pdf")
SIZE = (4.2, 3.0)  # inches
FEW, MANY = 8, 150  # points up to which each of them is marked; from which on lines are thin
STEADY = 0.5  # error over value up to which a point sets the scale
DECADES, LEVELS = 3.0, 6  # of a map: decades from its largest value down, levels of values that are alike


@dataclass(frozen=True)
class Style:
    """Colours and sizes of a drawing.

    Attributes:
        colors: of its lines, which are so many at most.
        accent: of a map.
        muted: of what helps to read.
        legend_size: of letters in the legend, points.
    """

    colors: tuple[str, ...]
    accent: str
    muted: str
    legend_size: float


PLAIN = Style(tuple(f"C{k}" for k in range(10)), "#1f4e79", "#808080", 7.0)


def check_format(kind: str) -> None:
    """Refuse a format that is not known.

    Raises:
        InputError: if it is none of png, svg and pdf.
    """
    if kind not in FORMATS:
        raise InputError(f"plots as {kind!r}: expected one of {', '.join(FORMATS)}")


def write_plots(document: dict[str, Any], path: Path, kind: str) -> list[Path]:
    """Draw all curves into the folder ``results-plots`` beside ``results.json``.

    Args:
        document: of ``results.json``.
        path: that file.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns:
        The files written.

    Raises:
        InputError: if the format is not known or a file cannot be written.
    """
    check_format(kind)
    from matplotlib.figure import Figure as Canvas

    folder = path.with_name(f"{path.stem}-plots")
    written = []
    with disk_errors(path):
        for name, curves in document["curves"].items():
            folder.mkdir(exist_ok=True)
            for drawing in drawings(name, curves):
                canvas = Canvas(figsize=SIZE, layout="constrained")
                axes = canvas.subplots()
                draw(axes, drawing, PLAIN)
                of = ", ".join(filter(None, [drawing.label, drawing.of]))
                axes.set_title(f"{kind_of(name, curves).title}: {of}", fontsize=9)
                stem = "-".join(filter(None, [name, drawing.label, drawing.of, drawing.part]))
                target = folder / f"{re.sub(r'[^A-Za-z0-9.+-]', '_', stem)}.{kind}"
                canvas.savefig(target, dpi=160, metadata={"Date": None} if kind == "svg" else None)
                written.append(target)
    return written


def draw(axes: "Axes", drawing: Drawing, style: Style) -> None:
    """Draw on axes; of more lines than there are colours the first ones."""
    if drawing.cells is not None:
        _draw_cells(axes, drawing.cells, style)
        axes.set(xlabel=drawing.x_name, ylabel=drawing.y_name)
    elif drawing.categories:
        _draw_categories(axes, drawing, style)
    else:
        _draw_lines(axes, drawing, style)


def draw_line(axes: "Axes", line: Line, color: str, *, is_log: bool = False, **look: Any) -> None:
    """A line and its errors as a band, which on a logarithmic scale stays above a fifth of the line."""
    low = line.y - line.error
    low = np.maximum(low, 0.2 * line.y) if is_log else low
    axes.fill_between(line.x, low, line.y + line.error, color=color, alpha=0.2, linewidth=0)
    axes.plot(line.x, line.y, color=color, label=line.label, **look)


def log_ticks(axis: "Axis", limits: tuple[float, float]) -> None:
    """Ticks of a logarithmic axis at powers of ten, or at 1, 2, 5 where there are few of these."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    is_narrow = np.log10(limits[1] / limits[0]) < 1.7
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if is_narrow else (1.0,)))
    axis.set_major_formatter(FuncFormatter(_tick))
    axis.set_minor_locator(NullLocator())


def _tick(value: float, _position: int) -> str:
    return f"{value:g}" if 0.009 < value < 2e4 else power_of_ten(round(np.log10(value)))


def _draw_lines(axes: "Axes", drawing: Drawing, style: Style) -> None:
    lines = drawing.lines[: len(style.colors)]
    is_log = drawing.scale is Scale.LOG
    if drawing.level is not None and not is_log:
        axes.axhline(drawing.level, color=style.muted, linewidth=0.5)
    for line, color in zip(lines, style.colors, strict=False):
        if drawing.are_points:
            axes.errorbar(line.x, line.y, line.error, fmt="o", color=color, markersize=3, elinewidth=0.8)
            axes.plot([], [], "o", color=color, markersize=3, label=line.label)
        else:
            marker = "o" if len(line.x) < FEW else ""
            width = 0.9 if len(line.x) > MANY else 1.3
            draw_line(axes, line, color, is_log=is_log, linewidth=width, marker=marker, markersize=3)
        _draw_references(axes, line, color, style, is_only=len(lines) == 1)
    if is_log:
        axes.set(xscale="log", yscale="log")
        log_ticks(axes.yaxis, axes.get_ylim())
    elif drawing.scale is Scale.LOG_TIME:
        axes.set_xscale("log")
    if drawing.scale is not Scale.LINEAR:
        log_ticks(axes.xaxis, axes.get_xlim())
    if drawing.is_steady:
        _leave_out_noise(axes, lines)
    shift = 0 if is_log else _without_exponent(axes)
    axes.set_xlabel(axis_label(drawing.x_name, drawing.x_unit))
    axes.set_ylabel(axis_label(drawing.y_name, drawing.y_unit, shift))
    if any(text for text in axes.get_legend_handles_labels()[1]):
        axes.legend(fontsize=style.legend_size, frameon=False, handlelength=1.4, labelspacing=0.25, borderaxespad=0.2)


def _draw_references(axes: "Axes", line: Line, color: str, style: Style, *, is_only: bool) -> None:
    """What stands beside a line; it is named where there is one line only."""
    for (name, values), dashes in zip(line.references.items(), ("--", ":"), strict=False):
        own = style.muted if is_only else color
        axes.plot(line.x, values, dashes, color=own, linewidth=0.9, label=name if is_only else None)


def _leave_out_noise(axes: "Axes", lines: tuple[Line, ...]) -> None:
    """Limit the ordinate to what is known: points that are mostly error lie outside if they are far off."""
    known = [line.y[line.error < STEADY * np.abs(line.y)] for line in lines]
    if not any(values.size for values in known):
        return
    (low, high), top = axes.get_ylim(), max(float(values.max()) for values in known if values.size)
    if top > 0:
        lowest = -0.05 if all((line.y >= 0).all() for line in lines) else -0.35
        axes.set_ylim(max(low, lowest * top), min(high, 1.15 * top))


def _without_exponent(axes: "Axes") -> int:
    """Take the power of ten out of the ticks of very small or large values; returns it."""
    from matplotlib.ticker import FuncFormatter

    shift = common_exponent(max(map(abs, axes.get_ylim())))
    if shift:
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _position: f"{value / 10.0**shift:.4g}".replace("-", "−"))
        )
    return shift


def _draw_categories(axes: "Axes", drawing: Drawing, style: Style) -> None:
    (line,) = drawing.lines
    axes.errorbar(line.x, line.y, xerr=line.error, fmt="o", color=style.colors[0], markersize=3, elinewidth=0.8)
    axes.set_yticks(line.y, drawing.categories)
    axes.set(xlabel=axis_label(drawing.x_name, drawing.x_unit), xlim=(0, None), ylim=(len(line.y) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)


def _draw_cells(axes: "Axes", cells: Cells, style: Style) -> None:
    """A map in levels of one colour, which suits light and dark pages, with its scale beside it."""
    bounds = level_bounds(cells.value)
    shown = cells.value > 0
    level = np.clip(np.searchsorted(bounds, cells.value, side="right") - 1, 0, len(bounds) - 2)
    scale = axes.inset_axes((1.04, 0.0, 0.05, 1.0))
    for k in range(len(bounds) - 1):
        own = shown & (level == k)
        look: dict[str, Any] = {"facecolor": style.accent, "alpha": (k + 1.0) / (len(bounds) - 1), "linewidth": 0}
        _squares(axes, cells.i[own], cells.j[own], look)
        scale.axhspan(k, k + 1, **look)
    scale.set(xticks=[], xlim=(0, 1), ylim=(0, len(bounds) - 1))
    scale.yaxis.tick_right()
    scale.yaxis.set_label_position("right")
    scale.set_yticks(range(len(bounds)), [f"{bound:g}" for bound in bounds])
    scale.set_ylabel(cells.name)
    axes.set(xlim=(cells.i.min() - 0.5, cells.i.max() + 0.5), ylim=(cells.j.min() - 0.5, cells.j.max() + 0.5))
    axes.locator_params(integer=True)


def _squares(axes: "Axes", i: Array, j: Array, look: dict[str, Any]) -> None:
    """Squares around pairs of indices as one shape, so that a map of a thousand is small and without seams."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    if not len(i):
        return
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])
    vertices = (np.stack([i, j], axis=-1)[:, None] + corners).reshape(-1, 2)
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY] * len(i)
    axes.add_patch(PathPatch(Outline(vertices, codes), antialiased=False, **look))


def level_bounds(value: Float64[Array, " cells"]) -> Float64[Array, " bounds"]:
    """Bounds of the levels of a map: round numbers, by factors of about three where values differ by more than 20."""
    positive = value[value > 0]
    if not positive.size:
        return np.array([0.0, 1.0])
    high = float(positive.max())
    low = max(float(positive.min()), high / 10.0**DECADES)
    if high <= 20.0 * low:
        unit = 10.0 ** np.floor(np.log10(high / LEVELS))
        step = unit * next(m for m in (1.0, 2.0, 5.0, 10.0) if m * unit * LEVELS >= high * (1 - 1e-9))
        return np.asarray(step * np.arange(np.ceil(high / step * (1 - 1e-9)) + 1))
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    rounded = np.sort(np.concatenate([decades, 3.0 * decades]))
    first, last = np.searchsorted(rounded, low, side="right") - 1, np.searchsorted(rounded, high * (1 - 1e-9))
    return np.asarray(rounded[first : last + 1])
