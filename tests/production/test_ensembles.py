"""Several models as one: each step is drawn by one of them, and a run is as resumable as with one model."""

import math
from dataclasses import replace

import pytest
import torch
from small_rollouts import MAPPING, assert_same_rollout, settings, silent, stop_after
from systems import electrolyte, trained_model

from cgsim.checkpoint import TrainedModel
from cgsim.graph import BeadBatch
from cgsim.production import simulate
from cgsim.simulate.ensemble import EnsemblePropagator
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.trajectory.store import TrajectoryStore


@pytest.fixture(scope="module")
def ensemble(model) -> TrainedModel:
    return replace(model, others=(trained_model(model.card.model, [electrolyte()], MAPPING, seed=1),))


class Shift(LearnedPropagator):
    """Moves everything by a constant."""

    def __init__(self, by: float) -> None:
        self.by, self.history_offsets, self.n_guarded = by, (0,), torch.zeros(1, dtype=torch.int64)

    def draw(self, batch, history, generator):  # noqa: ARG002
        return history[:, -1] + self.by


def test_kernel_is_the_mean_of_the_kernels_of_its_members():
    one = torch.ones(1)
    bead = BeadBatch(
        sizes=(1,),
        bead_class=one.long() * 0,
        masses=one,
        bond_index=torch.zeros(2, 0, dtype=torch.int64),
        cell=torch.zeros(1, 3, 3),
        embedding=one[None],
        bond_embedding=torch.zeros(2, 0, 0),
    )
    propagator = EnsemblePropagator([(Shift(by), bead) for by in (1.0, 2.0, 6.0)])
    generator, n = torch.Generator().manual_seed(0), 3000
    moves = [float(propagator.draw(bead, torch.zeros(1, 1, 3), generator)[0, 0]) for _ in range(n)]
    assert set(moves) == {1.0, 2.0, 6.0}
    # Each is drawn by chance with probability 1/3: the mean is 3 with a spread of sqrt(14/3) a draw; 4 sigma.
    assert sum(moves) / n == pytest.approx(3.0, abs=4.0 * math.sqrt(14.0 / 3.0 / n))


def test_run_of_an_ensemble_that_is_interrupted_is_the_run_that_never_stopped(tmp_path, ensemble, boxes):
    def run(name, **how):
        return simulate(ensemble, boxes, tmp_path / name, settings(ensemble, 7, replicas=2), **how)

    whole = run("whole.h5", resume=False, report=silent)
    with pytest.raises(KeyboardInterrupt):
        run("out.h5", resume=False, report=stop_after(3))
    for result, expected in zip(run("out.h5", resume=True, report=silent), whole, strict=True):
        assert_same_rollout(result.path, expected.path)
    document = TrajectoryStore(whole[0].path).documents["rollout"]
    assert (document["model"], document["n_models"]) == ("random-ensemble", 2)


def test_an_ensemble_is_none_of_its_members_alone(tmp_path, ensemble, boxes):
    runs = []
    for name, model in {"both": ensemble, "first": ensemble.members[0], "second": ensemble.members[1]}.items():
        given = settings(model, 6, seed=3)
        (result,) = simulate(model, boxes[:1], tmp_path / f"{name}.h5", given, resume=False, report=silent)
        runs.append(TrajectoryStore(result.path).read().wrapped_positions)
    assert all((runs[0] != other).any() for other in runs[1:])
