"""Stores as bead trajectories: a store of atoms is mapped on the way in, a store of beads has its mapping inside."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cgsim.errors import InputError
from cgsim.geometry import minimum_image, wrap
from cgsim.mapping import Mapping, MappingSettings, partition
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.trajectory.trajectory import join
from cgsim.trajectory.writer import StoreWriter

MAPPING_DOCUMENT = "mapping"
PIECE_BYTES = 256 * 2**20
BYTES_PER_ATOM = 72  # positions and images as stored, and unwrapped in double precision twice


@dataclass(frozen=True)
class BeadStore:
    """A store seen as beads.

    Attributes:
        store: the store on disk, of atoms or of beads.
        atoms: the atoms, whose chemistry the embedding GNN reads.
        mapping: atoms to beads.
        is_mapped: whether the store already holds bead positions.
    """

    store: TrajectoryStore
    atoms: System
    mapping: Mapping
    is_mapped: bool

    @property
    def name(self) -> str:
        """Name of the system: the file name without its suffix."""
        return self.store.path.stem

    @property
    def beads(self) -> System:
        """The beads as a system."""
        return self.store.system if self.is_mapped else self.mapping.bead_system(self.atoms)

    @property
    def has_sizes(self) -> bool:
        """Whether the sizes of the beads can be read."""
        return self.store.has_sizes or not self.is_mapped

    def read(self, frames: slice = slice(None), *, velocities: bool = False, sizes: bool = False) -> Trajectory:
        """Bead trajectory of some frames; atoms are mapped piece by piece, so that only the beads need memory.

        The velocity of a bead is the mean over its atoms with the weights of its position: that of its centre of mass.

        Raises:
            InputError: if a bead bond reaches across half the cell, so that its nearest image is not defined; or if
                velocities or sizes are asked for and not there.
        """
        if self.is_mapped:
            return self._check(self.store.read(frames, velocities=velocities, sizes=sizes))
        start, stop, step = frames.indices(self.store.n_frames)
        per_frame = (1 + sizes) * BYTES_PER_ATOM * max(1, self.atoms.n_particles)
        stride = step * max(1, PIECE_BYTES // per_frame)
        starts = range(start, stop, stride) or [start]
        slices = (slice(first, min(stop, first + stride), step) for first in starts)
        return self._check(join([self._map(self.store.read(part, velocities=velocities), sizes) for part in slices]))

    def chunks(self, *, velocities: bool = False, sizes: bool = False) -> Iterator[Trajectory]:
        """Bead trajectory piece by piece, in bounded memory."""
        for piece in self.store.chunks(velocities=velocities, sizes=sizes and self.is_mapped):
            yield self._check(piece if self.is_mapped else self._map(piece, sizes))

    def documents(self) -> dict[str, Any]:
        """What a store of these beads has to carry besides the trajectory."""
        provenance = self.store.documents.get("provenance", {})
        return {MAPPING_DOCUMENT: self.mapping.to_document(), "provenance": provenance}

    def _map(self, trajectory: Trajectory, sizes: bool) -> Trajectory:
        atoms = trajectory.unwrapped_positions
        positions = torch.from_numpy(self.mapping.map_positions(atoms))
        wrapped, images = wrap(positions, torch.from_numpy(trajectory.cell))
        velocities = trajectory.velocities
        if velocities is not None:
            velocities = self.mapping.map_positions(velocities.astype(np.float64)).astype(np.float32)
        return Trajectory(
            self.mapping.bead_system(self.atoms),
            wrapped.float().numpy(),
            images.numpy(),
            trajectory.cell,
            trajectory.time,
            velocities,
            self.mapping.squared_sizes(atoms).astype(np.float32) if sizes else None,
        )

    def _check(self, trajectory: Trajectory) -> Trajectory:
        if not (trajectory.is_periodic and trajectory.n_frames):
            return trajectory
        i, j = trajectory.system.bond_index
        positions, cell = trajectory.unwrapped_positions[0], torch.from_numpy(trajectory.cell[0])
        bonds = torch.from_numpy(positions[i] - positions[j])
        wrong = np.flatnonzero(((minimum_image(bonds, cell) - bonds).norm(dim=-1) > 1e-3).numpy())
        if wrong.size:
            length = float(bonds[wrong[0]].norm())
            raise InputError(
                f"{self.store.path}: bead bond {i[wrong[0]] + 1}-{j[wrong[0]] + 1} is {length:.3g} "
                f"{self.atoms.units.length} long, more than half the cell: use smaller beads or a larger cell"
            )
        return trajectory


def write_beads(
    beads: BeadStore,
    path: Path,
    begin: float,
    end: float,
    decimals: int | None,
    *,
    sizes: bool = False,
    every: int = 1,
) -> int:
    """Write a store of beads that carries its atoms and its mapping, and velocities if the store read has them.

    Args:
        beads: what to write.
        path: the store to write.
        begin: first time to keep, counted from the first frame.
        end: last time to keep.
        decimals: round positions to so many decimals; all digits if None.
        sizes: write the sizes of the beads as well.
        every: keep one frame of so many, the first of them included.

    Returns:
        Number of frames written.

    Raises:
        InputError: if no frame lies in between, or sizes are asked for and not there.
    """
    since = beads.store.time - beads.store.time[0]
    kept = np.flatnonzero((since >= begin - 1e-9) & (since <= end * (1 + 1e-9)))[::every]
    if not len(kept):
        raise InputError(f"{beads.store.path}: no frame between {begin:g} and {end:g}; the file ends at {since[-1]:g}")
    documents = beads.documents()
    with StoreWriter(path, beads.beads, atoms=beads.atoms, documents=documents, decimals=decimals) as writer:
        per_piece = max(1, PIECE_BYTES // (24 * beads.store.system.n_particles))
        for start in range(0, len(kept), per_piece):
            piece = kept[start : start + per_piece]
            span = slice(int(piece[0]), int(piece[-1]) + 1, every)
            writer.append(beads.read(span, velocities=beads.store.has_velocities, sizes=sizes))
    return len(kept)


def open_beads(path: Path, settings: MappingSettings) -> BeadStore:
    """Open a store as beads.

    Args:
        path: a store of atoms (it is mapped with ``settings``) or of beads (its own mapping is used).
        settings: how atoms become beads.

    Raises:
        InputError: if the file is no store, or a rule of the settings does not fit the system.
    """
    store = TrajectoryStore(path)
    if MAPPING_DOCUMENT in store.documents:
        if store.atoms is None:
            raise InputError(f"{path}: has a mapping but not the atoms that it maps")
        mapping = Mapping.from_document(store.documents[MAPPING_DOCUMENT], str(path))
        return BeadStore(store, store.atoms, mapping, is_mapped=True)
    try:
        mapping = partition(store.system, settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return BeadStore(store, store.system, mapping, is_mapped=False)
