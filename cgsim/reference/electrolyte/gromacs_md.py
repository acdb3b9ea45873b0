"""GROMACS inputs of one electrolyte, one script for each stage, and reading what a part has left.

The scripts are what cgsim runs itself, so that a folder of inputs does the same on a cluster without it.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.reference.electrolyte.gromacs_topology import gromacs_topology
from cgsim.reference.electrolyte.protocol import (
    INPUTS,
    NOT_AVERAGED,
    SETTLE,
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

TOPOLOGY_FILE = "topol.top"
FRAMES_FILE = "traj_comp.xtc"
LOG_FILES = ("mdrun.log", "grompp.log", "energy.log")
ERRORS = ("Fatal error", "ERROR", "Error in user input", "File input/output error", "Inconsistency")
_NM = 0.1  # nm in an Å
_PRECISION = 1000  # of 1 nm: positions to 0.01 Å
COMPRESSIBILITY = 4.5e-5  # 1/bar, of water; it sets only how fast the volume follows


@dataclass(frozen=True)
class Gromacs:
    """GROMACS as an engine of the runner.

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
        """Write topology, start, and parameters and script of each stage."""
        inputs = folder / INPUTS
        (inputs / TOPOLOGY_FILE).write_text(gromacs_topology(electrolyte, settings.protocol.hydrogen_mass))
        _write_start(folder / START, electrolyte, positions, cell)
        for stage, seed in zip(stages(settings), stage_seeds(settings), strict=True):
            text = _minimisation(stage, settings) if stage.is_minimisation else _dynamics(stage, settings, seed)
            (inputs / f"{stage.name}.mdp").write_text(text)
            (inputs / f"{stage.name}.sh").write_text(_script(stage, seed))

    def environment(self, threads: int) -> dict[str, str]:
        """Where GROMACS is, and how many threads it may use."""
        return {**one_thread(), "OMP_NUM_THREADS": str(threads), "GMX": str(self.engine.executable)}

    def frames(self, part: Path, n_atoms: int) -> Iterator[Frame]:
        """Frames of a part of the production; the first is the last of the part before."""
        return read_frames(part / FRAMES_FILE, n_atoms)

    def read_thermo(self, part: Path) -> Thermo:
        """Energies, temperature, pressure and volume of a part of dynamics."""
        table = np.loadtxt(part / "energy.xvg", ndmin=2)
        volume = table[:, 5] / _NM**3 if table.shape[1] > 5 else np.full(len(table), _volume(part / "confout.gro"))
        return Thermo(table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4], volume)

    def last_step(self, part: Path) -> str:
        """Number of the last step that the log of an unfinished part tells of; empty if none."""
        lines = log_lines(part / "md.log")
        found = [after.split()[0] for line, after in itertools.pairwise(lines) if line.split()[:1] == ["Step"]]
        return found[-1] if found else ""

    def reason(self, part: Path) -> str:
        """What an unfinished part gives as the reason; empty if nothing."""
        for name in LOG_FILES:
            lines = log_lines(part / name)
            for k, line in enumerate(lines):
                if line.startswith(ERRORS):
                    return " ".join(after.strip() for after in lines[k : k + 4] if after.strip())[:LONGEST_REASON]
        return ""


def _write_start(
    folder: Path, electrolyte: Electrolyte, positions: Float64[Array, "atoms 3"], cell: Float64[Array, "3 3"]
) -> None:
    """Write the packed box (Å) as the structure that the minimisation begins with."""
    lines = ["packed", str(len(positions))]
    atoms = [
        (number, topology.name, atom)
        for number, topology in enumerate(electrolyte.molecules, 1)
        for atom in topology.atom_names
    ]
    for k, ((number, residue, atom), x) in enumerate(zip(atoms, positions * _NM, strict=True), 1):
        lines.append(
            f"{number % 100_000:5d}{residue[:5]:<5s}{atom[:5]:>5s}{k % 100_000:5d}"
            + "".join(f"{value:8.3f}" for value in x)
        )
    lines.append(" ".join(f"{edge * _NM:.5f}" for edge in np.diagonal(cell)))
    folder.mkdir(exist_ok=True)
    (folder / "confout.gro").write_text("\n".join(lines) + "\n")


def _volume(path: Path) -> float:
    edges = [float(x) / _NM for x in path.read_text().splitlines()[-1].split()[:3]]
    return float(np.prod(edges))


def _minimisation(stage: Stage, settings: ElectrolyteSettings) -> str:
    return f"""integrator = steep
nsteps = {stage.n_steps}
emtol = 100
emstep = 0.01
constraints = none
{_forces(settings)}"""


