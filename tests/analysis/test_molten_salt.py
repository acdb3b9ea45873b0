"""Conductivity of a real molten salt, of LAMMPS, from the command line."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from engines import lammps
from typer.testing import CliRunner

from cgsim.analysis import AnalysisSettings
from cgsim.analysis.green_kubo import charge_current
from cgsim.analysis.plan import make_plan
from cgsim.analysis.source import open_source
from cgsim.cli import app
from cgsim.trajectory.store import TrajectoryStore
from cgsim.units import AVOGADRO_PER_MOL, BOLTZMANN_J_PER_K

MELT = """units real
atom_style charge
lattice sc 3.2
region all block 0 4 0 4 0 4
create_box 2 all
create_atoms 1 region all
set type 1 type/subset 2 32 7
mass 1 22.99
mass 2 35.453
set type 1 charge 1.0
set type 2 charge -1.0
pair_style born/coul/dsf 0.25 6.3
pair_coeff 1 1 6.08 0.317 2.340 24.18 11.51
pair_coeff 1 2 4.86 0.317 2.755 161.20 200.10
pair_coeff 2 2 3.65 0.317 3.170 1669.6 3354.7
minimize 0 1e-3 200 2000
reset_timestep 0
velocity all create 1500 4711 mom yes
fix 1 all nvt temp 1500 1500 200
timestep 2
run 2000
reset_timestep 0
write_data melt.data nocoeff
dump 1 all custom 10 melt.dump id type q x y z ix iy iz vx vy vz
run 50000
"""


@pytest.mark.slow
@pytest.mark.engine
def test_a_molten_salt_of_lammps_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "in.melt").write_text(MELT)
    command = [str(lammps().executable), "-in", "in.melt", "-log", "log.melt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
    files = [str(tmp_path / name) for name in ("melt.data", "melt.dump")]
    store, output = tmp_path / "melt.h5", tmp_path / "results.json"
    options = ["--units", "real", "--timestep", "2", "--velocities"]
    result = CliRunner().invoke(app, ["import", *files, "-o", str(store), *options])
    assert result.exit_code == 0, result.output
    read = TrajectoryStore(store)
    velocities, masses = read.read(velocities=True).velocities, read.system.masses
    assert velocities is not None
    # The thermostat keeps the kinetic energy of 3 N - 3 degrees of freedom: velocities have their unit, A/ps.
    energy = 0.5 * (masses[:, None] * velocities.astype(np.float64) ** 2).sum() / len(velocities)
    per_unit = 1e-3 / AVOGADRO_PER_MOL * 1e4  # J per g/mol (A/ps)^2
    kelvin = energy * per_unit / (0.5 * BOLTZMANN_J_PER_K * (3 * len(masses) - 3))
    assert kelvin == pytest.approx(1500, rel=0.03)
    quick = ["--structure-frames", "1", "--contact-frames", "0"]
    arguments = ["analyze", str(store), "-o", str(output), "--temperature", "1500", "--green-kubo", *quick]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    figures = json.loads(output.read_text())["figures"]
    found = {f["method"]: f for f in figures if f["name"] == "conductivity"}
    kubo, einstein = found["green-kubo"], found["einstein-collective multi-origin"]
    print(f"molten salt: {kubo['value']:.3g} +- {kubo['standard_error']:.2g} S/cm by Green and Kubo")
    print(f"molten salt: {einstein['value']:.3g} +- {einstein['standard_error']:.2g} S/cm by Einstein")
    joint = np.hypot(kubo["standard_error"], einstein["standard_error"])
    assert abs(kubo["value"] - einstein["value"]) < 3 * joint
    assert kubo["sampling_excess"] < 0.01
    assert "rarely" not in kubo.get("warning", "")
    # The current is the rate at which the charge of the same run moves, so its integral follows the positions.
    source = open_source(store)
    salt = make_plan(source, AnalysisSettings(temperature=1500.0)).salt
    assert salt is not None
    current = charge_current(source, salt)
    moved = np.einsum("p,fpx->fx", np.sign(read.system.charges), read.read().unwrapped_positions)
    integral = 0.02 * np.cumsum(0.5 * (current[1:] + current[:-1]), axis=0)
    deviation = integral - (moved[1:] - moved[0])
    assert np.sqrt((deviation**2).mean()) < 0.02 * np.sqrt(((moved[1:] - moved[0]) ** 2).mean())
