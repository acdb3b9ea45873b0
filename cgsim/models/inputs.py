"""What a model needs to know of a system that moves, and batches of such systems."""

from dataclasses import dataclass

import torch

from cgsim.errors import InputError, nearest
from cgsim.graph import BeadBatch
from cgsim.mapping import Mapping
from cgsim.models.embedding import AtomGraph, EmbeddingNetwork, Vocabulary
from cgsim.trajectory import System
from cgsim.typing import Array, Float, Float64, Int, Tensor


@dataclass(frozen=True)
class SystemInputs:
    """One system in the indices of a model.

    Attributes:
        atom_graph: chemistry, for the embedding GNN.
        bead_class: [beads], index into the model's class names.
        masses: [beads].
        cell: [3, 3], rows are lattice vectors; zeros for open boundaries.
    """

    atom_graph: AtomGraph
    bead_class: Int[Tensor, " beads"]
    masses: Float[Tensor, " beads"]
    cell: Float[Tensor, "3 3"]

    @classmethod
    def of(
        cls,
        atoms: System,
        mapping: Mapping,
        cell: Float64[Array, "3 3"],
        vocabulary: Vocabulary,
        class_names: tuple[str, ...],
        source: str,
    ) -> "SystemInputs":
        """Translate a system.

        Raises:
            InputError: if it has atom types or bead classes that the model has never seen.
        """
        for name in mapping.class_names:
            if name not in class_names:
                raise InputError(
                    f"{source}: species {name!r} is unknown to the model{nearest(name, list(class_names))}"
                )
        row = torch.tensor([class_names.index(name) for name in mapping.class_names])
        return cls(
            atom_graph=AtomGraph.of(atoms, mapping, vocabulary, source),
            bead_class=row[torch.from_numpy(mapping.bead_class)],
            masses=torch.from_numpy(mapping.masses).float(),
            cell=torch.from_numpy(cell).float(),
        )

    @property
    def bond_index(self) -> Int[Tensor, "2 bonds"]:
        """[2, bonds], each bead bond once."""
        return self.atom_graph.bead_bonds

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.masses)


def make_batch(systems: list[SystemInputs], which: list[int], embedding: EmbeddingNetwork) -> BeadBatch:
    """Put systems side by side; each distinct one is embedded once, however often it appears.

    Args:
        systems: all systems at hand.
        which: index of each graph of the batch into ``systems``.
        embedding: the embedding GNN, whose device the batch is put on.
    """
    device = embedding.atom_embedding.weight.device
    distinct = sorted(set(which))
    embedded = embedding(AtomGraph.concatenate([systems[i].atom_graph for i in distinct]).to(device))
    beads = dict(zip(distinct, embedded.beads.split([systems[i].n_beads for i in distinct]), strict=True))
    n_bonds = [systems[i].bond_index.shape[1] for i in distinct]
    bonds = dict(zip(distinct, embedded.bonds.split(n_bonds, dim=1), strict=True))
    chosen = [systems[i] for i in which]
    sizes = tuple(s.n_beads for s in chosen)
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return BeadBatch(
        sizes=sizes,
        bead_class=torch.cat([s.bead_class for s in chosen]).to(device),
        masses=torch.cat([s.masses for s in chosen]).to(device),
        bond_index=torch.cat([s.bond_index + start for s, start in zip(chosen, starts, strict=True)], dim=1).to(device),
        cell=torch.stack([s.cell for s in chosen]).to(device),
        embedding=torch.cat([beads[i] for i in which]),
        bond_embedding=torch.cat([bonds[i] for i in which], dim=1),
    )
