"""Training data: which windows there are, what scales they have, and what the model may expect of a system."""

from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.embedding import Vocabulary
from cgsim.models.inputs import SystemInputs
from cgsim.models.model import ModelSettings
from cgsim.models.normalization import Scales
from cgsim.simulate.stability import TrainingRange
from cgsim.train.measure import measure
from cgsim.train.source import BeadData, Source, load
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
    """

    train: list[BeadData]
    validation: list[BeadData]
    units: UnitSystem
    vocabulary: Vocabulary
    scales: Scales
    trained: TrainingRange

    def inputs(self, data: list[BeadData]) -> list[SystemInputs]:
        """The systems in the indices of the model."""
        names = self.scales.class_names
        return [
            SystemInputs.of(
                d.store.atoms, d.store.mapping, d.trajectory.cell[0], self.vocabulary, names, str(d.source.path)
            )
            for d in data
        ]


def load_training_set(
    train: list[Source], validation: list[Source], mapping: MappingSettings, settings: ModelSettings
) -> TrainingSet:
    """Read everything, check that it belongs together, and measure scales and ranges on the training systems.

    Raises:
        InputError: as :func:`load`; or if unit systems differ, or a validation system is outside the vocabulary.
    """
    data = [load(s, mapping, settings) for s in train]
    held_out = [load(s, mapping, settings) for s in validation]
    units = data[0].store.atoms.units
    for d in data + held_out:
        if d.store.atoms.units is not units:
            raise InputError(f"{d.source.path}: is in {d.store.atoms.units} units, {data[0].source.path} in {units}")
    vocabulary = Vocabulary.of([d.store.atoms for d in data])
    scales, trained = measure(data, settings)
    out = TrainingSet(data, held_out, units, vocabulary, scales, trained)
    out.inputs(held_out)
    return out


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
