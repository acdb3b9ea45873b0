"""The electrolyte models that ship: their rollouts stay what the MD is, and faster ones say the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cgsim.beads import open_beads
from cgsim.checkpoint import find_model, load_model
from cgsim.models.execution import Execution
from cgsim.production import ProductionSettings, simulate
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore

DATA = Path(__file__).parents[2] / "data" / "spe-450K" / "train"
POLYMERS = ("PEO", "PCL")  # a quick one and a slow one
REPLICAS, STEPS, LEFT_OUT = 8, 22, 5
LARGEST_GUARDED = 2.0  # beads that the guard moves in a step, of about 200
AHEAD = 256.0  # ps, in which displacements are compared


def figures(beads: Trajectory, frames_ahead: int) -> list[float]:
    """Mean and spread of the bonds; mean squared displacement of each class, in Å and Å²."""
    positions, (i, j) = beads.unwrapped_positions, beads.system.bond_index
    bonds = np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)
    moved = positions[frames_ahead:] - positions[:-frames_ahead]
    moved -= np.average(moved, axis=1, weights=beads.system.masses)[:, None]
    squares = np.square(moved).sum(axis=-1).mean(axis=0)
    kinds = range(len(beads.system.type_names))
    return [bonds.mean(), bonds.std(), *(squares[beads.system.particle_type == k].mean() for k in kinds)]


@pytest.fixture(scope="module", params=["electrolyte", "fast-electrolyte"])
def rollouts(request, tmp_path_factory):
    """A model's card and figures of every rollout, [polymers, replicas, figures], by the way they were made."""
    model = load_model(find_model(request.param), torch.device("cpu"))
    ahead, made = round(AHEAD / model.card.model.lag_time), {}
    for seed, (name, precision) in enumerate({"float32": "float32", "bfloat16": "bfloat16"}.items()):
        settings = ProductionSettings(
            time=STEPS * model.card.model.lag_time,
            replicas=REPLICAS,
            seed=seed,
            sampler=model.card.sampler,
            execution=Execution(precision=precision),
        )
        output = tmp_path_factory.mktemp(name) / "out.h5"
        starts = [DATA / f"{polymer}.h5" for polymer in POLYMERS]
        results = simulate(model, starts, output, settings, resume=False, report=lambda _: None)
        assert [result.verdict.message for result in results] == [""] * len(results)
        n_guarded = sum(result.verdict.guarded_beads for result in results) / (STEPS * len(results))
        assert n_guarded < LARGEST_GUARDED
        rows = [figures(TrajectoryStore(result.path).read()[LEFT_OUT:], ahead) for result in results]
        made[name] = np.array(rows).reshape(len(POLYMERS), REPLICAS, -1)
    return model.card, made


@pytest.mark.slow
def test_rollouts_of_known_polymers_look_and_move_like_their_md(rollouts):
    card, made = rollouts
    for polymer, ours in zip(POLYMERS, made["float32"].mean(axis=1), strict=True):
        beads = open_beads(DATA / f"{polymer}.h5", card.mapping)
        md = np.array(figures(beads.read(), round(AHEAD / beads.store.save_interval)))
        ratio = ours / md
        assert ratio[0] == pytest.approx(1.0, abs=0.04)  # bonds
        assert ratio[1] == pytest.approx(1.0, abs=0.15)  # their spread
        # Displacements in 256 ps, of ions and polymer. They differ by a factor of three between the two polymers; MD of
        # this length knows them to about 15 %.
        assert np.all((ratio[2:] > 0.6) & (ratio[2:] < 1.6)), (polymer, ratio)


@pytest.mark.slow
def test_bfloat16_and_other_random_numbers_give_the_same_figures_of_an_electrolyte(rollouts):
    _, made = rollouts
    exact, other = made["float32"], made["bfloat16"]
    error = np.sqrt((exact.var(axis=1, ddof=1) + other.var(axis=1, ddof=1)) / REPLICAS)
    # Ten differences of independent means, 14 degrees of freedom each: below 5 standard errors 998 times in 1000.
    assert np.abs((exact.mean(axis=1) - other.mean(axis=1)) / error).max() < 5.0
