"""OpenMM as an engine of electrolytes, one script for each stage, and reading what a part has left."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.reference.electrolyte.openmm_system import openmm_system
from cgsim.reference.electrolyte.protocol import (
    INPUTS,
    NOT_AVERAGED,
    PRODUCE,
    SETTLE,
    START,
    THERMO_STEPS,
    stage_seeds,
    stages,
)
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.electrolyte.thermo import Thermo
from cgsim.reference.electrolyte.topology import Electrolyte
from cgsim.reference.engine import LONGEST_REASON, Engine, log_lines, one_thread
from cgsim.trajectory.frames import Frame
from cgsim.typing import Array, Float64

OPENMM_HINT = "install it with: pip install 'openmm[cuda12]'"
PROGRAM = "openmm_stage.py"
LOG_FILE = "openmm.log"
_PROBE = """
import os, openmm
openmm.Platform.getPlatformByName(os.environ.get("OPENMM_DEFAULT_PLATFORM", "CUDA"))
print(openmm.version.version)
"""


def find_openmm() -> Engine:
    """Find OpenMM beside this Python, with a CUDA device (or the platform that OPENMM_DEFAULT_PLATFORM names).

    Raises:
        InputError: if there is none; the message says how to install it.
    """
    if importlib.util.find_spec("openmm") is None:
        raise InputError(f"OpenMM is not installed; {OPENMM_HINT}")
    done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False, env=one_thread())
    if done.returncode != 0:
        raise InputError(
            "OpenMM finds no CUDA device, and is slow without one; take gromacs or lammps, or "
            f"{OPENMM_HINT} where there is one"
        )
    engine = Engine("openmm", Path(sys.executable))
    engine.__dict__["version"] = f"OpenMM {done.stdout.strip()}"  # what the probe said, not asked again
    return engine


@dataclass(frozen=True)
class OpenMM:
    """OpenMM as an engine of the runner.

    Attributes:
        engine: the Python that has it.
    """

    engine: Engine

    def write_inputs(
        self,
        folder: Path,
        electrolyte: Electrolyte,
        positions: Float64[Array, "atoms 3"],
        cell: Float64[Array, "3 3"],
        settings: ElectrolyteSettings,
    ) -> None:
        """Write the system, the start, and the settings and script of each stage."""
        import openmm

        inputs = folder / INPUTS
        system = openmm_system(electrolyte, settings, float(cell[0, 0]))
        (inputs / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
        (inputs / PROGRAM).write_text(files("cgsim.reference.electrolyte").joinpath(PROGRAM).read_text())
        (folder / START).mkdir(exist_ok=True)
        np.savez(folder / START / "start.npz", positions=positions, cell=cell)
        for stage, seed in zip(stages(settings), stage_seeds(settings), strict=True):
            document = {
                **asdict(stage),
                "seed": seed,
                "minimise": stage.is_minimisation,
                "draws_velocities": stage.draws_velocities,
                "sets_mean_volume": stage.sets_mean_volume,
                "weak": stage.name in (SETTLE, PRODUCE),
                "thermo_steps": THERMO_STEPS,
                "not_averaged": NOT_AVERAGED,
            }
            (inputs / f"{stage.name}.json").write_text(json.dumps(document, indent=1) + "\n")
            (inputs / f"{stage.name}.sh").write_text(
                f'set -e\n"${{PYTHON:-python3}}" ../{INPUTS}/{PROGRAM} ../{INPUTS}/{stage.name}.json "$1" "$2" '
                f"> {LOG_FILE} 2>&1\n"
            )

    def environment(self, threads: int) -> dict[str, str]:
        """Which Python, and how many threads it may use."""
        variables = {"PYTHON": str(self.engine.executable), "OPENMM_CPU_THREADS": str(threads)}
        return {**os.environ, **one_thread(), **variables}

    def frames(self, part: Path, n_atoms: int) -> Iterator[Frame]:
        """Frames of a part of the production; the first is the last of the part before.

        Raises:
            InputError: if they are of another number of atoms.
        """
        positions, cell = np.load(part / "frames.npy", mmap_mode="r"), np.load(part / "cell.npy")
        if positions.shape[1] != n_atoms:
            raise InputError(f"{part / 'frames.npy'}: {positions.shape[1]} atoms, expected {n_atoms}")
        for k, frame in enumerate(positions):
            yield Frame(
                where=f"{part / 'frames.npy'}: frame {k}",
                positions=np.asarray(frame, dtype=np.float64),
                image_flags=None,
                is_unwrapped=True,
                cell=cell,
                time=None,
                step=None,
                bytes_read=0,
            )

    def read_thermo(self, part: Path) -> Thermo:
        """Energies, temperature and volume of a part of dynamics; OpenMM tells no pressure."""
        time, potential, conserved, temperature, volume = np.loadtxt(part / "thermo.txt", ndmin=2).T
        return Thermo(time, potential, conserved, temperature, np.full(len(time), np.nan), volume)

    def last_step(self, part: Path) -> str:
        """Moment of the last line that an unfinished part has left; empty if none."""
        lines = log_lines(part / "thermo.txt")
        return f"at {lines[-1].split()[0]} ps" if lines else ""

    def reason(self, part: Path) -> str:
        """What an unfinished part gives as the reason; empty if nothing."""
        lines = [line.strip() for line in log_lines(part / LOG_FILE) if line.strip()]
        return lines[-1][:LONGEST_REASON] if lines else ""
