"""Figures of a benchmark: predicted against true values, and every method's scores side by side."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cgsim.benchmark.rows import OURS, REFERENCE, Row, Rows
from cgsim.benchmark.task import Task
from cgsim.typing import Array, Float64

MOST_IN_PARITY = 5  # methods, so that they can be told apart
DPI = 130


def draw_figures(task: Task, rows: list[Row], folder: Path) -> list[Path]:
    """Write ``parity-<quantity>.png`` and ``scores.png``; returns what was written."""
    found = Rows(rows)
    paths = []
    for quantity in task.quantities:
        path = folder / f"parity-{quantity}.png"
        if _parity(found, quantity, path):
            paths.append(path)
    path = folder / "scores.png"
    if _scores(task, found, path):
        paths.append(path)
    return paths


def _parity(rows: Rows, quantity: str, path: Path) -> bool:
    """Predicted against true value, one point a system, with both errors."""
    methods = [m for m in rows.methods if m != REFERENCE and any(rows.find(m, quantity, s) for s in rows.systems)]
    ours = [m for m in methods if m.startswith(OURS)]
    others = [m for m in ("short-md", "composition-linear", "supervised-gnn", "autoregression") if m in methods]
    chosen = [*ours, *others][:MOST_IN_PARITY]
    if not chosen or not any(rows.find(REFERENCE, quantity, s) for s in rows.systems):
        return False
    with _figure(path, (4.2, 4.0)) as figure:
        axes = figure.subplots()
        for method in chosen:
            pairs = [(rows.find(REFERENCE, quantity, s), rows.find(method, quantity, s)) for s in rows.systems]
            known = np.array([(*_both(a), *_both(b)) for a, b in pairs if a and b]).reshape(-1, 4)
            axes.errorbar(
                known[:, 0], known[:, 2], xerr=known[:, 1], yerr=known[:, 3], fmt="o", ms=4, lw=0.7, label=method
            )
        true = np.array([_both(row)[0] for s in rows.systems if (row := rows.find(REFERENCE, quantity, s))])
        span = [float(true.min()), float(true.max())]
        margin = 0.3 * (span[1] - span[0]) or 0.5
        limits = (span[0] - margin, span[1] + margin)
        axes.plot(limits, limits, color="0.5", lw=0.8)
        axes.set(xlabel=f"{quantity}, long MD", ylabel=f"{quantity}, predicted", xlim=limits, ylim=limits)
        axes.legend(fontsize=7, frameon=False)
    return True


def _scores(task: Task, rows: Rows, path: Path) -> bool:
    """One panel a headline metric, one bar a method."""
    metrics = [m for m in task.headline if sum(bool(rows.find(method, m)) for method in rows.methods) > 1]
    if not metrics:
        return False
    columns = 3
    lines = -(-len(metrics) // columns)
    with _figure(path, (4.2 * columns, 2.6 * lines)) as figure:
        for k, metric in enumerate(metrics):
            axes = figure.add_subplot(lines, columns, k + 1)
            found = [(m, row) for m in rows.methods if (row := rows.find(m, metric))]
            values = np.array([_both(row) for _, row in found])
            colors = ["C0" if m.startswith(OURS) else "0.6" for m, _ in found]
            places = np.arange(len(found))
            axes.barh(places, values[:, 0], xerr=values[:, 1], color=colors, error_kw={"lw": 0.8})
            axes.set_yticks(places, [m for m, _ in found], fontsize=7)
            axes.invert_yaxis()
            axes.set_title(metric, fontsize=9)
            _limit(axes, values[:, 0])
    return True


def _limit(axes: Axes, values: Float64[Array, " methods"]) -> None:
    """Keep one wild baseline from hiding all others."""
    middle = float(np.median(np.abs(values)))
    if middle > 0 and np.abs(values).max() > 20 * middle:
        axes.set_xlim(-5 * middle if values.min() < 0 else 0.0, 5 * middle)


@contextmanager
def _figure(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """A figure that is written when the block ends, all or nothing."""
    figure = Figure(figsize=size, layout="constrained")
    yield figure
    partial = path.with_name(f".{path.name}.partial")
    figure.savefig(partial, dpi=DPI, format="png")
    partial.replace(path)


def _both(row: Row) -> tuple[float, float]:
    return (row.value if row.value is not None else float("nan"), row.standard_error or 0.0)
