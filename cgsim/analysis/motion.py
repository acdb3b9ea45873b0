"""One pass over a trajectory for one species: sizes of its molecules, and where its tracers went."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cgsim.analysis.selection import Species
from cgsim.analysis.source import Source
from cgsim.observables.dynamics import (
    MeanSquaredDisplacement,
    mean_squared_displacement,
    merge_molecules,
    sample_lags,
)
from cgsim.observables.structure import (
    centres_of_mass,
    end_to_end_distance,
    radius_of_gyration,
    squared_radius_of_atoms,
)
from cgsim.observables.van_hove import Moments, displacement_moments, merge_moments
from cgsim.trajectory import Trajectory
from cgsim.trajectory.trajectory import consecutive
from cgsim.typing import Array, Float64, Int64

MAX_BYTES = 256 * 2**20  # of tracer positions in one block of molecules; about four times that is in use


@dataclass(frozen=True)
class Box:
    """What the whole box does.

    Attributes:
        centre: [frames, 3], length; unwrapped centre of mass of all particles, which is taken out of every motion of a
            periodic system; zeros for open boundaries, where nothing is taken out.
        cell: [frames, 3, 3], length.
    """

    centre: Float64[Array, "frames 3"]
    cell: Float64[Array, "frames 3 3"]

    @property
    def change(self) -> float:
        """Largest change of an edge of the cell during the run, relative to its mean; 0 at constant volume."""
        edges = np.linalg.norm(self.cell, axis=-1)
        mean = edges.mean(axis=0)
        return float(((edges.max(axis=0) - edges.min(axis=0)) / np.where(mean > 0, mean, 1.0)).max())


@dataclass(frozen=True)
class Motion:
    """Series of one species.

    Attributes:
        tracers: multi-origin displacement of the tracers.
        axes: the same along x, y and z one by one, if wanted.
        moments: second and fourth moments of the tracers' displacements, at sample lags up to half the run.
        centres: the same for centres of mass of molecules of several particles.
        single_origin: [frames], length^2, mean squared displacement of the tracers since the first frame.
        last_displacement: [molecules], length^2, that of each molecule's tracers at the last frame.
        centre_sum: [frames, 3], length, sum over molecules of their centres of mass.
        radius: [frames, molecules], length; no molecules unless the species is a chain.
        end_to_end: the same.
        radius_of_atoms: the same of the atoms beneath, where the sizes of beads are known.
    """

    tracers: MeanSquaredDisplacement
    axes: tuple[MeanSquaredDisplacement, ...]
    moments: Moments
    centres: MeanSquaredDisplacement
    single_origin: Float64[Array, " frames"]
    last_displacement: Float64[Array, " molecules"]
    centre_sum: Float64[Array, "frames 3"]
    radius: Float64[Array, "frames chains"]
    end_to_end: Float64[Array, "frames chains"]
    radius_of_atoms: Float64[Array, "frames chains"] | None = None


class Unwrapper:
    """Unwraps positions piece by piece, in cells of constant or changing size.

    Where the cell changes, a particle that is n cells away would be carried along by n times the change. So the path of
    each molecule is put together from its steps instead, u(t+1) = u(t) + the minimum image of r(t+1) - r(t) in the
    cell of t+1, which keeps diffusion as it is in the box (von Bülow, Bullerjahn and Hummer, J. Chem. Phys. 153, 021101
    (2020)). Molecules go with their first particle and stay whole. In a constant cell that changes nothing.
    """

    def __init__(self, source: Source, particles: Int64[Array, " chosen"]) -> None:
        """Prepare for some particles."""
        self._particles = particles
        molecules, self._rank = np.unique(source.system.molecule_id[particles], return_inverse=True)
        self._heads = np.unique(source.system.molecule_id, return_index=True)[1][molecules]
        self._offset = np.zeros((1, len(molecules), 3))  # between the path and where images put it
        self._images = np.zeros((1, len(molecules), 3))
        self._cell: Array | None = None

    def __call__(self, piece: Trajectory) -> Float64[Array, "frames chosen 3"]:
        """Unwrapped positions of the next piece."""
        positions = unwrapped(piece, self._particles)
        heads = piece.image_flags[:, self._heads].astype(np.float64)
        if self._cell is None:
            self._cell, self._images = piece.cell[:1], heads[:1]
        offset = self._offset
        if (piece.cell != self._cell).any():
            steps = np.diff(heads, axis=0, prepend=self._images) @ piece.cell
            offset = offset + self._images @ self._cell + np.cumsum(steps, axis=0) - heads @ piece.cell
        self._offset, self._images, self._cell = offset[-1:], heads[-1:], piece.cell[-1:]
        return positions + offset[:, self._rank] if offset.any() else positions


def read_paths(
    source: Source, particles: Int64[Array, " chosen"], box: Box, max_bytes: int
) -> Iterator[tuple[slice, Float64[Array, "frames some 3"]]]:
    """Unwrapped paths of particles, the box's drift taken out, as many at a time as fit into ``max_bytes``."""
    size = max(1, max_bytes // (24 * source.n_frames))
    for start in range(0, len(particles), size):
        some = slice(start, min(start + size, len(particles)))
        unwrap, paths, at = Unwrapper(source, particles[some]), np.empty((source.n_frames, len(particles[some]), 3)), 0
        for piece in source.chunks():
            here = slice(at, at + piece.n_frames)
            at += piece.n_frames
            paths[here] = unwrap(piece) - (box.centre[here] - box.centre[0])[:, None]
        yield some, paths


def follow_box(source: Source) -> Box:
    """Read the cell and the centre of mass of all particles in every frame."""
    shares = source.system.masses / source.system.masses.sum()
    unwrap = Unwrapper(source, np.arange(source.system.n_particles))
    centres, cells = [], []
    for piece in source.chunks():
        centres.append(np.einsum("p,fpx->fx", shares, unwrap(piece)))
        cells.append(piece.cell)
    centre = np.concatenate(centres)
    return Box(centre if source.is_periodic else np.zeros_like(centre), np.concatenate(cells))


def follow_species(source: Source, species: Species, box: Box, *, per_axis: bool = False) -> Motion:
    """Read the series of a species, a block of whole molecules at a time so that memory stays bounded."""
    parts = [_follow(source, block, box, per_axis=per_axis) for block in _blocks(source, species)]
    if len(parts) == 1:
        return parts[0]
    sizes = np.array([p.tracers.molecule_weights.sum() for p in parts])
    of_atoms = [p.radius_of_atoms for p in parts if p.radius_of_atoms is not None]
    return Motion(
        merge_molecules([p.tracers for p in parts]),
        tuple(merge_molecules(list(same)) for same in zip(*(p.axes for p in parts), strict=True)),
        merge_moments([p.moments for p in parts]),
        merge_molecules([p.centres for p in parts]),
        np.average([p.single_origin for p in parts], axis=0, weights=sizes),
        np.concatenate([p.last_displacement for p in parts]),
        np.sum([p.centre_sum for p in parts], axis=0),
        np.concatenate([p.radius for p in parts], axis=1),
        np.concatenate([p.end_to_end for p in parts], axis=1),
        np.concatenate(of_atoms, axis=1) if of_atoms else None,
    )


def _blocks(source: Source, species: Species) -> Iterator[Species]:
    per_molecule = 24.0 * source.n_frames * (len(species.tracers) / species.n_molecules + 2)
    size = max(1, int(MAX_BYTES / per_molecule))
    for start in range(0, species.n_molecules, size):
        molecules = species.molecules[start : start + size]
        yield Species(species.system, species.name, molecules, species.charge)


def _follow(source: Source, species: Species, box: Box, *, per_axis: bool) -> Motion:
    particles, tracers = species.particles, species.tracers
    masses = source.system.masses[particles]
    molecule = consecutive(source.system.molecule_id[particles])
    n, m = source.n_frames, species.n_molecules
    positions = np.empty((n, len(tracers), 3))
    centres = np.empty((n, m, 3))
    chains = m if species.is_chain else 0
    radius, ends = np.empty((n, chains)), np.empty((n, chains))
    is_sized = source.has_sizes and chains > 0
    radius_of_atoms = np.empty((n, chains)) if is_sized else None
    rank = np.empty(source.system.n_particles, dtype=np.int64)
    rank[particles] = np.arange(len(particles))
    unwrap, at = Unwrapper(source, particles), 0
    for piece in source.chunks(sizes=is_sized):
        here = slice(at, at + piece.n_frames)
        at += piece.n_frames
        drift = (box.centre[here] - box.centre[0])[:, None]
        own = unwrap(piece)
        centres[here] = centres_of_mass(own, masses, molecule) - drift
        positions[here] = own[:, rank[tracers]] - drift
        if chains:
            radius[here] = radius_of_gyration(own, masses, molecule)
            ends[here] = _end_to_end(piece, species)
        if radius_of_atoms is not None and piece.squared_sizes is not None:
            own_sizes = piece.squared_sizes[:, particles].astype(np.float64)
            radius_of_atoms[here] = np.sqrt(squared_radius_of_atoms(radius[here], own_sizes, masses, molecule))
    of_tracer = consecutive(source.system.molecule_id[tracers])
    squared = np.square(positions - positions[:1]).sum(axis=-1)
    count = np.bincount(of_tracer)
    lags = sample_lags(n)
    axes = range(3) if per_axis else ()
    return Motion(
        mean_squared_displacement(positions, of_tracer, source.save_interval),
        tuple(mean_squared_displacement(positions[:, :, x : x + 1], of_tracer, source.save_interval) for x in axes),
        displacement_moments(positions, of_tracer, lags[lags <= max(1, n // 2)]),
        mean_squared_displacement(centres, np.arange(m), source.save_interval),
        squared.mean(axis=1),
        np.bincount(of_tracer, weights=squared[-1]) / count,
        centres.sum(axis=1),
        radius,
        ends,
        radius_of_atoms,
    )


def unwrapped(piece: Trajectory, particles: Int64[Array, " chosen"]) -> Float64[Array, "frames chosen 3"]:
    """Positions of some particles with their images added."""
    images = piece.image_flags[:, particles].astype(np.float64)
    return np.asarray(piece.wrapped_positions[:, particles] + images @ piece.cell)


def _end_to_end(piece: Trajectory, species: Species) -> Float64[Array, "frames molecules"]:
    ends = species.ends
    positions = unwrapped(piece, ends.ravel())
    return end_to_end_distance(positions, np.arange(ends.size).reshape(ends.shape))
