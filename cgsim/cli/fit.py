"""`cgsim fit`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("fit")(fit)


def fit(
    files: Annotated[list[Path], typer.Argument(help="Results of one material at several temperatures.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON file to write.")],
    at: Annotated[float | None, typer.Option(help="Give the value of each curve at this temperature in K too.")] = None,
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Fit systems of different composition together.")
    ] = False,
    plots: Annotated[str, typer.Option(help="Draw the points and laws too: png, svg or pdf.")] = "",
) -> None:
    """Fit Arrhenius and VFT laws over temperatures: cgsim fit 360K.json 400K.json 440K.json -o fit.json."""
    from cgsim.analysis.temperatures import fit_results
    from cgsim.cli.results import check_output, print_results, write_all

    check_output(output, plots, files)
    document = fit_results(files, at, allow_mixed=allow_mixed)
    write_all(document, output, plots)
    print_results(document, output)
