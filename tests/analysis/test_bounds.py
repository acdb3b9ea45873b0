"""Bounds: marked where they are written, shown as such, and compared only where they decide something."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from found_figures import find
from small_stores import chains, relaxing_chains, salt_store, trajectory
from test_comparison import figure, write
from test_motion_figures import FEW, coordinated
from typer.testing import CliRunner

from cgsim.analysis import analyze_files
from cgsim.analysis.comparison import Verdict, compare_results
from cgsim.analysis.figures import LOWER, UPPER, Figure
from cgsim.analysis.ranges import possible_range
from cgsim.benchmark.report.results import results_table
from cgsim.cli import app
from cgsim.observables.statistics import Estimate
from cgsim.trajectory.store import write_store


@pytest.fixture(scope="module")
def bound_ions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of 60 frames in which no ion leaves its chain."""
    folder = tmp_path_factory.mktemp("bounds")
    frames, _ = coordinated(60, 0.0, seed=4)
    write_store(folder / "ions.h5", frames)
    arguments = ["analyze", str(folder / "ions.h5"), "-o", str(folder / "results.json")]
    result = CliRunner().invoke(app, [*arguments, "--coordination-cutoff", "2.8"])
    assert result.exit_code == 0, result.output
    (folder / "table.txt").write_text(result.output)
    return folder / "results.json"


def test_residence_without_an_end_is_a_bound_without_an_error_wherever_it_is_shown(bound_ions: Path) -> None:
    document = json.loads(bound_ions.read_text())
    stay = find(document, "residence_time", "Na-P", "continuous")
    assert (stay["bound"], stay["value"]) == ("lower", 30.0)
    assert stay["standard_error"] is None
    assert stay["interval_95"] == [None, None]
    assert "the residence time is a lower bound" in stay["warning"]
    (line,) = [x for x in (bound_ions.parent / "table.txt").read_text().splitlines() if "continuous" in x]
    assert " > 30 " in line
    with bound_ions.with_suffix(".csv").open(newline="") as file:
        rows = {(row["name"], row["method"]): row for row in csv.DictReader(file)}
    assert rows["residence_time", "continuous"]["bound"] == ">"
    assert rows["hop_rate", "all sites replaced"]["bound"] == ""
    table = results_table(document)
    assert table is not None
    (cells,) = [row for row in table.rows if [c.text for c in row][2] == "continuous"]
    assert "> 30" in [c.text.replace("\u00a0", " ") for c in cells]


def test_relaxation_time_of_a_short_run_is_a_lower_bound_open_above(tmp_path: Path) -> None:
    slow_motion = relaxing_chains(4, 8, 100, 0.98, seed=0)  # that remembers for 50 frames
    write_store(tmp_path / "slow.h5", trajectory(chains(4, 8), slow_motion, np.zeros((3, 3))))
    results = analyze_files([tmp_path / "slow.h5"])
    slow = find(results, "relaxation_time", "polymer")
    assert slow["bound"] == "lower"
    assert 0 < slow["interval_95"][0] < slow["value"]
    assert slow["interval_95"][1] is None
    assert "bound" not in find(results, "radius_of_gyration", "polymer")  # whose error only is one
    frozen = np.random.default_rng(0).normal(size=(200, 3, 8, 3)).cumsum(axis=2).reshape(200, 24, 3)
    write_store(tmp_path / "fast.h5", trajectory(chains(3, 8), frozen, np.zeros((3, 3))))  # new chains in every frame
    fast = find(analyze_files([tmp_path / "fast.h5"]), "relaxation_time", "polymer")
    assert fast["bound"] == "upper"
    assert fast["interval_95"][0] == 0.0


def test_intervals_stay_within_what_a_figure_can_be() -> None:
    wide = Estimate(0.4, 0.5, 3.0)
    span = (0.0, 1.0)
    for name, method in (
        ("self_diffusivity", "multi-origin"),
        ("conductivity", "nernst-einstein multi-origin"),
        ("free_ion_fraction", "in no cluster"),
        ("transference_number", "nernst-einstein single-origin"),
        ("coordination_number", "up to the first minimum"),
    ):
        low, high = Figure(name, "Li", wide, "", method, span).interval(0.95)
        assert (low, high) == tuple(np.clip(wide.interval(0.95), *possible_range(name, method)))
        assert low == 0.0
    for name, method in (("transference_number", "cluster-nernst-einstein multi-origin"), ("onsager_distinct", "")):
        assert Figure(name, "Li", wide, "", method, span).interval(0.95) == wide.interval(0.95)


