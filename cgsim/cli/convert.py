"""`cgsim convert`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("convert")(convert)


def convert(
    store: Annotated[Path, typer.Argument(help="Store to read.")],
    output: Annotated[
        list[Path],
        typer.Option(
            "-o",
            "--output",
            help="File to write, several allowed: .lammpstrj .xyz .xtc .trr .dcd, and .data .pdb of the first frame.",
        ),
    ],
    start: Annotated[int, typer.Option(min=0, help="First frame, counted from 0.")] = 0,
    stop: Annotated[int | None, typer.Option(help="Frame to stop before.")] = None,
    stride: Annotated[int, typer.Option(min=1, help="Write every so-many-th frame.")] = 1,
) -> None:
    """Write a store for other programs: cgsim convert system.h5 -o system.data -o system.lammpstrj."""
    from cgsim.cli.outputs import check_outputs
    from cgsim.trajectory.exporting import convert_store

    check_outputs(output, [store])
    for line in convert_store(store, output, slice(start, stop, stride)):
        typer.echo(line)
