"""Mappings by graph clustering: METIS on one molecule at a time, with named rules for the molecules that need them."""

import numpy as np
import pymetis
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from cgsim.errors import InputError, nearest
from cgsim.mapping.mapping import Mapping
from cgsim.trajectory.species import molecule_species
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

    METIS (k-way, contiguous parts) sees one connected component at a time, so that no part spans molecules and none is
    empty; molecules with the same atoms and bonds are cut alike. Atoms without bonds are beads of their own.

    Raises:
        InputError: if a rule names a species that the system does not have, or asks for more beads than atoms.
    """
    names, species_of_molecule = molecule_species(atoms)
    for rule in settings.beads_per_molecule:
        if rule not in {IONS, EVERYTHING, *names}:
            raise InputError(
                f"beads_per_molecule names {rule!r}, which this system does not have"
                f"{nearest(rule, [*names, IONS, EVERYTHING])}"
            )
    molecule_charge = np.bincount(atoms.molecule_id, weights=atoms.charges)
    members = _members(atoms.molecule_id)
    bonds_of_molecule = _members(atoms.molecule_id[atoms.bond_index[0]], n_groups=len(members))
    bead_of_atom = np.full(atoms.n_particles, -1, dtype=np.int64)
    bead_class: list[int] = []
    known: dict[bytes, Int64[Array, " atoms"]] = {}
    for molecule, particles in enumerate(members):
        bonds = np.searchsorted(particles, atoms.bond_index[:, bonds_of_molecule[molecule]])
        species = names[species_of_molecule[molecule]]
        n_beads = _n_beads(settings, species, bool(abs(molecule_charge[molecule]) > 1e-3), len(particles))
        key = b"|".join(a.tobytes() for a in (atoms.particle_type[particles], bonds, np.array([n_beads])))
        if key not in known:
            known[key] = _partition_molecule(len(particles), bonds, n_beads)
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


def _partition_molecule(n_atoms: int, bonds: Int64[Array, "2 bonds"], n_beads: int) -> Int64[Array, " atoms"]:
    """Cut one connected molecule; parts are contiguous and numbered by their first atom."""
    if n_beads == 1:
        return np.zeros(n_atoms, dtype=np.int64)
    ones = np.ones(bonds.shape[1], dtype=np.int8)
    adjacency = sparse.csr_array((ones, (bonds[0], bonds[1])), shape=(n_atoms, n_atoms))
    adjacency = (adjacency + adjacency.T).tocsr()
    adjacency.sort_indices()
    graph = pymetis.CSRAdjacency(adjacency.indptr, adjacency.indices)
    _, parts = pymetis.part_graph(n_beads, adjacency=graph, options=pymetis.Options(contig=True))
    # A part can come back empty or in pieces on small graphs; pieces become beads, empty parts vanish.
    label = np.asarray(parts, dtype=np.int64)
    same = label[bonds[0]] == label[bonds[1]]
    inside = sparse.csr_array((ones[same], (bonds[0][same], bonds[1][same])), shape=(n_atoms, n_atoms))
    _, pieces = connected_components(inside, directed=False)
    return pieces.astype(np.int64)
