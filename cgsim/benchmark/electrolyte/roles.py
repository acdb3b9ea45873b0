"""Who is who in an electrolyte: the cation, the anion, the polymer."""

from dataclasses import dataclass

from cgsim.analysis.selection import Species, all_species
from cgsim.errors import InputError
from cgsim.trajectory import System

LI, ANION, POLYMER = "li", "anion", "polymer"  # as metrics call them, whatever the ions are


@dataclass(frozen=True)
class Roles:
    """The species of an electrolyte by role; the most numerous one where there are several."""

    li: Species
    anion: Species
    polymer: Species

    def items(self) -> tuple[tuple[str, Species], ...]:
        """Role and species."""
        return (LI, self.li), (ANION, self.anion), (POLYMER, self.polymer)


def find_roles(system: System) -> Roles:
    """Find cation, anion and polymer.

    Raises:
        InputError: if one of them is missing.
    """
    species = all_species(system)

    def most(chosen: list[Species], what: str) -> Species:
        if not chosen:
            raise InputError(f"no {what} in the system (species: {', '.join(s.name for s in species)})")
        return max(chosen, key=lambda s: s.n_molecules)

    neutral = [s for s in species if s.charge == 0]
    return Roles(
        most([s for s in species if s.charge > 0], "cation"),
        most([s for s in species if s.charge < 0], "anion"),
        max(neutral, key=lambda s: len(s.particles)) if neutral else most([], "polymer"),
    )
