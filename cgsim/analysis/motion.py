"""One pass over a trajectory for one species: sizes of its molecules, and where its tracers went."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cgsim.analysis.selection import Species
from cgsim.analysis.source import Source
from cgsim.observables.dynamics import MeanSquaredDisplacement, mean_squared_displacement, merge_molecules
from cgsim.observables.structure import centres_of_mass, end_to_end_distance, radius_of_gyration
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


@dataclass(frozen=True)
class Motion:
    """Series of one species.

    Attributes:
        tracers: multi-origin displacement of the tracers.
        centres: the same for centres of mass of molecules of several particles.
        single_origin: [frames], length^2, mean squared displacement of the tracers since the first frame.
        last_displacement: [molecules], length^2, that of each molecule's tracers at the last frame.
        centre_sum: [frames, 3], length, sum over molecules of their centres of mass.
        radius: [frames, molecules], length; no molecules unless the species is a chain.
        end_to_end: the same.
    """

    tracers: MeanSquaredDisplacement
    centres: MeanSquaredDisplacement
    single_origin: Float64[Array, " frames"]
    last_displacement: Float64[Array, " molecules"]
    centre_sum: Float64[Array, "frames 3"]
    radius: Float64[Array, "frames chains"]
    end_to_end: Float64[Array, "frames chains"]


def follow_box(source: Source) -> Box:
    """Read the cell and the centre of mass of all particles in every frame."""
    shares = source.system.masses / source.system.masses.sum()
    centres, cells = [], []
    for piece in source.chunks():
        centres.append(np.einsum("p,fpx->fx", shares, piece.unwrapped_positions))
        cells.append(piece.cell)
    centre = np.concatenate(centres)
    return Box(centre if source.is_periodic else np.zeros_like(centre), np.concatenate(cells))


def follow_species(source: Source, species: Species, box: Box) -> Motion:
    """Read the series of a species, a block of whole molecules at a time so that memory stays bounded."""
    parts = [_follow(source, block, box) for block in _blocks(source, species)]
    if len(parts) == 1:
        return parts[0]
    sizes = np.array([p.tracers.molecule_weights.sum() for p in parts])
    return Motion(
        merge_molecules([p.tracers for p in parts]),
        merge_molecules([p.centres for p in parts]),
        np.average([p.single_origin for p in parts], axis=0, weights=sizes),
        np.concatenate([p.last_displacement for p in parts]),
        np.sum([p.centre_sum for p in parts], axis=0),
        np.concatenate([p.radius for p in parts], axis=1),
        np.concatenate([p.end_to_end for p in parts], axis=1),
    )


def _blocks(source: Source, species: Species) -> Iterator[Species]:
    per_molecule = 24.0 * source.n_frames * (len(species.tracers) / species.n_molecules + 2)
    size = max(1, int(MAX_BYTES / per_molecule))
    for start in range(0, species.n_molecules, size):
        molecules = species.molecules[start : start + size]
        yield Species(species.system, species.name, molecules, species.charge)


def _follow(source: Source, species: Species, box: Box) -> Motion:
    particles, tracers = species.particles, species.tracers
    masses = source.system.masses[particles]
    molecule = consecutive(source.system.molecule_id[particles])
    n, m = source.n_frames, species.n_molecules
    positions = np.empty((n, len(tracers), 3))
    centres = np.empty((n, m, 3))
    chains = m if species.is_chain else 0
    radius, ends = np.empty((n, chains)), np.empty((n, chains))
    at = 0
    for piece in source.chunks():
        here = slice(at, at + piece.n_frames)
        at += piece.n_frames
        drift = (box.centre[here] - box.centre[0])[:, None]
        own = _unwrapped(piece, particles)
        centres[here] = centres_of_mass(own, masses, molecule) - drift
        positions[here] = _unwrapped(piece, tracers) - drift
        if chains:
            radius[here] = radius_of_gyration(own, masses, molecule)
            ends[here] = _end_to_end(piece, species)
    of_tracer = consecutive(source.system.molecule_id[tracers])
    squared = np.square(positions - positions[:1]).sum(axis=-1)
    count = np.bincount(of_tracer)
    return Motion(
        mean_squared_displacement(positions, of_tracer, source.save_interval),
        mean_squared_displacement(centres, np.arange(m), source.save_interval),
        squared.mean(axis=1),
        np.bincount(of_tracer, weights=squared[-1]) / count,
        centres.sum(axis=1),
        radius,
        ends,
    )


def _unwrapped(piece: Trajectory, particles: Int64[Array, " chosen"]) -> Float64[Array, "frames chosen 3"]:
    images = piece.image_flags[:, particles].astype(np.float64)
    return np.asarray(piece.wrapped_positions[:, particles] + images @ piece.cell)


def _end_to_end(piece: Trajectory, species: Species) -> Float64[Array, "frames molecules"]:
    ends = species.ends
    positions = _unwrapped(piece, ends.ravel())
    return end_to_end_distance(positions, np.arange(ends.size).reshape(ends.shape))
