"""The published settings are not only on paper: both experiments train and simulate as they stand in configs/."""

from pathlib import Path

import pytest
import torch

from cgsim.config import load_experiment
from cgsim.production import ProductionSettings, simulate
from cgsim.train.fit import fit
from cgsim.trajectory.importing import import_trajectory

PEO = Path("data/peo_litfsi_450K")


@pytest.mark.slow
def test_the_published_chain_experiment_trains_and_simulates(tmp_path):
    chain = Path("data/chains-100/train/repeated-000.h5")
    settings = [f"data.train=[{chain}]", "model.lag_time=25 tau", "training.steps=2", "training.batch_size=2"]
    plan = load_experiment(Path("configs/published-chains.yaml"), settings).plan()
    model = fit(plan, tmp_path, resume=False)
    assert (model.card.model.n_history, model.card.model.dynamics.noise) == (30, "independent")
    assert model.model.refiner is None
    production = ProductionSettings(time=75.0, sampler=model.card.sampler)
    (result,) = simulate(model, [chain], tmp_path / "r.h5", production, resume=False, report=lambda _: None)
    assert result.n_frames == 4


@pytest.mark.slow
def test_the_published_electrolyte_experiment_trains_and_plans_200_refinement_calls(tmp_path):
    store = tmp_path / "peo.h5"
    import_trajectory(PEO / "prod.tpr", [PEO / "prod.xtc"], store)
    settings = [f"data.train=[{store}]", "data.validation=[]", "model.lag_time=15 ps", "training.steps=1"]
    plan = load_experiment(Path("configs/published-electrolyte.yaml"), [*settings, "training.batch_size=1"]).plan()
    assert plan.sampler.n_calls == 200
    model = fit(plan, tmp_path / "run", resume=False)
    assert model.card.calibration.noise_scale == (1.0, 1.0, 1.0)
    assert all(torch.isfinite(p).all() for p in model.model.parameters())
