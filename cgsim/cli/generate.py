"""`cgsim generate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cgsim.cli.electrolyte import WORK, electrolyte

if TYPE_CHECKING:
    from cgsim.reference.settings import ChainSettings

verb = typer.Typer(help="Make reference trajectories with molecular dynamics engines.", no_args_is_help=True)
verb.command("electrolyte")(electrolyte)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.add_typer(verb, name="generate")


@verb.command("chains")
def chains(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the stores, one for each chain.")],
    config: Annotated[Path | None, typer.Option(help="Settings, YAML; see configs/generate/.")] = None,
    chains: Annotated[
        list[str] | None,
        typer.Option(
            "--chains",
            metavar="CLASS=NUMBER",
            help="repeated=96 (class I), random=8 (class II), family=16; repeatable.",
        ),
    ] = None,
    sequences: Annotated[
        list[str] | None,
        typer.Option("--sequence", metavar="NAME=UNITS", help="A chain of your own, such as mine=AABDAC; repeatable."),
    ] = None,
    n_beads: Annotated[int | None, typer.Option(help="Beads of each chain.")] = None,
    force_field: Annotated[str | None, typer.Option(help="sticky, or athermal.")] = None,
    temperature: Annotated[float | None, typer.Option(help="kT, epsilon.")] = None,
    friction: Annotated[float | None, typer.Option(help="Friction of the Langevin thermostat, 1/tau.")] = None,
    length: Annotated[str | None, typer.Option(help="Time of each trajectory: '4000 tau'.")] = None,
    save_interval: Annotated[str | None, typer.Option(help="Time between frames: '25 tau'.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sequences, starts and thermostats.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Engines running at a time, one core each.")] = 1,
    work: Annotated[Path | None, WORK] = None,
) -> None:
    """Make bead-spring chains with LAMMPS; the same command again goes on where it was killed.

    Options stand above the settings file.
    """
    from cgsim.cli.progress import engine_progress
    from cgsim.reference.engine import find_lammps
    from cgsim.reference.figures import ChainFigures
    from cgsim.reference.generate import generate_chains, write_reference

    given = {
        "n_beads": n_beads,
        "force_field": force_field,
        "temperature": temperature,
        "friction": friction,
        "length": length,
        "save_interval": save_interval,
        "seed": seed,
        "chains": _named("--chains", "CLASS=NUMBER, for example repeated=96", chains) if chains else None,
        "sequences": _named("--sequence", "NAME=UNITS, for example mine=AABDAC", sequences) if sequences else None,
    }
    settings = _settings(config, {name: value for name, value in given.items() if value is not None})
    engine = find_lammps()
    typer.echo(f"engine   {engine.version}")
    figures: list[ChainFigures] = []
    with engine_progress(_simulated_time(settings), "tau") as advance:
        for event in generate_chains(settings, output, work or Path("runs/generate") / output.name, engine, processes):
            if isinstance(event, ChainFigures):
                figures.append(event)
            else:
                advance(event.chain, event.simulated, event.seconds > 0)
    write_reference(output / "reference.json", figures, settings, engine)
    typer.echo(f"chains   {len(figures)} x {settings.length} in {output}")
    typer.echo(f"figures  {output / 'reference.json'}")


@verb.command("difficulty")
def difficulty(
    train: Annotated[Path, typer.Argument(help="Folder of the training chains.")],
    test: Annotated[Path, typer.Argument(help="Folder of the test chains.")],
    seed: Annotated[int, typer.Option(help="Seed of the random forest.")] = 0,
) -> None:
    """Tell how well composition alone predicts <Rg^2> of the test chains, into TEST/difficulty.json."""
    import json

    import numpy as np

    from cgsim.reference.composition import composition_baseline
    from cgsim.reference.generate import read_reference

    known, truth = (read_reference(folder / "reference.json") for folder in (train, test))
    baseline = composition_baseline(known, truth, np.random.default_rng(seed))
    document = {
        "property": "squared_radius_of_gyration",
        "n_train": len(known),
        "n_test": len(truth),
        "r2_linear": round(baseline.linear, 4),
        "r2_forest": round(baseline.forest, 4),
        "r2_bound": round(baseline.bound, 4),
        "seed": seed,
    }
    (test / "difficulty.json").write_text(json.dumps(document, indent=1) + "\n")
    typer.echo(f"R2 of composition on {len(truth)} test chains, fitted to {len(known)}:")
    typer.echo(f"linear {baseline.linear:.3f}, forest {baseline.forest:.3f}, best possible {baseline.bound:.3f}")


def _settings(config: Path | None, given: dict[str, Any]) -> "ChainSettings":
    from pydantic import ValidationError

    from cgsim.config import explain, read_yaml
    from cgsim.errors import InputError
    from cgsim.reference.settings import ChainSettings

    settings = {**(read_yaml(config) if config else {}), **given}
    try:
        return ChainSettings.model_validate(settings)
    except ValidationError as error:
        raise InputError(f"{config or 'cgsim generate chains'}: {explain(error, ChainSettings)}") from None


def _named(option: str, expected: str, texts: list[str]) -> dict[str, str]:
    from cgsim.errors import InputError

    values = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise InputError(f"{option} {text}: expected {expected}")
        if name.strip() in values:
            raise InputError(f"{option} {text}: {name.strip()} was given twice")
        values[name.strip()] = value.strip()
    return values


def _simulated_time(settings: "ChainSettings") -> float:
    """Time of all chains together, their equilibration included, tau."""
    from cgsim.reference.settings import TIMESTEP

    return settings.n_chains * (settings.steps("equilibration") + settings.steps("length")) * TIMESTEP
