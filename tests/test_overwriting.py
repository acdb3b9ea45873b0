"""No command writes over what it reads, or over what is no file."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from systems import electrolyte_store
from typer.testing import CliRunner

from cgsim.cli import app
from cgsim.errors import InputError

CELL = np.diag([30.0, 30.0, 30.0])
PEO = Path(__file__).parents[1] / "data" / "peo_litfsi_450K"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store, results, the files of an import, and a device."""
    electrolyte_store(tmp_path / "md.h5", 12, cell=CELL)
    (tmp_path / "results.json").write_text(json.dumps({"figures": [], "systems": [], "curves": {}, "notes": []}))
    shutil.copy(PEO / "prod.tpr", tmp_path)
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "same.h5").symlink_to("md.h5")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["analyze", "md.h5"], "md.h5"),
        (["analyze", "md.h5"], "same.h5"),
        (["analyze", "md.h5", "--beads-of", "results.json"], "results.json"),
        (["map", "md.h5"], "md.h5"),
        (["convert", "md.h5"], "md.h5"),
        (["import", "prod.tpr", "prod.tpr"], "prod.tpr"),
        (["fit", "md.h5", "results.json"], "results.json"),
        (["compare", "md.h5", "results.json#md"], "results.json"),
    ],
)
def test_a_command_does_not_write_over_what_it_reads(
    arguments: list[str], output: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    result = CliRunner().invoke(app, [*arguments, "-o", output])
    assert isinstance(result.exception, InputError)
    expected = f"{output}: is read by this command, so it cannot be written as well; choose another name"
    assert str(result.exception) == expected
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("verb", ["analyze", "map"])
def test_a_device_is_not_replaced_by_a_file(verb: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, [verb, "md.h5", "-o", "pipe.h5"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "pipe.h5: is a device, expected the name of a file to write"
    assert (folder / "pipe.h5").is_fifo()


def test_results_are_not_named_like_the_table_beside_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, ["analyze", "md.h5", "-o", "results.csv"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith("results.csv: is the name of the table beside the results")
