"""The demo: its table says what the results say, and a short run of the chain task goes from data to report."""

import json
import math

import numpy as np
import pytest

from cgsim.benchmark.demo import chains, finish, run_task
from cgsim.benchmark.demo.table import curve_at, find, row, with_error
from cgsim.errors import InputError
from cgsim.observables.statistics import Estimate
from cgsim.trajectory.store import TrajectoryStore


def test_a_figure_is_found_by_name_species_and_system_and_multi_origin_comes_first():
    def figure(value, method, system):
        keys = {"name": "self_diffusivity", "species": "Li", "method": method, "system": system}
        return {**keys, "value": value, "standard_error": 0.1}

    document = {"figures": [figure(1.0, "single-origin", "a"), figure(2.0, "multi-origin", "a"), figure(3.0, "x", "b")]}
    assert find(document, "self_diffusivity", "Li", system="a").value == 2.0
    assert find(document, "self_diffusivity", "Li", system="b").value == 3.0
    assert math.isnan(find(document, "self_diffusivity", "Na").value)


def test_a_curve_is_read_between_its_points_and_replicas_are_averaged():
    def curve(slope):
        lag = [10.0, 20.0, 40.0]
        return {
            "system": "s",
            "species": "Li",
            "lag": lag,
            "msd": [slope * t for t in lag],
            "standard_error": [3.0] * 3,
        }

    found = curve_at({"curves": {"msd": [curve(1.0), curve(2.0)]}}, "msd", "Li", 30.0)
    assert found.value == pytest.approx(45.0)
    assert found.standard_error == pytest.approx(3.0 / math.sqrt(2.0))
    assert math.isnan(curve_at({"curves": {"msd": [curve(1.0)]}}, "msd", "Li", 50.0).value)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [(1.2345, 0.12, "1.23 ± 0.12"), (1.2e-6, 2.3e-7, "1.20e-06 ± 2e-07"), (None, None, "-"), (3.0, None, "3")],
)
def test_numbers_are_written_with_as_many_digits_as_their_error_allows(value, error, text):
    assert with_error(value, error) == text


def test_unknown_values_stay_unknown_in_the_table():
    nothing = Estimate(math.nan, math.nan)
    line = row("s", "f", "", Estimate(1.0, 0.1), nothing, nothing)
    assert (line.cgsim, line.cgsim_error, line.md, line.short_md_error) == (1.0, 0.1, None, None)


def test_the_demo_outside_the_repository_says_where_it_must_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"configs/demo-chains\.yaml: no such file; run the demo in the root"):
        run_task("chains", tmp_path / "demo", [], print)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*bonded in ways:UserWarning")  # the demo learns from few chains
def test_the_chain_demo_compares_every_unseen_chain_with_its_md(tmp_path, monkeypatch):
    monkeypatch.setattr(chains, "SIMULATED", "5000 tau")
    settings = ["training.steps=4", "training.batch_size=4", 'data.train=["data/chains-100/train/repeated-00*.h5"]']
    lines: list[str] = []
    run_task("chains", tmp_path, settings, lines.append)
    results, report, (manifest,) = finish(tmp_path)
    unseen = [p.stem for p in chains.unseen_chains()]
    assert len(unseen) == 12
    sizes = [r for r in manifest.table if r.figure == "<Rg^2>"]
    assert [r.system for r in sizes] == unseen
    document = json.loads(results.read_text())
    assert {f["source"] for f in document["figures"]} == {"cgsim", "md", "short"}
    assert report.read_text().lower().startswith("<!doctype html>")
    # The reference in the table is the average over the shipped trajectory, and each rollout has its 200 steps.
    rg2 = chains._rg(chains.REFERENCE / f"{unseen[0]}.h5") ** 2
    assert sizes[0].md == pytest.approx(float(np.mean(rg2)), rel=1e-6)
    rollout = TrajectoryStore(tmp_path / "chains" / manifest.rollouts[unseen[0]][0])
    assert rollout.n_frames == 201
