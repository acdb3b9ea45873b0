"""The speed benchmark measures the models that ship: their weights, samplers, guards."""

import pytest
import torch

from cgsim.beads import open_beads
from cgsim.benchmark.speed.steps import Stepper
from cgsim.benchmark.speed.systems import SHIPPED, copies_of, import_electrolyte, load_shipped
from cgsim.checkpoint import find_model, load_model
from cgsim.models.execution import Execution

CPU = torch.device("cpu")


@pytest.mark.slow  # reads the trajectory that ships
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_model_is_measured_with_its_own_weights_and_can_take_the_step(name, tmp_path):
    store = import_electrolyte(tmp_path)
    setting = load_shipped(name, store, CPU)
    model = load_model(find_model(f"{name}/seed-0"), CPU)
    atoms = open_beads(store, model.card.mapping).atoms
    weights = dict(setting.model.named_parameters())
    assert all(torch.equal(weights[name], value) for name, value in model.model.named_parameters())
    propagator = setting.propagator()
    assert propagator.sampler == model.card.sampler
    assert propagator.calibration == model.card.calibration
    torch.testing.assert_close(propagator.guard.closest[0], torch.tensor(model.range_of(atoms).closest_pair))
    frame = Stepper(setting, *copies_of(setting, 1), Execution())()
    assert frame.wrapped_positions.shape == (setting.inputs.n_beads, 3)
    assert bool(torch.isfinite(frame.wrapped_positions).all())
