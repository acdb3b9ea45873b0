"""What rollouts, MD and short MD say about one system: the same analysis of the same beads, each with its errors."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis.source import read_mapping
from cgsim.beads import MAPPING_DOCUMENT, BeadStore, open_beads, write_beads
from cgsim.benchmark.report.collect import Run, SystemFiles
from cgsim.benchmark.report.manifest import TableRow
from cgsim.errors import InputError
from cgsim.mapping import Mapping, MappingSettings
from cgsim.trajectory.store import TrajectoryStore

CGSIM, MD, SHORT_MD = "cgsim", "MD", "short MD"
SOURCES = (CGSIM, MD, SHORT_MD)

# Figures of the table where the manifest gives none: name and method in the analysis, and what a reader calls it.
COMPARED = {
    ("mean_squared_radius_of_gyration", ""): "mean Rg²",
    ("relaxation_time", ""): "relaxation time of Rg",
    ("self_diffusivity", "multi-origin"): "self-diffusivity",
    ("rdf", ""): "first RDF peak height",
    ("coordination_number", ""): "coordination number",
    ("conductivity", "nernst-einstein multi-origin"): "conductivity by Nernst–Einstein",
    ("conductivity", "einstein-collective multi-origin"): "conductivity, collective",
    ("transference_number", "einstein-collective multi-origin, solvent frame"): "transference number, solvent frame",
    ("haven_ratio", ""): "Haven ratio",
}

Document = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """One system as each source shows it.

    Attributes:
        name: of the system.
        results: analysis document (as in ``results.json``) by source: :data:`CGSIM`, :data:`MD`, :data:`SHORT_MD`.
        problems: sentences that say what could not be analysed, and what a reader must know.
    """

    name: str
    results: dict[str, Document]
    problems: tuple[str, ...]

    def curves(self, kind: str, label: str, source: str) -> list[Document]:
        """Curves of one kind, one for each replica; none if the source has none."""
        found = self.results.get(source, {}).get("curves", {}).get(kind, [])
        return [curve for curve in found if curve["species"] == label]

    def labels(self, kind: str) -> list[str]:
        """Species or pairs for which some source has a curve of this kind."""
        all_curves = [c for result in self.results.values() for c in result["curves"].get(kind, [])]
        return list(dict.fromkeys(str(c["species"]) for c in all_curves))

    def figure(self, name: str, species: str, source: str, method: str = "") -> Document | None:
        """A figure by name, species and, if given, method."""
        for figure in self.results.get(source, {}).get("figures", []):
            same = figure["name"] == name and figure["species"] == species
            if same and method in ("", figure["method"]):
                return dict(figure)
        return None


def measure(system: SystemFiles, run: Run) -> Measured:
    """Analyse all stores of a system as the beads of its rollouts, or of the model where there is no rollout."""
    problems: list[str] = []
    results: dict[str, Document] = {}
    rollouts = tuple(path for path in system.rollouts if TrajectoryStore(path).n_frames > 1)
    if len(rollouts) < len(system.rollouts):
        problems.append(f"{system.name}: a rollout broke at its first step and is left out.")
    of_model = run.model.card.mapping if run.model else MappingSettings()
    mapping = read_mapping(rollouts[0]) if rollouts else of_model
    whole = AnalysisSettings(replicas=True, between_molecules=True, temperature=run.manifest.temperature)
    relaxed = replace(whole, equilibration=run.manifest.equilibration)
    end = run.manifest.short_md_end
    sources = (
        (CGSIM, rollouts, np.inf, relaxed),
        (MD, (system.md,), np.inf, whole),
        (SHORT_MD, (system.short_md,), end, whole),
    )
    for source, files, until, settings in sources:
        paths = [path for path in files if path is not None]
        if not paths:
            continue
        try:
            with tempfile.TemporaryDirectory() as folder:
                seen = [_as_beads(path, mapping, Path(folder), until) for path in paths]
                results[source] = analyze_files(seen, settings)
        except InputError as error:
            problems.append(f"{system.name}: {source} could not be analysed: {error}.")
    return Measured(system.name, results, tuple(problems))


def _as_beads(path: Path, mapping: Mapping | MappingSettings, folder: Path, end: float) -> Path:
    """A store as one of beads and only up to ``end``; mapped once for all passes over it.

    Args:
        path: of atoms, or of beads, which keep their own mapping.
        mapping: how atoms become beads.
        folder: where to write, if something has to be written.
        end: time from the first frame.
    """
    store = TrajectoryStore(path)
    is_mapped = MAPPING_DOCUMENT in store.documents
    if is_mapped and store.time[-1] - store.time[0] <= end:
        return path
    if isinstance(mapping, Mapping) and not is_mapped:
        beads = BeadStore(store, store.system, mapping, is_mapped=False)
    else:
        beads = open_beads(path, mapping if isinstance(mapping, MappingSettings) else MappingSettings())
    write_beads(beads, folder / path.name, 0.0, end, None)
    return folder / path.name


def table_rows(measured: list[Measured]) -> tuple[TableRow, ...]:
    """The table of figures from the analysis, for runs whose manifest brings none."""
    rows = []
    for one in measured:
        names = dict.fromkeys(
            (f["name"], f["species"], method)
            for source in SOURCES
            for f in one.results.get(source, {}).get("figures", [])
            for name, method in COMPARED
            if f["name"] == name and method in ("", f["method"])
        )
        for name, species, method in names:
            found = {source: one.figure(name, species, source, method) or {} for source in SOURCES}
            if not (found[CGSIM] or found[MD]):
                continue
            first = found[CGSIM] or found[MD]
            notes = dict.fromkeys(f"{source}: {f['warning']}" for source, f in found.items() if f.get("warning"))
            rows.append(
                TableRow(
                    system=one.name,
                    figure=f"{COMPARED[name, method]}, {species}",
                    unit=first["unit"],
                    cgsim=found[CGSIM].get("value"),
                    cgsim_error=found[CGSIM].get("standard_error"),
                    md=found[MD].get("value"),
                    md_error=found[MD].get("standard_error"),
                    short_md=found[SHORT_MD].get("value"),
                    short_md_error=found[SHORT_MD].get("standard_error"),
                    note="; ".join(notes),
                )
            )
    return tuple(rows)
