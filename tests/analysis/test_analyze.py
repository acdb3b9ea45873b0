import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from found_figures import find
from small_stores import (
    CELL,
    D_ANION,
    D_CATION,
    chain_store,
    chains,
    salt,
    salt_motion,
    salt_store,
    trajectory,
)

from cgsim.analysis import AnalysisSettings, analyze_files, motion, write_results
from cgsim.mapping import Mapping
from cgsim.observables.transport import conductivity_factor
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem

WARM = AnalysisSettings(temperature=300.0, rdf_bin_width=0.5)
UNIT_OF_D = 1e-4  # cm2/s per A^2/ps


def assert_same(first: dict[str, Any], second: dict[str, Any], rel: float) -> None:
    """All figures of two results agree."""
    assert len(first["figures"]) == len(second["figures"])
    for a, b in zip(first["figures"], second["figures"], strict=True):
        assert (a["name"], a["species"], a["method"]) == (b["name"], b["species"], b["method"])
        for key in ("value", "standard_error"):
            assert a[key] is None if b[key] is None else a[key] == pytest.approx(b[key], rel=rel), (a["name"], key)


@pytest.mark.parametrize("beads", [False, True], ids=["atoms", "beads"])
def test_brownian_salt_gives_its_diffusivities_and_conductivity(tmp_path: Path, beads: bool) -> None:
    n = 40
    path = salt_store(tmp_path / "salt.h5", n=n, frames=500, seed=3, beads=beads)
    results = analyze_files([path], replace(WARM, cluster_cutoff=0.5, structure_frames=50))
    exact = {"Na": D_CATION * UNIT_OF_D, "Cl": D_ANION * UNIT_OF_D}
    share = 1.0 - np.array([22.99, 35.45]) / (n * (22.99 + 35.45))  # what is left after taking the drift out
    for (species, d), factor in zip(exact.items(), share, strict=True):
        figure = find(results, "self_diffusivity", species, "multi-origin")
        assert abs(figure["value"] - d * factor) < 4 * figure["standard_error"] + 0.01 * d
        assert figure["regime"] == "diffusive"
        assert "warning" not in figure
        assert figure["unit"] == "cm2/s"
        single = find(results, "self_diffusivity", species, "single-origin")
        assert abs(single["value"] - d) < 4 * single["standard_error"]
    factor = conductivity_factor(abs(np.linalg.det(CELL)), 300.0)
    expected = factor * n * sum(exact.values())  # formal charges: 1 e, not 0.7 e
    for method in ("nernst-einstein multi-origin", "einstein-collective multi-origin"):
        sigma = find(results, "conductivity", "Na+Cl", method)
        # Taking out the drift of the mass leaves the charge current of two equal numbers of ions nearly as it is: 1 %.
        assert abs(sigma["value"] - expected) < 4 * sigma["standard_error"] + 0.02 * expected
    transference = find(results, "transference_number", "Na", "nernst-einstein multi-origin")
    assert abs(transference["value"] - 1 / 3) < 4 * transference["standard_error"] + 0.01
    clusters = find(results, "conductivity", "Na+Cl", "cluster-nernst-einstein multi-origin")
    free = find(results, "conductivity", "Na+Cl", "nernst-einstein multi-origin")
    assert clusters["value"] == pytest.approx(free["value"], rel=0.02)  # at 0.5 A hardly two ions touch


def test_drift_of_the_box_changes_nothing(tmp_path: Path) -> None:
    still = analyze_files([salt_store(tmp_path / "salt.h5")], WARM)
    (tmp_path / "drifting").mkdir()
    moving = analyze_files([salt_store(tmp_path / "drifting" / "salt.h5", drift=1.5)], WARM)
    # float32 in-box positions: 20 A x 6e-8 in each, against displacements of 1 A
    assert_same(still, moving, rel=2e-4)


