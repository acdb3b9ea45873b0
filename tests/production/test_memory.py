"""A run retreats from the end of memory, and its second thread hides no error."""

from pathlib import Path

import pytest
import torch
from small_rollouts import CELL, MAPPING, NETWORK, assert_same_rollout, silent
from systems import electrolyte, electrolyte_store, trained_model

from cgsim.errors import InputError
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.execution import Execution
from cgsim.models.model import ModelSettings
from cgsim.production import ProductionSettings, simulate
from cgsim.production.segments import BackgroundWriter, RunState, SegmentFolder
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.simulate.rollout import RolloutState
from cgsim.simulate.sampler import SamplerSettings

SETTINGS = ProductionSettings(
    time=12.0, replicas=2, sampler=SamplerSettings(guard=False), execution=Execution(edges_at_once=4096)
)


@pytest.fixture
def model():
    settings = ModelSettings(lag_time=2.0, dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0))
    return trained_model(settings, [electrolyte()], MAPPING)


@pytest.fixture
def box(tmp_path) -> Path:
    return electrolyte_store(tmp_path / "box.h5", 8, cell=CELL)


def run(model, box, output, settings=SETTINGS):
    return simulate(model, [box], output, settings, resume=False, report=silent)


def test_step_that_does_not_fit_into_memory_is_drawn_again_in_smaller_pieces(model, box, tmp_path, monkeypatch):
    expected = run(model, box, tmp_path / "calm.h5")
    draw, calls = LearnedPropagator.draw, []

    def exhausted_once(self, *arguments):
        calls.append(self.model.dynamics.body.execution.edges_at_once)
        if len(calls) == 3:
            torch.randn(5, generator=arguments[-1])  # half a draw is lost with its random numbers
            raise torch.OutOfMemoryError("CUDA out of memory")
        return draw(self, *arguments)

    monkeypatch.setattr(LearnedPropagator, "draw", exhausted_once)
    found = run(model, box, tmp_path / "narrow.h5")
    assert calls == [4096] * 3 + [2048] * 4
    for one, other in zip(expected, found, strict=True):
        assert one.n_frames == other.n_frames == 7
        assert_same_rollout(one.path, other.path)


def test_run_that_fits_in_no_way_is_refused_in_one_line(model, box, tmp_path, monkeypatch):
    def exhausted(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 10 bytes")

    monkeypatch.setattr(LearnedPropagator, "draw", exhausted)
    with pytest.raises(InputError, match=r"2 rollouts side by side \(\d+ beads\) do not fit into the memory of cpu"):
        run(model, box, tmp_path / "none.h5")


def test_other_errors_of_a_draw_are_not_taken_for_want_of_memory(model, box, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(LearnedPropagator, "draw", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(model, box, tmp_path / "broken.h5")


def test_error_of_the_second_thread_reaches_the_run(tmp_path, monkeypatch):
    def full(*_):
        raise InputError("out.h5: no space left")

    monkeypatch.setattr(SegmentFolder, "write", full)
    writer = BackgroundWriter(SegmentFolder(tmp_path / "out.h5"))
    state = RolloutState(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3, dtype=torch.int32))
    with pytest.raises(InputError, match="no space left"), writer:
        writer.write((0,), [], RunState(0, 0.0, (0,), (), (), state, torch.Generator().get_state()))
