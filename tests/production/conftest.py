"""A model of a periodic electrolyte, two starts, and a whole run from them."""

from pathlib import Path

import pytest
from small_rollouts import CELL, MAPPING, NETWORK, settings, silent
from systems import electrolyte, electrolyte_store, trained_model

from cgsim.checkpoint import TrainedModel
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.model import ModelSettings
from cgsim.models.refiner import RefinerSettings
from cgsim.production import simulate


@pytest.fixture(scope="session")
def boxes(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("boxes")
    return [electrolyte_store(folder / f"box-{seed}.h5", 8, cell=CELL, seed=seed) for seed in (0, 1)]


@pytest.fixture(scope="session")
def model() -> TrainedModel:
    wanted = ModelSettings(
        lag_time=2.0,
        history_offsets=(0, 1, 3),
        dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0),
        refiner=RefinerSettings(network=NETWORK, cutoff=6.0),
    )
    return trained_model(wanted, [electrolyte()], MAPPING)


@pytest.fixture(scope="session")
def whole(tmp_path_factory, model, boxes) -> list[Path]:
    """Seven steps without interruption: two boxes, two replicas each."""
    output = tmp_path_factory.mktemp("whole") / "out.h5"
    return [r.path for r in simulate(model, boxes, output, settings(model, 7, replicas=2), resume=False, report=silent)]
