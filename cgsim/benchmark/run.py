"""Run a benchmark: models, reference, every method in turn; rows, tables and figures after each."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from cgsim.benchmark.chain import CHAIN
from cgsim.benchmark.data import BenchmarkData, PortraitShelf, Progress, find_stores, split_starts
from cgsim.benchmark.electrolyte import ELECTROLYTE
from cgsim.benchmark.figures import draw_figures
from cgsim.benchmark.knowledge import learned_beginnings, learned_text
from cgsim.benchmark.leave_one_out import check_learns_anew, leave_one_out, left_out
from cgsim.benchmark.methods import METHODS, Benchmark, Predicted, reference_portraits
from cgsim.benchmark.models import Say, SeedModel, open_models, plan_models, train_models
from cgsim.benchmark.rows import REFERENCE, Row, write_rows
from cgsim.benchmark.scoring import PairMetric, Scored, score
from cgsim.benchmark.tables import markdown
from cgsim.benchmark.task import Task
from cgsim.checkpoint import find_model, pretrained_models
from cgsim.errors import InputError, nearest
from cgsim.models.execution import Execution
from cgsim.units import format_time, parse_time

TASKS: dict[str, Task] = {task.name: task for task in (CHAIN, ELECTROLYTE)}
OF_MD = ("overlaps_per_step",)  # scores that the long MD itself has
RESULTS, TABLE = "results.json", "results.md"
QUICK_SEEDS, FULL_SEEDS = 1, 3


@dataclass(frozen=True)
class BenchmarkSettings:
    """What the command line says; empty means the task's own.

    Attributes:
        task: ``chain`` or ``electrolyte``.
        train: folders of stores to learn from.
        validation: folder of held-out stores.
        systems: folder of stores of unseen systems.
        models: names or folders; several of one name are seeds.
        methods: names of :data:`METHODS`; all if empty.
        configs: experiments to train where no models are given.
        overrides: changes to them.
        quick: use models that ship, short rollouts, one seed of each baseline.
        n_seeds: training seeds of the full mode.
        time: length of the rollouts, with unit.
        training_length: of what is learned from, with unit.
        leave_one_out: score models that are trained on all polymers but one.
        n_turns: so many trainings for it, several polymers left out in each; 0 for one at a time.
        output: folder.
        device: for training and simulation.
        execution: how the networks are run in the rollouts.
        command: as it was given, for the tables.
    """

    task: str
    train: tuple[Path, ...] = ()
    validation: Path | None = None
    systems: Path | None = None
    models: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    configs: tuple[Path, ...] = ()
    overrides: tuple[str, ...] = ()
    quick: bool = False
    n_seeds: int = FULL_SEEDS
    time: str = ""
    training_length: str = ""
    leave_one_out: bool = False
    n_turns: int = 0
    output: Path = Path("runs/benchmark")
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    execution: Execution = field(default_factory=Execution)
    command: str = ""


def run_benchmark(settings: BenchmarkSettings, say: Say, progress: Progress) -> tuple[list[Row], str]:
    """Run one task.

    Args:
        settings: what to do.
        say: called with a line for each stage.
        progress: called while something runs.

    Returns:
        All rows, and the tables as markdown; both are in the folder, too.

    Raises:
        InputError: before any work, if data, models or methods cannot be used.
    """
    task = TASKS[settings.task]
    methods = _chosen(settings)
    if settings.n_turns and not settings.leave_one_out:
        raise InputError(f"--turns {settings.n_turns}: needs --leave-one-out")
    folder = settings.output / task.name
    train = find_stores(settings.train or task.train, "--train")
    validation = _validation(settings, task)
    systems, other_starts = split_starts(find_stores((settings.systems or task.systems,), "--systems"))
    unseen = [*systems.values(), *other_starts.values()]
    given = train if settings.train else None
    models = _models(settings, task, given, validation, unseen, folder, methods, say)
    data = replace(_data(settings, task, train, validation, systems, models, folder), other_starts=other_starts)
    data.check()
    learned = learned_text(learned_beginnings(models, data), task.units)
    for line in learned:
        say(line)
    config = (settings.configs or (default_config(task),))[0]
    turns = []
    if settings.leave_one_out:
        check_learns_anew(config, list(settings.overrides))
        turns = left_out(data, settings.n_turns)
    folder.mkdir(parents=True, exist_ok=True)
    shelf = PortraitShelf(folder / "portraits")
    lengths = task.quick_lengths if settings.quick else task.n_lengths
    time = parse_time(settings.time, task.units) if settings.time else lengths * data.training_length
    say(f"measuring {len(systems)} unseen systems in long MD")
    references = reference_portraits(data, shelf, progress)
    n_seeds = QUICK_SEEDS if settings.quick else settings.n_seeds
    benchmark = Benchmark(data, references, models, time, n_seeds, settings.device, shelf, say, progress)
    heading = [*_heading(settings, benchmark), *learned]
    rows: list[Row] = []
    text = ""
    for name in methods:
        say(name)
        for predicted in METHODS[name](benchmark):
            rows += _rows(benchmark, predicted)
        text = _write(task, rows, heading, folder)
    if turns:
        rows += leave_one_out(benchmark, turns, config, list(settings.overrides), settings.n_seeds)
        text = _write(task, rows, heading, folder)
    draw_figures(task, rows, folder)
    return rows, text


def default_config(task: Task) -> Path:
    """Settings that the full mode trains with."""
    return Path(f"configs/benchmark/{task.name}.yaml")


def published_config(task: Task) -> Path:
    """Settings of the published network on the same data."""
    return Path(f"configs/benchmark/published-{task.name}.yaml")


def _chosen(settings: BenchmarkSettings) -> list[str]:
    for name in settings.methods:
        if name not in METHODS:
            raise InputError(f"--methods {name}: unknown method{nearest(name, list(METHODS))}")
    chosen = settings.methods or tuple(METHODS)
    return list(dict.fromkeys([REFERENCE, *chosen]))


def _validation(settings: BenchmarkSettings, task: Task) -> dict[str, Path]:
    """Validation systems; none if they were not asked for and are not there."""
    if settings.validation is None and not task.validation.is_dir():
        return {}
    return find_stores((settings.validation or task.validation,), "--validation")


def _models(
    settings: BenchmarkSettings,
    task: Task,
    train: dict[str, Path] | None,
    validation: dict[str, Path],
    unseen: list[Path],
    folder: Path,
    methods: list[str],
    say: Say,
) -> dict[str, list[SeedModel]]:
    """Models that are named, that ship (quick mode), or that are trained now."""
    if not {"cgsim", "dynamics-only", "published"} & set(methods):
        return {}
    if settings.models:
        folders = [find_model(name) for name in settings.models]
    elif settings.quick:
        folders = pretrained_models(task.name)
        if not folders:
            raise InputError(f"no model for the task {task.name} ships; give --models, or leave --quick out to train")
    else:
        configs = list(settings.configs or (default_config(task),))
        if "published" in methods and not settings.configs:
            configs.append(published_config(task))
        overrides = list(settings.overrides)
        if settings.training_length:
            overrides.append(f"data.end={settings.training_length}")
        plans = [plan_models(config, overrides, train, validation, settings.n_seeds, unseen, say) for config in configs]
        folders = [model for seeds in plans for model in train_models(seeds, folder / "models", say)]
    return open_models(folders, settings.device)


def _data(
    settings: BenchmarkSettings,
    task: Task,
    train: dict[str, Path],
    validation: dict[str, Path],
    systems: dict[str, Path],
    models: dict[str, list[SeedModel]],
    folder: Path,
) -> BenchmarkData:
    """Mapping, lag and training length are the models', or the task's where there is no model."""
    cards = [one.model.card for seeds in models.values() for one in seeds]
    length = max((s.length for card in cards for s in card.training_systems), default=task.training_length)
    if settings.training_length:
        length = parse_time(settings.training_length, task.units)
    return BenchmarkData(
        task,
        train,
        validation,
        systems,
        cards[0].mapping if cards else task.mapping,
        cards[0].model.lag_time if cards else task.lag_time,
        length,
        folder,
        settings.execution,
    )


def _rows(benchmark: Benchmark, predicted: Predicted) -> list[Row]:
    task = benchmark.data.task
    metrics = task.metrics(benchmark.references)
    if predicted.method == REFERENCE:
        metrics = [m for m in metrics if isinstance(m, PairMetric) and m.name in OF_MD]
    references = predicted.references or benchmark.references
    scored = Scored(task.name, predicted.method, references, predicted.portraits, predicted.n_seeds)
    return score(scored, metrics, task.quantities)


def _write(task: Task, rows: list[Row], heading: list[str], folder: Path) -> str:
    write_rows(rows, folder / RESULTS)
    text = markdown(task, rows, heading)
    partial = folder / f".{TABLE}.partial"
    partial.write_text(text)
    partial.replace(folder / TABLE)
    return text


def _heading(settings: BenchmarkSettings, benchmark: Benchmark) -> list[str]:
    data = benchmark.data
    units = data.task.units
    times = [data.open(path).store.time for path in data.systems.values()]
    reference = min(float(time[-1] - time[0]) for time in times)
    lines = [
        f"{len(data.systems)} unseen systems, long MD of {format_time(reference, units)} or more; "
        f"baselines know {len(data.train)} training systems and {len(data.validation)} for validation, "
        f"at most {format_time(data.training_length, units)} of each; "
        f"rollouts of {format_time(benchmark.time, units)}, {data.task.replicas} of each system and seed."
    ]
    if settings.command:
        lines.append(f"Command: `{settings.command}`")
    return lines
