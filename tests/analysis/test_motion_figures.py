"""Figures of motion from stores with known answers: axes, cells of changing size, finite size, coordination, chains."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from found_figures import curve, find
from small_stores import CELL, D_ANION, D_CATION, STEP, chain_store, chains, salt, salt_motion, salt_store, trajectory
from typer.testing import CliRunner

from cgsim.analysis import AnalysisSettings, DynamicsSettings, analyze_files, motion
from cgsim.cli import app
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem

FEW = AnalysisSettings(rdf_bin_width=0.5, structure_frames=20)
UNIT_OF_D = 1e-4  # cm2/s per A^2/ps


def with_motion(**changes: Any) -> AnalysisSettings:
    return replace(FEW, dynamics=DynamicsSettings(**changes))


def test_diffusion_along_every_axis(tmp_path: Path) -> None:
    stretch = np.array([1.0, 0.5, 2.0])
    n = 40
    write_store(tmp_path / "salt.h5", trajectory(salt(n), salt_motion(n, 300, seed=1) * stretch, CELL))
    results = analyze_files([tmp_path / "salt.h5"], with_motion(per_axis=True, contact_frames=0))
    share = 1 - 22.99 / (n * (22.99 + 35.45))  # what is left after taking the drift out
    for axis, factor in zip("xyz", stretch, strict=True):
        figure = find(results, "self_diffusivity", "Na", f"multi-origin along {axis}")
        exact = D_CATION * UNIT_OF_D * factor**2 * share
        assert abs(figure["value"] - exact) < 4 * figure["standard_error"]
    own = curve(results, "msd", "Na")
    np.testing.assert_allclose(np.sum([own[f"msd_{axis}"] for axis in "xyz"], axis=0), own["msd"], rtol=1e-9)


def test_box_that_breathes_does_not_carry_diffusing_ions_along(tmp_path: Path) -> None:
    n, frames = 30, 400
    generator = np.random.default_rng(2)
    steps = generator.normal(size=(frames, 2 * n, 3)) * np.sqrt(2 * STEP * np.repeat([D_CATION, D_ANION], n))[:, None]
    system = salt(n)
    breath = 1 + 0.03 * np.sin(0.7 * np.arange(frames))
    cells = breath[:, None, None] * CELL
    # Motion in the box as a barostat makes it: places scale with the cell, displacements are added in the cell of now.
    inside = np.empty((frames, 2 * n, 3))
    images = np.zeros((frames, 2 * n, 3), dtype=np.int64)
    place, image = generator.uniform(size=(2 * n, 3)), generator.integers(-30, 30, size=(2 * n, 3))
    for t in range(frames):
        place = place + steps[t] @ np.linalg.inv(cells[t])
        image, place = image + np.floor(place).astype(np.int64), place - np.floor(place)
        inside[t], images[t] = place @ cells[t], image
    time = STEP * np.arange(frames, dtype=np.float64)
    write_store(
        tmp_path / "npt.h5", Trajectory(system, inside.astype(np.float32), images.astype(np.int32), cells, time)
    )
    results = analyze_files([tmp_path / "npt.h5"], with_motion(contact_frames=0))
    for species, d in (("Na", D_CATION), ("Cl", D_ANION)):
        figure = find(results, "self_diffusivity", species, "multi-origin")
        # An edge of 20 A times 30 images times 3 % would be 18 A at every step; real steps are 1.5 A. What remains is
        # the breathing of places in the box, 0.3 A: 3 % of the first squared step and nothing of later ones.
        assert abs(figure["value"] / UNIT_OF_D - d) < 4 * figure["standard_error"] / UNIT_OF_D + 0.04 * d
        assert figure["regime"] == "diffusive"
    assert results["systems"][0]["cell_change"] == pytest.approx(0.06, rel=0.02)
    assert any("npt.h5: edges of the cell change by up to 6.0" in note for note in results["notes"])


def test_box_of_constant_size_is_unwrapped_by_its_images_exactly(tmp_path: Path) -> None:
    from cgsim.analysis.source import open_source

    path = salt_store(tmp_path / "salt.h5", n=5, frames=50)
    source = open_source(path)
    unwrap = motion.Unwrapper(source, np.array([7, 2, 9]))
    for piece in source.chunks():
        np.testing.assert_array_equal(unwrap(piece), piece.unwrapped_positions[:, [7, 2, 9]])


def test_pieces_of_a_changing_box_join_without_a_step(tmp_path: Path) -> None:
    from cgsim.analysis.source import open_source

    frames = trajectory(salt(4), salt_motion(4, 60, seed=3), CELL)
    cells = frames.cell * (1 + 0.01 * np.sin(np.arange(60)))[:, None, None]
    write_store(tmp_path / "npt.h5", replace(frames, cell=cells))
    whole_source = open_source(tmp_path / "npt.h5")
    everything = np.arange(8)
    whole = np.concatenate([motion.Unwrapper(whole_source, everything)(p) for p in whole_source.chunks()])
    single = replace(whole_source, pieces=lambda: (p[k : k + 1] for p in whole_source.pieces() for k in range(60)))
    unwrap = motion.Unwrapper(single, everything)
    np.testing.assert_allclose(np.concatenate([unwrap(p) for p in single.chunks()]), whole, atol=1e-9)


def coordinated(frames: int, leave: float, seed: int) -> tuple[Trajectory, int]:
    """Na beads on the beads of short neutral chains; at each frame an ion may jump to another chain."""
    n_chains, length, ions = 8, 4, 10
    generator = np.random.default_rng(seed)
    parts = chains(n_chains, length, UnitSystem.MOLECULAR)
    n = n_chains * length
    system = System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.concatenate([np.zeros(n, dtype=np.int64), np.ones(ions, dtype=np.int64), np.full(ions, 2)]),
        type_names=("P", "Na", "Cl"),
        names=("P",) * n + ("Na",) * ions + ("Cl",) * ions,
        atomic_numbers=np.zeros(n + 2 * ions, dtype=np.int64),
        masses=np.concatenate([np.full(n, 44.0), np.full(2 * ions, 23.0)]),
        charges=np.concatenate([np.zeros(n), np.ones(ions), -np.ones(ions)]),
        bond_index=parts.bond_index,
        molecule_id=np.concatenate([parts.molecule_id, n_chains + np.arange(2 * ions)]),
    )
    chain = np.stack([np.arange(n) % length * 3.0, np.zeros(n), np.arange(n) // length * 6.0], axis=1) + 2.0
    unwrapped = np.empty((frames, n + 2 * ions, 3))
    host, jumps = generator.integers(n_chains, size=ions), 0
    for t in range(frames):
        move = (generator.random(ions) < leave) & (t > 0)
        host = np.where(move, (host + generator.integers(1, n_chains, size=ions)) % n_chains, host)
        jumps += int(move.sum())
        around = generator.normal(scale=0.1, size=(ions, 3)) + np.array([0, 2.0, 0])
        unwrapped[t, :n] = chain
        unwrapped[t, n : n + ions] = chain[host * length + 1] + around
        unwrapped[t, n + ions :] = generator.uniform(30, 45, size=(ions, 3))
    return trajectory(system, unwrapped, np.eye(3) * 50.0, step=1.0), jumps


def test_residence_and_hops_of_ions_on_chains(tmp_path: Path) -> None:
    leave = 0.05
    frames, jumps = coordinated(600, leave, seed=4)
    write_store(tmp_path / "ions.h5", frames)
    results = analyze_files([tmp_path / "ions.h5"], replace(FEW, coordination_cutoff=2.8))
    stay = find(results, "residence_time", "Na-P", "continuous")
    assert abs(stay["value"] - (1 / leave - 0.5)) < 4 * stay["standard_error"]
    assert stay["unit"] == "ps"
    assert stay["cutoff"] == 2.8
    assert stay["molecules_per_ion"] == pytest.approx(1.0)
    # A jump to any of 7 others: the memory of where it is decays as 1 - 8/7 leave.
    again = find(results, "residence_time", "Na-P", "intermittent")
    assert abs(again["value"] - (7 / 8 / leave - 0.5)) < 4 * again["standard_error"]
    hops = find(results, "hop_rate", "Na-P", "all sites replaced")
    assert hops["events_between_chains"] == jumps
    assert hops["value"] == pytest.approx(jumps / 10 / 599)
    share = find(results, "interchain_hop_share", "Na-P", "all sites replaced")
    assert share["value"] == 1.0
    assert share["standard_error"] > 0
    kept = curve(results, "residence", "Na-P")
    assert kept["continuous"][0] == 1.0
    assert any("no residence_time of Na-Cl: none within 2.8" in note for note in results["notes"])


def test_frames_can_be_spared_and_the_resolution_is_said(tmp_path: Path) -> None:
    frames, _ = coordinated(400, 0.01, seed=5)
    write_store(tmp_path / "ions.h5", frames)
    settings = replace(with_motion(contact_frames=100), coordination_cutoff=2.8)
    stay = find(analyze_files([tmp_path / "ions.h5"], settings), "residence_time", "Na-P", "continuous")
    assert stay["resolution"] == 4.0


def test_pair_without_a_shell_is_a_note(tmp_path: Path) -> None:
    results = analyze_files([salt_store(tmp_path / "salt.h5", frames=60)], FEW)  # an ideal gas
    assert not [f for f in results["figures"] if f["name"] == "residence_time"]
    assert any("rdf has no first minimum; give --coordination-cutoff" in note for note in results["notes"])


def test_chains_relax_by_modes(tmp_path: Path) -> None:
    results = analyze_files([chain_store(tmp_path / "chains.h5", n_chains=10, length=8)])
    ends = find(results, "end_to_end_relaxation_time", "polymer", "stretched exponential")
    exact = 5.0 * -1 / np.log(0.7)  # an AR(1) of every bond, in frames of 5
    assert abs(ends["value"] - exact) < 4 * ends["standard_error"] + 0.02 * exact
    assert abs(ends["stretching"] - 1) < 4 * ends["stretching_error"] + 0.02
    modes = curve(results, "rouse_modes", "polymer")
    p = np.array(modes["mode"])
    gaussian = 3.0 / (8 * 8 * np.sin(0.5 * np.pi * p / 8) ** 2)  # bonds of 1 along each axis
    pull = (np.array(modes["amplitude"]) - gaussian) / np.array(modes["amplitude_error"])
    assert np.abs(pull).max() < 4.5
    slow = np.array(modes["relaxation_time"])
    assert np.abs((slow - exact) / np.array(modes["relaxation_time_error"])).max() < 5


def test_chains_of_unequal_length_have_ends_but_no_modes(tmp_path: Path) -> None:
    system = chains(2, 8)
    kept = np.arange(16) != 15
    system = system.select(np.flatnonzero(kept))
    motion_of = np.random.default_rng(6).normal(size=(40, 15, 3)).cumsum(axis=1)
    write_store(tmp_path / "uneven.h5", trajectory(system, motion_of, np.zeros((3, 3)), step=1.0))
    results = analyze_files([tmp_path / "uneven.h5"])
    assert any(
        "no rouse_relaxation_time and rouse_amplitude of polymer: backbones of 7 to 8" in note
        for note in results["notes"]
    )
    assert find(results, "end_to_end_relaxation_time", "polymer", "stretched exponential")


def test_van_hove_functions_and_cage_hops_where_asked_for(tmp_path: Path) -> None:
    path = salt_store(tmp_path / "salt.h5", n=40, frames=200)
    settings = with_motion(van_hove=("2 ps", "20 ps"), cage_size=3.0, cage_time="10 ps", contact_frames=0)
    results = analyze_files([path], settings)
    own = curve(results, "van_hove_self", "Na")
    density, r, lag = (np.array(own[name]) for name in ("probability_density", "r", "lag"))
    assert sorted(set(lag)) == [2.0, 20.0]
    for one in (2.0, 20.0):
        assert density[lag == one].sum() * 0.25 == pytest.approx(1.0)
    spread = np.sum(density[lag == 20.0] * r[lag == 20.0] ** 2) * 0.25
    assert spread == pytest.approx(6 * D_CATION * 20, rel=0.15)  # 40 ions x 10 lags of it: 4 %
    distinct = curve(results, "van_hove_distinct", "Na-Cl")
    far = np.array(distinct["r"]) > 3
    assert np.mean(np.array(distinct["relative_density"])[far]) == pytest.approx(1.0, abs=0.05)
    assert find(results, "hop_rate", "Na", "out of cages")["value"] > 0


def test_non_gaussian_parameter_of_a_brownian_salt_vanishes(tmp_path: Path) -> None:
    results = analyze_files([salt_store(tmp_path / "salt.h5", n=40, frames=300)], with_motion(contact_frames=0))
    own = curve(results, "non_gaussian_parameter", "Na")
    pull = np.array(own["non_gaussian_parameter"]) / np.array(own["standard_error"])
    assert np.abs(pull).max() < 4
    assert find(results, "non_gaussian_parameter", "Na", "largest")["value"] < 0.5


def test_options_reach_the_results(tmp_path: Path) -> None:
    path = salt_store(tmp_path / "salt.h5", n=6, frames=60)
    options = [
        "--per-axis",
        "--viscosity",
        "3 +- 0.3 mPa s",
        "--temperature",
        "300",
        "--van-hove",
        "4 ps",
        "--rouse-modes",
        "2",
    ]
    more = ["--contact-frames", "30", "--recrossing", "0 ps", "--cage-size", "2", "--cage-time", "8 ps"]
    output = tmp_path / "results.json"
    result = CliRunner().invoke(app, ["analyze", str(path), "-o", str(output), *options, *more])
    assert result.exit_code == 0, result.exception
    results = json.loads(output.read_text())
    methods = {(f["name"], f["method"]) for f in results["figures"]}
    assert ("self_diffusivity", "multi-origin, infinite cell along y") in methods
    assert ("hop_rate", "out of cages") in methods
    assert {"van_hove_self", "van_hove_distinct"} <= set(results["curves"])
