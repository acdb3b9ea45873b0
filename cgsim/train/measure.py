"""What is measured of the training data: scales that inputs and outputs are divided by, and the range they cover."""

from dataclasses import dataclass

import numpy as np
import torch

from cgsim.geometry.neighbors import neighbor_pairs
from cgsim.geometry.periodic import minimum_image
from cgsim.models.model import ModelSettings
from cgsim.models.normalization import Scales
from cgsim.simulate.stability import TrainingRange
from cgsim.train.source import BeadData
from cgsim.trajectory.windows import displacement_window, history_window
from cgsim.typing import Array, Float64, Int64

BEADS_AT_ONCE = 20_000  # of the frames that distances are measured in at once
FRAMES_FOR_SCALES = 200  # windows per trajectory that scales and ranges are measured on


def measure(
    data: list[BeadData], settings: ModelSettings, names: tuple[str, ...]
) -> tuple[Scales, list[TrainingRange]]:
    """Scales of the training trajectories and the range of each; ``names`` are the classes of beads of all of them."""
    n, n_intervals = len(names), settings.n_history - 1
    squares, counts = np.zeros((n, n_intervals + 1)), np.zeros(n)
    masses = np.zeros(n)
    trained: list[TrainingRange] = []
    bonds: list[Float64[Array, " bonds"]] = []
    nearest: list[Float64[Array, " frames"]] = []
    ranges, degrees, weights = [], [], []
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
        closest, longest = np.full((n, n), np.inf), 0.0
        for part in _parts(chosen, max(1, BEADS_AT_ONCE // len(row))):
            found = _distances(d, part, settings.largest_cutoff)
            np.minimum.at(closest, (row[found.receiver], row[found.sender]), found.pairs)
            ranges.append(float(found.pairs.max(initial=0.0)))
            nearest.append(found.nearest)
            degrees.append(len(found.pairs) / (len(part) * len(row)))
            weights.append(len(part))
            bonds.append(found.bonds)
            longest = max(longest, float(found.bonds.max(initial=0.0)))
        closest[~np.isfinite(closest)] = 0.0
        trained.append(TrainingRange(longest_bond=longest, closest_pair=tuple(tuple(r) for r in closest.tolist())))
    counts = counts.clip(min=1.0)  # a class that none of these systems has
    rms = np.sqrt(squares / counts[:, None])
    rms = np.where(rms > 0, rms, 1.0)
    bond_lengths = np.concatenate(bonds)
    apart = np.concatenate(nearest)
    typical = bond_lengths if len(bond_lengths) else apart[np.isfinite(apart)]
    length = float(typical.mean()) if len(typical) else float(rms[:, -1].mean())
    scales = Scales(
        class_names=names,
        displacement=tuple(rms[:, -1].tolist()),
        history=tuple(tuple(r) for r in rms[:, :-1].tolist()),
        mass=tuple((masses / counts).tolist()),
        length=length,
        radial_range=settings.radial_range if np.isfinite(settings.radial_range) else float(np.max(ranges)) or length,
        mean_degree=float(np.average(degrees, weights=weights)),
    )
    if settings.bead_size:
        scales = scales.model_copy(update={"squared_size": _mean_squared_sizes(data, names)})
    return scales, trained


@dataclass(frozen=True)
class _Distances:
    """Distances in some frames of a trajectory.

    Attributes:
        receiver, sender: [pairs], beads of each pair within the cutoff, each pair twice.
        pairs: [pairs], length.
        nearest: [frames], the smallest of each frame; infinite without pairs.
        bonds: [bonds], length.
    """

    receiver: Int64[Array, " pairs"]
    sender: Int64[Array, " pairs"]
    pairs: Float64[Array, " pairs"]
    nearest: Float64[Array, " frames"]
    bonds: Float64[Array, " bonds"]


def _parts(frames: range, length: int) -> list[range]:
    return [frames[start : start + length] for start in range(0, len(frames), length)]


def _distances(d: BeadData, frames: range, cutoff: float) -> _Distances:
    """Distances of pairs and bonds in some frames, found as those of systems side by side."""
    n_frames, n = len(frames), d.store.mapping.n_beads
    chosen = slice(frames.start, frames.stop, frames.step)
    positions = torch.from_numpy(d.trajectory.wrapped_positions[chosen].reshape(-1, 3)).double()
    cells = torch.from_numpy(d.trajectory.cell[chosen])
    pairs = neighbor_pairs(positions, (n,) * n_frames, cells, cutoff)
    lengths = (positions[pairs.sender] + pairs.shifts - positions[pairs.receiver]).norm(dim=-1).numpy()
    receiver, sender = pairs.receiver.numpy(), pairs.sender.numpy()
    nearest = np.full(n_frames, np.inf)
    np.minimum.at(nearest, receiver // n, lengths)
    a, b = torch.from_numpy(d.store.mapping.bond_index)
    in_frames = positions.view(n_frames, n, 3)
    bonds = minimum_image(in_frames[:, a] - in_frames[:, b], cells).norm(dim=-1)
    return _Distances(receiver % n, sender % n, lengths, nearest, bonds.flatten().numpy())


def _mean_squared_sizes(data: list[BeadData], names: tuple[str, ...]) -> tuple[float, ...]:
    """Mean squared size of the beads of each class, length^2."""
    sums, counts = np.zeros((2, len(names)))
    for d in data:
        assert d.trajectory.squared_sizes is not None
        row = np.array([names.index(c) for c in d.store.mapping.class_names])[d.store.mapping.bead_class]
        np.add.at(sums, row, d.trajectory.squared_sizes.sum(axis=0, dtype=np.float64))
        np.add.at(counts, row, float(d.trajectory.n_frames))
    return tuple((sums / counts.clip(min=1.0)).tolist())