def test_images_of_molecules_change_nothing(tmp_path: Path) -> None:
    original = trajectory(salt(20), salt_motion(20, 200, seed=0), CELL)
    shift = np.random.default_rng(1).integers(-50, 50, size=(1, 40, 3)).astype(np.int32)
    results = []
    for name, images in (("a", original.image_flags), ("b", original.image_flags + shift)):
        write_store(tmp_path / f"{name}.h5", replace(original, image_flags=images))
        results.append(analyze_files([tmp_path / f"{name}.h5"], WARM))
    assert_same(*results, rel=1e-9)


def test_pieces_give_what_the_whole_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = salt_store(tmp_path / "salt.h5")
    whole = analyze_files([path], WARM)
    monkeypatch.setattr(motion, "MAX_BYTES", 24 * 200 * 3 * 7)  # seven ions at a time
    reads = []
    follow = motion._follow
    monkeypatch.setattr(
        motion, "_follow", lambda s, block, box, **k: reads.append(block.n_molecules) or follow(s, block, box, **k)
    )
    pieces = analyze_files([path], WARM)
    assert reads == [7, 7, 6, 7, 7, 6]
    assert_same(whole, pieces, rel=1e-9)


def test_chains_in_reduced_units_have_sizes_and_relaxation(tmp_path: Path) -> None:
    results = analyze_files([chain_store(tmp_path / "chains.h5")])
    length = 8
    squared = find(results, "mean_squared_radius_of_gyration", "polymer", "average")
    assert abs(squared["value"] - 3 * (length**2 - 1) / (6 * length)) < 4 * squared["standard_error"]
    ends = find(results, "mean_squared_end_to_end_distance", "polymer", "average")
    assert abs(ends["value"] - 3 * (length - 1)) < 4 * ends["standard_error"]
    radius = find(results, "radius_of_gyration", "polymer", "average")
    assert radius["unit"] == "sigma"
    assert radius["value"] ** 2 < squared["value"]  # <Rg^2> is not <Rg>^2
    tau = find(results, "relaxation_time", "polymer", "integrated autocorrelation")
    # Squares of bonds forget with memory^2 a frame: tau = (1 + m^2) / (1 - m^2) / 2 frames of 5 tau for Rg^2; nearly
    # the same for Rg.
    assert abs(tau["value"] - 5 * 0.5 * (1 + 0.49) / (1 - 0.49)) < 3 * tau["standard_error"]
    assert tau["standard_error"] < 0.2 * tau["value"]
    assert find(results, "self_diffusivity", "polymer", "multi-origin")["unit"] == "sigma2/tau"
    assert results["systems"][0]["drift"] == "kept: no cell"
    assert not [f for f in results["figures"] if f["name"] in ("conductivity", "rdf", "density")]


def test_histogram_of_sizes_is_normalised_and_curves_have_errors(tmp_path: Path) -> None:
    curves = analyze_files([chain_store(tmp_path / "chains.h5")])["curves"]
    histogram = curves["rg_histogram"][0]
    width = histogram["radius_of_gyration"][1] - histogram["radius_of_gyration"][0]
    assert sum(histogram["density"]) * width == pytest.approx(1.0)
    correlation = curves["rg_autocorrelation"][0]
    assert correlation["autocorrelation"][0] == pytest.approx(1.0)
    msd = curves["msd"][0]
    assert len(msd["lag"]) == len(msd["msd"]) == len(msd["standard_error"]) == len(msd["single_origin"])
    assert min(msd["standard_error"]) > 0
    assert msd["msd"][-1] == pytest.approx(msd["single_origin"][-1], rel=1e-9)  # one origin is left at the last lag


def test_each_chain_by_itself_averages_to_all(tmp_path: Path) -> None:
    results = analyze_files([chain_store(tmp_path / "chains.h5")], AnalysisSettings(per_molecule=True))
    own = [find(results, "mean_squared_radius_of_gyration", f"polymer#{k}", "average")["value"] for k in range(1, 7)]
    everything = find(results, "mean_squared_radius_of_gyration", "polymer", "average")["value"]
    assert np.mean(own) == pytest.approx(everything, rel=1e-9)


