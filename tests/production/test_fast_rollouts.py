"""What makes rollouts faster leaves what they say as it is, within its errors: shown with a model that ships."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cgsim.checkpoint import find_model, load_model
from cgsim.models.execution import Execution
from cgsim.observables.structure import radius_of_gyration
from cgsim.production import ProductionSettings, simulate
from cgsim.trajectory.store import TrajectoryStore

TEST = Path(__file__).parents[2] / "data" / "chains-100" / "test"
CHAINS = ("family-00-blocky", "family-00-shuffled", "random-000")  # open and dense ones
REPLICAS, STEPS, LEFT_OUT = 16, 160, 40


def figures(folder: Path, execution: Execution, seed: int) -> np.ndarray:
    """Of every rollout [rollouts, 3]: mean squared Rg, mean bond length, mean squared displacement in a step."""
    model = load_model(find_model("chain"), torch.device("cpu"))
    settings = ProductionSettings(
        time=STEPS * model.card.model.lag_time,
        replicas=REPLICAS,
        begin=0.0,
        seed=seed,
        sampler=model.card.sampler,
        execution=execution,
    )
    folder.mkdir()
    starts = [TEST / f"{name}.h5" for name in CHAINS]
    results = simulate(model, starts, folder / "out.h5", settings, resume=False, report=lambda _: None)
    rows = []
    for result in results:
        assert not result.verdict.message
        beads = TrajectoryStore(result.path).read()[LEFT_OUT:]
        positions, (i, j) = beads.unwrapped_positions, beads.system.bond_index
        size = np.square(radius_of_gyration(positions, beads.system.masses, beads.system.molecule_id)).mean()
        bond = np.linalg.norm(positions[:, i] - positions[:, j], axis=-1).mean()
        step = np.square(np.diff(positions, axis=0)).sum(axis=-1).mean()
        rows.append([size, bond, step])
    return np.array(rows)


def greatest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of a chain's mean figure, in standard errors; rollouts are independent."""
    a, b = (x.reshape(len(CHAINS), REPLICAS, 3) for x in (one, other))
    error = np.sqrt((a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)) / REPLICAS)
    return float(np.abs((a.mean(axis=1) - b.mean(axis=1)) / error).max())


@pytest.mark.slow
def test_bfloat16_and_other_random_numbers_give_the_same_figures(tmp_path):
    exact = figures(tmp_path / "float32", Execution(), seed=0)
    # The largest of nine differences of independent means stays below 4 standard errors (30 degrees of freedom) 997
    # times in 1000; a size that is 10 % off, or a bond that is 1 % off, would be 5 or more.
    assert greatest_difference(exact, figures(tmp_path / "other", Execution(), seed=1)) < 4.0
    assert greatest_difference(exact, figures(tmp_path / "bfloat16", Execution(precision="bfloat16"), seed=2)) < 4.0
