"""`cgsim models`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cgsim.checkpoint import TrainedModel


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("models")(models)


def models(
    name: Annotated[str | None, typer.Argument(help="Folder or name of a model; default: all that ship.")] = None,
) -> None:
    """List the models that ship, or say what one model is: cgsim models NAME."""
    import torch

    from cgsim.checkpoint import PRETRAINED, find_model, load_model, pretrained_models
    from cgsim.units import format_time

    cpu = torch.device("cpu")
    if name is not None:
        _describe(load_model(find_model(name), cpu))
        return
    for folder in pretrained_models():
        model = load_model(folder, cpu)
        card = model.card
        lag = format_time(card.model.lag_time, card.units)
        seeds = f"{len(model.members)} seeds" if model.others else "one seed"
        typer.echo(
            f"{folder.name:16s} lag {lag}, {card.mapping.atoms_per_bead} atoms a bead, "
            f"learned from {len(card.training_systems)} trajectories, {seeds}"
        )
    typer.echo(f"their card: {PRETRAINED / 'README.md'}")


def _describe(model: "TrainedModel") -> None:
    from cgsim.units import format_time

    card = model.card
    lengths = sum(s.length for s in card.training_systems)
    history = [format_time(offset * card.model.lag_time, card.units) for offset in card.model.history_offsets]
    sampler = card.sampler.model_dump(exclude_defaults=True)
    rows = {
        "name": model.name,
        "seeds": str(len(model.members)),
        "units": card.units.value,
        "lag": format_time(card.model.lag_time, card.units),
        "looks back": ", ".join(history),
        "mapping": f"{card.mapping.atoms_per_bead} atoms a bead; {dict(card.mapping.beads_per_molecule)}",
        "beads": ", ".join(card.scales.class_names),
        "atom types": ", ".join(card.atom_types),
        **({"bonded": f"in {len(card.surroundings)} ways"} if card.surroundings else {}),
        "refinement": ", ".join(f"{key} {value}" for key, value in sampler.items()) if card.model.refiner else "none",
        "learned from": f"{len(card.training_systems)} trajectories, {format_time(lengths, card.units)} in all",
        "cgsim": card.cgsim_version,
    }
    for title, text in rows.items():
        typer.echo(f"{title:14s} {text}")
    for title, value in card.figures.items():
        typer.echo(f"{title:24s} {value:.4f}")
