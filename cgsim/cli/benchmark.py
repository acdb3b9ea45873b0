"""`cgsim benchmark`: one verb for each table of docs/benchmarks.md."""

from pathlib import Path
from typing import Annotated

import typer

benchmarks = typer.Typer(
    help="Measure accuracy and speed against molecular dynamics.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the group of verbs to the command line."""
    app.add_typer(benchmarks, name="benchmark")


@benchmarks.command("speed")
def speed(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the rows and the table; what is there is replaced.")
    ] = Path("runs/benchmark/speed"),
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    largest: Annotated[int, typer.Option(min=1000, help="Beads of the largest box that is measured.")] = 1_000_000,
    largest_step: Annotated[
        int, typer.Option(min=1000, help="Beads of the largest box of which a whole step is taken.")
    ] = 150_000,
    repeats: Annotated[int, typer.Option(min=3, help="Alternating rounds that each median is taken over.")] = 7,
) -> None:
    """Measure where the time of a simulation and of training goes: less than ten minutes on two cores."""
    from cgsim.benchmark.speed import SpeedBenchmark, run_speed
    from cgsim.config import select_device

    settings = SpeedBenchmark(
        output=output, device=select_device(device), largest=largest, largest_step=largest_step, repeats=repeats
    )
    table = run_speed(settings, typer.echo)
    typer.echo(table)


MODELS = typer.Option(help="Folder or name of a trained model; several of one name are its seeds. May be repeated.")
METHODS = typer.Option(help="Only these methods, separated by commas; default: all.")
TRAIN = typer.Option(
    help="Folder with stores to learn from, for models that are trained and for baselines; may be repeated."
)
VALIDATION = typer.Option(help="Folder with held-out stores, which choices are made on.")
SYSTEMS = typer.Option(help="Folder with stores of long MD of unseen systems, atoms or beads.")
QUICK = typer.Option("--quick", help="Models that ship, shorter rollouts, one seed: ten minutes on two cores.")
SEEDS = typer.Option(min=1, help="Training seeds of the full mode.")
TIME = typer.Option(help="Length of the rollouts, with unit.")
LENGTH = typer.Option(help="Training length, with unit: of what is learned from, and of own short MD.")
CONFIG = typer.Option(help="Settings to train with in the full mode; may be repeated.")
OVERRIDES = typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the training.")
OUTPUT = typer.Option("-o", "--output", help="Folder; gets one of its own for the task. What is there is reused.")
DEVICE = typer.Option(help="cpu, cuda, or auto.")
COMPILE = typer.Option("--compile", help="Compile the networks for the rollouts; pays in runs of many minutes.")


@benchmarks.command("chain")
def chain(
    train: Annotated[list[Path] | None, TRAIN] = None,
    validation: Annotated[Path | None, VALIDATION] = None,
    systems: Annotated[Path | None, SYSTEMS] = None,
    models: Annotated[list[str] | None, MODELS] = None,
    methods: Annotated[str, METHODS] = "",
    quick: Annotated[bool, QUICK] = False,
    seeds: Annotated[int, SEEDS] = 3,
    time: Annotated[str, TIME] = "",
    training_length: Annotated[str, LENGTH] = "",
    config: Annotated[list[Path] | None, CONFIG] = None,
    overrides: Annotated[list[str] | None, OVERRIDES] = None,
    output: Annotated[Path, OUTPUT] = Path("runs/benchmark"),
    device: Annotated[str, DEVICE] = "cpu",
    compiled: Annotated[bool, COMPILE] = False,
) -> None:
    """Unseen single chains against long MD, beside every baseline: cgsim benchmark chain --quick."""
    _run(
        "chain",
        folders=(train or [], validation, systems),
        names=(models or [], methods),
        quick=quick,
        seeds=seeds,
        times=(time, training_length),
        training=(config or [], overrides or []),
        output=output,
        machine=(device, compiled),
        left_out=(False, 0),
    )


@benchmarks.command("electrolyte")
def electrolyte(
    train: Annotated[list[Path] | None, TRAIN] = None,
    validation: Annotated[Path | None, VALIDATION] = None,
    systems: Annotated[Path | None, SYSTEMS] = None,
    models: Annotated[list[str] | None, MODELS] = None,
    methods: Annotated[str, METHODS] = "",
    quick: Annotated[bool, QUICK] = False,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Also train on all polymers but one, each in turn.")
    ] = False,
    turns: Annotated[
        int, typer.Option(min=0, help="Trainings of --leave-one-out, several polymers left out in each; 0: one by one.")
    ] = 0,
    seeds: Annotated[int, SEEDS] = 3,
    time: Annotated[str, TIME] = "",
    training_length: Annotated[str, LENGTH] = "",
    config: Annotated[list[Path] | None, CONFIG] = None,
    overrides: Annotated[list[str] | None, OVERRIDES] = None,
    output: Annotated[Path, OUTPUT] = Path("runs/benchmark"),
    device: Annotated[str, DEVICE] = "cpu",
    compiled: Annotated[bool, COMPILE] = False,
) -> None:
    """Unseen polymer electrolytes against long MD, beside every baseline: cgsim benchmark electrolyte --quick."""
    _run(
        "electrolyte",
        folders=(train or [], validation, systems),
        names=(models or [], methods),
        quick=quick,
        seeds=seeds,
        times=(time, training_length),
        training=(config or [], overrides or []),
        output=output,
        machine=(device, compiled),
        left_out=(leave_one_out, turns),
    )


def _run(
    task: str,
    *,
    folders: tuple[list[Path], Path | None, Path | None],
    names: tuple[list[str], str],
    quick: bool,
    seeds: int,
    times: tuple[str, str],
    training: tuple[list[Path], list[str]],
    output: Path,
    machine: tuple[str, bool],
    left_out: tuple[bool, int],
) -> None:
    """Run a task and show its tables."""
    import shlex
    import sys
    import time

    from cgsim.benchmark.run import BenchmarkSettings, run_benchmark
    from cgsim.cli.progress import fraction_progress
    from cgsim.config import choose_execution, select_device

    settings = BenchmarkSettings(
        task=task,
        train=tuple(folders[0]),
        validation=folders[1],
        systems=folders[2],
        models=tuple(names[0]),
        methods=tuple(name.strip() for name in names[1].split(",") if name.strip()),
        quick=quick,
        n_seeds=seeds,
        time=times[0],
        training_length=times[1],
        configs=tuple(training[0]),
        overrides=tuple(training[1]),
        output=output,
        device=select_device(machine[0]),
        execution=choose_execution(compiled=machine[1], precision="float32"),
        leave_one_out=left_out[0],
        n_turns=left_out[1],
        command=shlex.join(["cgsim", *sys.argv[1:]]),
    )
    started = time.perf_counter()
    with fraction_progress() as progress:
        rows, text = run_benchmark(
            settings, lambda line: typer.echo(f"[{time.perf_counter() - started:5.0f} s] {line}"), progress
        )
    typer.echo("\n" + text)
    typer.echo(f"{output / task}: {len(rows)} rows in results.json, tables in results.md, figures")
