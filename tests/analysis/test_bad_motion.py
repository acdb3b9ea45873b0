"""Mistakes in what is asked of motion: one line, before any work."""

from pathlib import Path

import numpy as np
import pytest
from mistakes import assert_refused_before_any_work
from small_stores import chain_store, chains, relaxing_chains, salt_store, trajectory

from cgsim.analysis import AnalysisSettings, DynamicsSettings, Viscosity, analyze_files
from cgsim.analysis.dynamics_settings import parse_viscosity
from cgsim.errors import InputError
from cgsim.trajectory.store import write_store

MISTAKES = {
    "negative viscosity": (["--viscosity", "-1"], "viscosity must be positive, got -1"),
    "viscosity of zero": (["--viscosity", "0 +- 1"], "viscosity must be positive, got 0"),
    "no viscosity": (["--viscosity", "thick"], "viscosity 'thick': expected a number, its error if known, and mPa s"),
    "viscosity of another unit": (["--viscosity", "3 m2/s"], "viscosity '3 m2/s': expected a number"),
    "negative error": (["--viscosity", "3 +- -1"], "error of the viscosity must be from 0 to less than half of its 3"),
    "useless viscosity": (["--viscosity", "3 +- 2"], "less than half of its 3, got 2"),
    "viscosity without temperature": (["--viscosity", "2"], "states no temperature, which --viscosity needs"),
    "van hove between frames": (["--van-hove", "3 ps"], "--van-hove 3 ps is not a multiple of the time between frames"),
    "van hove beyond the run": (
        ["--van-hove", "1 ns"],
        "--van-hove 1 ns is longer than the run, expected at most 118 ps",
    ),
    "van hove beyond the run and between frames": (["--van-hove", "1.001 ns"], "--van-hove 1.001 ns is longer than"),
    "van hove without unit": (["--van-hove", "4"], "needs one of the units"),
    "cage without time": (["--cage-size", "2"], "hops between cages need both --cage-size and --cage-time"),
    "cage shorter than frames": (
        ["--cage-size", "2", "--cage-time", "2 ps"],
        "--cage-time 2 ps is less than two frames",
    ),
    "cage longer than the run": (
        ["--cage-size", "2", "--cage-time", "80 ps"],
        "has 60 frames, --cage-time 80 ps needs at least 81",
    ),
    "recrossing beyond the run": (["--recrossing", "100 ps"], "--recrossing 100 ps is longer than half the run"),
    "negative modes": (["--rouse-modes", "-1"], "rouse modes must not be negative, got -1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_about_motion_is_one_line_before_any_work(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, message = MISTAKES[mistake]

    def make(folder: Path) -> list[str]:
        return [str(salt_store(folder / "salt.h5", n=3, frames=60)), *options]

    assert_refused_before_any_work(make, message, tmp_path, monkeypatch)


def test_viscosity_of_open_boundaries_is_refused(tmp_path: Path) -> None:
    path = chain_store(tmp_path / "chains.h5", frames=20)
    with pytest.raises(InputError, match="has no cell, so --viscosity has no finite size to correct"):
        analyze_files([path], AnalysisSettings(dynamics=DynamicsSettings(viscosity=Viscosity(1.0))))


def test_viscosity_with_a_unit_is_refused_for_reduced_units(tmp_path: Path) -> None:
    made = trajectory(chains(2, 4), relaxing_chains(2, 4, 20, 0.5, 0), np.diag([9.0, 9.0, 9.0]))
    write_store(tmp_path / "chains.h5", made)
    settings = AnalysisSettings(temperature=1.0, dynamics=DynamicsSettings(viscosity=parse_viscosity("2 mPa s")))
    with pytest.raises(InputError, match="is in reduced units, so --viscosity is a number of epsilon tau/sigma3"):
        analyze_files([tmp_path / "chains.h5"], settings)
