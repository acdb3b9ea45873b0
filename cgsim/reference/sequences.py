"""Sequences of constitutional units and the bead-spring chains they describe.

The chains are made in the style of Webb et al. (Sci. Adv. 2020, 6, eabc6216): four constitutional units that differ in
the side beads they carry. The force-field table of that paper is not public, so these chains are Webb-*style*.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Int64
from cgsim.units import UnitSystem

BEAD_TYPES = ("1", "2", "3", "4")
UNIT_BEADS: dict[str, tuple[int, ...]] = {
    "A": (0,),  # backbone alone, of type 1
    "B": (3, 1),  # backbone of type 4 + one side bead of type 2
    "C": (0, 2),  # backbone of type 1 + one side bead of type 3
    "D": (3, 1, 2),  # backbone of type 4 + both side beads
}
"""Bead types (indices into :data:`BEAD_TYPES`) of each unit; the first is in the backbone, the others hang on it."""

UNITS = "".join(UNIT_BEADS)
MOTIF_UNITS = 10
COMPOSITION = np.array([8.0, 5.0, 5.0, 1.0])  # relative numbers of the four units, on average
CHAIN_SPREAD = 1.5  # Dirichlet concentration of whole chains (class II and families), per unit of COMPOSITION
MOTIF_SPREAD = 0.3  # the same of repeat units: lower, so that motifs reach from one kind of unit to all four
Counts: TypeAlias = Int64[Array, " units"]


@dataclass(frozen=True)
class Chain:
    """One chain.

    Attributes:
        name: name of the chain; names its run folder and its store.
        kind: how the sequence was made: ``repeated``, ``random``, ``family``, or ``own``.
        sequence: constitutional units along the backbone, letters of :data:`UNITS`.

    Raises:
        InputError: if the sequence is empty or has an unknown unit.
    """

    name: str
    kind: str
    sequence: str

    def __post_init__(self) -> None:
        unknown = sorted(set(self.sequence) - set(UNITS))
        if unknown or not self.sequence:
            raise InputError(
                f"sequence of {self.name} is {self.sequence!r}, expected letters of {UNITS!r}"
                + (f", not {unknown[0]!r}" if unknown else "")
            )

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return count_beads(self.sequence)


def count_beads(sequence: str) -> int:
    """Number of beads of a sequence."""
    return sum(len(UNIT_BEADS[unit]) for unit in sequence)


def chain_system(sequence: str) -> System:
    """Build the particles and bonds of a chain; beads are numbered unit by unit, backbone bead first."""
    particle_type: list[int] = []
    bonds: list[tuple[int, int]] = []
    previous = -1
    for unit in sequence:
        backbone = len(particle_type)
        if previous >= 0:
            bonds.append((previous, backbone))
        particle_type.extend(UNIT_BEADS[unit])
        bonds.extend((backbone, side) for side in range(backbone + 1, len(particle_type)))
        previous = backbone
    n = len(particle_type)
    return System(
        units=UnitSystem.LJ,
        particle_type=np.array(particle_type, dtype=np.int64),
        type_names=BEAD_TYPES,
        names=tuple(BEAD_TYPES[t] for t in particle_type),
        atomic_numbers=np.zeros(n, dtype=np.int64),
        masses=np.ones(n),
        charges=np.zeros(n),
        bond_index=np.array(bonds, dtype=np.int64).reshape(-1, 2).T,
        molecule_id=np.zeros(n, dtype=np.int64),
    )


def fill(units: str, n_beads: int) -> str:
    """Repeat ``units`` up to exactly ``n_beads`` beads; backbone units fill what the last unit would exceed."""
    sequence, room = "", n_beads
    while room:
        unit = units[len(sequence) % len(units)]
        size = len(UNIT_BEADS[unit])
        sequence += unit if size <= room else "A"
        room -= size if size <= room else 1
    return sequence


def draw_motif(generator: np.random.Generator) -> str:
    """Draw a repeat unit of class I: ten units whose composition *and* blockiness both vary widely.

    The units are a Markov chain: with a probability drawn for this motif the next unit repeats the last one, otherwise
    it is drawn from a composition that was drawn for this motif. A motif has at least two kinds of units.
    """
    while True:
        composition = generator.dirichlet(MOTIF_SPREAD * COMPOSITION)
        persistence = generator.uniform()
        units = [generator.choice(list(UNITS), p=composition)]
        while len(units) < MOTIF_UNITS:
            keep = generator.uniform() < persistence
            units.append(units[-1] if keep else generator.choice(list(UNITS), p=composition))
        if len(set(units)) > 1:
            return "".join(units)


def draw_counts(n_beads: int, generator: np.random.Generator) -> Counts:
    """Draw how many of each unit make up exactly ``n_beads`` beads; what rounding leaves over is backbone alone."""
    sizes = np.array([len(UNIT_BEADS[unit]) for unit in UNITS])
    weights = generator.dirichlet(CHAIN_SPREAD * COMPOSITION)
    counts: Counts = np.floor(weights * n_beads / (weights @ sizes)).astype(np.int64)
    counts[0] += n_beads - counts @ sizes
    return counts


def order_blocky(counts: Counts, generator: np.random.Generator) -> str:
    """One block of each unit, the blocks in random order."""
    return "".join(UNITS[i] * int(counts[i]) for i in generator.permutation(len(UNITS)))


def order_multiblock(counts: Counts, generator: np.random.Generator) -> str:
    """Two blocks of each unit: the halves of the composition, each as one block after another."""
    first = counts // 2
    return order_blocky(first, generator) + order_blocky(counts - first, generator)


def order_alternating(counts: Counts) -> str:
    """Every unit spread as evenly along the chain as its number allows."""
    places = [((k + 0.5) / int(n), i) for i, n in enumerate(counts) for k in range(int(n))]
    return "".join(UNITS[i] for _, i in sorted(places))


def order_random(counts: Counts, generator: np.random.Generator) -> str:
    """Units of the given composition in random order."""
    return "".join(generator.permutation(list(order_alternating(counts))))
