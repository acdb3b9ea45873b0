"""Model files: weights as safetensors, everything else as a JSON card beside them; nothing that can run code."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from cgsim import __version__
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.embedding import Vocabulary, atom_types
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.models.normalization import Scales
from cgsim.simulate.propagator import Calibration
from cgsim.simulate.sampler import SamplerSettings
from cgsim.simulate.stability import TrainingRange, range_among
from cgsim.trajectory import System, Trajectory
from cgsim.units import UnitSystem

FORMAT_VERSION = 1
WEIGHTS, CARD = "model.safetensors", "model.json"
PRETRAINED = Path(__file__).parent / "pretrained"  # a folder for each model that ships, its name the model's
CARD_HASH = "card_sha256"


class TrainingSystem(BaseModel):
    """One trajectory the model was trained on.

    Attributes:
        file: name of the store.
        mapping_hash: hash of its mapping.
        data_hash: SHA-256 of the bead positions that were used.
        n_beads: number of beads.
        length: time used, unit of the store.
        atom_types: kinds of its atoms; none where the model was saved before cards had them.
        trained: its range; none as above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    mapping_hash: str
    data_hash: str
    n_beads: int
    length: float
    atom_types: tuple[str, ...] = ()
    trained: TrainingRange | None = None


def data_hash(beads: Trajectory) -> str:
    """SHA-256 of the positions of a bead trajectory."""
    digest = hashlib.sha256(np.ascontiguousarray(beads.wrapped_positions).data)
    digest.update(np.ascontiguousarray(beads.image_flags).data)
    return digest.hexdigest()


def range_of(atoms: System, systems: Sequence[TrainingSystem], whole: TrainingRange) -> TrainingRange:
    """Range of the training data for a system of certain atoms, see :func:`cgsim.simulate.stability.range_among`.

    The whole range where the card of a model does not have that of each training system.
    """
    seen = [(set(system.atom_types), system.trained) for system in systems if system.trained is not None]
    return whole if len(seen) < len(systems) else range_among(set(atom_types(atoms)), seen, whole)


class ModelCard(BaseModel):
    """All that is needed to use a model, and to know what it is good for.

    Attributes:
        format_version: of this file.
        cgsim_version: that wrote it.
        name: of the experiment.
        units: of every length and time here.
        model: architecture.
        mapping: how atoms became beads.
        sampler: how draws are refined by default.
        calibration: what was measured of the finished model on its training windows.
        atom_types, bond_types, mean_mass, surroundings: the vocabulary.
        scales: normalisation.
        trained: range of the training data.
        training_systems: what it was trained on.
        figures: losses at the end of training.
        experiment: the settings of the whole experiment as they were given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    format_version: int = FORMAT_VERSION
    cgsim_version: str = __version__
    name: str
    units: UnitSystem
    model: ModelSettings
    mapping: MappingSettings
    sampler: SamplerSettings
    calibration: Calibration
    atom_types: tuple[str, ...]
    bond_types: tuple[str, ...]
    mean_mass: float
    surroundings: tuple[str, ...] = ()
    scales: Scales
    trained: TrainingRange
    training_systems: tuple[TrainingSystem, ...]
    figures: dict[str, float]
    experiment: dict[str, Any]

    @property
    def vocabulary(self) -> Vocabulary:
        """Atom and bond types."""
        return Vocabulary(self.atom_types, self.bond_types, self.mean_mass, self.surroundings)


@dataclass(frozen=True)
class TrainedModel:
    """A model with its card; or an ensemble of models that were trained with different seeds.

    Attributes:
        model: the model; the first one of an ensemble.
        card: its card.
        others: the other models of an ensemble, which differ in their weights only.
    """

    model: CoarseGrainedModel
    card: ModelCard
    others: tuple["TrainedModel", ...] = ()

    @property
    def members(self) -> tuple["TrainedModel", ...]:
        """All models of the ensemble; the model alone where there is one."""
        return replace(self, others=()), *self.others

    @property
    def name(self) -> str:
        """Name of the experiment; an ensemble says that it is one."""
        return f"{self.card.name}-ensemble" if self.others else self.card.name

    @property
    def trained(self) -> TrainingRange:
        """What any of the members has seen in training."""
        return reduce(TrainingRange.joined, (member.card.trained for member in self.members))

    def range_of(self, atoms: System) -> TrainingRange:
        """What any of the members has seen of training systems of the same kinds of atoms; see :func:`range_among`."""
        cards = [member.card for member in self.members]
        return reduce(TrainingRange.joined, (range_of(atoms, card.training_systems, card.trained) for card in cards))


def save_model(folder: Path, model: CoarseGrainedModel, card: ModelCard) -> None:
    """Write ``model.safetensors`` and ``model.json`` into a folder, each atomically, the card last.

    The weights carry the hash of their card, so that the two cannot be mixed up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, text = folder / WEIGHTS, folder / CARD
    partial = folder / f".{WEIGHTS}.partial"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    content = card.model_dump_json(indent=1).encode()
    save_file(tensors, partial, metadata={CARD_HASH: hashlib.sha256(content).hexdigest()})
    partial.replace(weights)
    partial = folder / f".{CARD}.partial"
    partial.write_bytes(content)
    partial.replace(text)


