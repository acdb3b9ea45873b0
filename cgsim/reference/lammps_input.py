"""LAMMPS inputs of one chain: a folder that runs here, or anywhere that LAMMPS does."""

import zlib
from pathlib import Path

import numpy as np

from cgsim.reference.forcefield import FENE_LENGTH, FENE_STIFFNESS, FORCE_FIELDS
from cgsim.reference.sequences import BEAD_TYPES, Chain, chain_system
from cgsim.reference.settings import TIMESTEP, ChainSettings
from cgsim.typing import Array, Float64

BOND_LENGTH = 0.97  # sigma, near the minimum of the bond energy
CONTACT = 0.9  # sigma, the closest that beads of the starting structure come unless there is no room
N_DIRECTIONS = 64
SKIN = 0.9  # sigma; fastest for single chains of 100 beads
LARGEST_LAMMPS_SEED = 800_000_000

FORCE_FIELD_FILE = "forcefield.in"
EQUILIBRATE_FILE = "equilibrate.in"
SEGMENT_FILE = "segment.in"
DATA_FILE = "chain.data"
INPUT_FILES = (DATA_FILE, FORCE_FIELD_FILE, EQUILIBRATE_FILE, SEGMENT_FILE)
KINETIC_FILE = "kinetic.txt"
POSITIONS_FILE = "positions.dcd"
RESTART_FILE = "state.restart"


def write_inputs(folder: Path, chain: Chain, settings: ChainSettings) -> None:
    """Write everything LAMMPS needs to simulate ``chain`` into ``folder``; the same every time."""
    start_generator, *engine_generators = _generators(settings.seed, chain.name, 3)
    start = initial_positions(chain.sequence, start_generator)
    seeds = [int(generator.integers(1, LARGEST_LAMMPS_SEED)) for generator in engine_generators]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DATA_FILE).write_text(_data_file(chain, start))
    (folder / FORCE_FIELD_FILE).write_text(_force_field(settings, seeds[1]))
    (folder / EQUILIBRATE_FILE).write_text(_equilibrate(settings, seeds[0]))
    (folder / SEGMENT_FILE).write_text(_segment(settings))
    (folder / "run.sh").write_text(_shell(settings))


def _generators(seed: int, name: str, number: int) -> list[np.random.Generator]:
    """Independent streams for one chain, whatever other chains there are."""
    entropy = [seed, zlib.crc32(name.encode())]
    return [np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(k,))) for k in range(number)]


