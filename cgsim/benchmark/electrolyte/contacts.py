"""How long a contact between beads lasts."""

from collections.abc import Iterator

import numpy as np
from vesin import NeighborList

from cgsim.benchmark.portrait import NOTHING
from cgsim.observables.coordination import record_contacts
from cgsim.observables.residence import Residence, intermittent_residence
from cgsim.observables.statistics import Estimate
from cgsim.trajectory import Trajectory
from cgsim.typing import Array, Float64, Int64

SLOW = 400.0  # ps: contacts that last longer are compared at what is left of them after that time
MOST_FRAMES = 2000
DECAYED = float(np.exp(-1.0))


def contact_relaxation(
    trajectory: Trajectory,
    ions: Int64[Array, " ions"],
    partners: Int64[Array, " partners"],
    cutoff: float,
    lag_time: float,
    level: float | None,
) -> tuple[Estimate, float]:
    """Decimal logarithm of the time after which the intermittent contact correlation has fallen to a level.

    The correlation is that of :func:`cgsim.observables.residence.intermittent_residence` with beads as partners, so it
    is the relaxation of the contact map. It is read off the trajectory every lag time, so that MD and rollouts
    are seen alike, and compared at a level and not by its integral, which a slow tail would decide.

    Args:
        trajectory: of beads.
        ions: beads.
        partners: beads.
        cutoff: length, within which two beads are in contact.
        lag_time: time between the frames that are used, no shorter than the save interval.
        level: of the correlation. If None it is 1/e, or what is left after :data:`SLOW` where that is more.

    Returns:
        The time, and the level that was used.
    """
    interval = float(trajectory.time[1] - trajectory.time[0])
    stride = max(1, round(lag_time / interval))
    chosen = trajectory[::stride][:MOST_FRAMES]
    record = record_contacts(
        zip(chosen.wrapped_positions.astype(np.float64), chosen.cell, strict=True),
        ions,
        np.arange(len(ions)),
        partners,
        np.arange(len(partners)),
        cutoff,
    )
    if chosen.n_frames < 4 or not len(record.frame):
        return NOTHING, level or DECAYED
    residence = intermittent_residence(record)
    step = stride * interval
    if level is None:
        kept = float(np.interp(SLOW / step, np.arange(len(residence.correlation)), residence.correlation))
        level = max(DECAYED, kept)
    return _crossing(residence, level, step), level


def _crossing(residence: Residence, level: float, step: float) -> Estimate:
    """Logarithm of the time at which the correlation first falls to a level; not a number if it never does."""
    curve = residence.correlation
    below = np.flatnonzero(curve <= level)
    if not below.size or below[0] == 0:
        return NOTHING
    k = int(below[0])
    fall = float(curve[k - 1] - curve[k])
    lag = k - 1 + float(curve[k - 1] - level) / fall
    error = float(residence.standard_error[k]) / fall / lag / float(np.log(10.0))
    return Estimate(float(np.log10(lag * step)), error)


def neighbors(trajectory: Trajectory, cutoff: float) -> Iterator[tuple[Array, Array, Float64[Array, " pairs"]]]:
    """Ordered pairs of beads closer than a cutoff and their distances, frame by frame."""
    search = NeighborList(cutoff=cutoff, full_list=True)
    for positions, cell in zip(trajectory.wrapped_positions, trajectory.cell, strict=True):
        i, j, distances = search.compute(positions.astype(np.float64), cell, bool(cell.any()), "ijd")
        yield i.astype(np.int64), j.astype(np.int64), distances
