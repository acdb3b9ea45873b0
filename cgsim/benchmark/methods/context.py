"""What every method may use, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cgsim.benchmark.baselines.regression import Labelled
from cgsim.benchmark.data import BenchmarkData, PortraitShelf, Progress
from cgsim.benchmark.models import Say, SeedModel
from cgsim.benchmark.portrait import Portrait
from cgsim.trajectory import System, Trajectory

Read = Callable[[Path], Trajectory]


@dataclass(frozen=True)
class Benchmark:
    """Everything a method may use.

    Attributes:
        data: stores and settings.
        references: portraits of the long MD of the unseen systems.
        models: trained models by name, one for each seed.
        time: length of the rollouts.
        n_seeds: seeds of baselines that have some.
        device: for training and simulation.
        shelf: keeps portraits.
        say: called with a line for each stage.
        progress: called while something runs.
    """

    data: BenchmarkData
    references: dict[str, Portrait]
    models: dict[str, list[SeedModel]]
    time: float
    n_seeds: int
    device: torch.device
    shelf: PortraitShelf
    say: Say
    progress: Progress

    def kept(self, method: str, seed: int, stamp: str, make: Callable[[], dict[str, Portrait]]) -> dict[str, Portrait]:
        """Portraits of the unseen systems from the shelf, or made now and put there."""
        stamp = self.data.fingerprint(stamp, self.data.fingerprint_of(self.data.systems))
        found = self.shelf.get(method, seed, stamp, list(self.data.systems))
        if found is None:
            found = make()
            whole = {name: found.get(name, Portrait()) for name in self.data.systems}
            self.shelf.put(method, seed, stamp, whole)
        return {name: portrait for name, portrait in found.items() if portrait.values}

    def measured(self, kind: str, stores: dict[str, Path], read: Read) -> dict[str, Portrait]:
        """Portraits of MD by its own measure, kept on the shelf."""
        return md_portraits(self.data, self.shelf, self.progress, kind, stores, read)


@dataclass(frozen=True)
class Predicted:
    """What a method says.

    Attributes:
        method: its name in the rows.
        portraits: of the unseen systems, for each seed.
        n_seeds: training seeds; 0 without any.
        references: what it is compared with, if not the whole of the long MD.
    """

    method: str
    portraits: list[dict[str, Portrait]]
    n_seeds: int
    references: dict[str, Portrait] | None = None


def reference_portraits(data: BenchmarkData, shelf: PortraitShelf, progress: Progress) -> dict[str, Portrait]:
    """Portraits of the long MD of the unseen systems."""
    return md_portraits(data, shelf, progress, "md-whole", data.systems, data.read)


def md_portraits(
    data: BenchmarkData,
    shelf: PortraitShelf,
    progress: Progress,
    kind: str,
    stores: dict[str, Path],
    read: Read,
) -> dict[str, Portrait]:
    """Portraits of MD by its own measure, kept on the shelf."""
    if not stores:
        return {}
    stamp = data.fingerprint_of(stores)
    found = shelf.get(kind, 0, stamp, list(stores))
    if found is not None:
        return found
    out = {}
    for k, (name, path) in enumerate(stores.items()):
        progress(f"measuring MD of {name}", k / len(stores))
        out[name] = data.task.portray(read(path), data.lag_time, None)
    shelf.put(kind, 0, stamp, out)
    return out


def known_stores(data: BenchmarkData) -> dict[str, Path]:
    """Training and validation systems under names that no two share."""
    train = {f"train-{name}": path for name, path in data.train.items()}
    return train | {f"validation-{name}": path for name, path in data.validation.items()}


def short_portraits(benchmark: Benchmark) -> dict[str, Portrait]:
    """Portraits of as much of the MD of all training and validation systems as models learn from."""
    return benchmark.measured("known-short", known_stores(benchmark.data), benchmark.data.read_short)


def labelled(benchmark: Benchmark) -> tuple[Labelled, Labelled]:
    """Training systems with what their short MD says, validation systems with what all of their MD says."""
    data = benchmark.data
    train = {f"train-{name}": path for name, path in data.train.items()}
    validation = {f"validation-{name}": path for name, path in data.validation.items()}
    short = short_portraits(benchmark)
    return (
        Labelled(atoms_of(data, train), {name: short[name] for name in train}),
        Labelled(atoms_of(data, validation), benchmark.measured("validation-whole", validation, data.read)),
    )


def atoms_of(data: BenchmarkData, stores: dict[str, Path]) -> dict[str, System]:
    """Atoms of stores, by name."""
    return {name: data.open(path).atoms for name, path in stores.items()}
