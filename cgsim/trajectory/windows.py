"""Windows of a trajectory as the models see them: ``[beads, history, 3]``; the one place where axes are swapped."""

import numpy as np

from cgsim.trajectory.trajectory import Trajectory
from cgsim.typing import Array, Float32, Float64


def window_frames(n_frames: int, stride: int, offsets: tuple[int, ...], ahead: int = 1) -> range:
    """Frames that have the whole history behind them and ``ahead`` lags before them.

    Args:
        n_frames: frames of the trajectory.
        stride: saved frames per lag time.
        offsets: history offsets in lags, ascending from 0.
        ahead: lags that must follow; 0 for a start of a rollout.
    """
    return range(offsets[-1] * stride, n_frames - ahead * stride)


def history_window(
    trajectory: Trajectory, frame: int, stride: int, offsets: tuple[int, ...]
) -> Float32[Array, "beads history 3"]:
    """Positions at the offsets before a frame, oldest first, in the image in which that frame is in the box."""
    index = [frame - offset * stride for offset in reversed(offsets)]
    relative = np.stack([_relative(trajectory, i, frame) for i in index], axis=1)
    return np.ascontiguousarray(relative, dtype=np.float32)


def displacement_window(trajectory: Trajectory, frame: int, stride: int) -> Float32[Array, "beads 3"]:
    """Displacement over the lag that follows a frame."""
    present = trajectory.wrapped_positions[frame].astype(np.float64)
    displacement = _relative(trajectory, frame + stride, frame) - present
    return np.asarray(displacement, dtype=np.float32)


def _relative(trajectory: Trajectory, frame: int, present: int) -> Float64[Array, "beads 3"]:
    """Positions of a frame, unwrapped, less the images of the present frame."""
    images = trajectory.image_flags[frame] - trajectory.image_flags[present]
    return np.asarray(trajectory.wrapped_positions[frame] + images @ trajectory.cell[present])
