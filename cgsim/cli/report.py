"""`cgsim report`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("report")(report)


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, as train, simulate and demo write them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write.")] = Path("report.html"),
) -> None:
    """Write one self-contained HTML page about a run: cgsim report RUN -o report.html."""
    from cgsim.benchmark.report import write_report
    from cgsim.cli.progress import fraction_progress

    with fraction_progress() as progress:
        write_report(runs, output, progress)
    typer.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
