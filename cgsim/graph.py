"""From bead positions to a graph: every pair within the cutoff and every bead bond, in PyG's edge order."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional as F

from cgsim.geometry.cutoffs import Cutoffs
from cgsim.geometry.neighbors import NeighborSearch
from cgsim.geometry.periodic import minimum_image
from cgsim.typing import Bool, Float, Int, Tensor

SKIN = 0.15  # of the cutoff of pairs with a bead of a chain: how much further searches for neighbours reach


@dataclass(frozen=True)
class BeadBatch:
    """What does not change while a batch of systems moves; systems stand one after the other.

    Attributes:
        sizes: number of beads of each system.
        bead_class: [beads], index into the model's bead classes.
        masses: [beads].
        bond_index: [2, bonds], each bond once.
        cell: [graphs, 3, 3], rows are lattice vectors; zeros for open boundaries.
        embedding: [beads, features], the chemistry of each bead.
        bond_embedding: [2, bonds, features], the chemistry of each bond as its first and as its second bead sees it.
    """

    sizes: tuple[int, ...]
    bead_class: Int[Tensor, " beads"]
    masses: Float[Tensor, " beads"]
    bond_index: Int[Tensor, "2 bonds"]
    cell: Float[Tensor, "graphs 3 3"]
    embedding: Float[Tensor, "beads features"]
    bond_embedding: Float[Tensor, "2 bonds bond_features"]

    @cached_property
    def graph_index(self) -> Int[Tensor, " beads"]:
        """Which system each bead belongs to."""
        sizes = torch.tensor(self.sizes, device=self.masses.device)
        return torch.repeat_interleave(torch.arange(len(self.sizes), device=self.masses.device), sizes)

    @cached_property
    def is_periodic(self) -> Bool[Tensor, " graphs"]:
        """Which systems have a cell."""
        periodic: Tensor = (self.cell != 0).any(dim=-1).any(dim=-1)
        return periodic

    @cached_property
    def total_mass(self) -> Float[Tensor, " graphs"]:
        """Mass of each system."""
        return self.masses.new_zeros(len(self.sizes)).index_add(0, self.graph_index, self.masses)

    @cached_property
    def _directed(self) -> tuple[Int[Tensor, " directed"], Int[Tensor, " directed"]]:
        """Keys of all bonds in both directions, ascending, and where each stands in the flat :attr:`bond_embedding`."""
        receiver, sender = torch.cat([self.bond_index, self.bond_index.flip(0)], dim=1)
        keys, order = (receiver * len(self.masses) + sender).sort()
        return keys, order

    @property
    def bond_keys(self) -> Int[Tensor, " directed"]:
        """Receiver times number of beads plus sender of every bond in both directions, ascending."""
        return self._directed[0]

    @cached_property
    def bond_features(self) -> Float[Tensor, "rows features"]:
        """What edges say of bonds: 1 and the embedding of each of :attr:`bond_keys`, and zeros for no bond."""
        embedded = self.bond_embedding.flatten(0, 1)[self._directed[1]]
        return F.pad(F.pad(embedded, (1, 0), value=1.0), (0, 0, 0, 1))

    @cached_property
    def is_ion(self) -> Bool[Tensor, " beads"]:
        """Which beads are molecules by themselves."""
        alone = torch.ones_like(self.bead_class, dtype=torch.bool)
        alone[self.bond_index.flatten()] = False
        return alone

    @cached_property
    def ions(self) -> Int[Tensor, " ions"]:
        """Indices of the beads that are molecules by themselves."""
        return torch.nonzero(self.is_ion).ravel()

    @cached_property
    def _searches(self) -> dict[tuple[Cutoffs, float], NeighborSearch]:
        return {}

    def search(self, cutoffs: Cutoffs, skin: float) -> NeighborSearch:
        """The one search for neighbours within some cutoffs in configurations of this batch, ions marked; lengths."""
        if (cutoffs, skin) not in self._searches:
            self._searches[cutoffs, skin] = NeighborSearch(self.sizes, self.cell, cutoffs, skin, self.is_ion)
        return self._searches[cutoffs, skin]

    def nearest_image(
        self, vectors: Float[Tensor, "pairs 3"], beads: Int[Tensor, " pairs"]
    ) -> Float[Tensor, "pairs 3"]:
        """Nearest image of some vectors, each in the cell of the system that a bead belongs to."""
        if len(self.sizes) == 1:
            return minimum_image(vectors, self.cell[0])
        return minimum_image(vectors[:, None], self.cell[self.graph_index[beads]])[:, 0]

    def mass_share(self, mover: Int[Tensor, " pairs"], other: Int[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
        """Part of a change of their distance that falls to the first of two beads: their centre of mass stays."""
        return self.masses[other] / (self.masses[mover] + self.masses[other])

    def select(self, graphs: list[int]) -> "BeadBatch":
        """The batch of some of the systems, in the given order."""
        parts = [self.beads_of(g) for g in graphs]
        beads = torch.cat(parts)
        place = torch.full_like(self.graph_index, -1)
        place[beads] = torch.arange(len(beads), device=beads.device)
        bonds = place[self.bond_index]
        kept = (bonds >= 0).all(dim=0)
        return BeadBatch(
            sizes=tuple(self.sizes[g] for g in graphs),
            bead_class=self.bead_class[beads],
            masses=self.masses[beads],
            bond_index=bonds[:, kept],
            cell=self.cell[graphs],
            embedding=self.embedding[beads],
            bond_embedding=self.bond_embedding[:, kept],
        )

    def copies(self, n: int) -> "BeadBatch":
        """``n`` copies of this batch side by side."""
        starts = len(self.masses) * torch.arange(n, device=self.masses.device)
        return BeadBatch(
            sizes=self.sizes * n,
            bead_class=self.bead_class.repeat(n),
            masses=self.masses.repeat(n),
            bond_index=(self.bond_index[:, None] + starts[:, None]).flatten(1),
            cell=self.cell.repeat(n, 1, 1),
            embedding=self.embedding.repeat(n, 1),
            bond_embedding=self.bond_embedding.repeat(1, n, 1),
        )

    def beads_of(self, graph: int) -> Int[Tensor, " chosen"]:
        """Indices of the beads of one system."""
        start = sum(self.sizes[:graph])
        return torch.arange(start, start + self.sizes[graph], device=self.masses.device)

    def remove_drift(self, displacements: Float[Tensor, "beads *frames 3"]) -> Float[Tensor, "beads *frames 3"]:
        """Subtract the displacement of the centre of mass in periodic systems; leave open systems alone.

        The total momentum of a periodic box is zero in MD, so its centre of mass does not move; independent noise
        would move it and add to every mean squared displacement. A single chain in implicit solvent does diffuse.
        """
        return displacements - self._drift(displacements)

    def at_rest(self, history: Float[Tensor, "beads history 3"]) -> Float[Tensor, "beads history 3"]:
        """Past frames moved so that the centre of mass of a periodic system stays where it is in the last one."""
        return history - self._drift(history - history[:, -1:])

    def centre_of_mass(self, vectors: Float[Tensor, "beads *frames 3"]) -> Float[Tensor, "beads *frames 3"]:
        """Mass-weighted mean of a vector over each system, repeated for each of its beads."""
        flat = vectors.flatten(1)
        moment = flat.new_zeros(len(self.sizes), flat.shape[1])
        moment = moment.index_add(0, self.graph_index, self.masses[:, None] * flat)
        return (moment / self.total_mass[:, None])[self.graph_index].view_as(vectors)

    def _drift(self, displacements: Tensor) -> Tensor:
        periodic = self.is_periodic[self.graph_index].view(-1, *[1] * (displacements.ndim - 1))
        return self.centre_of_mass(displacements) * periodic


@dataclass(frozen=True)
class Graph:
    """Directed edges with the lattice shift of each, so that vectors follow the positions by one subtraction.

    Attributes:
        edge_index: [2, edges]; row 0 sends, row 1 receives and is ascending.
        shifts: [edges, 3], length.
        bond_row: [edges], which row of :attr:`BeadBatch.bond_features` an edge has; the last if it is no bead bond or
            not its nearest image.
        n_bonds: directed bonds of the batch.
    """

    edge_index: Int[Tensor, "2 edges"]
    shifts: Float[Tensor, "edges 3"]
    bond_row: Int[Tensor, " edges"]
    n_bonds: int

    @property
    def is_bond(self) -> Bool[Tensor, " edges"]:
        """Whether the edge is a bead bond (its nearest image only)."""
        return self.bond_row < self.n_bonds

    def edge_vectors(self, positions: Float[Tensor, "beads 3"]) -> Float[Tensor, "edges 3"]:
        """Vectors from receiver to sender, differentiable with respect to positions."""
        return positions[self.edge_index[0]] + self.shifts - positions[self.edge_index[1]]

    @cached_property
    def undirected(self) -> Int[Tensor, " pairs"]:
        """Edges that name each unordered pair (and image) once; a bead's own images are left out."""
        return torch.nonzero(self.edge_index[0] < self.edge_index[1]).ravel()