def test_rdf_of_an_ideal_salt_is_one_and_its_curve_says_what_it_is(tmp_path: Path) -> None:
    path = salt_store(tmp_path / "salt.h5", frames=400)
    curves = analyze_files([path], replace(WARM, pairs=("Na:Cl", "Cl:Cl"), rdf_cutoff=6.0))["curves"]["rdf"]
    assert [c["species"] for c in curves] == ["Na-Cl", "Cl-Cl"]
    for curve in curves:
        deviation = (np.array(curve["rdf"]) - 1) / np.array(curve["standard_error"])
        assert np.mean(np.abs(deviation[2:]) < 3) > 0.9  # the innermost shells hold hardly a pair
        assert curve["units"]["r"] == "Angstrom"


def test_equilibration_leaves_out_the_start(tmp_path: Path) -> None:
    positions = salt_motion(20, 200, seed=5)
    quenched = positions.copy()
    quenched[:50] *= 3.0  # a start that is nothing like the rest
    write_store(tmp_path / "long.h5", trajectory(salt(20), quenched, CELL))
    write_store(tmp_path / "short.h5", trajectory(salt(20), positions[50:], CELL))
    long = analyze_files([tmp_path / "long.h5"], replace(WARM, equilibration="100 ps"))
    short = analyze_files([tmp_path / "short.h5"], WARM)
    assert_same(long, short, rel=1e-9)
    assert long["systems"][0]["first_frame"] == 50


def test_replicas_are_combined_and_files_of_one_system_are_not_unless_asked(tmp_path: Path) -> None:
    paths = [salt_store(tmp_path / f"run{k}.h5", seed=k) for k in range(3)]
    each = analyze_files(paths, WARM)
    values = [
        f
        for f in each["figures"]
        if (f["name"], f["species"], f["method"]) == ("self_diffusivity", "Na", "multi-origin")
    ]
    assert [f["system"] for f in values] == ["run0", "run1", "run2"]
    together = find(analyze_files(paths, replace(WARM, replicas=True)), "self_diffusivity", "Na", "multi-origin")
    assert together["value"] == pytest.approx(np.mean([f["value"] for f in values]))
    assert together["standard_error"] == pytest.approx(
        np.mean([f["standard_error"] for f in values]) / np.sqrt(3), rel=0.5
    )
    assert together["replicas"] == 3
    assert "file" not in together


def test_systems_of_equal_file_names_keep_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        salt_store(tmp_path / folder / "run.h5")
    results = analyze_files([tmp_path / "a" / "run.h5", tmp_path / "b" / "run.h5"])
    assert {f["system"] for f in results["figures"]} == {"a/run", "b/run"}


def test_atoms_seen_as_the_beads_of_a_rollout_give_the_figures_of_those_beads(tmp_path: Path) -> None:
    atoms = salt(20)
    path = salt_store(tmp_path / "atoms.h5")
    mapping = Mapping.from_parts(atoms, np.arange(40), ("Na", "Cl"), np.repeat([0, 1], 20))
    beads = mapping.bead_system(atoms)
    write_store(
        tmp_path / "rollout.h5",
        trajectory(beads, salt_motion(20, 200, seed=0), CELL),
        atoms=atoms,
        documents={"mapping": mapping.to_document()},
    )
    seen = analyze_files([path], WARM, beads_of=tmp_path / "rollout.h5")
    own = analyze_files([tmp_path / "rollout.h5"], WARM)
    assert {c["species"] for c in seen["curves"]["rdf"]} == {"Na-Na", "Na-Cl", "Cl-Cl"}
    assert_same(seen, own, rel=1e-4)


