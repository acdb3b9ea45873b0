"""Training that goes on from a trained model."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from systems import OPEN, bead_spring, rouse_motion, rouse_store, trajectory_of
from test_fit import assert_equal, interrupt_at, plan, weights

from cgsim.checkpoint import load_model
from cgsim.config import load_experiment
from cgsim.errors import InputError
from cgsim.simulate.stability import TrainingRange
from cgsim.train.fit import fit
from cgsim.train.source import Source
from cgsim.train.start import joint_range
from cgsim.trajectory.writer import write_store
from cgsim.units import UnitSystem

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    for seed, name in enumerate(("a", "b", "held-out")):
        rouse_store(folder / f"{name}.h5", 4, 60, seed=seed)
    return folder


@pytest.fixture(scope="module")
def trained(stores, tmp_path_factory) -> Path:
    """A run that was trained from the beginning, with a refiner."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    fit(plan(stores, refiner=True), folder, resume=False)
    return folder


def settings(trained: Path, stores: Path, **more) -> dict:
    data = {"train": [str(stores / "held-out.h5")]}
    return {"name": "second", "start_from": str(trained), "data": data, "training": {"steps": 3}, **more}


def load(tmp_path: Path, found: dict, *overrides: str):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(found))
    return load_experiment(path, list(overrides))


def test_without_a_step_the_weights_are_those_of_the_start(trained, stores, tmp_path):
    # A rate of zero, and weights that are not averaged: what is left is what was taken over.
    still = ["training.learning_rate=1e-30", "training.weight_decay=0", "training.averaging=0"]
    fit(load(tmp_path, settings(trained, stores), *still).plan(), tmp_path / "run", resume=False)
    assert_equal(weights(trained), weights(tmp_path / "run"))


def test_training_goes_on_from_the_start_and_not_from_its_own_random_weights(trained, stores, tmp_path):
    fit(load(tmp_path, settings(trained, stores)).plan(), tmp_path / "on", resume=False)
    begun = replace(plan(stores, refiner=True, steps=3), train=[Source(stores / "held-out.h5", 0.0, math.inf)])
    fit(begun, tmp_path / "anew", resume=False)

    def distance(run: Path) -> float:
        return sum(float((a - b).square().sum()) for a, b in zip(weights(run).values(), start.values(), strict=True))

    start = weights(trained)
    assert 0.0 < distance(tmp_path / "on") < 0.01 * distance(tmp_path / "anew")


def test_what_is_not_said_is_as_it_was_and_the_rate_a_tenth(trained, stores, tmp_path):
    card = load_model(trained / "model", CPU).card
    found = load(tmp_path, settings(trained, stores), "model.refiner.largest_noise=3.0", "sampler.n_levels=4")
    assert found.units is UnitSystem.LJ
    assert found.mapping == card.mapping
    assert found.model.dynamics == card.model.dynamics
    assert found.model.refiner == card.model.refiner.model_copy(update={"largest_noise": 3.0})
    assert found.sampler == card.sampler.model_copy(update={"n_levels": 4})
    assert found.training.batch_size == 4
    assert found.training.learning_rate == pytest.approx(2e-4)  # a tenth of the default
    assert found.training.steps == 3


def test_card_knows_both_trainings(trained, stores, tmp_path):
    first = load_model(trained / "model", CPU).card
    given = settings(trained, stores)
    given["data"]["train"].append(str(stores / "a.h5"))
    card = fit(load(tmp_path, given).plan(), tmp_path / "run", resume=False).card
    assert [system.file for system in card.training_systems] == ["b.h5", "held-out.h5", "a.h5"]
    assert card.scales == first.scales
    assert card.experiment["start_from"] == str(trained)
    assert card.trained.longest_bond >= first.trained.longest_bond
    assert load_model(tmp_path / "run" / "model", CPU).card == card


def test_atom_types_that_are_new_get_rows_of_their_own(trained, stores, tmp_path):
    path = tmp_path / "other.h5"
    system = bead_spring(4)
    other = replace(system, type_names=("0new", *system.type_names[1:]))
    write_store(path, trajectory_of(other, rouse_motion(4, 60, spring=3.0, interval=0.1, seed=5), OPEN, 0.1))
    given = settings(trained, stores)
    given["data"]["train"].append(str(path))
    run = fit(load(tmp_path, given, "training.learning_rate=1e-30").plan(), tmp_path / "run", resume=False)
    known = load_model(trained / "model", CPU)
    assert run.card.atom_types == (*known.card.atom_types, "0new")
    before, after = (m.model.embedding.atom_embedding.weight for m in (known, run))
    assert len(after) == len(before) + 1
    torch.testing.assert_close(after[: len(before)], before)
    assert after[-1].abs().sum() > 0


