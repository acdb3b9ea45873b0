"""Size and shape of molecules, and the density of the box."""

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import csgraph

from cgsim.geometry.periodic import reduce_cell
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


def squared_radius_of_atoms(
    radius_of_beads: Float64[Array, "frames molecules"],
    squared_sizes: Float64[Array, "frames beads"],
    masses: Float64[Array, " beads"],
    molecule_id: Int64[Array, " beads"],
) -> Float64[Array, "frames molecules"]:
    """Squared radius of gyration of every molecule's atoms, from its beads and their sizes, length^2.

    Rg^2 of the atoms = Rg^2 of the beads + sum_b m_b s_b^2 / M (parallel-axis theorem of Huygens and Steiner), exactly,
    if beads are at their atoms' centres of mass. With conditional means of s_b^2 given the beads it is the conditional
    mean of Rg^2.

    Args:
        radius_of_beads: Rg of the beads, length.
        squared_sizes: s_b^2, squared radius of gyration of the atoms of each bead about it, length^2.
        masses: of the beads.
        molecule_id: of the beads.
    """
    mean = molecule_sums(molecule_id, masses / np.bincount(molecule_id, weights=masses)[molecule_id])
    return np.asarray(radius_of_beads**2 + (mean @ squared_sizes.T).T)


def chain_ends(
    bond_index: Int64[Array, "2 bonds"], molecule_id: Int64[Array, " particles"]
) -> Int64[Array, "molecules 2"]:
    """The two particles of each molecule that are furthest apart along the bonds; exact for chains and trees."""
    return np.array([path[[0, -1]] for path in backbones(bond_index, molecule_id)])


def backbones(
    bond_index: Int64[Array, "2 bonds"], molecule_id: Int64[Array, " particles"]
) -> list[Int64[Array, " path"]]:
    """The backbone of each molecule: the shortest path along bonds between the two particles furthest apart.

    Breadth-first search from any particle finds one end, and from there the other; exact for chains and trees. Side
    chains and side beads are left out.
    """
    n = len(molecule_id)
    ones = np.ones(bond_index.shape[1])
    graph = sparse.csr_array((ones, (bond_index[0], bond_index[1])), shape=(n, n))
    order = np.argsort(molecule_id, kind="stable")
    starts = np.searchsorted(molecule_id[order], np.arange(1, int(molecule_id.max()) + 1))
    paths = []
    for members in np.split(order, starts):
        local = sparse.csr_array(graph[members][:, members])
        first, _ = _search(local, 0)
        last, parent = _search(local, first)
        path = [last]
        while path[-1] != first:
            path.append(int(parent[path[-1]]))
        paths.append(np.asarray(members[path[::-1]], dtype=np.int64))
    return paths


def _search(graph: sparse.csr_array, start: int) -> tuple[int, Array]:
    """The particle furthest from ``start``, and the particle from which each was reached."""
    order, parent = csgraph.breadth_first_order(graph, start, directed=False, return_predecessors=True)
    return int(order[-1]), parent


def end_to_end_distance(
    unwrapped_positions: Float64[Array, "frames particles 3"], ends: Int64[Array, "molecules 2"]
) -> Float64[Array, "frames molecules"]:
    """Distance between the two ends of every chain in every frame, in the positions' unit."""
    between = unwrapped_positions[:, ends[:, 1]] - unwrapped_positions[:, ends[:, 0]]
    return np.asarray(np.linalg.norm(between, axis=-1))


def perpendicular_widths(cell: Float64[Array, "*frames 3 3"]) -> Float64[Array, "*frames 3"]:
    """Distance between opposite faces of each cell, along the normals of its lattice vectors' planes."""
    faces = np.cross(np.roll(cell, -1, axis=-2), np.roll(cell, -2, axis=-2))
    volume = np.abs(np.linalg.det(cell))
    return np.asarray(volume[..., None] / np.linalg.norm(faces, axis=-1))


def image_reach(cell: Float64[Array, "frames 3 3"]) -> Float64[Array, " frames"]:
    """Half the shortest lattice vector of each cell: up to this distance no particle is met in two images.

    The same for every choice of lattice vectors, also for strongly skewed ones, where half the distance of the faces
    would be far too careful.
    """
    reduced = reduce_cell(torch.from_numpy(np.ascontiguousarray(cell))).numpy()
    return np.asarray(np.linalg.norm(reduced, axis=-1).min(axis=-1) / 2)


def volume(cell: Float64[Array, "frames 3 3"]) -> Float64[Array, " frames"]:
    """Volume of each frame's cell, length^3."""
    return np.asarray(np.abs(np.linalg.det(cell)))
