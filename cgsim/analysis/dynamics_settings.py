"""What to look at of the motion."""

import math
import re
from dataclasses import dataclass

from cgsim.errors import InputError

MILLIPASCAL_SECONDS = "mPa s"
_UNITS = {"": 1.0, MILLIPASCAL_SECONDS: 1.0, "cP": 1.0, "Pa s": 1e3}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
UNKNOWN = 0.5  # error over viscosity from which on nobody can say how large a correction is


@dataclass(frozen=True)
class Viscosity:
    """A shear viscosity and how well it is known.

    Attributes:
        value: mPa s, or epsilon tau/sigma^3 for stores in reduced units.
        standard_error: of it; 0 if it is not known.
        unit: ``"mPa s"`` if a unit was written, else empty.

    Raises:
        InputError: if the value is not positive and finite, or the error negative or half of the value and more.
    """

    value: float
    standard_error: float = 0.0
    unit: str = ""

    def __post_init__(self) -> None:
        if not (self.value > 0 and math.isfinite(self.value)):
            raise InputError(f"viscosity must be positive, got {self.value:g}")
        if not 0 <= self.standard_error < UNKNOWN * self.value:
            raise InputError(
                f"error of the viscosity must be from 0 to less than half of its {self.value:g}, "
                f"got {self.standard_error:g}"
            )


def parse_viscosity(text: str) -> Viscosity:
    """Read ``"12"``, ``"12 +- 2"``, ``"12 ± 2 mPa s"`` or ``"0.012 +- 0.002 Pa s"``; without unit as it is.

    Raises:
        InputError: if the numbers or the unit cannot be read, or make no sense.
    """
    units = "|".join(re.escape(unit) for unit in _UNITS if unit)
    found = re.fullmatch(rf"\s*({_NUMBER})\s*(?:(?:\+-|\+/-|±)\s*({_NUMBER})\s*)?({units})?\s*", text)
    if found is None:
        known = ", ".join(unit for unit in _UNITS if unit)
        raise InputError(f"viscosity {text!r}: expected a number, its error if known, and {known}: '12 +- 2 mPa s'")
    value, error, unit = found.groups(default="")
    factor = _UNITS[unit]
    return Viscosity(float(value) * factor, float(error or 0.0) * factor, MILLIPASCAL_SECONDS if unit else "")


@dataclass(frozen=True)
class DynamicsSettings:
    """Choices for figures of motion.

    Attributes:
        per_axis: diffusivities along x, y and z as well.
        viscosity: shear viscosity with its error, to correct diffusivities for the finite size of the cell; without it
            the size of the correction is given per viscosity.
        van_hove: times, with unit, at which to make van Hove functions; none if empty.
        rouse_modes: number of Rouse modes of chains; 0 for none.
        contact_frames: at most so many frames, equally spaced, are searched for what coordinates ions; 0 for no
            residence times and hops.
        recrossing: time, with unit, for which an ion may leave a molecule, or come off its sites, and be taken as never
            gone, rounded down to whole frames; 2 ps for atoms and 0 for beads if empty.
        cage_size: distance between two cages, length; counts hops of ions between cages if given.
        cage_time: time, with unit, over which the place of a cage is averaged before and after a hop.

    Raises:
        InputError: if a number is negative, or zero where it must not be.
    """

    per_axis: bool = False
    viscosity: Viscosity | None = None
    van_hove: tuple[str, ...] = ()
    rouse_modes: int = 5
    contact_frames: int = 2000
    recrossing: str = ""
    cage_size: float | None = None
    cage_time: str = ""

    def __post_init__(self) -> None:
        if self.cage_size is not None and not self.cage_size > 0:
            raise InputError(f"cage size must be positive, got {self.cage_size:g}")
        for name in ("rouse_modes", "contact_frames"):
            if getattr(self, name) < 0:
                raise InputError(f"{name.replace('_', ' ')} must not be negative, got {getattr(self, name)}")
        if (self.cage_size is None) != (not self.cage_time):
            raise InputError("hops between cages need both --cage-size and --cage-time")
