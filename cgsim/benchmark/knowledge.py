"""Which of the unseen systems a model has learned from, told by the hashes on its card."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.benchmark.data import OTHER_START, BenchmarkData
from cgsim.benchmark.models import SeedModel
from cgsim.benchmark.rows import OURS
from cgsim.checkpoint import TrainingSystem
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
        for model, known in entries.items():
            length = _length_known(data, path, known)
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


def _length_known(data: BenchmarkData, path: Path, known: list[TrainingSystem]) -> float:
    """The longest time from the first frame of a store on that is among what was learned from; 0 if none is."""
    beads = data.open(path)
    of_length: dict[float, set[str]] = {}
    for system in known:
        if system.mapping_hash == beads.mapping.hash:
            of_length.setdefault(system.length, set()).add(system.data_hash)
    if not of_length:
        return 0.0
    trajectory = beads.read()
    since = trajectory.time - trajectory.time[0]
    for length, hashes in sorted(of_length.items(), reverse=True):
        n_frames = int(np.searchsorted(since, length * (1 + 1e-9), side="right"))
        if TrainingSystem.of(path.name, beads.mapping.hash, trajectory[:n_frames]).data_hash in hashes:
            return length
    return 0.0
