"""Progress bars: on a terminal only, so that log files stay readable."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cgsim.production import Progress as RolloutProgress
from cgsim.units import UnitSystem, format_time


@contextmanager
def rollout_progress(units: UnitSystem) -> Iterator[Callable[[RolloutProgress], None]]:
    """Show steps, rest and simulated time per day of a production run."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("simulating", total=None)

        def report(progress: RolloutProgress) -> None:
            speed = f"{format_time(progress.time_per_day, units)}/day, {progress.n_alive} running"
            bar.update(task, completed=progress.step, total=progress.n_steps, description=speed)

        yield report


@contextmanager
def fraction_progress() -> Iterator[Callable[[str, float], None]]:
    """Show what is being done and the fraction done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda text, part: bar.update(task, completed=part, description=text)
