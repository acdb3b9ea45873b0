"""What to look at of the motion."""

from dataclasses import dataclass

from cgsim.errors import InputError


@dataclass(frozen=True)
class DynamicsSettings:
    """Choices for figures of motion.

    Attributes:
        per_axis: diffusivities along x, y and z as well.
        viscosity: shear viscosity, mPa s (or reduced units), to correct diffusivities for the finite size of the cell;
            without it the size of the correction is given per viscosity.
        van_hove: times, with unit, at which to make van Hove functions; none if empty.
        rouse_modes: number of Rouse modes of chains; 0 for none.
        contact_frames: at most so many frames, equally spaced, are searched for what coordinates ions; 0 for no
            residence times and hops.
        recrossing: time, with unit, for which an ion may leave a molecule, or come off its sites, and be taken as never
            gone; 2 ps for atoms and 0 for beads if empty.
        cage_size: distance between two cages, length; counts hops of ions between cages if given.
        cage_time: time, with unit, over which the place of a cage is averaged before and after a hop.

    Raises:
        InputError: if a number is negative, or zero where it must not be.
    """

    per_axis: bool = False
    viscosity: float | None = None
    van_hove: tuple[str, ...] = ()
    rouse_modes: int = 5
    contact_frames: int = 2000
    recrossing: str = ""
    cage_size: float | None = None
    cage_time: str = ""

    def __post_init__(self) -> None:
        for name in ("viscosity", "cage_size"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name.replace('_', ' ')} must be positive, got {value:g}")
        for name in ("rouse_modes", "contact_frames"):
            if getattr(self, name) < 0:
                raise InputError(f"{name.replace('_', ' ')} must not be negative, got {getattr(self, name)}")
        if (self.cage_size is None) != (not self.cage_time):
            raise InputError("hops between cages need both --cage-size and --cage-time")
