"""What a run folder holds: model, training curves, rollouts, reference MD; what is missing is noted, not fatal."""

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cgsim.analysis.comparison import read_document
from cgsim.benchmark.report.manifest import MANIFEST, Manifest, TableRow, read_manifest
from cgsim.checkpoint import TrainedModel, load_model
from cgsim.errors import InputError
from cgsim.trajectory.store import TrajectoryStore
from cgsim.typing import Array

MODEL, METRICS, ROLLOUTS, RESULTS = "model", "metrics.csv", "rollouts", "results.json"
ROLLOUT_DOCUMENT = "rollout"
ABSCISSAE = ("step", "epoch")


@dataclass(frozen=True)
class SystemFiles:
    """The stores of one system.

    Attributes:
        name: of the system.
        md: long reference MD, if there is one.
        short_md: MD as long as the training data, if there is one.
        rollouts: its replicas.
    """

    name: str
    md: Path | None
    short_md: Path | None
    rollouts: tuple[Path, ...]


@dataclass(frozen=True)
class Run:
    """One run folder.

    Attributes:
        folder: the folder.
        title: headline.
        manifest: ``run.json``, or an empty one.
        model: the trained model, if there is one.
        metrics: training curves by name: steps and values.
        systems: what was simulated.
        results: an analysis as ``cgsim analyze -o results.json`` leaves it; None if there is none.
        missing: sentences that say what the folder should hold and does not.
    """

    folder: Path
    title: str
    manifest: Manifest
    model: TrainedModel | None
    metrics: dict[str, tuple[Array, Array]]
    systems: tuple[SystemFiles, ...]
    results: dict[str, Any] | None
    missing: tuple[str, ...]

    @property
    def is_analysis_only(self) -> bool:
        """Whether the folder holds an analysis and nothing of a run."""
        return self.results is not None and not (self.model or self.metrics or self.systems or self.table)

    @property
    def table(self) -> tuple[TableRow, ...]:
        """Figures to compare, as the manifest has them."""
        return self.manifest.table


def read_run(folder: Path) -> Run:
    """Look into a run folder.

    Raises:
        InputError: if it does not exist, holds nothing that a report could show, or its manifest cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; expected that of a run")
    found = read_manifest(folder)
    manifest = found or Manifest()
    missing: list[str] = []
    model = _model(folder, missing)
    metrics = _metrics(folder / METRICS, missing)
    systems = _systems(folder, manifest, missing) if found else _rollouts_only(folder, missing)
    results, broken = _results(folder / RESULTS)
    missing += [f"No analysis: {broken}."] if broken else []
    is_bare = model is None and not metrics and not any(s.rollouts or s.md for s in systems) and not manifest.table
    if is_bare and broken:
        raise InputError(broken)
    if is_bare and results is None:
        raise InputError(
            f"{folder}: nothing to report on; expected {MODEL}/, {METRICS}, {ROLLOUTS}/*.h5, {MANIFEST} or {RESULTS}, "
            "as 'cgsim train', 'cgsim simulate' and 'cgsim analyze' write them"
        )
    title = manifest.title or (model.card.name if model else folder.resolve().name)
    run = Run(folder, title, manifest, model, metrics, systems, results, tuple(missing))
    return replace(run, missing=()) if run.is_analysis_only else run


def _results(path: Path) -> tuple[dict[str, Any] | None, str]:
    """The analysis in the folder, or what is wrong with it; another program's file of that name is none."""
    if not path.exists():
        return None, ""
    try:
        return read_document(path), ""
    except InputError as error:
        return None, str(error)


def _model(folder: Path, missing: list[str]) -> TrainedModel | None:
    """The model in ``model/``, or in the folder itself."""
    where = folder / MODEL if (folder / MODEL).is_dir() or not (folder / "model.json").exists() else folder
    try:
        return load_model(where, torch.device("cpu"))
    except InputError as error:
        missing.append(f"No model: {error}.")
        return None


def _metrics(path: Path, missing: list[str]) -> dict[str, tuple[Array, Array]]:
    """Curves of a CSV log, in which most cells of a row are blank."""
    points: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                step = _number(row.get(ABSCISSAE[0]))
                for name, text in row.items():
                    value = _number(text) if isinstance(text, str) else math.nan
                    if name not in ABSCISSAE and math.isfinite(value) and math.isfinite(step):
                        points.setdefault(name, []).append((step, value))
    except (OSError, UnicodeDecodeError, csv.Error):
        missing.append(f"No training curves: {path} is missing or cannot be read.")
        return {}
    if not points:
        missing.append(f"No training curves: {path} holds none.")
    return {name: (np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for name, pairs in points.items()}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _systems(folder: Path, manifest: Manifest, missing: list[str]) -> tuple[SystemFiles, ...]:
    names = list(dict.fromkeys([*manifest.rollouts, *manifest.md]))
    systems = []
    for name in names:
        md = _store(folder, manifest.md.get(name), f"reference MD of {name}", missing)
        short = _store(folder, manifest.short_md_files.get(name), f"short MD of {name}", missing)
        opened = [_store(folder, path, f"rollout of {name}", missing) for path in manifest.rollouts.get(name, ())]
        systems.append(SystemFiles(name, md, short, tuple(path for path in opened if path is not None)))
    return tuple(systems)


def _rollouts_only(folder: Path, missing: list[str]) -> tuple[SystemFiles, ...]:
    """Without a manifest: rollouts in the folder, by the store that they started from."""
    by_start: dict[str, list[Path]] = {}
    for path in [*sorted((folder / ROLLOUTS).glob("*.h5")), *sorted(folder.glob("*.h5"))]:
        try:
            document = TrajectoryStore(path).documents.get(ROLLOUT_DOCUMENT)
        except InputError as error:
            missing.append(f"A rollout could not be opened: {error}.")
            continue
        if document is not None:
            by_start.setdefault(Path(str(document.get("start", path.name))).stem, []).append(path)
    if by_start:
        missing.append(f"No {MANIFEST}, so it is not known which MD the rollouts are to be compared with.")
    else:
        missing.append(f"No rollouts in {folder / ROLLOUTS}.")
    return tuple(SystemFiles(name, None, None, tuple(paths)) for name, paths in by_start.items())


def _store(folder: Path, name: str | None, what: str, missing: list[str]) -> Path | None:
    """Path of a store that can be opened."""
    if name is None:
        return None
    path = folder / name
    try:
        TrajectoryStore(path)
    except InputError as error:
        missing.append(f"The {what} could not be opened: {error}.")
        return None
    return path