def build_graph(positions: Float[Tensor, "beads 3"], batch: BeadBatch, cutoffs: float | Cutoffs) -> Graph:
    """Connect all pairs within their cutoff and all bonded beads.

    A bond longer than the cutoff stays an edge and keeps its label. Beads may stand anywhere, in or out of the cell.

    Args:
        positions: of the beads, length.
        batch: the systems.
        cutoffs: of all pairs, or of pairs without, with one and with two ions, which are marked (beads that are
            molecules by themselves); length. May be infinite for open systems.
    """
    with torch.no_grad():
        cutoffs = cutoffs if isinstance(cutoffs, Cutoffs) else Cutoffs.of(cutoffs)
        search = batch.search(cutoffs, SKIN * cutoffs.near)
        pairs, n = search.pairs(positions), len(positions)
        bond_keys = batch.bond_keys
        edge_index = torch.stack([pairs.sender, pairs.receiver])
        n_bonds = len(bond_keys)
        if n_bonds == 0:
            return Graph(edge_index, pairs.shifts, torch.zeros_like(pairs.sender), 0)
        pair_keys = pairs.receiver * n + pairs.sender
        where = torch.searchsorted(bond_keys, pair_keys).clamp(max=n_bonds - 1)
        is_bond = bond_keys[where] == pair_keys
        if not search.has_nearest_images_only:
            nearest = _bond_vectors(positions, batch, bond_keys)
            vectors = positions[pairs.sender] + pairs.shifts - positions[pairs.receiver]
            apart = (vectors - nearest[where]).abs().amax(dim=-1)
            is_bond &= apart < 1e-3 * (1.0 + vectors.abs().amax(dim=-1))
        found = torch.zeros_like(bond_keys, dtype=torch.bool)
        found[where[is_bond]] = True
        bond_row = torch.where(is_bond, where, n_bonds)
        missing = torch.nonzero(~found).ravel()
        if len(missing) == 0:
            return Graph(edge_index, pairs.shifts, bond_row, n_bonds)
        long = bond_keys[missing]
        sender, receiver = long % n, long // n
        edge_index = torch.cat([edge_index, torch.stack([sender, receiver])], dim=1)
        long_shifts = _bond_vectors(positions, batch, long) - positions[sender] + positions[receiver]
        order = edge_index[1].argsort(stable=True)
        shifts, bond_row = torch.cat([pairs.shifts, long_shifts]), torch.cat([bond_row, missing])
        return Graph(edge_index[:, order], shifts[order], bond_row[order], n_bonds)


def _bond_vectors(positions: Tensor, batch: BeadBatch, keys: Tensor) -> Tensor:
    """Nearest images of the vectors of some directed bonds."""
    sender, receiver = keys % len(positions), keys // len(positions)
    return batch.nearest_image(positions[sender] - positions[receiver], sender)
