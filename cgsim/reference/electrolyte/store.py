"""From a run folder to a store: what the atoms are, and where the production took them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.reference.electrolyte.protocol import segment_folder
from cgsim.reference.electrolyte.run import MdEngine
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.electrolyte.topology import Electrolyte
from cgsim.trajectory.images import ImageFinder
from cgsim.trajectory.store import StoreWriter, write_store
from cgsim.trajectory.trajectory import System, Trajectory
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem


def electrolyte_system(electrolyte: Electrolyte) -> System:
    """The atoms of a box, with physical masses, in the order of every file."""
    index = {kind.name: k for k, kind in enumerate(electrolyte.atom_types)}
    molecules = electrolyte.molecules
    sizes = [molecule.n_atoms for molecule in molecules]
    starts = np.cumsum([0, *sizes[:-1]])
    bonds = [molecule.bonds + start for molecule, start in zip(molecules, starts, strict=True)]
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.array([index[name] for molecule in molecules for name in molecule.type_names], dtype=np.int64),
        type_names=tuple(kind.name for kind in electrolyte.atom_types),
        names=tuple(name for molecule in molecules for name in molecule.atom_names),
        atomic_numbers=np.concatenate([molecule.atomic_numbers for molecule in molecules]),
        masses=np.concatenate([molecule.masses for molecule in molecules]),
        charges=np.concatenate([molecule.charges for molecule in molecules]),
        bond_index=np.sort(np.concatenate(bonds).T, axis=0).astype(np.int64),
        molecule_id=np.repeat(np.arange(len(molecules)), sizes),
    )


def write_start_store(
    path: Path,
    system: System,
    positions: Float64[Array, "atoms 3"],
    cell: Float64[Array, "3 3"],
    documents: dict[str, Any],
) -> None:
    """Write the packed box as a store of one frame."""
    wrapped, images = _into_cell(positions, cell)
    write_store(path, Trajectory(system, wrapped, images, cell[None], np.zeros(1)), documents=documents)


def write_production(
    path: Path,
    folder: Path,
    system: System,
    settings: ElectrolyteSettings,
    n_segments: int,
    md: MdEngine,
    documents: dict[str, Any],
) -> None:
    """Write the first ``n_segments`` segments of the production as a store, each frame once."""
    with StoreWriter(path, system, documents=documents, decimals=settings.store.decimals) as writer:
        for piece in _pieces(folder, system, settings, n_segments, md):
            writer.append(piece)


def _pieces(
    folder: Path, system: System, settings: ElectrolyteSettings, n_segments: int, md: MdEngine
) -> Iterator[Trajectory]:
    """Segment after segment, with the frames to keep; images need those in between as well."""
    finder = ImageFinder(system)
    n_frames = 0
    for index in range(n_segments):
        kept: list[Trajectory] = []
        for k, frame in enumerate(md.frames(segment_folder(folder, index), system.n_particles)):
            if index and not k:
                continue  # the last frame of the segment before
            whole = frame.positions + finder.from_bonds(frame) @ frame.cell
            if n_frames % settings.store.every == 0:
                wrapped, images = _into_cell(whole, frame.cell)
                time = np.array([n_frames * settings.interval])
                kept.append(Trajectory(system, wrapped, images, frame.cell[None], time))
            n_frames += 1
        if kept:
            yield Trajectory(
                system,
                np.concatenate([t.wrapped_positions for t in kept]),
                np.concatenate([t.image_flags for t in kept]),
                np.concatenate([t.cell for t in kept]),
                np.concatenate([t.time for t in kept]),
            )


def _into_cell(positions: Float64[Array, "atoms 3"], cell: Float64[Array, "3 3"]) -> tuple[Array, Array]:
    """In-box positions and images of one frame, with an axis of frames."""
    shift = np.floor(positions @ np.linalg.inv(cell))
    return (positions - shift @ cell)[None].astype(np.float32), shift[None].astype(np.int32)
