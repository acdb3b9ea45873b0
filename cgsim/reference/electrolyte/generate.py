"""A set of electrolytes: run them, several at a time, and write a store and a file of reference values for each."""

import heapq
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Event
from typing import Any

from cgsim import __version__
from cgsim.errors import InputError
from cgsim.reference.electrolyte.measure import checks, reference_values, torsion_profiles
from cgsim.reference.electrolyte.prepare import check_start, prepare
from cgsim.reference.electrolyte.protocol import parts
from cgsim.reference.electrolyte.run import MdEngine, PartDone, run_parts
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.electrolyte.store import write_production
from cgsim.reference.engine import POLL_SECONDS
from cgsim.reference.folders import made_folders, refuse_difference
from cgsim.reference.pool import Emit, run_side_by_side
from cgsim.trajectory.store import TrajectoryStore
from cgsim.trajectory.trajectory import System

REFERENCE = "reference.json"


@dataclass(frozen=True)
class SystemDone:
    """A system has reached a goal, and its store is written.

    Attributes:
        system: its name.
        document: checks and reference values, as in the JSON file beside the store.
    """

    system: str
    document: dict[str, Any]


@dataclass(frozen=True, order=True)
class _Job:
    """A system and the number of segments it shall have next; the order is that of the work."""

    round: int
    cost: float
    name: str
    n_segments: int


class _Queue:
    """The next job is that of the lowest round, and of these the one with the least work left.

    So the cheapest unfinished work comes first, and every system gets to the first goal before any goes on to the next.
    """

    def __init__(self, systems: dict[str, ElectrolyteSettings], work: Path) -> None:
        self._systems = systems
        self._work = work
        self._jobs: list[_Job] = []
        self._n_running = 0
        self._change = Condition()
        for name in systems:
            self._put(name, 0)

    def _put(self, name: str, number: int) -> None:
        goals = self._systems[name].goals()
        if number < len(goals):
            heapq.heappush(self._jobs, _Job(number, self._cost(name, goals[number]), name, goals[number]))

    def _cost(self, name: str, n_segments: int) -> float:
        """Work that is left, in g/mol ps."""
        settings = self._systems[name]
        left = [p for p in parts(settings, n_segments) if not (self._work / name / p.folder).is_dir()]
        return sum(p.stage.time for p in left) * settings.n_chains * settings.chain_mass

    def take(self, stop: Event) -> _Job | None:
        """The next job, waiting for it if one that is running may be followed by another; None if there is none."""
        with self._change:
            while not stop.is_set():
                if self._jobs:
                    self._n_running += 1
                    return heapq.heappop(self._jobs)
                if not self._n_running:
                    return None
                self._change.wait(timeout=POLL_SECONDS)
        return None

    def leave(self, job: _Job, *, is_done: bool) -> None:
        """Say that a job is over; if it is done, the next goal of the same system is put into the queue."""
        with self._change:
            self._n_running -= 1
            if is_done:
                self._put(job.name, job.round + 1)
            self._change.notify_all()


def generate_electrolytes(
    systems: dict[str, ElectrolyteSettings], output: Path, work: Path, engines: dict[str, MdEngine], processes: int
) -> Iterator[PartDone | SystemDone]:
    """Run all systems, ``processes`` at a time; yield each finished part, and each system whose store is written.

    Args:
        systems: by name.
        output: folder of the stores, ``NAME.h5`` and ``NAME.json`` each.
        work: folder of the runs; what is there already is used, so that a killed run goes on where it was.
        engines: engine of each system.
        processes: engines running at a time.

    Raises:
        InputError: before any work, if something cannot be built, or a run or a store was begun with other settings;
            if a run failed, once the other systems are finished.
    """
    with made_folders(output, work):
        for name, settings in systems.items():
            _check_store(output / f"{name}.h5", settings, engines[name])
        begun = {name: check_start(work / name, settings, engines[name]) for name, settings in systems.items()}
        yield from _generate(begun, output, work, engines, processes)


