"""Training that goes on from a trained model."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from systems import (
    OPEN,
    bead_spring,
    glyme,
    molecule,
    random_model,
    rouse_motion,
    rouse_store,
    trajectory_of,
)
from test_fit import EMBEDDING, NETWORK, assert_equal, interrupt_at, plan, weights

from cgsim.checkpoint import load_model, save_model
from cgsim.config import load_experiment
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings, partition
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import AtomGraph, Vocabulary
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.simulate.propagator import Calibration
from cgsim.simulate.sampler import SamplerSettings
from cgsim.simulate.stability import TrainingRange
from cgsim.train.calibrate import calibrate
from cgsim.train.data import load_training_set
from cgsim.train.fit import fit
from cgsim.train.source import Source
from cgsim.train.start import joint_vocabulary, take_weights
from cgsim.trajectory.writer import write_store
from cgsim.units import UnitSystem

CPU = torch.device("cpu")
MODEL = ModelSettings(lag_time=1.0, embedding=EMBEDDING, dynamics=DynamicsSettings(network=NETWORK))


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
    rates = found.training.learning_rate, found.training.final_learning_rate
    assert rates == pytest.approx((2e-4, 2e-6))  # a tenth of the defaults
    assert found.training.steps == 3


def test_card_knows_both_trainings(trained, stores, tmp_path):
    first = load_model(trained / "model", CPU).card
    given = settings(trained, stores)
    renamed = tmp_path / "renamed.h5"  # counts once
    renamed.write_bytes((stores / "a.h5").read_bytes())
    given["data"]["train"].append(str(renamed))
    card = fit(load(tmp_path, given).plan(), tmp_path / "run", resume=False).card
    assert [system.file for system in card.training_systems] == ["b.h5", "held-out.h5", "renamed.h5"]
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
    learned = Vocabulary.of([system, other]).surroundings
    assert set(run.card.surroundings) == set(learned) > set(known.card.surroundings) > set()
    before, after = (m.model.embedding.atom_embedding.weight for m in (known, run))
    torch.testing.assert_close(after, torch.cat([before, before.mean(dim=0, keepdim=True)]))  # no element to go by


def test_new_types_begin_as_those_of_their_element_and_as_bonds_never_seen():
    known = random_model(MODEL, [molecule(glyme(4))], MappingSettings(), seed=1)
    ether, other = molecule(glyme(4)), molecule("CC(=O)OC")
    vocabulary = joint_vocabulary(known.vocabulary, Vocabulary.of([other]))
    model = CoarseGrainedModel(MODEL, known.scales, vocabulary)
    take_weights(model, known)
    assert "O1" in vocabulary.atom_types
    old, new = (
        dict(zip(m.vocabulary.atom_types, m.embedding.atom_embedding.weight, strict=True)) for m in (known, model)
    )
    for name, row in old.items():
        assert torch.equal(new[name], row)
    torch.testing.assert_close(new["O1"], old["O2"])  # the only oxygen that was known
    torch.testing.assert_close(new["C3"], old["C4"])
    graphs = [AtomGraph.of(ether, partition(ether, MappingSettings()), m.vocabulary, "ether") for m in (known, model)]
    embedded = [m.embedding(graph) for m, graph in zip((known, model), graphs, strict=True)]
    torch.testing.assert_close(embedded[0].beads, embedded[1].beads)
    # A bond never seen between known atoms means what it meant before.
    rows = model.embedding.bond_embedding.weight[len(known.vocabulary.bond_types) + 1 :]
    assert len(rows) > 0
    assert torch.equal(rows, known.embedding.bond_embedding.weight[:1].expand_as(rows))


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
    with pytest.raises(InputError, match="trained with model.refiner = settings of its own, here it is None; "):  # noqa: RUF043
        fit(given, tmp_path / "run", resume=False)


def test_ensemble_is_refused_with_the_names_of_its_models(stores, tmp_path):
    with pytest.raises(InputError) as error:
        load(tmp_path, settings(Path("electrolyte"), stores))
    assert str(error.value) == (
        "start_from: electrolyte is an ensemble; start from one of its models: electrolyte/seed-0, electrolyte/seed-1, "
        "electrolyte/seed-2"
    )


def test_folder_of_runs_is_refused_with_the_names_of_the_runs(trained, stores, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(trained / "model", tmp_path / "all" / name / "model")
    with pytest.raises(InputError, match=f"start from one of its models: {tmp_path}/all/a, {tmp_path}/all/b$"):
        load(tmp_path, settings(tmp_path / "all", stores))


def test_card_that_does_not_say_how_it_was_trained_is_refused(trained, stores, tmp_path):
    known = load_model(trained / "model", CPU)
    save_model(tmp_path / "bare", known.model, known.card.model_copy(update={"experiment": {}}))
    with pytest.raises(InputError) as error:
        load(tmp_path, settings(tmp_path / "bare", stores))
    assert str(error.value) == (
        f"start_from: the card of {tmp_path / 'bare'} does not say how it was trained, so that cannot go on"
    )


def test_noise_scales_of_classes_that_are_not_there_stay(trained, stores):
    found = Calibration(own_error=1.0, noise_scale=(1.5, 0.8))
    known = load_model(trained / "model", CPU)
    names = (*known.card.scales.class_names, "absent")
    two = {"class_names": names, "displacement": (1.0, 1.0), "history": ((1.0,), (1.0,)), "mass": (1.0, 1.0)}
    scales = known.card.scales.model_copy(update=two)
    sources = [Source(stores / "a.h5", 0.0, math.inf)]
    data = load_training_set(sources, [], known.card.mapping, known.card.model)
    model = CoarseGrainedModel(known.card.model, scales, data.vocabulary)
    calibrated = calibrate(model, SamplerSettings(n_levels=2), replace(data, scales=scales), 0, found)
    assert calibrated.noise_scale[1] == pytest.approx(0.8)
    assert calibrated.noise_scale[0] != pytest.approx(1.5)


def test_missing_start_is_refused(stores, tmp_path):
    with pytest.raises(InputError, match="start_from: no-such-model: no such file; expected the folder of a model"):
        load(tmp_path, settings(Path("no-such-model"), stores))


def test_units_the_start_does_not_know_are_refused(stores, tmp_path):
    found = settings(Path("electrolyte/seed-0"), stores)
    with pytest.raises(InputError) as error:
        fit(load(tmp_path, found).plan(), tmp_path / "run", resume=False)
    assert str(error.value) == f"{stores / 'held-out.h5'}: is in lj units, the model of start_from in molecular"


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
    joint = one.joined(other)
    assert joint == TrainingRange(longest_bond=2.0, closest_pair=((1.0, 2.0), (2.0, 2.5)))
    assert joint == other.joined(one)
