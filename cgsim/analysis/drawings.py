"""What stands on each drawing of curves: lines with errors, maps or charts; matplotlib comes later."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cgsim.analysis.looks import (
    COMPOSITION,
    ERROR,
    MAPS,
    SPECIES,
    SYSTEM,
    UNITS,
    Document,
    Look,
    Scale,
    columns_of,
    kind_of,
)
from cgsim.typing import Array, Float64, Int64

AXIS_NAMES = {"lag": "time", "radius_of_gyration": "Rg", "inverse_temperature": "1000/T", "mode": "mode p"}
AXIS_UNITS = {"1000/K": "1/K"}  # of an axis whose name already holds the factor
MOST_COMPOSITIONS = 10


@dataclass(frozen=True)
class Line:
    """One line with its errors.

    Attributes:
        x, y, error: [points].
        label: for the legend.
        references: what is drawn beside it, by its name in the legend: [points].
    """

    x: Float64[Array, " points"]
    y: Float64[Array, " points"]
    error: Float64[Array, " points"]
    label: str = ""
    references: dict[str, Float64[Array, " points"]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cells:
    """A map: the value of every pair of indices that has one."""

    i: Int64[Array, " cells"]
    j: Int64[Array, " cells"]
    value: Float64[Array, " cells"]
    name: str


@dataclass(frozen=True)
class Drawing:
    """One drawing: lines, or a map, or points beside categories.

    Attributes:
        label: species, or the two of a pair.
        of: systems, where there are more drawings of the same label; empty otherwise.
        part: which of the drawings of this kind; empty for the first.
        x_name, y_name: of the axes.
        x_unit, y_unit: as in ``results.json``.
        lines: of all systems.
        cells: the map, if it is one.
        categories: names of the points of the only line, which then stand below each other.
        scale: of the axes, as far as the values allow it.
        level: where to put a line across.
        are_points, is_steady: as its look says.
    """

    label: str
    of: str
    part: str
    x_name: str
    y_name: str
    x_unit: str
    y_unit: str
    lines: tuple[Line, ...] = ()
    cells: Cells | None = None
    categories: tuple[str, ...] = ()
    scale: Scale = Scale.LINEAR
    level: float | None = None
    are_points: bool = False
    is_steady: bool = False


def drawings(name: str, curves: list[Document]) -> list[Drawing]:
    """All drawings of one kind: of every species, the systems over each other where their units are the same.

    Args:
        name: of the kind.
        curves: those of the kind, as ``results.json`` holds them.
    """
    groups: dict[tuple[str, str], list[Document]] = {}
    for curve in curves:
        alone = str(curve[SYSTEM]) if name in (*MAPS, COMPOSITION) else str(sorted(curve.get(UNITS, {}).items()))
        groups.setdefault((curve[SPECIES], alone), []).append(curve)
    shared = [label for label, _ in groups]
    titled = [((label, _systems(same) if shared.count(label) > 1 else ""), same) for (label, _), same in groups.items()]
    if name in MAPS:
        return [_map(name, title, same[0]) for title, same in titled]
    if name == COMPOSITION:
        return [_compositions(title, same[0]) for title, same in titled]
    looks = kind_of(name, curves).looks
    drawn = [_drawing(title, same, look, is_first=look is looks[0]) for look in looks for title, same in titled]
    return [one for one in drawn if one is not None]


def _systems(curves: list[Document]) -> str:
    return f"{curves[0][SYSTEM]}{f' and {len(curves) - 1} more' if len(curves) > 1 else ''}"


def _drawing(title: tuple[str, str], curves: list[Document], look: Look, *, is_first: bool) -> Drawing | None:
    """The drawing of one look; None where the curves lack its columns, or hold no number."""
    first = curves[0]
    abscissa = columns_of(first)[0]
    lines = tuple(line for curve in curves for line in _lines(curve, abscissa, look, many=len(curves) > 1))
    if not lines:
        return None
    units = first.get(UNITS, {})
    x_unit = units.get(abscissa, "")
    y_unit = units.get(look.ordinates[0], "")
    return Drawing(
        *title,
        "" if is_first else look.ordinates[0],
        AXIS_NAMES.get(abscissa, abscissa.replace("_", " ")),
        look.name,
        AXIS_UNITS.get(x_unit, x_unit),
        y_unit,
        lines,
        scale=_possible(look.scale, lines),
        level=look.level,
        are_points=look.are_points,
        is_steady=look.is_steady,
    )


def _possible(scale: Scale, lines: tuple[Line, ...]) -> Scale:
    """The scale, or the nearest one that can show all values."""
    if not all((line.x > 0).all() for line in lines):
        return Scale.LINEAR
    is_positive = all((line.y > 0).all() for line in lines)
    return Scale.LOG_TIME if scale is Scale.LOG and not is_positive else scale


def _lines(curve: Document, abscissa: str, look: Look, *, many: bool) -> list[Line]:
    """Lines of one curve; one for each lag where the curve is a function of distance and lag."""
    x = numbers(curve[abscissa])
    second = numbers(curve["lag"]) if "lag" in curve and abscissa != "lag" else np.zeros(len(x))
    unit = curve.get(UNITS, {}).get("lag", "")
    found = []
    for name in (name for name in look.ordinates if name in curve):
        y = numbers(curve[name])
        errors = curve.get(f"{name}_error", curve.get(ERROR, []))
        error = np.nan_to_num(numbers(errors)) if errors else np.zeros(len(x))
        references = {own: numbers(curve[c]) for c, own in look.references.items() if c in curve}
        for value in np.unique(second):
            chosen = np.isfinite(y) & (second == value)
            if look.scale is Scale.LOG:  # what is not above 0 has no place there, unless much of it is below
                chosen &= (y > 0) | ((y[chosen] < 0).mean() > 0.1 if chosen.any() else False)
            if not chosen.any():
                continue
            parts = [str(curve[SYSTEM])] if many else []
            parts += [name] if len(look.ordinates) > 1 else []
            parts += [f"{value:g} {unit}".strip()] if second.any() else []
            factor = y[chosen][0] if look.is_shape else 1.0
            beside = {own: values[chosen] * factor for own, values in references.items()}
            found.append(Line(x[chosen], y[chosen], error[chosen], ", ".join(parts), beside))
    return found


def _map(name: str, title: tuple[str, str], curve: Document) -> Drawing:
    i, j, value = MAPS[name]
    units = curve.get(UNITS, {})
    cells = Cells(np.array(curve[i], dtype=np.int64), np.array(curve[j], dtype=np.int64), numbers(curve[value]), value)
    x, y = (units.get(c) or c for c in (i, j))
    return Drawing(*title, "", x, y, "", "", cells=cells)


def _compositions(title: tuple[str, str], curve: Document) -> Drawing:
    """The clusters that hold the most ions, by what is in them."""
    species = [c for c in columns_of(curve) if c not in ("clusters", ERROR, "ion_fraction")]
    chosen = np.argsort(-numbers(curve["ion_fraction"]), kind="stable")[:MOST_COMPOSITIONS]
    names = [
        " ".join(f"{curve[s][k]}\u00a0{s}" if curve[s][k] > 1 else s for s in species if curve[s][k]) for k in chosen
    ]
    line = Line(
        numbers(curve["clusters"])[chosen],
        np.arange(len(chosen), dtype=np.float64),
        np.nan_to_num(numbers(curve[ERROR])[chosen]),
    )
    return Drawing(*title, "", "clusters", "", "", "", (line,), categories=tuple(names))


def numbers(values: list[Any]) -> Float64[Array, " points"]:
    """Numbers, nan for what is null."""
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
