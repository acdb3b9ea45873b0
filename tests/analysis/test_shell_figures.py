"""What the results say of the shells that coordination and residence go by, where no distance was given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from found_figures import find
from small_stores import salt, trajectory

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis.tables import figures_csv
from cgsim.trajectory.store import write_store


def store(path: Path, seed: int, *, share: float = 1.0, second: float = 0.3, n: int = 10, side: float = 24.0) -> Path:
    """Pairs of ions: a share of the Cl at 2.2 +- 0.1 A from their Na, the others about 6 A away."""
    generator = np.random.default_rng(seed)
    frames = 240
    motion = np.empty((frames, 2 * n, 3))
    motion[:, :n] = generator.uniform(0, side, size=(frames, n, 3))
    direction = generator.normal(size=(frames, n, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    near = generator.random((frames, n, 1)) < share
    distance = np.where(near, generator.normal(2.2, 0.1, near.shape), generator.normal(6.0, second, near.shape))
    motion[:, n:] = motion[:, :n] + distance * direction
    write_store(path, trajectory(salt(n), motion, np.eye(3) * side))
    return path


def results_of(path: Path) -> dict[str, Any]:
    return analyze_files([path], AnalysisSettings(pairs=("Na:Cl",), rdf_cutoff=8.0))


def test_default_distance_of_contacts_is_a_figure_in_results_and_table(tmp_path: Path) -> None:
    results = results_of(store(tmp_path / "near.h5", seed=1, share=0.5))
    cutoff = find(results, "coordination_cutoff", "Na-Cl", "first minimum of the rdf")
    shell = find(results, "rdf_first_minimum", "Na-Cl")
    assert 2.5 < cutoff["value"] < 5.0
    assert cutoff["value"] == pytest.approx(shell["value"])
    assert cutoff["standard_error"] > 0
    assert cutoff["sites"] == "Cl"
    number = find(results, "coordination_number", "Na-Cl")
    assert number["window"] == [0.0, shell["value"]]
    crowd = 10 / 24.0**3 * 4 / 3 * np.pi * shell["value"] ** 3  # other pairs are anywhere
    # Half of ten pairs over 240 frames, and an error that eight parts know to a quarter.
    assert abs(number["value"] - 0.5 - crowd) < 4 * number["standard_error"]
    stay = find(results, "residence_time", "Na-Cl", "continuous")
    assert stay["cutoff"] == cutoff["value"]
    row = next(line for line in figures_csv(results).splitlines() if ",coordination_cutoff,Na-Cl," in line)
    assert repr(cutoff["value"]) in row


def test_given_distance_is_a_figure_without_an_error(tmp_path: Path) -> None:
    path = store(tmp_path / "given.h5", seed=2)
    results = analyze_files([path], AnalysisSettings(coordination_cutoff=3.1, rdf_cutoff=8.0))
    cutoff = find(results, "coordination_cutoff", "Na-Cl", "given")
    assert (cutoff["value"], cutoff["standard_error"]) == (3.1, 0.0)
    assert "warning" not in cutoff


def test_shell_without_a_clear_end_is_doubted_wherever_it_is_used(tmp_path: Path) -> None:
    results = results_of(store(tmp_path / "shallow.h5", seed=3, share=0.02, second=0.9))
    for name in ("rdf_first_minimum", "coordination_number"):
        assert "warning" in find(results, name, "Na-Cl"), name
    assert "warning" in find(results, "coordination_cutoff", "Na-Cl")
    doubts = find(results, "coordination_cutoff", "Na-Cl")["warning"]
    assert "where the shell ends is open by" in doubts or "shallow: at its end g is still" in doubts
    assert doubts in find(results, "residence_time", "Na-Cl", "continuous")["warning"]
    clear = results_of(
        store(tmp_path / "clear.h5", seed=4, share=0.8, n=3, side=40.0)
    )  # next to nothing between the shells
    assert "warning" not in find(clear, "coordination_number", "Na-Cl")
