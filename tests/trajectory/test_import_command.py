import errno
import subprocess
import sys
from pathlib import Path

import pytest
from lammps_files import write_data, write_dump
from trajectory_examples import ORTHORHOMBIC, moving_chains

from cgsim.cli import main
from cgsim.trajectory import writer
from cgsim.trajectory.store import TrajectoryStore


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A good data file and dump, in the current directory."""
    system, unwrapped = moving_chains(ORTHORHOMBIC)
    write_data(tmp_path / "x.data", system, unwrapped[0], ORTHORHOMBIC)
    write_dump(tmp_path / "x.dump", unwrapped, [ORTHORHOMBIC] * 5)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch, *arguments):
    """Run the command line in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["cgsim", "import", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


GOOD = ("x.data", "x.dump", "-o", "out.h5", "--units", "real", "--timestep", "2")


@pytest.mark.usefixtures("folder")
def test_import_prints_a_summary_and_writes_a_store(monkeypatch, capsys):
    assert run(monkeypatch, *GOOD) in (0, None)
    printed = capsys.readouterr()
    assert "frames      5, 8 ps long, every 2 ps" in printed.out
    assert not printed.err  # no progress bar where there is no terminal
    assert TrajectoryStore("out.h5").n_frames == 5


@pytest.mark.usefixtures("folder")
def test_every_option_reaches_the_import(monkeypatch):
    options = ("--start", "1", "--stop", "4", "--stride", "2", "--decimals", "2", "--images", "bonds")
    more = ("--atom-style", "full", "--elements", "Si,Na", "--allow-no-bonds")
    assert run(monkeypatch, *GOOD[:6], "--save-interval", "3ps", *options, *more) in (0, None)
    store = TrajectoryStore("out.h5")
    assert list(store.time) == [3.0, 9.0]
    assert set(store.system.atomic_numbers) == {14, 11}
    settings = store.documents["provenance"]["settings"]
    assert settings["images"] == "bonds"
    assert settings["decimals"] == 2
    assert settings["allow_no_bonds"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.data", *GOOD[1:]), "error: none.data: no such file"),
        (("x.data", "none.dump", *GOOD[2:]), "error: none.dump: no such file"),
        (GOOD[:4], "error: x.data: LAMMPS files do not say their units; give --units"),
        (GOOD[:6], "error: x.dump: frame 0 (timestep 0): the file has no times"),
        ((*GOOD[:3], "no/out.h5", *GOOD[4:]), "error: no/out.h5: the directory no does not exist"),
        ((*GOOD, "--atom-style", "bond"), "error: x.data: line 21: says 'Atoms # full', but --atom-style is bond"),
        ((*GOOD, "--elements", "C"), "error: --elements has 1 entries, expected 2"),
        ((*GOOD, "--images", "some"), "error: --images must be one of auto, bonds, unwrapped, got 'some'"),
        (("x.data", "cut.dump", *GOOD[2:]), "error: cut.dump: frame 3 (timestep 3000): the file is cut off in line"),
        (("x.data", "cut.dump.gz", *GOOD[2:]), "error: cut.dump.gz: the gzip file is cut off or damaged"),
    ],
)
def test_bad_input_is_one_line_exit_code_2_and_no_file(folder, monkeypatch, capsys, arguments, message):
    text = (folder / "x.dump").read_text()
    (folder / "cut.dump").write_text(text[: int(0.7 * len(text))])
    _, unwrapped = moving_chains(ORTHORHOMBIC)
    write_dump(folder / "cut.dump.gz", unwrapped, [ORTHORHOMBIC] * 5)
    (folder / "cut.dump.gz").write_bytes((folder / "cut.dump.gz").read_bytes()[:3000])
    before = sorted(folder.iterdir())
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(message), printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out
    assert sorted(folder.iterdir()) == before


@pytest.mark.slow
def test_the_installed_command_gives_no_traceback(folder):
    command = [sys.executable, "-c", "from cgsim.cli import main; main()", "import", "x.data", "none.dump", *GOOD[2:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: none.dump: no such file\n"


@pytest.mark.usefixtures("folder")
def test_unwritable_directory_is_one_line(monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(writer, "_Disk", refuse)  # root, as in a container, may write anywhere
    assert run(monkeypatch, *GOOD) == 2
    assert capsys.readouterr().err == "error: out.h5: cannot be written: Permission denied\n"
    assert not Path("out.h5").exists()
