import math

import numpy as np
import pytest
import torch
from systems import OPEN, bead_spring, rouse_store, trajectory_of

from cgsim.graph import BeadBatch
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.inputs import make_batch
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.models.refiner import RefinerSettings
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.calibrate import _variance_ratio, calibrate
from cgsim.train.data import TrainingSet, Windows, load_training_set
from cgsim.train.module import collate
from cgsim.train.source import Source
from cgsim.trajectory.store import write_store

NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)
SAMPLER = SamplerSettings(n_levels=3, end=0.05, guard=False)


def untrained(tmp_path, *, refined: bool, free_centre: bool = False) -> tuple[CoarseGrainedModel, TrainingSet]:
    """A model as it is before the first step: mean zero, the spread of the data, and a random refiner."""
    settings = ModelSettings(
        lag_time=0.2,
        history_offsets=(0,),
        embedding=EmbeddingSettings(type_size=4, latent=8, n_steps=1, size=4),
        dynamics=DynamicsSettings(network=NETWORK, noise="independent", std_floor=0.1, free_centre=free_centre),
        refiner=RefinerSettings(network=NETWORK) if refined else None,
    )
    path = tmp_path / "chain.h5"
    if not path.exists():
        rouse_store(path, 4, 1501, interval=0.2)
    data = load_training_set([Source(path, 0.0, math.inf)], [], MappingSettings(atoms_per_bead=1), settings)
    torch.manual_seed(0)
    return CoarseGrainedModel(settings, data.scales, data.vocabulary).eval(), data


def test_own_error_is_that_of_independent_draws(tmp_path):
    model, data = untrained(tmp_path, refined=False)
    calibration = calibrate(model, SAMPLER, data, seed=0)
    spread = data.scales.displacement[0]
    # Draws of spread s + floor that know nothing of the truth, of spread s: variances add. 256 windows of 12 numbers.
    expected = ((spread + 0.1) ** 2 + spread**2) ** 0.5
    assert calibration.own_error == pytest.approx(expected, rel=4.5 / (2 * 256 * 12) ** 0.5)
    assert calibration.noise_scale == (1.0,)


@pytest.mark.parametrize("scaled", ["draw", "start"])
def test_calibrated_draws_have_the_variance_of_the_data(tmp_path, scaled):
    model, data = untrained(tmp_path, refined=True)
    sampler = SAMPLER.model_copy(update={"scaled": scaled})
    calibration = calibrate(model, sampler, data, seed=0)
    assert abs(math.log(calibration.noise_scale[0])) > 0.02  # there is something to calibrate
    windows = Windows(data.train, model.settings)
    which, history, displacement = collate([windows[i] for i in range(0, len(windows), 2)])
    with torch.no_grad():
        batch = make_batch(data.inputs(data.train), which, model.embedding)
    propagator = LearnedPropagator(model, sampler, calibration, data.ranges(which))
    drawn = propagator.draw(batch, history, torch.Generator().manual_seed(1)) - history[:, -1]
    ratio = float(drawn.square().mean() / displacement.square().mean())
    # Variances of 9,000 numbers here and 3,000 in the calibration, drawn and true: 4.5 standard errors.
    assert ratio == pytest.approx(1.0, abs=4.5 * (2 * 2 / 9000 + 2 * 2 / 3000) ** 0.5)


@pytest.mark.parametrize("change", [{"method": "published", "step_size": 1e-3}, {"scaled": "none"}], ids=str)
def test_draws_are_left_as_they_are_where_that_is_asked_for(tmp_path, change):
    model, data = untrained(tmp_path, refined=True)
    sampler = SamplerSettings(n_levels=2, guard=False, **change)
    assert calibrate(model, sampler, data, seed=0).noise_scale == (1.0,)


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_calibrated_centre_of_mass_diffuses_like_that_of_the_data_at_long_times(tmp_path, memory):
    # Steps of the centre s(t) = n(t) + memory n(t - 1): one lag alone says 1 + memory^2, long times (1 + memory)^2.
    rng = np.random.default_rng(0)
    n_frames = 20_001
    noise = rng.normal(size=(n_frames + 1, 1, 3))
    path = np.cumsum(noise[1:] + memory * noise[:-1], axis=0) + rng.normal(scale=0.3, size=(n_frames, 3, 3))
    path -= (path - np.cumsum(noise[1:] + memory * noise[:-1], axis=0)).mean(axis=1, keepdims=True)
    write_store(tmp_path / "chain.h5", trajectory_of(bead_spring(3), path, OPEN, 0.2))
    model, data = untrained(tmp_path, refined=False, free_centre=True)
    found = calibrate(model, SAMPLER, data, seed=0).centre_variance
    # Three beads of mass 1; the variance of the estimate is at most 6 / 60,000 numbers times its square.
    assert found == pytest.approx(3.0 * (1.0 + memory) ** 2, rel=4.5 * (6 / 60_000) ** 0.5)


def test_slow_systems_count_as_much_as_quick_ones():
    none = torch.zeros(2, 0, dtype=torch.int64)
    batch = BeadBatch(
        sizes=(3, 2),
        bead_class=torch.tensor([0, 0, 1, 0, 0]),
        masses=torch.ones(5),
        bond_index=none,
        cell=torch.zeros(2, 3, 3),
        embedding=torch.zeros(5, 1),
        bond_embedding=torch.zeros(2, 0, 0),
    )
    true = torch.tensor([1.0, 3.0, 5.0, 100.0, 300.0])
    drawn = torch.tensor([2.0, 4.0, 4.0, 100.0, 100.0])
    # Class 0: 6 / 4 in one system, 200 / 400 in the other; class 1: 4 / 5 in the only one; class 2 is not there.
    torch.testing.assert_close(_variance_ratio(drawn, true, batch, 3), torch.tensor([1.0, 0.8, 1.0]))
