"""What the analysis gives: tables of charge transport and of the results in a run folder, and all their curves."""

from dataclasses import dataclass
from typing import Any

from cgsim.analysis.drawings import Drawing, drawings
from cgsim.analysis.figures import BOUND_MARKS
from cgsim.analysis.lettering import common_exponent, power_of_ten, pretty_unit
from cgsim.analysis.looks import KINDS, TOPICS, Kind, kind_of
from cgsim.analysis.plots import Style, draw
from cgsim.benchmark.report.measure import SOURCES, Measured
from cgsim.benchmark.report.style import CGSIM, LINES, MUTED, Panel, plot
from cgsim.benchmark.report.table import Cell, Table
from cgsim.benchmark.report.text import DASH, join, pretty_value, some

MOST_OF_A_KIND = 9  # panels
STYLE = Style(LINES, CGSIM, MUTED, 6.5)
TRANSPORT = (
    "conductivity",
    "haven_ratio",
    "transference_number",
    "onsager_coefficient",
    "onsager_self",
    "onsager_distinct",
)
Document = dict[str, Any]


def transport_table(measured: list[Measured]) -> Table | None:
    """Charge transport of rollouts, MD and short MD side by side, by every method."""
    rows = []
    several = len(measured) > 1
    for one in measured:
        found = {source: one.results.get(source, {}).get("figures", []) for source in SOURCES}
        keys = dict.fromkeys(
            (f["name"], f["species"], f["method"]) for own in found.values() for f in own if f["name"] in TRANSPORT
        )
        for key in sorted(keys, key=lambda key: TRANSPORT.index(key[0])):
            figures = [one.figure(key[0], key[1], source, key[2]) for source in SOURCES]
            rows.append(((Cell(one.name, "unit"),) if several else ()) + _row(key, figures))
    head = ("Figure", "Species", "Method", "Unit", *SOURCES)
    return Table((*(("System",) if several else ()), *head), tuple(rows), ()) if rows else None


def _row(key: tuple[str, str, str], figures: list[Document | None]) -> tuple[Cell, ...]:
    """One figure of all sources in one unit."""
    known = [f for f in figures if f is not None]
    shift = common_exponent(max((abs(f["value"] or 0.0) for f in known), default=0.0))
    values = [
        Cell(pretty_value(f["value"], f["standard_error"], shift) + ("*" if f.get("warning") else ""), "number")
        if f
        else Cell(DASH, "number")
        for f in figures
    ]
    name, species, method = key
    return Cell(name.replace("_", " "), "name"), Cell(species), Cell(method, "unit"), _unit(known[0], shift), *values


def results_table(document: Document) -> Table | None:
    """Figures of the results in a run folder, with intervals, and warnings as footnotes."""
    figures: list[Document] = document["figures"]
    notes = list(dict.fromkeys(f["warning"] for f in figures if f.get("warning")))
    several = len({f["system"] for f in figures}) > 1
    rows = []
    for f in figures:
        shift = common_exponent(f["value"])
        mark = str(notes.index(f["warning"]) + 1) if f.get("warning") else ""
        low, high = f.get("interval_95") or (None, None)
        interval = f"{pretty_value(low, None, shift)} to {pretty_value(high, None, shift)}"
        bound = BOUND_MARKS.get(f.get("bound", ""), "")
        value = f"{bound}\u00a0{pretty_value(f['value'], None, shift)}" if bound else ""
        cells = (
            Cell(f["name"].replace("_", " "), "name", mark),
            Cell(f["species"]),
            Cell(f["method"], "unit"),
            _unit(f, shift),
            Cell(value or pretty_value(f["value"], f["standard_error"], shift), "number"),
            Cell(DASH if bound or low is None else interval, "number quiet"),
        )
        rows.append((*((Cell(f["system"], "unit"),) if several else ()), *cells))
    head = (*(("System",) if several else ()), "Figure", "Species", "Method", "Unit", "Value", "95 %")
    return Table(head, tuple(rows), tuple(notes)) if rows else None


@dataclass(frozen=True)
class Curves:
    """All curves of one topic.

    Attributes:
        text: what they are, and what is left out.
        panels: their drawings.
    """

    text: str
    panels: tuple[Panel, ...]


def results_curves(document: Document) -> list[Curves]:
    """Every kind of curve of the results in a run folder, drawn as ``cgsim analyze --plots`` does."""
    curves = {name: own for name, own in document.get("curves", {}).items() if own}
    drawn = {name: drawings(name, own) for name, own in curves.items()}
    kinds = {name: kind_of(name, own) for name, own in curves.items()}
    found = []
    for topic in TOPICS:
        names = [name for name in KINDS if name in kinds] + [name for name in kinds if name not in KINDS]
        names = [name for name in names if kinds[name].topic == topic and drawn[name]]
        if names:
            found.append(_topic(topic, [kinds[name] for name in names], [drawn[name] for name in names]))
    return found


def _topic(topic: str, kinds: list[Kind], drawn: list[list[Drawing]]) -> Curves:
    """Some of the drawings of every kind, and which are left out."""
    sentences = [f"{topic}: {join([kind.title[0].lower() + kind.title[1:] for kind in kinds])}."]
    sentences += [kind.remark for kind in kinds]
    if left := [" of ".join(filter(None, [_what(one), one.label])) for own in drawn for one in own[MOST_OF_A_KIND:]]:
        sentences.append(f"Not shown, but in the file: {some(left)}.")
    if max(len(one.lines) for own in drawn for one in own) > len(STYLE.colors):
        sentences.append(f"Of the lines of one drawing the first {len(STYLE.colors)} are shown.")
    shown = [(kind, one) for kind, own in zip(kinds, drawn, strict=True) for one in own[:MOST_OF_A_KIND]]
    return Curves(" ".join(filter(None, sentences)), tuple(_panel(kind.title, one) for kind, one in shown))


def _name(drawing: Drawing) -> str:
    """``"Li–polymer.O, neighbours within r"``."""
    pair = drawing.label if " " in drawing.label else drawing.label.replace("-", "–")
    return ", ".join(filter(None, [pair, drawing.of, _what(drawing)]))


def _what(drawing: Drawing) -> str:
    if drawing.cells is not None:
        return drawing.cells.name
    return drawing.x_name if drawing.categories else drawing.y_name


def _panel(title: str, drawing: Drawing) -> Panel:
    labels = [line.label for line in drawing.lines[: len(STYLE.colors)] if line.label]
    alt = f"{title} of {_name(drawing)}{f'; lines: {some(labels)}' if labels else ''}."
    with plot(_name(drawing), alt, is_fitted=drawing.cells is not None or bool(drawing.categories)) as sheet:
        draw(sheet.axes, drawing, STYLE)
    return sheet.panel


def _unit(figure: Document, shift: int) -> Cell:
    unit = pretty_unit(figure["unit"])
    return Cell(f"{power_of_ten(shift)} {unit}".strip() if shift else unit, "unit")
