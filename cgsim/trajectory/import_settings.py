"""What a user says about an import that the files do not."""

from dataclasses import dataclass

from cgsim.errors import InputError

IMAGE_SOURCES = ("auto", "bonds", "unwrapped")


@dataclass(frozen=True)
class ImportSettings:
    """What the files themselves do not say.

    Attributes:
        units: LAMMPS ``units`` style; needed for LAMMPS files unless the dump states it.
        timestep: MD step in the LAMMPS unit of time; times are then timesteps of the dump times this.
        save_interval: time between frames with its unit (``"2 ps"``), where the file has no times.
        atom_style: style of the LAMMPS data file, where it does not say.
        elements: ``"C,H,O"``, one for each type in order, or ``"none"`` for particles that are no atoms.
        allow_no_bonds: accept a topology without bonds that is not made of single ions.
        images: ``"auto"`` takes images from the file if it has them and makes them from the bonds otherwise;
            ``"bonds"`` makes them in any case; ``"unwrapped"`` says that positions are unwrapped already.
        start: first frame to keep.
        stop: frame to stop before; None for the end.
        stride: keep every so-many-th frame.
        decimals: decimals of a position to keep; None for all.
        velocities: keep the velocities of the files, which all frames then must have.

    Raises:
        InputError: if a number is out of range.
    """

    units: str | None = None
    timestep: float | None = None
    save_interval: str | None = None
    atom_style: str | None = None
    elements: str | None = None
    allow_no_bonds: bool = False
    images: str = "auto"
    start: int = 0
    stop: int | None = None
    stride: int = 1
    decimals: int | None = None
    velocities: bool = False

    def __post_init__(self) -> None:
        if self.timestep is not None and not self.timestep > 0:
            raise InputError(f"--timestep must be positive, got {self.timestep:g}")
        if self.start < 0:
            raise InputError(f"--start must not be negative, got {self.start}")
        if self.stop is not None and self.stop <= self.start:
            raise InputError(f"--stop must lie after --start ({self.start}), got {self.stop}")
        if self.stride < 1:
            raise InputError(f"--stride must be at least 1, got {self.stride}")
        if self.decimals is not None and not 0 <= self.decimals <= 6:
            raise InputError(f"--decimals must be 0 to 6, got {self.decimals}")
        if self.images not in IMAGE_SOURCES:
            raise InputError(f"--images must be one of {', '.join(IMAGE_SOURCES)}, got {self.images!r}")
        if self.timestep is not None and self.save_interval is not None:
            raise InputError("--timestep and --save-interval both set the time; give one of them")
