"""One sequence of frames from any number of files of any format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.clock import Clock
from cgsim.trajectory.frames import Frame, Topology
from cgsim.trajectory.import_settings import ImportSettings
from cgsim.trajectory.lammps_data import read_lammps_data
from cgsim.trajectory.lammps_dump import DumpSample, read_dump, sample_dump
from cgsim.trajectory.readers import read_frames, read_topology
from cgsim.trajectory.topologies import is_lammps_data, is_lammps_dump, lammps_topology
from cgsim.units import LammpsUnits, UnitSystem, lammps_units

_SAME_POSITION = 1e-3  # length; what files round positions to at most, while particles move by far more


class FrameSource:
    """The topology, and the frames of all files in order with repetitions at the joins dropped.

    Attributes:
        topology: the particles.
        units: units of LAMMPS files; None for files in Å and ps.
        notes: what was noticed while frames passed.
        n_frames: number of frames that passed.

    Raises:
        InputError: if the topology cannot be read, or units are missing or contradictory.
    """

    def __init__(self, topology_path: Path, paths: Sequence[Path], settings: ImportSettings) -> None:
        self._paths = paths
        self._atom_style = settings.atom_style
        self._velocities = settings.velocities
        self.notes: list[str] = []
        self.n_frames = 0
        topology_is_lammps = is_lammps_data(topology_path)
        dumps = [path for path in paths if is_lammps_dump(path)]
        self._dumps = set(dumps)
        sample = sample_dump(dumps[0]) if dumps else None
        self.units = self._find_units(topology_path, sample, settings, is_lammps=topology_is_lammps or bool(dumps))
        if topology_is_lammps:
            assert self.units is not None
            self.topology: Topology = lammps_topology(
                topology_path, self.units, settings.atom_style, settings.elements, sample
            )
        else:
            self.topology = read_topology(topology_path, settings.elements)

    @staticmethod
    def _find_units(
        topology_path: Path, sample: DumpSample | None, settings: ImportSettings, *, is_lammps: bool
    ) -> LammpsUnits | None:
        stated = sample.units if sample is not None else None
        if not is_lammps:
            if settings.units is not None:
                raise InputError("--units is for LAMMPS files; these files are in units of their own")
            return None
        if settings.units is not None and stated is not None and settings.units != stated:
            raise InputError(f"--units is {settings.units!r}, but the dump says {stated!r}")
        style = settings.units or stated
        if style is None:
            raise InputError(
                f"{topology_path}: LAMMPS files do not say their units; give --units, as in the 'units' command of the "
                "input (real, metal, lj, nano, electron, si)"
            )
        return lammps_units(style)

    def frames(self, clock: Clock, progress: Callable[[float], None]) -> Iterator[Frame]:
        """Yield every frame once, with its time."""
        sizes = [path.stat().st_size for path in self._paths]
        before: Frame | None = None
        for number, path in enumerate(self._paths):
            n_dropped = 0
            for frame in self._open(path):
                if before is not None and _is_repeated(before, frame):
                    n_dropped += 1
                    continue
                time = clock.time(frame)
                if before is not None and before.time is not None and not time > before.time:
                    raise InputError(
                        f"{frame.where}: time {time:g} does not lie after {before.time:g} of the frame before "
                        f"({before.where}); give files in order of time, without overlap"
                    )
                before = replace(frame, time=time)
                yield before
                self.n_frames += 1
                progress((sum(sizes[:number]) + frame.bytes_read) / sum(sizes))
            if n_dropped:
                what = "a frame that repeats" if n_dropped == 1 else f"{n_dropped} frames that repeat"
                self.notes.append(f"{path}: dropped {what} the one before")

    def _open(self, path: Path) -> Iterator[Frame]:
        if path in self._dumps:
            assert self.units is not None
            return read_dump(path, self.topology.ids, self.units, velocities=self._velocities)
        if is_lammps_data(path):
            return self._data_frame(path)
        if self.units is not None and (self.units.length != 1.0 or self.units.system is UnitSystem.LJ):
            if path.suffix.lower() != ".dcd":
                raise InputError(
                    f"{path}: {path.suffix[1:]} files are in Å or nm, which does not go with --units "
                    "other than real or metal; write a dump or dcd"
                )
            return _scaled(read_frames(path, self.topology.system.n_particles), self.units.length)
        return read_frames(path, self.topology.system.n_particles, velocities=self._velocities)

    def _data_frame(self, path: Path) -> Iterator[Frame]:
        """Read a LAMMPS data file as a trajectory of one frame."""
        assert self.units is not None
        data = read_lammps_data(path, self._atom_style)
        if not np.array_equal(data.ids, self.topology.ids):
            raise InputError(
                f"{path}: {len(data.ids)} atoms, expected the ids of the topology's {len(self.topology.ids)}"
            )
        yield Frame(
            where=f"{path}: frame 0",
            positions=data.positions * self.units.length,
            image_flags=data.image_flags,
            is_unwrapped=False,
            cell=data.cell * self.units.length,
            time=0.0,
            step=None,
            bytes_read=path.stat().st_size,
        )


def _scaled(frames: Iterator[Frame], length: float) -> Iterator[Frame]:
    for frame in frames:
        yield replace(frame, positions=frame.positions * length, cell=frame.cell * length)


def _is_repeated(before: Frame, frame: Frame) -> bool:
    """Whether a frame was written twice, as a restarted run does: the same step or time and the same positions."""
    if frame.time is not None and before.time != frame.time:
        return False
    if frame.time is None and frame.step is not None and before.step != frame.step:
        return False
    return np.allclose(before.positions, frame.positions, rtol=0, atol=_SAME_POSITION)
