"""Which atoms of a molecule see each other in full, which are excluded, and which are three bonds apart."""

from itertools import combinations

from cgsim.reference.electrolyte.gaff import find_dihedrals, integers, neighbours
from cgsim.reference.electrolyte.topology import MoleculeTopology
from cgsim.typing import Array, Int64


def one_four_pairs(topology: MoleculeTopology) -> Int64[Array, "pairs 2"]:
    """Atoms three bonds apart and no closer; the lower first."""
    bonded = neighbours(topology.n_atoms, topology.bonds)
    close = _close(topology)
    ends = {(min(i, m), max(i, m)) for i, _, _, m in find_dihedrals(bonded)}
    return integers(sorted(ends - close), 2)


def distant_pairs(topology: MoleculeTopology) -> Int64[Array, "pairs 2"]:
    """Atoms more than three bonds apart; the lower first."""
    left_out = _close(topology) | {(i, j) for i, j in one_four_pairs(topology).tolist()}
    return integers([pair for pair in combinations(range(topology.n_atoms), 2) if pair not in left_out], 2)


def _close(topology: MoleculeTopology) -> set[tuple[int, int]]:
    """Atoms one or two bonds apart."""
    bonded = neighbours(topology.n_atoms, topology.bonds)
    pairs = {(min(i, j), max(i, j)) for i, j in topology.bonds.tolist()}
    return pairs | {pair for atoms in bonded for pair in combinations(atoms, 2)}
