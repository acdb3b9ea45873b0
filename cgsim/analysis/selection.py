"""Which particles stand for a species: in diffusion, in radial distributions, in ion clusters, as ends of chains."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from cgsim.observables.structure import backbones
from cgsim.trajectory import System
from cgsim.trajectory.species import NEUTRAL, POLYMER, formula, molecule_charges, molecule_species
from cgsim.trajectory.trajectory import consecutive
from cgsim.typing import Array, Bool, Int64

HYDROGEN = 1
SOLVATING = (7, 8, 16)  # N, O, S: what coordinates a cation in most salts and polymers
HALOGENS = (9, 17, 35, 53)  # ... and what does so in PF6, BF4, chloride
CHAIN = 4  # particles from which on a neutral molecule has a size worth a figure


@dataclass(frozen=True)
class Species:
    """All molecules of one kind.

    Attributes:
        system: the whole system.
        name: ``"Li"``, ``"TFSI"``, ``"polymer"``.
        molecules: their indices in the system.
        charge: formal charge of one: its net charge rounded to the next whole number but at least 1 in size, so that
            ions with scaled charges (0.7 e) count as what they are; 0 for a neutral molecule.
    """

    system: System
    name: str
    molecules: Int64[Array, " molecules"]
    charge: float

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return len(self.molecules)

    @cached_property
    def particles(self) -> Int64[Array, " particles"]:
        """All particles of all molecules, molecule by molecule."""
        rank = np.full(self.system.n_molecules, -1, dtype=np.int64)
        rank[self.molecules] = np.arange(self.n_molecules)
        of_particle = rank[self.system.molecule_id]
        order = np.argsort(of_particle, kind="stable")
        return np.asarray(order[of_particle[order] >= 0], dtype=np.int64)

    @property
    def has_elements(self) -> bool:
        """Whether the particles are atoms."""
        return bool(self.system.atomic_numbers[self.particles].all())

    @property
    def is_chain(self) -> bool:
        """Whether the molecules are neutral and long enough for their size to be of interest."""
        if self.has_elements:
            return self.name == POLYMER
        return self.charge == 0 and len(self.particles) >= CHAIN * self.n_molecules

    @cached_property
    def are_identical(self) -> bool:
        """Whether all molecules have the same particles in the same order, so that they share one mean."""
        types = [self.system.particle_type[self.system.molecule_id == m] for m in self.molecules]
        return all(np.array_equal(types[0], t) for t in types[1:])

    @cached_property
    def tracers(self) -> Int64[Array, " tracers"]:
        """Particles whose displacements make the diffusion coefficient, molecule by molecule.

        Beads: all. A molecular ion: the heavy atom in the middle of its bonds (N of TFSI, P of PF6). Other molecules:
        their N, O and S atoms, or all heavy atoms if there are none (the convention of the published polymer data).
        """
        if not self.has_elements:
            return self.particles
        if self.charge != 0:
            return np.array([_central_atom(self.system, int(m)) for m in self.molecules], dtype=np.int64)
        numbers = self.system.atomic_numbers[self.particles]
        solvating = np.isin(numbers, SOLVATING)
        return self.particles[solvating if solvating.any() else numbers != HYDROGEN]

    @cached_property
    def sites(self) -> Int64[Array, " sites"]:
        """Atoms by which an ion touches others: N, O, S, else halogens, else all; all beads of an ion of beads."""
        numbers = self.system.atomic_numbers[self.particles]
        for elements in (SOLVATING, HALOGENS):
            found = np.isin(numbers, elements)
            if found.any():
                return self.particles[found]
        return self.particles

    @cached_property
    def heavy(self) -> Int64[Array, " particles"]:
        """All particles but hydrogens, molecule by molecule."""
        return np.asarray(self.particles[self.system.atomic_numbers[self.particles] != HYDROGEN])

    @cached_property
    def are_bonded(self) -> bool:
        """Whether bonds hold every molecule together, so that it has ends and a backbone."""
        part = self.system.select(self.particles)
        ones = np.ones(part.bond_index.shape[1])
        graph = sparse.csr_array((ones, tuple(part.bond_index)), shape=(part.n_particles, part.n_particles))
        n_pieces, _ = csgraph.connected_components(graph, directed=False)
        return bool(n_pieces == self.n_molecules)

    @cached_property
    def backbones(self) -> list[Int64[Array, " path"]]:
        """The particles of each chain's backbone in their order: its longest path along bonds, without hydrogens."""
        part = self.system.select(self.heavy)
        return [np.asarray(self.heavy[path]) for path in backbones(part.bond_index, part.molecule_id)]

    @cached_property
    def ends(self) -> Int64[Array, "molecules 2"]:
        """The two ends of each chain, hydrogens not counted."""
        return np.array([path[[0, -1]] for path in self.backbones])


