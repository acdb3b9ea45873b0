import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from systems import electrolyte, trained_model

from cgsim import checkpoint
from cgsim.beads import open_beads
from cgsim.checkpoint import (
    TrainedModel,
    TrainingSystem,
    find_model,
    load_model,
    member_folders,
    pretrained_models,
    save_model,
)
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import EmbeddingSettings, atom_types
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.models.refiner import RefinerSettings
from cgsim.simulate.stability import LEAST_ALIKE, TrainingRange
from cgsim.trajectory import System

CPU = torch.device("cpu")
NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)


def a_model(seed: int = 0, **changes) -> TrainedModel:
    settings = ModelSettings.model_validate(
        {
            "lag_time": 15.0,
            "embedding": EmbeddingSettings(type_size=4, latent=8, n_steps=1, size=4),
            "dynamics": DynamicsSettings(network=NETWORK),
            "refiner": RefinerSettings(network=NETWORK),
            **changes,
        }
    )
    return trained_model(settings, [electrolyte()], MappingSettings(), seed=seed)


@pytest.fixture
def saved(tmp_path):
    trained = a_model()
    save_model(tmp_path / "model", trained.model, trained.card)
    return trained, tmp_path / "model"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"refiner": None},
        {
            "dynamics": DynamicsSettings(
                network=NETWORK.model_copy(update={"kind": "plain"}), cutoff=7.0, noise="independent"
            )
        },
        {"history_offsets": (0,), "normalize": False},
    ],
    ids=["infinite cutoff", "no refiner", "plain", "no history"],
)
def test_saved_model_is_the_same_to_the_last_bit(tmp_path, changes):
    trained = a_model(**changes)
    save_model(tmp_path / "model", trained.model, trained.card)
    loaded = load_model(tmp_path / "model", CPU)
    assert loaded.card == trained.card
    assert not loaded.model.training
    before, after = trained.model.state_dict(), loaded.model.state_dict()
    assert before.keys() == after.keys()
    for name in before:
        assert torch.equal(before[name], after[name]), name
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]


def test_model_is_found_by_its_folder_or_either_file(saved):
    trained, folder = saved
    for path in (folder, folder / "model.json", folder / "model.safetensors"):
        assert load_model(path, CPU).card == trained.card


def test_card_is_plain_json(saved):
    _, folder = saved

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    card = json.loads((folder / "model.json").read_text(), parse_constant=refuse)
    assert card["units"] == "molecular"
    assert card["model"]["dynamics"]["cutoff"] == "Infinity"


def refused(path) -> str:
    with pytest.raises(InputError) as error:
        load_model(path, CPU)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_missing_model_is_refused(tmp_path, saved):
    expected = "no such file; expected the folder of a model made by 'cgsim train'"
    assert refused(tmp_path / "none") == f"{tmp_path / 'none'}: {expected}"
    _, folder = saved
    (folder / "model.safetensors").unlink()
    assert refused(folder) == f"{folder / 'model.safetensors'}: {expected}"
    (folder / "model.json").unlink()
    assert refused(folder) == f"{folder / 'model.json'}: {expected}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.pop("scales"), "not a model card: scales: Field required"),
        (lambda card: card.update(color="red"), "not a model card: color: Extra inputs are not permitted"),
        (
            lambda card: card["model"].update(lag_time=-1),
            "not a model card: model.lag_time: Input should be greater than 0",
        ),
        (lambda card: card.update(format_version=99), "format 99, this program reads up to 1"),
        (lambda card: card.update(units="imperial"), "not a model card: units: Input should be 'molecular' or 'lj'"),
    ],
    ids=["missing key", "unknown key", "impossible value", "from the future", "unknown units"],
)
def test_changed_card_is_refused(saved, change, message):
    _, folder = saved
    card = json.loads((folder / "model.json").read_text())
    change(card)
    (folder / "model.json").write_text(json.dumps(card))
    assert refused(folder) == f"{folder / 'model.json'}: {message}"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]"])
def test_file_that_is_no_card_is_refused(saved, content):
    _, folder = saved
    (folder / "model.json").write_bytes(content)
    assert refused(folder).startswith(f"{folder / 'model.json'}: not a model card: ")


