"""From stores to results: every figure that the files allow, with its error, window and warnings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cgsim.analysis.conduction import Salt, conduction_figures, find_salt
from cgsim.analysis.figures import Curve, Figure, to_document
from cgsim.analysis.mobility import DRIFT_KEPT, DRIFT_REMOVED, mobility_figures, msd_curve
from cgsim.analysis.motion import Box, Motion, follow_box, follow_species
from cgsim.analysis.pairs import PairPlan, pair_results, plan_pairs
from cgsim.analysis.replicas import check_replicas, combine_figures
from cgsim.analysis.selection import Species, all_species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.sizes import box_figures, size_curves, size_figures
from cgsim.analysis.source import Source, open_source, read_mapping
from cgsim.errors import InputError, nearest
from cgsim.observables.diffusion import MIN_FRAMES
from cgsim.units import format_time, parse_time

Progress = Callable[[str, float], None]


def analyze_files(
    files: list[Path],
    settings: AnalysisSettings | None = None,
    beads_of: Path | None = None,
    progress: Progress = lambda _text, _fraction: None,
) -> dict[str, Any]:
    """Analyse stores of atoms or beads, molecular dynamics or rollouts alike.

    Args:
        files: stores; each is a system of its own unless the settings say that they are replicas.
        settings: what and how.
        beads_of: a store of beads (a rollout) or a saved mapping: stores of atoms are then seen as these beads, so that
            they can be compared with it.
        progress: called with what is being done and the fraction done.

    Returns:
        The document of ``results.json``: ``figures``, ``curves`` by kind, ``systems``, ``notes``.

    Raises:
        InputError: before any work, if a file or a setting cannot be used.
    """
    settings = settings or AnalysisSettings()
    if not files:
        raise InputError("no file to analyse given")
    mapping = read_mapping(beads_of) if beads_of is not None else None
    sources = _named([_trimmed(open_source(path, mapping), settings) for path in files])
    if settings.replicas:
        check_replicas(sources)
    plans = []
    for source in sources:
        progress(f"{source.name}: box", 0.0)
        plans.append(_plan(source, settings))
    runs: list[list[Figure]] = []
    curves: list[Curve] = []
    notes: list[str] = []
    for k, plan in enumerate(plans):

        def report(text: str, part: float, k: int = k, name: str = plan.source.name) -> None:
            progress(f"{name}: {text}", (k + part) / len(plans))

        figures, own_curves, own_notes = _analyze(plan, settings, report)
        runs.append([replace(f, system=plan.source.name, file=str(plan.source.path)) for f in figures])
        curves += own_curves
        notes += own_notes
    combined = combine_figures(runs, sources) if settings.replicas else [figure for run in runs for figure in run]
    systems = [_describe(plan.source, plan.species) for plan in plans]
    return to_document([str(path) for path in files], systems, combined, curves, list(dict.fromkeys(notes)))


@dataclass(frozen=True)
class _Plan:
    """Everything about one trajectory that can be refused, settled before the work starts."""

    source: Source
    species: list[Species]
    box: Box
    pairs: PairPlan
    salt: Salt | None
    notes: list[str]


def _plan(source: Source, settings: AnalysisSettings) -> _Plan:
    species = _known_species(source, settings)
    box = follow_box(source)
    pairs = plan_pairs(source, species, box, settings)
    salt, note = find_salt(source, species, box, settings)
    notes = [note] if note else []
    if source.n_frames < MIN_FRAMES:
        notes.append(f"{source.path}: {source.n_frames} frames: no multi-origin figures below {MIN_FRAMES}")
    return _Plan(source, species, box, pairs, salt, notes)


def _analyze(
    plan: _Plan, settings: AnalysisSettings, progress: Progress
) -> tuple[list[Figure], list[Curve], list[str]]:
    """All figures, curves and notes of one trajectory."""
    source, box = plan.source, plan.box
    figures = box_figures(source, plan.species, box)
    curves: list[Curve] = []
    notes = list(plan.notes)
    wanted = [s for s in plan.species if not settings.species or s.name in settings.species]
    needed = wanted + [ion for ion in (plan.salt.ions if plan.salt else []) if ion not in wanted]
    motions: dict[str, Motion] = {}
    diffusion: list[Figure] = []
    for k, one in enumerate(needed):
        progress(f"motion of {one.name}", 0.6 * k / len(needed))
        motion = motions[one.name] = follow_species(source, one, box)
        own = mobility_figures(source, one, motion)
        diffusion += own
        if one not in wanted:
            continue
        if one.is_chain:
            figures += size_figures(source, one, motion, per_molecule=settings.per_molecule)
            curves += size_curves(source, one, motion)
        figures += own
        curves.append(msd_curve(source, one, motion))
    if plan.salt is not None:
        progress("conductivity", 0.6)
        conduction, own_notes = conduction_figures(source, plan.salt, diffusion, motions, box, settings)
        figures += conduction
        notes += own_notes
    progress("radial distribution functions", 0.8)
    pairs, pair_curves = pair_results(source, plan.pairs, settings)
    return figures + pairs, curves + pair_curves, notes


def _known_species(source: Source, settings: AnalysisSettings) -> list[Species]:
    species = all_species(source.system)
    names = [s.name for s in species]
    for name in settings.species:
        if name not in names:
            raise InputError(f"{source.path}: no species {name!r}{nearest(name, names)}")
    return species


def _trimmed(source: Source, settings: AnalysisSettings) -> Source:
    """Leave out the equilibration."""
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


def _named(sources: list[Source]) -> list[Source]:
    """Put the folder before names that occur twice."""
    names = [source.name for source in sources]
    return [
        replace(s, name=f"{s.path.resolve().parent.name}/{s.name}") if names.count(s.name) > 1 else s for s in sources
    ]


def _describe(source: Source, species: list[Species]) -> dict[str, Any]:
    return {
        "system": source.name,
        "file": str(source.path),
        "units": source.units.value,
        "particles": source.system.n_particles,
        "n_frames": source.n_frames,
        "first_frame": source.first,
        "save_interval": source.save_interval,
        "duration": source.duration,
        "time_unit": source.units.time,
        "drift": DRIFT_REMOVED if source.is_periodic else DRIFT_KEPT,
        "species": [
            {
                "name": s.name,
                "molecules": s.n_molecules,
                "formal_charge": s.charge,
                "tracers": len(s.tracers),
            }
            for s in species
        ],
    }
