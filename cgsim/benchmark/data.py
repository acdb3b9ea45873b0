"""Stores of a benchmark: which there are, what is learned from, and what long MD says of the unseen systems."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cgsim.beads import BeadStore, open_beads
from cgsim.benchmark.portrait import Portrait
from cgsim.benchmark.task import Task
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings, partition
from cgsim.models.execution import Execution
from cgsim.train.source import lag_stride
from cgsim.trajectory import Trajectory
from cgsim.units import format_time

Progress = Callable[[str, float], None]
OTHER_START = "-start2"
PORTRAIT_VERSION = 1  # a new one makes every stored portrait stale


def find_stores(folders: tuple[Path, ...], option: str) -> dict[str, Path]:
    """All stores of some folders by name.

    Raises:
        InputError: if a folder is not there or has none, or two have a store of one name.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; give one with stores by {option}")
        here = sorted(folder.glob("*.h5"))
        if not here:
            raise InputError(f"{folder}: no stores (*.h5) there; give a folder with stores by {option}")
        for path in here:
            if path.stem in found:
                raise InputError(f"{path}: {found[path.stem]} has the same name; rename one")
            found[path.stem] = path
    return found


def split_starts(systems: dict[str, Path]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Take stores ``NAME-start2`` out of a set that has ``NAME``: the same system from an independent start.

    Returns:
        The systems, and the second start of those that have one.
    """
    again = {name: name.removesuffix(OTHER_START) for name in systems if name.endswith(OTHER_START)}
    other = {base: systems[name] for name, base in again.items() if base in systems}
    return {name: path for name, path in systems.items() if again.get(name) not in other}, other


@dataclass(frozen=True)
class BenchmarkData:
    """What one run of the benchmark works on.

    Attributes:
        task: the task.
        train, validation, systems: stores by name; ``validation`` may be empty.
        mapping: how atoms become beads.
        lag_time: of the models, and of baselines that draw.
        training_length: of every trajectory that is learned from, and of the unseen systems' own short MD.
        folder: gets everything that is kept.
        execution: how the networks are run in the rollouts.
        other_starts: long MD of the unseen systems from an independent start, by the name of the system.
    """

    task: Task
    train: dict[str, Path]
    validation: dict[str, Path]
    systems: dict[str, Path]
    mapping: MappingSettings
    lag_time: float
    training_length: float
    folder: Path
    execution: Execution = field(default_factory=Execution)
    other_starts: dict[str, Path] = field(default_factory=dict)

    @property
    def all_stores(self) -> dict[str, Path]:
        """Every store by name: training, validation, the unseen systems.

        Raises:
            InputError: if two have the same name.
        """
        stores = [*self.train.items(), *self.validation.items(), *self.systems.items()]
        found: dict[str, Path] = {}
        for name, path in stores:
            if found.setdefault(name, path) is not path:
                raise InputError(f"{path}: has the name of {found[name]}; give one of them another")
        return found

    def open(self, path: Path) -> BeadStore:
        """A store as beads.

        Raises:
            InputError: if it is in other units, or holds beads of another mapping.
        """
        beads = open_beads(path, self.mapping)
        if beads.atoms.units is not self.task.units:
            raise InputError(f"{path}: is in {beads.atoms.units} units, the task {self.task.name} in {self.task.units}")
        if beads.is_mapped:
            expected = partition(beads.atoms, self.mapping).n_beads
            if expected != beads.mapping.n_beads:
                raise InputError(
                    f"{path}: holds {beads.mapping.n_beads} beads, the models' mapping makes {expected}: give a store "
                    "of atoms, or models of the same mapping"
                )
        return beads

    def read(self, path: Path) -> Trajectory:
        """A whole store as beads."""
        return self.open(path).read()

    def read_short(self, path: Path) -> Trajectory:
        """Its first frames, as long as the trajectories that are learned from."""
        beads = self.open(path)
        since = beads.store.time - beads.store.time[0]
        n_frames = int(np.searchsorted(since, self.training_length * (1 + 1e-9), side="right"))
        return beads.read(slice(0, max(2, n_frames)))

    def check(self) -> None:
        """Refuse, before any work, what cannot be compared.

        Raises:
            InputError: if a system was learned from, the lag does not fit a training trajectory, or an unseen
                system's MD is not longer than the training length.
        """
        known = {path.resolve(): role for role in ("train", "validation") for path in getattr(self, role).values()}
        for path in [*self.systems.values(), *self.other_starts.values()]:
            if path.resolve() in known:
                raise InputError(f"{path}: is among the unseen systems and in {known[path.resolve()]}")
        for path in self.train.values():
            lag_stride(self.open(path), self.lag_time)
        for path in self.validation.values():
            self.open(path)
        for path in self.systems.values():
            beads = self.open(path)
            length = float(beads.store.time[-1] - beads.store.time[0])
            if length < 1.5 * self.training_length:
                units = beads.atoms.units
                raise InputError(
                    f"{path}: is {format_time(length, units)} long; a reference has to be half as long "
                    f"again as the {format_time(self.training_length, units)} that models learn from"
                )

    def fingerprint(self, *parts: str) -> str:
        """Identifies a portrait: the task, its settings, and whatever else is named."""
        text = "|".join(
            [
                str(PORTRAIT_VERSION),
                self.task.name,
                self.mapping.model_dump_json(),
                f"{self.lag_time:.9g}",
                f"{self.training_length:.9g}",
                *parts,
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def fingerprint_of(self, stores: dict[str, Path]) -> str:
        """Identifies stores by name and content."""
        return self.fingerprint(*(f"{name}={content_hash(path)}" for name, path in stores.items()))


def content_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class PortraitShelf:
    """Portraits that are kept: a method's portraits of all systems are made once for each fingerprint.

    Attributes:
        folder: where.
    """

    folder: Path

    def get(self, method: str, seed: int, fingerprint: str, systems: list[str]) -> dict[str, Portrait] | None:
        """Portraits of all systems; None if they are not there or belong to something else."""
        folder = self._folder(method, seed)
        stamp = folder / "fingerprint"
        if not stamp.exists() or stamp.read_text() != fingerprint:
            return None
        files = {name: folder / f"{name}.npz" for name in systems}
        if not all(file.exists() for file in files.values()):
            return None
        return {name: Portrait.load(file) for name, file in files.items()}

    def put(self, method: str, seed: int, fingerprint: str, portraits: dict[str, Portrait]) -> None:
        """Keep portraits; the fingerprint is written last."""
        folder = self._folder(method, seed)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "fingerprint").unlink(missing_ok=True)
        for name, portrait in portraits.items():
            portrait.save(folder / f"{name}.npz")
        (folder / "fingerprint").write_text(fingerprint)

    def _folder(self, method: str, seed: int) -> Path:
        return self.folder / method / f"seed-{seed}"
