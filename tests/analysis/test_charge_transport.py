"""Charge transport of stores whose Onsager coefficients are known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from found_figures import find
from ion_stores import EDGE, NAMES, SOLVENT_MASS, correlated_motion, electrolyte, electrolyte_store
from small_stores import CELL, STEP, salt, salt_motion, salt_store, trajectory

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis.collective import looks_diffusive
from cgsim.errors import InputError
from cgsim.observables.transport import conductivity_factor, onsager_factor
from cgsim.trajectory.store import write_store

WARM = AnalysisSettings(temperature=300.0, rdf_bin_width=0.5, structure_frames=20)
TO_CM2 = 1e-4  # cm2/s per Å2/ps
COLLECTIVE = "einstein-collective multi-origin"
IN_SOLVENT = "einstein-collective multi-origin, solvent frame"
SALT = np.array([[20.0, 8.0], [8.0, 30.0]])
MIXTURE = np.array([[20.0, 3.0, -5.0], [3.0, 10.0, 4.0], [-5.0, 4.0, 30.0]])


def assert_near(figure: dict[str, Any], exact: float) -> None:
    """Within four standard errors."""
    assert abs(figure["value"] - exact) < 4 * figure["standard_error"], (figure["name"], figure["value"], exact)


@pytest.fixture(scope="module")
def simple(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("simple") / "simple.h5"
    return analyze_files([electrolyte_store(path, {"Na": 15, "Cl": 15}, SALT, frames=1000, seed=1)], WARM)


def test_onsager_coefficients_and_conductivity_are_those_of_the_store(simple: dict[str, Any]) -> None:
    unit = onsager_factor(EDGE**3, 300.0) * TO_CM2
    for label, exact in {"Na-Na": SALT[0, 0], "Na-Cl": SALT[0, 1], "Cl-Cl": SALT[1, 1]}.items():
        figure = find(simple, "onsager_coefficient", label, COLLECTIVE)
        assert_near(figure, exact * unit)
        assert figure["unit"] == "mol2/(J m s)"
        assert figure["frame"] == "centre of mass of the box"
    sigma = find(simple, "conductivity", "Na+Cl", COLLECTIVE)
    charges = np.array([1.0, -1.0])
    assert_near(sigma, float(charges @ SALT @ charges) * conductivity_factor(EDGE**3, 300.0) * TO_CM2)
    parts = [
        find(simple, "onsager_coefficient", label, COLLECTIVE)["conductivity_part"] for label in ("Na-Na", "Na-Cl")
    ]
    parts.append(find(simple, "onsager_coefficient", "Cl-Cl", COLLECTIVE)["conductivity_part"])
    assert parts[0] + 2 * parts[1] + parts[2] == pytest.approx(sigma["value"], rel=1e-9)
    faraday = 96485.33212
    part = find(simple, "onsager_coefficient", "Na-Na", COLLECTIVE)
    assert part["value"] * faraday**2 / 100 == pytest.approx(part["conductivity_part"], rel=1e-6)


def test_transference_numbers_belong_to_frames(simple: dict[str, Any]) -> None:
    masses, counts = np.array([NAMES[name][1] for name in ("Na", "Cl")]), np.array([15.0, 15.0])
    charges = np.array([1.0, -1.0])
    transform = np.eye(2) + np.outer(counts, masses) / (30 * SOLVENT_MASS)
    for method, matrix in ((COLLECTIVE, SALT), (IN_SOLVENT, transform @ SALT @ transform.T)):
        exact = matrix[0] @ charges / (charges @ matrix @ charges)
        figure = find(simple, "transference_number", "Na", method)
        assert_near(figure, float(exact))
    assert find(simple, "transference_number", "Na", IN_SOLVENT)["frame"] == "centre of mass of Xe"
    assert find(simple, "transference_number", "Na", "nernst-einstein multi-origin")["frame"].startswith("any:")


def test_self_and_distinct_parts_add_up(simple: dict[str, Any]) -> None:
    for label in ("Na-Na", "Cl-Cl"):
        whole, own, distinct = (
            find(simple, name, label, COLLECTIVE)
            for name in ("onsager_coefficient", "onsager_self", "onsager_distinct")
        )
        assert own["value"] + distinct["value"] == pytest.approx(whole["value"], rel=1e-9)
        assert distinct["standard_error"] == pytest.approx(np.hypot(own["standard_error"], whole["standard_error"]))
    diffusion = find(simple, "self_diffusivity", "Na", "multi-origin")["value"]
    assert find(simple, "onsager_self", "Na-Na", COLLECTIVE)["value"] == pytest.approx(
        15 * diffusion * onsager_factor(EDGE**3, 300.0)
    )


def test_haven_ratio_is_the_ratio_of_both_conductivities_with_both_errors(simple: dict[str, Any]) -> None:
    free = find(simple, "conductivity", "Na+Cl", "nernst-einstein multi-origin")
    whole = find(simple, "conductivity", "Na+Cl", COLLECTIVE)
    ratio = find(simple, "haven_ratio", "Na+Cl", "nernst-einstein / einstein-collective multi-origin")
    assert ratio["value"] == pytest.approx(free["value"] / whole["value"])
    relative = np.hypot(*(f["standard_error"] / f["value"] for f in (free, whole)))
    assert ratio["standard_error"] / ratio["value"] == pytest.approx(relative, rel=1e-6)
    assert ratio["distribution"] == "scale"
    assert ratio["interval_95"][0] < ratio["value"] < ratio["interval_95"][1]


def test_any_number_of_ion_species_and_charges(tmp_path: Path) -> None:
    counts = {"Na": 8, "Ca": 4, "Cl": 16}
    path = electrolyte_store(tmp_path / "mixture.h5", counts, MIXTURE, frames=800, seed=2)
    results = analyze_files([path], WARM)
    unit = onsager_factor(EDGE**3, 300.0) * TO_CM2
    order = ["Na", "Ca", "Cl"]
    coefficients = [f for f in results["figures"] if f["name"] == "onsager_coefficient"]
    named = {f["species"]: f for f in coefficients if f["method"] == COLLECTIVE}
    assert len(named) == 6
    for label, figure in named.items():
        i, j = (order.index(part) for part in label.split("-"))
        assert_near(figure, MIXTURE[i, j] * unit)
    for method in (COLLECTIVE, IN_SOLVENT, "nernst-einstein multi-origin", "cluster-nernst-einstein multi-origin"):
        shares = [find(results, "transference_number", name, method)["value"] for name in order]
        assert sum(shares) == pytest.approx(1.0, abs=1e-9)
    clusters = find(results, "conductivity", "Ca+Na+Cl", "cluster-nernst-einstein multi-origin")
    assert sum(sum(entry["ions"]) * entry["clusters"] for entry in clusters["populations"]) == pytest.approx(28)


def test_salt_without_a_solvent_has_no_solvent_frame_and_says_that_masses_decide(tmp_path: Path) -> None:
    results = analyze_files([salt_store(tmp_path / "salt.h5")], WARM)
    figure = find(results, "transference_number", "Na", COLLECTIVE)
    assert figure["value"] == pytest.approx(35.45 / (22.99 + 35.45), rel=1e-4)
    assert figure["standard_error"] == 0
    assert "conservation of momentum fixes it" in figure["warning"]
    assert not [f for f in results["figures"] if f["method"] == IN_SOLVENT]


def test_replicas_give_one_set_of_coefficients_with_smaller_errors(tmp_path: Path) -> None:
    paths = [
        electrolyte_store(tmp_path / f"run{k}.h5", {"Na": 15, "Cl": 15}, SALT, frames=300, seed=10 + k)
        for k in range(4)
    ]
    alone = find(analyze_files(paths[:1], WARM), "conductivity", "Na+Cl", COLLECTIVE)
    results = analyze_files(paths, replace(WARM, replicas=True))
    sigma = find(results, "conductivity", "Na+Cl", COLLECTIVE)
    assert sigma["replicas"] == 4
    assert sigma["degrees_of_freedom"] == pytest.approx(4 * alone["degrees_of_freedom"], rel=0.3)
    free = find(results, "conductivity", "Na+Cl", "nernst-einstein multi-origin")
    ratio = find(results, "haven_ratio", "Na+Cl", "nernst-einstein / einstein-collective multi-origin")
    assert ratio["value"] == pytest.approx(free["value"] / sigma["value"])  # of the averages, not an average of ratios
    share = find(results, "transference_number", "Na", COLLECTIVE)
    parts = {k: find(results, "onsager_coefficient", k, COLLECTIVE)["value"] for k in ("Na-Na", "Na-Cl", "Cl-Cl")}
    whole = parts["Na-Na"] - 2 * parts["Na-Cl"] + parts["Cl-Cl"]
    assert share["value"] == pytest.approx((parts["Na-Na"] - parts["Na-Cl"]) / whole, rel=1e-9)


def test_cross_displacements_are_curves_with_errors(simple: dict[str, Any]) -> None:
    curves = {c["species"]: c for c in simple["curves"]["cross_displacement"]}
    assert set(curves) == {"Na-Na", "Na-Cl", "Cl-Cl"}
    (of_charge,) = simple["curves"]["charge_displacement"]
    assert (of_charge["species"], of_charge["units"]["displacement"]) == ("Na+Cl", "e2 Angstrom2")
    charge = np.array(of_charge["displacement"])
    parts = [np.array(curves[k]["displacement"]) for k in ("Na-Na", "Na-Cl", "Cl-Cl")]
    np.testing.assert_allclose(charge, parts[0] - 2 * parts[1] + parts[2], rtol=1e-9)
    assert curves["Na-Cl"]["lag"][0] == STEP
    assert np.min(curves["Na-Cl"]["standard_error"]) > 0


def test_every_figure_states_unit_method_window_error_and_intervals(simple: dict[str, Any]) -> None:
    for figure in simple["figures"]:
        assert {"unit", "method", "window", "standard_error", "interval_68", "interval_95"} <= set(figure)
        assert figure["window_unit"] in {"ps", "Angstrom"}, figure["name"]
        if figure["standard_error"]:
            low, high = figure["interval_95"]
            assert low < figure["interval_68"][0] < figure["value"] < figure["interval_68"][1] < high
    for figure in simple["figures"]:
        if figure["name"] in {"conductivity", "transference_number", "haven_ratio"}:
            assert (figure["temperature"], figure["volume"]) == pytest.approx((300.0, EDGE**3))
    assert simple["systems"][0]["temperature"] == 300.0


def test_without_a_conductivity_all_else_is_analysed_and_a_note_says_why(tmp_path: Path) -> None:
    neutral = trajectory(salt(5, charge=0.0), salt_motion(5, 60, seed=0), CELL)
    write_store(tmp_path / "neutral.h5", neutral)
    results = analyze_files([tmp_path / "neutral.h5"], WARM)
    assert find(results, "self_diffusivity", "Na", "multi-origin")
    assert find(results, "finite_size_correction", "all")["temperature"] == 300.0
    (note,) = [n for n in results["notes"] if "no conductivity" in n]
    assert "neutral.h5: no conductivity, transference_number or haven_ratio: no cations and anions" in note
    assert not [n for n in analyze_files([tmp_path / "neutral.h5"])["notes"] if "no conductivity" in n]


def test_volume_that_changes_gives_no_conductivity_and_one_that_fluctuates_is_averaged(tmp_path: Path) -> None:
    frames = trajectory(salt(5), salt_motion(5, 60, seed=0), CELL)
    for name, spread in (("pressed", 0.06), ("fluctuating", 0.003)):
        scale = np.linspace(1.0 - spread, 1.0 + spread, 60)[:, None, None]
        write_store(tmp_path / f"{name}.h5", replace(frames, cell=frames.cell * scale))
    pressed = analyze_files([tmp_path / "pressed.h5"], WARM)
    assert not [f for f in pressed["figures"] if f["name"] in ("conductivity", "haven_ratio", "transference_number")]
    assert any("pressed.h5: no conductivity" in n and "the volume changes between" in n for n in pressed["notes"])
    assert find(pressed, "self_diffusivity", "Na", "multi-origin")
    sigma = find(analyze_files([tmp_path / "fluctuating.h5"], WARM), "conductivity", "Na+Cl", COLLECTIVE)
    assert sigma["volume"] == pytest.approx(abs(np.linalg.det(CELL)), rel=1e-3)
    assert sigma["volume_spread"] > 0


def test_replicas_at_different_temperatures_are_refused(tmp_path: Path) -> None:
    paths = []
    for seed, temperature in enumerate((300.0, 350.0)):
        paths.append(
            electrolyte_store(
                tmp_path / f"{temperature:g}.h5",
                {"Na": 3, "Cl": 3},
                SALT,
                20,
                seed,
                provenance={"temperature": temperature},
            )
        )
    with pytest.raises(InputError, match=r"350\.h5: is at 350\.0 K"):
        analyze_files(paths, AnalysisSettings(replicas=True))


def test_published_sum_over_clusters_is_left_out_where_all_ions_hang_together(tmp_path: Path) -> None:
    store = salt_store(tmp_path / "salt.h5", n=40, frames=20)
    results = analyze_files([store], replace(WARM, structure_frames=2, cluster_cutoff=9.0))
    methods = {f["method"] for f in results["figures"] if f["name"] == "conductivity"}
    assert "cluster-nernst-einstein multi-origin" in methods
    assert "cluster-nernst-einstein single-origin" not in methods


@pytest.mark.slow
def test_several_processes_give_the_same_results(tmp_path: Path) -> None:
    paths = [electrolyte_store(tmp_path / f"run{k}.h5", {"Na": 5, "Cl": 5}, SALT, frames=60, seed=k) for k in range(2)]
    assert analyze_files(paths, WARM, processes=2) == analyze_files(paths, WARM)


def test_collective_figures_are_doubted_where_an_ion_is_not_diffusive(tmp_path: Path) -> None:
    # Ions that rattle around places that hardly move, summed up so that the charge itself is a random walk.
    counts, frames = {"Na": 6, "Cl": 6}, 300
    motion = correlated_motion(counts, 20, SALT, frames, seed=5)
    steps = np.diff(motion, axis=0)
    own = steps[:, :6] - steps[:, :6].mean(axis=1, keepdims=True)
    rattle = np.random.default_rng(5).normal(scale=3.0, size=(frames, 6, 3))
    motion[:, :6] += rattle - rattle.mean(axis=1, keepdims=True)
    motion[1:, :6] -= np.cumsum(own, axis=0)
    write_store(tmp_path / "caged.h5", trajectory(electrolyte(counts, 20), motion, np.eye(3) * EDGE))
    free = electrolyte_store(tmp_path / "free.h5", counts, SALT, frames, seed=5, n_solvent=20)
    doubt, mixed = "not known to be so is Na", "mixes windows: self-diffusion from "
    found = {}
    for path in (tmp_path / "caged.h5", free):
        results = analyze_files([path], WARM)
        assert find(results, "conductivity", "Na+Cl", COLLECTIVE)["regime"] == "diffusive"
        found[path.stem] = {
            name: find(results, name, species, method).get("warning", "")
            for name, species, method in (
                ("self_diffusivity", "Na", "multi-origin"),
                ("conductivity", "Na+Cl", COLLECTIVE),
                ("transference_number", "Na", COLLECTIVE),
                ("onsager_coefficient", "Na-Cl", COLLECTIVE),
                ("haven_ratio", "Na+Cl", f"nernst-einstein / {COLLECTIVE}"),
                ("onsager_distinct", "Na-Na", COLLECTIVE),
            )
        }
    caged = found["caged"]
    assert caged["self_diffusivity"]
    assert all(doubt in text for name, text in caged.items() if name != "self_diffusivity")
    assert {name for name, text in caged.items() if mixed in text} == {"haven_ratio", "onsager_distinct"}
    assert not any(doubt in text for text in found["free"].values())
    assert f"Na: {caged['self_diffusivity']}" in caged["haven_ratio"]


def test_species_in_doubt_agree_with_their_verb() -> None:
    assert looks_diffusive(["Li"]).endswith("not known to be so is Li")
    assert looks_diffusive(["Li", "TFSI"]).endswith("not known to be so are Li and TFSI")
