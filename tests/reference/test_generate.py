"""Sets of chains: the same seed gives the same data, and a killed run goes on as if nothing had happened."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from engines import lammps

from cgsim.errors import InputError
from cgsim.reference.engine import Engine
from cgsim.reference.figures import ChainFigures
from cgsim.reference.generate import generate_chains, read_reference
from cgsim.reference.run import part_folder
from cgsim.reference.settings import ChainSettings, draw_chains
from cgsim.trajectory.store import TrajectoryStore

pytestmark = pytest.mark.engine

SMALL = ChainSettings(
    chains={"repeated": 2, "random": 1},
    n_beads=20,
    equilibration="10 tau",
    length="60 tau",
    segment="20 tau",
    save_interval="2 tau",
)
NAMES = [chain.name for chain in draw_chains(SMALL)]


def generate(folder, settings=SMALL, engine=None, processes=1):
    """Generate chains in ``folder``; return the figures of each."""
    events = generate_chains(settings, folder / "out", folder / "work", engine or lammps(), processes)
    return [event for event in events if isinstance(event, ChainFigures)]


def positions(folder):
    """Positions in each store of a set."""
    return {name: TrajectoryStore(folder / "out" / f"{name}.h5").read().unwrapped_positions for name in NAMES}


def assert_same(first, second):
    for name in NAMES:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    generate(folder)
    return folder


def test_stores_hold_the_frames_asked_for_from_time_zero(finished):
    for chain in draw_chains(SMALL):
        store = TrajectoryStore(finished / "out" / f"{chain.name}.h5")
        assert store.n_frames == SMALL.n_frames == 31
        assert store.save_interval == pytest.approx(2.0)
        assert store.time[0] == 0.0
        assert not store.is_periodic
        assert store.system.n_particles == 20
        assert store.documents["chain"]["sequence"] == chain.sequence
        assert store.documents["provenance"]["settings"]["seed"] == SMALL.seed


def test_no_frame_is_missing_or_there_twice_where_segments_meet(finished):
    for positions_of_chain in positions(finished).values():
        steps = np.linalg.norm(np.diff(positions_of_chain, axis=0), axis=-1).mean(axis=1)
        assert steps.min() > 0.3 * np.median(steps)
        assert steps.max() < 3.0 * np.median(steps)


def test_the_same_seed_gives_the_same_data_with_any_number_of_processes(finished, tmp_path):
    generate(tmp_path, processes=3)
    assert_same(positions(tmp_path), positions(finished))


def test_another_seed_gives_other_data(finished, tmp_path):
    generate(tmp_path, SMALL.model_copy(update={"seed": 2}))
    for name, found in positions(tmp_path).items():
        assert np.abs(found - positions(finished)[name]).min(axis=(1, 2)).max() > 0


def test_a_finished_set_is_not_run_again(finished, tmp_path):
    shutil.copytree(finished / "work", tmp_path / "work")
    never = Engine("lammps", Path("/bin/false"))
    never.__dict__["version"] = "none"
    generate(tmp_path, engine=never)
    assert_same(positions(tmp_path), positions(finished))


def test_a_longer_run_goes_on_from_a_shorter_one(finished, tmp_path):
    shutil.copytree(finished / "work", tmp_path / "work")
    generate(tmp_path, SMALL.model_copy(update={"length": "100 tau"}))
    for name, found in positions(tmp_path).items():
        assert len(found) == 51
        np.testing.assert_allclose(found[:31], positions(finished)[name], rtol=0, atol=1e-5)  # float32 of 3 decimals


def test_a_run_that_was_shorter_than_a_segment_goes_on_in_segments_of_that_length(tmp_path):
    generate(tmp_path, SMALL.model_copy(update={"length": "8 tau"}))
    short = positions(tmp_path)
    with pytest.raises(InputError, match="was begun in segments of 4 frames, and the 5 that are asked for"):
        generate(tmp_path, SMALL.model_copy(update={"length": "10 tau"}))
    generate(tmp_path, SMALL.model_copy(update={"length": "24 tau"}))
    for name, found in positions(tmp_path).items():
        assert len(found) == 13
        np.testing.assert_allclose(found[:5], short[name], rtol=0, atol=1e-5)


def test_a_store_of_another_chain_is_not_replaced(finished, tmp_path):
    shutil.copytree(finished / "out", tmp_path / "out")
    before = (tmp_path / "out" / f"{NAMES[0]}.h5").read_bytes()
    with pytest.raises(InputError, match=r"has temperature 1.0, asked for 1.1; choose another --output"):
        generate(tmp_path, SMALL.model_copy(update={"temperature": 1.1}))
    assert (tmp_path / "out" / f"{NAMES[0]}.h5").read_bytes() == before
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("taken", ["out", "work"])
def test_a_file_where_a_folder_shall_be_is_refused_and_leaves_nothing(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(InputError, match=f"{taken}: is a file, expected the name of a folder"):
        generate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [taken]


def test_results_of_other_settings_are_not_mixed_in(finished, tmp_path):
    shutil.copytree(finished / "work", tmp_path / "work")
    with pytest.raises(InputError, match="was begun with other settings"):
        generate(tmp_path, SMALL.model_copy(update={"temperature": 1.1}))


def test_a_run_without_its_inputs_is_refused(finished, tmp_path):
    shutil.copytree(finished / "work", tmp_path / "work")
    (tmp_path / "work" / NAMES[0] / "segment.in").unlink()
    with pytest.raises(InputError, match=r"was begun with other settings \(segment.in would differ\)"):
        generate(tmp_path)


def test_a_folder_that_another_job_removed_while_it_was_empty_is_made_again(tmp_path):
    events = generate_chains(SMALL, tmp_path / "out", tmp_path / "work", lammps(), 1)
    next(events)
    (tmp_path / "out").rmdir()
    assert len([event for event in events if isinstance(event, ChainFigures)]) == len(NAMES)
    assert len(list((tmp_path / "out").glob("*.h5"))) == len(NAMES)


def test_a_run_that_blows_up_says_where_and_keeps_what_was_good(finished, tmp_path):
    shutil.copytree(finished / "work", tmp_path / "work")
    broken = tmp_path / "work" / NAMES[0]
    shutil.rmtree(part_folder(broken, 3))
    os.truncate(part_folder(broken, 2) / "state.restart", 1000)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"LAMMPS stopped .* kept: the 40 tau before") as stopped:
        generate(tmp_path)
    assert "\n" not in str(stopped.value)
    assert sorted(p.name for p in broken.glob("part-*")) == ["part-00000", "part-00001", "part-00002"]
    assert sorted(p.stem for p in (tmp_path / "out").glob("*")) == sorted(NAMES[1:])


def test_a_torn_bond_is_reported_with_its_moment(finished, tmp_path, monkeypatch):
    shutil.copytree(finished / "work", tmp_path / "work")
    shutil.rmtree(part_folder(tmp_path / "work" / NAMES[0], 3))
    monkeypatch.setattr("cgsim.reference.run.FENE_LENGTH", 0.5)  # so that every bond counts as torn
    with pytest.raises(InputError, match=r"not sane from 40 tau on: bond 1 is [01]\.\d+ sigma long"):
        generate(tmp_path)
    assert not part_folder(tmp_path / "work" / NAMES[0], 3).exists()


@pytest.mark.slow
def test_a_run_killed_in_the_middle_goes_on_and_ends_with_the_same_frames(tmp_path):
    lammps()
    arguments = ["--chains", "repeated=1", "--length", "480 tau", "--save-interval", "5 tau", "--work", "work"]
    (tmp_path / "short.yaml").write_text("segment: 80 tau\nequilibration: 20 tau\n")
    command = [sys.executable, "-c", "from cgsim.cli import main; main()", "generate", "chains", "--config"]
    command += [str(tmp_path / "short.yaml"), "-o", "out", *arguments]
    stores = []
    for name, is_killed in (("whole", False), ("killed", True)):
        folder = tmp_path / name
        folder.mkdir()
        if is_killed:
            process = subprocess.Popen(command, cwd=folder, start_new_session=True)
            while not list(folder.glob("work/*/part-00002")):
                assert process.poll() is None
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert not (folder / "out" / "reference.json").exists()
            assert not list(folder.glob("work/*/part-00006"))
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert list(read_reference(folder / "out" / "reference.json"))
        assert not list(folder.glob("work/*/running-*"))
        stores.append(TrajectoryStore(folder / "out" / "repeated-000.h5").read())
    assert stores[0].n_frames == stores[1].n_frames == 97
    np.testing.assert_array_equal(stores[0].unwrapped_positions, stores[1].unwrapped_positions)


def test_the_inputs_run_without_cgsim_and_give_the_same_data(finished, tmp_path):
    folder = tmp_path / "work" / NAMES[0]
    shutil.copytree(finished / "work" / NAMES[0], folder, ignore=shutil.ignore_patterns("part-*"))
    engine = lammps()
    subprocess.run(["sh", "run.sh"], cwd=folder, env={**os.environ, "LMP": str(engine.executable)}, check=True)
    generate(tmp_path)
    np.testing.assert_array_equal(positions(tmp_path)[NAMES[0]], positions(finished)[NAMES[0]])
