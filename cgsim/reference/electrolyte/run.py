"""Running one electrolyte part after part, each kept only once it is whole and sane.

A run folder holds ``settings.json``, ``inputs`` (what the engine reads, one script for each stage), ``start`` (the
packed box), ``start.h5`` (the same as a store, with all that is known of the atoms) and one folder for each finished
part: ``minimise-00000``, ``heat-00000`` ... and ``part-00000``, ``part-00001`` ... of the production. A part is
computed in a folder of its own and renamed when it is done, so whatever has its name is complete, and a killed run goes
on with the part that it was in.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol, runtime_checkable

import numpy as np

from cgsim.errors import InputError
from cgsim.reference.electrolyte.protocol import INPUTS, PRODUCE, START, Part, Stage, parts
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.electrolyte.thermo import Thermo
from cgsim.reference.electrolyte.topology import Electrolyte
from cgsim.reference.engine import Engine, run_command
from cgsim.trajectory.frames import Frame
from cgsim.trajectory.trajectory import System
from cgsim.typing import Array, Float64

LONGEST_BOND = 3.0  # Å; no bond of an electrolyte comes near
TEMPERATURE_TOLERANCE = 0.15  # of the target, for the mean of one part; tighter checks are made of the whole run
LEAST_DISK = 50e6  # bytes; with less, an engine that failed is told to have had no space


@runtime_checkable
class MdEngine(Protocol):
    """What the runner asks of an engine."""

    @property
    def engine(self) -> Engine:
        """The executable."""

    def write_inputs(
        self,
        folder: Path,
        electrolyte: Electrolyte,
        positions: Float64[Array, "atoms 3"],
        cell: Float64[Array, "3 3"],
        settings: ElectrolyteSettings,
    ) -> None:
        """Write into the run folder what the scripts of the stages need; positions and cell in Å."""

    def environment(self, threads: int) -> dict[str, str]:
        """Environment of the scripts."""

    def frames(self, part: Path, n_atoms: int) -> Iterator[Frame]:
        """Frames of a part of the production, beginning with the last of the part before."""

    def read_thermo(self, part: Path) -> Thermo:
        """Energies, temperature, pressure and volume of a part of dynamics."""

    def last_step(self, part: Path) -> str:
        """Last step that an unfinished part tells of; empty if none."""

    def reason(self, part: Path) -> str:
        """What an unfinished part gives as the reason; empty if nothing."""


@dataclass(frozen=True)
class PartDone:
    """One part of one system has been finished.

    Attributes:
        system: its name.
        part: name of the part.
        simulated: ps that the engine advanced.
        seconds: wall time it took; 0 for a part that was there already.
    """

    system: str
    part: str
    simulated: float
    seconds: float


def run_parts(
    name: str, folder: Path, system: System, settings: ElectrolyteSettings, n_segments: int, md: MdEngine, stop: Event
) -> Iterator[PartDone]:
    """Run what is not there yet, up to so many segments of the production; yield after each part, end at ``stop``.

    Raises:
        InputError: if the engine fails or a part is not sane; the message says where, and the parts before are kept.
    """
    before = START
    for part in parts(settings, n_segments):
        target = folder / part.folder
        seconds = 0.0
        if not target.is_dir():
            started = time.monotonic()
            scratch = folder / f"running-{os.getpid()}"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            command = ["sh", f"../{INPUTS}/{part.stage.name}.sh", f"../{before}", str(part.index)]
            code = run_command(command, scratch, stop, md.environment(settings.threads))
            if code is None:
                shutil.rmtree(scratch, ignore_errors=True)
                return
            if code != 0:
                raise InputError(_failure(name, scratch, part, settings, md, code))
            check_part(name, scratch, part, system, settings, md)
            if target.is_dir():  # another process was faster; both computed the same
                shutil.rmtree(scratch, ignore_errors=True)
            else:
                scratch.rename(target)
            seconds = time.monotonic() - started
        before = part.folder
        yield PartDone(name, part.folder, part.stage.time, seconds)
    for left_by_a_killed_run in folder.glob("running-*"):
        shutil.rmtree(left_by_a_killed_run, ignore_errors=True)


def check_part(
    name: str, scratch: Path, part: Part, system: System, settings: ElectrolyteSettings, md: MdEngine
) -> None:
    """Refuse a part that ended without an error but is not sane.

    Raises:
        InputError: naming the moment from which on it is not.
    """
    stage = part.stage
    if stage.is_minimisation:
        return
    thermo = md.read_thermo(scratch)
    label, kept = f"{name}: {scratch}", _kept(part, settings)
    if not thermo.is_finite:
        raise InputError(f"{label}: energies of {stage.name} are not finite; {kept}")
    target = 0.5 * sum(stage.temperature)
    found = float(thermo.temperature[len(thermo.temperature) // 2 :].mean())
    if stage.temperature[0] == stage.temperature[1] and abs(found - target) > TEMPERATURE_TOLERANCE * target:
        raise InputError(f"{label}: not sane: {found:.0f} K on average, expected {target:.0f} K; {kept}")
    if stage.name == PRODUCE:
        _check_frames(label, kept, scratch, part, system, settings, md)


def _check_frames(
    label: str, kept: str, scratch: Path, part: Part, system: System, settings: ElectrolyteSettings, md: MdEngine
) -> None:
    first, second = system.bond_index
    n_frames = 0
    for frame in md.frames(scratch, system.n_particles):
        spans = (frame.positions[second] - frame.positions[first]) @ np.linalg.inv(frame.cell)
        lengths = np.linalg.norm((spans - np.round(spans)) @ frame.cell, axis=-1)
        if lengths.size and lengths.max() > LONGEST_BOND:
            bond = int(lengths.argmax())
            moment = part.index * settings.segment + n_frames * settings.interval
            raise InputError(
                f"{label}: not sane from {moment:g} ps on: bond {first[bond] + 1}-{second[bond] + 1} "
                f"({system.names[first[bond]]}-{system.names[second[bond]]}) is {lengths[bond]:.3g} Å long, "
                f"expected less than {LONGEST_BOND:g}; {kept}"
            )
        n_frames += 1
    expected = settings.frames_per_segment + 1
    if n_frames != expected:
        raise InputError(f"{label}: {n_frames} whole frames, expected {expected} (is the disk full?); {kept}")


def _failure(name: str, scratch: Path, part: Part, settings: ElectrolyteSettings, md: MdEngine, code: int) -> str:
    if shutil.disk_usage(scratch).free < LEAST_DISK:
        return f"{scratch}: no space left on the disk; {_kept(part, settings)}"
    step = md.last_step(scratch)
    where = f"after step {step} of {part.folder}" if step else f"at the start of {part.folder}"
    reason = md.reason(scratch) or f"exit code {code}"
    return f"{name}: {scratch}: {md.engine.version} stopped {where} ({reason}); {_kept(part, settings)}"


def _kept(part: Part, settings: ElectrolyteSettings) -> str:
    """What is still there."""
    if part.stage.name == PRODUCE and part.index:
        return f"kept: the {part.index * settings.segment:g} ps before"
    done = [p.folder for p in parts(settings, 1)]
    before = done.index(part.folder) if part.folder in done else len(done)
    return f"kept: {done[before - 1]}" if before else "kept: the packed box"


def read_stage(folder: Path, stage: Stage, n_parts: int, md: MdEngine) -> Thermo:
    """Values of all parts of a stage, one after another; the first of a part is the last of the part before."""
    pieces = [md.read_thermo(folder / Part(stage, index).folder) for index in range(n_parts)]
    columns = {
        name: np.concatenate([getattr(piece, name)[k > 0 :] for k, piece in enumerate(pieces)])
        for name in ("potential", "conserved", "temperature", "pressure", "volume")
    }
    times = [piece.time[k > 0 :] + k * stage.time for k, piece in enumerate(pieces)]
    return Thermo(np.concatenate(times), **columns)
