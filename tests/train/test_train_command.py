import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import yaml
from commands import PROGRAM, run_apart, run_here
from systems import rouse_store

from cgsim.checkpoint import load_model
from cgsim.trajectory.store import TrajectoryStore

TINY = {"latent": 8, "n_steps": 1, "n_vectors": 4, "n_radial": 4}
EXPERIMENT = {
    "name": "tiny",
    "data": {"train": ["train-*.h5"], "validation": ["held-out.h5"], "end": "5 tau"},
    "mapping": {"atoms_per_bead": 1},
    "model": {
        "lag_time": "0.2 tau",
        "embedding": {"type_size": 4, "latent": 8, "n_steps": 1, "size": 4},
        "dynamics": {"network": TINY},
    },
    "training": {"steps": 6, "batch_size": 4, "validate_every": 3},
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Short trajectories of chains and the settings to learn from them, in the current directory."""
    for seed, name in enumerate(("train-a", "train-b", "held-out")):
        rouse_store(tmp_path / f"{name}.h5", 4, 60, seed=seed)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_training_prints_what_was_made_and_leaves_a_model(folder, monkeypatch, capsys):
    assert run_here(monkeypatch, "train", "tiny.yaml", "-o", "run", "--set", "training.steps=7") == 0
    printed = capsys.readouterr()
    assert "model    run/model (" in printed.out
    assert "systems  2; bead classes: polymer" in printed.out
    assert "lag      0.2 tau" in printed.out
    assert "validation/loss" in printed.out
    assert printed.err == ""
    card = load_model(folder / "run" / "model", torch.device("cpu")).card
    assert card.experiment["training"]["steps"] == 7
    assert [s.file for s in card.training_systems] == ["train-a.h5", "train-b.h5"]
    assert card.training_systems[0].length == pytest.approx(5.0)
    assert (folder / "run" / "metrics.csv").exists()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml", "-o", "run"], "error: none.yaml: no such file"),
        (
            ["tiny.yaml", "-o", "run", "--set", "training.step=5"],
            "error: tiny.yaml: unknown key 'training.step'; did you mean 'steps'?",
        ),
        (
            ["tiny.yaml", "-o", "run", "--set", "model.lag_time=0.25 tau"],
            "error: train-a.h5: lag_time 0.25 tau is not a multiple of the save interval 0.1 tau",
        ),
        (
            ["tiny.yaml", "-o", "run", "--set", "model.history_offsets=[0, 100]"],
            "error: train-a.h5: a history of 100 lags of 0.2 tau and the step after it need 203 frames, the trajectory "
            "has 51: use a shorter history or lag",
        ),
        (
            ["tiny.yaml", "-o", "run", "--set", "model.lag_time=0.2 ps", "--set", "data.end=5 ps"],
            "error: train-a.h5: is in lj units, the times of the experiment in molecular",
        ),
        (["tiny.yaml", "-o", "run", "--set", "data.train=[none.h5]"], "error: none.h5: no such file"),
        (["tiny.yaml", "-o", "run", "--set", "data.train=[tiny.yaml]"],
         "error: tiny.yaml: not an HDF5 file, expected a store made by 'cgsim import'"),
        (
            ["tiny.yaml", "-o", "run", "--resume"],
            "error: run/checkpoints/last.ckpt: no such file, so there is no training run to resume",
        ),
    ],
    ids=["no settings", "unknown key", "lag", "history", "units", "no data", "no store", "nothing to resume"],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, monkeypatch, capsys):
    assert run_here(monkeypatch, "train", *arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"{message}\n")
    assert not Path("run").exists()


@pytest.mark.slow
def test_train_and_simulate_from_the_shell(folder):
    for verb, words in (("train", ["config", "--set", "--resume"]), ("simulate", ["model", "start", "--time"])):
        helped = run_apart(folder, verb, "--help")
        assert helped.returncode == 0
        assert all(word in helped.stdout for word in words)
    trained = run_apart(folder, "train", "tiny.yaml", "-o", "run")
    assert (trained.returncode, trained.stderr) == (0, "")
    arguments = ["simulate", "run/model", "held-out.h5", "--time", "2 tau", "-o", "out.h5", "--replicas", "2"]
    simulated = run_apart(folder, *arguments)
    assert (simulated.returncode, simulated.stderr) == (0, "")
    assert "out-r1.h5: 2 tau in 11 frames, healthy" in simulated.stdout
    assert TrajectoryStore(folder / "out-r0.h5").n_frames == 11


@pytest.mark.slow
@pytest.mark.parametrize("reason", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_says_so_and_can_be_resumed(folder, reason):
    command = [*PROGRAM, "train", "tiny.yaml", "-o", "run", "--set", "training.steps=100000"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts its background jobs deaf to interrupts, and they pass it on to the tests that they run.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    checkpoint = folder / "run" / "checkpoints" / "last.ckpt"
    begun = time.monotonic()
    while not checkpoint.exists() and time.monotonic() - begun < 120:
        time.sleep(0.1)
    process.send_signal(reason)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == "interrupted; what was finished is kept"
    steps = torch.load(checkpoint, weights_only=False)["global_step"]
    resumed = run_apart(folder, "train", "tiny.yaml", "-o", "run", "--resume", "--set", f"training.steps={steps + 2}")
    assert (resumed.returncode, resumed.stderr) == (0, "")
