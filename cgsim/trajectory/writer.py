"""Writing a store, frame by frame and all or nothing."""

import errno
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.layout import (
    CHUNK_BYTES,
    H5MD_VERSION,
    LOSSLESS,
    PARAMETERS,
    PARTICLES,
    SIZE,
    STORE_VERSION,
    VELOCITY,
    create_elements,
    write_system,
)
from cgsim.trajectory.trajectory import System, Trajectory
from cgsim.typing import Array


class StoreWriter:
    """Writes a store frame by frame; the file appears under its name only once it is complete.

    Frames stream into a hidden file beside the target, which takes the target's place when the ``with`` block ends
    and is removed when the block raises.

    Args:
        path: the store to write; replaced if it exists.
        system: the particles of every frame appended.
        atoms: the atomistic system beneath, if ``system`` is made of beads.
        documents: JSON-serialisable objects kept by name (``"mapping"``, ``"provenance"``).
        decimals: keep only so many decimals of a position (HDF5's scale-offset filter, about half the size); a
            position then moves by less than ``10**-decimals`` and may end up just outside the cell. Images stay
            exact. Lossless by default.

    Raises:
        InputError: if the directory is missing or cannot be written, or a document is not JSON.
    """

    def __init__(
        self,
        path: Path | str,
        system: System,
        *,
        atoms: System | None = None,
        documents: dict[str, Any] | None = None,
        decimals: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.system = system
        self.n_frames = 0
        self._last_time = -np.inf
        self._filters = LOSSLESS if decimals is None else {**LOSSLESS, "scaleoffset": decimals}
        texts = {name: _to_json(self.path, name, document) for name, document in (documents or {}).items()}
        if self.path.is_dir():
            raise InputError(f"{self.path}: is a directory, expected the name of a file to write")
        if not self.path.parent.is_dir():
            raise InputError(f"{self.path}: the directory {self.path.parent} does not exist")
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        with disk_errors(self.path):
            self._disk = _Disk(self._partial, "w+")
        try:
            self._file = h5py.File(self._disk, "w", libver="v110", rdcc_nbytes=4 * CHUNK_BYTES)
            with self._writing():
                self._write_header(atoms, texts)
        except BaseException:
            self._discard()
            raise

    def append(self, trajectory: Trajectory) -> None:
        """Write all frames of ``trajectory``, whose time must lie after what was written so far.

        Raises:
            InputError: if the particles differ in number, time does not increase, a coordinate is not finite, only some
                frames have velocities or sizes, or the disk is full.
        """
        if trajectory.system.n_particles != self.system.n_particles:
            raise InputError(
                f"{self.path}: frames of {trajectory.system.n_particles} particles, expected {self.system.n_particles}"
            )
        if trajectory.n_frames == 0:
            return
        self._check(trajectory)
        extras = _extras(trajectory)
        start, stop = self.n_frames, self.n_frames + trajectory.n_frames
        with self._writing():
            if start == 0:
                self._create_elements(bool(trajectory.cell[0].any()), tuple(extras))
            elements: list[tuple[str, Array]] = [
                ("position/value", trajectory.wrapped_positions),
                ("image/value", trajectory.image_flags),
                ("position/step", np.arange(start, stop)),
                ("position/time", trajectory.time),
            ]
            if "edges" in self._particles["box"]:
                elements.append(("box/edges/value", trajectory.cell))
            for name, values in [*elements, *((f"{name}/value", values) for name, values in extras.items())]:
                dataset = self._particles[name]
                dataset.resize(stop, axis=0)
                dataset[start:stop] = values
        self.n_frames = stop
        self._last_time = float(trajectory.time[-1])

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._discard()
            return
        try:
            with self._writing():
                if self.n_frames == 0:
                    self._create_elements(False, ())
                self._file.close()
                self._disk.sync()
            with disk_errors(self.path):
                self._partial.replace(self.path)
        except BaseException:
            self._discard()
            raise

    @property
    def _particles(self) -> Any:
        return self._file[PARTICLES]

    def _check(self, trajectory: Trajectory) -> None:
        steps = np.diff(trajectory.time, prepend=self._last_time)
        if (late := np.flatnonzero(~(steps > 0))).size:
            frame = late[0]
            before = trajectory.time[frame - 1] if frame else self._last_time
            raise InputError(
                f"{self.path}: frame {self.n_frames + frame} is at time {trajectory.time[frame]:g}, "
                f"expected a time after {before:g}"
            )
        for name, what in ((VELOCITY, "velocities"), (SIZE, "sizes of beads")):
            is_there = name in _extras(trajectory)
            if self.n_frames and is_there != (name in self._particles):
                words = (f"has {what}", "none") if is_there else (f"has no {what}", "them")
                raise InputError(
                    f"{self.path}: frame {self.n_frames} {words[0]}, expected {words[1]} as in those before"
                )
        for name, values in (("", trajectory.wrapped_positions), ("v", trajectory.velocities)):
            if values is not None and len(bad := np.argwhere(~np.isfinite(values))):
                frame, particle, axis = bad[0]
                raise InputError(
                    f"{self.path}: frame {self.n_frames + frame}: {name}{'xyz'[axis]} of particle {particle + 1} is "
                    f"{values[frame, particle, axis]}, expected a finite number"
                )

    def _write_header(self, atoms: System | None, texts: dict[str, str]) -> None:
        from cgsim import __version__

        h5md = self._file.create_group("h5md")
        h5md.attrs["version"] = np.array(H5MD_VERSION)
        h5md.create_group("author").attrs["name"] = "cgsim"
        creator = h5md.create_group("creator")
        creator.attrs["name"], creator.attrs["version"] = "cgsim", __version__
        particles = self._file.create_group(PARTICLES)
        parameters = self._file.create_group(PARAMETERS)
        parameters.attrs["version"] = np.array(STORE_VERSION)
        parameters.attrs["units"] = self.system.units.value
        write_system(parameters, self.system)
        for name in ("species", "mass", "charge"):
            particles[name] = parameters[name]  # a hard link: one array, found under both names
        particles["mass"].attrs["unit"] = self.system.units.mass
        particles["charge"].attrs["unit"] = self.system.units.charge
        connectivity = self._file.create_group("connectivity")
        connectivity["bonds"] = parameters["bonds"]
        connectivity["bonds"].attrs["particles_group"] = particles.ref
        if atoms is not None:
            group = parameters.create_group("atoms")
            group.attrs["units"] = atoms.units.value
            write_system(group, atoms)
        documents = parameters.create_group("documents")
        for name, text in texts.items():
            documents[name] = text

    def _create_elements(self, is_periodic: bool, extras: tuple[str, ...]) -> None:
        create_elements(self._particles, self.system, self._filters, extras, is_periodic=is_periodic)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Report what went wrong below HDF5 rather than what HDF5 makes of it."""
        try:
            yield
        finally:
            if self._disk.failure is not None:
                with disk_errors(self.path):
                    raise self._disk.failure

    def _discard(self) -> None:
        self._disk.give_up()
        with suppress(Exception):  # what HDF5 then says about its own file is of no interest
            self._file.close()
        self._disk.close()
        self._partial.unlink(missing_ok=True)


def _extras(trajectory: Trajectory) -> dict[str, Array]:
    """What only some trajectories have, by the name of its element."""
    values = {VELOCITY: trajectory.velocities, SIZE: trajectory.squared_sizes}
    return {name: array for name, array in values.items() if array is not None}


class _Disk(io.FileIO):
    """A file that remembers the first failure and then swallows whatever is written.

    HDF5 cannot cope with a full disk: every later flush, down to the last one when the process ends, fails and prints
    again. Below this class it never sees a failure; the writer asks for it after each step.
    """

    failure: OSError | None = None
    _given_up = False

    def write(self, data: Any, /) -> int:
        """Write all of ``data``, or nothing at all once the disk has failed."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and not self._given_up:
            try:
                done += self._write_some(view[done:])
            except OSError as error:
                self.failure = error
                self.give_up()
        return len(view)

    def _write_some(self, data: memoryview) -> int:
        return super().write(data) or 0

    def give_up(self) -> None:
        """Swallow all further writing."""
        self._given_up = True

    def sync(self) -> None:
        """Bring everything onto the disk (some file systems tell only then that they are full), and close."""
        try:
            if not self._given_up:
                os.fsync(self.fileno())
            self.close()
        except OSError as error:
            self.failure = self.failure or error


def write_store(
    path: Path | str,
    trajectory: Trajectory,
    *,
    atoms: System | None = None,
    documents: dict[str, Any] | None = None,
    decimals: int | None = None,
) -> None:
    """Write a whole trajectory at once; see :class:`StoreWriter` for the arguments and errors."""
    with StoreWriter(path, trajectory.system, atoms=atoms, documents=documents, decimals=decimals) as writer:
        writer.append(trajectory)


def _to_json(path: Path, name: str, document: Any) -> str:
    try:
        return json.dumps(document)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: document {name!r} cannot be written as JSON: {error}") from error


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a missing permission into the one-line error that a user sees; pass everything else on."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise InputError(f"{path}: no space left on the disk; nothing was written") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOENT}:
            raise InputError(f"{path}: cannot be written: {os.strerror(error.errno)}") from error
        raise
