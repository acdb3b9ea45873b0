"""The one table that the demo ends with: ours, long MD, MD of training length, each with its error."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from cgsim.benchmark.report import Manifest, TableRow
from cgsim.observables.statistics import Estimate


@dataclass(frozen=True)
class Comparison:
    """What one task found.

    Attributes:
        manifest: for the report; holds the table.
        documents: results of each source: ``md``, ``short``, ``cgsim``.
    """

    manifest: Manifest
    documents: dict[str, dict[str, Any]]


def find(document: dict[str, Any], name: str, species: str, *, system: str | None = None) -> Estimate:
    """The figure of a results document; multi-origin where there are several; not a number where there is none."""
    found = [
        f
        for f in document["figures"]
        if f["name"] == name and f["species"] == species and system in (None, f["system"]) and f["value"] is not None
    ]
    found.sort(key=lambda f: "single-origin" in f["method"])
    if not found:
        return Estimate(math.nan, math.nan)
    error = found[0]["standard_error"]
    return Estimate(found[0]["value"], math.nan if error is None else error)


def caveat(document: dict[str, Any], name: str, species: str) -> str:
    """What a reader must know of the MD's figure before comparing with it: the first clause of its warning."""
    warnings = [
        f.get("warning", "")
        for f in document["figures"]
        if f["name"] == name and f["species"] == species and "multi-origin" in f["method"]
    ]
    return f"MD: {warnings[0].split(' (')[0].split(';')[0]}" if warnings and warnings[0] else ""


def curve_at(document: dict[str, Any], kind: str, label: str, x: float) -> Estimate:
    """Value of a curve at one abscissa, averaged over the document's systems that have it, linearly interpolated."""
    values, errors = [], []
    for curve in document["curves"].get(kind, []):
        columns = list(curve)
        if curve["species"] != label or curve[columns[2]][-1] < x:
            continue
        abscissa = np.array(curve[columns[2]], dtype=float)
        values.append(float(np.interp(x, abscissa, np.array(curve[columns[3]], dtype=float))))
        errors.append(float(np.interp(x, abscissa, np.array(curve["standard_error"], dtype=float))))
    if not values:
        return Estimate(math.nan, math.nan)
    return Estimate(float(np.mean(values)), float(np.sqrt(np.mean(np.square(errors)) / len(values))))


def row(
    system: str, figure: str, unit: str, ours: Estimate, md: Estimate, short: Estimate, *, note: str = ""
) -> TableRow:
    """One line of the table; what is not known is left out."""

    def known(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return TableRow(
        system=system,
        figure=figure,
        unit=unit,
        cgsim=known(ours.value),
        cgsim_error=known(ours.standard_error),
        md=known(md.value),
        md_error=known(md.standard_error),
        short_md=known(short.value),
        short_md_error=known(short.standard_error),
        note=note,
    )


def draw(rows: list[TableRow]) -> Table:
    """The table for the terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("system", "figure", "unit"):
        table.add_column(name)
    for name in ("cgsim", "MD", "short MD"):
        table.add_column(name, justify="right")
    table.add_column("note")
    for r in rows:
        pairs = ((r.cgsim, r.cgsim_error), (r.md, r.md_error), (r.short_md, r.short_md_error))
        table.add_row(r.system, r.figure, r.unit, *(with_error(*pair) for pair in pairs), r.note)
    return table


def with_error(value: float | None, error: float | None) -> str:
    """A number with as many digits as its error allows."""
    if value is None:
        return "-"
    if error is None or error == 0.0:
        return f"{value:.3g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    if digits > 5:
        return f"{value:.2e} ± {error:.0e}"
    return f"{value:.{digits}f} ± {error:.{digits}f}"