def test_weights_that_do_not_fit_their_card_are_refused(saved):
    _, folder = saved
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    weights = {name: value.clone() for name, value in load_file(path).items()}
    fewer = {name: value for name, value in weights.items() if "std_readout" not in name}
    wider = {
        name: torch.cat([value, value]) if "std_readout.2.bias" in name else value for name, value in weights.items()
    }
    for damage in (b"", b"not weights", whole[: len(whole) // 2]):
        path.write_bytes(damage)
        assert refused(folder).startswith(f"{path}: does not fit its card: ")
    for changed in (fewer, wider):
        save_file(changed, path)
        assert refused(folder).startswith(f"{path}: does not fit its card: ")


def test_weights_and_card_that_do_not_belong_together_are_refused(tmp_path, saved):
    """Weights of the right shapes from elsewhere would run without a word, and be wrong; so would a changed scale."""
    _, folder = saved
    message = f"{folder / 'model.safetensors'}: does not belong to its card: one of the two was changed or exchanged"
    card = (folder / "model.json").read_text()
    (folder / "model.json").write_text(card.replace('"own_error": 0.5', '"own_error": 0.25'))
    assert refused(folder) == message
    (folder / "model.json").write_text(card)
    other = a_model(lag_time=30.0)
    save_model(tmp_path / "other", other.model, other.card)
    (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
    assert refused(folder) == message


def test_model_of_unknown_architecture_is_refused_without_running_anything(saved):
    _, folder = saved
    card = json.loads((folder / "model.json").read_text())
    card["model"]["dynamics"]["network"]["kind"] = "transformer"
    (folder / "model.json").write_text(json.dumps(card))
    assert "model.dynamics.network.kind" in refused(folder)


def ensemble(folder, n_seeds=2, **changes):
    """Models that differ in their weights only, unless the last one is told to differ in more."""
    models = []
    for seed in range(n_seeds):
        models.append(a_model(seed, **(changes if seed == n_seeds - 1 else {})))
        save_model(folder / f"seed-{seed}", models[-1].model, models[-1].card)
    return models


def test_a_model_is_found_by_path_by_run_and_by_the_name_it_ships_with(tmp_path, monkeypatch):
    trained = a_model()
    save_model(tmp_path / "run" / "model", trained.model, trained.card)
    ensemble(tmp_path / "pretrained" / "electrolyte")
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.chdir(tmp_path)
    assert member_folders(find_model("run/model")) == member_folders(find_model("run")) == [Path("run/model")]
    assert find_model("electrolyte/seed-1") == tmp_path / "pretrained" / "electrolyte" / "seed-1"
    assert find_model("electrolyte") == tmp_path / "pretrained" / "electrolyte"
    assert [folder.name for folder in pretrained_models("electrolyte")] == ["electrolyte"]
    assert pretrained_models("chain") == []
    with pytest.raises(InputError, match=r"ours: no such file; .* one that ships: electrolyte$"):
        find_model("ours")


def test_a_folder_of_models_is_an_ensemble_of_them(tmp_path):
    saved = ensemble(tmp_path, 3)
    loaded = load_model(tmp_path, CPU)
    assert len(loaded.members) == 3
    assert loaded.name == f"{loaded.card.name}-ensemble"
    for member, expected in zip(loaded.members, saved, strict=True):
        assert member.name == expected.card.name
        for name, weights in expected.model.state_dict().items():
            assert torch.equal(member.model.state_dict()[name], weights), name
    first, second = ([p.sum() for p in one.model.parameters()] for one in saved[:2])
    assert first != second


def test_an_ensemble_has_seen_what_any_of_its_members_has():
    one = a_model()
    n = len(one.card.scales.class_names)
    ranges = [
        TrainingRange(longest_bond=length, closest_pair=((closest,) * n,) * n) for length, closest in ((4, 2), (5, 3))
    ]
    first, second = (TrainedModel(one.model, one.card.model_copy(update={"trained": r})) for r in ranges)
    both = TrainedModel(first.model, first.card, (second,)).trained
    assert (both.longest_bond, both.closest_pair) == (5, ((2,) * n,) * n)


def with_systems(model: TrainedModel, *systems: tuple[tuple[str, ...], float]) -> TrainedModel:
    """A model that learned from systems of some types of atoms, with a closest approach of all beads in each."""
    n = len(model.card.scales.class_names)
    found = [
        TrainingSystem(
            file=f"{k}.h5",
            mapping_hash="",
            data_hash="",
            n_beads=1,
            length=1.0,
            atom_types=types,
            trained=TrainingRange(longest_bond=1.0, closest_pair=((closest,) * n,) * n),
        )
        for k, (types, closest) in enumerate(systems)
    ]
    return replace(model, card=model.card.model_copy(update={"training_systems": tuple(found)}))


def closest_of(model: TrainedModel, atoms: System) -> float:
    return model.range_of(atoms).closest_pair[0][0]


def test_range_of_a_system_is_that_of_training_systems_with_its_kinds_of_atoms():
    atoms, model = electrolyte(), a_model()
    own = tuple(sorted(set(atom_types(atoms))))
    assert closest_of(model, atoms) == 0.5  # this card has no training systems
    ten, others = ((own, 4.0),) * LEAST_ALIKE, (((*own, "N3"), 2.0),) * 3
    known = with_systems(model, *others, *ten)
    assert closest_of(known, atoms) == 4.0
    assert known.range_of(atoms).longest_bond == model.card.trained.longest_bond
    assert closest_of(with_systems(model, *others, *ten[1:]), atoms) == 2.0
    assert closest_of(replace(known, others=(with_systems(model, *ten[1:], (own, 3.0)),)), atoms) == 3.0
    # A card that was written before training systems had ranges.
    before = known.card.training_systems[-1].model_copy(update={"trained": None, "atom_types": ()})
    old = known.card.model_copy(update={"training_systems": (*known.card.training_systems[:-1], before)})
    assert closest_of(TrainedModel(known.model, old), atoms) == 0.5


@pytest.mark.parametrize("name", ["electrolyte/seed-0", "electrolyte/seed-1", "electrolyte/seed-2", "fast-electrolyte"])
def test_models_that_ship_know_where_two_lithium_ions_meet(name):
    model = load_model(find_model(name), CPU)
    lithium = model.card.scales.class_names.index("Li")

    def nearest(store: str) -> float:
        atoms = open_beads(Path("data/spe-450K") / store, model.card.mapping).atoms
        return model.range_of(atoms).closest_pair[lithium][lithium]

    assert nearest("train/PEO.h5") > 3.8  # no polyether brings them nearer
    assert nearest("train-beads/P-urea.h5") < 2.6  # a carbonyl group holds both


@pytest.mark.parametrize("changes", [{"lag_time": 30.0}, {"refiner": None}], ids=["lag", "no refiner"])
def test_members_of_an_ensemble_differ_in_their_weights_only(tmp_path, changes):
    ensemble(tmp_path, **changes)
    with pytest.raises(
        InputError, match=r"seed-1: differs in model from .*seed-0; an ensemble differs in weights only"
    ):
        load_model(tmp_path, CPU)
