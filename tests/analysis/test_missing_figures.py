"""What the documentation calls "always" is in the results, or a note or warning says why not."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_stores import chain_store, chains, salt_store, trajectory
from test_motion_figures import FEW, coordinated

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.cli.results import TOPICS
from cgsim.trajectory.importing import ImportSettings, import_trajectory
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem

ROOT = Path(__file__).parents[2]
FIGURES = {name for _, names in TOPICS for name in names}
CHAINS = ("chains", "chains with bonds", "chains of equal length")
ANY = ("pairs of selections", "tracers of every species", "tracers")
IONS = ("ions of both signs", "cations with every other neutral or negative species")


def always(*things: str) -> list[str]:
    """Figures that docs/analysis.md calls so, of some things."""
    text = (ROOT / "docs/analysis.md").read_text()
    rows = dict.fromkeys(re.findall(r"^\| (.+?) \| (.+?) \| always.*\|$", text, re.MULTILINE))
    assert {*CHAINS, *ANY, *IONS} <= {of_what.removesuffix(" (of Rg)") for _, of_what in rows}
    names = [name for row, of_what in rows for name in re.findall(r"`([a-z_]+)`", row) if of_what in things]
    return [name for name in names if name in FIGURES]


def unexplained(document: dict[str, Any], *things: str) -> list[str]:
    """Figures that are neither there, if only as a curve, nor in any note or warning."""
    there = {f["name"] for f in document["figures"]} | set(document["curves"])
    said = " ".join([*document["notes"], *(f.get("warning", "") for f in document["figures"])])
    return [name for name in always(*things) if name not in there and not re.search(rf"\b{name}\b", said)]


def loose_chains(path: Path, frames: int) -> Path:
    """Chains without bonds."""
    loose = replace(chains(2, 8, UnitSystem.MOLECULAR), bond_index=np.zeros((2, 0), dtype=np.int64))
    walk = np.random.default_rng(0).normal(size=(frames, 16, 3)).cumsum(axis=1) * 0.3
    write_store(path, trajectory(loose, walk, np.eye(3) * 60.0))
    return path


def test_eight_frames_of_a_published_electrolyte_say_what_they_are_too_few_for(tmp_path: Path) -> None:
    data = ROOT / "data/htp_md"
    settings = ImportSettings(units="real", timestep=2.0)
    import_trajectory(data / "relaxed.lmp.gz", [data / "traj.lammpstrj.gz"], tmp_path / "htp.h5", settings)
    results = analyze_files([tmp_path / "htp.h5"], AnalysisSettings(temperature=353.0, rdf_bin_width=0.2))
    assert unexplained(results, *CHAINS, *ANY, *IONS, "molecules of several particles") == []
    for text in (
        "htp.h5: no end_to_end_relaxation_time, rouse_relaxation_time and rouse_amplitude of polymer: 8 frames, at",
        "no coordination_cutoff, residence_time, hop_rate and interchain_hop_share of Li-polymer, Li-TFSI: 8 frames",
    ):
        assert any(text in note for note in results["notes"]), text


def test_every_small_system_says_what_it_lacks(tmp_path: Path) -> None:
    still, _ = coordinated(60, 0.0, seed=4)
    write_store(tmp_path / "still.h5", still)
    for path, things in (
        (salt_store(tmp_path / "few.h5", n=3, frames=5), (*ANY, *IONS)),
        (tmp_path / "still.h5", (*CHAINS, *ANY, *IONS)),
        (loose_chains(tmp_path / "loose.h5", 40), ("chains", *ANY)),
        (chain_store(tmp_path / "open.h5", frames=60), (*CHAINS, *ANY)),
    ):
        cutoff = 2.8 if path.stem == "still" else None
        results = analyze_files([path], replace(FEW, coordination_cutoff=cutoff))
        lacking = [] if cutoff is None else ["rdf_first_minimum"]  # which nobody needs where a cutoff is given
        assert unexplained(results, *things) == lacking, path


def test_pair_without_a_shell_is_named(tmp_path: Path) -> None:
    results = analyze_files([salt_store(tmp_path / "salt.h5", n=10, frames=40)], FEW)  # an ideal gas: no peak at all
    (note,) = [n for n in results["notes"] if "rdf_first_peak" in n]
    assert "no rdf_first_peak, rdf_first_minimum, coordination_number of" in note
    assert "Na-Cl" in note


@pytest.mark.parametrize("frames", [12, 60])
def test_unbonded_chains_have_no_relaxation_of_ends_that_nobody_knows(frames: int, tmp_path: Path) -> None:
    results = analyze_files([loose_chains(tmp_path / "loose.h5", frames)], FEW)
    assert not [f for f in results["figures"] if "end_to_end" in f["name"]]
    assert any("no end_to_end_relaxation_time" in note for note in results["notes"])
    assert any("no end_to_end_distance" in note for note in results["notes"])
