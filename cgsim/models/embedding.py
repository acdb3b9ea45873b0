"""The embedding GNN: the chemistry of each bead from the molecular graph alone, once per system (Fu et al. 2023)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from rdkit.Chem import GetPeriodicTable
from torch import nn

from cgsim.errors import InputError
from cgsim.mapping import Mapping
from cgsim.models.interface import GraphFeatures
from cgsim.models.message_passing import MessagePassingBody, mlp, sum_to_receivers
from cgsim.trajectory import System
from cgsim.typing import Float, Int, Tensor


class EmbeddingSettings(BaseModel):
    """Size of the embedding GNN; the defaults are the published ones.

    Attributes:
        type_size: width of the learned vector of each atom type.
        latent: width of the messages.
        n_steps: rounds of message passing.
        n_hidden: hidden layers of each MLP.
        size: width of a bead's embedding.
        boundaries: tell bonds between atoms of two beads from bonds within one: the same atoms make beads of different
            shape, as far apart as the bonds between them say. The published network cannot.
        bond_size: width of the embedding of each bead bond, which the edges of bonded beads carry: which atoms of the
            two beads are bonded. None in the published network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type_size: int = Field(default=32, ge=1)
    latent: int = Field(default=64, ge=4)
    n_steps: int = Field(default=7, ge=1)
    n_hidden: int = Field(default=2, ge=1)
    size: int = Field(default=128, ge=1)
    boundaries: bool = Field(default=False, exclude_if=lambda value: not value)
    bond_size: int = Field(default=0, ge=0, exclude_if=lambda value: not value)


def atom_types(atoms: System) -> list[str]:
    """Type of each atom, as the model knows it: element and number of bonds (``"O2"``, ``"Li0"``).

    It means the same whatever force field or engine the topology came from. Particles without an element (bead-spring
    models) keep the name that the topology gives them.
    """
    table = GetPeriodicTable()
    return [
        f"{table.GetElementSymbol(int(z))}{degree}" if z else atoms.type_names[t]
        for z, degree, t in zip(atoms.atomic_numbers, atoms.degree, atoms.particle_type, strict=True)
    ]


def _bond_types(atoms: System, types: list[str]) -> list[str]:
    return ["-".join(sorted((types[i], types[j]))) for i, j in atoms.bond_index.T]


def surroundings(types: list[str], bonds: Iterable[tuple[int, int]]) -> list[str]:
    """Type of each atom with those of the atoms bonded to it: ``"O2 (C4 C4)"`` is an ether's oxygen.

    Args:
        types: [atoms], as :func:`atom_types` has them.
        bonds: pairs of atoms, each bond once.
    """
    around: list[list[str]] = [[] for _ in types]
    for i, j in bonds:
        around[i].append(types[j])
        around[j].append(types[i])
    return [f"{name} ({' '.join(sorted(others))})" for name, others in zip(types, around, strict=True)]


def _surroundings_of(atoms: System) -> list[str]:
    return surroundings(atom_types(atoms), zip(*atoms.bond_index.tolist(), strict=True))


@dataclass(frozen=True)
class Vocabulary:
    """What a model has learned from.

    Attributes:
        atom_types, bond_types: in the order of their embedding rows.
        mean_mass: of an atom.
        surroundings: atom types with those of the atoms bonded to them; none if that was not kept.
    """

    atom_types: tuple[str, ...]
    bond_types: tuple[str, ...]
    mean_mass: float
    surroundings: tuple[str, ...] = ()

    @classmethod
    def of(cls, systems: list[System]) -> "Vocabulary":
        """Collect the types of all training systems."""
        atoms: set[str] = set()
        bonds: set[str] = set()
        around: set[str] = set()
        for system in systems:
            types = atom_types(system)
            atoms.update(types)
            bonds.update(_bond_types(system, types))
            around.update(_surroundings_of(system))
        mean_mass = float(np.concatenate([s.masses for s in systems]).mean())
        return cls(tuple(sorted(atoms)), tuple(sorted(bonds)), mean_mass, tuple(sorted(around)))

    def unfamiliar(self, atoms: System) -> dict[str, int]:
        """Surroundings that were not learned from and how many atoms have them, the commonest first."""
        if not self.surroundings:
            return {}
        known = set(self.surroundings)
        return {name: n for name, n in Counter(_surroundings_of(atoms)).most_common() if name not in known}


