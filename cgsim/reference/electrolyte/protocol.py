"""The stages of a run, the same for every engine, and the parts that they are cut into.

The route: pack loosely; remove contacts; heat; close the gaps under pressure; let chains relax hot; cool; take the mean
volume at 1 bar; settle in it; produce at constant volume.
"""

import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.reference.electrolyte.settings import ElectrolyteSettings

MINIMISE_STEPS = 1500
LARGEST_STAGE_SEED = 800_000_000  # engines take a little more
HEAT_TIMESTEP = 1.0  # fs; bonds and contacts of a packed box are strained
COMPRESS_TIMESTEP = 2.0
ATMOSPHERE = 1.0  # bar
HOT_COUPLING = 0.1  # ps; time of the thermostat while potential energy is set free
COUPLING = 0.5  # ps
BAROSTAT = 2.0  # ps
THERMO_STEPS = 100  # steps between values of energy, temperature, pressure
NOT_AVERAGED = 0.25  # part of the density stage before its mean volume

MINIMISE, HEAT, COMPRESS, RELAX = "minimise", "heat", "compress", "relax"
COOL, DENSITY, SETTLE, PRODUCE = "cool", "density", "settle", "part"
START = "start"  # folder of the packed box
INPUTS = "inputs"  # folder of what the engine reads


@dataclass(frozen=True)
class Stage:
    """One kind of dynamics, or the minimisation.

    Attributes:
        name: of its inputs, and the beginning of the names of its parts.
        temperature: K at the beginning and at the end.
        pressure: bar; None for constant volume.
        timestep: fs.
        n_steps: steps of one part.
        coupling: time of the thermostat, ps.
        frame_steps: steps between saved frames; 0 to save none.
        n_parts: number of parts.
    """

    name: str
    temperature: tuple[float, float]
    pressure: float | None
    timestep: float
    n_steps: int
    coupling: float
    frame_steps: int = 0
    n_parts: int = 1

    @property
    def time(self) -> float:
        """Simulated time of one part, ps."""
        return 0.0 if self.name == MINIMISE else self.n_steps * self.timestep * 1e-3

    @property
    def is_minimisation(self) -> bool:
        """Whether there is no dynamics."""
        return self.name == MINIMISE

    @property
    def draws_velocities(self) -> bool:
        """Whether it begins with new velocities."""
        return self.name == HEAT

    @property
    def sets_mean_volume(self) -> bool:
        """Whether the box has its mean volume once the stage is over."""
        return self.name == DENSITY


@dataclass(frozen=True)
class Part:
    """A piece of a stage, kept once it is whole.

    Attributes:
        stage: what is done.
        index: number of the part in its stage, from 0.
    """

    stage: Stage
    index: int

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return f"{self.stage.name}-{self.index:05d}"


def stages(settings: ElectrolyteSettings) -> list[Stage]:
    """All stages in their order; the last is the production."""
    protocol = settings.protocol
    hot, target = (protocol.hot_temperature,) * 2, (settings.temperature,) * 2
    frame_steps = math.ceil(settings.interval * 1e3 / protocol.timestep - 1e-9)
    step = settings.interval * 1e3 / frame_steps

    def stage(
        name: str, temperature: tuple[float, float], pressure: float | None, timestep: float, n_parts: int = 1
    ) -> Stage:
        n_steps = max(THERMO_STEPS, round(protocol.time(name) * 1e3 / timestep / n_parts / THERMO_STEPS) * THERMO_STEPS)
        return Stage(name, temperature, pressure, timestep, n_steps, HOT_COUPLING if name == HEAT else COUPLING,
                     n_parts=n_parts)  # fmt: skip

    relax_parts = max(1, math.ceil(protocol.time(RELAX) / protocol.time("segment") - 1e-9))
    return [
        Stage(MINIMISE, hot, None, 0.0, MINIMISE_STEPS, 0.0),
        stage(HEAT, hot, None, HEAT_TIMESTEP),
        stage(COMPRESS, hot, protocol.compress_pressure, COMPRESS_TIMESTEP),
        stage(RELAX, hot, ATMOSPHERE, step, relax_parts),
        stage(COOL, (hot[0], target[0]), ATMOSPHERE, step),
        stage(DENSITY, target, ATMOSPHERE, step),
        stage(SETTLE, target, None, step),
        Stage(
            PRODUCE,
            target,
            None,
            step,
            settings.frames_per_segment * frame_steps,
            COUPLING,
            frame_steps,
            settings.n_segments,
        ),
    ]


def parts(settings: ElectrolyteSettings, n_segments: int) -> list[Part]:
    """All parts in their order, the production up to its ``n_segments``-th."""
    return [
        Part(stage, index)
        for stage in stages(settings)
        for index in range(n_segments if stage.name == PRODUCE else stage.n_parts)
    ]


def segment_folder(folder: Path, index: int) -> Path:
    """Folder of a segment of the production, counted from 0."""
    return folder / f"{PRODUCE}-{index:05d}"


def seed_sequence(settings: ElectrolyteSettings) -> np.random.SeedSequence:
    """Random numbers of one system: the same for the same seed, start, repeat unit and salt."""
    text = f"{settings.smiles} {settings.salt} {settings.molality} {settings.ion_pairs}"
    return np.random.SeedSequence([settings.seed, settings.start, zlib.crc32(text.encode())])


def stage_seeds(settings: ElectrolyteSettings) -> list[int]:
    """A seed for each stage; its parts add their number."""
    (sequence,) = seed_sequence(settings).spawn(1)
    return [int(seed % LARGEST_STAGE_SEED) + 1 for seed in sequence.generate_state(len(stages(settings)))]
