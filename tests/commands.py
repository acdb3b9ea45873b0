"""Running the command line from tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from cgsim.cli import main

PROGRAM = [sys.executable, "-c", "from cgsim.cli import main; main()"]


def run_here(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run a command in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["cgsim", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def run_apart(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, as a user would."""
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
