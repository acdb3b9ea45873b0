"""Training curves: one CSV file that a resumed run goes on with."""

import csv
from collections.abc import Mapping
from pathlib import Path

STEP = "step"


class Curves:
    """Losses over optimiser steps, one row a step; the file is written anew, and atomically, with every row.

    Args:
        path: the file.
        steps_done: rows that a previous run wrote beyond this step are dropped: they will be written again.

    Attributes:
        rows: values by name, in order of steps.
    """

    def __init__(self, path: Path, steps_done: int) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        if steps_done and path.exists():
            with path.open(newline="") as file:
                rows = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
            self.rows = [row for row in rows if row[STEP] <= steps_done]

    @property
    def last(self) -> dict[str, float]:
        """The last value of every curve."""
        return {name: value for row in self.rows for name, value in row.items() if name != STEP}

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values reached after so many steps."""
        self.rows.append({STEP: step, **values})
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        partial = self.path.with_name(f".{self.path.name}.partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({**row, STEP: int(row[STEP])} for row in self.rows)
        partial.replace(self.path)
