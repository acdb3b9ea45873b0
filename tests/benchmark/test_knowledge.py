"""What a model has learned of the unseen systems is told by its card, whoever trained it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from systems import rouse_store

from cgsim.benchmark.chain import CHAIN
from cgsim.benchmark.data import BenchmarkData, find_stores, split_starts
from cgsim.benchmark.electrolyte import ELECTROLYTE
from cgsim.benchmark.knowledge import Learned, learned_beginnings, learned_text
from cgsim.benchmark.models import SeedModel, open_models
from cgsim.checkpoint import find_model
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.fit import Plan, fit
from cgsim.train.module import TrainingSettings
from cgsim.train.source import Source
from cgsim.units import UnitSystem

MAPPING = MappingSettings(atoms_per_bead=2)
KNOWN = 500.0  # tau, of the unseen chain
NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)
MODEL = ModelSettings(
    lag_time=25.0,
    embedding=EmbeddingSettings(type_size=4, latent=8, n_steps=1, size=4),
    dynamics=DynamicsSettings(network=NETWORK),
)


def learn(folder: Path, *sources: Source) -> dict[str, list[SeedModel]]:
    """A model that one step of training has seen these trajectories in."""
    plan = Plan(
        "one", UnitSystem.LJ, list(sources), [], MAPPING, MODEL, TrainingSettings(steps=1), SamplerSettings(), {}
    )
    fit(plan, folder, resume=False)
    return open_models([folder / "model"], torch.device("cpu"))


@pytest.fixture
def data(tmp_path) -> BenchmarkData:
    """Two unseen chains, and an independent start of the second."""
    paths = {
        name: rouse_store(tmp_path / f"{name}.h5", 20, 61, spring=0.1, interval=25.0, seed=seed)
        for seed, name in enumerate(("first", "second", "second-start2"))
    }
    other = {"second": paths.pop("second-start2")}
    return BenchmarkData(CHAIN, {}, {}, paths, MAPPING, 25.0, KNOWN, tmp_path, other_starts=other)


def test_beginning_of_an_unseen_system_is_found_by_its_hash_and_said(data, tmp_path):
    other = rouse_store(tmp_path / "other.h5", 20, 61, spring=0.1, interval=25.0, seed=7)
    both = [Source(data.systems["second"], 0.0, KNOWN), Source(other, 0.0, KNOWN)]
    found = learned_beginnings(learn(tmp_path / "run", *both), data)
    assert found == [Learned("one", "second", KNOWN)]
    (line,) = learned_text(found, UnitSystem.LJ)
    assert line == (
        "cgsim-one has learned from the beginning of the unseen systems' MD, as short-md knows it: 500 tau of second."
    )


def test_other_chains_of_the_same_topology_are_not_taken_for_it(data, tmp_path):
    other = rouse_store(tmp_path / "other.h5", 20, 61, spring=0.1, interval=25.0, seed=7)
    assert learned_beginnings(learn(tmp_path / "run", Source(other, 0.0, KNOWN)), data) == []
    assert learned_text([], UnitSystem.LJ) == []


def test_more_than_the_training_length_is_refused(data, tmp_path):
    models = learn(tmp_path / "run", Source(data.systems["first"], 0.0, KNOWN))
    with pytest.raises(InputError) as error:
        learned_beginnings(models, replace(data, training_length=250.0))
    assert str(error.value) == (
        f"{data.systems['first']}: one has learned from 500 tau of it; of the unseen systems a model may know the "
        "first 250 tau, as short-md does, and of their independent starts nothing"
    )


def test_independent_start_is_refused(data, tmp_path):
    models = learn(tmp_path / "run", Source(data.other_starts["second"], 0.0, KNOWN))
    with pytest.raises(InputError, match=r"second-start2.h5: one has learned from 500 tau of it"):
        learned_beginnings(models, data)


@pytest.mark.parametrize(
    ("task", "name", "folder"),
    [
        (CHAIN, "chain", "data/chains-100/test"),
        (CHAIN, "chain", "data/chains-200/test"),
        (ELECTROLYTE, "electrolyte", "data/spe-450K/test"),
        (ELECTROLYTE, "fast-electrolyte", "data/spe-450K/test"),
    ],
)
def test_no_model_that_ships_has_learned_from_a_test_system(task, name, folder, tmp_path):
    models = open_models([find_model(name)], torch.device("cpu"))
    ((one,),) = models.values()
    systems, other = split_starts(find_stores((Path(folder),), "--systems"))
    card = one.model.card
    data = BenchmarkData(task, {}, {}, systems, card.mapping, card.model.lag_time, 1e9, tmp_path, other_starts=other)
    assert learned_beginnings(models, data) == []
    known = Path("data/spe-450K/train/PCL.h5" if task is ELECTROLYTE else "data/chains-100/train/repeated-000.h5")
    (found,) = learned_beginnings(models, replace(data, systems={"known": known}))
    assert found.system == "known"  # the hashes are those that training makes today
