"""The time of each frame: found in the file or stated by the user, never guessed."""

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.frames import Frame
from cgsim.units import LammpsUnits, UnitSystem, format_time, parse_time


class Clock:
    """Tells the time of frame after frame.

    A time in the file counts. Without one, the number of the MD step times the user's timestep; without that, the
    user's save interval, which the first two frames set apart: later gaps in the step numbers are then kept.

    Args:
        units: units of LAMMPS files; None for files in Å and ps.
        timestep: MD step in the LAMMPS unit of time.
        save_interval: time between frames, with its unit.

    Raises:
        InputError: if the save interval cannot be read.
    """

    def __init__(self, units: LammpsUnits | None, timestep: float | None, save_interval: str | None) -> None:
        self._system = units.system if units is not None else UnitSystem.MOLECULAR
        self._timestep = None if timestep is None else timestep * (units.time if units is not None else 1.0)
        self._interval = None if save_interval is None else parse_time(save_interval, self._system)
        self._given = save_interval
        self._n = 0
        self._first: Frame | None = None
        self._stride: int | None = None

    def time(self, frame: Frame) -> float:
        """Return the time of the next frame.

        Raises:
            InputError: if nothing tells it, or what the user says contradicts the file.
        """
        index, self._n = self._n, self._n + 1
        if self._first is None:
            self._first = frame
        if frame.time is not None:
            if index == 1:
                self._check(frame, frame.time - (self._first.time or 0.0))
            return frame.time
        if self._timestep is not None and frame.step is not None:
            return frame.step * self._timestep
        if self._interval is None:
            raise InputError(
                f"{frame.where}: the file has no times; give "
                + ("--timestep (MD step in the LAMMPS unit of time) or " if frame.step is not None else "")
                + f"--save-interval with the time between frames, for example '2 {self._system.time}'"
            )
        if frame.step is None or self._first.step is None:
            return index * self._interval
        if index == 1:
            self._stride = frame.step - self._first.step
        if not self._stride:
            return index * self._interval
        return (frame.step - self._first.step) / self._stride * self._interval

    def _check(self, frame: Frame, found: float) -> None:
        """Refuse what the user says about time if the file says otherwise."""
        stated, option = self._interval, f"--save-interval {self._given}"
        if self._timestep is not None and frame.step is not None and self._first is not None:
            stated = (frame.step - (self._first.step or 0)) * self._timestep
            option = "--timestep with the step numbers of the file"
        if stated is not None and not np.isclose(stated, found, rtol=1e-3):
            raise InputError(
                f"{frame.where}: the file has frames {format_time(found, self._system)} apart, but {option} gives "
                f"{format_time(stated, self._system)}"
            )
