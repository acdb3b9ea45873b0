"""Progress bars: on a terminal only, so that log files stay readable."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from cgsim.units import UnitSystem, format_time

if TYPE_CHECKING:
    from cgsim.production import Progress as RolloutProgress

SECONDS_PER_DAY = 86_400.0
LOG_EVERY = 60.0  # seconds between lines of progress where there is no terminal


def _bar(*columns: ProgressColumn) -> Progress:
    """A bar on a terminal, with these columns between it and the rest of the time; nothing elsewhere."""
    shown = (TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn())
    return Progress(*shown, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)


@contextmanager
def rollout_progress(units: UnitSystem) -> Iterator[Callable[["RolloutProgress"], None]]:
    """Show steps, rest and simulated time per day of a production run."""
    with _bar(MofNCompleteColumn()) as bar:
        task = bar.add_task("simulating", total=None)

        def report(progress: "RolloutProgress") -> None:
            speed = f"{format_time(progress.time_per_day, units)}/day, {progress.n_alive} running"
            bar.update(task, completed=progress.step, total=progress.n_steps, description=speed)

        yield report


@contextmanager
def fraction_progress() -> Iterator[Callable[[str, float], None]]:
    """Show what is being done and the fraction done."""
    with _bar() as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda text, part: bar.update(task, completed=part, description=text)


@contextmanager
def engine_progress(total: float, unit: str) -> Iterator[Callable[[str, float, bool], None]]:
    """Show finished time, rest and simulated time per day of engines that run side by side, all together.

    Where there is no terminal a line comes at most once a minute, for log files.

    Args:
        total: simulated time of all that is to be done.
        unit: of simulated time.

    Yields:
        What takes the name of a finished part, its simulated time, and whether it was run now or was there already.
    """
    with _bar(TaskProgressColumn()) as bar:
        task = bar.add_task("starting", total=total)
        started = said = time.monotonic()
        done = simulated = 0.0

        def report(name: str, simulated_time: float, is_new: bool) -> None:
            nonlocal done, simulated, said
            now, done = time.monotonic(), done + simulated_time
            description = name
            if is_new:
                simulated += simulated_time
                description += f", {simulated / (now - started) * SECONDS_PER_DAY:.3g} {unit}/day"
            bar.update(task, completed=done, description=description)
            if bar.disable and is_new and now - said > LOG_EVERY:
                said = now
                print(f"progress {done:g} of {total:g} {unit}: {description}", flush=True)

        yield report
