"""Training data: which windows there are, what scales they have, and what the model may expect of a system."""

from dataclasses import dataclass
from functools import reduce

import torch
from torch.utils.data import Dataset

from cgsim.checkpoint import ModelCard, TrainingSystem, data_hash, range_of
from cgsim.errors import InputError, nearest
from cgsim.mapping import MappingSettings
from cgsim.models.embedding import Vocabulary, atom_types
from cgsim.models.inputs import SystemInputs
from cgsim.models.model import ModelSettings
from cgsim.models.normalization import Scales
from cgsim.simulate.stability import TrainingRange
from cgsim.train.measure import measure
from cgsim.train.pushes import Approaches
from cgsim.train.source import BeadData, Source, load
from cgsim.train.start import joint_vocabulary
from cgsim.trajectory.windows import displacement_window, history_window
from cgsim.units import UnitSystem


@dataclass(frozen=True)
class TrainingSet:
    """All trajectories of an experiment and what was measured on those of training.

    Attributes:
        train: trajectories to learn from.
        validation: held-out trajectories; may be empty.
        units: the one unit system of all stores.
        vocabulary: atom and bond types of the training systems.
        scales: normalisation.
        trained: range of the training data, for the health of rollouts.
        systems: all that the weights have learned from in the end, each with its range: what the model that training
            goes on from has, and last the trajectories to learn from.
    """

    train: list[BeadData]
    validation: list[BeadData]
    units: UnitSystem
    vocabulary: Vocabulary
    scales: Scales
    trained: TrainingRange
    systems: tuple[TrainingSystem, ...]

    def inputs(self, data: list[BeadData]) -> list[SystemInputs]:
        """The systems in the indices of the model."""
        names = self.scales.class_names
        return [
            SystemInputs.of(
                d.store.atoms, d.store.mapping, d.trajectory.cell[0], self.vocabulary, names, str(d.source.path)
            )
            for d in data
        ]

    def approaches(self, settings: ModelSettings) -> Approaches:
        """How near beads come in all of the trajectories together, and in each.

        Classes that never come within the range in which distances are measured have that range.
        """
        own = self.systems[-len(self.train) :]
        each = torch.tensor([system.trained.closest_pair for system in own if system.trained is not None])
        each = each.masked_fill(each == 0.0, settings.largest_cutoff)
        return Approaches(torch.tensor(self.trained.closest_pair), each)

    def ranges(self, which: list[int]) -> list[TrainingRange]:
        """The range that rollouts of some of the trajectories to learn from are kept in."""
        of_each = {k: range_of(self.train[k].store.atoms, self.systems, self.trained) for k in set(which)}
        return [of_each[k] for k in which]


def load_training_set(
    train: list[Source],
    validation: list[Source],
    mapping: MappingSettings,
    settings: ModelSettings,
    start: ModelCard | None = None,
) -> TrainingSet:
    """Read everything, check that it belongs together, and measure scales and ranges on the training systems.

    Args:
        train: trajectories to learn from.
        validation: held-out trajectories.
        mapping: how atoms become beads.
        settings: of the model.
        start: card of a model that training goes on from; its scales stay, vocabulary and ranges grow.

    Raises:
        InputError: as :func:`load`; or if unit systems differ, a validation system is outside the vocabulary, or a
            system has classes of beads that the model to start from does not know.
    """
    data = [load(s, mapping, settings) for s in train]
    held_out = [load(s, mapping, settings) for s in validation]
    units = data[0].store.atoms.units
    for d in data + held_out:
        if d.store.atoms.units is not units:
            raise InputError(f"{d.source.path}: is in {d.store.atoms.units} units, {data[0].source.path} in {units}")
    vocabulary = Vocabulary.of([d.store.atoms for d in data])
    names = tuple(dict.fromkeys(n for d in data for n in d.store.mapping.class_names))
    if start is not None:
        _check_species(data, start)
        names = start.scales.class_names
    scales, ranges = measure(data, settings, names)
    trained = reduce(TrainingRange.joined, ranges)
    if start is not None:
        vocabulary, scales = joint_vocabulary(start.vocabulary, vocabulary), start.scales
        trained = start.trained.joined(trained)
    new = tuple(_described(one, found) for one, found in zip(data, ranges, strict=True))
    known = {_identity(system) for system in new}
    before = (system for system in (start.training_systems if start else ()) if _identity(system) not in known)
    out = TrainingSet(data, held_out, units, vocabulary, scales, trained, (*before, *new))
    out.inputs(held_out)
    return out


def _described(data: BeadData, trained: TrainingRange) -> TrainingSystem:
    """A trajectory as the card of a model names it."""
    beads, types = data.trajectory, sorted(set(atom_types(data.store.atoms)))
    return TrainingSystem(
        file=data.source.path.name,
        mapping_hash=data.store.mapping.hash,
        data_hash=data_hash(beads),
        n_beads=beads.system.n_particles,
        length=float(beads.time[-1] - beads.time[0]),
        atom_types=tuple(types),
        trained=trained,
    )


def _identity(system: TrainingSystem) -> tuple[str, str]:
    """The same beads under another name are the same system."""
    return system.mapping_hash, system.data_hash


def _check_species(data: list[BeadData], start: ModelCard) -> None:
    """Refuse systems of other species than those of the model to start from."""
    known = start.scales.class_names
    for d in data:
        for name in d.store.mapping.class_names:
            if name not in known:
                raise InputError(
                    f"{d.source.path}: species {name!r} is unknown to the model {start.name!r} of start_from, and only "
                    f"training from the beginning can teach it{nearest(name, list(known))}"
                )


WindowItem = tuple[int, torch.Tensor, torch.Tensor, *tuple[torch.Tensor, ...]]


class Windows(Dataset[WindowItem]):
    """Every window of some trajectories: system index, history [beads, history, 3], displacement [beads, 3].

    For a model that learns sizes of beads, those of the present [beads] as well, length^2.

    Args:
        data: the trajectories.
        settings: of the model that looks at them.
        both_ways: also the windows of every trajectory played backwards.
    """

    def __init__(self, data: list[BeadData], settings: ModelSettings, *, both_ways: bool = False) -> None:
        self.data, self.offsets = data, settings.history_offsets
        self.paths = [d.trajectory for d in data] + [d.trajectory[::-1] for d in data if both_ways]
        frames = [d.frames(settings) for d in data]
        self.index = [(k, frame) for k in range(len(self.paths)) for frame in frames[k % len(data)]]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> WindowItem:
        k, frame = self.index[item]
        path, system = self.paths[k], k % len(self.data)
        stride = self.data[system].stride
        history = torch.from_numpy(history_window(path, frame, stride, self.offsets))
        displacement = torch.from_numpy(displacement_window(path, frame, stride))
        if path.squared_sizes is None:
            return system, history, displacement
        return system, history, displacement, torch.from_numpy(path.squared_sizes[frame])
