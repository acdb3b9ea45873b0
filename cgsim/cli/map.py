"""`cgsim map`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("map")(map_store)


def map_store(
    store: Annotated[Path, typer.Argument(help="Store of atoms, made by 'cgsim import' or 'cgsim generate'.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Store of beads to write.")],
    atoms_per_bead: Annotated[int, typer.Option(min=1, help="Atoms of a bead, on average.")] = 7,
    rules: Annotated[
        list[str] | None,
        typer.Option("--beads", metavar="SPECIES=NUMBER", help="Beads of a species: TFSI=1, ions=1 (default), all=1."),
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First time to keep, with unit.")] = None,
    end: Annotated[str | None, typer.Option("--until", help="Last time to keep, with unit.")] = None,
    decimals: Annotated[int | None, typer.Option(help="Keep so many decimals only; smaller files.")] = None,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Keep the size of each bead, which gives sizes of whole molecules of atoms.")
    ] = False,
) -> None:
    """Coarse-grain a store: cluster atoms to beads with METIS and follow the beads."""
    from cgsim.beads import open_beads, write_beads
    from cgsim.cli.outputs import check_outputs
    from cgsim.errors import InputError
    from cgsim.mapping import MappingSettings
    from cgsim.units import parse_time

    check_outputs([output], [store])
    numbers: dict[str, int] = {}
    for rule in rules or ["ions=1"]:
        species, _, number = rule.partition("=")
        if not number.strip().isdigit():
            raise InputError(f"--beads {rule}: expected SPECIES=NUMBER, for example TFSI=1")
        numbers[species.strip()] = int(number)
    settings = MappingSettings(atoms_per_bead=atoms_per_bead, beads_per_molecule=numbers)
    beads = open_beads(store, settings)
    units = beads.atoms.units
    first = parse_time(begin, units, allow_zero=True) if begin else 0.0
    last = parse_time(end, units) if end else float("inf")
    n_frames = write_beads(beads, output, first, last, decimals, sizes=sizes)
    counts = beads.beads.names
    classes = ", ".join(f"{counts.count(name)} {name}" for name in beads.mapping.class_names)
    typer.echo(f"{output}: {len(counts)} beads ({classes}), {n_frames} frames, mapping {beads.mapping.hash[:12]}")
