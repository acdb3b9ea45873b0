"""Electrolytes with real engines: sane, and killed runs that end as others do."""

import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from commands import PROGRAM, run_apart
from engines import or_skip

from cgsim.reference.electrolyte.engines import choose_engine
from cgsim.reference.electrolyte.protocol import segment_folder
from cgsim.trajectory.store import TrajectoryStore

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SETTINGS = """
smiles: "*OCC*"
n_chains: 5
chain_mass: 450
length: 8 ps
round: 8 ps
save_interval: 1 ps
protocol:
  {heat: 1 ps, compress: 12 ps, relax: 3 ps, cool: 1 ps, density: 4 ps, settle: 1 ps, segment: 2 ps, cutoff: 6.0}
"""
N_FRAMES = 9
ENGINES = ("gromacs", "lammps", "openmm")


@pytest.fixture(params=ENGINES)
def engine(request):
    or_skip(lambda: choose_engine(request.param))
    return request.param


def command(folder, engine, length="8 ps"):
    (folder / "system.yaml").write_text(SETTINGS)
    return ["generate", "electrolyte", "--config", "system.yaml", "--engine", engine, "--length", length,
            "-o", "out", "--work", "work"]  # fmt: skip


def descendants(pid):
    """Process ids below one; the engine's parent is a shell."""
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split()
    children = {}
    for child, parent in zip(found[::2], found[1::2], strict=True):
        children.setdefault(int(parent), []).append(int(child))
    below, todo = [], [pid]
    while todo:
        below += (new := children.get(todo.pop(), []))
        todo += new
    return below


def assert_sane(trajectory):
    """No bond is torn, and no frame is missing or there twice where segments meet."""
    positions = trajectory.unwrapped_positions
    first, second = trajectory.system.bond_index
    lengths = np.linalg.norm(positions[:, second] - positions[:, first], axis=-1)
    assert lengths.min() > 0.9
    assert lengths.max() < 2.3  # Å; S-C of the anion is 1.8
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean(axis=1)
    assert steps.min() > 0.3 * np.median(steps)
    assert steps.max() < 3.0 * np.median(steps)


@pytest.mark.timeout(900)
def test_a_run_killed_in_the_middle_goes_on_and_ends_with_the_same_number_of_frames(tmp_path, engine):
    process = subprocess.Popen([*PROGRAM, *command(tmp_path, engine)], cwd=tmp_path, start_new_session=True)
    while not segment_folder(tmp_path / "work" / "out", 1).is_dir():
        assert process.poll() is None
        time.sleep(0.05)
    engines = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for pid in engines:  # what a killed program leaves behind must do no harm either way
        if os.path.exists(f"/proc/{pid}"):  # noqa: PTH110
            os.kill(pid, signal.SIGKILL)
    assert not segment_folder(tmp_path / "work" / "out", 3).exists()
    assert not (tmp_path / "out" / "out.h5").exists()
    done = run_apart(tmp_path, *command(tmp_path, engine))
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "work" / "out").glob("running-*"))
    store = TrajectoryStore(tmp_path / "out" / "out.h5")
    assert store.n_frames == N_FRAMES
    assert store.save_interval == pytest.approx(1.0, rel=1e-9)
    assert_sane(store.read())
    document = json.loads((tmp_path / "out" / "reference.json").read_text())["systems"]["out"]
    # Four standard errors of the temperature of some 500 atoms over 8 ps are 10 to 20 K; a wrong number of degrees of
    # freedom or a thermostat that is off shows as more than 10 %.
    assert document["checks"]["temperature"]["value"] == pytest.approx(450.0, rel=0.07)
    assert 0.8 < document["checks"]["density"]["value"] < 1.4  # g/cm3; a wrong pressure or mass shows as far less
    assert document["values"]["coordination_within_2.8_A Li-polymer.O"]["value"] > 1.0  # ether oxygen, not vacuum
    assert store.documents["provenance"]["temperature"] == 450.0

    # The same command again runs nothing, and a longer run goes on where this one ended.
    before = store.read().unwrapped_positions
    assert run_apart(tmp_path, *command(tmp_path, engine, "10 ps")).returncode == 0
    longer = TrajectoryStore(tmp_path / "out" / "out.h5").read()
    assert longer.n_frames == N_FRAMES + 2
    np.testing.assert_array_equal(longer.unwrapped_positions[:N_FRAMES], before)
    assert_sane(longer)

    # A part whose start is damaged stops with one line, and what was good is kept.
    folder = tmp_path / "work" / "out"
    shutil.rmtree(segment_folder(folder, 4))
    for state in ("state.cpt", "state.restart", "state.xml"):
        if (segment_folder(folder, 3) / state).is_file():
            os.truncate(segment_folder(folder, 3) / state, 1000)
    failed = run_apart(tmp_path, *command(tmp_path, engine, "10 ps"))
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "part-00004" in failed.stderr
    assert "kept: the 8 ps before" in failed.stderr

    # The inputs do the same without cgsim; cgsim takes over from there.
    shutil.rmtree(segment_folder(folder, 2))
    shutil.rmtree(segment_folder(folder, 3))
    md = choose_engine(engine)
    subprocess.run(["sh", "run.sh"], cwd=folder, env=md.environment(1), check=True, timeout=300)
    assert segment_folder(folder, 4).is_dir()
    assert run_apart(tmp_path, *command(tmp_path, engine, "10 ps")).returncode == 0
    assert_sane(TrajectoryStore(tmp_path / "out" / "out.h5").read())
