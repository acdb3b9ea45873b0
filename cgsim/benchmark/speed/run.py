"""The speed benchmark: one run, one table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cgsim.benchmark.rows import write_rows
from cgsim.benchmark.speed.calls import measure_calls
from cgsim.benchmark.speed.record import markdown
from cgsim.benchmark.speed.systems import ELECTROLYTE, import_electrolyte, load_setting


@dataclass(frozen=True)
class SpeedBenchmark:
    """What to measure.

    Attributes:
        output: folder of ``rows.json`` and ``table.md``.
        device: where.
        largest: beads of the largest box.
        repeats: alternating rounds that each median is taken over.
    """

    output: Path
    device: torch.device
    largest: int
    repeats: int


def run_speed(settings: SpeedBenchmark, say: Callable[[str], None]) -> str:
    """Measure everything, write ``rows.json`` and ``table.md``.

    Returns:
        The table in Markdown.
    """
    settings.output.mkdir(parents=True, exist_ok=True)
    say("importing the shipped electrolyte")
    electrolyte = load_setting(ELECTROLYTE, import_electrolyte(settings.output), settings.device)
    rows = measure_calls(electrolyte, "electrolyte", 1, settings.repeats)
    write_rows(rows, settings.output / "rows.json")
    table = markdown(rows)
    (settings.output / "table.md").write_text(table)
    return table
