"""What every reader hands over: a :class:`Topology` once, then a :class:`Frame` at a time."""

from dataclasses import dataclass
from pathlib import Path

from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Float64, Int32, Int64


@dataclass(frozen=True)
class Topology:
    """The particles as a topology file describes them.

    Attributes:
        path: the file.
        system: the particles, sorted by id.
        ids: [particles], the id of each particle in the trajectory's files; increasing.
        notes: what a user should know about how it was read.
    """

    path: Path
    system: System
    ids: Int64[Array, " particles"]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One frame as a trajectory file has it, in the units of the store and the order of the topology.

    Attributes:
        where: file, frame and timestep, for errors.
        positions: [particles, 3], length, relative to the origin of the cell if there is one; also outside the cell.
        image_flags: [particles, 3], number of lattice vectors to add to ``positions``, if the file has them.
        is_unwrapped: whether the file says that ``positions`` are unwrapped, so that nothing need be added.
        cell: [3, 3], length; rows are lattice vectors; all zero for open boundaries.
        time: time, if the file states it.
        step: number of the MD step, if the file states it.
        bytes_read: how much of the file on disk has been read.
        velocities: [particles, 3], length / time, if they were asked for and the file has them.
    """

    where: str
    positions: Float64[Array, "particles 3"]
    image_flags: Int32[Array, "particles 3"] | None
    is_unwrapped: bool
    cell: Float64[Array, "3 3"]
    time: float | None
    step: int | None
    bytes_read: int
    velocities: Float64[Array, "particles 3"] | None = None
