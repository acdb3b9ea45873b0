"""`cgsim map`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("map")(map_stores)


def map_stores(
    stores: Annotated[list[Path], typer.Argument(help="Stores of atoms, made by 'cgsim import' or 'cgsim generate'.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Store of beads to write; of several stores, the folder to fill.")
    ],
    atoms_per_bead: Annotated[int, typer.Option(min=1, help="Atoms of a bead, on average.")] = 7,
    rules: Annotated[
        list[str] | None,
        typer.Option("--beads", metavar="SPECIES=NUMBER", help="Beads of a species: TFSI=1, ions=1 (default), all=1."),
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First time to keep, with unit.")] = None,
    end: Annotated[str | None, typer.Option("--until", help="Last time to keep, with unit.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Keep one frame of so many.")] = 1,
    decimals: Annotated[int | None, typer.Option(help="Keep so many decimals only; smaller files.")] = None,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Keep the size of each bead, which gives sizes of whole molecules of atoms.")
    ] = False,
) -> None:
    """Coarse-grain stores: cluster atoms to beads with METIS and follow the beads.

    With several stores each gets a file of its name in the output folder.
    """
    from cgsim.beads import open_beads, write_beads
    from cgsim.errors import InputError
    from cgsim.mapping import MappingSettings
    from cgsim.units import parse_time

    outputs = _outputs(stores, output)
    numbers: dict[str, int] = {}
    for rule in rules or ["ions=1"]:
        species, _, number = rule.partition("=")
        if not number.strip().isdigit():
            raise InputError(f"--beads {rule}: expected SPECIES=NUMBER, for example TFSI=1")
        numbers[species.strip()] = int(number)
    settings = MappingSettings(atoms_per_bead=atoms_per_bead, beads_per_molecule=numbers)
    opened = [open_beads(store, settings) for store in stores]
    spans = [
        (
            parse_time(begin, beads.atoms.units, allow_zero=True) if begin else 0.0,
            parse_time(end, beads.atoms.units) if end else float("inf"),
        )
        for beads in opened
    ]
    for beads, path, (first, last) in zip(opened, outputs, spans, strict=True):
        n_frames = write_beads(beads, path, first, last, decimals, sizes=sizes, every=every)
        counts = beads.beads.names
        classes = ", ".join(f"{counts.count(name)} {name}" for name in beads.mapping.class_names)
        typer.echo(f"{path}: {len(counts)} beads ({classes}), {n_frames} frames, mapping {beads.mapping.hash[:12]}")


def _outputs(stores: list[Path], output: Path) -> list[Path]:
    """The file to write for each store; makes the folder of several.

    Raises:
        InputError: if two stores would be one file, or a file cannot be written.
    """
    from cgsim.cli.outputs import check_outputs
    from cgsim.errors import InputError

    if len(stores) == 1 and not output.is_dir():
        check_outputs([output], stores)
        return [output]
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file, expected a folder for {len(stores)} stores")
    paths = [output / store.name for store in stores]
    twice = sorted({path.name for path in paths if paths.count(path) > 1})
    if twice:
        raise InputError(f"{output / twice[0]}: two of the stores have this name; map them to different folders")
    if not output.parent.is_dir():
        raise InputError(f"{output}: the directory {output.parent} does not exist")
    output.mkdir(exist_ok=True)
    check_outputs(paths, stores)
    return paths
