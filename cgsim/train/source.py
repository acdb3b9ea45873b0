"""One trajectory to learn from: where it comes from, and what is refused before any work."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.beads import BeadStore, open_beads
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.model import ModelSettings
from cgsim.train.cache import cached_trajectory
from cgsim.trajectory import Trajectory
from cgsim.trajectory.windows import window_frames
from cgsim.units import format_time

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
