"""The benchmark as a whole: rows, tables and figures from folders of stores, kept and reused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import run_here
from systems import OPEN, bead_spring, electrolyte, rouse_motion, shaking_molecules, trained_model, trajectory_of

from cgsim.benchmark import run as program
from cgsim.benchmark.data import find_stores, split_starts
from cgsim.benchmark.methods import METHODS
from cgsim.benchmark.run import BenchmarkSettings, run_benchmark
from cgsim.checkpoint import save_model
from cgsim.config import load_experiment
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.trajectory.store import TrajectoryStore, write_store

pytestmark = pytest.mark.slow  # whole analyses

INTERVAL = 25.0
N_BEADS = 40
SPRINGS = (0.02, 0.03, 0.045, 0.06, 0.08, 0.1)


def chain_store(path: Path, spring: float, n_frames: int, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    motion = rouse_motion(N_BEADS, n_frames, spring=spring, interval=INTERVAL, seed=seed)
    write_store(path, trajectory_of(bead_spring(N_BEADS), motion, OPEN, INTERVAL))
    return path


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    """Chains of one composition and different stiffness, so that composition knows nothing and short MD something."""
    root = tmp_path_factory.mktemp("chains")
    for k, spring in enumerate(SPRINGS[:3]):
        chain_store(root / "train" / f"chain-{k}.h5", spring, 81, seed=k)
    for k, spring in enumerate(SPRINGS):
        chain_store(root / "systems" / f"chain-{k}.h5", spring, 800, seed=10 + k)
    return root


def settings(root, output, **changes):
    known = {
        "task": "chain",
        "train": (root / "train",),
        "validation": root / "train",
        "systems": root / "systems",
        "methods": ("short-md", "constant", "md-half", "brownian"),
        "time": "2500 tau",
        "output": output,
    }
    return BenchmarkSettings(**{**known, **changes})


def silent(*_anything):
    """Say and show nothing."""


@pytest.fixture(scope="module")
def results(chains, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs")
    validation = output / "validation"
    chain_store(validation / "held-out.h5", SPRINGS[1], 200, seed=5)
    asked = settings(chains, output, validation=validation)
    return asked, *run_benchmark(asked, silent, silent)


def test_rows_of_all_methods_stand_in_the_file_with_the_keys_that_are_promised(results):
    asked, rows, _ = results
    document = json.loads((asked.output / "chain" / "results.json").read_text())
    assert {tuple(row) for row in document["rows"]} == {
        ("task", "system", "method", "metric", "value", "standard_error", "n_seeds")
    }
    assert len(document["rows"]) == len(rows)
    assert {r.method for r in rows} == {"md", "short-md", "constant", "md-half", "brownian"}
    assert {r.system for r in rows} == {"all", *(f"chain-{k}" for k in range(6))}


def test_short_md_knows_more_than_a_constant_and_the_halves_of_long_md_more_than_both(results):
    _, rows, _ = results
    r2 = {r.method: r.value for r in rows if r.system == "all" and r.metric == "rg2_r2"}
    assert r2["constant"] < 0.05
    assert r2["constant"] < r2["short-md"] < r2["md-half"]


def test_tables_name_methods_targets_and_systems(results):
    asked, _, text = results
    assert (asked.output / "chain" / "results.md").read_text() == text
    assert "| short-md |" in text
    assert "6 unseen systems" in text
    assert "| rg2 | chain-3 |" in text
    assert (asked.output / "chain" / "parity-rg2.png").stat().st_size > 1000
    assert (asked.output / "chain" / "scores.png").stat().st_size > 1000


def test_what_was_measured_is_reused_and_what_changed_is_not(results, monkeypatch):
    asked, rows, _ = results

    def refuse(*_anything):
        raise AssertionError("measured again")

    monkeypatch.setitem(program.TASKS, "chain", replace(program.TASKS["chain"], portray=refuse))
    again, _ = run_benchmark(asked, silent, silent)
    assert again == rows
    with pytest.raises(AssertionError, match="measured again"):
        run_benchmark(replace(asked, training_length="1000 tau"), silent, silent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("shortmd",)}, r"--methods shortmd: unknown method; did you mean 'short-md'"),
        ({"systems": Path("nowhere")}, r"nowhere: no such folder; give one with stores by --systems"),
        ({"methods": ("cgsim",), "models": ("no-model",)}, r"no-model: no such file; expected the folder of a model"),
        ({"training_length": "15000 tau"}, r"chain-0\.h5: is 19975 tau long; a reference has to be half as long"),
        ({"training_length": "1 ns"}, "needs one of the units tau"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(chains, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        run_benchmark(settings(chains, tmp_path, validation=None, **changes), silent, silent)


def test_a_system_that_was_learned_from_is_no_test(chains, tmp_path):
    with pytest.raises(InputError, match=r"is among the unseen systems and in train"):
        run_benchmark(settings(chains, tmp_path, validation=None, systems=chains / "train"), silent, silent)


def test_folders_are_put_together_and_equal_names_refused(chains, tmp_path):
    found = find_stores((chains / "train",), "--train")
    assert list(found) == ["chain-0", "chain-1", "chain-2"]
    with pytest.raises(InputError, match="has the same name"):
        find_stores((chains / "train", chains / "systems"), "--train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no stores"):
        find_stores((tmp_path / "empty",), "--train")


def test_second_starts_are_no_systems_of_their_own():
    stores = {name: Path(name) for name in ("PEO", "PEO-start2", "PPO", "PEC-start2")}
    systems, other = split_starts(stores)
    assert list(systems) == ["PEO", "PPO", "PEC-start2"]
    assert other == {"PEO": Path("PEO-start2")}


def test_every_method_of_the_issue_is_there():
    assert list(METHODS)[:2] == ["cgsim", "md"]
    assert {"short-md-shifted", "short-md-power-law", "supervised-gnn", "autoregression", "published"} <= set(METHODS)


@pytest.mark.parametrize(
    "name", ["chain", "electrolyte", "fast-electrolyte", "published-chain", "published-electrolyte"]
)
def test_settings_that_the_full_mode_trains_with_can_be_read(name):
    assert load_experiment(Path(f"configs/benchmark/{name}.yaml"), []).name == name


def test_quick_mode_simulates_with_named_models_and_judges_them(chains, tmp_path, monkeypatch, capsys):
    network = NetworkSettings(latent=8, n_steps=1, n_vectors=2)
    model = ModelSettings(
        lag_time=INTERVAL,
        history_offsets=(0,),
        embedding=EmbeddingSettings(type_size=4, latent=4, n_steps=1, size=4),
        dynamics=DynamicsSettings(network=network),
    )
    names = []
    for seed in (0, 1):
        trained = trained_model(model, [bead_spring(N_BEADS)], MappingSettings(atoms_per_bead=10), seed=seed)
        save_model(tmp_path / f"model-{seed}", trained.model, trained.card)
        names += ["--models", tmp_path / f"model-{seed}"]
    folders = ["--train", chains / "train", "--systems", chains / "systems"]
    code = run_here(
        monkeypatch, "benchmark", "chain", "--quick", *folders, *names, "--time", "1000 tau",
        "--methods", "cgsim,short-md", "-o", tmp_path / "runs",
    )  # fmt: skip
    assert code == 0
    assert "## Targets, cgsim-random" in capsys.readouterr().out
    rows = json.loads((tmp_path / "runs" / "chain" / "results.json").read_text())["rows"]
    ours = [r for r in rows if r["method"] == "cgsim-random"]
    assert {r["n_seeds"] for r in ours} == {2}
    assert any(r["metric"] == "stability" and r["system"] == "all" for r in ours)


def test_electrolytes_from_atoms_go_through_every_baseline_that_needs_no_training(tmp_path):
    cell = 30.0 * np.eye(3)
    for folder, name, seed in (("train", "a", 0), ("train", "b", 1), ("systems", "c", 2)):
        atoms = electrolyte(2, 4, 6)
        motion = shaking_molecules(atoms, cell, 160, drift=0.5, rattle=0.05, seed=seed)
        (tmp_path / folder).mkdir(exist_ok=True)
        write_store(tmp_path / folder / f"{name}.h5", trajectory_of(atoms, motion, cell, 10.0))
    asked = BenchmarkSettings(
        task="electrolyte",
        train=(tmp_path / "train",),
        systems=tmp_path / "systems",
        methods=("short-md", "short-md-shifted", "short-md-power-law", "constant", "brownian", "autoregression"),
        time="1000 ps",
        training_length="800 ps",
        output=tmp_path / "runs",
    )
    rows, text = run_benchmark(asked, silent, silent)
    d = {r.method: r for r in rows if r.system == "all" and r.metric == "d_li_ratio"}
    assert set(d) == {"short-md", "short-md-shifted", "short-md-power-law", "constant", "brownian", "autoregression"}
    # Molecules are free here, so Brownian motion is the truth; six ions over 1.6 ns are known to some 20 %.
    assert d["brownian"].value == pytest.approx(1.0, abs=4 * max(d["brownian"].standard_error, 0.1))
    assert "| log10_d_li | c |" in text
    assert TrajectoryStore(tmp_path / "systems" / "c.h5").atoms is None
