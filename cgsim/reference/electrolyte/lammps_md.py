"""LAMMPS inputs of one electrolyte, one script for each stage, and reading what a part has left."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.reference.electrolyte.lammps_data import STYLES, lammps_data
from cgsim.reference.electrolyte.protocol import (
    INPUTS,
    NOT_AVERAGED,
    PRODUCE,
    START,
    THERMO_STEPS,
    Stage,
    stage_seeds,
    stages,
)
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.electrolyte.thermo import Thermo
from cgsim.reference.electrolyte.topology import Electrolyte
from cgsim.reference.engine import LONGEST_REASON, Engine, log_lines, one_thread
from cgsim.trajectory.frames import Frame
from cgsim.trajectory.readers import read_frames
from cgsim.typing import Array, Float64

DATA_FILE = "system.data"
FORCES_FILE = "forces.in"
FRAMES_FILE = "frames.xtc"
LOG_FILE = "log.lammps"
COLUMNS = "step pe econserve temp press vol"
BAROSTAT = 1000.0  # fs
VOLUME_STEPS = 10  # between volumes that are averaged
SHAKE_TOLERANCE = 1e-5
ATM = 1.01325  # bar
KCAL = 4.184  # kJ


@dataclass(frozen=True)
class Lammps:
    """LAMMPS as an engine of the runner.

    Attributes:
        engine: the executable.
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
        """Write the data file, and commands and script of each stage."""
        inputs, edges, hydrogen_mass = folder / INPUTS, np.diagonal(cell), settings.protocol.hydrogen_mass
        images = np.floor(positions / edges).astype(np.int64)
        data = lammps_data(electrolyte, positions - images * edges, edges.copy(), images, hydrogen_mass)
        (folder / START).mkdir(exist_ok=True)
        (folder / START / DATA_FILE).write_text(data)
        (inputs / FORCES_FILE).write_text(STYLES.format(cutoff=settings.protocol.cutoff))
        for stage, seed in zip(stages(settings), stage_seeds(settings), strict=True):
            text = _minimisation(stage) if stage.is_minimisation else _dynamics(stage, settings, seed)
            (inputs / f"{stage.name}.in").write_text(text)
            (inputs / f"{stage.name}.sh").write_text(_script(stage))

    def environment(self, threads: int) -> dict[str, str]:
        """Where LAMMPS is, and how many threads it may use."""
        options = "-suffix opt" if threads == 1 else f"-suffix omp -package omp {threads}"
        variables = {"OMP_NUM_THREADS": str(threads), "LMP": str(self.engine.executable), "LMP_OPTIONS": options}
        return {**one_thread(), **variables}

    def frames(self, part: Path, n_atoms: int) -> Iterator[Frame]:
        """Frames of a part of the production; the first is the last of the part before."""
        return read_frames(part / FRAMES_FILE, n_atoms)

    def read_thermo(self, part: Path) -> Thermo:
        """Energies, temperature, pressure and volume of a part of dynamics."""
        rows = _thermo_rows(part)
        if not rows:
            raise InputError(f"{part / LOG_FILE}: no values of energy and temperature")
        table = np.array(rows, dtype=np.float64)
        timestep = (
            float(next(line for line in log_lines(part / LOG_FILE) if line.startswith("timestep ")).split()[1]) * 1e-3
        )
        return Thermo(
            time=table[:, 0] * timestep,
            potential=table[:, 1] * KCAL,
            conserved=table[:, 2] * KCAL,
            temperature=table[:, 3],
            pressure=table[:, 4] * ATM,
            volume=table[:, 5],
        )

    def last_step(self, part: Path) -> str:
        """Number of the last step that the log of an unfinished part tells of; empty if none."""
        rows = _thermo_rows(part)
        return rows[-1][0] if rows else ""

    def reason(self, part: Path) -> str:
        """What an unfinished part gives as the reason; empty if nothing."""
        found = [line.strip() for line in log_lines(part / LOG_FILE) if line.startswith("ERROR")]
        return found[-1][:LONGEST_REASON] if found else ""


def _thermo_rows(part: Path) -> list[list[str]]:
    """Rows of the last table of the log."""
    rows: list[list[str]] = []
    inside = False
    for line in log_lines(part / LOG_FILE):
        words = line.split()
        if words[:1] == ["Step"]:
            rows, inside = [], True
        elif inside and len(words) == len(COLUMNS.split()) and words[0].isdigit():
            rows.append(words)
        elif line.startswith("Loop time"):
            inside = False
    return rows


def _minimisation(stage: Stage) -> str:
    return f"""units real
atom_style full
boundary p p p
include ../{INPUTS}/{FORCES_FILE}
read_data ${{before}}/{DATA_FILE}
thermo {THERMO_STEPS}
minimize 1e-6 1e-4 {stage.n_steps} {10 * stage.n_steps}
write_restart state.restart
"""


def _dynamics(stage: Stage, settings: ElectrolyteSettings, seed: int) -> str:
    begin, end = stage.temperature
    lines = [
        "units real",
        "read_restart ${before}/state.restart",
        *(line for line in STYLES.splitlines() if line.startswith("kspace_style")),  # what a restart does not hold
        "reset_timestep 0",
    ]
    if stage.draws_velocities:
        lines += [f"velocity all create {begin:g} {seed} mom yes rot no dist gaussian"]
    lines += [
        f"fix bonds all shake {SHAKE_TOLERANCE:g} 100 0 m {settings.protocol.hydrogen_mass:g}",
        "fix integrate all nve"
        if stage.pressure is None
        else f"fix integrate all nph iso {stage.pressure / ATM:.6f} {stage.pressure / ATM:.6f} {BAROSTAT:g}",
        f"fix thermostat all temp/csvr {begin:g} {end:g} {stage.coupling * 1e3:g} $({seed}+v_number)",
        "fix centre all momentum 1000 linear 1 1 1",
        f"timestep {stage.timestep:.12g}",
        f"thermo {THERMO_STEPS}",
        f"thermo_style custom {COLUMNS}",
        "thermo_modify norm no",
    ]
    if stage.name == PRODUCE:
        lines += [
            f"dump frames all xtc {stage.frame_steps} {FRAMES_FILE}",
            "dump_modify frames unwrap yes precision 1000",
        ]
    if stage.sets_mean_volume:
        repeats = int((1.0 - NOT_AVERAGED) * stage.n_steps / VOLUME_STEPS)
        lines += [
            "variable volume equal vol",
            f"fix volume all ave/time {VOLUME_STEPS} {repeats} {stage.n_steps} v_volume",
        ]
    lines += [f"run {stage.n_steps}"]
    if stage.sets_mean_volume:
        lines += [
            "# The box, and everything in it, gets its mean volume after the first quarter.",
            "variable edge equal $(f_volume^(1/3))",
            "change_box all x final 0 ${edge} y final 0 ${edge} z final 0 ${edge} remap units box",
        ]
    return "\n".join([*lines, "write_restart state.restart"]) + "\n"


def _script(stage: Stage) -> str:
    """Script of a stage: ``sh STAGE.sh FOLDER-OF-THE-PART-BEFORE NUMBER-OF-THE-PART`` in the folder of the part."""
    return f"""set -e
"${{LMP:-lmp}}" -in ../{INPUTS}/{stage.name}.in -var before "$1" -var number "$2" \\
  ${{LMP_OPTIONS:--suffix opt}} -screen none
"""