@dataclass(frozen=True)
class AtomGraph:
    """The molecular graph of one system in the indices of a vocabulary, and which atoms make which bead.

    Attributes:
        atom_type: [atoms], row of the atom embedding.
        bond_index: [2, bonds], each bond once.
        bond_type: [bonds], row of the bond embedding; 0 for a pair of known atoms never seen bonded.
        masses: [atoms], in units of the vocabulary's mean mass.
        bead_of_atom: [atoms].
        n_beads: number of beads.
        bead_bonds: [2, bead bonds], each bond once, the first bead the smaller, ascending.
    """

    atom_type: Int[Tensor, " atoms"]
    bond_index: Int[Tensor, "2 bonds"]
    bond_type: Int[Tensor, " bonds"]
    masses: Float[Tensor, " atoms"]
    bead_of_atom: Int[Tensor, " atoms"]
    n_beads: int
    bead_bonds: Int[Tensor, "2 bead_bonds"]

    @classmethod
    def of(cls, atoms: System, mapping: Mapping, vocabulary: Vocabulary, source: str) -> "AtomGraph":
        """Translate a system into a model's vocabulary.

        Raises:
            InputError: if the system has atom types the model has never seen; the message names them.
        """
        types = atom_types(atoms)
        row = {name: i for i, name in enumerate(vocabulary.atom_types)}
        unknown = sorted(set(types) - set(row))
        if unknown:
            raise InputError(
                f"{source}: atom type {unknown[0]!r} (element and number of bonds) is unknown to the model, which "
                f"knows {', '.join(vocabulary.atom_types)}; train on systems that contain {', '.join(unknown)}, from "
                "the beginning or from this model on (start_from)"
            )
        bond_row = {name: i + 1 for i, name in enumerate(vocabulary.bond_types)}
        return cls(
            atom_type=torch.tensor([row[t] for t in types]),
            bond_index=torch.from_numpy(atoms.bond_index),
            bond_type=torch.tensor([bond_row.get(b, 0) for b in _bond_types(atoms, types)], dtype=torch.int64),
            masses=torch.from_numpy(atoms.masses / vocabulary.mean_mass).float(),
            bead_of_atom=torch.from_numpy(mapping.bead_of_atom),
            n_beads=mapping.n_beads,
            bead_bonds=torch.from_numpy(mapping.bond_index),
        )

    def to(self, device: torch.device) -> "AtomGraph":
        """Move to a device."""
        return AtomGraph(
            self.atom_type.to(device),
            self.bond_index.to(device),
            self.bond_type.to(device),
            self.masses.to(device),
            self.bead_of_atom.to(device),
            self.n_beads,
            self.bead_bonds.to(device),
        )

    @staticmethod
    def concatenate(graphs: "list[AtomGraph]") -> "AtomGraph":
        """Put several systems one after the other."""
        atom_start = np.cumsum([0] + [len(g.atom_type) for g in graphs])
        bead_start = np.cumsum([0] + [g.n_beads for g in graphs])
        return AtomGraph(
            torch.cat([g.atom_type for g in graphs]),
            torch.cat([g.bond_index + int(s) for g, s in zip(graphs, atom_start, strict=False)], dim=1),
            torch.cat([g.bond_type for g in graphs]),
            torch.cat([g.masses for g in graphs]),
            torch.cat([g.bead_of_atom + int(s) for g, s in zip(graphs, bead_start, strict=False)]),
            int(bead_start[-1]),
            torch.cat([g.bead_bonds + int(s) for g, s in zip(graphs, bead_start, strict=False)], dim=1),
        )


