"""Figures and curves of structure from stores whose structure is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from found_figures import curve, find
from model_chains import freely_rotating
from small_stores import CELL, chain_store, chains, salt, salt_motion, salt_store, trajectory

from cgsim.analysis import AnalysisSettings, analyze_files, shapes
from cgsim.mapping import Mapping
from cgsim.trajectory import System
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem

COSINE, BOND, LENGTH = 0.7, 1.2, 21


def stiff_chains(path: Path, n_chains: int = 6, frames: int = 300, cell: np.ndarray | None = None) -> Path:
    """A store of freely rotating chains that are drawn anew in every frame, around places that stay."""
    shapes_ = freely_rotating(LENGTH - 1, n_chains * frames, BOND, COSINE, seed=2).reshape(frames, n_chains, LENGTH, 3)
    shapes_ += np.random.default_rng(3).uniform(0, 20, size=(n_chains, 1, 3))
    system = chains(n_chains, LENGTH, UnitSystem.MOLECULAR)
    cell = np.zeros((3, 3)) if cell is None else cell
    write_store(path, trajectory(system, shapes_.reshape(frames, -1, 3), cell))
    return path


@pytest.mark.parametrize("cell", [np.zeros((3, 3)), CELL], ids=["open", "triclinic"])
def test_freely_rotating_chains_have_their_persistence_length_in_any_cell(tmp_path: Path, cell: np.ndarray) -> None:
    path = stiff_chains(tmp_path / "stiff.h5", cell=cell)
    results = analyze_files([path], AnalysisSettings(structure_frames=5))
    decay = find(results, "persistence_length", "polymer", "decay of bond correlation")
    assert abs(decay["value"] + BOND / np.log(COSINE)) < 4 * decay["standard_error"]
    assert decay["unit"] == "Angstrom"
    assert 0 < decay["standard_error"] < 0.05 * decay["value"]
    projection = find(results, "persistence_length", "polymer", "projection on a bond")
    lost = COSINE ** (projection["bonds"] + 1)  # beyond the end of the sum
    assert abs(projection["value"] - BOND * (1 - lost) / (1 - COSINE)) < 4 * projection["standard_error"]
    correlation = curve(results, "bond_correlation", "polymer")
    exact = COSINE ** correlation["separation"]
    assert np.abs((correlation["correlation"] - exact)[2:] / correlation["standard_error"][2:]).max() < 4
    np.testing.assert_allclose(correlation["contour"], BOND * correlation["separation"], rtol=1e-6)


def test_moments_add_up_to_the_radius_of_gyration_and_invariants_follow(tmp_path: Path) -> None:
    results = analyze_files([chain_store(tmp_path / "chains.h5")])
    figures = {n: find(results, n, "polymer") for n in ("asphericity", "acylindricity", "relative_shape_anisotropy")}
    moments = figures["asphericity"]["principal_moments"]
    assert sum(moments) == pytest.approx(find(results, "mean_squared_radius_of_gyration", "polymer")["value"])
    assert moments == sorted(moments)
    assert figures["asphericity"]["value"] == pytest.approx(moments[2] - (moments[0] + moments[1]) / 2)
    assert figures["acylindricity"]["value"] == pytest.approx(moments[1] - moments[0])
    assert 0 < figures["relative_shape_anisotropy"]["value"] < 1
    assert all(figure["standard_error"] > 0 for figure in figures.values())


def test_jointed_chains_without_memory_have_no_decay_length_and_say_so(tmp_path: Path) -> None:
    zigzag = np.stack([np.arange(6) % 2, np.zeros(6), np.zeros(6)], axis=1)  # every bond turns back
    positions = np.tile(zigzag, (8, 2, 1)) + np.repeat([0.0, 5.0], 6)[:, None]
    path = tmp_path / "zigzag.h5"
    write_store(path, trajectory(chains(2, 6), positions, np.zeros((3, 3))))
    results = analyze_files([path])
    decay = find(results, "persistence_length", "polymer", "decay of bond correlation")
    assert decay["value"] is None
    assert "not remembered" in decay["warning"]


def test_batches_give_what_the_whole_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stiff_chains(tmp_path / "stiff.h5", frames=40)
    whole = analyze_files([path])
    monkeypatch.setattr(shapes, "BATCH_BYTES", 72 * 126 * 7)  # seven frames at a time
    pieces = analyze_files([path])
    for a, b in zip(whole["figures"], pieces["figures"], strict=True):
        assert a["value"] == pytest.approx(b["value"], rel=1e-12), a["name"]
        assert a["standard_error"] == pytest.approx(b["standard_error"], rel=1e-9), a["name"]


def three_salts(counts: tuple[int, int, int]) -> System:
    """Beads of Na, K and Cl."""
    total = sum(counts)
    return replace(
        salt(1, beads=True),
        particle_type=np.repeat([0, 1, 2], counts),
        type_names=("Na", "K", "Cl"),
        names=tuple(np.repeat(["Na", "K", "Cl"], counts).tolist()),
        atomic_numbers=np.zeros(total, dtype=np.int64),
        masses=np.repeat([22.99, 39.1, 35.45], counts),
        charges=np.repeat([1.0, 1.0, -1.0], counts),
        molecule_id=np.arange(total),
    )


def test_clusters_of_two_cations_and_an_anion_are_counted_by_species(tmp_path: Path) -> None:
    # Na0 Cl0 K0 in a row; Cl1 with Na1 in every second frame; K1 alone.
    frames = 8
    line = np.array([[1.0, 1, 1], [1, 10, 10], [5, 1, 1], [10, 5, 15], [3, 1, 1], [1, 12, 10]])
    positions = np.tile(line, (frames, 1, 1))
    positions[::2, 5] += [0.0, 5.0, 0.0]
    path = tmp_path / "salts.h5"
    write_store(path, trajectory(three_salts((2, 2, 2)), positions, np.eye(3) * 30.0))
    results = analyze_files([path], AnalysisSettings(cluster_cutoff=2.5))
    assert find(results, "free_ion_fraction", "Na")["value"] == pytest.approx(0.25)
    assert find(results, "free_ion_fraction", "K")["value"] == pytest.approx(0.5)
    assert find(results, "free_ion_fraction", "Cl")["value"] == pytest.approx(0.25)
    assert find(results, "largest_cluster_size", "Na+K+Cl")["value"] == 3
    assert find(results, "mean_cluster_size", "Na+K+Cl")["value"] == pytest.approx((9 + (3 + 5) / 2) / 6)
    matrix = curve(results, "cluster_population", "Na+K+Cl")
    found = {(i, j): n for i, j, n in zip(matrix["cations"], matrix["anions"], matrix["clusters"], strict=True)}
    assert found == {(0, 1): 0.5, (1, 0): 1.5, (1, 1): 0.5, (2, 1): 1.0}
    assert matrix["ion_fraction"].sum() == pytest.approx(1.0)
    species = curve(results, "cluster_composition", "Na+K+Cl")
    rows = zip(species["Na"], species["K"], species["Cl"], species["clusters"], strict=True)
    assert {row[:3]: row[3] for row in rows} == {
        (0, 0, 1): 0.5, (0, 1, 0): 1.0, (1, 0, 0): 0.5, (1, 0, 1): 0.5, (1, 1, 1): 1.0,
    }  # fmt: skip


def test_errors_of_cluster_populations_are_those_of_counting(tmp_path: Path) -> None:
    n, frames = 30, 400
    generator = np.random.default_rng(4)
    positions = generator.uniform(size=(frames, 2 * n, 3)) @ CELL
    pairs = generator.random((frames, n)) < 0.3  # each anion sits on its cation with this probability, else far away
    positions[:, n:] = np.where(pairs[..., None], positions[:, :n] + 0.05, positions[:, n:])
    path = tmp_path / "pairs.h5"
    write_store(path, trajectory(salt(n, beads=True), positions, CELL))
    settings = AnalysisSettings(cluster_cutoff=0.4, rdf_bin_width=1.0)  # by chance one ion in 1,000 meets another
    results = analyze_files([path], settings)
    free = find(results, "free_ion_fraction", "Na")
    assert abs(free["value"] - 0.7) < 4 * free["standard_error"]
    assert free["standard_error"] == pytest.approx(np.sqrt(0.3 * 0.7 / (n * frames)), rel=0.3)


def test_density_profiles_are_normalised_and_a_drifting_box_does_not_smear_them(tmp_path: Path) -> None:
    n, frames = 50, 60
    generator = np.random.default_rng(5)
    cell = np.array([[10.0, 0, 0], [2.0, 9.0, 0], [1.0, -3.0, 20.0]])
    fractional = generator.uniform(size=(frames, 2 * n, 3))
    fractional[:, :n, 2] = 0.25 + 0.2 * fractional[:, :n, 2]  # all Na in a fifth of the box
    still = fractional @ cell
    still -= np.average(still, axis=1, weights=salt(n).masses)[:, None] - np.array([5.0, 5.0, 10.0])  # centre at rest
    write_store(tmp_path / "still.h5", trajectory(salt(n, charge=1.0), still, cell))
    moving = still + np.arange(frames)[:, None, None] * np.array([0.0, 0.0, 1.7])
    write_store(tmp_path / "moving.h5", trajectory(salt(n, charge=1.0), moving, cell))
    settings = AnalysisSettings(density_profile=("z", "x"), profile_bin_width=1.0, cluster_cutoff=3.0)
    results, other = (analyze_files([tmp_path / f"{name}.h5"], settings) for name in ("still", "moving"))
    sodium, chloride, both = (curve(results, "density_profile_z", s) for s in ("Na", "Cl", "all"))
    assert len(sodium["position"]) == 20
    volume = abs(np.linalg.det(cell))
    assert sodium["number_density"].mean() == pytest.approx(n / volume)
    assert (sodium["number_density"] > 0).sum() <= 8  # four slabs, and what the fluctuating centre adds
    mass = sodium["mass_density"].mean() + chloride["mass_density"].mean()
    assert mass == pytest.approx(n * (22.99 + 35.45) / volume / 0.602214076)
    for what in ("number_density", "mass_density", "charge_density"):
        np.testing.assert_allclose(both[what], sodium[what] + chloride[what], atol=1e-12)
    assert both["charge_density"].mean() == pytest.approx(0.0, abs=1e-12)
    assert both["units"]["charge_density"] == "e/Angstrom3"
    drifted = curve(other, "density_profile_z", "Na")
    # Positions are kept in single precision; one particle that crosses a face of a slab by that is one in 3,000.
    np.testing.assert_allclose(drifted["number_density"], sodium["number_density"], atol=3 / frames / (volume / 20))
    assert {c["species"] for c in results["curves"]["density_profile_x"]} == {"Na", "Cl", "all"}


def test_profile_in_a_changing_cell_says_that_it_is_scaled(tmp_path: Path) -> None:
    frames = trajectory(salt(5), salt_motion(5, 10, seed=0), CELL)
    cells = frames.cell * (1 + 0.02 * np.arange(10))[:, None, None]
    write_store(tmp_path / "npt.h5", replace(frames, cell=cells))
    results = analyze_files([tmp_path / "npt.h5"], AnalysisSettings(density_profile=("y",)))
    assert any("scaled to the mean width" in note for note in results["notes"])


def test_contact_map_of_rods_is_their_neighbours_and_rods_touch_each_other(tmp_path: Path) -> None:
    # Two rods of five beads side by side, 1.2 apart in even frames and far apart in odd ones; a third is alone.
    positions = np.zeros((8, 3, 5, 3))
    positions[..., 0] = np.arange(5)
    positions[:, 1, :, 1] = np.where(np.arange(8) % 2, 9.0, 1.2)[:, None]
    positions[:, 2, :, 2] = 12.0
    path = tmp_path / "rods.h5"
    system = chains(3, 5, UnitSystem.MOLECULAR)
    write_store(path, trajectory(system, positions.reshape(8, 15, 3), np.eye(3) * 30.0))
    results = analyze_files([path], AnalysisSettings(contact_maps=True))  # 1.5 bonds: nearest neighbours only
    found = curve(results, "contact_map", "polymer")
    assert len(found["probability"]) == 10
    np.testing.assert_array_equal(found["probability"], found["unit_j"] - found["unit_i"] == 1)
    contact = find(results, "molecules_in_contact", "polymer-polymer")
    assert contact["value"] == pytest.approx(2 / 3 / 2)  # two of three have one neighbour, half of the time
    assert contact["window"] == pytest.approx([0.0, 1.5])
    assert contact["window_unit"] == "Angstrom"
    wider = analyze_files([path], AnalysisSettings(contact_maps=True, contact_cutoff=2.5))
    found = curve(wider, "contact_map", "polymer")
    np.testing.assert_array_equal(found["probability"], found["unit_j"] - found["unit_i"] <= 2)


def test_long_chains_are_mapped_in_segments_of_their_backbone(tmp_path: Path) -> None:
    n = 150
    positions = np.stack([np.arange(n) * 1.0, np.zeros(n), np.zeros(n)], axis=1)
    path = tmp_path / "long.h5"
    write_store(path, trajectory(chains(1, n), np.tile(positions, (6, 1, 1)), np.zeros((3, 3))))
    found = curve(analyze_files([path], AnalysisSettings(contact_maps=True)), "contact_map", "polymer")
    assert found["units"]["unit_i"] == "segments of 2 backbone beads"
    assert found["unit_j"].max() == n // 2
    np.testing.assert_array_equal(found["probability"], found["unit_j"] - found["unit_i"] == 1)


def test_neighbours_within_a_given_distance_are_counted_exactly(tmp_path: Path) -> None:
    positions = np.zeros((6, 4, 3))
    positions[:, 2:, 0] = [2.03, 2.07]  # both Cl near the first Na, on the same side of an edge of any bin of 0.5
    positions[:, 1] = 9.0
    path = tmp_path / "fixed.h5"
    write_store(path, trajectory(salt(2, beads=True), positions, np.eye(3) * 20.0))
    settings = AnalysisSettings(pairs=("Na:Cl",), rdf_bin_width=0.5, coordination_cutoff=2.05, cluster_cutoff=3.0)
    figure = find(analyze_files([path], settings), "coordination_number", "Na-Cl", "within the given cutoff")
    assert figure["value"] == 0.5
    assert figure["window"] == [0.0, 2.05]


def test_pairs_are_chosen_by_element_type_and_name(tmp_path: Path) -> None:
    path = salt_store(tmp_path / "salt.h5", frames=40)
    pairs = ("element=Na:Cl", "Na.name=N*:type=Cl", "all:all", "Na:Cl")
    results = analyze_files([path], AnalysisSettings(pairs=pairs, rdf_bin_width=1.0))
    labels = [p.replace(":", "-") for p in pairs]
    assert [c["species"] for c in results["curves"]["rdf"]] == labels
    first, second, everything, named = (curve(results, "rdf", label) for label in labels)
    np.testing.assert_array_equal(first["rdf"], named["rdf"])
    np.testing.assert_array_equal(second["rdf"], named["rdf"])
    assert everything["coordination"][-1] > 1.9 * named["coordination"][-1]


def test_structure_of_atoms_seen_as_beads_is_that_of_the_beads(tmp_path: Path) -> None:
    atoms_path = stiff_chains(tmp_path / "atoms.h5", frames=20, cell=np.eye(3) * 40.0)
    atoms = chains(6, LENGTH, UnitSystem.MOLECULAR)
    parts = np.arange(atoms.n_particles) // 3  # three atoms a bead
    mapping = Mapping.from_parts(atoms, parts, ("A",), np.zeros(parts.max() + 1, dtype=np.int64))
    positions = freely_rotating(LENGTH - 1, 120, BOND, COSINE, seed=2).reshape(20, 6, LENGTH, 3)
    positions += np.random.default_rng(3).uniform(0, 20, size=(6, 1, 3))
    beads = positions.reshape(20, -1, 3, 3).mean(axis=2)
    write_store(
        tmp_path / "beads.h5",
        trajectory(mapping.bead_system(atoms), beads, np.eye(3) * 40.0),
        atoms=atoms,
        documents={"mapping": mapping.to_document()},
    )
    settings = AnalysisSettings(contact_maps=True, contact_cutoff=4.0, density_profile=("z",))
    seen = analyze_files([atoms_path], settings, beads_of=tmp_path / "beads.h5")
    own = analyze_files([tmp_path / "beads.h5"], settings)
    for name in ("asphericity", "persistence_length", "molecules_in_contact"):
        species = "A-A" if name == "molecules_in_contact" else "A"  # molecules of one class of beads are called by it
        pair = [
            [f["value"] for f in r["figures"] if f["name"] == name and f["species"] == species] for r in (seen, own)
        ]
        assert pair[0], name
        np.testing.assert_allclose(pair[0], pair[1], rtol=1e-4)  # single precision


def test_errors_of_ions_that_keep_their_surroundings_are_from_ion_to_ion(tmp_path: Path) -> None:
    n, frames = 6, 400
    generator = np.random.default_rng(4)
    pairs = np.arange(n) < 4  # four Na have their Cl for ever, two have none; one contact flickers beside
    positions = np.zeros((frames, 2 * n, 3))
    positions[:, :n, 0] = 12.0 * np.arange(n)
    positions[:, n:, 0] = positions[:, :n, 0] + np.where(pairs, 2.0, 5.0)
    positions[:, 2 * n - 1, 0] = np.where(generator.random(frames) < 0.3, 62.0, 65.0)
    path = tmp_path / "frozen.h5"
    write_store(path, trajectory(salt(n, beads=True), positions, np.diag([12.0 * n, 20.0, 20.0])))
    settings = AnalysisSettings(
        pairs=("Na:Cl",), coordination_cutoff=3.0, cluster_cutoff=3.0, contact_maps=True, contact_cutoff=3.0
    )
    results = analyze_files([path], settings)
    means = np.concatenate([pairs[:-1].astype(float), [(positions[:, -1, 0] < 63.0).mean()]])
    for name in ("coordination_number", "molecules_in_contact"):
        figure = find(results, name, "Na-Cl")
        assert figure["value"] == pytest.approx(means.mean())
        assert figure["standard_error"] == pytest.approx(means.std(ddof=1) / np.sqrt(n))
        assert (figure["error_from"], figure["n_effective"], figure["degrees_of_freedom"]) == ("particles", n, n - 1)