def initial_positions(sequence: str, generator: np.random.Generator) -> Float64[Array, "particles 3"]:
    """Grow a chain bead by bead, each in the first of some random directions that leaves room, or the roomiest."""
    system = chain_system(sequence)
    parent = np.zeros(system.n_particles, dtype=np.int64)
    parent[system.bond_index[1]] = system.bond_index[0]
    positions = np.zeros((system.n_particles, 3))
    for bead in range(1, system.n_particles):
        directions = generator.normal(size=(N_DIRECTIONS, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        tried = positions[parent[bead]] + BOND_LENGTH * directions
        room = np.linalg.norm(tried[:, None] - positions[None, :bead], axis=2).min(axis=1)
        positions[bead] = tried[np.argmax(np.minimum(room, CONTACT))]
    return np.asarray(positions - positions.mean(axis=0))


def _data_file(chain: Chain, positions: Float64[Array, "particles 3"]) -> str:
    system = chain_system(chain.sequence)
    low, high = positions.min() - 5, positions.max() + 5
    lines = [
        f"chain {chain.name}, constitutional units {chain.sequence}",
        "",
        f"{system.n_particles} atoms",
        f"{system.bond_index.shape[1]} bonds",
        f"{len(BEAD_TYPES)} atom types",
        "1 bond types",
        "",
        *(f"{low:.3f} {high:.3f} {axis}lo {axis}hi" for axis in "xyz"),
        "",
        "Masses",
        "",
        *(f"{i + 1} 1.0" for i in range(len(BEAD_TYPES))),
        "",
        "Atoms # bond",
        "",
    ]
    for i, (x, y, z) in enumerate(positions):
        lines.append(f"{i + 1} 1 {system.particle_type[i] + 1} {x:.6f} {y:.6f} {z:.6f}")
    lines += ["", "Bonds", ""]
    lines += [f"{k + 1} 1 {i + 1} {j + 1}" for k, (i, j) in enumerate(system.bond_index.T)]
    return "\n".join(lines) + "\n"


def _force_field(settings: ChainSettings, thermostat_seed: int) -> str:
    force_field = FORCE_FIELDS[settings.force_field]
    pairs = "\n".join(
        f"pair_coeff {i + 1} {j + 1} {force_field.epsilon[i][j]:g} 1.0"
        for i in range(len(BEAD_TYPES))
        for j in range(i, len(BEAD_TYPES))
    )
    return f"""# Interactions and thermostat, after the beads have been read. Reduced units, masses 1.
# One chain in open space: no image, no second chain. All pairs are tried: fastest for a few hundred beads.
neighbor {SKIN} nsq
neigh_modify every 2 delay 4 check yes
pair_style lj/cut {force_field.cutoff:.10g}
pair_modify shift yes
{pairs}
bond_style fene
bond_coeff 1 {FENE_STIFFNESS:g} {FENE_LENGTH:g} 1.0 1.0
special_bonds lj 0 1 1
fix integrate all nve
fix thermostat all langevin {settings.temperature:g} {settings.temperature:g} {1 / settings.friction:.10g} \
$({thermostat_seed}+v_part)
compute_modify thermo_temp extra/dof 0
thermo {settings.steps("save_interval")}
"""


_HEAD = "units lj\natom_style bond\nboundary s s s\n"


def _equilibrate(settings: ChainSettings, velocity_seed: int) -> str:
    return f"""# From the starting structure to the first saved frame.
variable part equal 0
{_HEAD}read_data ../{DATA_FILE}
include ../{FORCE_FIELD_FILE}
minimize 0 1e-3 2000 20000
velocity all create {settings.temperature:g} {velocity_seed} mom no
timestep {TIMESTEP / 10:g}
run 5000
timestep {TIMESTEP:g}
run {settings.steps("equilibration")}
reset_timestep 0
write_restart {RESTART_FILE}
"""


def _segment(settings: ChainSettings) -> str:
    interval = settings.steps("save_interval")
    every = int(np.gcd(interval, 10))
    return f"""# One segment: lmp -in ../{SEGMENT_FILE} -var part 1 (2, 3, ...) -var start <restart of the part before>
{_HEAD}read_restart ${{start}}
include ../{FORCE_FIELD_FILE}
timestep {TIMESTEP:g}
fix kinetic all ave/time {every} {interval // every} {interval} c_thermo_temp file {KINETIC_FILE}
dump positions all dcd {interval} {POSITIONS_FILE}
dump_modify positions unwrap yes
run {settings.steps("segment")}
undump positions
write_restart {RESTART_FILE}
"""


def _shell(settings: ChainSettings) -> str:
    return f"""#!/bin/sh
# Runs this chain without cgsim, for example on a cluster: cd here, then `sh run.sh`. Segments that exist are kept, and
# `cgsim generate chains` with the same settings takes over from whatever is here.
set -e
LMP=${{LMP:-lmp}}
export OMP_NUM_THREADS=1
last={settings.n_segments}
for part in $(seq 0 $last); do
  name=$(printf 'part-%05d' $part)
  if [ -f $name/{RESTART_FILE} ]; then continue; fi
  rm -rf running && mkdir running && cd running
  if [ $part -eq 0 ]; then
    $LMP -in ../{EQUILIBRATE_FILE} -suffix opt -screen none
  else
    $LMP -in ../{SEGMENT_FILE} -var part $part -var start ../$(printf 'part-%05d' $((part - 1)))/{RESTART_FILE} \\
      -suffix opt -screen none
  fi
  cd .. && mv running $name
done
"""
