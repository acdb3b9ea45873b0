import json
import math
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cgsim.checkpoint import load_model
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.models.refiner import RefinerSettings
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.fit import Plan, fit
from cgsim.train.module import HistoryNoise, TrainingModule, TrainingSettings
from cgsim.train.source import Source
from cgsim.units import UnitSystem

NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)
EMBEDDING = EmbeddingSettings(type_size=4, latent=8, n_steps=1, size=4)
# The rate stays the same, so that a short run is the beginning of a long one.
CONSTANT = {"learning_rate": 5e-3, "final_learning_rate": 5e-3, "warmup_steps": 0}


def plan(stores: Path, *, held_out: bool = False, refiner: bool = False, **training) -> Plan:
    model = ModelSettings(
        lag_time=0.1,
        history_offsets=(0, 1),
        embedding=EMBEDDING,
        dynamics=DynamicsSettings(network=NETWORK),
        refiner=RefinerSettings(network=NETWORK, largest_noise=2.0) if refiner else None,
    )
    settings = TrainingSettings.model_validate({"steps": 10, "validate_every": 4, "batch_size": 4, **training})
    return Plan(
        name="test",
        units=None,
        train=[Source(stores / f"{name}.h5", 0.0, math.inf) for name in ("a", "b")],
        validation=[Source(stores / "held-out.h5", 0.0, math.inf)] if held_out else [],
        mapping=MappingSettings(atoms_per_bead=1),
        model=model,
        training=settings,
        sampler=SamplerSettings(),
        experiment={"model": json.loads(model.model_dump_json()), "training": settings.model_dump(mode="json")},
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def interrupt_at(step: int, monkeypatch) -> None:
    """Ctrl-C at a certain step."""
    training_step = TrainingModule.training_step

    def interrupted(self, batch, index):
        if self.global_step == step:
            raise KeyboardInterrupt
        return training_step(self, batch, index)

    monkeypatch.setattr(TrainingModule, "training_step", interrupted)


@pytest.mark.parametrize(
    ("stop", "averaging", "held_out", "refiner"),
    [(5, 0.7, True, True), (8, 0.7, False, False), (8, 0.0, False, False)],
    ids=["amid an epoch", "at its end", "without averaging"],
)
def test_training_resumed_after_an_interruption_gives_the_same_bits(
    stores, tmp_path, monkeypatch, stop, averaging, held_out, refiner
):
    noise = HistoryNoise(largest=0.1)
    given = plan(stores, held_out=held_out, refiner=refiner, averaging=averaging, history_noise=noise)
    fit(given, tmp_path / "whole", resume=False)
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        interrupt_at(stop, patched)
        with pytest.raises(KeyboardInterrupt):
            fit(given, tmp_path / "parts", resume=False)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not (tmp_path / "parts" / "model").exists()
    fit(given, tmp_path / "parts", resume=True)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    curves = [(tmp_path / name / "metrics.csv").read_text() for name in ("whole", "parts")]
    assert curves[0] == curves[1]


def test_training_is_a_function_of_its_settings_alone(stores, tmp_path):
    torch.manual_seed(123)
    fit(plan(stores, steps=5), tmp_path / "one", resume=False)
    torch.manual_seed(321)
    fit(plan(stores, steps=5, held_out=True), tmp_path / "two", resume=False)
    fit(plan(stores, steps=5, seed=1), tmp_path / "three", resume=False)
    assert_equal(weights(tmp_path / "one"), weights(tmp_path / "two"))
    assert any(not torch.equal(a, b) for a, b in zip(weights(tmp_path / "one").values(),
                                                    weights(tmp_path / "three").values(), strict=True))  # fmt: skip


def test_saved_weights_are_the_moving_average_of_the_steps(stores, tmp_path):
    decay, n = 0.6, 4
    for steps in range(1, n + 1):
        fit(plan(stores, steps=steps, averaging=0.0, **CONSTANT), tmp_path / str(steps), resume=False)
    each = [weights(tmp_path / str(steps)) for steps in range(1, n + 1)]
    fit(plan(stores, steps=n, averaging=decay, **CONSTANT), tmp_path / "averaged", resume=False)
    found = weights(tmp_path / "averaged")
    for name, value in found.items():
        expected = each[0][name]
        for step in each[1:]:
            expected = decay * expected + (1.0 - decay) * step[name]
        # The same sums in another order, in float32.
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    assert any(not torch.equal(found[name], each[-1][name]) for name in found)
    buffers = [name for name in found if "scale" in name or "centers" in name]
    assert buffers
    for name in buffers:
        assert torch.equal(found[name], each[0][name]), name


def test_finished_training_that_was_never_saved_is_saved_by_resuming(stores, tmp_path):
    given = plan(stores, averaging=0.7)
    fit(given, tmp_path / "run", resume=False)
    before, card = weights(tmp_path / "run"), (tmp_path / "run" / "model" / "model.json").read_text()
    for file in (tmp_path / "run" / "model").iterdir():
        file.unlink()
    fit(given, tmp_path / "run", resume=True)
    assert_equal(before, weights(tmp_path / "run"))
    after = (tmp_path / "run" / "model" / "model.json").read_text()
    seconds = '"training_seconds"'
    assert [a for a in card.splitlines() if seconds not in a] == [b for b in after.splitlines() if seconds not in b]


def test_finished_training_can_be_prolonged(stores, tmp_path):
    fit(plan(stores, steps=8, averaging=0.0, **CONSTANT), tmp_path / "run", resume=False)
    fit(plan(stores, steps=13, averaging=0.0, **CONSTANT), tmp_path / "run", resume=True)
    fit(plan(stores, steps=13, averaging=0.0, **CONSTANT), tmp_path / "whole", resume=False)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "run"))


