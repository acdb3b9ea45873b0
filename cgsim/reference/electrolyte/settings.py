"""What `cgsim generate electrolyte` shall make: settings of one system."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cgsim.reference.segments import SegmentedRun
from cgsim.reference.settings import LARGEST_DECIMALS, LARGEST_SEED
from cgsim.units import UnitSystem, parse_time

EngineName = Literal["auto", "gromacs", "lammps", "openmm"]
_RUN_ONLY = ("length", "round", "threads", "store", "engine")  # may change between calls that share a run folder


def _picoseconds(text: str) -> float:
    return parse_time(text, UnitSystem.MOLECULAR, allow_zero=True)


class ProtocolSettings(BaseModel):
    """From the packed box to the first frame of production, and how the equations of motion are integrated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packing_density: float = Field(0.55, gt=0, description="density of the box that is packed, g/cm3")
    hot_temperature: float = Field(600.0, gt=0, description="temperature at which chains relax, K")
    compress_pressure: float = Field(1000.0, gt=0, description="pressure that closes the gaps of the packed box, bar")
    heat: str = Field("10 ps", description="constant volume at the hot temperature, timestep 1 fs")
    compress: str = Field("60 ps", description="at the hot temperature and the high pressure, timestep 2 fs")
    relax: str = Field("1 ns", description="at the hot temperature and 1 bar: chains lose their first conformation")
    cool: str = Field("30 ps", description="from the hot temperature to that of the production, 1 bar")
    density: str = Field(
        "120 ps", description="at 1 bar; the mean volume after the first quarter is that of the production"
    )
    settle: str = Field("20 ps", description="constant volume, not saved")
    segment: str = Field(
        "100 ps", description="longest time after which a killed run can go on; shortened to a part of the production"
    )
    timestep: float = Field(
        3.0, gt=0, le=4.0, description="largest timestep, fs; shortened so that frames are whole steps apart"
    )
    cutoff: float = Field(9.5, gt=0, description="of Lennard-Jones and of the direct part of Coulomb sums, Å")
    hydrogen_mass: float = Field(
        3.024, ge=1.008, le=4.0, description="mass of hydrogens in the run, g/mol, taken from what they are bonded to"
    )

    @field_validator("heat", "compress", "relax", "cool", "density", "settle", "segment")
    @classmethod
    def _time_can_be_read(cls, value: str) -> str:
        _picoseconds(value)
        return value

    def time(self, name: str) -> float:
        """Length of the stage ``name``, ps."""
        return _picoseconds(getattr(self, name))


class KeptFrames(BaseModel):
    """How much of a trajectory goes into its store; everything that was saved stays in the run folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(1, ge=1, description="keep each so-many-th saved frame")
    decimals: int = Field(2, ge=1, le=LARGEST_DECIMALS, description="decimals of the positions that are kept, Å")


class ElectrolyteSettings(SegmentedRun):
    """Settings of one polymer electrolyte, all-atom.

    Times are texts with their unit (``"2 ps"``, ``"1 ns"``).
    """

    smiles: str = Field(description="repeat unit with its two ends marked by *, for example '*COC*'")
    salt: str = Field("LiTFSI", description="name of the salt")
    molality: float | None = Field(
        1.5, gt=0, description="mol of salt in a kg of polymer; rounded to whole ion pairs; null if `ion_pairs` says it"
    )
    ion_pairs: int | None = Field(None, ge=1, description="number of cations and of anions, instead of `molality`")
    n_chains: int = Field(8, ge=1, description="chains in the box")
    chain_mass: float = Field(1000.0, gt=0, description="mass of a chain, g/mol; rounded to whole repeat units")
    charge_scale: float = Field(0.75, gt=0, le=1, description="factor of the ions' charges")
    temperature: float = Field(450.0, gt=0, description="K")
    length: str = Field("1 ns", description="time of the trajectory")
    save_interval: str = Field("2 ps", description="time between frames")
    seed: int = Field(1, ge=1, le=LARGEST_SEED, description="seed of conformers, packing, velocities and thermostats")
    start: int = Field(1, ge=1, description="number of the packing; another number is an independent start")
    engine: EngineName = Field(
        "auto", description="auto takes gromacs if it is found, else openmm on a CUDA device, else lammps"
    )
    threads: int = Field(1, ge=1, description="threads of one engine")
    round: str = Field("1 ns", description="time by which a system goes on before another of the set has its turn")
    protocol: ProtocolSettings = ProtocolSettings()
    store: KeptFrames = KeptFrames()

    @field_validator("length", "save_interval", "round")
    @classmethod
    def _time_is_positive(cls, value: str) -> str:
        parse_time(value, UnitSystem.MOLECULAR)
        return value

    @model_validator(mode="after")
    def _settings_fit(self) -> "ElectrolyteSettings":
        if (self.molality is None) == (self.ion_pairs is None):
            raise ValueError("give either molality or ion_pairs, and null for the other")
        ratio = _picoseconds(self.length) / self.interval
        if abs(ratio - round(ratio)) > 1e-6 * ratio or ratio < 0.5:
            raise ValueError(
                f"length must be a multiple of save_interval, got {self.length!r} and {self.save_interval!r}"
            )
        return self

    def _intervals(self) -> tuple[int, int]:
        whole, most = _picoseconds(self.length) / self.interval, self.protocol.time("segment") / self.interval
        return round(whole), int(most + 1e-6)

    @property
    def interval(self) -> float:
        """Time between frames, ps."""
        return _picoseconds(self.save_interval)

    @property
    def segment(self) -> float:
        """Time of a segment of the production as it is run, ps."""
        return self.frames_per_segment * self.interval

    def goals(self) -> list[int]:
        """Numbers of segments after which the system gets its store and the next one its turn."""
        step = max(1, round(_picoseconds(self.round) / self.segment))
        return [*range(step, self.n_segments, step), self.n_segments]

    def identity(self) -> dict[str, Any]:
        """What must not change in the course of a run."""
        return self.model_dump(mode="json", exclude=set(_RUN_ONLY))
