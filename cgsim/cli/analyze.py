"""`cgsim analyze`."""

from pathlib import Path
from typing import Annotated

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
            help="Pair for an rdf, 'Li:polymer.O', 'element=Li:TFSI.name=O*'; may be repeated. Only those given are "
            "made, in place of the default ones.",
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
        str, typer.Option(help="Shear viscosity, '12 +- 2 mPa s', to correct diffusivities for the finite cell.")
    ] = "",
    van_hove: Annotated[
        list[str] | None, typer.Option(help="Time for van Hove functions, '100 ps'; may be repeated.")
    ] = None,
    rouse_modes: Annotated[int, typer.Option(help="Number of Rouse modes of chains.")] = 5,
    contact_frames: Annotated[int, typer.Option(help="At most so many frames for residence times and hops.")] = 2000,
    recrossing: Annotated[
        str,
        typer.Option(
            help="Time for which an ion may be away without having left (atoms: '2 ps'), rounded down to whole frames."
        ),
    ] = "",
    cage_size: Annotated[float | None, typer.Option(help="Distance between cages, to count hops between them.")] = None,
    cage_time: Annotated[str, typer.Option(help="Time to average the place of a cage over, '20 ps'.")] = "",
    replicas: Annotated[bool, typer.Option("--replicas", help="The files are runs of one system: combine.")] = False,
    green_kubo: Annotated[
        bool, typer.Option("--green-kubo", help="Conductivity from velocities too (cgsim import --velocities).")
    ] = False,
    processes: Annotated[int, typer.Option(help="Work on so many species and files at once.")] = 1,
    plots: Annotated[str, typer.Option(help="Draw all curves too: png, svg or pdf.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Show every figure; the files have all of them anyway.")] = False,
) -> None:
    """Measure sizes, structure, diffusion and conductivity with errors: cgsim analyze FILE... -o results.json."""
    from cgsim.analysis import AnalysisSettings, DynamicsSettings, analyze_files
    from cgsim.analysis.dynamics_settings import parse_viscosity
    from cgsim.cli.progress import fraction_progress
    from cgsim.cli.results import check_output, print_results, write_all

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
        green_kubo=green_kubo,
        dynamics=DynamicsSettings(
            per_axis=per_axis,
            viscosity=parse_viscosity(viscosity) if viscosity else None,
            van_hove=tuple(van_hove or ()),
            rouse_modes=rouse_modes,
            contact_frames=contact_frames,
            recrossing=recrossing,
            cage_size=cage_size,
            cage_time=cage_time,
        ),
    )
    check_output(output, plots, files if beads_of is None else [*files, beads_of])
    with fraction_progress() as progress:
        document = analyze_files(files, settings, beads_of, progress, processes)
    write_all(document, output, plots)
    print_results(document, output, every=every)
