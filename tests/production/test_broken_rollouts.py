"""A rollout that breaks ends with its good frames and a verdict; the others beside it go on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_rollouts import NETWORK, assert_same_rollout, settings, silent, stop_after
from systems import OPEN, bead_spring, trained_model, trajectory_of

from cgsim.checkpoint import TrainedModel
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.model import ModelSettings
from cgsim.production import run as module
from cgsim.production import simulate
from cgsim.simulate.stability import HealthSettings, TrainingRange
from cgsim.trajectory.store import TrajectoryStore, write_store

PATIENT = HealthSettings(patience=2)


class Marching:
    """Stands for the learned propagator: z is the clock, x says what happens to a chain, and noise comes on top."""

    history_offsets = (0,)

    def __init__(self, *_: object) -> None:
        self.n_guarded = torch.zeros(0, dtype=torch.int64)

    def draw(self, batch, history, generator):
        """Move by one in z; from 3 on tear the chain at x = 200, from 4 on crush that at 100, at 5 lose that at 0."""
        positions = history[:, -1] + torch.tensor([0.0, 0.0, 1.0])
        positions[:, 1] = 1.3 * (torch.arange(len(positions)) % 3)
        positions[:, :2] += 0.01 * torch.randn(len(positions), 2, generator=generator)
        for beads in map(batch.beads_of, range(len(batch.sizes))):
            x, z = positions[beads[0], 0], positions[beads[0], 2]
            if 150 < x < 250 and z > 2.5:
                positions[beads[2], 1] = 9.0
            if 50 < x < 150 and z > 3.5:
                positions[beads[1]] = positions[beads[0]] + 0.01
            if x < 50 and z > 4.5:
                positions[beads[0], 0] = torch.nan
        return positions


@pytest.fixture
def chains(tmp_path, monkeypatch) -> tuple[TrainedModel, list[Path]]:
    """Four chains of three beads, at x = 0, 100, 200 and 300, and a propagator that breaks the first three."""
    monkeypatch.setattr(module, "LearnedPropagator", Marching)
    starts = []
    for place in range(4):
        position = np.zeros((1, 3, 3))
        position[:, :, 0] = 100.0 * place
        position[:, :, 1] = 1.3 * np.arange(3)
        starts.append(tmp_path / f"chain-{place}.h5")
        atoms = replace(bead_spring(3, type_names=("1",)), names=(starts[-1].stem,) * 3)
        write_store(starts[-1], trajectory_of(atoms, position, OPEN, 1.0))
    wanted = ModelSettings(lag_time=1.0, history_offsets=(0,), dynamics=DynamicsSettings(network=NETWORK))
    seen = TrainingRange(longest_bond=2.0, closest_pair=((1.0,),))
    return trained_model(wanted, [bead_spring(3, type_names=("1",))], MappingSettings(atoms_per_bead=1), seen), starts


def test_each_fault_stops_its_own_rollout_keeps_its_good_frames_and_lets_the_others_go_on(tmp_path, chains):
    model, starts = chains
    wanted = settings(model, 8, health=PATIENT)
    seen = []
    results = simulate(
        model, starts, tmp_path / "out.h5", wanted, resume=False, report=lambda p: seen.append((p.step, p.n_alive))
    )
    # The chain at 200 is torn at steps 3 and 4. Step 5 has no numbers for the chain at 0 and is drawn again without it,
    # so the chain at 100, crushed at steps 4 and 5, has one good verdict only then.
    assert [(r.verdict.verdict, r.n_frames) for r in results] == [
        ("not a number", 1 + 4),
        ("overlap", 1 + 5),
        ("torn bond", 1 + 4),
        ("healthy", 1 + 8),
    ]
    assert results[0].verdict.message == "step 5: a position is not finite"
    assert results[1].verdict.message.startswith(
        "step 5: beads 1 and 2 are 0.0173 sigma apart, never below 1 in training"
    )
    assert results[2].verdict.message.startswith("step 4: bond 2-3 is ")
    assert [(r.verdict.overlap_steps, r.verdict.torn_bond_steps) for r in results] == [(0, 0), (2, 0), (0, 2), (0, 0)]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4), (5, 2), (6, 1), (7, 1), (8, 1)]
    for result in results:
        store = TrajectoryStore(result.path)
        assert store.documents["rollout"]["verdict"] == result.verdict.verdict
        assert store.documents["rollout"]["message"] == result.verdict.message
        trajectory = store.read()
        np.testing.assert_allclose(trajectory.wrapped_positions[:, 0, 2], np.arange(result.n_frames), atol=1e-6)
        assert np.isfinite(trajectory.wrapped_positions).all()


def test_run_with_faults_is_the_same_wherever_it_was_interrupted(tmp_path, chains):
    model, starts = chains
    wanted = settings(model, 7, health=PATIENT)
    whole = simulate(model, starts, tmp_path / "whole.h5", wanted, resume=False, report=silent)
    # One fault in a row; a verdict at this very step; a lost step and another verdict; one system left.
    for stop in (3, 4, 5, 6):
        output = tmp_path / f"{stop}.h5"
        with pytest.raises(KeyboardInterrupt):
            simulate(model, starts, output, wanted, resume=False, report=stop_after(stop))
        parts = simulate(model, starts, output, wanted, resume=True, report=silent)
        for one, other in zip(whole, parts, strict=True):
            assert one.verdict == other.verdict
            assert_same_rollout(one.path, other.path)


def test_every_rollout_that_is_alive_is_kept_in_the_range_of_its_own_system(tmp_path, chains, monkeypatch):
    model, starts = chains
    wanted = settings(model, 8, health=PATIENT)
    whole = model.card.trained
    given = []

    class Noting(Marching):
        def __init__(self, *arguments: object) -> None:
            super().__init__()
            given.append([one.longest_bond for one in arguments[3]])

    monkeypatch.setattr(module, "LearnedPropagator", Noting)
    place = {path.stem: float(k) for k, path in enumerate(starts)}
    monkeypatch.setattr(
        TrainedModel, "range_of", lambda _, atoms: whole.model_copy(update={"longest_bond": place[atoms.names[0]]})
    )
    simulate(model, starts, tmp_path / "out.h5", wanted, resume=False, report=silent)
    assert given == [[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 3.0], [1.0, 3.0], [3.0]]


def test_run_ends_when_all_are_broken(tmp_path, chains):
    model, starts = chains
    results = simulate(
        model, starts[:3], tmp_path / "out.h5", settings(model, 50, health=PATIENT), resume=False, report=silent
    )
    assert [r.n_frames for r in results] == [5, 6, 5]
    assert not list(tmp_path.glob(".*"))
