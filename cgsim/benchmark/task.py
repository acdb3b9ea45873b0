"""A task of the benchmark: which data, what is measured of a system, and by which scores methods are judged."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cgsim.benchmark.portrait import Portrait
from cgsim.benchmark.scoring import Metric
from cgsim.benchmark.targets import Target
from cgsim.mapping import MappingSettings
from cgsim.trajectory import Trajectory
from cgsim.units import UnitSystem

Portray = Callable[[Trajectory, float, Portrait | None], Portrait]


@dataclass(frozen=True)
class Task:
    """One task; times are in the unit of the stores.

    Attributes:
        name: as on the command line and in the rows.
        title: headline of its tables.
        units: of its stores.
        train: default folders of stores that baselines learn from.
        validation: default folder of held-out stores, which choices are made on.
        systems: default folder of stores of unseen systems.
        mapping: how atoms become beads, unless models say otherwise.
        lag_time: of baselines that draw, unless models say otherwise.
        training_length: longest of the trajectories that are learned from, unless models say otherwise.
        equilibration: left out at the start of every rollout, but never more than a tenth of it.
        n_lengths: how many training lengths a rollout is long; ``quick_lengths``: in the quick mode.
        replicas: rollouts of each system and seed.
        portray: makes a portrait from a trajectory of beads, the lag time, and the reference's portrait.
        metrics: scores, given the reference portraits.
        quantities: figures that become rows of each system.
        labels: figures that regressions predict; those that begin with ``log10_`` are what a constant shift corrects.
        headline: metrics of the first table.
        targets: what is aimed at.
    """

    name: str
    title: str
    units: UnitSystem
    train: tuple[Path, ...]
    validation: Path
    systems: Path
    mapping: MappingSettings
    lag_time: float
    training_length: float
    equilibration: float
    n_lengths: float
    quick_lengths: float
    replicas: int
    portray: Portray
    metrics: Callable[[dict[str, Portrait]], list[Metric]]
    quantities: tuple[str, ...]
    labels: tuple[str, ...]
    headline: tuple[str, ...]
    targets: tuple[Target, ...]
