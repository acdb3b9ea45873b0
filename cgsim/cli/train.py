"""`cgsim train`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("train")(train)


def train(
    config: Annotated[Path, typer.Argument(help="Experiment settings, YAML; see configs/.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run; gets metrics.csv and model/.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting: training.steps=500.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
) -> None:
    """Train a model on short trajectories."""
    from cgsim.config import load_experiment
    from cgsim.train.fit import fit
    from cgsim.units import format_time

    plan = load_experiment(config, overrides or []).plan()
    trained = fit(plan, output, resume=resume)
    card = trained.card
    n_weights = sum(p.numel() for p in trained.model.parameters())
    typer.echo(f"model    {output / 'model'} ({n_weights} weights)")
    typer.echo(f"systems  {len(card.training_systems)}; bead classes: {', '.join(card.scales.class_names)}")
    typer.echo(f"lag      {format_time(card.model.lag_time, card.units)}")
    for name, value in card.figures.items():
        typer.echo(f"{name:24s} {value:.4f}")
