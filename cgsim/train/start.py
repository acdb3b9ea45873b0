"""Training that goes on from a trained model: what is taken over from it, and what has to be the same."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import torch

from cgsim.checkpoint import ModelCard, TrainedModel, find_model, load_model, member_folders
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.embedding import Vocabulary
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.typing import Tensor
from cgsim.units import UnitSystem

MAY_DIFFER = ("model.refiner.largest_noise", "model.refiner.smallest_noise")  # no weight depends on them
RATE_OF_START = 0.1  # of the learning rates of the model that training goes on from
TAKEN_OVER = (  # of its training
    "batch_size",
    "weight_decay",
    "gradient_clip",
    "averaging",
    "history_noise",
    "pushed_ions",
    "class_balance",
    "augment_rotations",
    "both_ways",
)


def load_start(name: str) -> TrainedModel:
    """The one model that training goes on from.

    Raises:
        InputError: if there is none, an ensemble, or one whose card does not say how it was trained.
    """
    try:
        folder = find_model(name)
        model = load_model(folder, torch.device("cpu"))
    except InputError as error:
        raise InputError(f"start_from: {error}") from None
    if model.others:
        members = [str(member.relative_to(folder)).removesuffix("/model") for member in member_folders(folder)]
        names = ", ".join(f"{name}/{member}" for member in members)
        raise InputError(f"start_from: {name} is an ensemble; start from one of its models: {names}")
    if "training" not in model.card.experiment:
        raise InputError(f"start_from: the card of {name} does not say how it was trained, so that cannot go on")
    return model


def settings_of_start(card: ModelCard) -> dict[str, Any]:
    """What stands for the settings of an experiment that are not given where training goes on from a model."""
    before = card.experiment["training"]
    training = {name: before[name] for name in TAKEN_OVER if name in before}
    rates = ("learning_rate", "final_learning_rate")
    training |= {name: RATE_OF_START * before[name] for name in rates if name in before}
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
    before = {"mapping": start.mapping.model_dump(mode="json"), "model": start.model.model_dump(mode="json")}
    now = {"mapping": mapping.model_dump(mode="json"), "model": model.model_dump(mode="json")}
    for name, one, other in differences(before, now):
        if name not in MAY_DIFFER:
            raise InputError(
                f"start_from: the model {start.name!r} was trained with {name} = {_shown(one)}, here it is "
                f"{_shown(other)}; its weights go with that: leave {name} out, or train from the beginning"
            )
    return start.units


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Name and both values of every setting that differs, the group where one of the two has none."""
    for name in sorted(before.keys() | now.keys()):
        one, other = before.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from differences(one, other, f"{prefix}{name}.")
        elif one != other:
            yield prefix + name, one, other


def _shown(value: Any) -> str:
    return "settings of its own" if isinstance(value, dict) else str(value)


def joint_vocabulary(start: Vocabulary, found: Vocabulary) -> Vocabulary:
    """The types of a trained model in their order, and those that only the new systems have after them."""
    pairs = (
        (start.atom_types, found.atom_types),
        (start.bond_types, found.bond_types),
        (start.surroundings, found.surroundings),
    )
    atoms, bonds, around = ((*known, *(name for name in new if name not in known)) for known, new in pairs)
    return Vocabulary(atoms, bonds, start.mean_mass, around if start.surroundings else ())


@torch.no_grad()
def take_weights(model: CoarseGrainedModel, start: CoarseGrainedModel) -> None:
    """Give a new model the weights of a trained one; scales, which are buffers, are its own already.

    An atom type that the trained one lacks begins as the mean of those of its element, or of all if there are none; a
    bond type that it lacks as the one that stood for bonds never seen.
    """
    known = dict(start.named_parameters())
    tables = {
        "embedding.atom_embedding.weight": lambda old: _new_atoms(old, model.vocabulary, start.vocabulary),
        "embedding.bond_embedding.weight": lambda old: torch.cat(
            [old, old[:1].expand(len(model.vocabulary.bond_types) + 1 - len(old), -1)]
        ),
    }
    for name, weight in model.named_parameters():
        weight.copy_(tables[name](known[name]) if name in tables else known[name])


def _new_atoms(old: Tensor, vocabulary: Vocabulary, known: Vocabulary) -> Tensor:
    """Embeddings of all atom types of a vocabulary from those that are known, which come first."""
    elements = [_element(name) for name in known.atom_types]
    rows = [old]
    for name in vocabulary.atom_types[len(old) :]:
        alike = [k for k, element in enumerate(elements) if element and element == _element(name)]
        rows.append((old[alike] if alike else old).mean(dim=0, keepdim=True))
    return torch.cat(rows)


def _element(atom_type: str) -> str:
    """Letters of ``"O2"``; none for the particles of bead-spring models."""
    return atom_type.rstrip("0123456789") if atom_type[:1].isalpha() else ""


def weights_hash(model: CoarseGrainedModel) -> str:
    """SHA-256 of all weights, the same on every device."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
