"""Leaving polymers out: who leaves with whom, and that nothing that left was learned from."""

import json
from pathlib import Path

import numpy as np
import pytest
from systems import LITHIUM, TFSI, glyme, join, molecule, shaking_molecules, trajectory_of

from cgsim.benchmark.data import BenchmarkData
from cgsim.benchmark.electrolyte import ELECTROLYTE
from cgsim.benchmark.leave_one_out import left_out
from cgsim.benchmark.run import BenchmarkSettings, run_benchmark
from cgsim.checkpoint import CARD
from cgsim.errors import InputError
from cgsim.trajectory.store import write_store

CELL, INTERVAL = 30.0 * np.eye(3), 10.0
ETHER, LONGER, ACETAL = glyme(4), glyme(6), "C" + "OCOCC" * 4 + "OC"


def store(path: Path, polymer: str, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atoms = join([molecule(polymer)] * 2 + [molecule(LITHIUM), molecule(TFSI)] * 3)
    motion = shaking_molecules(atoms, CELL, 160, drift=0.5, rattle=0.05, seed=seed)
    write_store(path, trajectory_of(atoms, motion, CELL, INTERVAL))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("polymers")
    store(root / "train" / "ether.h5", ETHER, 0)
    store(root / "train" / "acetal.h5", ACETAL, 1)
    store(root / "systems" / "longer.h5", LONGER, 2)
    store(root / "systems" / "propyl.h5", "CO" + "CCCO" * 5 + "C", 3)
    return root


def data_of(folder, **changes):
    stores = {name: {p.stem: p for p in sorted((folder / name).glob("*.h5"))} for name in ("train", "systems")}
    given = {"train": stores["train"], "systems": stores["systems"], **changes}
    task = ELECTROLYTE
    return BenchmarkData(
        task, given["train"], {}, given["systems"], task.mapping, task.lag_time, task.training_length, folder
    )


def test_systems_of_one_polymer_leave_together_and_every_system_leaves_once(folder):
    data = data_of(folder)
    assert sorted(sorted(turn) for turn in left_out(data, 0)) == [["acetal"], ["ether", "longer"], ["propyl"]]
    assert left_out(data, 3) == left_out(data, 0)
    two = left_out(data, 2)
    assert len(two) == 2
    assert sorted(name for turn in two for name in turn) == ["acetal", "ether", "longer", "propyl"]
    assert any({"ether", "longer"} <= set(turn) for turn in two)


@pytest.mark.parametrize("turns", [1, 4])
def test_turns_that_cannot_be_made_are_refused(folder, turns):
    with pytest.raises(InputError, match=rf"--turns {turns}: 3 polymers can leave in 2 to 3 turns"):
        left_out(data_of(folder), turns)


def test_one_polymer_alone_cannot_leave(folder):
    data = data_of(folder, train={"ether": folder / "train" / "ether.h5"}, systems={"b": folder / "systems/longer.h5"})
    with pytest.raises(InputError, match="all systems have the same polymer"):
        left_out(data, 0)


def test_two_systems_of_one_name_are_refused(folder):
    paths = {"ether": folder / "train" / "ether.h5"}, {"ether": folder / "systems" / "longer.h5"}
    with pytest.raises(InputError, match=r"longer\.h5: has the name of .*ether\.h5"):
        left_out(data_of(folder, train=paths[0], systems=paths[1]), 0)


def test_turns_without_leaving_out_are_refused_before_any_work(folder, tmp_path):
    asked = BenchmarkSettings(task="electrolyte", n_turns=2, output=tmp_path / "runs", systems=folder / "systems")
    with pytest.raises(InputError, match="--turns 2: needs --leave-one-out"):
        run_benchmark(asked, print, print)
    assert not (tmp_path / "runs").exists()


def asked_of(folder: Path, output: Path, **more) -> BenchmarkSettings:
    """Leave polymers out of all that are in a folder."""
    return BenchmarkSettings(
        task="electrolyte",
        train=(folder / "train",),
        systems=folder / "systems",
        methods=("short-md",),
        training_length="800 ps",
        leave_one_out=True,
        output=output,
        **more,
    )


def test_model_that_knows_what_is_to_be_left_out_is_refused_before_any_work(folder, tmp_path):
    asked = asked_of(folder, tmp_path / "runs", configs=(Path("configs/tuned.yaml"),))
    with pytest.raises(InputError, match=r"configs/tuned.yaml: start_from is electrolyte/seed-0, which has learned"):
        run_benchmark(asked, print, print)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*bonded in ways:UserWarning")  # what was left out is
def test_every_system_is_judged_by_a_model_that_has_not_learned_from_it(folder, tmp_path):
    small = "{kind: equivariant, latent: 8, n_steps: 1, n_vectors: 2, n_radial: 4}"
    overrides = (
        "model.lag_time=10 ps", "model.history_offsets=[0]", "model.refiner=null", "training.steps=2",
        f"model.dynamics.network={small}", "model.embedding={type_size: 4, latent: 4, n_steps: 1, size: 4}",
    )  # fmt: skip
    asked = asked_of(folder, tmp_path, n_seeds=1, n_turns=2, overrides=overrides)
    rows, _ = run_benchmark(asked, lambda *_: None, lambda *_: None)
    scored = {r.method for r in rows if r.metric == "left_out_log10_msd400_li_mae"}
    assert {"cgsim-electrolyte", "constant", "composition-linear", "composition-forest", "short-md"} <= scored
    judged = {r.system for r in rows if r.method == "cgsim-electrolyte" and r.metric == "log10_msd400_li"}
    assert judged == {f"left-out-{name}" for name in ("ether", "longer", "acetal", "propyl")}
    for number, turn in enumerate(left_out(data_of(folder), 2)):
        (card,) = (tmp_path / "electrolyte" / "leave-one-out" / f"{number + 1}-of-2").glob(f"models/**/{CARD}")
        learned = {Path(s["file"]).stem for s in json.loads(card.read_text())["training_systems"]}
        assert learned == {"ether", "longer", "acetal", "propyl"} - set(turn)