def test_temperature_is_taken_from_the_file_and_never_guessed(tmp_path: Path) -> None:
    frames = trajectory(salt(20), salt_motion(20, 100, seed=0), CELL)
    write_store(tmp_path / "silent.h5", frames)
    write_store(tmp_path / "stated.h5", frames, documents={"provenance": {"temperature": 300.0}})
    silent = analyze_files([tmp_path / "silent.h5"])
    assert not [f for f in silent["figures"] if f["name"] == "conductivity"]
    assert any("give --temperature" in note for note in silent["notes"])
    stated = analyze_files([tmp_path / "stated.h5"])
    given = analyze_files([tmp_path / "silent.h5"], AnalysisSettings(temperature=300.0))
    assert find(stated, "conductivity", "Na+Cl", "nernst-einstein multi-origin")["value"] == pytest.approx(
        find(given, "conductivity", "Na+Cl", "nernst-einstein multi-origin")["value"]
    )


def test_results_are_standard_json_with_null_for_what_is_unknown(tmp_path: Path) -> None:
    frames = trajectory(salt(1), salt_motion(1, 3, seed=0), CELL)  # one ion each: no scatter, too few frames
    write_store(tmp_path / "tiny.h5", frames)
    results = analyze_files([tmp_path / "tiny.h5"], AnalysisSettings(temperature=300.0))
    target = tmp_path / "results.json"
    write_results(results, target)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    loaded = json.loads(target.read_text(), parse_constant=refuse)
    single = find(loaded, "self_diffusivity", "Na", "single-origin")
    assert single["standard_error"] is None
    assert any("no multi-origin self_diffusivity" in n and "3 frames, at least 6" in n for n in loaded["notes"])
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_clusters_of_beads_reach_to_the_first_minimum_and_say_so(tmp_path: Path) -> None:
    n, frames = 20, 150
    generator = np.random.default_rng(7)
    motions = salt_motion(n, frames, seed=7)
    # Half of the anions sit at 3 +- 0.2 A from a cation, and every pair has a second neighbour around 7 A.
    direction = generator.normal(size=(frames, n, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    distance = np.where(np.arange(n) < n // 2, 3.0, 7.0)[:, None] + 0.2 * generator.normal(size=(frames, n, 1))
    motions[:, n:] = motions[:, :n] + distance * direction
    write_store(tmp_path / "pairs.h5", trajectory(salt(n, beads=True), motions, CELL))
    results = analyze_files([tmp_path / "pairs.h5"], AnalysisSettings(temperature=300.0))
    figure = find(results, "conductivity", "Na+Cl", "cluster-nernst-einstein multi-origin")
    reach = float(figure["contact"].split("within ")[1].split(" A")[0])
    assert 3.5 < reach < 6.6
    assert "the first minimum of their rdf" in figure["warning"]
    free = find(results, "conductivity", "Na+Cl", "nernst-einstein multi-origin")
    assert figure["value"] < 0.7 * free["value"]


def test_pairs_inside_molecules_can_be_left_out(tmp_path: Path) -> None:
    # Rigid chains of bond 1 far apart: all pairs within 3 A are inside one molecule.
    positions = np.zeros((6, 2, 4, 3))
    positions[:, 1, :, 1] = 9.0
    positions[..., 0] = np.arange(4)
    path = tmp_path / "rods.h5"
    write_store(path, trajectory(chains(2, 4, UnitSystem.MOLECULAR), positions.reshape(6, 8, 3), np.eye(3) * 20.0))
    settings = AnalysisSettings(pairs=("1:2",), rdf_cutoff=9.9)
    inside = np.array(analyze_files([path], settings)["curves"]["rdf"][0]["coordination"])
    outside = np.array(
        analyze_files([path], replace(settings, between_molecules=True))["curves"]["rdf"][0]["coordination"]
    )
    assert inside[29] == pytest.approx(1.5)  # r < 3: one or two neighbours of the other kind along the chain
    assert outside[29] == 0
    np.testing.assert_allclose(inside[-1] - outside[-1], 2.0)  # at r < 9.9 both of them
