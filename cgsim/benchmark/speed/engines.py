"""Classical molecular dynamics on the same machine in the same minutes, where an engine is installed."""

import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from threading import Event

import torch

from cgsim.benchmark.rows import Row
from cgsim.benchmark.speed.record import speed_row
from cgsim.benchmark.speed.steps import Stepper
from cgsim.benchmark.speed.systems import TOPOLOGY, Setting, copies_of
from cgsim.benchmark.speed.timing import Timing, has_own_clock, timed
from cgsim.errors import InputError
from cgsim.models.execution import Execution
from cgsim.reference.engine import find_lammps
from cgsim.reference.lammps_input import write_inputs
from cgsim.reference.run import run_chain
from cgsim.reference.settings import ChainSettings, draw_chains

GROMACS_STEPS = 1500
LAMMPS_TIME = 2000.0  # tau
OUR_STEPS = 10


def measure_gromacs(settings: dict[str, Setting], rounds: int, execution: Execution, way: str) -> list[Row]:
    """The shipped electrolyte with GROMACS and with models of ours, in turn: simulated time per wall time.

    Args:
        settings: models by name, and the system.
        rounds: of all in turn.
        execution: how our networks are run.
        way: what that is called.
    """
    gromacs = shutil.which("gmx")
    if gromacs is None:
        return []
    steppers = {name: Stepper(one, *copies_of(one, 1), execution) for name, one in settings.items()}
    for stepper in steppers.values():
        stepper()
    theirs: list[float] = []
    ours: dict[str, list[float]] = {name: [] for name in settings}
    for _ in range(rounds):
        for name, one in settings.items():
            ours[name].append(one.model.settings.lag_time / timed(steppers[name], OUR_STEPS, one.device))
        theirs.append(_gromacs(Path(gromacs), one.device))
    per_day = 86400.0 * 1e-3  # from ps/s to ns/day
    system = f"shipped electrolyte, {next(iter(settings.values())).inputs.n_beads} beads"
    rows = [speed_row(system, "GROMACS", "ns/day", Timing.of(theirs).times(per_day))]
    for name, speeds in ours.items():
        ratios = [a / b for a, b in zip(speeds, theirs, strict=True)]
        rows.append(speed_row(system, f"{way}, {name}", "ns/day", Timing.of(speeds).times(per_day)))
        rows.append(speed_row(system, f"{way}, {name}", "simulated time per wall time / GROMACS", Timing.of(ratios)))
    return rows


def _gromacs(executable: Path, device: torch.device) -> float:
    """Simulated ps per second, without the start of the program."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for n_steps in (1, GROMACS_STEPS):  # the start costs the same in both
            command = [str(executable), "mdrun", "-s", str(TOPOLOGY.resolve()), "-nsteps", str(n_steps)]
            command += ["-ntmpi", "1", "-ntomp", str(torch.get_num_threads()), "-pin", "off", "-deffnm", "speed"]
            begun = _child_seconds(device)
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            seconds.append(_child_seconds(device) - begun)
            if run.returncode:
                last = (run.stderr.strip().splitlines() or ["no message"])[-1]
                raise InputError(f"{executable}: failed on {TOPOLOGY}: {last}")
        found = re.search(r"^\s*dt\s*=\s*(\S+)", (Path(folder) / "speed.log").read_text(), flags=re.MULTILINE)
        timestep = float(found.group(1)) if found else float("nan")
        return (GROMACS_STEPS - 1) * timestep / (seconds[1] - seconds[0])


def _child_seconds(device: torch.device) -> float:
    """The same clock for programs that were started from here."""
    if not has_own_clock(device):
        return time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_lammps(setting: Setting, rounds: int, n_chains: int, execution: Execution, way: str) -> list[Row]:
    """One chain of 100 beads with LAMMPS on one core, and many with our model, in turn."""
    try:
        engine = find_lammps()
    except InputError:
        return []
    stepper = Stepper(setting, *copies_of(setting, n_chains), execution)
    stepper()
    lag = setting.model.settings.lag_time
    settings = ChainSettings(
        chains={"random": 1},
        equilibration="100 tau",
        length=f"{LAMMPS_TIME:g} tau",
        save_interval="100 tau",
        segment=f"{LAMMPS_TIME:g} tau",
    )
    (chain,) = draw_chains(settings)
    theirs, ours = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_inputs(folder, chain, settings)
            parts = run_chain(folder, chain, settings, engine, Event())
            next(parts)  # the equilibration
            begun = _child_seconds(setting.device)
            theirs.append(next(parts).simulated / (_child_seconds(setting.device) - begun))
        ours.append(n_chains * lag / timed(stepper, 1, setting.device))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    system = "chains of 100 beads"
    method = f"{way}, {n_chains} side by side"
    return [
        speed_row(system, "LAMMPS, one core", "tau/s", Timing.of(theirs)),
        speed_row(system, method, "tau/s, summed over chains", Timing.of(ours)),
        speed_row(system, method, "simulated time per wall time / LAMMPS", Timing.of(ratios)),
    ]
