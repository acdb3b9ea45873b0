"""Tables of figures as the analysis gives them: charge transport of every source, and the results in a run folder."""

from pathlib import Path
from typing import Any

from cgsim.analysis import AnalysisSettings
from cgsim.analysis.comparison import read_document
from cgsim.benchmark.report.measure import SOURCES, Measured
from cgsim.benchmark.report.table import Cell, Table
from cgsim.benchmark.report.text import DASH, common_exponent, power_of_ten, pretty_unit, pretty_value
from cgsim.errors import InputError

RESULTS = "results.json"
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


def results_table(folder: Path) -> Table | None:
    """Figures of the results in a run folder, with intervals, and warnings as footnotes."""
    try:
        figures: list[Document] = read_document(folder / RESULTS, AnalysisSettings())["figures"]
    except InputError:
        return None
    notes = list(dict.fromkeys(f["warning"] for f in figures if f.get("warning")))
    several = len({f["system"] for f in figures}) > 1
    rows = []
    for f in figures:
        shift = common_exponent(f["value"])
        mark = str(notes.index(f["warning"]) + 1) if f.get("warning") else ""
        low, high = f.get("interval_95") or (None, None)
        interval = f"{pretty_value(low, None, shift)} to {pretty_value(high, None, shift)}" if low is not None else DASH
        cells = (
            Cell(f["name"].replace("_", " "), "name", mark),
            Cell(f["species"]),
            Cell(f["method"], "unit"),
            _unit(f, shift),
            Cell(pretty_value(f["value"], f["standard_error"], shift), "number"),
            Cell(interval, "number quiet"),
        )
        rows.append((*((Cell(f["system"], "unit"),) if several else ()), *cells))
    head = (*(("System",) if several else ()), "Figure", "Species", "Method", "Unit", "Value", "95 %")
    return Table(head, tuple(rows), tuple(notes)) if rows else None


def _unit(figure: Document, shift: int) -> Cell:
    unit = pretty_unit(figure["unit"])
    return Cell(f"{power_of_ten(shift)} {unit}".strip() if shift else unit, "unit")
