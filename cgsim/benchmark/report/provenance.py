"""Where a run comes from: its rollouts, their speed, settings, versions, and the commands that make it again."""

import importlib.metadata
import platform
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cgsim import __version__
from cgsim.benchmark.report.collect import ROLLOUT_DOCUMENT, Run
from cgsim.benchmark.report.table import Table, table
from cgsim.benchmark.report.text import DASH, join, pretty_count, some
from cgsim.trajectory.store import TrajectoryStore
from cgsim.units import UnitSystem, format_time

PACKAGES = ("torch", "lightning", "numpy", "scipy", "h5py", "rdkit", "pymetis")


@dataclass(frozen=True)
class Rollout:
    """What a rollout says about itself: the document that ``cgsim simulate`` wrote into its store."""

    system: str
    path: Path
    units: UnitSystem
    n_frames: int
    length: float
    document: dict[str, Any]


def rollouts_of(run: Run) -> list[Rollout]:
    """All rollouts of a run."""
    found = []
    for system in run.systems:
        for path in system.rollouts:
            store = TrajectoryStore(path)
            document = store.documents.get(ROLLOUT_DOCUMENT, {})
            length = float(store.time[-1] - store.time[0]) if store.n_frames else 0.0
            found.append(Rollout(system.name, path, store.system.units, store.n_frames, length, document))
    return found


def speed_table(run: Run, rollouts: list[Rollout]) -> Table | None:
    """Simulated time per day of wall time, of each batch of rollouts and of the MD."""
    batches: dict[tuple[float, int], list[Rollout]] = {}
    for one in rollouts:
        if one.document.get("time_per_day"):
            key = (float(one.document["time_per_day"]), int(one.document.get("n_side_by_side", 1)))
            batches.setdefault(key, []).append(one)
    md = run.manifest.md_time_per_day
    rows = []
    for (per_day, side_by_side), members in batches.items():
        units = members[0].units
        md_per_day = md.value * _factor(md.unit, units) if md else 0.0
        ratio = [f"{_round(per_day * n / md_per_day)}×" if md_per_day else DASH for n in (1, side_by_side)]
        each, total = (_per_day(per_day * n, units) for n in (1, side_by_side))
        names = some(list(dict.fromkeys(m.system for m in members)))
        seconds = members[0].document.get("seconds")
        wall = f"{seconds:.3g} s" if seconds else DASH
        rows.append([f"cgsim: {names}", str(side_by_side), wall, each, total, *(ratio if md else ())])
    if md:
        units = UnitSystem.LJ if "tau" in md.unit else UnitSystem.MOLECULAR
        name = f"{md.engine}{f', {md.machine}' if md.machine else ''}"
        own = _per_day(md.value * _factor(md.unit, units), units)
        rows.append([name, "1", DASH, own, own, "1×", "1×"])
    head = [
        "Program",
        "Side by side>",
        "Wall time>",
        "Each a day>",
        "All a day>",
        *(("Each against MD>", "All against MD>") if md else ()),
    ]
    return table(head, rows) if rows else None


def _factor(unit: str, units: UnitSystem) -> float:
    """From a unit such as ``"ns/day"`` to the store's unit of time; 0 where they do not fit."""
    name = unit.removesuffix("/day").strip()
    known = {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6} if units is UnitSystem.MOLECULAR else {"tau": 1.0}
    return known.get(name, 0.0)


def _per_day(value: float, units: UnitSystem) -> str:
    if units is UnitSystem.LJ:
        return pretty_count(value, units.time)
    return format_time(float(f"{value:.3g}"), units) if value < 1e6 else f"{value / 1e6:.3g} µs"


def _round(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def training_facts(run: Run) -> str:
    """A sentence about the training."""
    if run.model is None:
        return ""
    card = run.model.card
    n_weights = sum(p.numel() for p in run.model.model.parameters())
    seconds = card.figures.get("training_seconds")
    parts = [
        f"{n_weights:,} weights".replace(",", "\u00a0"),
        f"lag time {format_time(card.model.lag_time, card.units)}",
    ]
    parts.append(f"bead classes {join(list(card.scales.class_names))}")
    if seconds:
        parts.append(f"trained in {_duration(seconds)}")
    return "; ".join(parts) + "."


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def model_settings(run: Run) -> str:
    """The experiment as YAML; what the card knows of it where it was not started from a file."""
    if run.model is None:
        return ""
    card = run.model.card
    parts = {"mapping": card.mapping, "model": card.model, "sampler": card.sampler}
    settings = card.experiment or {"name": card.name, **{k: v.model_dump(mode="json") for k, v in parts.items()}}
    return _yaml(settings)


def rollout_settings(rollouts: list[Rollout]) -> str:
    """Settings of the production runs, each once, as YAML."""
    found = {_yaml(r.document["settings"]) for r in rollouts if "settings" in r.document}
    return "---\n".join(sorted(found))


def _yaml(settings: dict[str, Any]) -> str:
    """YAML with the innermost lists and groups on one line each."""
    return str(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None))


def versions(run: Run) -> str:
    """Versions of what wrote the model and of what wrote this page."""
    made = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    model = f"cgsim {run.model.card.cgsim_version} trained the model. " if run.model is not None else ""
    return f"{model}cgsim {__version__} made this page, with {join(made)} on Python {platform.python_version()}."


def commands(run: Run, rollouts: list[Rollout]) -> str:
    """What to type to make this run again."""
    folder = run.folder
    lines = []
    if run.model is not None and run.model.card.experiment:
        lines += ["# experiment.yaml: the settings above", _command("train", "experiment.yaml", "-o", folder)]
    batches: dict[tuple[str, float], list[Rollout]] = {}
    for one in rollouts:
        if "settings" in one.document:
            key = (_yaml(one.document["settings"]), float(one.document.get("seconds", 0.0)))
            batches.setdefault(key, []).append(one)
    lines += [_simulate_command(folder, batch) for batch in batches.values()]
    for system in run.systems:
        if system.rollouts:
            results = folder / f"results-{system.name}.json"
            mapped = ["--beads-of", system.rollouts[0]] if system.md else []
            files = [system.md] if system.md else list(system.rollouts)
            how = ("--replicas", "--between-molecules")
            lines.append(_command("analyze", *files, *mapped, *how, "-o", results))
            break
    lines.append(_command("report", folder))
    return "\n".join(lines)


def _simulate_command(folder: Path, batch: list[Rollout]) -> str:
    """The command that made rollouts which ran side by side."""
    one = batch[0]
    settings, unit = one.document["settings"], "ps" if one.units is UnitSystem.MOLECULAR else "tau"
    starts = list(dict.fromkeys(str(r.document.get("start", "START")) for r in batch))
    begin, replicas = settings.get("begin"), settings.get("replicas", 1)
    options: list[Any] = ["--time", f"{settings['time']:g}{unit}"]
    if begin is not None and np.isfinite(float(begin)):
        options += ["--from", f"{begin:g}{unit}"]
    if replicas > 1:
        options += ["--replicas", replicas]
    options += ["--seed", settings.get("seed", 0)]
    stem = one.path.stem.removesuffix(f"-r{one.document.get('replica', 0)}" if replicas > 1 else "")
    stem = stem.removesuffix(f"-{Path(starts[0]).stem}" if len(starts) > 1 else "")
    return _command("simulate", folder / "model", *starts, *options, "-o", one.path.with_name(f"{stem}.h5"))


def _command(verb: str, *words: Any) -> str:
    return shlex.join(["cgsim", verb, *(str(word) for word in words)])
