"""Rows of the speed benchmark, and their table in Markdown."""

from cgsim.benchmark.rows import Row
from cgsim.benchmark.speed.timing import Timing

TASK = "speed"


def speed_row(system: str, method: str, metric: str, timing: Timing | float) -> Row:
    """One figure; a bare number has no spread."""
    measured = timing if isinstance(timing, Timing) else Timing(timing, float("nan"))
    return Row(
        task=TASK,
        system=system,
        method=method,
        metric=metric,
        value=measured.value,
        standard_error=measured.standard_error,
        n_seeds=0,
    )


def markdown(rows: list[Row]) -> str:
    """All rows as one table."""
    lines = ["| system | method | figure | value |", "|---|---|---|---:|"]
    lines += [f"| {r.system} | {r.method} | {r.metric} | {number(r)} |" for r in rows]
    return "\n".join(lines) + "\n"


def number(row: Row) -> str:
    """Value with three digits, and its standard error where it is known."""
    if row.value is None:
        return "-"
    error = f" ± {row.standard_error:.2g}" if row.standard_error else ""
    return f"{row.value:.3g}{error}"
