"""The two nouns of all data: a :class:`System` (what the particles are) and a :class:`Trajectory` (where they went)."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cgsim.errors import InputError
from cgsim.typing import Array, Float32, Float64, Int32, Int64
from cgsim.units import UnitSystem


@dataclass(frozen=True)
class System:
    """Particles that do not change along a trajectory: atoms, or beads.

    Attributes:
        units: units of masses and charges here and of everything in the trajectory.
        particle_type: index of each particle into ``type_names``.
        type_names: name of each type, as the topology has it (``"c3"``, ``"OS"``, ``"2"``, or a bead class ``"Li"``).
        names: name of each particle.
        atomic_numbers: atomic number of each particle; 0 where the particle is no atom (beads, bead-spring models).
        masses: [particles], g/mol or m; all positive.
        charges: [particles], e or reduced.
        bond_index: [2, bonds], each bond once, lower index first.
        molecule_id: [particles], 0-based, consecutive in order of first appearance.

    Raises:
        InputError: if lengths disagree, a mass is not positive, or a bond names a particle that does not exist.
    """

    units: UnitSystem
    particle_type: Int64[Array, " particles"]
    type_names: tuple[str, ...]
    names: tuple[str, ...]
    atomic_numbers: Int64[Array, " particles"]
    masses: Float64[Array, " particles"]
    charges: Float64[Array, " particles"]
    bond_index: Int64[Array, "2 bonds"]
    molecule_id: Int64[Array, " particles"]

    def __post_init__(self) -> None:
        n = self.n_particles
        for name in ("names", "atomic_numbers", "masses", "charges", "molecule_id"):
            if (found := len(getattr(self, name))) != n:
                raise InputError(f"{name} has {found} entries, expected {n} (one per particle)")
        bad = np.flatnonzero(~(self.masses > 0))
        if bad.size:
            raise InputError(
                f"mass of particle {bad[0] + 1} ({self.names[bad[0]]}) is {self.masses[bad[0]]:g}, "
                "expected a positive mass"
            )
        if self.bond_index.size and not (self.bond_index.min() >= 0 and self.bond_index.max() < n):
            raise InputError(f"bonds name particle {self.bond_index.max() + 1}, but there are {n} particles")

    @property
    def n_particles(self) -> int:
        """Number of particles."""
        return len(self.particle_type)

    @property
    def n_molecules(self) -> int:
        """Number of molecules; a single ion counts as one."""
        return int(self.molecule_id.max()) + 1 if self.n_particles else 0

    @cached_property
    def degree(self) -> Int64[Array, " particles"]:
        """Number of bonds of each particle."""
        return np.bincount(self.bond_index.ravel(), minlength=self.n_particles).astype(np.int64)

    def select(self, particles: Int64[Array, " chosen"]) -> "System":
        """Return the system of some particles only, in the given order; bonds to others are dropped."""
        position = np.full(self.n_particles, -1, dtype=np.int64)
        position[particles] = np.arange(len(particles))
        bonds = position[self.bond_index]
        bonds = np.sort(bonds[:, (bonds >= 0).all(axis=0)], axis=0)
        return replace(
            self,
            particle_type=self.particle_type[particles],
            names=tuple(self.names[i] for i in particles),
            atomic_numbers=self.atomic_numbers[particles],
            masses=self.masses[particles],
            charges=self.charges[particles],
            bond_index=bonds,
            molecule_id=consecutive(self.molecule_id[particles]),
        )


@dataclass(frozen=True)
class Trajectory:
    """Positions over time, exact across periodic boundaries at any save interval.

    In-box float32 positions with int32 images keep full precision over millions of steps, where float32 unwrapped
    coordinates would lose it.

    Attributes:
        system: the particles.
        wrapped_positions: [frames, particles, 3], length; inside the cell if there is one.
        image_flags: [frames, particles, 3], number of lattice vectors to add to get the unwrapped position.
        cell: [frames, 3, 3], length; rows are lattice vectors; all zero for a system without a cell (open boundaries).
        time: [frames], time; strictly increasing.
        velocities: [frames, particles, 3], length / time; None where they are not known, as in every rollout.
        squared_sizes: [frames, particles], length^2, squared radius of gyration of the atoms of each bead about the
            bead; exact where atoms were mapped, the mean over what the beads leave open where a model gives it; None
            where it is not known.
    """

    system: System
    wrapped_positions: Float32[Array, "frames particles 3"]
    image_flags: Int32[Array, "frames particles 3"]
    cell: Float64[Array, "frames 3 3"]
    time: Float64[Array, " frames"]
    velocities: Float32[Array, "frames particles 3"] | None = None
    squared_sizes: Float32[Array, "frames particles"] | None = None

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.time)

    @property
    def is_periodic(self) -> bool:
        """Whether the system has a cell."""
        return bool(np.any(self.cell))

    @property
    def unwrapped_positions(self) -> Float64[Array, "frames particles 3"]:
        """Positions with their images added, in double precision; allocates the whole array."""
        shifts: Float64[Array, "frames particles 3"] = self.image_flags.astype(np.float64) @ self.cell
        unwrapped: Float64[Array, "frames particles 3"] = self.wrapped_positions + shifts
        return unwrapped

    def __getitem__(self, frames: slice) -> "Trajectory":
        """Return some frames, without copying."""
        return replace(
            self,
            wrapped_positions=self.wrapped_positions[frames],
            image_flags=self.image_flags[frames],
            cell=self.cell[frames],
            time=self.time[frames],
            velocities=None if self.velocities is None else self.velocities[frames],
            squared_sizes=None if self.squared_sizes is None else self.squared_sizes[frames],
        )


def join(pieces: list[Trajectory]) -> Trajectory:
    """Pieces of one system that follow each other, as one trajectory; all have velocities, or none, and sizes."""
    if len(pieces) == 1:
        return pieces[0]
    velocities = [piece.velocities for piece in pieces if piece.velocities is not None]
    sizes = [piece.squared_sizes for piece in pieces if piece.squared_sizes is not None]
    return Trajectory(
        pieces[0].system,
        np.concatenate([piece.wrapped_positions for piece in pieces]),
        np.concatenate([piece.image_flags for piece in pieces]),
        np.concatenate([piece.cell for piece in pieces]),
        np.concatenate([piece.time for piece in pieces]),
        np.concatenate(velocities) if velocities else None,
        np.concatenate(sizes) if sizes else None,
    )


def consecutive(labels: Int64[Array, " particles"]) -> Int64[Array, " particles"]:
    """Renumber labels 0, 1, 2 ... in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
