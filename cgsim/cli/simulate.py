"""`cgsim simulate`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("simulate")(simulate)


def simulate(
    model: Annotated[str, typer.Argument(help="Folder of a model, or name of one that ships ('cgsim models').")],
    start: Annotated[list[Path], typer.Argument(help="Stores to start from (atoms or beads), one or several.")],
    time: Annotated[str, typer.Option("--time", help="How long, with unit: '200ns', '200000 tau'.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Store to write; several get their names appended.")],
    replicas: Annotated[int, typer.Option(min=1, help="Independent rollouts of each start.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    begin: Annotated[
        str | None, typer.Option("--from", help="Start at this time of the store, with unit; default: its last frame.")
    ] = None,
    sampler: Annotated[
        list[str] | None, typer.Option("--sampler", metavar="KEY=VALUE", help="Change the refinement: n_levels=4.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the networks; pays in runs of more than a few minutes.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="float32, or bfloat16 for the matrix products of wide networks.")
    ] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
) -> None:
    """Simulate with a trained model: cgsim simulate MODEL START --time 200ns -o rollout.h5."""
    from cgsim.checkpoint import find_model, load_model
    from cgsim.cli.progress import rollout_progress
    from cgsim.config import choose_execution, override_sampler, select_device
    from cgsim.errors import InputError
    from cgsim.production import ProductionSettings
    from cgsim.production import simulate as run
    from cgsim.units import format_time, parse_time

    trained = load_model(find_model(model), select_device(device))
    card = trained.card
    settings = ProductionSettings(
        time=parse_time(time, card.units),
        replicas=replicas,
        seed=seed,
        begin=float("inf") if begin is None else parse_time(begin, card.units, allow_zero=True),
        sampler=override_sampler(card.sampler, sampler or []),
        execution=choose_execution(compiled=compiled, precision=precision),
    )
    if settings.time < card.model.lag_time:
        raise InputError(
            f"--time {time}: shorter than one step of the model, {format_time(card.model.lag_time, card.units)}"
        )
    with rollout_progress(card.units) as report:
        results = run(trained, start, output, settings, resume=resume, report=report)
    for result in results:
        length = format_time((result.n_frames - 1) * card.model.lag_time, card.units)
        line = f"{result.path}: {length} in {result.n_frames} frames, {result.verdict.verdict}"
        typer.echo(line + (f": {result.verdict.message}" if result.verdict.message else ""))
    typer.echo(
        f"{format_time(results[0].time_per_day, card.units)}/day for each of {len(results)} rollouts side by side"
    )
    broken = [r for r in results if r.verdict.message]
    if broken:
        raise typer.Exit(3)
