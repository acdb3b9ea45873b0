"""What is to be done with one trajectory: everything that can be refused is settled here, before the work starts."""

from dataclasses import dataclass, replace
from typing import Any

from cgsim.analysis.dynamics import DynamicsPlan, plan_dynamics
from cgsim.analysis.green_kubo import check_resolution
from cgsim.analysis.mobility import DRIFT_KEPT, DRIFT_REMOVED
from cgsim.analysis.motion import Box, follow_box
from cgsim.analysis.salt import Salt, find_salt, stated_temperature
from cgsim.analysis.selection import Species, all_species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.analysis.structure import StructurePlan, plan_structure
from cgsim.errors import InputError, nearest
from cgsim.observables.diffusion import MIN_FRAMES
from cgsim.units import format_time, parse_time

OF_PAIRS = "rdf, rdf_first_peak, rdf_first_minimum or coordination_number"
STEADY = 1e-6  # relative change of an edge that rounding in files can make


@dataclass(frozen=True)
class Plan:
    """One trajectory and what is known about it before anything is measured.

    Attributes:
        source: the trajectory.
        species: all of its species.
        wanted: names of those whose sizes and mobility are figures.
        box: what the whole box does.
        structure: what is to be measured of it.
        salt: the ions, if there is a conductivity to speak of.
        temperature: K, as given or as the file states it.
        dynamics: figures of motion beyond diffusion.
        notes: what cannot be measured, and why.
    """

    source: Source
    species: list[Species]
    wanted: tuple[str, ...]
    box: Box
    structure: StructurePlan
    salt: Salt | None
    temperature: float | None
    dynamics: DynamicsPlan
    notes: list[str]


def make_plan(source: Source, settings: AnalysisSettings) -> Plan:
    """Look at a trajectory and refuse what cannot be done.

    Raises:
        InputError: if a species, a pair, a distance or the temperature of the settings does not fit, or velocities are
            asked for and too far apart.
    """
    species = all_species(source.system)
    names = [s.name for s in species]
    for name in settings.species:
        if name not in names:
            raise InputError(f"{source.path}: no species {name!r}{nearest(name, names)}")
    box = follow_box(source)
    structure = plan_structure(source, species, box, settings)
    salt, note = find_salt(source, species, box, settings)
    if settings.green_kubo and salt is not None:
        check_resolution(source, salt)
    notes = [note] if note else []
    if source.n_frames < MIN_FRAMES:
        lost = "multi-origin self_diffusivity, centre_of_mass_diffusivity, non_gaussian_parameter or collective figures"
        notes.append(f"{source.path}: no {lost}: {source.n_frames} frames, at least {MIN_FRAMES} are needed")
    if not source.is_periodic:
        notes.append(f"{source.path}: no density and no {OF_PAIRS}: it has no cell")
    elif not structure.pairs.pairs:
        notes.append(f"{source.path}: no {OF_PAIRS}: it has no ions to take pairs of; give --pair")
    if box.change > STEADY:
        notes.append(
            f"{source.path}: edges of the cell change by up to {box.change:.2%}: paths are put together from their "
            "steps, so that no particle is carried along"
        )
    temperature = settings.temperature or stated_temperature(source)
    dynamics = plan_dynamics(source, species, temperature, settings)
    wanted = settings.species or tuple(names)
    return Plan(source, species, wanted, box, structure, salt, temperature, dynamics, notes + dynamics.notes)


def trimmed(source: Source, settings: AnalysisSettings) -> Source:
    """Leave out the equilibration.

    Raises:
        InputError: if nothing is left.
    """
    if settings.equilibration:
        start = parse_time(settings.equilibration, source.units, allow_zero=True)
        first = round(start / source.save_interval + 0.499)
        if len(source.all_times) - first < 2:
            length = format_time(source.duration, source.units)
            raise InputError(
                f"{source.path}: is {length} long, so an equilibration of {settings.equilibration} leaves nothing"
            )
        source = replace(source, first=first)
    return source


def distinctly_named(sources: list[Source]) -> list[Source]:
    """Put the folder before names that occur twice."""
    names = [source.name for source in sources]
    return [
        replace(s, name=f"{s.path.resolve().parent.name}/{s.name}") if names.count(s.name) > 1 else s for s in sources
    ]


def describe(plan: Plan) -> dict[str, Any]:
    """The entry of a trajectory under ``systems`` in ``results.json``."""
    source = plan.source
    return {
        "system": source.name,
        "file": str(source.path),
        "units": source.units.value,
        "temperature": plan.temperature,
        "particles": source.system.n_particles,
        "n_frames": source.n_frames,
        "first_frame": source.first,
        "save_interval": source.save_interval,
        "duration": source.duration,
        "time_unit": source.units.time,
        "cell_change": plan.box.change,
        "drift": DRIFT_REMOVED if source.is_periodic else DRIFT_KEPT,
        "species": [
            {
                "name": s.name,
                "molecules": s.n_molecules,
                "molecular_mass": float(source.system.masses[s.particles].sum()) / s.n_molecules,
                "formal_charge": s.charge,
                "tracers": len(s.tracers),
            }
            for s in plan.species
        ],
    }
