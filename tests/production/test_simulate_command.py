from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import run_here
from systems import OPEN, bead_spring, electrolyte_store, rouse_motion, rouse_store, trained_model, trajectory_of

from cgsim.checkpoint import pretrained_models, save_model
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.production import run
from cgsim.simulate.stability import TrainingRange
from cgsim.trajectory.store import TrajectoryStore, write_store

NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A sound model, one for which every bond is torn, and starts, in the current directory."""
    settings = ModelSettings(lag_time=0.2, history_offsets=(0, 1), dynamics=DynamicsSettings(network=NETWORK))
    for name, longest in (("model", 1e6), ("torn", 1e-3)):
        seen = TrainingRange(longest_bond=longest, closest_pair=((0.0,),))
        trained = trained_model(settings, [bead_spring(4)], MappingSettings(atoms_per_bead=1), seen)
        save_model(tmp_path / name, trained.model, trained.card)
    rouse_store(tmp_path / "a.h5", 4, 20)
    rouse_store(tmp_path / "b.h5", 4, 20, seed=1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_simulation_prints_what_became_of_each_rollout(monkeypatch, capsys):
    assert run_here(monkeypatch, "simulate", "model", "a.h5", "b.h5", "--time", "1 tau", "-o", "out.h5") == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[:2] == [f"out-{name}.h5: 1 tau in 6 frames, healthy" for name in ("a", "b")]
    assert lines[2].endswith(" tau/day for each of 2 rollouts side by side")
    assert printed.err == ""


@pytest.mark.usefixtures("folder")
@pytest.mark.filterwarnings("default::UserWarning")
def test_start_with_groups_that_were_not_learned_from_is_simulated_with_a_warning(monkeypatch, capsys):
    blocks = replace(bead_spring(4), particle_type=np.array([0, 0, 1, 1]), names=("1", "1", "2", "2"))
    write_store("blocks.h5", trajectory_of(blocks, rouse_motion(4, 20, spring=3.0, interval=0.1), OPEN, 0.1))
    assert run_here(monkeypatch, "simulate", "model", "a.h5", "blocks.h5", "--time", "1 tau", "-o", "out.h5") == 0
    (line,) = capsys.readouterr().err.splitlines()
    found = {"1 (1)": 1, "1 (1 2)": 1, "2 (1 2)": 1, "2 (2)": 1}
    shown = ", ".join(f"{name}: {count}" for name, count in found.items())
    assert line.startswith(
        f"warning: blocks.h5: 4 of 4 atoms are bonded in ways that 'random' has not learned from ({shown});"
    )
    rollouts = [TrajectoryStore(f"out-{name}.h5").documents["rollout"] for name in ("a", "blocks")]
    assert [document["unfamiliar"] for document in rollouts] == [{}, found]


@pytest.mark.usefixtures("folder")
def test_broken_rollout_is_kept_named_and_told_by_the_exit_code(monkeypatch, capsys):
    assert run_here(monkeypatch, "simulate", "torn", "a.h5", "--time", "5 tau", "-o", "out.h5") == 3
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("out.h5: 2 tau in 11 frames, torn bond: step 10: bond ")
    assert line.endswith(" sigma long, at most 0.001 in training (10 steps in a row)")
    assert TrajectoryStore("out.h5").n_frames == 11


@pytest.mark.usefixtures("folder")
def test_interrupted_simulation_says_so_and_is_resumed(monkeypatch, capsys):
    arguments = ["simulate", "model", "a.h5", "--time", "2 tau", "-o", "out.h5"]
    with monkeypatch.context() as patched:
        rollout = run.rollout

        def interrupted(*given):
            for k, frame in enumerate(rollout(*given)):
                if k == 4:
                    raise KeyboardInterrupt
                yield frame

        patched.setattr(run, "rollout", interrupted)
        assert run_here(monkeypatch, *arguments) == 130
    assert capsys.readouterr().err == "interrupted; what was finished is kept\n"
    assert not Path("out.h5").exists()
    assert run_here(monkeypatch, *arguments) == 2
    assert "an interrupted run is there; add --resume" in capsys.readouterr().err
    assert run_here(monkeypatch, *arguments, "--resume") == 0
    assert run_here(monkeypatch, *arguments[:-1], "whole.h5") == 0
    resumed, whole = (TrajectoryStore(name).read().wrapped_positions for name in ("out.h5", "whole.h5"))
    assert np.array_equal(resumed, whole)


@pytest.mark.usefixtures("folder")
def test_options_reach_the_run(monkeypatch):
    options = ["--seed", "3", "--from", "1 tau", "--sampler", "n_levels=3", "--device", "cpu", "--replicas", "2"]
    assert run_here(monkeypatch, "simulate", "model", "a.h5", "--time", "0.4 tau", "-o", "out.h5", *options) == 0
    document = TrajectoryStore("out-r1.h5").documents["rollout"]
    assert document["start_time"] == pytest.approx(1.0)
    assert document["replica"] == 1
    assert (document["settings"]["seed"], document["settings"]["sampler"]["n_levels"]) == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none", "a.h5", "--time", "1 tau"],
         "error: none: no such file; expected the folder of a model made by 'cgsim train', or one that ships: "
         + ", ".join(folder.name for folder in pretrained_models())),
        (["model", "none.h5", "--time", "1 tau"], "error: none.h5: no such file"),
        (["model", "a.h5", "--time", "1"],
         "error: time '1' needs one of the units tau, for example '1tau'"),
        (["model", "a.h5", "--time", "1 ns"],
         "error: time '1 ns' needs one of the units tau, for example '1tau'"),
        (["model", "a.h5", "--time", "0.1 tau"], "error: --time 0.1 tau: shorter than one step of the model, 0.2 tau"),
        (["model", "a.h5", "--time", "1 tau", "--from", "9 tau"],
         "error: a.h5: cannot start at 9 tau; the trajectory is 1.9 tau long"),
        (["model", "a.h5", "--time", "1 tau", "--sampler", "level=3"],
         "error: --sampler: unknown key 'level'; did you mean 'n_levels'?"),
        (["model", "a.h5", "--time", "1 tau", "--device", "cuda:77"],
         "error: device 'cuda:77' is not available; known: auto, cpu, cuda"),
        (["model", "a.h5", "--time", "1 tau", "--resume"], "error: out.h5: there is no interrupted run to resume"),
        (["model", "box.h5", "--time", "1 tau"],
         "error: box.h5: is in molecular units, the model was trained in lj"),
        (["a.h5", "model", "--time", "1 tau"],
         "error: model.json: no such file; expected the folder of a model made by 'cgsim train'"),
    ],
    ids=["no model", "no start", "bare time", "wrong unit", "too short", "beyond the start", "sampler", "device",
         "resume", "units", "swapped"],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(folder, arguments, message, monkeypatch, capsys):
    if "box.h5" in arguments:
        electrolyte_store(folder / "box.h5", 5, cell=30.0 * np.eye(3))
    before = sorted(p.name for p in folder.iterdir())
    assert run_here(monkeypatch, "simulate", *arguments, "-o", "out.h5") == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"{message}\n")
    assert sorted(p.name for p in folder.iterdir()) == before
