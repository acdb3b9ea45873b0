"""Models of a benchmark: seeds of one name are one method, their ensemble is another."""

from pathlib import Path

import pytest
import torch
from systems import electrolyte, trained_model

from cgsim.benchmark.methods.simulators import without_refinement
from cgsim.benchmark.models import open_models, plan_models
from cgsim.benchmark.run import BenchmarkSettings, run_benchmark
from cgsim.checkpoint import save_model
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.models.refiner import RefinerSettings

CPU = torch.device("cpu")
CONFIG = Path("configs/benchmark/chain.yaml")
NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)
SETTINGS = ModelSettings(
    lag_time=15.0,
    embedding=EmbeddingSettings(type_size=4, latent=8, n_steps=1, size=4),
    dynamics=DynamicsSettings(network=NETWORK),
    refiner=RefinerSettings(network=NETWORK),
)


def save_seeds(folder: Path, seeds: tuple[int, ...]) -> list[Path]:
    """Runs of training, as the full mode leaves them."""
    for seed in seeds:
        trained = trained_model(SETTINGS, [electrolyte()], MappingSettings(), seed=seed)
        save_model(folder / f"seed-{seed}" / "model", trained.model, trained.card)
    return [folder / f"seed-{seed}" / "model" for seed in seeds]


def test_seeds_are_one_method_and_their_ensemble_another(tmp_path):
    folders = save_seeds(tmp_path / "random", (0, 1))
    found = open_models([*folders, tmp_path / "random"], CPU)
    assert {name: len(seeds) for name, seeds in found.items()} == {"random": 2, "random-ensemble": 1}
    (ensemble,) = found["random-ensemble"]
    assert len(ensemble.model.members) == 2
    assert ensemble.fingerprint == "".join(seed.fingerprint for seed in found["random"])


def test_an_ensemble_of_other_weights_is_another_one(tmp_path):
    save_seeds(tmp_path / "one", (0, 1))
    save_seeds(tmp_path / "other", (0, 2))
    prints = [open_models([tmp_path / name], CPU)["random-ensemble"][0].fingerprint for name in ("one", "other")]
    assert prints[0] != prints[1]


def test_refinement_is_left_out_of_every_member(tmp_path):
    save_seeds(tmp_path / "random", (0, 1))
    bare = without_refinement(open_models([tmp_path / "random"], CPU)["random-ensemble"][0].model)
    assert [member.model.refiner for member in bare.members] == [None, None]
    assert len(bare.members) == 2


OWN, OTHER = (Path(f"data/chains-100/train/repeated-00{k}.h5") for k in (0, 1))


def learned_from(train, n_seeds, unseen) -> list[list[Path]]:
    """Stores that models would be trained on: those that are given, or all that their settings name, here one."""
    named = [] if train else [f'data.train=["{OWN}"]']
    plans = plan_models(CONFIG, named, train, {}, n_seeds, unseen, print)
    assert [plan.training.seed for plan in plans] == list(range(len(plans)))
    return [[source.path for source in plan.train] for plan in plans]


def test_models_learn_from_the_stores_of_their_settings_unless_others_are_given():
    assert learned_from(None, 2, []) == [[OWN], [OWN]]
    assert learned_from({"other": OTHER}, 1, [OWN]) == [[OTHER]]


def test_store_that_is_unseen_and_learned_from_is_refused():
    expected = r"repeated-000.h5: is among the unseen systems and in data.train of .*chain.yaml"
    with pytest.raises(InputError, match=expected):
        learned_from(None, 1, [OTHER, OWN])
    with pytest.raises(InputError, match=r"repeated-001.h5: is among the unseen systems and in --train"):
        learned_from({"other": OTHER}, 1, [OTHER])


@pytest.mark.parametrize("given", [True, False])
def test_full_mode_hands_over_what_was_given_and_what_is_unseen(given, monkeypatch, tmp_path):
    asked = []

    def remember(config, overrides, train, validation, n_seeds, unseen, say):  # noqa: ARG001 - in the order of the call
        asked.append((train, list(unseen)))
        raise InputError("enough")

    monkeypatch.setattr("cgsim.benchmark.run.plan_models", remember)
    folders = [tmp_path / name for name in ("train", "systems")]
    for folder, store in zip(folders, (OTHER, OWN), strict=True):
        folder.mkdir()
        (folder / store.name).symlink_to(store.resolve())
    train = (folders[0],) if given else ()
    settings = BenchmarkSettings(task="chain", output=tmp_path / "runs", train=train, systems=folders[1])
    with pytest.raises(InputError, match="enough"):
        run_benchmark(settings, lambda _: None, lambda *_: None)
    ((found, unseen),) = asked
    assert (found and [path.name for path in found.values()]) == ([OTHER.name] if given else None)
    assert [path.name for path in unseen] == [OWN.name]