@dataclass(frozen=True)
class Chemistry:
    """What the embedding GNN says of the beads of some systems.

    Attributes:
        beads: [beads, size].
        bonds: [2, bead bonds, bond_size], of each bead bond as its first and as its second bead sees it.
    """

    beads: Float[Tensor, "beads size"]
    bonds: Float[Tensor, "2 bonds bond_size"]


class EmbeddingNetwork(nn.Module):
    """A graph network on the bonds between atoms.

    The embedding of a bead is the mean of the output over its atoms (Fu et al. 2023); that of a bead bond is the sum,
    over the atom bonds that make it, of an MLP of the latents of both atoms.
    """

    def __init__(self, settings: EmbeddingSettings, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.atom_embedding = nn.Embedding(len(vocabulary.atom_types), settings.type_size)
        self.bond_embedding = nn.Embedding(len(vocabulary.bond_types) + 1, settings.type_size, padding_idx=0)
        self.boundary = nn.Parameter(torch.zeros(settings.type_size)) if settings.boundaries else None
        self.body = MessagePassingBody(
            node_scalars=settings.type_size + 1,
            node_vectors=0,
            edge_scalars=settings.type_size,
            edge_vectors=0,
            latent=settings.latent,
            n_steps=settings.n_steps,
            n_hidden=settings.n_hidden,
            n_vectors=1,
        )
        self.readout = mlp(settings.latent, settings.size, latent=settings.latent, n_hidden=1, norm=True)
        self.bond_size = settings.bond_size
        if settings.bond_size:
            self.bond_readout = mlp(
                2 * settings.latent, settings.bond_size, latent=settings.latent, n_hidden=1, norm=True
            )

    def forward(self, graph: AtomGraph) -> Chemistry:
        """Embed every bead and every bead bond."""
        types = self.atom_embedding(graph.atom_type)
        ends = torch.cat([graph.bond_index, graph.bond_index.flip(0)], dim=1)
        order = ends[1].argsort(stable=True)  # receivers ascend, so that large systems can be embedded in blocks
        ends, bond_types = ends[:, order], torch.cat([graph.bond_type, graph.bond_type])[order]
        edges = types[ends[0]] + types[ends[1]] + self.bond_embedding(bond_types)
        if self.boundary is not None:
            beads_of_ends = graph.bead_of_atom[ends]
            edges = edges + (beads_of_ends[0] != beads_of_ends[1])[:, None] * self.boundary
        no_vectors = types.new_zeros(len(types), 0, 3)
        features = GraphFeatures(
            torch.cat([types, graph.masses[:, None]], dim=-1),
            no_vectors,
            ends,
            edges,
            edges.new_zeros(len(edges), 0, 3),
        )
        latents = self.body(features).scalars
        atoms = self.readout(latents)
        counts = torch.bincount(graph.bead_of_atom, minlength=graph.n_beads)
        beads: Tensor = sum_to_receivers(atoms, graph.bead_of_atom, graph.n_beads) / counts[:, None]
        return Chemistry(beads, self._bonds(graph, latents))

    def _bonds(self, graph: AtomGraph, latents: Tensor) -> Tensor:
        """Sum over the atom bonds that make a bead bond of what both atoms say, the receiver's first."""
        n_bonds = graph.bead_bonds.shape[1]
        if not self.bond_size:
            return latents.new_zeros(2, n_bonds, 0)
        first, second = graph.bond_index
        one, other = graph.bead_of_atom[graph.bond_index]
        crosses, swapped = one != other, one > other
        first, second = torch.where(swapped, second, first)[crosses], torch.where(swapped, first, second)[crosses]
        keys = graph.bead_bonds[0] * graph.n_beads + graph.bead_bonds[1]
        row = torch.searchsorted(keys, graph.bead_of_atom[first] * graph.n_beads + graph.bead_of_atom[second])
        seen = [
            sum_to_receivers(self.bond_readout(torch.cat([latents[a], latents[b]], dim=-1)), row, n_bonds)
            for a, b in ((first, second), (second, first))
        ]
        return torch.stack(seen)
