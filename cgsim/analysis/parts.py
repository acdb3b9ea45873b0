"""The parts of an analysis that do not need each other, so that several can be done at once."""

from dataclasses import dataclass

from cgsim.analysis.association import Association
from cgsim.analysis.chain_modes import NO_BONDS, chain_results
from cgsim.analysis.collective import follow_ions
from cgsim.analysis.figures import Curve, Figure
from cgsim.analysis.green_kubo import green_kubo_results
from cgsim.analysis.mobility import finite_size_figures, mobility_curves, mobility_figures
from cgsim.analysis.motion import follow_species
from cgsim.analysis.plan import Plan
from cgsim.analysis.residence import cage_figure, contact_results
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.sizes import box_figures, size_curves, size_figures
from cgsim.analysis.structure import Kind, StructureResults, structure_kinds
from cgsim.analysis.van_hove import distinct_curves, self_curves
from cgsim.analysis.workers import Task
from cgsim.observables.onsager import CollectiveRun

RDF = "rdf"
PEAK, SHELL = ("rdf_first_peak",), ("rdf_first_minimum", "coordination_number")


@dataclass(frozen=True)
class Part:
    """What one part of the analysis of one trajectory found.

    Attributes:
        figures: to be shown.
        curves: to be shown.
        notes: what could not be measured, and why.
        unlisted: figures that others are made from but that were not asked for.
        collective: motion of the ions' sums.
        clusters: ion clusters.
    """

    figures: tuple[Figure, ...] = ()
    curves: tuple[Curve, ...] = ()
    notes: tuple[str, ...] = ()
    unlisted: tuple[Figure, ...] = ()
    collective: CollectiveRun | None = None
    clusters: Association | None = None


def tasks_of(plan: Plan, settings: AnalysisSettings) -> list[Task]:
    """All parts of the analysis of one trajectory, in the order of their figures."""
    name = plan.source.name
    wanted = [s for s in plan.species if s.name in plan.wanted]
    ions = plan.salt.ions if plan.salt else []
    tasks = [Task(f"{name}: box", box_part, (plan, settings))]
    for one in [*wanted, *(ion for ion in ions if ion.name not in plan.wanted)]:
        tasks.append(Task(f"{name}: motion of {one.name}", species_part, (plan, one, settings)))
    if plan.salt is not None:
        tasks.append(Task(f"{name}: collective motion", charge_part, (plan,)))
        if settings.green_kubo:
            tasks.append(Task(f"{name}: current", current_part, (plan,)))
    if plan.dynamics.contacts is not None or plan.dynamics.van_hove:
        tasks.append(Task(f"{name}: residence times", neighbour_part, (plan, settings)))
    for what, kind in structure_kinds(plan.structure, plan.species, settings).items():
        tasks.append(Task(f"{name}: {what}", structure_part, (plan, kind, settings)))
    return tasks


def box_part(plan: Plan, settings: AnalysisSettings) -> Part:
    """Density and composition, and how much the size of the cell matters to diffusion."""
    figures = box_figures(plan.source, plan.species, plan.box)
    if settings.dynamics.viscosity is None:
        figures += finite_size_figures(plan.source, plan.box, [], plan.temperature, settings.dynamics)
    return Part(tuple(figures))


def species_part(plan: Plan, species: Species, settings: AnalysisSettings) -> Part:
    """Sizes and mobility of one species."""
    source = plan.source
    motion = follow_species(source, species, plan.box, per_axis=settings.dynamics.per_axis)
    mobility = mobility_figures(source, species, motion)
    if settings.dynamics.viscosity is not None:
        mobility += finite_size_figures(source, plan.box, mobility, plan.temperature, settings.dynamics)
    if species.name not in plan.wanted:
        return Part(unlisted=tuple(mobility))
    figures: list[Figure] = []
    curves: list[Curve] = []
    notes: list[str] = []
    if species.is_chain:
        figures += size_figures(source, species, motion, per_molecule=settings.per_molecule)
        curves += size_curves(source, species, motion)
        relaxation, own_curves, notes = chain_results(source, species, settings.dynamics.rouse_modes)
        if not species.are_bonded:
            notes = [*notes, f"{source.path}: no end_to_end_distance of {species.name}: {NO_BONDS}"]
        figures += relaxation
        curves += own_curves
    if plan.dynamics.half_window and settings.dynamics.cage_size is not None:
        mobility.append(cage_figure(source, species, plan.box, plan.dynamics.half_window, settings.dynamics.cage_size))
    curves += mobility_curves(source, species, motion)
    if plan.dynamics.van_hove:
        curves += self_curves(source, species, plan.box, plan.dynamics.van_hove)
    return Part((*figures, *mobility), tuple(curves), tuple(notes))


def charge_part(plan: Plan) -> Part:
    """Collective motion of the ions."""
    assert plan.salt is not None
    run, curves = follow_ions(plan.source, plan.salt, plan.box)
    return Part(curves=tuple(curves), collective=run)


def current_part(plan: Plan) -> Part:
    """The ions' current, from velocities."""
    assert plan.salt is not None
    figures, curves = green_kubo_results(plan.source, plan.salt, plan.source.units.diffusion_factor)
    return Part(tuple(figures), tuple(curves))


def neighbour_part(plan: Plan, settings: AnalysisSettings) -> Part:
    """How long ions stay with molecules, and where others are by the time a particle has left."""
    figures: list[Figure] = []
    curves: list[Curve] = []
    notes: list[str] = []
    if plan.dynamics.contacts is not None:
        figures, curves, notes = contact_results(plan.source, plan.dynamics.contacts, plan.box, settings)
    if plan.dynamics.van_hove:
        curves += distinct_curves(plan.source, plan.structure.pairs, plan.box, plan.dynamics.van_hove)
    return Part(tuple(figures), tuple(curves), tuple(notes))


def structure_part(plan: Plan, kind: Kind, settings: AnalysisSettings) -> Part:
    """One of shapes, radial distributions, ion clusters, profiles and contacts."""
    found = kind(plan.source, plan.structure, plan.species, plan.box, settings)
    notes = (*found.notes, *_without_shell(plan, found, settings))
    return Part(tuple(found.figures), tuple(found.curves), notes, clusters=found.association)


def _without_shell(plan: Plan, found: StructureResults, settings: AnalysisSettings) -> list[str]:
    """Notes on pairs whose radial distribution function has no first peak, or no end of it."""
    lacking: dict[str, list[str]] = {}
    for pair in (curve.label for curve in found.curves if curve.kind == RDF):
        names = {figure.name for figure in found.figures if figure.species == pair}
        shell = SHELL if settings.coordination_cutoff is None else ()
        if lost := [name for name in (*PEAK, *shell) if name not in names]:
            lacking.setdefault(", ".join(lost), []).append(pair)
    if not lacking:
        return []
    reach = f"{plan.structure.pairs.bin_edges[-1]:.4g} {plan.source.units.length}"
    reasons = {True: "no peak that stands out", False: "no minimum between two peaks that stand out"}
    return [
        f"{plan.source.path}: no {names} of {', '.join(pairs)}: {reasons[PEAK[0] in names]} up to {reach}"
        for names, pairs in lacking.items()
    ]
