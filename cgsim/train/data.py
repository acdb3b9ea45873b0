"""Training data: which windows there are, what scales they have, and what the model may expect of a system."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from cgsim.beads import BeadStore, open_beads
from cgsim.errors import InputError
from cgsim.geometry.neighbors import neighbor_pairs
from cgsim.geometry.periodic import minimum_image
from cgsim.mapping import MappingSettings
from cgsim.models.embedding import Vocabulary
from cgsim.models.inputs import SystemInputs
from cgsim.models.model import ModelSettings
from cgsim.models.normalization import Scales
from cgsim.simulate.stability import TrainingRange
from cgsim.train.cache import cached_trajectory
from cgsim.trajectory import Trajectory
from cgsim.trajectory.windows import displacement_window, history_window, window_frames
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem, format_time

FRAMES_FOR_SCALES = 200  # windows per trajectory that scales and ranges are measured on
LARGEST_CELL_CHANGE = 0.01  # relative; images cannot be followed in a model's fixed cell beyond it


@dataclass(frozen=True)
class Source:
    """One trajectory to learn from.

    Attributes:
        path: a store of atoms or beads.
        begin: use frames from this time on, in the store's unit, counted from its first frame.
        end: use frames up to this time; infinite for all.
    """

    path: Path
    begin: float
    end: float


@dataclass(frozen=True)
class BeadData:
    """A bead trajectory, as windows see it.

    Attributes:
        source: where it came from.
        store: the opened store.
        trajectory: beads, the chosen frames only.
        stride: saved frames per lag time.
    """

    source: Source
    store: BeadStore
    trajectory: Trajectory
    stride: int

    def frames(self, settings: ModelSettings) -> range:
        """Frames that windows can be centred on."""
        return window_frames(self.trajectory.n_frames, self.stride, settings.history_offsets)


def load(source: Source, mapping: MappingSettings, settings: ModelSettings) -> BeadData:
    """Read one trajectory as beads, refusing early what cannot be learned from.

    Raises:
        InputError: if the lag is not a multiple of the save interval, the history is longer than the trajectory, the
            cell changes, a periodic system meets an infinite cutoff, or sizes of beads are to be learned and not there.
    """
    opened = open_beads(source.path, mapping)
    units, path = opened.atoms.units, source.path
    stride = lag_stride(opened, settings.lag_time)
    since = opened.store.time - opened.store.time[0]
    chosen = np.flatnonzero((since >= source.begin - 1e-9) & (since <= source.end * (1 + 1e-9)))
    if not len(chosen):
        found = format_time(float(since[-1]), units)
        raise InputError(
            f"{path}: no frame between {source.begin:g} and {source.end:g} {units.time}; the file is {found} long"
        )
    if opened.store.is_periodic and settings.needs_open_boundaries:
        which = settings.infinite_cutoffs[0]
        raise InputError(f"{path}: has a periodic cell, so model.{which}.cutoff must be finite, got infinity")
    if settings.bead_size and not opened.has_sizes:
        raise InputError(
            f"{path}: holds beads without their sizes, which model.bead_size learns; train on stores of atoms, or of "
            "beads made with 'cgsim map --sizes'"
        )
    frames = slice(int(chosen[0]), int(chosen[-1]) + 1)
    n_needed = (settings.history_offsets[-1] + 1) * stride + 1
    if len(chosen) < n_needed:
        raise InputError(
            f"{path}: a history of {settings.history_offsets[-1]} lags of {format_time(settings.lag_time, units)} and "
            f"the step after it need {n_needed} frames, the trajectory has {len(chosen)}: use a shorter history or lag"
        )
    trajectory = cached_trajectory(opened, frames, sizes=settings.bead_size is not None)
    change = np.abs(trajectory.cell - trajectory.cell[0]).max()
    if change > LARGEST_CELL_CHANGE * max(np.abs(trajectory.cell[0]).max(), 1e-300) and trajectory.is_periodic:
        raise InputError(
            f"{path}: the cell changes by {change:.3g} {units.length} along the trajectory; train on runs at constant "
            "volume"
        )
    return BeadData(source, opened, trajectory, stride)


def lag_stride(store: BeadStore, lag_time: float) -> int:
    """Saved frames per lag time.

    Raises:
        InputError: if the lag is not a multiple of the save interval.
    """
    interval, units = store.store.save_interval, store.atoms.units
    stride = round(lag_time / interval)
    if stride < 1 or abs(stride * interval - lag_time) > 1e-3 * lag_time:
        raise InputError(
            f"{store.store.path}: lag_time {format_time(lag_time, units)} is not a multiple of the save interval "
            f"{format_time(interval, units)}"
        )
    return stride


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


def measure(data: list[BeadData], settings: ModelSettings) -> tuple[Scales, TrainingRange]:
    """Scales and ranges of the training trajectories."""
    names: tuple[str, ...] = tuple(dict.fromkeys(n for d in data for n in d.store.mapping.class_names))
    n, n_intervals = len(names), settings.n_history - 1
    squares, counts = np.zeros((n, n_intervals + 1)), np.zeros(n)
    masses = np.zeros(n)
    closest = np.full((n, n), np.inf)
    bonds: list[Float64[Array, " bonds"]] = []
    nearest: list[float] = []
    ranges, degrees = [], []
    for d in data:
        row = np.array([names.index(c) for c in d.store.mapping.class_names])[d.store.mapping.bead_class]
        frames = d.frames(settings)
        chosen = frames[:: max(1, len(frames) // FRAMES_FOR_SCALES)]
        mass = d.store.mapping.masses
        for frame in chosen:
            steps = np.diff(history_window(d.trajectory, frame, d.stride, settings.history_offsets), axis=1)
            steps = np.concatenate([steps, displacement_window(d.trajectory, frame, d.stride)[:, None]], axis=1)
            if d.trajectory.is_periodic:
                steps = steps - np.average(steps, axis=0, weights=mass)
            np.add.at(squares, row, np.square(steps).mean(axis=-1))
            np.add.at(counts, row, 1.0)
            np.add.at(masses, row, mass)
            positions = torch.from_numpy(d.trajectory.wrapped_positions[frame]).double()
            cell = torch.from_numpy(d.trajectory.cell[frame])
            cutoff = settings.largest_cutoff
            pairs = neighbor_pairs(positions, (len(positions),), cell[None], cutoff)
            distances = (positions[pairs.sender] + pairs.shifts - positions[pairs.receiver]).norm(dim=-1).numpy()
            i, j = pairs.receiver.numpy(), pairs.sender.numpy()
            np.minimum.at(closest, (row[i], row[j]), distances)
            ranges.append(float(distances.max(initial=0.0)))
            nearest.append(float(distances.min(initial=np.inf)))
            degrees.append(len(distances) / len(positions))
            a, b = torch.from_numpy(d.store.mapping.bond_index)
            bonds.append(minimum_image(positions[a] - positions[b], cell).norm(dim=-1).numpy())
    rms = np.sqrt(squares / counts[:, None])
    rms = np.where(rms > 0, rms, 1.0)
    bond_lengths = np.concatenate(bonds)
    typical = bond_lengths if len(bond_lengths) else np.array(nearest)[np.isfinite(nearest)]
    length = float(typical.mean()) if len(typical) else float(rms[:, -1].mean())
    scales = Scales(
        class_names=names,
        displacement=tuple(rms[:, -1].tolist()),
        history=tuple(tuple(r) for r in rms[:, :-1].tolist()),
        mass=tuple((masses / counts).tolist()),
        length=length,
        radial_range=settings.largest_cutoff
        if np.isfinite(settings.largest_cutoff)
        else float(np.max(ranges)) or length,
        mean_degree=float(np.mean(degrees)),
    )
    if settings.bead_size:
        scales = scales.model_copy(update={"squared_size": _mean_squared_sizes(data, names)})
    longest = float(bond_lengths.max(initial=0.0))
    closest[~np.isfinite(closest)] = 0.0
    return scales, TrainingRange(longest_bond=longest, closest_pair=tuple(tuple(r) for r in closest.tolist()))


def _mean_squared_sizes(data: list[BeadData], names: tuple[str, ...]) -> tuple[float, ...]:
    """Mean squared size of the beads of each class, length^2."""
    sums, counts = np.zeros((2, len(names)))
    for d in data:
        assert d.trajectory.squared_sizes is not None
        row = np.array([names.index(c) for c in d.store.mapping.class_names])[d.store.mapping.bead_class]
        np.add.at(sums, row, d.trajectory.squared_sizes.sum(axis=0, dtype=np.float64))
        np.add.at(counts, row, float(d.trajectory.n_frames))
    return tuple((sums / counts).tolist())


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