def _dynamics(stage: Stage, settings: ElectrolyteSettings, seed: int) -> str:
    begin, end = stage.temperature
    lines = [
        "integrator = md",
        f"dt = {stage.timestep * 1e-3:.12g}",
        f"nsteps = {stage.n_steps}",
        f"nstxout-compressed = {stage.frame_steps}",
        f"compressed-x-precision = {_PRECISION}",
        f"nstenergy = {THERMO_STEPS}",
        f"nstcalcenergy = {THERMO_STEPS}",
        "nstlog = 1000",
        "constraints = h-bonds",
        "constraint-algorithm = lincs",
        "lincs-order = 6",  # with the default of 4 and 1 the energy of a step of 3 fs drifts ten times as fast
        "lincs-iter = 2",
        "tcoupl = v-rescale",
        "tc-grps = System",
        f"tau-t = {stage.coupling:g}",
        f"ref-t = {begin:g}",
        "ld-seed = LD_SEED",
    ]
    if stage.draws_velocities:
        lines += ["gen-vel = yes", f"gen-temp = {begin:g}", f"gen-seed = {seed}"]
    elif stage.name != SETTLE:  # which begins with bonds that were scaled with the box
        lines += ["continuation = yes"]
    if stage.pressure is not None:
        lines += [
            "pcoupl = C-rescale",
            "pcoupltype = isotropic",
            "tau-p = 2.0",
            f"compressibility = {COMPRESSIBILITY:g}",
            f"ref-p = {stage.pressure:g}",
        ]
    if begin != end:
        lines += ["annealing = single", "annealing-npoints = 2", f"annealing-time = 0 {stage.time:.6g}"]
        lines += [f"annealing-temp = {begin:g} {end:g}"]
    return "\n".join(lines) + "\n" + _forces(settings)


def _forces(settings: ElectrolyteSettings) -> str:
    cutoff = settings.protocol.cutoff * _NM
    return f"""cutoff-scheme = Verlet
coulombtype = PME
fourierspacing = 0.14
rcoulomb = {cutoff:g}
vdwtype = cut-off
rvdw = {cutoff:g}
DispCorr = EnerPres
"""


def _script(stage: Stage, seed: int) -> str:
    """Script of a stage: ``sh STAGE.sh FOLDER-OF-THE-PART-BEFORE NUMBER-OF-THE-PART`` in the folder of the part."""
    velocities = '$([ -f "$1/state.cpt" ] && echo -t "$1/state.cpt")'
    if stage.is_minimisation or stage.draws_velocities:
        velocities = ""
    lines = [
        "set -e",
        'GMX="${GMX:-gmx}"',
        f'sed "s/LD_SEED/$(({seed} + $2))/" ../inputs/{stage.name}.mdp > run.mdp',
        f'"$GMX" -nobackup grompp -f run.mdp -c "$1/confout.gro" {velocities} -p ../inputs/{TOPOLOGY_FILE} -o run.tpr '
        "> grompp.log 2>&1",
        '"$GMX" -nobackup mdrun -s run.tpr -ntmpi 1 -ntomp "${OMP_NUM_THREADS:-1}" -pin off -notunepme '
        "> mdrun.log 2>&1",
    ]
    if not stage.is_minimisation:
        volume = "\\nVolume" if stage.pressure is not None else ""
        names = f"Potential\\nConserved-En.\\nTemperature\\nPressure{volume}\\n\\n"
        lines.append(
            f"printf '{names}' | \"$GMX\" -nobackup energy -f ener.edr -o energy.xvg -xvg none > energy.log 2>&1"
        )
    if stage.sets_mean_volume:
        lines += [
            "# The box, and everything in it, gets its mean volume after the first quarter.",
            f"edge=$(awk -v n=$(wc -l < energy.xvg) 'NR > {NOT_AVERAGED:g} * n {{ v += $6; k++ }} "
            'END { printf "%.8f", (v / k)^(1 / 3) }\' energy.xvg)',
            "scale=$(tail -n 1 confout.gro | awk -v edge=$edge '{ printf \"%.8f\", edge / $1 }')",
            "mv confout.gro before.gro && mv state.cpt before.cpt",
            '"$GMX" -nobackup editconf -f before.gro -scale $scale $scale $scale -o confout.gro > editconf.log 2>&1',
        ]
    lines += ["rm -f run.tpr run.mdp mdout.mdp state_prev.cpt"]
    return "\n".join(lines) + "\n"
