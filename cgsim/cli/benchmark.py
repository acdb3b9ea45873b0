"""`cgsim benchmark`: one verb for each table of docs/benchmarks.md."""

from pathlib import Path
from typing import Annotated

import typer

benchmarks = typer.Typer(
    help="Measure accuracy and speed against molecular dynamics.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    app.add_typer(benchmarks, name="benchmark")


@benchmarks.command("speed")
def speed(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the rows and the table; what is there is replaced.")
    ] = Path("runs/benchmark/speed"),
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    largest: Annotated[int, typer.Option(min=1000, help="Beads of the largest box that is measured.")] = 1_000_000,
    repeats: Annotated[int, typer.Option(min=3, help="Alternating rounds that each median is taken over.")] = 7,
) -> None:
    """Measure where the time of a simulation and of training goes: less than ten minutes on two cores."""
    from cgsim.benchmark.speed import SpeedBenchmark, run_speed
    from cgsim.config import select_device

    table = run_speed(
        SpeedBenchmark(output=output, device=select_device(device), largest=largest, repeats=repeats), typer.echo
    )
    typer.echo(table)
