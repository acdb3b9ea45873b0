"""Import of foreign trajectories into a store, one frame in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.clock import Clock
from cgsim.trajectory.elements import element_of_symbol
from cgsim.trajectory.frames import Frame
from cgsim.trajectory.images import ImageFinder
from cgsim.trajectory.import_settings import ImportSettings
from cgsim.trajectory.sources import FrameSource
from cgsim.trajectory.store import StoreWriter
from cgsim.trajectory.summary import ImportSummary, charge_warnings
from cgsim.trajectory.trajectory import System, Trajectory, join
from cgsim.typing import Array, Float32, Float64, Int32

__all__ = ["ImportSettings", "ImportSummary", "import_trajectory"]

BUFFER_BYTES = 16 * 2**20  # of positions and images before they are written
_NO_CELL, _IN_FILE = "without a cell", "with image flags"
_UNWRAPPED, _FROM_BONDS = "with unwrapped positions", "with a cell and wrapped positions"
_SINGLE_IONS = ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Zn", "F", "Cl", "Br", "I")


def no_progress(fraction: float) -> None:
    """Ignore the fraction of the input that has been read."""


def import_trajectory(
    topology_path: Path | str,
    trajectory_paths: Sequence[Path | str],
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
    source = FrameSource(Path(topology_path), paths, settings)
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
    notes = (*source.topology.notes, *source.notes, *(["velocities are kept"] if settings.velocities else []))
    return replace(summary, notes=notes, warnings=charge_warnings(system))


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
    n_batch = max(1, BUFFER_BYTES // ((36 if settings.velocities else 24) * max(1, system.n_particles)))
    for frame, keep in frames:
        before, origin = origin, _origin_of_images(frame, settings.images)
        if before not in (None, origin):
            raise InputError(f"{frame.where}: {origin}, unlike the frames before ({before})")
        wrapped, images = _into_cell(finder, frame, origin)
        if not keep:
            continue
        assert frame.time is not None
        time, velocities = np.array([frame.time]), _velocities(frame, settings)
        positions = wrapped[None].astype(np.float32)
        batch.append(Trajectory(system, positions, images[None], frame.cell[None].copy(), time, velocities))
        if len(batch) == n_batch:
            yield join(batch)
            batch = []
    finder.check_steps()
    if batch:
        yield join(batch)


def _velocities(frame: Frame, settings: ImportSettings) -> Float32[Array, "1 particles 3"] | None:
    """Velocities of a frame to be kept, if they are wanted.

    Raises:
        InputError: if the frame has none.
    """
    if not settings.velocities:
        return None
    if frame.velocities is None:
        raise InputError(
            f"{frame.where}: has no velocities, expected them in every frame kept (LAMMPS dumps: columns vx vy vz; "
            "trr: nstvout = nstxout); leave --velocities out, or choose the frames that have them (--start, --stride)"
        )
    return frame.velocities[None].astype(np.float32)


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


def _is_all_ions(system: System) -> bool:
    """Whether every particle is an atom that occurs as an ion by itself, as in a molten salt."""
    ions = [element_of_symbol(symbol) for symbol in _SINGLE_IONS]
    return bool(np.isin(system.atomic_numbers, ions).all())
