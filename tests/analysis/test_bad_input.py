"""Every mistake is one line on stderr and exit code 2, before any work and without an output file."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mistakes import Make, assert_refused_before_any_work, good
from small_stores import CELL, chain_store, chains, salt, salt_motion, salt_store, trajectory
from typer.testing import CliRunner

from cgsim.analysis import AnalysisSettings, analyze_files, run, write_results
from cgsim.cli import app
from cgsim.cli.results import DETAILS, TOPICS
from cgsim.errors import InputError
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem


def missing(folder: Path) -> list[str]:
    return [str(folder / "nothing.h5")]


def no_store(folder: Path) -> list[str]:
    (folder / "text.h5").write_text("hello")
    return [str(folder / "text.h5")]


def one_frame(folder: Path) -> list[str]:
    write_store(folder / "one.h5", trajectory(salt(3), salt_motion(3, 1, seed=0), CELL))
    return [str(folder / "one.h5")]


def unequal_times(folder: Path) -> list[str]:
    frames = trajectory(salt(3), salt_motion(3, 5, seed=0), CELL)
    write_store(folder / "odd.h5", replace(frames, time=np.array([0.0, 2, 4, 9, 11])))
    return [str(folder / "odd.h5")]


def broken_molecules(folder: Path) -> list[str]:
    positions = np.zeros((8, 8, 3)) + 0.2 * np.arange(8)[None, :, None]
    positions[:, 4:, 0] += 19.0
    write_store(folder / "broken.h5", trajectory(chains(1, 8, UnitSystem.MOLECULAR), positions, np.eye(3) * 20.0))
    return [str(folder / "broken.h5")]


MISTAKES: dict[str, tuple[Make, str]] = {
    "missing file": (missing, "nothing.h5: no such file"),
    "no store": (no_store, "text.h5: not an HDF5 file"),
    "one frame": (one_frame, "one.h5: has 1 frame"),
    "unequal times": (unequal_times, "odd.h5: frames are not equally spaced"),
    "broken molecules": (broken_molecules, "bond 4-5 is 19"),
    "unknown species": (lambda f: good(f, "--species", "K"), "no species 'K'; known: Na, Cl"),
    "unknown pair": (lambda f: good(f, "--pair", "Na:polymer.O"), "no particles 'polymer.O'"),
    "pair without cell": (
        lambda f: [str(chain_store(f / "chains.h5", frames=9)), "--pair", "1:2"],
        "has no cell, so there is no radial distribution function",
    ),
    "cutoff beyond half the cell": (
        lambda f: good(f, "--rdf-cutoff", "11"),
        "--rdf-cutoff 11 is beyond half the shortest lattice vector of the cell",
    ),
    "negative temperature": (lambda f: good(f, "--temperature", "-3"), "temperature must be positive, got -3"),
    "equilibration without unit": (
        lambda f: good(f, "--equilibration", "100"),
        "needs one of the units fs, ps, ns, us",
    ),
    "equilibration longer than the run": (
        lambda f: good(f, "--equilibration", "1 ns"),
        "is 22 ps long, so an equilibration of 1 ns leaves nothing",
    ),
    "one run twice as replicas": (
        lambda f: [*good(f), str(good(f)[0]), "--replicas"],
        "begins with the same frames as",
    ),
    "replicas of two systems": (
        lambda f: [*good(f), str(salt_store(f / "more.h5", n=4, frames=12)), "--replicas"],
        "is not the same system",
    ),
    "beads of a store of atoms": (lambda f: good(f, "--beads-of", str(f / "salt.h5")), "holds no mapping"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_refused_in_one_line_before_any_work(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, message = MISTAKES[mistake]
    assert_refused_before_any_work(make, message, tmp_path, monkeypatch)


def test_a_bad_second_file_is_refused_before_the_first_is_analysed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = salt_store(tmp_path / "salt.h5", n=3, frames=12)
    monkeypatch.setattr(run, "run_tasks", lambda *_: pytest.fail("work was begun"))
    write_store(tmp_path / "other.h5", trajectory(chains(2, 4, UnitSystem.MOLECULAR), np.zeros((9, 8, 3)), CELL))
    with pytest.raises(InputError, match=r"other\.h5: no species 'Na'"):
        analyze_files([first, tmp_path / "other.h5"], AnalysisSettings(species=("Na",)))


def test_output_in_a_missing_folder_is_refused_first(tmp_path: Path) -> None:
    arguments = ["analyze", str(tmp_path / "nothing.h5"), "-o", str(tmp_path / "no" / "results.json")]
    result = CliRunner().invoke(app, arguments)
    assert "does not exist" in str(result.exception)


def test_program_exits_with_code_2_and_no_traceback(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from cgsim.cli import main; main()"]
    arguments = ["analyze", str(tmp_path / "nothing.h5"), "-o", str(tmp_path / "results.json")]
    result = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == f"error: {tmp_path / 'nothing.h5'}: no such file\n"
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_the_old_results_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "results.json"
    target.write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="no space left"):
        write_results({"figures": []}, target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_table_shows_every_figure_with_its_error_and_the_warnings_below(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    arguments = ["analyze", *good(tmp_path, "--temperature", "300"), "-o", str(output)]
    result = CliRunner().invoke(app, [*arguments, "--all"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    for name in ("self_diffusivity", "conductivity", "transference_number", "density"):
        assert any(line.startswith(name) for line in lines)
    assert any(line.startswith("[1] ") for line in lines)
    figures = json.loads(output.read_text())["figures"]
    assert lines[-1] == f"{output}: {len(figures)} figures"
    rows = [line for line in lines if line.startswith(tuple(f["name"] for f in figures))]
    assert len(rows) == len(figures)
    short = CliRunner().invoke(app, arguments).output.splitlines()
    left_out = sum(figure["name"] in DETAILS for figure in figures)
    assert left_out > 10
    assert short[-1] == f"{output}: {len(figures)} figures, {left_out} not shown: --all"
    assert not any(line.startswith("onsager") for line in short)
    assert [line for line in short if line.strip() in {name for name, _ in TOPICS}] != []
