"""Units: every store is either in molecular units (Å, ps, g/mol, e, K) or in reduced Lennard-Jones units."""

from dataclasses import dataclass
from enum import StrEnum

from cgsim.errors import InputError, nearest

BOLTZMANN_J_PER_K = 1.380649e-23  # CODATA 2018, exact
ELEMENTARY_CHARGE_C = 1.602176634e-19  # CODATA 2018, exact
AVOGADRO_PER_MOL = 6.02214076e23  # CODATA 2018, exact


class UnitSystem(StrEnum):
    """Units of a store. ``MOLECULAR``: Å, ps, g/mol, e, K. ``LJ``: sigma, tau, m, reduced charge, epsilon/k."""

    MOLECULAR = "molecular"
    LJ = "lj"

    @property
    def length(self) -> str:
        """Unit of length as written into files and figures."""
        return "Angstrom" if self is UnitSystem.MOLECULAR else "sigma"

    @property
    def time(self) -> str:
        """Unit of time as written into files and figures."""
        return "ps" if self is UnitSystem.MOLECULAR else "tau"

    @property
    def velocity(self) -> str:
        """Unit of velocity as written into files, in the form that H5MD asks for."""
        return f"{self.length} {self.time}-1"

    @property
    def mass(self) -> str:
        """Unit of mass as written into files."""
        return "u" if self is UnitSystem.MOLECULAR else "m"

    @property
    def charge(self) -> str:
        """Unit of charge as written into files."""
        return "e" if self is UnitSystem.MOLECULAR else "q"

    @property
    def diffusion(self) -> str:
        """Unit in which diffusion coefficients are reported."""
        return "cm2/s" if self is UnitSystem.MOLECULAR else "sigma2/tau"

    @property
    def diffusion_factor(self) -> float:
        """Factor from length^2/time of the store to :attr:`diffusion`; 1 Å^2/ps is 1e-4 cm^2/s."""
        return 1e-4 if self is UnitSystem.MOLECULAR else 1.0


@dataclass(frozen=True)
class LammpsUnits:
    """What one unit of a LAMMPS ``units`` style is in the units of a store (LAMMPS manual, ``units`` command)."""

    system: UnitSystem
    length: float
    time: float
    mass: float
    charge: float


_AU_LENGTH_ANGSTROM = 0.529177210903  # Bohr radius, CODATA 2018
LAMMPS_UNITS: dict[str, LammpsUnits] = {
    "lj": LammpsUnits(UnitSystem.LJ, 1.0, 1.0, 1.0, 1.0),
    "real": LammpsUnits(UnitSystem.MOLECULAR, 1.0, 1e-3, 1.0, 1.0),
    "metal": LammpsUnits(UnitSystem.MOLECULAR, 1.0, 1.0, 1.0, 1.0),
    "nano": LammpsUnits(UnitSystem.MOLECULAR, 10.0, 1e3, AVOGADRO_PER_MOL * 1e-18, 1.0),
    "electron": LammpsUnits(UnitSystem.MOLECULAR, _AU_LENGTH_ANGSTROM, 1e-3, 1.0, 1.0),
    "si": LammpsUnits(UnitSystem.MOLECULAR, 1e10, 1e12, AVOGADRO_PER_MOL * 1e3, 1.0 / ELEMENTARY_CHARGE_C),
}


def lammps_units(style: str) -> LammpsUnits:
    """Look up a LAMMPS ``units`` style.

    Raises:
        InputError: if the style is not known.
    """
    if style not in LAMMPS_UNITS:
        raise InputError(f"unknown LAMMPS units {style!r}{nearest(style, list(LAMMPS_UNITS))}")
    return LAMMPS_UNITS[style]


_TIME_IN_PS = {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6}


def parse_time(text: str, units: UnitSystem, *, allow_zero: bool = False) -> float:
    """Read a duration such as ``"200ns"``, ``"2 ps"`` or ``"5000 tau"`` into the store's unit of time.

    A bare number is refused: a time without a unit is the commonest silent mistake of all.

    Raises:
        InputError: if the number or the unit cannot be read, or the unit does not belong to ``units``.
    """
    known = _TIME_IN_PS if units is UnitSystem.MOLECULAR else {"tau": 1.0}
    stripped = text.strip()
    number = stripped.rstrip("abcdefghijklmnopqrstuvwxyzµ").strip()
    unit = stripped[len(number) :].strip() if stripped.startswith(number) else ""
    unit = unit.replace("µs", "us")
    if unit not in known:
        raise InputError(
            f"time {text!r} needs one of the units {', '.join(known)}, for example '{number or 5}{list(known)[-1]}'"
        )
    try:
        value = float(number)
    except ValueError:
        raise InputError(f"time {text!r}: {number!r} is not a number") from None
    if not (value > 0 or (allow_zero and value == 0)):
        raise InputError(f"time must be positive, got {text!r}")
    return value * known[unit]


def format_time(value: float, units: UnitSystem) -> str:
    """Write a duration of the store with a readable unit: ``1500.0`` ps becomes ``"1.5 ns"``."""
    if units is UnitSystem.MOLECULAR and abs(value) >= 1e3:
        return f"{value / 1e3:.6g} ns"
    return f"{value:.6g} {units.time}"
