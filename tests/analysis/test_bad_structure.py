"""Mistakes in what is asked of structure: one line, before any work."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mistakes import Make, assert_refused_before_any_work, good
from small_stores import CELL, chain_store, chains, salt, salt_motion, salt_store, trajectory

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem


def shrinking_box(folder: Path, *options: str) -> list[str]:
    """A cell whose last frame is half as wide as the first."""
    frames = trajectory(salt(3), salt_motion(3, 11, seed=0), CELL)
    cells = frames.cell * np.linspace(1.0, 0.5, 11)[:, None, None]
    write_store(folder / "npt.h5", replace(frames, cell=cells))
    return [str(folder / "npt.h5"), *options]


def wrapped_chains(folder: Path, *options: str, with_images: bool = False) -> list[str]:
    """Chains of four beads without bonds; the second goes on at the other side of the box."""
    positions = np.zeros((8, 2, 4, 3)) + np.arange(4)[:, None] + 1.0
    positions[:, 1] += [16.5, 8.0, 8.0]
    whole = trajectory(loose_chains(), positions.reshape(8, 8, 3), np.eye(3) * 20.0)
    images = whole.image_flags if with_images else np.zeros_like(whole.image_flags)
    write_store(folder / "loose.h5", replace(whole, image_flags=images))
    return [str(folder / "loose.h5"), *options]


def loose_chains() -> object:
    return replace(chains(2, 4, UnitSystem.MOLECULAR), bond_index=np.zeros((2, 0), dtype=np.int64))


MISTAKES: dict[str, tuple[Make, str]] = {
    "no such element": (lambda f: good(f, "--pair", "Na:element=F"), "no particles 'element=F'; known: Na, Cl"),
    "no such name": (lambda f: good(f, "--pair", "Na.name=Q*:Cl"), "no particles 'Na.name=Q*'"),
    "one selection": (lambda f: good(f, "--pairs", "Na"), "expected two selections, for example 'Li:polymer.O'"),
    "rdf beyond half the smallest box": (
        lambda f: shrinking_box(f, "--rdf-cutoff", "8"),
        "--rdf-cutoff 8 is beyond half the shortest lattice vector of the cell, 4.8",
    ),
    "coordination beyond half the box": (
        lambda f: good(f, "--coordination-cutoff", "11"),
        "--coordination-cutoff 11 is beyond half the shortest lattice vector of the cell, 9.7",
    ),
    "clusters beyond half the box": (lambda f: good(f, "--cluster-cutoff", "11"), "--cluster-cutoff 11 is beyond half"),
    "contacts beyond half the box": (
        lambda f: good(f, "--contact-maps", "--contact-cutoff", "11"),
        "--contact-cutoff 11 is beyond half",
    ),
    "negative distance": (
        lambda f: good(f, "--contact-cutoff", "-1"),
        "contact cutoff must be positive, got -1",
    ),
    "thickness of zero": (lambda f: good(f, "--profile-bin-width", "0"), "profile bin width must be positive, got 0"),
    "rdf of less than a bin": (
        lambda f: good(f, "--rdf-bin-width", "30"),
        "salt.h5: bins of rdfs are 30 Angstrom wide, expected at most their largest distance, 9.7",
    ),
    "slab wider than the cell": (
        lambda f: good(f, "--density-profile", "z", "--profile-bin-width", "30"),
        "salt.h5: --profile-bin-width 30 leaves less than two slabs, expected at most half the cell, which is 2",
    ),
    "contacts of beads of unknown size": (
        lambda f: [str(salt_store(f / "beads.h5", n=3, frames=12, beads=True)), "--contact-maps"],
        "has no bonds that tell the size of a bead; give --contact-cutoff",
    ),
    "profile without a cell": (
        lambda f: [str(chain_store(f / "chains.h5", frames=9)), "--density-profile", "z"],
        "has no cell, so there is no density for --density-profile",
    ),
    "profile along an unknown axis": (
        lambda f: good(f, "--density-profile", "w"),
        "density profile along 'w': expected one of x, y, z",
    ),
    "wrapped molecules without images and bonds": (
        wrapped_chains,
        "molecule 2 falls into parts 0.85 of the cell apart: it is wrapped, and without bonds or image flags",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_refused_in_one_line_before_any_work(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, message = MISTAKES[mistake]
    assert_refused_before_any_work(make, message, tmp_path, monkeypatch)


def test_molecules_without_bonds_but_with_images_have_a_size_and_no_ends(tmp_path: Path) -> None:
    (path,) = wrapped_chains(tmp_path, with_images=True)
    results = analyze_files([Path(path)], AnalysisSettings(structure_frames=3))
    names = {f["name"]: f["value"] for f in results["figures"] if f["species"] == "polymer"}
    assert names["mean_squared_radius_of_gyration"] == pytest.approx(3 * 1.25, rel=1e-6)  # four beads on a diagonal
    assert "end_to_end_distance" not in names
    assert "persistence_length" not in names
    assert any("no persistence length of polymer: it has no bonds" in note for note in results["notes"])


def test_default_reach_of_rdfs_follows_the_smallest_box(tmp_path: Path) -> None:
    (path,) = shrinking_box(tmp_path)
    (first, *_) = analyze_files([Path(path)])["curves"]["rdf"]
    assert first["r"][-1] < 0.25 * np.linalg.norm(CELL, axis=1).min() + 0.05