def test_counts_that_never_change_have_no_error_and_say_so(tmp_path: Path) -> None:
    ions = salt_store(tmp_path / "salt.h5", n=3, frames=20)
    results = analyze_files([ions], replace(FEW, cluster_cutoff=9.0, contact_maps=True, contact_cutoff=9.0))
    one = analyze_files([ions], replace(FEW, cluster_cutoff=0.01))
    alone = find(one, "free_ion_fraction", "Na")
    assert (alone["value"], alone["standard_error"]) == (1.0, None)
    assert "the same in all frames" in alone["warning"]
    moving = find(results, "mean_cluster_size", "Na+Cl")
    assert moving["standard_error"] > 0
    assert "warning" not in moving
    assert find(results, "density", "all")["standard_error"] == 0  # of a cell that is held constant: exact


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ({"value": 45.0, "bound": LOWER}, {"value": 900.0}, Verdict.BOUND),
        ({"value": 900.0}, {"value": 45.0, "bound": LOWER}, Verdict.BOUND),
        ({"value": 45.0, "bound": LOWER}, {"value": 900.0, "bound": LOWER}, Verdict.BOUND),
        ({"value": 45.0, "bound": LOWER}, {"value": 3.0}, Verdict.DIFFERS),
        ({"value": 3.0}, {"value": 45.0, "bound": LOWER}, Verdict.DIFFERS),
        ({"value": 45.0, "bound": UPPER}, {"value": 900.0}, Verdict.DIFFERS),
        ({"value": 45.0, "bound": UPPER}, {"value": 3.0}, Verdict.BOUND),
        ({"value": 45.0, "bound": LOWER}, {"value": 3.0, "bound": UPPER}, Verdict.DIFFERS),
        ({"value": 3.0, "bound": LOWER}, {"value": 45.0, "bound": UPPER}, Verdict.BOUND),
        ({"value": 45.0, "bound": LOWER}, {"value": 44.9}, Verdict.AGREES),  # below it, by less than their errors
        ({"value": 45.0, "bound": LOWER, "error": None}, {"value": 3.0}, Verdict.BOUND),
    ],
)
def test_bound_is_compared_only_where_it_decides(
    first: dict[str, Any], second: dict[str, Any], verdict: Verdict
) -> None:
    sides = [[figure("residence_time", **{"error": 0.5} | side)] for side in (first, second)]
    found = compare_results(*sides)
    assert found.figures[0].verdict is verdict
    assert found.n_tests == (0 if verdict is Verdict.BOUND else 1)


def test_command_shows_bounds_and_says_that_they_leave_it_open(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.json", [figure("residence_time", 45.0, 1e-9, bound=LOWER), figure("f", 1.0, 0.1)]),
        write(tmp_path / "b.json", [figure("residence_time", 900.0, 1.0), figure("f", 1.1, 0.1)]),
    ]
    result = CliRunner().invoke(app, ["compare", *map(str, files), "-o", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    assert "> 45" in result.output
    assert "not compared: 1 a bound that leaves it open" in result.output
    entry = json.loads((tmp_path / "out.json").read_text())["figures"][0]
    assert (entry["first"]["bound"], entry["probability"]) == ("lower", None)
    assert "bound" not in entry["second"]


def test_equal_rates_times_and_bounds_are_told_apart_no_more_often_than_the_level_says() -> None:
    generator, runs = np.random.default_rng(0), 2000
    alarms: dict[str, list[bool]] = {"rates": [], "times": [], "values at a bound": []}
    for _ in range(runs):
        counts = generator.poisson(generator.uniform(1, 30), size=2)
        rates = [figure("hop_rate", n / 9, max(1, n) ** 0.5 / 9, distribution="count") for n in counts.tolist()]
        times = [
            figure("residence_time", t, 0.3 * t, distribution="log")
            for t in np.exp(generator.normal(0, 0.3, 2)).tolist()
        ]
        bound = [
            figure("residence_time", float(generator.normal(45, 1)), 1.0, **more) for more in ({"bound": LOWER}, {})
        ]
        for name, (a, b) in zip(alarms, (rates, times, bound), strict=True):
            found = compare_results([a], [b])
            if found.n_tests:
                alarms[name].append(found.differ)
    for name, own in alarms.items():
        print(f"equal {name}: {np.mean(own):.1%} of {len(own)} differ at 95 %")
        # binomial at 3 sigma, and 2 % for counts, which are whole numbers
        assert abs(np.mean(own) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / len(own)) + (0.02 if name == "rates" else 0.0)
    none = [figure("hop_rate", 0.0, 0.1, distribution="count")]
    assert compare_results(none, [figure("hop_rate", 0.0, 1e-9, distribution="count")]).figures[0].probability == 1.0
