"""What an import found, in a few lines that a user can check against what they know."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cgsim.trajectory.elements import symbols
from cgsim.trajectory.species import molecule_species
from cgsim.trajectory.trajectory import System, Trajectory
from cgsim.units import AVOGADRO_PER_MOL, UnitSystem, format_time

_NEUTRAL_WITHIN = 1e-3  # e; rounded partial charges add up to less


@dataclass
class _Found:
    """What changes while frames pass."""

    n_frames: int = 0
    first_time: float = 0.0
    last_time: float = 0.0
    volume_sum: float = 0.0
    first_cell: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))
    is_constant: bool = True


@dataclass(frozen=True)
class ImportSummary:
    """A store's content as read.

    Attributes:
        path: the store.
        system: the particles.
        notes: what a user should know about how it was read.
        warnings: what is probably wrong.
    """

    path: Path
    system: System
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    _found: _Found = field(default_factory=_Found)

    def add(self, trajectory: Trajectory) -> None:
        """Take account of more frames."""
        found = self._found
        if found.n_frames == 0:
            found.first_time, found.first_cell = float(trajectory.time[0]), trajectory.cell[0].copy()
        found.n_frames += trajectory.n_frames
        found.last_time = float(trajectory.time[-1])
        found.volume_sum += float(np.linalg.det(trajectory.cell).sum())
        found.is_constant = found.is_constant and bool((trajectory.cell == found.first_cell).all())

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self._found.n_frames

    @property
    def length(self) -> float:
        """Time from the first frame to the last."""
        return self._found.last_time - self._found.first_time

    @property
    def save_interval(self) -> float:
        """Mean time between frames; 0 for a single one."""
        return self.length / (self.n_frames - 1) if self.n_frames > 1 else 0.0

    @property
    def volume(self) -> float:
        """Mean volume of the cell; 0 if there is none."""
        return self._found.volume_sum / max(1, self.n_frames)

    @property
    def composition(self) -> dict[str, int]:
        """Number of molecules of each species."""
        names, species = molecule_species(self.system)
        return {name: int(n) for name, n in zip(names, np.bincount(species, minlength=len(names)), strict=True)}

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        system, units = self.system, self.system.units
        kinds = _elements(system) or f"types {', '.join(system.type_names)}"
        count = ", ".join(f"{n} {name}" for name, n in self.composition.items())
        lines = [
            f"{self.path}",
            f"  particles   {system.n_particles} ({kinds}), {system.bond_index.shape[1]} bonds",
            f"  molecules   {system.n_molecules}: {count}",
            f"  frames      {self.n_frames}, {format_time(self.length, units)} long"
            + (f", every {format_time(self.save_interval, units)}" if self.n_frames > 1 else ""),
            f"  cell        {self._cell()}",
        ]
        if self.volume > 0:
            lines.append(f"  density     {self._density()}")
        return lines + [f"  note: {note}" for note in self.notes] + [f"  warning: {text}" for text in self.warnings]

    def _cell(self) -> str:
        cell, unit = self._found.first_cell, self.system.units.length
        if not cell.any():
            return "none (open boundaries)"
        lengths = np.linalg.norm(cell, axis=1)
        is_orthorhombic = not (cell - np.diag(np.diagonal(cell))).any()
        shape = " x ".join(f"{length:.6g}" for length in lengths)
        kind = "" if is_orthorhombic else ", triclinic"
        return f"{shape} {unit}{kind}{'' if self._found.is_constant else ' in the first frame, changing'}"

    def _density(self) -> str:
        if self.system.units is UnitSystem.LJ:
            return f"{self.system.n_particles / self.volume:.5g} particles/sigma^3"
        # g/mol per Å^3 to g/cm^3: 1 Å^3 is 1e-24 cm^3.
        return f"{self.system.masses.sum() / AVOGADRO_PER_MOL / (self.volume * 1e-24):.5g} g/cm3"


def charge_warnings(system: System) -> tuple[str, ...]:
    """Say so if the net charge is not zero, or not even an integer."""
    net = float(system.charges.sum())
    if abs(net) <= _NEUTRAL_WITHIN:
        return ()
    unit = system.units.charge
    if abs(net - round(net)) > _NEUTRAL_WITHIN:
        return (f"the net charge is {net:.4g} {unit}, which is no integer: are charges missing or rounded?",)
    return (f"the net charge is {net:+.0f} {unit}: the system is not neutral",)


def _elements(system: System) -> str:
    """Write the elements with their numbers of atoms; empty if particles are no atoms."""
    if not system.atomic_numbers.all():
        return ""
    symbol_of = {number: symbol for symbol, number in symbols().items()}
    counts = Counter(symbol_of[int(number)] for number in system.atomic_numbers)
    return " ".join(f"{symbol}{counts[symbol]}" for symbol in sorted(counts))
