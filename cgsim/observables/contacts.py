"""Contacts: which units of one chain meet each other, and how often molecules of each kind meet."""

import numpy as np
from scipy import sparse
from vesin import NeighborList

from cgsim.typing import Array, Bool, Float64, Int64


def chain_contacts(
    positions: Float64[Array, "particles 3"],
    unit_of_particle: Int64[Array, " particles"],
    n_units: int,
    cutoff: float,
) -> Bool[Array, "units units"]:
    """Which units of a chain touch: any particle of one within the cutoff of any of the other; each touches itself.

    Args:
        positions: of one whole molecule, length.
        unit_of_particle: unit (monomer, bead) of each particle, 0-based.
        n_units: number of units.
        cutoff: length.
    """
    neighbors = NeighborList(cutoff=cutoff, full_list=True)
    i, j = neighbors.compute(positions, np.zeros((3, 3)), False, "ij")
    touch = np.eye(n_units, dtype=bool)
    touch[unit_of_particle[i.astype(np.int64)], unit_of_particle[j.astype(np.int64)]] = True
    return touch


def molecule_contacts(
    positions: Float64[Array, "particles 3"],
    cell: Float64[Array, "3 3"],
    molecule_of_particle: Int64[Array, " particles"],
    kind_of_molecule: Int64[Array, " molecules"],
    n_kinds: int,
    cutoff: float,
) -> Float64[Array, "kinds kinds"]:
    """Mean number of molecules of kind b that touch a molecule of kind a, entry [a, b], in one frame.

    Two molecules touch if any of their particles are within the cutoff; a pair counts once, and never with itself.

    Args:
        positions: length; in the cell or not.
        cell: rows are lattice vectors; zeros for open boundaries.
        molecule_of_particle: 0-based.
        kind_of_molecule: 0-based.
        n_kinds: number of kinds.
        cutoff: length.
    """
    neighbors = NeighborList(cutoff=cutoff, full_list=True)
    i, j = neighbors.compute(positions, cell, bool(cell.any()), "ij")
    first, second = molecule_of_particle[i.astype(np.int64)], molecule_of_particle[j.astype(np.int64)]
    apart = first != second
    n = len(kind_of_molecule)
    touch = sparse.coo_array((np.ones(apart.sum()), (first[apart], second[apart])), shape=(n, n)).tocsr()
    touch.data[:] = 1.0
    of_kind = sparse.csr_array((np.ones(n), (kind_of_molecule, np.arange(n))), shape=(n_kinds, n))
    counts = np.asarray((of_kind @ touch @ of_kind.T).todense())
    return np.asarray(counts / np.maximum(np.bincount(kind_of_molecule, minlength=n_kinds), 1)[:, None])
