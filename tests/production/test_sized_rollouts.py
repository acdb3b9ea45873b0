"""Rollouts of a model with a size head bring the sizes of their beads, the same however the run was interrupted."""

import h5py
import numpy as np
import pytest
import torch
from small_rollouts import MAPPING, NETWORK, assert_same_rollout, settings, silent, stop_after
from systems import electrolyte, trained_model

from cgsim.beads import open_beads
from cgsim.checkpoint import TrainedModel
from cgsim.graph import BeadBatch
from cgsim.models.bead_size import BeadSizeSettings, SmallNetworkSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.models.model import ModelSettings
from cgsim.production import run as module
from cgsim.production import simulate
from cgsim.production.stores import recut
from cgsim.simulate import bead_sizes
from cgsim.trajectory.store import TrajectoryStore


@pytest.fixture(scope="module")
def sized() -> TrainedModel:
    wanted = ModelSettings(
        lag_time=2.0,
        history_offsets=(0, 1),
        dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0),
        bead_size=BeadSizeSettings(network=SmallNetworkSettings(**dict(NETWORK))),
    )
    return trained_model(wanted, [electrolyte()], MAPPING)


def batch_of(model: TrainedModel, store: TrajectoryStore) -> BeadBatch:
    """The system of a rollout, as its head sees it."""
    beads, cell = open_beads(store.path, MAPPING), store.read(slice(0, 1)).cell[0]
    card = model.card
    inputs = SystemInputs.of(beads.atoms, beads.mapping, cell, card.vocabulary, card.scales.class_names, "rollout")
    with torch.no_grad():
        return make_batch([inputs], [0], model.model.embedding)


def sizes_of(path) -> np.ndarray:
    return TrajectoryStore(path).read(sizes=True).squared_sizes


def test_sizes_of_every_frame_are_those_of_the_head(tmp_path, sized, boxes, monkeypatch):
    monkeypatch.setattr(bead_sizes, "BEADS_AT_ONCE", 60)  # a few frames at once
    results = simulate(sized, boxes, tmp_path / "out.h5", settings(sized, 7), resume=False, report=silent)
    assert len(results) == 2
    for result in results:
        store = TrajectoryStore(result.path)
        trajectory, batch = store.read(sizes=True), batch_of(sized, store)
        assert trajectory.squared_sizes.shape == (8, len(batch.masses))
        with torch.no_grad():
            frames = torch.from_numpy(trajectory.wrapped_positions)
            expected = torch.stack([sized.model.bead_size(batch, x) for x in frames])
        # float32 summed in another order
        np.testing.assert_allclose(trajectory.squared_sizes, expected, rtol=1e-4)
        assert trajectory.squared_sizes.std(axis=0).max() > 1e-3
        with h5py.File(result.path) as file:
            assert file["particles/all/squared_size/value"].attrs["unit"] == "Angstrom2"


def test_run_interrupted_and_resumed_has_the_same_sizes_to_the_last_bit(tmp_path, sized, boxes, monkeypatch):
    monkeypatch.setattr(bead_sizes, "BEADS_AT_ONCE", 60)
    whole = simulate(sized, boxes, tmp_path / "whole.h5", settings(sized, 7), resume=False, report=silent)
    monkeypatch.setattr(module, "SEGMENT_SECONDS", -1.0)  # a segment every step
    with pytest.raises(KeyboardInterrupt):
        simulate(sized, boxes, tmp_path / "out.h5", settings(sized, 7), resume=False, report=stop_after(3))
    parts = simulate(sized, boxes, tmp_path / "out.h5", settings(sized, 7), resume=True, report=silent)
    for one, other in zip(whole, parts, strict=True):
        assert_same_rollout(one.path, other.path)
        np.testing.assert_array_equal(sizes_of(one.path), sizes_of(other.path))


def test_sizes_move_nothing(tmp_path, sized, boxes):
    """The rollout of a model is the same with and without a head."""
    card = sized.card.model_copy(update={"model": sized.card.model.model_copy(update={"bead_size": None})})
    plain = trained_model(card.model, [electrolyte()], MAPPING)
    state = {k: v for k, v in sized.model.state_dict().items() if not k.startswith("bead_size")}
    plain.model.load_state_dict(state)
    paths = [
        simulate(model, boxes[:1], tmp_path / f"{name}.h5", settings(sized, 5), resume=False, report=silent)[0].path
        for name, model in (("sized", sized), ("plain", plain))
    ]
    assert_same_rollout(*paths)
    with h5py.File(paths[0]) as one, h5py.File(paths[1]) as other:
        assert set(one["particles/all"]) - set(other["particles/all"]) == {"squared_size"}


@pytest.mark.parametrize("n", [1, 3, 4, 50])
def test_frames_are_cut_anew_whatever_pieces_they_come_in(n):
    rng = np.random.default_rng(n)
    wrapped = rng.normal(size=(23, 5, 3)).astype(np.float32)
    images = rng.integers(-3, 4, size=(23, 5, 3)).astype(np.int32)
    expected = list(recut([(wrapped, images)], n))
    assert [len(w) for w, _ in expected] == [n] * (23 // n) + ([23 % n] if 23 % n else [])
    for cuts in ([1], [0, 0, 7], [1, 2, 5, 5, 20], list(range(23))):
        pieces = list(zip(np.split(wrapped, cuts), np.split(images, cuts), strict=True))
        found = list(recut(pieces, n))
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