def test_run_that_was_interrupted_goes_on_from_its_checkpoint(trained, stores, tmp_path, monkeypatch):
    given = load(tmp_path, settings(trained, stores, training={"steps": 10, "validate_every": 4})).plan()
    fit(given, tmp_path / "whole", resume=False)
    with monkeypatch.context() as patched:
        interrupt_at(5, patched)
        with pytest.raises(KeyboardInterrupt):
            fit(given, tmp_path / "parts", resume=False)
    fit(given, tmp_path / "parts", resume=True)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_run_is_not_resumed_when_the_start_has_changed(trained, stores, tmp_path):
    given = load(tmp_path, settings(trained, stores)).plan()
    fit(given, tmp_path / "run", resume=False)
    other = load_model(trained / "model", CPU)
    with torch.no_grad():
        next(other.model.parameters()).add_(1e-3)
    with pytest.raises(InputError) as error:
        fit(replace(given, start=other), tmp_path / "run", resume=True)
    assert str(error.value) == (
        f"{tmp_path / 'run' / 'checkpoints' / 'last.ckpt'}: was begun from other weights than those that {trained} "
        "has now"
    )


@pytest.mark.parametrize(
    ("override", "name", "before", "now"),
    [
        ("model.lag_time=0.2", "model.lag_time", 0.1, 0.2),
        ("model.dynamics.network.latent=16", "model.dynamics.network.latent", 8, 16),
        ("mapping.atoms_per_bead=2", "mapping.atoms_per_bead", 1, 2),
        ("model.history_offsets=[0]", "model.history_offsets", [0, 1], [0]),
    ],
)
def test_settings_that_weights_depend_on_are_refused_before_any_work(
    trained, stores, tmp_path, override, name, before, now
):
    given = load(tmp_path, settings(trained, stores), override).plan()
    with pytest.raises(InputError) as error:
        fit(given, tmp_path / "run", resume=False)
    assert str(error.value) == (
        f"start_from: the model 'test' was trained with {name} = {before}, here it is {now}; its weights go with that: "
        f"leave {name} out, or train from the beginning"
    )
    assert not (tmp_path / "run").exists()


def test_refiner_cannot_be_dropped(trained, stores, tmp_path):
    given = load(tmp_path, settings(trained, stores), "model.refiner=null").plan()
    with pytest.raises(InputError, match=r"the model 'test' was trained with model\.refiner"):
        fit(given, tmp_path / "run", resume=False)


def test_ensemble_is_refused_with_the_names_of_its_models(stores, tmp_path):
    with pytest.raises(InputError) as error:
        load(tmp_path, settings(Path("electrolyte"), stores))
    assert str(error.value) == (
        "start_from: electrolyte is an ensemble; start from one of its models: electrolyte/seed-0, electrolyte/seed-1, "
        "electrolyte/seed-2"
    )


def test_missing_start_is_refused(stores, tmp_path):
    with pytest.raises(InputError, match="no-such-model: no such file; expected the folder of a model"):
        load(tmp_path, settings(Path("no-such-model"), stores))


def test_units_the_start_does_not_know_are_refused(stores, tmp_path):
    found = settings(Path("electrolyte/seed-0"), stores)
    with pytest.raises(InputError) as error:
        fit(load(tmp_path, found).plan(), tmp_path / "run", resume=False)
    assert str(error.value) == f"{stores / 'held-out.h5'}: is in lj units, the times of the experiment in molecular"


def test_units_that_are_said_to_be_others_are_refused(stores, tmp_path):
    found = settings(Path("electrolyte/seed-0"), stores, units="lj")
    with pytest.raises(InputError) as error:
        fit(load(tmp_path, found).plan(), tmp_path / "run", resume=False)
    assert str(error.value) == "start_from: the model 'electrolyte' is in molecular units, the experiment in lj"


def test_species_the_start_does_not_know_are_refused(trained, stores, tmp_path):
    path = rouse_store(tmp_path / "atom.h5", 1, 60)
    given = settings(trained, stores)
    given["data"]["train"].append(str(path))
    with pytest.raises(InputError) as error:
        fit(load(tmp_path, given).plan(), tmp_path / "run", resume=False)
    assert str(error.value) == (
        f"{path}: species '1' is unknown to the model 'test' of start_from, and only training from the beginning "
        "can teach it; known: polymer"
    )
    assert not (tmp_path / "run").exists()


def test_range_is_what_one_or_the_other_has_seen():
    one = TrainingRange(longest_bond=2.0, closest_pair=((1.0, 0.0), (0.0, 3.0)))
    other = TrainingRange(longest_bond=1.5, closest_pair=((1.5, 2.0), (2.0, 2.5)))
    joint = joint_range(one, other)
    assert joint == TrainingRange(longest_bond=2.0, closest_pair=((1.0, 2.0), (2.0, 2.5)))
    assert joint == joint_range(other, one)
    assert np.array(json.loads(joint.model_dump_json())["closest_pair"]).shape == (2, 2)
