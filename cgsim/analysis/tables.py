"""Results as CSV for spreadsheets and data frames: one table of figures, and one of points for each kind of curve."""

import csv
import io
from pathlib import Path
from typing import Any

from cgsim.analysis.figures import BOUND_MARKS
from cgsim.trajectory.writer import disk_errors

FIGURE_COLUMNS = (
    "system",
    "name",
    "species",
    "method",
    "bound",
    "value",
    "standard_error",
    "low_68",
    "high_68",
    "low_95",
    "high_95",
    "degrees_of_freedom",
    "distribution",
    "unit",
    "window_from",
    "window_to",
    "window_unit",
    "n_effective",
    "block_length",
    "n_blocks",
    "warning",
    "file",
)
PAIRS = {
    "interval_68": ("low_68", "high_68"),
    "interval_95": ("low_95", "high_95"),
    "window": ("window_from", "window_to"),
}
LABELS = ("system", "species")
UNITS = "units"


def figures_csv(document: dict[str, Any]) -> str:
    """One row per figure; a value that does not exist is an empty cell, ``bound`` is ``>`` or ``<`` before a bound."""
    rows = []
    for figure in document["figures"]:
        row = {name: figure.get(name) for name in FIGURE_COLUMNS}
        row["bound"] = BOUND_MARKS.get(figure.get("bound", ""))
        for key, names in PAIRS.items():
            row |= dict(zip(names, figure.get(key) or (None, None), strict=True))
        rows.append(row)
    return _csv(list(FIGURE_COLUMNS), rows)


def curves_csv(curves: list[dict[str, Any]]) -> str:
    """One row per point of the curves of one kind; units stand in the head of each column, as in ``lag [ps]``."""
    rows, columns = [], list(LABELS)
    for curve in curves:
        names = [name for name, values in curve.items() if isinstance(values, list)]
        units = curve.get(UNITS, {})
        heads = {name: f"{name} [{units[name]}]" if units.get(name) else name for name in names}
        columns += [head for head in heads.values() if head not in columns]
        labels = {name: curve[name] for name in LABELS}
        for values in zip(*(curve[name] for name in names), strict=True):
            rows.append(labels | dict(zip(heads.values(), values, strict=True)))
    return _csv(columns, rows)


def write_tables(document: dict[str, Any], path: Path) -> list[Path]:
    """Write ``results.csv`` and ``results-curves/KIND.csv`` beside ``results.json``; files of an earlier run go.

    Args:
        document: of ``results.json``.
        path: that file.

    Returns:
        The files written.

    Raises:
        InputError: if a file cannot be written.
    """
    texts = {path.with_suffix(".csv"): figures_csv(document)}
    folder = path.with_name(f"{path.stem}-curves")
    texts |= {folder / f"{kind}.csv": curves_csv(curves) for kind, curves in document["curves"].items() if curves}
    with disk_errors(path):
        if document["curves"]:
            folder.mkdir(exist_ok=True)
        for old in set(folder.glob("*.csv")) - set(texts) if folder.is_dir() else ():
            old.unlink()
        for target, text in texts.items():
            target.write_text(text, encoding="utf-8")
    return list(texts)


def _csv(columns: list[str], rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
