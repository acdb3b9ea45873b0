"""`cgsim import`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("import")(import_files)


def import_files(
    topology: Annotated[Path, typer.Argument(help="LAMMPS data file, tpr, psf, pdb ...: particles and bonds.")],
    trajectories: Annotated[
        list[Path], typer.Argument(help="LAMMPS dumps (also .gz), xtc, trr, dcd ..., in order of time.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Store to write.")],
    units: Annotated[
        str | None, typer.Option(help="LAMMPS units of the files: real, metal, lj, nano, electron, si.")
    ] = None,
    timestep: Annotated[
        float | None, typer.Option(help="MD step in the LAMMPS unit of time (fs for real), for dumps without times.")
    ] = None,
    save_interval: Annotated[
        str | None, typer.Option(help="Time between frames with its unit ('2 ps'), for files without times.")
    ] = None,
    atom_style: Annotated[
        str | None, typer.Option(help="Style of the LAMMPS data file, if it does not say: full, molecular ...")
    ] = None,
    elements: Annotated[
        str | None, typer.Option(help="Element of each type in order, 'C,H,O'; 'none' for particles that are no atoms.")
    ] = None,
    allow_no_bonds: Annotated[bool, typer.Option("--allow-no-bonds", help="Accept a topology without bonds.")] = False,
    images: Annotated[
        str,
        typer.Option(
            help="auto: from the file, else from the bonds; bonds: always rebuild; unwrapped: positions are unwrapped."
        ),
    ] = "auto",
    start: Annotated[int, typer.Option(help="First frame to keep, counted from 0.")] = 0,
    stop: Annotated[int | None, typer.Option(help="Frame to stop before.")] = None,
    stride: Annotated[int, typer.Option(help="Keep every so-many-th frame.")] = 1,
    decimals: Annotated[
        int | None, typer.Option(help="Keep only so many decimals of a position, for smaller files.")
    ] = None,
    velocities: Annotated[
        bool, typer.Option("--velocities", help="Keep velocities too, which 'cgsim analyze --green-kubo' takes.")
    ] = False,
) -> None:
    """Bring a trajectory into a store: cgsim import TOPOLOGY TRAJECTORY... -o system.h5."""
    from cgsim.cli.outputs import check_outputs
    from cgsim.trajectory.importing import ImportSettings, import_trajectory

    check_outputs([output], [topology, *trajectories])
    settings = ImportSettings(
        units=units,
        timestep=timestep,
        save_interval=save_interval,
        atom_style=atom_style,
        elements=elements,
        allow_no_bonds=allow_no_bonds,
        images=images,
        start=start,
        stop=stop,
        stride=stride,
        decimals=decimals,
        velocities=velocities,
    )
    with _progress("importing") as progress:
        summary = import_trajectory(topology, trajectories, output, settings, progress)
    for line in summary.lines():
        typer.echo(line)


@contextmanager
def _progress(description: str) -> Iterator[Callable[[float], None]]:
    """Show the fraction done, on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(description, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
