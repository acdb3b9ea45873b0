import math
from pathlib import Path

import pytest
import torch
import yaml

from cgsim.config import load_experiment, override_sampler, select_device
from cgsim.errors import InputError
from cgsim.simulate.sampler import SamplerSettings
from cgsim.units import UnitSystem

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
SMALLEST = {"name": "x", "data": {"train": ["a.h5"]}, "model": {"lag_time": "15 ps", "dynamics": {"cutoff": 7.0}}}


@pytest.fixture
def config(tmp_path):
    """Writes settings into a file."""

    def write(settings) -> Path:
        path = tmp_path / "experiment.yaml"
        path.write_text(settings if isinstance(settings, str) else yaml.safe_dump(settings))
        return path

    return write


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_shipped_settings_are_valid(path):
    experiment = load_experiment(path, [])
    assert experiment.name == path.stem
    assert experiment.units is not None


def test_smallest_experiment_takes_all_defaults(config):
    experiment = load_experiment(config(SMALLEST), [])
    assert experiment.model.lag_time == 15.0
    assert experiment.units is UnitSystem.MOLECULAR
    assert experiment.data.end == math.inf
    plan = experiment.plan()
    assert [s.path for s in plan.train] == [Path("a.h5")]
    assert plan.model.dynamics.cutoff == 7.0
    assert plan.units is UnitSystem.MOLECULAR


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("training.steps=17", lambda e: e.training.steps == 17),
        ("model.lag_time=0.2 ns", lambda e: e.model.lag_time == 200.0),
        ("model.history_offsets=[0, 1, 4]", lambda e: e.model.history_offsets == (0, 1, 4)),
        ("model.refiner.cutoff=9", lambda e: e.model.refiner.cutoff == 9.0),
        ("model.refiner=null", lambda e: e.model.refiner is None),
        ("mapping.beads_per_molecule={TFSI: 2}", lambda e: e.mapping.beads_per_molecule == {"TFSI": 2}),
        ("training.learning_rate=1e-4", lambda e: e.training.learning_rate == 1e-4),
        ("model.dynamics.cutoff=.inf", lambda e: e.model.dynamics.cutoff == math.inf),
        ("sampler.start=matched", lambda e: e.sampler.start == "matched"),
        ("data.end=1 ns", lambda e: e.data.end == 1000.0),
        ("training.steps = 18", lambda e: e.training.steps == 18),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_single_settings_can_be_changed(config, override, read):
    assert read(load_experiment(config(SMALLEST), [override]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.step=5", "unknown key 'training.step'; did you mean 'steps'?"),
        ("trainin.steps=5", "unknown key 'trainin'; did you mean 'training'?"),
        ("model.dynamics.network.latents=5", "unknown key 'model.dynamics.network.latents'; did you mean 'latent'?"),
        ("model.refiner.cutof=5", "unknown key 'model.refiner.cutof'; did you mean 'cutoff'?"),
        ("training.steps=0", "training.steps: Input should be greater than or equal to 1, got 0"),
        ("training.steps=many",
         "training.steps: Input should be a valid integer, unable to parse string as an integer, got 'many'"),
        ("model.lag_time=15", None),
        ("model.lag_time=-15 ps", "model.lag_time: time must be positive, got '-15 ps'"),
        ("model.lag_time=15 hours",
         "model.lag_time: time '15 hours' needs one of the units fs, ps, ns, us, for example '15us'"),
        ("model.history_offsets=[1, 2]", "model: history_offsets must ascend from 0, got [1, 2]"),
        ("model.history_offsets=[0, 2, 2]", "model: history_offsets must ascend from 0, got [0, 2, 2]"),
        (
            "model.dynamics.noise=paired",
            "model.dynamics.noise: Input should be 'pair', 'smooth' or 'independent', got 'paired'",
        ),
        ("data.train=[]", "data.train: Tuple should have at least 1 item after validation, not 0, got []"),
        ("model.refiner={smallest_noise: 5, largest_noise: 1}",
         "model.refiner: smallest_noise 5.0 must be below largest_noise 1.0"),
        ("model.dynamics.ion_cutoff=6", "model.dynamics: ion_cutoff 6.0 must be above cutoff 7.0"),
        ("model.dynamics.solvation_cutoff=6", "model.dynamics: solvation_cutoff 6.0 must be above cutoff 7.0"),
    ],
    ids=lambda x: x if isinstance(x, str) and "=" in x else "",
)  # fmt: skip
def test_mistakes_are_named_with_the_value_found_and_the_nearest_key(config, override, message):
    path = config(SMALLEST)
    if message is None:
        assert load_experiment(path, [override]).model.lag_time == 15.0
        return
    with pytest.raises(InputError) as error:
        load_experiment(path, [override])
    assert str(error.value) == f"{path}: {message}"