def _generate(
    systems: dict[str, ElectrolyteSettings], output: Path, work: Path, engines: dict[str, MdEngine], processes: int
) -> Iterator[PartDone | SystemDone]:
    queue = _Queue(systems, work)

    def work_off(emit: Emit[PartDone | SystemDone], stop: Event) -> None:
        while (job := queue.take(stop)) is not None:
            is_done = False
            settings, md = systems[job.name], engines[job.name]
            folder = work / job.name
            try:
                system, documents = prepare(folder, settings, md)
                for done in run_parts(job.name, folder, system, settings, job.n_segments, md, stop):
                    emit(done)
                if not stop.is_set():
                    emit(_finish(job, folder, output, system, documents, settings, md))
                    is_done = True
            except BaseException as error:  # of this system; the others are finished first
                emit(error)
            queue.leave(job, is_done=is_done)

    reports: Iterator[PartDone | SystemDone] = run_side_by_side([work_off] * processes, processes)
    yield from reports


def _check_store(path: Path, settings: ElectrolyteSettings, md: MdEngine) -> None:
    """Refuse to take a store for that of a system which it does not hold."""
    if not path.is_file():
        return
    way_out = "choose another --output folder"
    found = _made_with(path)
    if found is None:
        raise InputError(f"{path}: was not made by 'cgsim generate electrolyte'; {way_out}")
    before, engine = found
    refuse_difference(
        path,
        {**before.identity(), "engine": engine.split()[0]},
        {**settings.identity(), "engine": md.engine.version.split()[0]},
        way_out,
    )


def _made_with(path: Path) -> tuple[ElectrolyteSettings, str] | None:
    """Settings and engine of a store; None if it does not tell."""
    provenance = TrajectoryStore(path).documents.get("provenance", {})
    try:
        return ElectrolyteSettings.model_validate(provenance["settings"]), str(provenance["engine"])
    except (KeyError, TypeError, ValueError):
        return None


def _finish(
    job: _Job,
    folder: Path,
    output: Path,
    system: System,
    documents: dict[str, Any],
    settings: ElectrolyteSettings,
    md: MdEngine,
) -> SystemDone:
    """Write the store of a system that has reached a goal, and what it says; nothing if both are there already."""
    target, record = output / f"{job.name}.h5", output / f"{job.name}.json"
    n_frames = 1 + (job.n_segments * settings.frames_per_segment) // settings.store.every
    if target.is_file() and record.is_file() and TrajectoryStore(target).n_frames >= n_frames:
        made_with = _made_with(target)
        if made_with and made_with[0].store == settings.store:
            return SystemDone(job.name, json.loads(record.read_text()))
    output.mkdir(parents=True, exist_ok=True)  # another job that shares it may have removed it while it was empty
    write_production(target, folder, system, settings, job.n_segments, md, documents)
    values, decay = reference_values(target)
    torsions = _known_torsions(record) or torsion_profiles(settings.smiles)
    document = {
        "name": job.name,
        "length_ns": round(job.n_segments * settings.segment * 1e-3, 6),
        "atoms": system.n_particles,
        "composition": documents["electrolyte"]["composition"],
        "warnings": documents["electrolyte"]["warnings"],
        "checks": checks(folder, system, settings, job.n_segments, md),
        "values": values,
        "end_to_end_decay": decay,
        "torsions": torsions,
        "provenance": documents["provenance"],
    }
    write_json(record, document)
    return SystemDone(job.name, document)


def _known_torsions(record: Path) -> dict[str, Any]:
    """Profiles that were made for an earlier goal."""
    return dict(json.loads(record.read_text()).get("torsions", {})) if record.is_file() else {}


def write_reference(output: Path, names: list[str]) -> Path:
    """Collect the reference values of a set, of those systems that have some, in one file."""
    found = {}
    for name in sorted(names):
        record = output / f"{name}.json"
        if record.is_file():
            found[name] = json.loads(record.read_text())
    path = output / REFERENCE
    write_json(path, {"units": "molecular", "cgsim": __version__, "systems": found})
    return path


def write_json(path: Path, document: Any) -> None:
    """Write JSON, all or nothing."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    partial.replace(path)
