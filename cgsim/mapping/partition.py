"""Mappings by graph clustering: METIS on one molecule at a time, with named rules for the molecules that need them."""

import networkx as nx
import numpy as np
import pymetis
from pydantic import BaseModel, ConfigDict, Field

from cgsim.errors import InputError, nearest
from cgsim.mapping.mapping import Mapping
from cgsim.trajectory.species import NEUTRAL, molecule_charges, molecule_species
from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Int64

IONS = "ions"
EVERYTHING = "all"


class MappingSettings(BaseModel):
    """How molecules become beads.

    Attributes:
        atoms_per_bead: a molecule of n atoms becomes round(n / atoms_per_bead) beads, at least one (Fu et al. 2023).
        beads_per_molecule: exceptions by species name (``TFSI``, ``polymer``, a formula), or for ``ions`` (every
            molecule with a net charge that has no name of its own here), or for ``all``. One bead per ion is the
            default: two-bead anions break apart within one step of a large lag time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    atoms_per_bead: int = Field(default=7, ge=1)
    beads_per_molecule: dict[str, int] = Field(default_factory=lambda: {IONS: 1})


def partition(atoms: System, settings: MappingSettings) -> Mapping:
    """Cluster the bond graph of every molecule into contiguous beads.

    METIS (k-way, contiguous parts) sees one molecule at a time, so that no part spans molecules; molecules with the
    same atoms and bonds are cut alike. Atoms without bonds are beads of their own.

    Raises:
        InputError: if a rule names a species that the system does not have, or asks for more beads than atoms; or if a
            molecule of several beads is not held together by bonds.
    """
    names, species_of_molecule = molecule_species(atoms)
    for rule in settings.beads_per_molecule:
        if rule not in {IONS, EVERYTHING, *names}:
            raise InputError(
                f"beads_per_molecule names {rule!r}, which this system does not have"
                f"{nearest(rule, [*names, IONS, EVERYTHING])}"
            )
    is_ion = np.abs(molecule_charges(atoms)) >= NEUTRAL
    members = _members(atoms.molecule_id)
    bonds_of_molecule = _members(atoms.molecule_id[atoms.bond_index[0]], n_groups=len(members))
    bead_of_atom = np.full(atoms.n_particles, -1, dtype=np.int64)
    bead_class: list[int] = []
    known: dict[bytes, Int64[Array, " atoms"]] = {}
    for molecule, particles in enumerate(members):
        bonds = np.searchsorted(particles, atoms.bond_index[:, bonds_of_molecule[molecule]])
        species = names[species_of_molecule[molecule]]
        n_beads = _n_beads(settings, species, bool(is_ion[molecule]), len(particles))
        key = b"|".join(a.tobytes() for a in (atoms.particle_type[particles], bonds, np.array([n_beads])))
        if key not in known:
            known[key] = _partition_molecule(f"molecule {molecule + 1} ({species})", len(particles), bonds, n_beads)
        parts = known[key]
        bead_of_atom[particles] = len(bead_class) + parts
        bead_class += [int(species_of_molecule[molecule])] * (int(parts.max()) + 1)
    return Mapping.from_parts(atoms, bead_of_atom, tuple(names), np.array(bead_class, dtype=np.int64))


def _n_beads(settings: MappingSettings, species: str, charged: bool, n_atoms: int) -> int:
    rules = settings.beads_per_molecule
    rule = rules.get(species, rules.get(IONS) if charged and IONS in rules else rules.get(EVERYTHING))
    if rule is None:
        return min(n_atoms, max(1, round(n_atoms / settings.atoms_per_bead)))
    if not 1 <= rule <= n_atoms:
        raise InputError(f"beads_per_molecule: {species!r} has {n_atoms} atoms and cannot become {rule} beads")
    return rule


def _members(group: Int64[Array, " items"], n_groups: int = 0) -> list[Int64[Array, " members"]]:
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group, minlength=n_groups)
    return [part.astype(np.int64) for part in np.split(order, np.cumsum(counts)[:-1])]


def _partition_molecule(
    name: str, n_atoms: int, bonds: Int64[Array, "2 bonds"], n_beads: int
) -> Int64[Array, " atoms"]:
    """Cut one connected molecule into exactly so many contiguous beads, numbered by their first atom."""
    part = np.zeros(n_atoms, dtype=np.int64)
    if n_beads == 1:
        return part
    molecule: nx.Graph[int] = nx.Graph()
    molecule.add_nodes_from(range(n_atoms))
    molecule.add_edges_from(sorted(np.sort(bonds, axis=0).T.tolist()))
    if not nx.is_connected(molecule):
        n_pieces = nx.number_connected_components(molecule)
        raise InputError(
            f"{name} is in {n_pieces} pieces without bonds between them and cannot be cut into {n_beads} contiguous "
            "beads: import it with its bonds, or make it one bead with beads_per_molecule"
        )
    adjacency = [sorted(molecule[atom]) for atom in range(n_atoms)]
    # Without `recursive=False` pymetis bisects for up to eight parts, and bisection knows no contiguous parts.
    _, label = pymetis.part_graph(n_beads, adjacency, recursive=False, options=pymetis.Options(contig=True))
    inside: nx.Graph[int] = nx.Graph()
    inside.add_nodes_from(molecule)
    inside.add_edges_from((i, j) for i, j in molecule.edges if label[i] == label[j])
    beads = [set(piece) for piece in nx.connected_components(inside)]
    # On small molecules METIS still leaves a part in pieces now and then, or empty.
    while len(beads) > n_beads:
        _join_smallest(molecule, beads)
    while len(beads) < n_beads:
        _split_largest(molecule, beads)
    for number, bead in enumerate(sorted(beads, key=min)):
        part[list(bead)] = number
    return part


def _join_smallest(molecule: "nx.Graph[int]", beads: list[set[int]]) -> None:
    """Give the smallest bead to the smallest one bonded to it."""
    smallest = min(beads, key=lambda bead: (len(bead), min(bead)))
    beads.remove(smallest)
    bonded = nx.node_boundary(molecule, smallest)
    target = min((bead for bead in beads if bead & bonded), key=lambda bead: (len(bead), min(bead)))
    target |= smallest


def _split_largest(molecule: "nx.Graph[int]", beads: list[set[int]]) -> None:
    """Cut the largest bead at the bond of its spanning tree that leaves the halves most alike."""
    largest = max(beads, key=lambda bead: (len(bead), -min(bead)))
    tree = nx.bfs_tree(molecule.subgraph(largest), min(largest))
    branches = [{atom} | nx.descendants(tree, atom) for atom in sorted(largest - {min(largest)})]
    branch = min(branches, key=lambda atoms: abs(2 * len(atoms) - len(largest)))
    beads.remove(largest)
    beads += [branch, largest - branch]
