"""Rows of the benchmark: one number of one method, and the file that holds them all."""

import json
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from cgsim.analysis import write_results
from cgsim.errors import InputError

ALL = "all"  # in place of a system: over all unseen systems
REFERENCE = "md"  # the method that the others are compared with
OURS = "cgsim-"  # how the names of our methods begin


class Row(BaseModel):
    """One number.

    Attributes:
        task: ``chain`` or ``electrolyte``.
        system: name of the system, or ``all``.
        method: who says so.
        metric: what it is.
        value: None where it is not defined.
        standard_error: None where it is not known.
        n_seeds: training seeds behind it; 0 for methods without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    system: str
    method: str
    metric: str
    value: float | None
    standard_error: float | None
    n_seeds: int

    @field_validator("value", "standard_error")
    @classmethod
    def _finite_or_none(cls, value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) else None


class Rows:
    """All rows of a task, found by system, method and metric.

    Attributes:
        rows: in the order in which they were made.
    """

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self._index = {(r.system, r.method, r.metric): r for r in rows}

    def find(self, method: str, metric: str, system: str = ALL) -> Row | None:
        """A row that has a value; None if there is none."""
        row = self._index.get((system, method, metric))
        return row if row is not None and row.value is not None else None

    @property
    def methods(self) -> list[str]:
        """Methods in order of appearance, ours first."""
        found = dict.fromkeys(r.method for r in self.rows)
        return sorted(found, key=lambda name: not name.startswith(OURS))

    def metrics(self, system: str = ALL) -> list[str]:
        """Metrics of one system, or over all, in order of appearance."""
        return list(dict.fromkeys(r.metric for r in self.rows if r.system == system))

    @property
    def systems(self) -> list[str]:
        """Systems in order of appearance."""
        return [s for s in dict.fromkeys(r.system for r in self.rows) if s != ALL]


def write_rows(rows: list[Row], path: Path) -> None:
    """Write ``{"rows": [...]}`` as standard JSON, all or nothing.

    Raises:
        InputError: if the folder does not exist or cannot be written.
    """
    write_results({"rows": [row.model_dump(mode="json") for row in rows]}, path)


def read_rows(path: Path) -> list[Row]:
    """Read what :func:`write_rows` wrote.

    Raises:
        InputError: if the file is not there or is something else.
    """
    try:
        document: Any = json.loads(path.read_text())
        return [Row.model_validate(row) for row in document["rows"]]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValidationError):
        raise InputError(f"{path}: expected {{\"rows\": [...]}} as 'cgsim benchmark' writes it") from None
