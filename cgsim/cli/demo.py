"""`cgsim demo`."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

TASK_NAMES = ("chains", "electrolyte")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("demo")(demo)


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the demo; what is there is replaced.")
    ] = Path("runs/demo"),
    task: Annotated[
        str | None, typer.Option("--task", help="Only 'chains' or 'electrolyte'; default: both, side by side.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the training.")
    ] = None,
) -> None:
    """Train, simulate and compare with long MD, on the two inputs that ship: about ten minutes on two cores."""
    from cgsim.errors import InputError, nearest

    if task is not None and task not in TASK_NAMES:
        raise InputError(f"--task {task}: unknown task{nearest(task, list(TASK_NAMES))}")
    if os.environ.get("CGSIM_DEMO_CHILD"):
        from cgsim.benchmark.demo import run_task

        run_task(task or TASK_NAMES[0], output, overrides or [], lambda line: print(line, flush=True))
        return
    started = time.perf_counter()
    for name in (task,) if task else TASK_NAMES:
        shutil.rmtree(output / name, ignore_errors=True)
    failed = _side_by_side([task] if task else list(TASK_NAMES), output, overrides or [])
    if failed:
        raise typer.Exit(max(failed))
    _conclude(output, time.perf_counter() - started)


def _side_by_side(tasks: list[str], output: Path, overrides: list[str]) -> list[int]:
    """Run each task in a process of its own, which shares the cores evenly; returns exit codes that are not zero."""
    threads = max(1, (os.cpu_count() or 1) // len(tasks))
    environment = {
        **os.environ,
        "CGSIM_DEMO_CHILD": "1",
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "passive",
        "PYTHONUNBUFFERED": "1",
    }
    begun = time.perf_counter()

    def relay(name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            typer.echo(f"[{time.perf_counter() - begun:5.0f} s] {name:12s} {line.rstrip()}")

    running = []
    for name in tasks:
        command = [sys.executable, "-m", "cgsim", "demo", "--task", name, "-o", str(output)]
        command += [part for override in overrides for part in ("--set", override)]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        reader = Thread(target=relay, args=(name, process), daemon=True)
        reader.start()
        running.append((process, reader))
    try:
        codes = [process.wait() for process, _ in running]
    except KeyboardInterrupt:
        for process, _ in running:
            process.terminate()
        raise
    for _, reader in running:
        reader.join()
    return [code for code in codes if code]


def _conclude(output: Path, seconds: float) -> None:
    from rich.console import Console

    from cgsim.benchmark.demo import finish
    from cgsim.benchmark.demo.table import draw

    results, report, manifests = finish(output)
    console = Console(width=None if sys.stdout.isatty() else 150)
    for manifest in manifests:
        console.print(f"\n[bold]{manifest.title}[/bold]")
        console.print(draw(list(manifest.table)))
    console.print(f"\n{seconds / 60:.1f} minutes; short MD: as long as the training trajectories")
    console.print(f"results  {results}\nreport   {report}", highlight=False, soft_wrap=True)
