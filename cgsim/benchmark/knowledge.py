"""Which of the unseen systems a model has learned from, told by the hashes on its card."""

from dataclasses import dataclass

import numpy as np

from cgsim.beads import BeadStore
from cgsim.benchmark.data import OTHER_START, BenchmarkData
from cgsim.benchmark.models import SeedModel
from cgsim.benchmark.rows import OURS
from cgsim.checkpoint import data_hash
from cgsim.errors import InputError
from cgsim.units import UnitSystem, format_time


@dataclass(frozen=True)
class Learned:
    """The beginning of an unseen system's MD, from which a model has learned.

    Attributes:
        model: its name.
        system: the system's.
        length: time, unit of the store.
    """

    model: str
    system: str
    length: float


def learned_beginnings(models: dict[str, list[SeedModel]], data: BenchmarkData) -> list[Learned]:
    """What the models have learned from the MD of the unseen systems, from its first frame on.

    A model that went on from another with a system's own short MD knows as much of it as ``short-md`` does.

    Raises:
        InputError: if one has learned from more of it than the training length, or from its independent start.
    """
    starts = {name + OTHER_START: path for name, path in data.other_starts.items()}
    entries = {
        name: [system for one in seeds for member in one.model.members for system in member.card.training_systems]
        for name, seeds in models.items()
    }
    found = []
    for system, path in {**data.systems, **starts}.items():
        beads = data.open(path)
        known = {s.length for own in entries.values() for s in own if s.mapping_hash == beads.mapping.hash}
        hashes = _hashes_of_beginnings(beads, known)
        for model, own in entries.items():
            length = max((s.length for s in own if hashes.get(s.length) == s.data_hash), default=0.0)
            if length > data.training_length * (1 + 1e-9) or (length and system in starts):
                units = data.task.units
                raise InputError(
                    f"{path}: {model} has learned from {format_time(length, units)} of it; of the unseen systems a "
                    f"model may know the first {format_time(data.training_length, units)}, as short-md does, and of "
                    "their independent starts nothing"
                )
            if length:
                found.append(Learned(model, system, length))
    return found


def learned_text(found: list[Learned], units: UnitSystem) -> list[str]:
    """A line for every model that has learned from unseen systems."""
    lines = []
    for model in dict.fromkeys(one.model for one in found):
        own = ", ".join(f"{format_time(one.length, units)} of {one.system}" for one in found if one.model == model)
        lines.append(
            f"{OURS}{model.removeprefix(OURS)} has learned from the beginning of the unseen systems' MD, as short-md "
            f"knows it: {own}."
        )
    return lines


def _hashes_of_beginnings(beads: BeadStore, lengths: set[float]) -> dict[float, str]:
    """What the card of a model that learned from the first frames of a store would say of them, by their length."""
    if not lengths:
        return {}
    trajectory = beads.read()
    since = trajectory.time - trajectory.time[0]
    found = {}
    for length in lengths:
        n_frames = int(np.searchsorted(since, length * (1 + 1e-9), side="right"))
        found[length] = data_hash(trajectory[:n_frames])
    return found