def all_species(system: System) -> list[Species]:
    """The species of a system, in order of first appearance."""
    names, of_molecule = molecule_species(system)
    charges = molecule_charges(system)
    found = []
    for k, name in enumerate(names):
        molecules = np.flatnonzero(of_molecule == k)
        found.append(Species(system, name, molecules, formal_charge(float(charges[molecules].mean()))))
    return found


def formal_charge(net_charge: float) -> float:
    """Charge of an ion in whole elementary charges; 0 below the charge that rounding leaves on a neutral chain."""
    if abs(net_charge) < NEUTRAL:
        return 0.0
    return float(np.copysign(max(1.0, np.round(abs(net_charge))), net_charge))


def radial_selections(system: System, species: list[Species]) -> dict[str, Bool[Array, " particles"]]:
    """Named selections for radial distribution functions.

    Beads: each class of beads. Atoms: each ion by its central atom under the ion's name, and every element of N, O, S
    and halogens of every molecule that is no single atom as ``species.element`` (``"polymer.O"``).
    """
    selections: dict[str, Array] = {}
    if not system.atomic_numbers.all():
        for k, name in enumerate(system.type_names):
            chosen = system.particle_type == k
            if chosen.any():
                selections[name] = chosen
        return selections
    for one in species:
        if one.charge != 0:
            selections[one.name] = _mask(system, one.tracers)
        if len(one.particles) == one.n_molecules:
            continue
        for element in (*SOLVATING, *HALOGENS):
            atoms = one.particles[system.atomic_numbers[one.particles] == element]
            if atoms.size:
                selections[f"{one.name}.{formula(np.array([element]))}"] = _mask(system, atoms)
    return selections


def default_pairs(
    system: System, species: list[Species], selections: dict[str, Bool[Array, " particles"]]
) -> list[tuple[str, str]]:
    """Pairs that tell most: all pairs of bead classes; for atoms cations with everything, and anions with anions."""
    if not system.atomic_numbers.all():
        names = list(selections)
        return [(a, b) for k, a in enumerate(names) for b in names[k:]]
    cations = [s.name for s in species if s.charge > 0]
    anions = [s.name for s in species if s.charge < 0]
    idle = {f"{s.name}.F" for s in species if any(f"{s.name}.{e}" in selections for e in ("O", "N", "S"))}
    seen: set[bytes] = set()
    for name, mask in selections.items():  # an anion's only nitrogen is its central atom: once is enough
        idle |= {name} if mask.tobytes() in seen else set()
        seen.add(mask.tobytes())
    pairs = [(c, other) for c in cations for other in selections if other not in idle]
    pairs = [(a, b) for a, b in pairs if b not in cations or cations.index(b) >= cations.index(a)]
    return pairs + [(a, b) for k, a in enumerate(anions) for b in anions[k:]]


def _mask(system: System, particles: Int64[Array, " chosen"]) -> Bool[Array, " particles"]:
    mask = np.zeros(system.n_particles, dtype=bool)
    mask[particles] = True
    return mask


def _central_atom(system: System, molecule: int) -> int:
    """The heavy atom with the smallest largest number of bonds to any other; of several, the heaviest element."""
    members = np.flatnonzero(system.molecule_id == molecule)
    if len(members) == 1:
        return int(members[0])
    numbers = system.atomic_numbers[members]
    heavy = members[numbers != HYDROGEN] if (numbers != HYDROGEN).any() else members
    part = system.select(heavy)
    ones = np.ones(part.bond_index.shape[1])
    graph = sparse.csr_array((ones, (part.bond_index[0], part.bond_index[1])), shape=(len(heavy), len(heavy)))
    farthest = csgraph.shortest_path(graph, directed=False, unweighted=True).max(axis=1)
    central = np.flatnonzero(farthest == farthest.min())
    return int(heavy[central[np.argmax(part.atomic_numbers[central])]])


def local_molecules(species: Species, particles: Int64[Array, " chosen"]) -> Int64[Array, " chosen"]:
    """Number the molecules of some particles of a species 0, 1, 2 ... in order of appearance."""
    return consecutive(species.system.molecule_id[particles])
