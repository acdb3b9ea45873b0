"""What `cgsim generate chains` shall make: settings that check themselves, and the chains they describe."""

import re
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cgsim.errors import InputError, nearest
from cgsim.reference.forcefield import FORCE_FIELDS
from cgsim.reference.segments import SegmentedRun
from cgsim.reference.sequences import (
    UNITS,
    Chain,
    draw_counts,
    draw_motif,
    fill,
    order_alternating,
    order_blocky,
    order_multiblock,
    order_random,
)
from cgsim.units import UnitSystem, parse_time

TIMESTEP = 0.01  # tau
LARGEST_SEED = 2**31 - 1

LARGEST_DECIMALS = 6
SHORTEST_CHAIN = 2  # beads

_RUN_ONLY = ("chains", "skip", "sequences", "length", "segment", "store")  # of the set, or how far and what is kept

ChainClass = Literal["repeated", "random", "family"]
FAMILY_ORDERS: dict[str, Callable[..., str]] = {
    "blocky": order_blocky,
    "multiblock": order_multiblock,
    "alternating": lambda counts, _: order_alternating(counts),
    "shuffled": order_random,
}
"""Orders of one composition; a family is one chain of each."""


class StoreSettings(BaseModel):
    """How much of a trajectory goes into its store; everything that was saved stays in the run folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(1, ge=1, description="keep each so-many-th saved frame")
    decimals: int = Field(3, ge=1, le=LARGEST_DECIMALS, description="decimals of the positions that are kept, sigma")


def _steps(time: str) -> int:
    steps = parse_time(time, UnitSystem.LJ) / TIMESTEP
    if abs(steps - round(steps)) > 1e-6 * steps:
        raise ValueError(f"{time!r} is not a multiple of the timestep, {TIMESTEP} tau")
    return round(steps)


class ChainSettings(SegmentedRun):
    """Settings of a set of bead-spring chains, in reduced Lennard-Jones units.

    Times are texts with their unit (``"4000 tau"``).
    """

    chains: dict[ChainClass, int] = Field(
        {"repeated": 4},
        description="how many chains of each class: repeated (class I: ten units repeated), random (class II), "
        f"family (equal composition, one chain of each order: {', '.join(FAMILY_ORDERS)})",
    )
    skip: dict[ChainClass, int] = Field(
        {}, description="how many chains of each class to pass over, so that two sets of one seed share none"
    )
    sequences: dict[str, str] = Field(
        {},
        description=f"chains of your own, name and units along the backbone, letters of {UNITS}; with them, chains of "
        "other classes are made only if they are asked for",
    )
    n_beads: int = Field(100, ge=SHORTEST_CHAIN, le=10_000, description="beads of each chain, side beads included")
    force_field: str = Field("sticky", description=f"one of {', '.join(FORCE_FIELDS)}")
    temperature: float = Field(1.0, gt=0, description="kT, epsilon")
    friction: float = Field(1.0, gt=0, description="friction of the Langevin thermostat, 1/tau")
    equilibration: str = Field("1000 tau", description="time before the first frame, not saved")
    length: str = Field("4000 tau", description="time of each trajectory")
    save_interval: str = Field("25 tau", description="time between frames")
    segment: str = Field(
        "10000 tau", description="longest time after which a killed run can go on; shortened to a part of the whole"
    )
    seed: int = Field(1, ge=1, le=LARGEST_SEED, description="seed of sequences, starts and thermostats")

    store: StoreSettings = StoreSettings()

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_asked_for(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"chains": {}, **given} if given.get("sequences") else given

    @field_validator("sequences")
    @classmethod
    def _sequences_are_chains(cls, value: dict[str, str]) -> dict[str, str]:
        for name, sequence in value.items():
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
                raise ValueError(f"name of a chain is {name!r}, expected letters, digits, '.', '_' and '-'")
            try:
                n_beads = Chain(name, "own", sequence).n_beads
            except InputError as error:
                raise ValueError(str(error)) from None
            if n_beads < SHORTEST_CHAIN:
                raise ValueError(f"sequence of {name} has {n_beads} bead, expected at least {SHORTEST_CHAIN}")
        return value

    @field_validator("equilibration", "length", "save_interval", "segment")
    @classmethod
    def _time_can_be_read(cls, value: str) -> str:
        _steps(value)
        return value

    @field_validator("force_field")
    @classmethod
    def _force_field_is_known(cls, value: str) -> str:
        if value not in FORCE_FIELDS:
            raise ValueError(f"unknown force field {value!r}{nearest(value, list(FORCE_FIELDS))}")
        return value

    @field_validator("chains", "skip")
    @classmethod
    def _numbers_are_possible(cls, value: dict[ChainClass, int]) -> dict[ChainClass, int]:
        for name, number in value.items():
            if number < 0:
                raise ValueError(f"number of {name} chains must not be negative, got {number}")
            if name == "family" and number % len(FAMILY_ORDERS):
                raise ValueError(f"number of family chains must be a multiple of {len(FAMILY_ORDERS)}, got {number}")
        return value

    @model_validator(mode="after")
    def _times_fit(self) -> "ChainSettings":
        if not self.n_chains:
            raise ValueError("chains must name at least one chain")
        if self.steps("length") % self.steps("save_interval"):
            raise ValueError(
                f"length must be a multiple of save_interval, got {self.length!r} and {self.save_interval!r}"
            )
        return self

    def _intervals(self) -> tuple[int, int]:
        interval = _steps(self.save_interval)
        return _steps(self.length) // interval, _steps(self.segment) // interval

    def steps(self, name: str) -> int:
        """Number of timesteps in the setting ``name``, or in a segment as it is run."""
        if name == "segment":
            return self.frames_per_segment * _steps(self.save_interval)
        return _steps(getattr(self, name))

    def identity(self) -> dict[str, Any]:
        """What must not change in the course of a run."""
        return self.model_dump(mode="json", exclude=set(_RUN_ONLY))

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return sum(self.chains.values()) + len(self.sequences)

    @property
    def n_frames(self) -> int:
        """Number of frames of a trajectory, the start among them."""
        return self.n_segments * self.frames_per_segment + 1


def draw_chains(settings: ChainSettings) -> list[Chain]:
    """Draw the sequences; asking for more chains of a class leaves the first ones as they were.

    Raises:
        InputError: if a chain of one's own has the name of another.
    """
    chains: list[Chain] = []
    for stream, (kind, draw) in enumerate(_DRAW.items()):
        skipped = settings.skip.get(kind, 0)
        generator = np.random.default_rng([settings.seed, stream])
        drawn = draw(skipped + settings.chains.get(kind, 0), settings.n_beads, generator)
        chains += [Chain(name, kind, sequence) for name, sequence in drawn[skipped:]]
    for name, sequence in settings.sequences.items():
        if name in {chain.name for chain in chains}:
            raise InputError(f"two chains would be called {name}; give your own another name")
        chains.append(Chain(name, "own", sequence))
    return chains


Drawn: TypeAlias = list[tuple[str, str]]


def _draw_repeated(number: int, n_beads: int, generator: np.random.Generator) -> Drawn:
    motifs: dict[str, str] = {}  # keyed by the least rotation: motifs that are rotations give almost the same chain
    while len(motifs) < number:
        motif = draw_motif(generator)
        motifs.setdefault(min(motif[k:] + motif[:k] for k in range(len(motif))), motif)
    return [(f"repeated-{i:03d}", fill(motif, n_beads)) for i, motif in enumerate(motifs.values())]


def _draw_random(number: int, n_beads: int, generator: np.random.Generator) -> Drawn:
    return [(f"random-{i:03d}", order_random(draw_counts(n_beads, generator), generator)) for i in range(number)]


def _draw_families(number: int, n_beads: int, generator: np.random.Generator) -> Drawn:
    sequences: Drawn = []
    for i in range(number // len(FAMILY_ORDERS)):
        counts = draw_counts(n_beads, generator)
        sequences += [(f"family-{i:02d}-{name}", order(counts, generator)) for name, order in FAMILY_ORDERS.items()]
    return sequences


_DRAW: dict[ChainClass, Callable[[int, int, np.random.Generator], Drawn]] = {
    "repeated": _draw_repeated,
    "random": _draw_random,
    "family": _draw_families,
}