def pretrained_models(task: str = "") -> list[Path]:
    """Folders of the models that ship, those of a task only if it is given: their names begin with it."""
    return [folder for folder in sorted(PRETRAINED.glob(f"{task}*")) if member_folders(folder)]


def pretrained_cards() -> dict[str, ModelCard]:
    """Card of each model that ships, under the name that :func:`find_model` takes; of an ensemble the first one."""
    cards = {folder.name: member_folders(folder)[0] / CARD for folder in pretrained_models()}
    return {name: _parse_card(path.read_bytes(), path) for name, path in cards.items()}


def member_folders(folder: Path) -> list[Path]:
    """Folders of the models in a folder: itself, that of a training run, or the members of an ensemble; empty if none.

    An ensemble is a folder with several models or training runs and no model of its own.
    """
    for own in (folder, folder / "model"):
        if (own / CARD).exists():
            return [own]
    cards = {path.parent for pattern in (f"*/{CARD}", f"*/model/{CARD}") for path in folder.glob(pattern)}
    return sorted(cards)


def find_model(name: str | Path) -> Path:
    """Folder of a model or of an ensemble: a path, or the name of one that ships (``chain``, ``chain/seed-0``).

    A path goes before a name.

    Raises:
        InputError: if there is none.
    """
    for folder in (Path(name), PRETRAINED / name):
        if member_folders(folder):
            return folder
    if Path(name).exists():  # for the message about what is wrong with it
        return Path(name)
    names = ", ".join(folder.name for folder in pretrained_models())
    raise InputError(
        f"{name}: no such file; expected the folder of a model made by 'cgsim train', or one that ships: {names}"
    )


def load_model(path: Path, device: torch.device) -> TrainedModel:
    """Read a model or an ensemble from its folder (or a model from either of its two files), ready for evaluation.

    Raises:
        InputError: if a file is missing, no model, newer than this program, or does not belong to its card; or if the
            members of an ensemble differ in more than their weights.
    """
    folders = member_folders(path) if path.is_dir() else []
    first, *others = [_load_one(folder, device) for folder in folders or [path]]
    for folder, other in zip(folders[1:], others, strict=True):
        for what in ("model", "mapping", "units", "atom_types", "bond_types"):
            if getattr(other.card, what) != getattr(first.card, what):
                raise InputError(f"{folder}: differs in {what} from {folders[0]}; an ensemble differs in weights only")
        if other.card.scales.class_names != first.card.scales.class_names:
            raise InputError(f"{folder}: has other bead classes than {folders[0]}; an ensemble differs in weights only")
    return replace(first, others=tuple(others))


def _parse_card(content: bytes, path: Path) -> ModelCard:
    try:
        card = ModelCard.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: not a model card: {where or 'file'}: {first['msg']}") from None
    if card.format_version > FORMAT_VERSION:
        raise InputError(f"{path}: format {card.format_version}, this program reads up to {FORMAT_VERSION}")
    return card


def _load_one(path: Path, device: torch.device) -> TrainedModel:
    folder = path if path.is_dir() else path.parent
    card_path, weights_path = folder / CARD, folder / WEIGHTS
    for file in (path, card_path, weights_path):
        if not file.exists():
            raise InputError(f"{file}: no such file; expected the folder of a model made by 'cgsim train'")
    content = card_path.read_bytes()
    card = _parse_card(content, card_path)
    model = CoarseGrainedModel(card.model, card.scales, card.vocabulary)
    try:
        with safe_open(weights_path, "pt") as file:
            expected = (file.metadata() or {}).get(CARD_HASH)
        model.load_state_dict(load_file(weights_path))
    except (SafetensorError, RuntimeError) as error:
        raise InputError(f"{weights_path}: does not fit its card: {str(error).splitlines()[0]}") from None
    if expected not in (None, hashlib.sha256(content).hexdigest()):
        raise InputError(f"{weights_path}: does not belong to its card: one of the two was changed or exchanged")
    return TrainedModel(model.to(device).eval(), card)
