"""What it means that a mistake is refused, for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_stores import salt_store
from typer.testing import CliRunner

from cgsim.analysis import run
from cgsim.cli import app
from cgsim.errors import InputError

Make = Callable[[Path], list[str]]  # writes what it needs into a folder and returns arguments of `cgsim analyze`


def good(folder: Path, *options: str) -> list[str]:
    """Arguments with a store that is right, so that only the options can be wrong."""
    return [str(salt_store(folder / "salt.h5", n=3, frames=12)), *options]


def assert_refused_before_any_work(make: Make, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends with one line that says this, begins no analysis and writes no results."""
    output = folder / "results.json"
    monkeypatch.setattr(run, "run_tasks", lambda *_: pytest.fail("work was begun"))
    result = CliRunner().invoke(app, ["analyze", *make(folder), "-o", str(output)])
    assert isinstance(result.exception, InputError), result.exception
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not output.exists()
