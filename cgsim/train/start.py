"""Training that goes on from a trained model: what is taken over from it, and what has to be the same."""

import hashlib
import json
from typing import Any

import torch
from torch import nn

from cgsim.checkpoint import ModelCard, TrainedModel, find_model, load_model, member_folders
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.embedding import EmbeddingNetwork, Vocabulary
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.simulate.stability import TrainingRange
from cgsim.units import UnitSystem

MAY_DIFFER = ("model.refiner.largest_noise", "model.refiner.smallest_noise")  # no weight depends on them
RATE_OF_START = 0.1  # of the peak learning rate of the model that training goes on from
TAKEN_OVER = (  # of its training
    "batch_size",
    "weight_decay",
    "gradient_clip",
    "averaging",
    "history_noise",
    "class_balance",
    "augment_rotations",
    "both_ways",
)


def load_start(name: str) -> TrainedModel:
    """The one model that training goes on from.

    Raises:
        InputError: if there is none, or an ensemble.
    """
    model = load_model(find_model(name), torch.device("cpu"))
    if model.others:
        members = ", ".join(f"{name}/{folder.name}" for folder in member_folders(find_model(name)))
        raise InputError(f"start_from: {name} is an ensemble; start from one of its models: {members}")
    return model


def settings_of_start(card: ModelCard) -> dict[str, Any]:
    """What stands for the settings of an experiment that are not given where training goes on from a model."""
    before = card.experiment.get("training", {})
    training = {name: before[name] for name in TAKEN_OVER if name in before}
    if "learning_rate" in before:
        training["learning_rate"] = RATE_OF_START * before["learning_rate"]
    parts = {"mapping": card.mapping, "model": card.model, "sampler": card.sampler}
    return {
        "units": card.units.value,
        "training": training,
        **{name: json.loads(part.model_dump_json()) for name, part in parts.items()},
    }


def check_start(
    start: ModelCard, units: UnitSystem | None, mapping: MappingSettings, model: ModelSettings
) -> UnitSystem:
    """Refuse settings that the weights of a trained model mean nothing with.

    Returns:
        The units of the model, which the stores have to be in.

    Raises:
        InputError: naming the first setting that differs, with both values.
    """
    if units not in (None, start.units):
        raise InputError(f"start_from: the model {start.name!r} is in {start.units} units, the experiment in {units}")
    before = _settings(start.mapping, start.model)
    now = _settings(mapping, model)
    for name in sorted(before.keys() | now.keys()):
        if name not in MAY_DIFFER and before.get(name) != now.get(name):
            raise InputError(
                f"start_from: the model {start.name!r} was trained with {name} = {before.get(name)}, here it is "
                f"{now.get(name)}; its weights go with that: leave {name} out, or train from the beginning"
            )
    return start.units


def _settings(mapping: MappingSettings, model: ModelSettings) -> dict[str, Any]:
    return flatten({"mapping": mapping.model_dump(mode="json"), "model": model.model_dump(mode="json")})


def flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``{"a.b": value}``."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def joint_vocabulary(start: Vocabulary, found: Vocabulary) -> Vocabulary:
    """The types of a trained model in their order, and those that only the new systems have after them."""
    atoms, bonds = (
        (*known, *(name for name in new if name not in known))
        for known, new in ((start.atom_types, found.atom_types), (start.bond_types, found.bond_types))
    )
    return Vocabulary(atoms, bonds, start.mean_mass)


def joint_range(start: TrainingRange, found: TrainingRange) -> TrainingRange:
    """What one or the other training has seen; both with the same classes of beads."""
    rows = zip(start.closest_pair, found.closest_pair, strict=True)
    closest = tuple(tuple(_nearer(a, b) for a, b in zip(*row, strict=True)) for row in rows)
    return TrainingRange(longest_bond=max(start.longest_bond, found.longest_bond), closest_pair=closest)


def _nearer(one: float, other: float) -> float:
    """The smaller distance; 0 stands for classes that were never seen together."""
    return min(one, other) if one > 0.0 and other > 0.0 else max(one, other)


@torch.no_grad()
def take_weights(model: CoarseGrainedModel, start: TrainedModel) -> None:
    """Give a new model the weights of a trained one; embeddings of types that the trained one lacks stay as they are.

    Scales, which are buffers, are those of the new model.
    """
    for name, part in model.named_children():
        before = getattr(start.model, name)
        if isinstance(part, EmbeddingNetwork):
            tables = _tables(part)
            for table, known in zip(tables, _tables(before), strict=True):
                table.weight[: len(known.weight)] = known.weight
            own = {id(table.weight) for table in tables}
        else:
            own = set()
        known_weights = dict(before.named_parameters())
        for key, weight in part.named_parameters():
            if id(weight) not in own:
                weight.copy_(known_weights[key])


def _tables(part: EmbeddingNetwork) -> tuple[nn.Embedding, nn.Embedding]:
    return part.atom_embedding, part.bond_embedding


def weights_hash(model: CoarseGrainedModel) -> str:
    """SHA-256 of all weights, the same on every device."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
