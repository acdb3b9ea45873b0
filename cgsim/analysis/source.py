"""What is analysed: a trajectory on disk, of atoms or of beads, read in pieces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.beads import MAPPING_DOCUMENT, BeadStore
from cgsim.errors import InputError
from cgsim.mapping import Mapping
from cgsim.observables.structure import image_reach
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.typing import Array, Float64, Int64
from cgsim.units import UnitSystem


@dataclass(frozen=True)
class Source:
    """A trajectory that can be read any number of times, in pieces that fit into memory.

    Attributes:
        path: the file.
        name: of the system: the file name without its suffix, with the folder before it where two would be equal.
        system: atoms or beads.
        all_times: [all frames], time of every frame of the file.
        save_interval: time between frames.
        is_periodic: whether there is a cell.
        documents: what the file says about itself.
        pieces: reads all frames in order.
        first: first frame that counts; those before are equilibration.
        moving_pieces: reads all frames in order with their velocities, if there are any.
        sized_pieces: reads all frames in order with the sizes of their beads, if those are to be used.
    """

    path: Path
    name: str
    system: System
    all_times: Float64[Array, " all_frames"]
    save_interval: float
    is_periodic: bool
    documents: dict[str, Any]
    pieces: Callable[[], Iterator[Trajectory]]
    first: int = 0
    moving_pieces: Callable[[], Iterator[Trajectory]] | None = None
    sized_pieces: Callable[[], Iterator[Trajectory]] | None = None

    @property
    def units(self) -> UnitSystem:
        """Units of the trajectory."""
        return self.system.units

    @property
    def n_frames(self) -> int:
        """Number of frames that count."""
        return len(self.all_times) - self.first

    @property
    def duration(self) -> float:
        """Time from the first frame that counts to the last."""
        return (self.n_frames - 1) * self.save_interval

    @property
    def has_velocities(self) -> bool:
        """Whether the file has velocities."""
        return self.moving_pieces is not None

    @property
    def has_sizes(self) -> bool:
        """Whether the sizes of beads are known."""
        return self.sized_pieces is not None

    def chunks(self, *, velocities: bool = False, sizes: bool = False) -> Iterator[Trajectory]:
        """Frames that count, in order, piece by piece, with velocities or sizes if wanted, which must be there."""
        at = 0
        pieces = (velocities and self.moving_pieces) or (sizes and self.sized_pieces) or self.pieces
        for piece in pieces():
            skip = max(0, self.first - at)
            at += piece.n_frames
            if skip < piece.n_frames:
                yield piece[skip:]

    def single_frames(
        self, frames: Int64[Array, " chosen"]
    ) -> Iterator[tuple[Float64[Array, "particles 3"], Float64[Array, "3 3"]]]:
        """In-box positions and cell of some frames, given in ascending order."""
        for frame in self.some_frames(frames):
            yield frame.wrapped_positions[0].astype(np.float64), frame.cell[0]

    def some_frames(self, frames: Int64[Array, " chosen"]) -> Iterator[Trajectory]:
        """Some frames one by one, given in ascending order."""
        at = 0
        for piece in self.chunks():
            inside = frames[(frames >= at) & (frames < at + piece.n_frames)] - at
            for k in inside:
                yield piece[int(k) : int(k) + 1]
            at += piece.n_frames

    def spread_frames(self, n: int) -> Int64[Array, " chosen"]:
        """At most ``n`` frames, evenly spread."""
        return np.unique(np.round(np.linspace(0, self.n_frames - 1, min(n, self.n_frames))).astype(np.int64))


def open_source(path: Path, mapping: Mapping | None = None, *, sizes: bool = False) -> Source:
    """Open a store.

    Args:
        path: a store of atoms or of beads.
        mapping: if given, a store of atoms is seen as the beads of this mapping; one of beads stays as it is.
        sizes: atoms that are seen as beads bring the sizes of those beads; beads bring them where their store does.

    Raises:
        InputError: if the file is no store, its frames are not equally spaced, there are fewer than two, the mapping
            does not fit, or molecules are broken at the faces of the cell.
    """
    store = TrajectoryStore(path)
    interval = store.save_interval
    system = store.system
    pieces: Callable[[], Iterator[Trajectory]] = store.chunks
    moving_pieces, sized_pieces = partial(store.chunks, velocities=True), partial(store.chunks, sizes=True)
    is_sized = store.has_sizes
    if mapping is not None and MAPPING_DOCUMENT not in store.documents:
        if mapping.n_atoms != system.n_particles:
            raise InputError(f"{path}: has {system.n_particles} atoms, the mapping is for {mapping.n_atoms}")
        beads = BeadStore(store, system, mapping, is_mapped=False)
        system, pieces, moving_pieces = beads.beads, beads.chunks, partial(beads.chunks, velocities=True)
        sized_pieces, is_sized = partial(beads.chunks, sizes=True), sizes
    source = Source(
        Path(path), Path(path).stem, system, store.time, interval, store.is_periodic, store.documents, pieces
    )
    if store.has_velocities:
        source = replace(source, moving_pieces=moving_pieces)
    if is_sized:
        source = replace(source, sized_pieces=sized_pieces)
    _refuse_broken_molecules(source)
    return source


def read_mapping(path: Path) -> Mapping:
    """The mapping inside a store of beads, or saved as JSON.

    Raises:
        InputError: if there is none.
    """
    if path.suffix == ".json":
        return Mapping.load(path)
    store = TrajectoryStore(path)
    if MAPPING_DOCUMENT not in store.documents:
        raise InputError(f"{path}: holds no mapping; give a store of beads, such as a rollout")
    return Mapping.from_document(store.documents[MAPPING_DOCUMENT], str(path))


def has_sizes(path: Path) -> bool:
    """Whether a store, or a saved mapping, is a store that knows the sizes of its beads."""
    return path.suffix != ".json" and TrajectoryStore(path).has_sizes


def _refuse_broken_molecules(source: Source) -> None:
    """Sizes of molecules and mean positions are wrong where a molecule goes on at the other side of the box."""
    if not source.is_periodic:
        return
    frame = next(source.pieces())[:1]
    positions, half = frame.unwrapped_positions[0], float(image_reach(frame.cell)[0])
    _refuse_gaps(source, frame, positions)
    if not source.system.bond_index.size:
        return
    i, j = source.system.bond_index
    lengths = np.linalg.norm(positions[i] - positions[j], axis=-1)
    worst = int(lengths.argmax())
    if lengths[worst] > half:
        raise InputError(
            f"{source.path}: bond {i[worst] + 1}-{j[worst] + 1} is {lengths[worst]:.4g} {source.units.length} long, "
            f"more than half the cell ({half:.4g}): images are wrong; import again with '--images bonds'"
        )


def _refuse_gaps(source: Source, frame: Trajectory, positions: Float64[Array, "particles 3"]) -> None:
    """Molecules without bonds cannot be made whole on import: wrapped ones fall into parts with a wide gap between."""
    molecule, bonds = source.system.molecule_id, source.system.bond_index
    bonded = np.zeros(source.system.n_molecules, dtype=bool)
    bonded[molecule[bonds[0]]] = True
    bonded[molecule[frame.image_flags[0].any(axis=1)]] = True  # images that were counted are believed
    loose = np.flatnonzero(~bonded[molecule])
    fractional = positions[loose] @ np.linalg.inv(frame.cell[0])
    for column in fractional.T:
        order = np.lexsort((column, molecule[loose]))
        gaps = np.diff(column[order])
        gaps[np.diff(molecule[loose][order]) != 0] = 0.0
        if gaps.size and gaps.max() > 0.5:
            torn = int(molecule[loose][order][gaps.argmax()])
            raise InputError(
                f"{source.path}: molecule {torn + 1} falls into parts {gaps.max():.2f} of the cell apart: it is "
                "wrapped, and without bonds or image flags it cannot be made whole; import a topology with bonds"
            )
