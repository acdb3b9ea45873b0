"""Replicas: nothing is silently that of the first run, and a warning names the run that it is about."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from found_figures import find
from ion_stores import electrolyte_store
from test_motion_figures import FEW, coordinated

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis.remarks import by_run, joined
from cgsim.trajectory.store import write_store

SALT = np.array([[1.0, 0.3], [0.3, 2.0]])
COLLECTIVE = "einstein-collective multi-origin"


@pytest.fixture(scope="module")
def ions(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ions on chains: one run without any hop and two with, together and each alone."""
    folder = tmp_path_factory.mktemp("replicas")
    paths = [folder / f"{name}.h5" for name in ("still", "calm", "wild")]
    for path, leave, seed in zip(paths, (0.0, 0.001, 0.05), (1, 2, 3), strict=True):
        write_store(path, coordinated(200, leave, seed)[0])
    settings = replace(FEW, coordination_cutoff=2.8)
    alone = [analyze_files([path], settings) for path in paths]
    return analyze_files(paths, replace(settings, replicas=True)), alone


def test_hops_of_all_runs_are_counted_and_the_run_without_any_is_named(
    ions: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    together, alone = ions
    rate = find(together, "hop_rate", "Na-P")
    single = [find(one, "hop_rate", "Na-P") for one in alone]
    for key in ("events_within_chains", "events_between_chains"):
        assert rate[key] == sum(one[key] for one in single)
    assert rate["warning"] == "still: no hop was seen, so there is no interchain_hop_share"
    assert 0 < rate["interval_95"][0] < rate["value"]
    share = find(together, "interchain_hop_share", "Na-P")
    assert share["warning"] == "calm, wild: the only of 3 runs that have it"
    assert share["replicas"] == 2
    assert 0 <= share["interval_95"][0] <= share["interval_95"][1] <= 1


def test_details_that_differ_stand_under_the_name_of_their_run(
    ions: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    together, alone = ions
    motion = find(together, "self_diffusivity", "Na", "multi-origin")
    for name, one in zip(("still", "calm", "wild"), alone, strict=True):
        own = find(one, "self_diffusivity", "Na", "multi-origin")
        for key in ("intercept", "log_log_slope", "log_log_slope_error"):
            assert motion["of_runs"][name][key] == pytest.approx(own[key])
            assert key not in motion
    assert motion["drift"] == find(alone[0], "self_diffusivity", "Na", "multi-origin")["drift"]


def test_mean_of_a_bound_and_a_value_is_a_bound(ions: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    together, alone = ions
    single = [find(one, "residence_time", "Na-P", "continuous") for one in alone]
    assert [one.get("bound", "") for one in single] == ["lower", "lower", ""]
    stay = find(together, "residence_time", "Na-P", "continuous")
    assert stay["bound"] == "lower"
    assert stay["value"] == pytest.approx(np.mean([one["value"] for one in single]))
    assert "still: 100% of the contacts are left" in stay["warning"]
    assert "calm: " in stay["warning"]
    assert "wild" not in stay["warning"]


def test_what_all_runs_say_is_said_once_and_all_else_under_their_names() -> None:
    found = by_run({"a": "short; no hop", "b": joined("short", "slow"), "c": "short"})
    assert found == "short; a: no hop; b: slow"
    assert by_run({"a": "", "b": ""}) == ""


def test_slopes_and_spread_of_collective_replicas_are_kept_by_run(tmp_path: Path) -> None:
    cells = [np.eye(3) * edge for edge in (40.0, 40.4)]
    paths = [
        electrolyte_store(tmp_path / f"run{k}.h5", {"Na": 4, "Cl": 4}, SALT, 60, k, cell=cell)
        for k, cell in enumerate(cells)
    ]
    settings = AnalysisSettings(temperature=300.0, rdf_bin_width=0.5, structure_frames=5)
    results = analyze_files(paths, replace(settings, replicas=True))
    sigma = find(results, "conductivity", "Na+Cl", COLLECTIVE)
    for k, path in enumerate(paths):
        own = find(analyze_files([path], settings), "conductivity", "Na+Cl", COLLECTIVE)
        assert sigma["of_runs"][f"run{k}"]["log_log_slope"] == pytest.approx(own["log_log_slope"])
    volumes = np.array([40.0, 40.4]) ** 3
    assert sigma["volume"] == pytest.approx(volumes.mean())
    assert sigma["volume_spread"] == pytest.approx(volumes.std())
