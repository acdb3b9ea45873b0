"""Sizes of molecules of atoms from beads that know their own sizes."""

from dataclasses import replace

import numpy as np
import pytest
from commands import run_here
from small_stores import relaxing_chains, trajectory
from systems import bead_spring

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis import motion as module
from cgsim.beads import open_beads, write_beads
from cgsim.mapping import MappingSettings
from cgsim.trajectory.store import write_store

OF_ATOMS = ("radius_of_gyration_of_atoms", "mean_squared_radius_of_gyration_of_atoms")
CELL = 30.0 * np.eye(3)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Three chains of 20 atoms, the same in 5 beads each that know their sizes, and in beads that do not."""
    folder = tmp_path_factory.mktemp("sizes")
    system = bead_spring(20, 3)
    system = replace(system, masses=np.random.default_rng(0).uniform(1.0, 5.0, size=60))
    write_store(folder / "atoms.h5", trajectory(system, relaxing_chains(3, 20, 300, 0.5, seed=0), CELL, step=5.0))
    beads = open_beads(folder / "atoms.h5", MappingSettings(atoms_per_bead=4))
    for name, sizes in (("sized", True), ("plain", False)):
        write_beads(beads, folder / f"{name}.h5", 0.0, np.inf, None, sizes=sizes)
    return folder


def figures_of(path, settings=None, beads_of=None) -> dict:
    figures = analyze_files([path], settings, beads_of)["figures"]
    found = {(f["name"], f["species"], f["method"]): f for f in figures}
    assert len(found) == len(figures)
    return found


def test_size_of_the_atoms_is_that_of_an_analysis_of_the_atoms(stores):
    settings = AnalysisSettings(per_molecule=True)
    atoms, beads = (figures_of(stores / f"{name}.h5", settings) for name in ("atoms", "sized"))
    for species in ("polymer", "polymer#1", "polymer#3"):
        for name in OF_ATOMS:
            expected = atoms[name.removesuffix("_of_atoms"), species, "average"]
            found = beads[name, species, "average"]
            # Positions and sizes are float32.
            assert found["value"] == pytest.approx(expected["value"], rel=1e-5)
            assert found["standard_error"] == pytest.approx(expected["standard_error"], rel=1e-2)
            assert found["unit"] == expected["unit"]
            own = beads[name.removesuffix("_of_atoms"), species, "average"]
            assert own["value"] < 0.95 * found["value"]  # beads alone are too small


def test_nothing_else_changes(stores):
    sized, plain = (figures_of(stores / f"{name}.h5") for name in ("sized", "plain"))
    assert {key[0] for key in set(sized) - set(plain)} == set(OF_ATOMS)
    for key, figure in plain.items():
        same = {k: v for k, v in sized[key].items() if k not in ("system", "file")}
        assert same == {k: v for k, v in figure.items() if k not in ("system", "file")}


def test_atoms_seen_as_sized_beads_bring_the_same_figures(stores):
    """So that MD and a rollout that knows its sizes can be compared figure by figure."""
    beads, seen = figures_of(stores / "sized.h5"), figures_of(stores / "atoms.h5", beads_of=stores / "sized.h5")
    assert set(seen) == set(beads)
    for name in OF_ATOMS:
        assert seen[name, "polymer", "average"]["value"] == pytest.approx(beads[name, "polymer", "average"]["value"])
    plain = figures_of(stores / "atoms.h5", beads_of=stores / "plain.h5")
    assert not any(name in OF_ATOMS for name, _, _ in plain)


def test_equilibration_and_blocks_of_molecules_do_not_matter(stores, monkeypatch):
    settings = AnalysisSettings(equilibration="500 tau")
    whole = figures_of(stores / "sized.h5", settings)
    monkeypatch.setattr(module, "MAX_BYTES", 1)  # one molecule at a time
    parts = figures_of(stores / "sized.h5", settings)
    for name in OF_ATOMS:
        assert parts[name, "polymer", "average"]["value"] == pytest.approx(whole[name, "polymer", "average"]["value"])
    atoms = figures_of(stores / "atoms.h5", settings)
    expected = atoms["mean_squared_radius_of_gyration", "polymer", "average"]["value"]
    assert whole[OF_ATOMS[1], "polymer", "average"]["value"] == pytest.approx(expected, rel=1e-5)


def test_figures_stand_in_the_results_of_the_command(stores, tmp_path, monkeypatch, capsys):
    assert run_here(monkeypatch, "analyze", stores / "sized.h5", "-o", tmp_path / "results.json") == 0
    assert "mean_squared_radius_of_gyration_of_atoms" in (tmp_path / "results.csv").read_text()
    assert "of_atoms" in capsys.readouterr().out.replace(" ", "_").replace("-", "_")