def test_acceleration_needs_the_last_displacement(config):
    with pytest.raises(InputError, match=r"model: target 'acceleration' needs history_offsets that start 0, 1, got"):
        load_experiment(config(SMALLEST), ["model.dynamics.target=acceleration", "model.history_offsets=[0]"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.steps", "--set training.steps: expected KEY=VALUE, for example training.steps=1000"),
        ("model.lag_time.value=3", "--set model.lag_time.value=3: 'lag_time' is a value, not a group of settings"),
        ("data.train=[a", "--set data.train=[a: '[a' is not YAML"),
    ],
)
def test_override_that_cannot_be_read_is_refused(config, override, message):
    with pytest.raises(InputError) as error:
        load_experiment(config(SMALLEST), [override])
    assert str(error.value) == message


def test_missing_key_is_named(config):
    path = config({"name": "x", "data": {"train": ["a.h5"]}})
    with pytest.raises(InputError) as error:
        load_experiment(path, [])
    assert str(error.value) == f"{path}: key 'model' is missing"


def test_times_in_two_systems_of_units_are_refused(config):
    path = config(SMALLEST)
    with pytest.raises(InputError) as error:
        load_experiment(path, ["data.end=500 tau"])
    assert str(error.value) == (
        f"{path}: model.lag_time is '15 ps' but data.end is '500 tau': times must be in one system of units"
    )
    assert load_experiment(path, ["model.lag_time=5 tau", "data.end=500 tau"]).units is UnitSystem.LJ


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", ", line 1: not YAML"),
        ("name: x\n\tdata: y", ", line 2: not YAML"),
        ("- a\n- b", ": expected settings as 'key: value', found list"),
        ("", ": expected settings as 'key: value', found NoneType"),
    ],
)
def test_file_that_is_no_settings_is_refused(config, text, message):
    path = config(text)
    with pytest.raises(InputError) as error:
        load_experiment(path, [])
    assert str(error.value) == f"{path}{message}"


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(InputError) as error:
        load_experiment(tmp_path / "none.yaml", [])
    assert str(error.value) == f"{tmp_path / 'none.yaml'}: no such file"
    with pytest.raises(InputError) as error:
        load_experiment(tmp_path, [])
    assert str(error.value) == f"{tmp_path}: is a folder, expected a YAML file"


def test_patterns_find_files_in_order(config, tmp_path, monkeypatch):
    for name in ("b1", "a1", "c"):
        (tmp_path / f"{name}.h5").touch()
    monkeypatch.chdir(tmp_path)
    for pattern in ("*1.h5", "?1.h5", "[ab]1.h5", str(tmp_path / "*1.h5")):
        plan = load_experiment(config({**SMALLEST, "data": {"train": [pattern]}}), []).plan()
        assert [s.path.name for s in plan.train] == ["a1.h5", "b1.h5"]
    with pytest.raises(InputError) as error:
        load_experiment(config({**SMALLEST, "data": {"train": ["d*.h5"]}}), []).plan()
    assert str(error.value) == "data: 'd*.h5' matches no file"


def test_system_in_training_and_validation_is_refused(config, tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / f"{name}.h5").touch()
    monkeypatch.chdir(tmp_path)
    path = config({**SMALLEST, "data": {"train": ["*.h5"], "validation": ["b.h5"]}})
    with pytest.raises(InputError) as error:
        load_experiment(path, []).plan()
    assert str(error.value) == "data: b.h5 is in train and in validation, where it would prove nothing"


def test_record_of_an_experiment_can_be_read_back(config):
    experiment = load_experiment(config(SMALLEST), ["model.dynamics.cutoff=.inf", "model.refiner={}"])
    again = type(experiment).model_validate(experiment.plan().experiment)
    assert again == experiment


def test_sampler_can_be_changed_for_a_simulation():
    sampler = SamplerSettings(n_levels=5)
    changed = override_sampler(sampler, ["n_levels=3", "start=1.5", "method=langevin"])
    assert (changed.n_levels, changed.start, changed.method, changed.end) == (3, 1.5, "langevin", sampler.end)
    assert override_sampler(sampler, ["scaled=none"]).scaled == "none"
    for override, message in (
        ("levels=3", "--sampler: unknown key 'levels'; did you mean 'n_levels'?"),
        ("n_levels", "--sampler n_levels: expected KEY=VALUE, for example n_levels=4"),
        ("n_levels=0", "--sampler: n_levels: Input should be greater than or equal to 1, got 0"),
        ("method=[", "--sampler method=[: '[' is not YAML"),
        (
            "scaled=start",
            "--sampler scaled=start: the model was calibrated with scaled=draw; calibrate it anew by "
            "cgsim train --resume --set sampler.scaled=start",
        ),
    ):
        with pytest.raises(InputError) as error:
            override_sampler(sampler, [override])
        assert str(error.value) == message


def test_device_that_is_not_here_is_refused():
    assert select_device("cpu") == torch.device("cpu")
    assert select_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("cuda:99", "tpu9", ""):
        with pytest.raises(InputError) as error:
            select_device(name)
        assert str(error.value) == f"device {name!r} is not available; known: auto, cpu, cuda"
