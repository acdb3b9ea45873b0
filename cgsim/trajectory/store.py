"""The store: one HDF5 file (H5MD layout) that holds a trajectory, its system and the documents that explain it.

Positions lie in the box in float32 and images are int32, so unwrapped positions are exact over any number of boxes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.layout import PARAMETERS, PARTICLES, SIZE, STORE_VERSION, VELOCITY, read_system
from cgsim.trajectory.trajectory import Trajectory
from cgsim.trajectory.writer import StoreWriter, write_store
from cgsim.typing import Array, Float64, Int64

__all__ = ["StoreWriter", "TrajectoryStore", "write_store"]

NO_VELOCITIES = (
    "holds no velocities; 'cgsim import --velocities' keeps those of files that have them (LAMMPS dumps with columns "
    "vx vy vz, trr), rollouts never have any"
)
NO_SIZES = (
    "holds no sizes of beads; 'cgsim map --sizes' keeps those of atoms, and rollouts of models with model.bead_size "
    "have them"
)


class TrajectoryStore:
    """A store opened for reading; frames are read only when asked for.

    The file is opened anew for every read, so an object may be pickled and shared between processes.

    Attributes:
        path: the file.
        system: the particles.
        atoms: the atomistic system beneath, if the particles are beads and it was kept.
        documents: what was kept as JSON, by name.
        time: [frames], time.
        is_periodic: whether there is a cell.
        has_velocities: whether velocities were kept.
        has_sizes: whether sizes of beads were kept.

    Raises:
        InputError: if the file is missing, damaged, not a store, or of a newer major version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self._open() as file:
            try:
                parameters = file[PARAMETERS]
                version = tuple(int(i) for i in parameters.attrs["version"])
            except (KeyError, TypeError):
                raise InputError(
                    f"{self.path}: an HDF5 file, but not a cgsim store; make one with 'cgsim import'"
                ) from None
            if version[0] > STORE_VERSION[0]:
                raise InputError(
                    f"{self.path}: store version {version[0]}.{version[1]} is newer than "
                    f"{STORE_VERSION[0]}.{STORE_VERSION[1]}, the newest this cgsim reads; update cgsim"
                )
            try:
                self.system = read_system(parameters)
                self.atoms = read_system(parameters["atoms"]) if "atoms" in parameters else None
                self.documents: dict[str, Any] = {
                    name: json.loads(text[()]) for name, text in parameters["documents"].items()
                }
                self.time: Float64[Array, " frames"] = file[f"{PARTICLES}/position/time"][:]
                self.is_periodic: bool = "edges" in file[f"{PARTICLES}/box"]
                self.has_velocities: bool = f"{PARTICLES}/{VELOCITY}" in file
                self.has_sizes: bool = f"{PARTICLES}/{SIZE}" in file
            except (KeyError, TypeError, OSError) as error:
                raise InputError(f"{self.path}: damaged store: {_first_line(error)}") from error

    def __repr__(self) -> str:
        return f"TrajectoryStore({str(self.path)!r}, {self.n_frames} frames, {self.system.n_particles} particles)"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.time)

    @property
    def save_interval(self) -> float:
        """Time between frames.

        Raises:
            InputError: if there is only one frame or the interval varies by more than rounding (float32 times, as
                GROMACS writes them, are allowed for).
        """
        if self.n_frames < 2:
            raise InputError(f"{self.path}: has {self.n_frames} frame, so there is no save interval")
        interval = float(self.time[-1] - self.time[0]) / (self.n_frames - 1)
        deviation = np.abs(self.time - (self.time[0] + interval * np.arange(self.n_frames)))
        allowed = 1e-6 * interval + 2 * np.finfo(np.float32).eps * np.abs(self.time).max()
        if deviation.max() > allowed:
            steps = np.diff(self.time)
            odd = int(np.argmax(np.abs(steps - np.median(steps))))
            raise InputError(
                f"{self.path}: frames are not equally spaced: {steps[odd]:g} between frames {odd} and {odd + 1}, "
                f"{np.median(steps):g} {self.system.units.time} elsewhere"
            )
        return float(interval)

    def read(self, frames: slice = slice(None), *, velocities: bool = False, sizes: bool = False) -> Trajectory:
        """Read some frames (all by default) into memory; a negative step is not possible.

        Raises:
            InputError: if velocities or sizes are asked for and there are none, or the file is damaged.
        """
        with self._open() as file:
            return self._read(file, frames, velocities, sizes)

    def chunks(
        self, max_bytes: int = 64 * 2**20, *, velocities: bool = False, sizes: bool = False
    ) -> Iterator[Trajectory]:
        """Read all frames in order, in pieces of at most ``max_bytes`` (one frame at least).

        Args:
            max_bytes: of positions, images, velocities and sizes.
            velocities: read them too.
            sizes: read the sizes of beads too.

        Raises:
            InputError: if velocities or sizes are asked for and there are none, or the file is damaged.
        """
        per_particle = 24 + 12 * velocities + 4 * sizes
        per_piece = max(1, max_bytes // (per_particle * max(1, self.system.n_particles)))
        with self._open() as file:
            for start in range(0, self.n_frames, per_piece):
                yield self._read(file, slice(start, start + per_piece), velocities, sizes)

    def unwrapped(
        self, particles: Int64[Array, " chosen"], frames: slice = slice(None)
    ) -> Float64[Array, "frames chosen 3"]:
        """Read the unwrapped positions of a few particles over time, without holding the others in memory."""
        start, stop, step = frames.indices(self.n_frames)
        per_piece = max(1, 64 * 2**20 // (24 * max(1, self.system.n_particles)))
        pieces = [np.empty((0, len(particles), 3))]
        with self._open() as file:
            for first in range(start, stop, per_piece * step):
                piece = self._read(file, slice(first, min(stop, first + per_piece * step), step))
                images = piece.image_flags[:, particles].astype(np.float64)
                pieces.append(piece.wrapped_positions[:, particles] + images @ piece.cell)
        return np.concatenate(pieces)

    def _read(self, file: Any, frames: slice, velocities: bool = False, sizes: bool = False) -> Trajectory:
        if velocities and not self.has_velocities:
            raise InputError(f"{self.path}: {NO_VELOCITIES}")
        if sizes and not self.has_sizes:
            raise InputError(f"{self.path}: {NO_SIZES}")
        try:
            particles = file[PARTICLES]
            if self.is_periodic:
                cell = particles["box/edges/value"][frames]
            else:
                cell = np.zeros((len(self.time[frames]), 3, 3))
            return Trajectory(
                self.system,
                particles["position/value"][frames],
                particles["image/value"][frames],
                cell,
                self.time[frames],
                particles[f"{VELOCITY}/value"][frames] if velocities else None,
                particles[f"{SIZE}/value"][frames] if sizes else None,
            )
        except (OSError, KeyError) as error:
            raise InputError(f"{self.path}: damaged store: {_first_line(error)}") from error

    def _open(self) -> Any:
        if not self.path.exists():
            raise InputError(f"{self.path}: no such file")
        if self.path.is_dir():
            raise InputError(f"{self.path}: is a directory, expected a store (.h5)")
        try:
            return h5py.File(self.path, "r")
        except OSError as error:
            reason = _first_line(error)
            if "signature not found" in reason:
                raise InputError(f"{self.path}: not an HDF5 file, expected a store made by 'cgsim import'") from error
            if "truncated" in reason:
                raise InputError(f"{self.path}: truncated: the file is shorter than its header says") from error
            raise InputError(f"{self.path}: cannot be read: {reason}") from error


def _first_line(error: BaseException) -> str:
    return str(error.args[0] if error.args else error).splitlines()[0]
