"""What a run refuses, in one line and before it leaves anything on the disk."""

from pathlib import Path

import pytest
from small_rollouts import CELL, MAPPING, NETWORK, settings, silent, stop_after
from systems import (
    electrolyte,
    electrolyte_store,
    glyme,
    molecule,
    rouse_store,
    shaking_molecules,
    trained_model,
    trajectory_of,
)

from cgsim.checkpoint import TrainedModel
from cgsim.errors import InputError
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.model import ModelSettings
from cgsim.production import ProductionSettings, simulate
from cgsim.simulate.sampler import SamplerSettings
from cgsim.trajectory.store import write_store


def message_of_refusal(tmp_path: Path, model: TrainedModel, starts: list[Path], wanted: ProductionSettings) -> str:
    with pytest.raises(InputError) as error:
        simulate(model, starts, tmp_path / "out.h5", wanted, resume=False, report=silent)
    assert not (tmp_path / ".out.partial").exists()
    return str(error.value)


def test_outputs_are_never_overwritten(tmp_path, model, boxes):
    (tmp_path / "out.h5").write_text("precious")
    message = message_of_refusal(tmp_path, model, boxes[:1], settings(model, 1))
    assert message == f"{tmp_path / 'out.h5'}: exists already; choose another output or remove it"
    assert (tmp_path / "out.h5").read_text() == "precious"


def test_missing_folder_is_refused(tmp_path, model, boxes):
    message = message_of_refusal(tmp_path / "none", model, boxes[:1], settings(model, 1))
    assert message == f"{tmp_path / 'none'}: no such folder"


def test_two_starts_of_one_name_are_refused(tmp_path, model, boxes):
    message = message_of_refusal(tmp_path, model, [boxes[0], boxes[0]], settings(model, 1))
    assert message == f"{tmp_path / 'out.h5'}: two starts have the same file name; rename one"


def test_resuming_needs_an_interrupted_run_of_the_same_settings(tmp_path, model, boxes):
    output = tmp_path / "out.h5"
    with pytest.raises(InputError) as error:
        simulate(model, boxes[:1], output, settings(model, 2), resume=True, report=silent)
    assert str(error.value) == f"{output}: there is no interrupted run to resume"
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes[:1], output, settings(model, 2), resume=False, report=stop_after(1))
    with pytest.raises(InputError) as error:
        simulate(model, boxes[:1], output, settings(model, 2), resume=False, report=silent)
    assert str(error.value) == (
        f"{output}: an interrupted run is there; add --resume, or remove {tmp_path / '.out.partial'}"
    )
    for changed in ({"seed": 5}, {"sampler": SamplerSettings(n_levels=3)}, {"begin": 6.0}):
        with pytest.raises(InputError) as error:
            simulate(model, boxes[:1], output, settings(model, 2, **changed), resume=True, report=silent)
        assert str(error.value) == (
            f"{tmp_path / '.out.partial'}: was begun with another model, start or settings, so it cannot be resumed"
        )


def test_start_that_does_not_suit_the_model_is_refused(tmp_path, model, boxes):
    short = electrolyte_store(tmp_path / "short.h5", 3, cell=CELL)
    assert message_of_refusal(tmp_path, model, [short], settings(model, 1)) == (
        f"{short}: the model looks back 3 lags of 2 ps, which needs 4 frames; the file has 3; "
        "one frame is enough for what ships as: fast-electrolyte"
    )
    assert message_of_refusal(tmp_path, model, boxes[:1], settings(model, 1, begin=100.0)) == (
        f"{boxes[0]}: cannot start at 100 ps; the trajectory is 14 ps long"
    )
    odd = electrolyte_store(tmp_path / "odd.h5", 8, cell=CELL, interval=3.0)
    assert message_of_refusal(tmp_path, model, [odd], settings(model, 1)) == (
        f"{odd}: lag_time 2 ps is not a multiple of the save interval 3 ps; "
        "one frame is enough for what ships as: fast-electrolyte"
    )
    reduced = rouse_store(tmp_path / "reduced.h5", 3, 8)
    assert message_of_refusal(tmp_path, model, [reduced], settings(model, 1)) == (
        f"{reduced}: is in lj units, the model was trained in molecular"
    )
    sulfur = molecule(glyme(6).replace("O", "S"))
    motion = shaking_molecules(sulfur, CELL, 8, drift=0.1, rattle=0.1, seed=0)
    write_store(tmp_path / "sulfur.h5", trajectory_of(sulfur, motion, CELL, 2.0))
    assert message_of_refusal(tmp_path, model, [tmp_path / "sulfur.h5"], settings(model, 1)).startswith(
        f"{tmp_path / 'sulfur.h5'}: atom type 'S2' (element and number of bonds) is unknown to the model"
    )


def test_one_frame_is_refused_by_a_model_with_a_memory_and_one_without_is_named(tmp_path, model):
    start = electrolyte_store(tmp_path / "start.h5", 1, cell=CELL)
    message = message_of_refusal(tmp_path, model, [start], settings(model, 1))
    expected = f"{start}: has one frame, {model.card.name!r} looks back 6 ps; one frame is enough for what ships as: "
    assert message == f"{expected}fast-electrolyte"


def test_model_of_open_systems_refuses_a_periodic_start(tmp_path, boxes):
    wanted = ModelSettings(lag_time=2.0, dynamics=DynamicsSettings(network=NETWORK))
    everything = trained_model(wanted, [electrolyte()], MAPPING)
    assert message_of_refusal(tmp_path, everything, boxes[:1], settings(everything, 1)) == (
        f"{boxes[0]}: has a periodic cell, but the model was trained on open systems"
    )