def test_time_of_training_is_that_of_all_its_parts(stores, tmp_path):
    first = fit(plan(stores, steps=8), tmp_path / "run", resume=False).card.figures["training_seconds"]
    second = fit(plan(stores, steps=13), tmp_path / "run", resume=True).card.figures["training_seconds"]
    idle = fit(plan(stores, steps=13), tmp_path / "run", resume=True).card.figures["training_seconds"]
    assert first < min(second, idle)
    assert idle == pytest.approx(second, abs=1.0)  # between the last checkpoint and the end of training


def test_finished_model_is_calibrated_for_another_sampler_by_resuming(stores, tmp_path):
    given = plan(stores, refiner=True, steps=8)
    before = fit(given, tmp_path / "run", resume=False)
    other = SamplerSettings(method="published", n_levels=2)  # whose noise is left as it is drawn
    experiment = {**given.experiment, "sampler": other.model_dump(mode="json")}
    after = fit(replace(given, sampler=other, experiment=experiment), tmp_path / "run", resume=True)
    assert_equal(dict(before.model.state_dict()), dict(after.model.state_dict()))
    assert after.card.sampler == other
    assert before.card.calibration.noise_scale != after.card.calibration.noise_scale == (1.0,)


def test_model_in_memory_is_the_one_on_disk_and_ready_to_use(stores, tmp_path):
    trained = fit(plan(stores, refiner=True, steps=1), tmp_path / "run", resume=False)
    loaded = load_model(tmp_path / "run" / "model", torch.device("cpu"))
    assert loaded.card == trained.card
    assert_equal(dict(trained.model.state_dict()), dict(loaded.model.state_dict()))
    assert not trained.model.training
    assert not loaded.model.training


def test_curves_and_card_end_with_the_last_step(stores, tmp_path):
    trained = fit(plan(stores, held_out=True, steps=10), tmp_path / "run", resume=False)
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    header, *rows = [line.split(",") for line in lines]
    assert [row[header.index("step")] for row in rows] == ["4", "8", "10"]
    for name in ("train/loss", "validation/loss", "validation/likelihood"):
        assert trained.card.figures[name] == float(rows[-1][header.index(name)])


def test_nothing_is_printed_and_no_warning_raised(stores, tmp_path, capfd):
    for held_out in (False, True):
        fit(plan(stores, held_out=held_out, steps=6), tmp_path / str(held_out), resume=False)
    fit(plan(stores, held_out=True, steps=8), tmp_path / "True", resume=True)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_run_is_resumed_on_a_machine_that_runs_networks_otherwise(stores, tmp_path):
    fit(plan(stores, steps=1), tmp_path / "run", resume=False)
    other = plan(stores, steps=2, execution={"edges_at_once": 64})
    assert fit(other, tmp_path / "run", resume=True).card.experiment == other.experiment


def test_run_is_neither_overwritten_nor_resumed_from_nothing(stores, tmp_path):
    with pytest.raises(InputError) as error:
        fit(plan(stores), tmp_path / "run", resume=True)
    assert str(error.value) == (
        f"{tmp_path / 'run' / 'checkpoints' / 'last.ckpt'}: no such file, so there is no training run to resume"
    )
    fit(plan(stores, steps=1), tmp_path / "run", resume=False)
    with pytest.raises(InputError) as error:
        fit(plan(stores, steps=1), tmp_path / "run", resume=False)
    assert str(error.value) == (
        f"{tmp_path / 'run'}: holds a training run already; add --resume to go on, or choose another folder"
    )


def test_run_is_resumed_with_its_own_settings_only(stores, tmp_path):
    fit(plan(stores, steps=2), tmp_path / "run", resume=False)
    with pytest.raises(InputError) as error:
        fit(plan(stores, steps=4, batch_size=5), tmp_path / "run", resume=True)
    assert str(error.value) == (
        f"{tmp_path / 'run' / 'checkpoints' / 'last.ckpt'}: was written with training.batch_size = 4, now it is 5; "
        "a run is resumed with the settings it was begun with (only training.steps, training.execution and the "
        "sampler may change)"
    )


def test_damaged_checkpoint_is_refused(stores, tmp_path):
    fit(plan(stores, steps=1), tmp_path / "run", resume=False)
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    for content in (b"", b"not a checkpoint", checkpoint.read_bytes()[:1000]):
        checkpoint.write_bytes(content)
        with pytest.raises(InputError, match=r"last.ckpt: cannot be read as a checkpoint of 'cgsim train'"):
            fit(plan(stores, steps=2), tmp_path / "run", resume=True)


def test_bad_data_is_refused_before_anything_is_written(stores, tmp_path):
    given = plan(stores)
    given = replace(given, model=given.model.model_copy(update={"lag_time": 0.25}))
    with pytest.raises(InputError, match="is not a multiple of the save interval"):
        fit(given, tmp_path / "run", resume=False)
    assert not (tmp_path / "run").exists()


def test_times_in_other_units_than_the_stores_are_refused(stores, tmp_path):
    given = replace(plan(stores), units=UnitSystem.MOLECULAR)
    with pytest.raises(InputError) as error:
        fit(given, tmp_path / "run", resume=False)
    assert str(error.value) == f"{stores / 'a.h5'}: is in lj units, the times of the experiment in molecular"
    fit(replace(plan(stores, steps=1), units=UnitSystem.LJ), tmp_path / "run", resume=False)
