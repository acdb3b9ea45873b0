"""Run the demo: every task trains, simulates, measures and writes its manifest; then one table, one JSON, one page."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cgsim import __version__
from cgsim.benchmark.demo import chains, electrolyte
from cgsim.benchmark.demo.table import Comparison
from cgsim.benchmark.report import Manifest, write_report
from cgsim.benchmark.report.manifest import MANIFEST, read_manifest
from cgsim.checkpoint import TrainedModel
from cgsim.config import load_experiment
from cgsim.errors import InputError
from cgsim.production import ProductionSettings, RolloutResult, simulate
from cgsim.train.fit import fit
from cgsim.units import format_time, parse_time

TASKS = ("chains", "electrolyte")
Say = Callable[[str], None]


def run_task(task: str, root: Path, overrides: list[str], say: Say) -> None:
    """Run one task from its raw data to its comparison.

    Args:
        task: one of :data:`TASKS`.
        root: folder of the demo; the task gets a folder of its own in it.
        overrides: changes to the experiment's settings, as ``--set`` takes them.
        say: called with a line for each stage.

    Raises:
        InputError: if the data that ships is not there.
    """
    folder = root / task
    folder.mkdir(parents=True, exist_ok=True)
    config = Path(f"configs/demo-{task}.yaml")
    if not config.exists():
        raise InputError(f"{config}: no such file; run the demo in the root of the repository")
    started = time.perf_counter()
    if task == "electrolyte":
        say(f"importing {electrolyte.TOPOLOGY} and {electrolyte.TRAJECTORY}")
        md = electrolyte.import_md(folder)
        overrides = [f'data.train=["{md}"]', *overrides]
    experiment = load_experiment(config, overrides)
    say(f"training {experiment.training.steps} steps on {len(experiment.plan().train)} trajectories")
    model = fit(experiment.plan(), folder, resume=False)
    say(f"trained in {time.perf_counter() - started:.0f} s")
    comparison = (_run_chains if task == "chains" else _run_electrolyte)(model, folder, say)
    _write(folder / MANIFEST, comparison.manifest.model_dump(mode="json"))
    for source, document in comparison.documents.items():
        _write(folder / f"{source}.json", document)
    say(f"finished in {time.perf_counter() - started:.0f} s")


def finish(root: Path) -> tuple[Path, Path, list[Manifest]]:
    """Put the tasks together: ``results.json`` and ``report.html``.

    Returns:
        Paths of both, and the manifests with the tables.
    """
    folders = [root / task for task in TASKS if (root / task / MANIFEST).exists()]
    manifests = [m for m in (read_manifest(folder) for folder in folders) if m is not None]
    results: dict[str, Any] = {"cgsim_version": __version__, "figures": [], "table": []}
    for folder, manifest in zip(folders, manifests, strict=True):
        results["table"] += [{"task": manifest.task, **r.model_dump(mode="json")} for r in manifest.table]
        for source in ("cgsim", "md", "short"):
            document = json.loads((folder / f"{source}.json").read_text())
            results["figures"] += [{**f, "task": manifest.task, "source": source} for f in document["figures"]]
    _write(root / "results.json", results)
    write_report(folders, root / "report.html")
    return root / "results.json", root / "report.html", manifests


def _run_chains(model: TrainedModel, folder: Path, say: Say) -> Comparison:
    starts = chains.unseen_chains()
    if not starts:
        raise InputError(f"{chains.REFERENCE}: no stores there, expected the unseen chains")
    length = parse_time(chains.SIMULATED, model.card.units)
    results = _simulate(
        model, starts, folder, ProductionSettings(time=length, begin=0.0, sampler=model.card.sampler), say
    )
    return chains.compare(folder, {s.stem: [r.path] for s, r in zip(starts, results, strict=True)})


def _run_electrolyte(model: TrainedModel, folder: Path, say: Say) -> Comparison:
    settings = ProductionSettings(
        time=parse_time(electrolyte.SIMULATED, model.card.units),
        begin=electrolyte.TRAINING_LENGTH,
        replicas=electrolyte.N_REPLICAS,
        sampler=model.card.sampler,
    )
    results = _simulate(model, [folder / "md.h5"], folder, settings, say)
    return electrolyte.compare(folder, [r.path for r in results])


def _simulate(
    model: TrainedModel, starts: list[Path], folder: Path, settings: ProductionSettings, say: Say
) -> list[RolloutResult]:
    (folder / "rollouts").mkdir(exist_ok=True)
    n_rollouts = len(starts) * settings.replicas
    say(f"simulating {n_rollouts} rollouts of {format_time(settings.time, model.card.units)} each")
    torch.manual_seed(settings.seed)
    results = simulate(
        model, starts, folder / "rollouts" / "rollout.h5", settings, resume=False, report=lambda _progress: None
    )
    for result in results:
        if result.verdict.message:
            say(f"{result.path.name}: {result.verdict.verdict}: {result.verdict.message}")
    speed = format_time(results[0].time_per_day * n_rollouts, model.card.units)
    say(f"simulated {speed} per day, all {n_rollouts} rollouts together")
    return results


def _write(path: Path, document: dict[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(document, indent=1))
    partial.replace(path)
