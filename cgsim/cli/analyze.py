"""`cgsim analyze`."""

from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("analyze")(analyze)


def analyze(
    files: Annotated[list[Path], typer.Argument(help="Stores of atoms or beads: MD or rollouts.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON file to write.")],
    temperature: Annotated[
        float | None, typer.Option(help="Temperature in K, for conductivities, unless the file states it.")
    ] = None,
    equilibration: Annotated[str, typer.Option(help="Time to leave out at the start, with unit: '100 ps'.")] = "",
    species: Annotated[
        list[str] | None, typer.Option(help="Only this species (Li, TFSI, polymer); may be repeated.")
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(
            "--pair",
            "--pairs",
            help="Pair for an rdf, 'Li:polymer.O', 'element=Li:TFSI.name=O*'; may be repeated.",
        ),
    ] = None,
    rdf_cutoff: Annotated[float | None, typer.Option(help="Largest distance of rdfs.")] = None,
    rdf_bin_width: Annotated[float | None, typer.Option(help="Bin width of rdfs.")] = None,
    structure_frames: Annotated[int, typer.Option(help="At most so many frames for rdfs and clusters.")] = 500,
    cluster_cutoff: Annotated[
        float | None, typer.Option(help="Distance within which ions hang together (atoms: 3.4 A).")
    ] = None,
    coordination_cutoff: Annotated[
        float | None, typer.Option(help="Distance within which neighbours are counted, instead of the first minimum.")
    ] = None,
    density_profile: Annotated[
        list[str] | None, typer.Option(help="Axis of density profiles: x, y or z; may be repeated.")
    ] = None,
    profile_bin_width: Annotated[float | None, typer.Option(help="Thickness of the slabs of density profiles.")] = None,
    contact_maps: Annotated[
        bool, typer.Option("--contact-maps", help="Contacts within chains and between molecules too.")
    ] = False,
    contact_cutoff: Annotated[float | None, typer.Option(help="Distance of a contact (atoms: 4.5 A).")] = None,
    beads_of: Annotated[
        Path | None, typer.Option(help="See stores of atoms as the beads of this rollout or mapping.")
    ] = None,
    per_molecule: Annotated[bool, typer.Option("--per-molecule", help="Sizes of every chain by itself too.")] = False,
    between_molecules: Annotated[
        bool, typer.Option("--between-molecules", help="Leave pairs within a molecule out of rdfs.")
    ] = False,
    per_axis: Annotated[bool, typer.Option("--per-axis", help="Diffusivities along x, y and z too.")] = False,
    viscosity: Annotated[
        float | None, typer.Option(help="Shear viscosity in mPa s, to correct diffusivities for the finite cell.")
    ] = None,
    van_hove: Annotated[
        list[str] | None, typer.Option(help="Time for van Hove functions, '100 ps'; may be repeated.")
    ] = None,
    rouse_modes: Annotated[int, typer.Option(help="Number of Rouse modes of chains.")] = 5,
    contact_frames: Annotated[int, typer.Option(help="At most so many frames for residence times and hops.")] = 2000,
    recrossing: Annotated[
        str, typer.Option(help="Time for which an ion may be away without having left (atoms: '2 ps').")
    ] = "",
    cage_size: Annotated[float | None, typer.Option(help="Distance between cages, to count hops between them.")] = None,
    cage_time: Annotated[str, typer.Option(help="Time to average the place of a cage over, '20 ps'.")] = "",
    replicas: Annotated[bool, typer.Option("--replicas", help="The files are runs of one system: combine.")] = False,
) -> None:
    """Measure sizes, structure, diffusion and conductivity with errors: cgsim analyze FILE... -o results.json."""
    from cgsim.analysis import AnalysisSettings, DynamicsSettings, analyze_files, write_results
    from cgsim.cli.progress import fraction_progress
    from cgsim.errors import InputError

    settings = AnalysisSettings(
        temperature=temperature,
        equilibration=equilibration,
        species=tuple(species or ()),
        pairs=tuple(pair or ()),
        rdf_cutoff=rdf_cutoff,
        rdf_bin_width=rdf_bin_width,
        structure_frames=structure_frames,
        cluster_cutoff=cluster_cutoff,
        coordination_cutoff=coordination_cutoff,
        density_profile=tuple(density_profile or ()),
        profile_bin_width=profile_bin_width,
        contact_maps=contact_maps,
        contact_cutoff=contact_cutoff,
        per_molecule=per_molecule,
        between_molecules=between_molecules,
        replicas=replicas,
        dynamics=DynamicsSettings(
            per_axis=per_axis,
            viscosity=viscosity,
            van_hove=tuple(van_hove or ()),
            rouse_modes=rouse_modes,
            contact_frames=contact_frames,
            recrossing=recrossing,
            cage_size=cage_size,
            cage_time=cage_time,
        ),
    )
    if not output.parent.is_dir():
        raise InputError(f"{output}: the directory {output.parent} does not exist")
    with fraction_progress() as progress:
        document = analyze_files(files, settings, beads_of, progress)
    write_results(document, output)
    _print(document, output)


def _print(document: dict[str, Any], output: Path) -> None:
    """Show the figures as one table, with warnings below it."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    several = len({figure["system"] for figure in document["figures"]}) > 1
    table = Table(box=None, pad_edge=False)
    for column in (*(["system"] if several else []), "figure", "species", "value", "+-", "unit", "method", "window"):
        table.add_column(column, justify="right" if column in {"value", "+-"} else "left", no_wrap=True)
    warnings: dict[str, int] = {}
    for figure in document["figures"]:
        mark = ""
        if "warning" in figure:
            mark = f" [{warnings.setdefault(figure['warning'], len(warnings) + 1)}]"
        value, error = _number(figure["value"], figure["standard_error"])
        window = " to ".join("?" if w is None else f"{w:.4g}" for w in figure["window"])
        row = [figure["name"], figure["species"], value, error, figure["unit"], figure["method"] + mark, window]
        table.add_row(*([figure["system"]] if several else []), *row)
    console = Console(highlight=False, markup=False)
    needed = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(highlight=False, markup=False, width=max(console.width, needed)).print(table)
    for text, number in warnings.items():
        typer.echo(f"[{number}] {text}")
    for note in document["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(f"{output}: {len(document['figures'])} figures")


def _number(value: float | None, error: float | None) -> tuple[str, str]:
    """Value with the digits that its error leaves meaning to, and the error with two."""
    if value is None:
        return "-", "-"
    if error is None:
        return f"{value:.4g}", "?"
    if error == 0 or value == 0:
        return f"{value:.5g}", f"{error:.2g}"
    from math import floor, log10

    digits = max(2, 2 + floor(log10(abs(value))) - floor(log10(error)))
    return f"{value:.{min(digits, 8)}g}", f"{error:.2g}"
