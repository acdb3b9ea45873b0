"""Curves of results as images: one file for each kind and species, the systems over each other, errors as bands."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.writer import disk_errors
from cgsim.typing import Array, Float64

FORMATS = ("png", "svg", "pdf")
MAPS = (("unit_i", "unit_j"), ("cations", "anions"))
COORDINATES = ("r", "lag", "separation", "contour", "mode", "inverse_temperature")
ERROR = "standard_error"
SIZE = (4.2, 3.0)  # inches
MOST_LINES = 12  # of one drawing
LAWS = ("arrhenius", "vogel_fulcher_tammann")  # columns that are fits to the first ordinate
LOGARITHMIC = ("msd", "displacement")  # ordinates that are read on two logarithmic scales


@dataclass(frozen=True)
class _Line:
    """One line of a drawing."""

    label: str
    x: Float64[Array, " points"]
    y: Float64[Array, " points"]
    error: Float64[Array, " points"]


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
            for label in dict.fromkeys(curve["species"] for curve in curves):
                same = [curve for curve in curves if curve["species"] == label]
                canvas = Canvas(figsize=SIZE, layout="constrained")
                axes = canvas.subplots()
                _draw(canvas, axes, same)
                axes.set_title(f"{name.replace('_', ' ')}, {label}", fontsize=9)
                target = folder / f"{name}-{re.sub(r'[^A-Za-z0-9.+-]', '_', label)}.{kind}"
                canvas.savefig(target, dpi=160, metadata={"Date": None} if kind == "svg" else None)
                written.append(target)
    return written


def _draw(canvas: Any, axes: Any, curves: list[dict[str, Any]]) -> None:
    """Lines of all systems, or the map of the first."""
    columns = [name for name, values in curves[0].items() if isinstance(values, list)]
    units = curves[0].get("units", {})
    if tuple(columns[:2]) in MAPS:
        _draw_map(canvas, axes, curves[0], columns)
        return
    if any(law in columns for law in LAWS):
        _draw_laws(axes, curves[0], columns)
        return
    ordinates = _ordinates(columns)
    lines = [line for curve in curves for line in _lines(curve, columns[0], ordinates, many=len(curves) > 1)]
    for line in lines[:MOST_LINES]:
        axes.plot(line.x, line.y, label=line.label, linewidth=1.2, marker="o" if len(line.x) < 8 else "", markersize=3)
        axes.fill_between(line.x, line.y - line.error, line.y + line.error, alpha=0.25, linewidth=0)
    axes.set_xlabel(_axis_label(columns[0], units))
    axes.set_ylabel(_axis_label(ordinates[0], units))
    positive = bool(lines) and all((line.x > 0).all() and (line.y > 0).all() for line in lines)
    if ordinates[0] in LOGARITHMIC and positive:
        axes.set(xscale="log", yscale="log")
        low = min(float(line.y.min()) for line in lines)
        axes.set_ylim(0.5 * low, 2.0 * max(float(line.y.max()) for line in lines))
    if any(line.label for line in lines):
        axes.legend(fontsize=7, frameon=False)


def _draw_laws(axes: Any, curve: dict[str, Any], columns: list[str]) -> None:
    """Points with their errors, and the laws fitted to them."""
    x, y, error = (_numbers(curve[name]) for name in (columns[0], columns[1], ERROR))
    axes.errorbar(x, y, np.nan_to_num(error), fmt="o", markersize=3, capsize=2, linewidth=1.0)
    for law in LAWS:
        if law in columns:
            axes.plot(x, _numbers(curve[law]), label=law.replace("_", " "), linewidth=1.0)
    units = curve.get("units", {})
    axes.set(xlabel=_axis_label(columns[0], units), ylabel=_axis_label(columns[1], units))
    axes.legend(fontsize=7, frameon=False)


def _draw_map(canvas: Any, axes: Any, curve: dict[str, Any], columns: list[str]) -> None:
    """A matrix in colours, its rows the first coordinate."""
    i, j = (np.array(curve[name], dtype=np.int64) for name in columns[:2])
    matrix = np.full((i.max() + 1, j.max() + 1), np.nan)
    matrix[i, j] = np.array(curve[columns[2]], dtype=np.float64)
    image = axes.imshow(matrix.T, origin="lower", aspect="auto", cmap="viridis")
    canvas.colorbar(image, label=columns[2].replace("_", " "))
    axes.locator_params(integer=True)
    axes.set(xlabel=columns[0].replace("_", " "), ylabel=columns[1].replace("_", " "))


def _ordinates(columns: list[str]) -> list[str]:
    """The first column that is no coordinate, and those that bring an error of their own."""
    values = [c for c in columns[1:] if c not in COORDINATES and c != ERROR and not c.endswith("_error")]
    first = values[:1]
    return first + [c for c in values[1:] if f"{c}_error" in columns and f"{first[0]}_error" in columns]


def _lines(curve: dict[str, Any], abscissa: str, ordinates: list[str], *, many: bool) -> list[_Line]:
    """Lines of one curve; one for each lag where the curve is a function of distance and lag."""
    system = str(curve["system"]) if many else ""
    x = _numbers(curve[abscissa])
    found = []
    for name in ordinates:
        errors = curve.get(f"{name}_error", curve.get(ERROR))
        y, error = _numbers(curve[name]), _numbers(errors) if errors else np.zeros(len(x))
        error = np.nan_to_num(error)
        own = [name.replace("_", " ")] if len(ordinates) > 1 else []
        second = curve.get("lag") if abscissa != "lag" else None
        for value in np.unique(second) if second else (None,):
            chosen = np.isfinite(y) & (np.ones(len(x), dtype=bool) if value is None else np.array(second) == value)
            at = [] if value is None else [f"lag {value:g} {curve.get('units', {}).get('lag', '')}".strip()]
            label = ", ".join([*([system] if system else []), *own, *at])
            if chosen.any():
                found.append(_Line(label, x[chosen], y[chosen], error[chosen]))
    return found


def _numbers(values: list[Any]) -> Float64[Array, " points"]:
    """Numbers, nan for what is null."""
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _axis_label(name: str, units: dict[str, str]) -> str:
    unit = units.get(name, "")
    return name.replace("_", " ") + (f" ({unit})" if unit else "")
