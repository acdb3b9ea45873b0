"""Running one chain: segment after segment, each kept only once it is whole and sane.

A run folder holds the inputs and one folder per part: ``part-00000`` (equilibration), ``part-00001`` ... (segments). A
part is computed in a folder of its own and renamed when it is done, so whatever has its name is complete, a killed run
goes on with the part that it was in, and the result is the same bit for bit.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from cgsim.errors import InputError
from cgsim.reference.dcd import read_dcd
from cgsim.reference.engine import Engine, log_lines, one_thread, run_command
from cgsim.reference.forcefield import FENE_LENGTH
from cgsim.reference.lammps_input import EQUILIBRATE_FILE, KINETIC_FILE, POSITIONS_FILE, RESTART_FILE, SEGMENT_FILE
from cgsim.reference.sequences import Chain, chain_system
from cgsim.reference.settings import TIMESTEP, ChainSettings
from cgsim.typing import Array, Float32, Float64


@dataclass(frozen=True)
class PartDone:
    """One part of one chain has been finished.

    Attributes:
        chain: name of the chain.
        part: 0 for the equilibration, then the segments from 1.
        simulated: tau that the engine advanced, summed over chains.
        seconds: wall time it took; 0 for a part that was there already.
    """

    chain: str
    part: int
    simulated: float
    seconds: float


def part_folder(folder: Path, part: int) -> Path:
    """Folder of a finished part."""
    return folder / f"part-{part:05d}"


def run_chain(folder: Path, chain: Chain, settings: ChainSettings, engine: Engine, stop: Event) -> Iterator[PartDone]:
    """Run what is not there yet of the chain whose inputs are in ``folder``; yield after each part, end at ``stop``.

    Raises:
        InputError: if the engine fails or a frame is not sane; the message says where, and the parts before are kept.
    """
    for part in range(settings.n_segments + 1):
        simulated = settings.steps("segment" if part else "equilibration") * TIMESTEP
        if part_folder(folder, part).is_dir():
            yield PartDone(chain.name, part, simulated, 0.0)
            continue
        started = time.monotonic()
        scratch = folder / f"running-{os.getpid()}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        if not _call(engine, scratch, part, settings, stop):
            shutil.rmtree(scratch, ignore_errors=True)
            return
        if part:
            _check(scratch, chain, part, settings)
        scratch.rename(part_folder(folder, part))
        yield PartDone(chain.name, part, simulated, time.monotonic() - started)
    for left_by_a_killed_run in folder.glob("running-*"):
        shutil.rmtree(left_by_a_killed_run, ignore_errors=True)


def read_positions(folder: Path, chain: Chain, settings: ChainSettings) -> Float32[Array, "frames particles 3"]:
    """Positions of a finished run, each frame once."""
    parts = [
        read_dcd(part_folder(folder, part) / POSITIONS_FILE, chain.n_beads)
        for part in range(1, settings.n_segments + 1)
    ]
    return np.concatenate([parts[0][:1], *(part[1:] for part in parts)])


def read_kinetic(folder: Path, settings: ChainSettings) -> Float64[Array, " intervals"]:
    """Twice the kinetic energy per degree of freedom, averaged over each save interval; its mean is kT."""
    return np.concatenate(
        [
            np.loadtxt(part_folder(folder, part) / KINETIC_FILE, ndmin=2)[:, 1]
            for part in range(1, settings.n_segments + 1)
        ]
    )


def bond_lengths(positions: Float32[Array, "frames particles 3"], chain: Chain) -> Float32[Array, "frames bonds"]:
    """Length of each bond in each frame."""
    first, second = chain_system(chain.sequence).bond_index
    return np.asarray(np.linalg.norm(positions[:, second] - positions[:, first], axis=-1))


def _call(engine: Engine, scratch: Path, part: int, settings: ChainSettings, stop: Event) -> bool:
    """Run the engine in ``scratch``; False if it was stopped on request."""
    arguments = ["-in", f"../{EQUILIBRATE_FILE}"]
    if part:
        start = Path("..") / part_folder(Path(), part - 1) / RESTART_FILE
        arguments = ["-in", f"../{SEGMENT_FILE}", "-var", "part", str(part), "-var", "start", str(start)]
    command = [str(engine.executable), *arguments, "-suffix", "opt", "-screen", "none"]
    code = run_command(command, scratch, stop, one_thread())
    if code is None:
        return False
    if code == 0 and (scratch / RESTART_FILE).is_file():
        return True
    lines = log_lines(scratch / "log.lammps")
    reason = next((line for line in reversed(lines) if line.startswith("ERROR")), f"exit code {code}")
    steps = [line.split()[0] for line in lines if line[:1] == " " and line.split()[:1] and line.split()[0].isdigit()]
    where = f"after step {steps[-1]}" if steps else "at the start"
    raise InputError(f"{scratch}: LAMMPS stopped {where} ({reason}); {_kept(part, settings)}")


def _check(scratch: Path, chain: Chain, part: int, settings: ChainSettings) -> None:
    positions = read_dcd(scratch / POSITIONS_FILE, chain.n_beads)
    expected = settings.frames_per_segment + 1
    if len(positions) != expected:
        raise InputError(
            f"{scratch}: LAMMPS wrote {len(positions)} whole frames, expected {expected} (is the disk full?); "
            f"{_kept(part, settings)}"
        )
    lengths = bond_lengths(positions, chain)
    broken = np.argwhere(~(lengths < FENE_LENGTH))
    if len(broken):
        frame, bond = broken[0]
        moment = ((part - 1) * settings.frames_per_segment + frame) * settings.steps("save_interval") * TIMESTEP
        raise InputError(
            f"{scratch}: not sane from {moment:g} tau on: bond {bond + 1} is {lengths[frame, bond]:.3g} sigma long, "
            f"expected less than {FENE_LENGTH:g}; {_kept(part, settings)}"
        )


def _kept(part: int, settings: ChainSettings) -> str:
    return f"kept: the {max(0, part - 1) * settings.steps('segment') * TIMESTEP:g} tau before"
