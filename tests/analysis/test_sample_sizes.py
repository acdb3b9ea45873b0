"""Effective sample sizes in results: those of series whose correlation is known, and how replicas add up."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_stores import chains, salt_store, trajectory

from cgsim.analysis import AnalysisSettings, DynamicsSettings, analyze_files
from cgsim.analysis.tables import write_tables
from cgsim.trajectory.store import write_store

PHI, N_CHAINS, FRAMES = 0.7, 20, 2000
SETTINGS = AnalysisSettings(structure_frames=20, dynamics=DynamicsSettings(rouse_modes=0, contact_frames=0))


def rods(path: Path, frames: int, seed: int) -> Path:
    """Straight chains whose lengths, and the volume of their box, are AR(1) series of correlation PHI."""
    generator = np.random.default_rng(seed)
    series = np.empty((frames, N_CHAINS + 1))
    series[0] = generator.normal(size=N_CHAINS + 1)
    for t in range(1, frames):
        series[t] = PHI * series[t - 1] + np.sqrt(1 - PHI**2) * generator.normal(size=N_CHAINS + 1)
    bond = 1.0 + 0.05 * series[:, :N_CHAINS, None, None]
    start = generator.uniform(0.0, 20.0, (1, N_CHAINS, 1, 3))
    positions = (start + bond * np.arange(4.0)[:, None] * np.array([1.0, 0.0, 0.0])).reshape(frames, -1, 3)
    made = trajectory(chains(N_CHAINS, 4), positions, np.diag([20.0, 20.0, 20.0]))
    made.cell[:, 2, 2] *= 1.0 + 0.01 * series[:, -1]
    write_store(path, made)
    return path


def figures(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [figure for figure in document["figures"] if figure["name"] == name]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    store = rods(tmp_path_factory.mktemp("rods") / "rods.h5", FRAMES, 0)
    return analyze_files([store], replace(SETTINGS, per_molecule=True))


EXPECTED = FRAMES * (1 - PHI) / (1 + PHI)


@pytest.mark.parametrize("name", ["radius_of_gyration", "end_to_end_distance"])
def test_effective_sample_size_of_an_autoregression(name: str, document: dict[str, Any]) -> None:
    each = [figure for figure in figures(document, name) if "#" in figure["species"]]
    assert len(each) == N_CHAINS
    assert {figure["error_from"] for figure in each} == {"time blocks"}
    found = 1.0 / np.mean([1.0 / figure["n_effective"] for figure in each])
    n_blocks = np.mean([figure["n_blocks"] for figure in each])
    # A variance from b blocks scatters by sqrt(2 / b); blocks of finite length miss about (tau / n)^(1/3) of it.
    tolerance = 3.0 * np.sqrt(2.0 / n_blocks / N_CHAINS) + (FRAMES / EXPECTED / FRAMES) ** (1 / 3)
    assert tolerance < 0.35  # far from what uncorrelated frames would give, a factor of 5.7 more
    assert found == pytest.approx(EXPECTED, rel=tolerance)
    for figure in each:
        assert figure["block_length"] * figure["n_blocks"] <= FRAMES
        assert figure["block_length"] * (figure["n_blocks"] + 1) > FRAMES


@pytest.mark.parametrize(("name", "species"), [("density", "all"), ("radius_of_gyration", "polymer")])
def test_single_series_are_within_their_own_error(name: str, species: str, document: dict[str, Any]) -> None:
    (figure,) = [one for one in figures(document, name) if one["species"] == species]
    assert figure["n_effective"] == pytest.approx(EXPECTED, rel=3.0 * np.sqrt(2.0 / figure["n_blocks"]))


def test_error_is_that_of_as_many_independent_frames(document: dict[str, Any]) -> None:
    spread = 0.05 * np.sqrt(5.0 / 4.0)  # of Rg: that of four equal beads in a row is sqrt(5/4) bonds
    for figure in figures(document, "radius_of_gyration"):
        if "#" in figure["species"]:
            own = figure["standard_error"] * np.sqrt(figure["n_effective"])
            assert own == pytest.approx(spread, rel=3.0 / np.sqrt(2.0 * EXPECTED))


def test_sample_sizes_of_shapes_count_frames_also_where_these_are_averaged_in_memory(document: dict[str, Any]) -> None:
    (shape,) = figures(document, "asphericity")  # L3 of a rod: its squared length, nearly linear in it
    (size,) = [one for one in figures(document, "mean_squared_radius_of_gyration") if one["species"] == "polymer"]
    assert shape["value"] == pytest.approx(size["value"], rel=1e-6)
    blocks = min(
        shape["n_blocks"], size["n_blocks"]
    )  # of other lengths; a variance from b of them scatters by sqrt(2/b)
    assert shape["n_effective"] == pytest.approx(size["n_effective"], rel=3.0 * np.sqrt(2.0 / blocks))
    assert shape["n_effective"] > 50


def test_averages_over_searched_frames_have_sample_sizes(tmp_path: Path) -> None:
    store = salt_store(tmp_path / "salt.h5", n=20, frames=200)
    settings = replace(SETTINGS, structure_frames=200, coordination_cutoff=4.0, contact_maps=True, contact_cutoff=3.0)
    found = analyze_files([store], settings)
    for name in ("coordination_number", "free_ion_fraction", "mean_cluster_size", "molecules_in_contact"):
        own = figures(found, name)
        assert own, name
        for one in own:
            if one.get("error_from") == "particles":
                assert one["n_effective"] == one["degrees_of_freedom"] + 1 == 20
                continue
            # Ions step by a third of these distances, so some ten frames apart all is forgotten.
            assert 15 < one["n_effective"] < 200 * (1 + 4 * np.sqrt(2 / one["n_blocks"])), one
            assert 200 - one["block_length"] < one["block_length"] * one["n_blocks"] <= 200


def test_sample_sizes_of_replicas_add_up_and_stand_in_the_table(tmp_path: Path) -> None:
    stores = [rods(tmp_path / f"{k}.h5", 300, k) for k in range(2)]
    alone = [analyze_files([store], SETTINGS) for store in stores]
    both = analyze_files(stores, replace(SETTINGS, replicas=True))
    (density,) = figures(both, "density")
    for key in ("n_effective", "n_blocks"):
        assert density[key] == pytest.approx(sum(figures(one, "density")[0][key] for one in alone))
    write_tables(both, tmp_path / "results.json")
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = {(row["name"], row["species"]): row for row in csv.DictReader(file)}
    assert float(rows["density", "all"]["n_effective"]) == density["n_effective"]
    assert rows["relaxation_time", "polymer"]["n_effective"] == ""
