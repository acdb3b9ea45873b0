"""Size and shape of molecules, and the density of the box."""

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from cgsim.typing import Array, Float64, Int64


def molecule_sums(molecule_id: Int64[Array, " particles"], weights: Float64[Array, " particles"]) -> sparse.csr_array:
    """Matrix [molecules, particles] that adds up the particles of each molecule, each with its weight."""
    index = (molecule_id, np.arange(len(molecule_id)))
    shape = (int(molecule_id.max()) + 1, len(molecule_id))
    return sparse.csr_array((weights, index), shape=shape)


def centres_of_mass(
    unwrapped_positions: Float64[Array, "frames particles 3"],
    masses: Float64[Array, " particles"],
    molecule_id: Int64[Array, " particles"],
) -> Float64[Array, "frames molecules 3"]:
    """Centre of mass of every molecule, in the positions' unit."""
    frames, particles, _ = unwrapped_positions.shape
    mean = molecule_sums(molecule_id, masses / np.bincount(molecule_id, weights=masses)[molecule_id])
    flat = unwrapped_positions.transpose(1, 0, 2).reshape(particles, frames * 3)
    return np.ascontiguousarray((mean @ flat).reshape(mean.shape[0], frames, 3).transpose(1, 0, 2))


def gyration_tensor(
    unwrapped_positions: Float64[Array, "frames particles 3"],
    masses: Float64[Array, " particles"],
    molecule_id: Int64[Array, " particles"],
) -> Float64[Array, "frames molecules 3 3"]:
    """Mass-weighted gyration tensor S of every molecule, length^2; its trace is Rg^2 and eigenvalues give the shape.

    S = sum_i m_i (r_i - R)(r_i - R)^T / M with R the centre of mass (Theodorou and Suter, Macromolecules 18, 1206
    (1985), there with equal masses).
    """
    frames, particles, _ = unwrapped_positions.shape
    centres = centres_of_mass(unwrapped_positions, masses, molecule_id)
    relative = unwrapped_positions - centres[:, molecule_id]
    mean = molecule_sums(molecule_id, masses / np.bincount(molecule_id, weights=masses)[molecule_id])
    outer = relative[..., :, None] * relative[..., None, :]
    flat = outer.transpose(1, 0, 2, 3).reshape(particles, frames * 9)
    return np.ascontiguousarray((mean @ flat).reshape(mean.shape[0], frames, 3, 3).transpose(1, 0, 2, 3))


def radius_of_gyration(
    unwrapped_positions: Float64[Array, "frames particles 3"],
    masses: Float64[Array, " particles"],
    molecule_id: Int64[Array, " particles"],
) -> Float64[Array, "frames molecules"]:
    """Mass-weighted radius of gyration of every molecule in every frame, in the positions' unit.

    Rg^2 = sum_i m_i |r_i - R|^2 / M (Rubinstein and Colby, Polymer Physics, sec. 2.4, there with equal masses).
    """
    centres = centres_of_mass(unwrapped_positions, masses, molecule_id)
    squared = np.square(unwrapped_positions - centres[:, molecule_id]).sum(axis=-1)
    mean = molecule_sums(molecule_id, masses / np.bincount(molecule_id, weights=masses)[molecule_id])
    return np.asarray(np.sqrt((mean @ squared.T).T))


def chain_ends(
    bond_index: Int64[Array, "2 bonds"], molecule_id: Int64[Array, " particles"]
) -> Int64[Array, "molecules 2"]:
    """The two particles of each molecule that are furthest apart along the bonds; exact for chains and trees.

    Breadth-first search from any particle finds one end, and from there the other.
    """
    n = len(molecule_id)
    ones = np.ones(bond_index.shape[1])
    graph = sparse.csr_array((ones, (bond_index[0], bond_index[1])), shape=(n, n))
    ends = np.empty((int(molecule_id.max()) + 1, 2), dtype=np.int64)
    for molecule in range(len(ends)):
        members = np.flatnonzero(molecule_id == molecule)
        local = sparse.csr_array(graph[members][:, members])
        first = _furthest(local, 0)
        ends[molecule] = members[first], members[_furthest(local, first)]
    return ends


def _furthest(graph: sparse.csr_array, start: int) -> int:
    order = csgraph.breadth_first_order(graph, start, directed=False, return_predecessors=False)
    return int(order[-1])


def end_to_end_distance(
    unwrapped_positions: Float64[Array, "frames particles 3"], ends: Int64[Array, "molecules 2"]
) -> Float64[Array, "frames molecules"]:
    """Distance between the two ends of every chain in every frame, in the positions' unit."""
    between = unwrapped_positions[:, ends[:, 1]] - unwrapped_positions[:, ends[:, 0]]
    return np.asarray(np.linalg.norm(between, axis=-1))


def perpendicular_widths(cell: Float64[Array, "*frames 3 3"]) -> Float64[Array, "*frames 3"]:
    """Distance between opposite faces of each cell; half the smallest is as far as one image is enough."""
    faces = np.cross(np.roll(cell, -1, axis=-2), np.roll(cell, -2, axis=-2))
    volume = np.abs(np.linalg.det(cell))
    return np.asarray(volume[..., None] / np.linalg.norm(faces, axis=-1))


def volume(cell: Float64[Array, "frames 3 3"]) -> Float64[Array, " frames"]:
    """Volume of each frame's cell, length^3."""
    return np.asarray(np.abs(np.linalg.det(cell)))
