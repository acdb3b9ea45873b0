"""Import of foreign trajectories into a store, one frame in memory at a time."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.clock import Clock
from cgsim.trajectory.elements import element_of_symbol
from cgsim.trajectory.frames import Frame, Topology
from cgsim.trajectory.images import ImageFinder
from cgsim.trajectory.lammps_data import read_lammps_data
from cgsim.trajectory.lammps_dump import DumpSample, read_dump, sample_dump
from cgsim.trajectory.readers import read_frames, read_topology
from cgsim.trajectory.store import StoreWriter
from cgsim.trajectory.summary import ImportSummary, charge_warnings
from cgsim.trajectory.topologies import is_lammps_data, is_lammps_dump, lammps_topology
from cgsim.trajectory.trajectory import System, Trajectory
from cgsim.typing import Array, Float64, Int32
from cgsim.units import LammpsUnits, UnitSystem, lammps_units

BUFFER_BYTES = 16 * 2**20  # of positions and images before they are written
_SAME_POSITION = 1e-3  # length; what files round positions to at most, while particles move by far more
IMAGE_SOURCES = ("auto", "bonds", "unwrapped")
_NO_CELL, _IN_FILE = "without a cell", "with image flags"
_UNWRAPPED, _FROM_BONDS = "with unwrapped positions", "with a cell and wrapped positions"
_SINGLE_IONS = ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Zn", "F", "Cl", "Br", "I")


@dataclass(frozen=True)
class ImportSettings:
    """What the files themselves do not say.

    Attributes:
        units: LAMMPS ``units`` style; needed for LAMMPS files unless the dump states it.
        timestep: MD step in the LAMMPS unit of time; times are then timesteps of the dump times this.
        save_interval: time between frames with its unit (``"2 ps"``), where the file has no times.
        atom_style: style of the LAMMPS data file, where it does not say.
        elements: ``"C,H,O"``, one for each type in order, or ``"none"`` for particles that are no atoms.
        allow_no_bonds: accept a topology without bonds that is not made of single ions.
        images: ``"auto"`` takes images from the file if it has them and makes them from the bonds otherwise;
            ``"bonds"`` makes them in any case; ``"unwrapped"`` says that positions are unwrapped already.
        start: first frame to keep.
        stop: frame to stop before; None for the end.
        stride: keep every so-many-th frame.
        decimals: decimals of a position to keep; None for all.

    Raises:
        InputError: if a number is out of range.
    """

    units: str | None = None
    timestep: float | None = None
    save_interval: str | None = None
    atom_style: str | None = None
    elements: str | None = None
    allow_no_bonds: bool = False
    images: str = "auto"
    start: int = 0
    stop: int | None = None
    stride: int = 1
    decimals: int | None = None

    def __post_init__(self) -> None:
        if self.timestep is not None and not self.timestep > 0:
            raise InputError(f"--timestep must be positive, got {self.timestep:g}")
        if self.start < 0:
            raise InputError(f"--start must not be negative, got {self.start}")
        if self.stop is not None and self.stop <= self.start:
            raise InputError(f"--stop must lie after --start ({self.start}), got {self.stop}")
        if self.stride < 1:
            raise InputError(f"--stride must be at least 1, got {self.stride}")
        if self.decimals is not None and not 0 <= self.decimals <= 6:
            raise InputError(f"--decimals must be 0 to 6, got {self.decimals}")
        if self.images not in IMAGE_SOURCES:
            raise InputError(f"--images must be one of {', '.join(IMAGE_SOURCES)}, got {self.images!r}")
        if self.timestep is not None and self.save_interval is not None:
            raise InputError("--timestep and --save-interval both set the time; give one of them")


def no_progress(fraction: float) -> None:
    """Ignore the fraction of the input that has been read."""


def import_trajectory(
    topology_path: Path | str,
    trajectory_paths: list[Path | str] | list[Path] | list[str],
    output: Path | str,
    settings: ImportSettings | None = None,
    progress: Callable[[float], None] = no_progress,
) -> ImportSummary:
    """Read topology and trajectories and write a store.

    Args:
        topology_path: LAMMPS data file, or any topology that MDAnalysis knows.
        trajectory_paths: LAMMPS dumps, or any trajectories that MDAnalysis knows, in order of time.
        output: the store; it appears only if everything could be read.
        settings: what the files do not say.
        progress: called with the fraction of the input read so far.

    Returns:
        What was read, for the user to check.

    Raises:
        InputError: naming file, line or frame, what was found and what was expected.
    """
    settings = settings or ImportSettings()
    paths = [Path(path) for path in trajectory_paths]
    if not paths:
        raise InputError("no trajectory given")
    source = _Source(Path(topology_path), paths, settings)
    system = source.topology.system
    if not (system.bond_index.size or settings.allow_no_bonds or _is_all_ions(system)):
        raise InputError(
            f"{topology_path}: the topology has no bonds, so its molecules are unknown; give one that has them (tpr, "
            "psf, LAMMPS data ...), or --allow-no-bonds if every particle stands alone"
        )
    provenance = {
        "topology": Path(topology_path).name,
        "trajectories": [path.name for path in paths],
        "settings": asdict(settings),
    }
    clock = Clock(source.units, settings.timestep, settings.save_interval)
    summary = ImportSummary(Path(output), system)
    documents = {"provenance": provenance}
    with StoreWriter(output, system, documents=documents, decimals=settings.decimals) as writer:
        for batch in _batches(system, _kept(source.frames(clock, progress), settings), settings):
            writer.append(batch)
            summary.add(batch)
        if writer.n_frames == 0:
            raise InputError(f"{paths[-1]}: no frame is left by --start {settings.start}: it has {source.n_frames}")
    warnings = charge_warnings(system)
    return replace(summary, notes=(*source.topology.notes, *source.notes, *clock.notes), warnings=warnings)


class _Source:
    """Frames of all files in order, with duplicates at the joins dropped."""

    def __init__(self, topology_path: Path, paths: list[Path], settings: ImportSettings) -> None:
        self._paths = paths
        self._atom_style = settings.atom_style
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
            return read_dump(path, self.topology.ids, self.units)
        if is_lammps_data(path):
            return self._data_frame(path)
        if self.units is not None and (self.units.length != 1.0 or self.units.system is UnitSystem.LJ):
            if path.suffix.lower() != ".dcd":
                raise InputError(
                    f"{path}: {path.suffix[1:]} files are in Å or nm, which does not go with --units "
                    "other than real or metal; write a dump or dcd"
                )
            return _scaled(read_frames(path, self.topology.system.n_particles), self.units.length)
        return read_frames(path, self.topology.system.n_particles)

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


def _kept(frames: Iterator[Frame], settings: ImportSettings) -> Iterator[tuple[Frame, bool]]:
    """Yield every frame before the stop, and whether to keep it: images need those in between as well."""
    for index, frame in enumerate(frames):
        yield frame, index >= settings.start and (index - settings.start) % settings.stride == 0
        if index + 1 == settings.stop:
            return  # before the next frame is read, which may be the one that is cut off


def _batches(system: System, frames: Iterator[tuple[Frame, bool]], settings: ImportSettings) -> Iterator[Trajectory]:
    """Give every frame its images, bring it into the cell, and collect frames until it is worth writing them."""
    finder = ImageFinder(system)
    origin: str | None = None
    batch: list[Trajectory] = []
    n_batch = max(1, BUFFER_BYTES // (24 * max(1, system.n_particles)))
    for frame, keep in frames:
        before, origin = origin, _origin_of_images(frame, settings.images)
        if before not in (None, origin):
            raise InputError(f"{frame.where}: {origin}, unlike the frames before ({before})")
        wrapped, images = _into_cell(finder, frame, origin)
        if not keep:
            continue
        assert frame.time is not None
        time = np.array([frame.time])
        batch.append(Trajectory(system, wrapped[None].astype(np.float32), images[None], frame.cell[None].copy(), time))
        if len(batch) == n_batch:
            yield _joined(batch)
            batch = []
    if batch:
        yield _joined(batch)


def _origin_of_images(frame: Frame, source: str) -> str:
    """Say where the images of a frame come from; one of the constants below."""
    if not frame.cell.any():
        return _NO_CELL
    if source == "unwrapped" or (source == "auto" and frame.is_unwrapped):
        return _UNWRAPPED
    return _IN_FILE if source == "auto" and frame.image_flags is not None else _FROM_BONDS


def _into_cell(
    finder: ImageFinder, frame: Frame, origin: str
) -> tuple[Float64[Array, "particles 3"], Int32[Array, "particles 3"]]:
    """Return positions in the cell and images whose sum is the unwrapped position."""
    given = np.zeros(frame.positions.shape, dtype=np.int32)
    if origin == _NO_CELL:
        return frame.positions, given
    if origin == _FROM_BONDS:
        given = finder.from_bonds(frame)
    else:
        if origin == _IN_FILE and frame.image_flags is not None:
            given = frame.image_flags
        finder.check(frame, given)
    shift = np.floor(frame.positions @ np.linalg.inv(frame.cell))
    return frame.positions - shift @ frame.cell, given + shift.astype(np.int32)


def _joined(batch: list[Trajectory]) -> Trajectory:
    return Trajectory(
        batch[0].system,
        *(
            np.concatenate([getattr(frame, name) for frame in batch])
            for name in ("wrapped_positions", "image_flags", "cell", "time")
        ),
    )


def _is_all_ions(system: System) -> bool:
    """Whether every particle is an atom that occurs as an ion by itself, as in a molten salt."""
    ions = [element_of_symbol(symbol) for symbol in _SINGLE_IONS]
    return bool(np.isin(system.atomic_numbers, ions).all())
