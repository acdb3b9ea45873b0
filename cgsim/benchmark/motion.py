"""Motion of one species of a bead trajectory: the analysis of ``cgsim analyze``, on a trajectory in memory."""

from pathlib import Path

import numpy as np

from cgsim.analysis.motion import Box, Motion, follow_box, follow_species
from cgsim.analysis.selection import Species
from cgsim.analysis.source import Source
from cgsim.benchmark.portrait import NOTHING
from cgsim.observables.diffusion import (
    MIN_FRAMES,
    DiffusionFit,
    diffusion_coefficient,
    diffusion_coefficient_within,
)
from cgsim.observables.dynamics import MeanSquaredDisplacement
from cgsim.observables.statistics import Estimate
from cgsim.trajectory import Trajectory
from cgsim.typing import Array, Float64

__all__ = ["Box", "Motion", "Species", "fit_diffusion", "follow_box", "follow_species", "msd_at", "source_of"]


def source_of(trajectory: Trajectory) -> Source:
    """A trajectory in memory, as the analysis sees files."""
    interval = float(trajectory.time[-1] - trajectory.time[0]) / max(1, trajectory.n_frames - 1)
    return Source(
        path=Path("trajectory"),
        name="trajectory",
        system=trajectory.system,
        all_times=trajectory.time,
        save_interval=interval,
        is_periodic=trajectory.is_periodic,
        documents={},
        pieces=lambda: iter([trajectory]),
    )


def fit_diffusion(displacement: MeanSquaredDisplacement, window: Float64[Array, "2"] | None) -> DiffusionFit | None:
    """Diffusion coefficient in the window of the reference, or in an automatic one where that cannot be reached."""
    if displacement.n_frames < MIN_FRAMES:
        return None
    if window is not None:
        try:
            return diffusion_coefficient_within(displacement, (float(window[0]), float(window[1])))
        except ValueError:
            pass
    return diffusion_coefficient(displacement)


def msd_at(displacement: MeanSquaredDisplacement, errors: Array, lag_time: float) -> Estimate:
    """Mean squared displacement at a lag time, linear between frames; nothing beyond half the trajectory."""
    lag = lag_time / displacement.save_interval
    if lag > 0.5 * displacement.n_frames:
        return NOTHING
    value = float(np.interp(lag, np.arange(displacement.n_frames), displacement.msd))
    return Estimate(value, float(np.interp(lag, displacement.lags, errors)))
