"""From stores to results: every figure that the files allow, with its error, window and warnings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cgsim.analysis.collective import collective_figures
from cgsim.analysis.conduction import cluster_figures, nernst_einstein_figures
from cgsim.analysis.figures import Figure, to_document
from cgsim.analysis.green_kubo import check_velocities
from cgsim.analysis.mobility import SINGLE_ORIGIN
from cgsim.analysis.parts import Part, tasks_of
from cgsim.analysis.plan import Plan, describe, distinctly_named, make_plan, trimmed
from cgsim.analysis.replicas import check_replicas, check_temperatures, combine_figures
from cgsim.analysis.salt import of_replicas
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import has_sizes, open_source, read_mapping
from cgsim.analysis.workers import run_tasks
from cgsim.errors import InputError

Progress = Callable[[str, float], None]


def analyze_files(
    files: list[Path],
    settings: AnalysisSettings | None = None,
    beads_of: Path | None = None,
    progress: Progress = lambda _text, _fraction: None,
    processes: int = 1,
) -> dict[str, Any]:
    """Analyse stores of atoms or beads, molecular dynamics or rollouts alike.

    Args:
        files: stores; each is a system of its own unless the settings say that they are replicas.
        settings: what and how.
        beads_of: a store of beads (a rollout) or a saved mapping: stores of atoms are then seen as these beads, so that
            they can be compared with it.
        progress: called with what is being done and the fraction done.
        processes: work on so many parts (a species, the pairs, the ions of one file) at once; results are the same for
            any number.

    Returns:
        The document of ``results.json``: ``figures``, ``curves`` by kind, ``systems``, ``notes``.

    Raises:
        InputError: before any work, if a file or a setting cannot be used.
    """
    settings = settings or AnalysisSettings()
    if not files:
        raise InputError("no file to analyse given")
    mapping = read_mapping(beads_of) if beads_of is not None else None
    sizes = beads_of is not None and has_sizes(beads_of)
    sources = distinctly_named([trimmed(open_source(path, mapping, sizes=sizes), settings) for path in files])
    if settings.replicas:
        check_replicas(sources)
    if settings.green_kubo:
        for source in sources:
            check_velocities(source)
    plans = []
    for source in sources:
        progress(f"{source.name}: box", 0.0)
        plans.append(make_plan(source, settings))
    if settings.replicas:
        check_temperatures(plans)
    tasks = [tasks_of(plan, settings) for plan in plans]
    results = iter(run_tasks([task for own in tasks for task in own], processes, progress))
    runs = [_Run(plan, [next(results) for _ in own]) for plan, own in zip(plans, tasks, strict=True)]
    groups = [runs] if settings.replicas else [[run] for run in runs]
    figures = [figure for group in groups for figure in _figures(group)]
    curves = [curve for run in runs for part in run.parts for curve in part.curves]
    notes = [note for run in runs for note in run.notes]
    systems = [describe(plan) for plan in plans]
    return to_document([str(path) for path in files], systems, figures, curves, list(dict.fromkeys(notes)))


class _Run:
    """A trajectory, what its parts found, and the figures of its ion clusters, which need its own diffusivities."""

    def __init__(self, plan: Plan, parts: list[Part]) -> None:
        self.plan, self.parts = plan, parts
        self.notes = [*plan.notes, *(note for part in parts for note in part.notes)]
        self.figures = self._own([figure for part in parts for figure in part.figures])
        self.unlisted = self._own([figure for part in parts for figure in part.unlisted])
        self.collective = [part.collective for part in parts if part.collective is not None]
        if plan.salt is not None:
            diffusion = self.figures + self.unlisted
            for clusters in (part.clusters for part in parts if part.clusters is not None):
                own = cluster_figures(plan.salt, diffusion, clusters)
                self.figures += self._own(own)
                if not any(figure.method.endswith(SINGLE_ORIGIN) for figure in own):
                    lost = f"cluster-nernst-einstein {SINGLE_ORIGIN} conductivity and transference_number"
                    reason = "no cluster is small enough for the published sum, or an ion does not move"
                    self.notes.append(f"{plan.source.path}: no {lost}: {reason}")

    def _own(self, figures: list[Figure]) -> list[Figure]:
        source = self.plan.source
        return [
            replace(f, system=source.name, file=str(source.path), window_unit=f.window_unit or source.units.time)
            for f in figures
        ]


def _figures(runs: list[_Run]) -> list[Figure]:
    """All figures of one system from its runs: those of charge transport from what the runs have in common."""
    if len(runs) == 1:
        figures, unlisted = runs[0].figures, runs[0].unlisted
    else:
        sources = [run.plan.source for run in runs]
        figures, unlisted = (
            combine_figures(own, sources) for own in ([r.figures for r in runs], [r.unlisted for r in runs])
        )
    salts = [run.plan.salt for run in runs]
    if salts[0] is None:
        return figures
    salt, diffusion = of_replicas([salt for salt in salts if salt is not None]), figures + unlisted
    conduction = nernst_einstein_figures(salt, diffusion)
    moving = {run.plan.source.name: (m, run.plan.source.duration) for run in runs for m in run.collective}
    source = runs[0].plan.source
    if moving:
        lengths = {name: length for name, (_, length) in moving.items()}
        collective = [m for m, _ in moving.values()]
        conduction += collective_figures(salt, diffusion, collective, lengths, source.units.diffusion_factor)
    file = str(source.path) if len(runs) == 1 else ""
    return figures + [replace(f, system=source.name, file=file, window_unit=source.units.time) for f in conduction]
