"""Figures that the authors' own code gives for the shipped system (data/htp_md), reproduced to 1e-4 by default."""

import json
from pathlib import Path
from typing import Any

import pytest
from found_figures import find

from cgsim.analysis import analyze_files, write_results
from cgsim.analysis.settings import AnalysisSettings
from cgsim.trajectory.importing import ImportSettings, import_trajectory

DATA = Path(__file__).parents[2] / "data" / "htp_md"

PUBLISHED = {
    ("self_diffusivity", "Li", "single-origin"): (1.0356965822e-6, "cm2/s"),
    ("self_diffusivity", "TFSI", "single-origin"): (2.327005838e-6, "cm2/s"),
    ("self_diffusivity", "polymer", "single-origin"): (9.208230906e-7, "cm2/s"),
    ("conductivity", "Li+TFSI", "nernst-einstein single-origin"): (0.0141257866, "S/cm"),
    ("transference_number", "Li", "nernst-einstein single-origin"): (0.3079953123, ""),
    ("conductivity", "Li+TFSI", "cluster-nernst-einstein single-origin"): (5.5822299629e-3, "S/cm"),
    ("transference_number", "Li", "cluster-nernst-einstein single-origin"): (-0.1303790339, ""),
    ("molality", "Li", "per mass of neutral molecules"): (1.3711409170, "mol/kg"),
    ("density", "all", "average"): (1.3461, "g/cm3"),
}
CLUSTERS = {  # mean number of clusters of i Li and j TFSI, from the authors' population.txt; all others are 0
    (0, 1): 11.5, (1, 0): 16.0, (1, 1): 6.25, (1, 2): 3.125, (1, 3): 0.125, (2, 1): 2.25, (2, 2): 2.5, (2, 4): 0.875,
    (3, 3): 0.125, (3, 4): 1.5, (4, 4): 0.25, (5, 4): 0.125, (5, 5): 0.25, (6, 6): 0.125, (7, 8): 0.25, (8, 8): 0.375,
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("htp_md")
    store = folder / "htp.h5"
    settings = ImportSettings(units="real", timestep=2.0)
    import_trajectory(DATA / "relaxed.lmp.gz", [DATA / "traj.lammpstrj.gz"], store, settings)
    temperature = json.loads((DATA / "meta.json").read_text())["temperature"]
    document = analyze_files([store], AnalysisSettings(temperature=temperature))
    write_results(document, folder / "results.json")
    loaded = json.loads((folder / "results.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize(("key", "expected"), PUBLISHED.items(), ids=["-".join(key) for key in PUBLISHED])
def test_published_figure_is_reproduced(
    results: dict[str, Any], key: tuple[str, str, str], expected: tuple[float, str]
) -> None:
    figure = find(results, *key)
    assert figure["value"] == pytest.approx(expected[0], rel=1e-4)
    assert figure["unit"] == expected[1]
    if key[2].endswith("single-origin"):
        assert figure["window"] == [14.0, 14.0]
        assert figure["standard_error"] > 0


def test_published_cluster_populations_are_reproduced_exactly(results: dict[str, Any]) -> None:
    figure = find(results, "conductivity", "Li+TFSI", "cluster-nernst-einstein single-origin")
    populations = figure["populations"]
    found = {(i, j): n for i, row in enumerate(populations) for j, n in enumerate(row) if n}
    assert found == CLUSTERS


def test_multi_origin_figure_stands_beside_and_says_that_it_is_not_yet_diffusive(results: dict[str, Any]) -> None:
    for species in ("Li", "TFSI", "polymer"):
        figure = find(results, "self_diffusivity", species, "multi-origin")
        assert figure["regime"] == "not yet diffusive"
        assert "not yet diffusive" in figure["warning"]
        assert figure["value"] < find(results, "self_diffusivity", species, "single-origin")["value"]
        assert figure["drift"] == "mass-weighted centre of mass of the box removed"


def test_species_are_told_from_the_molecules(results: dict[str, Any]) -> None:
    species = {s["name"]: s for s in results["systems"][0]["species"]}
    assert {name: s["molecules"] for name, s in species.items()} == {"polymer": 7, "TFSI": 50, "Li": 50}
    assert species["Li"]["formal_charge"] == 1  # 0.7 e in the force field
    assert species["TFSI"]["formal_charge"] == -1
    assert {name: s["tracers"] for name, s in species.items()} == {"polymer": 910, "TFSI": 50, "Li": 50}
