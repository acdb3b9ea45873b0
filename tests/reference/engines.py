"""Engines of this machine, for tests that are skipped where there is none."""

import pytest

from cgsim.errors import InputError
from cgsim.reference.engine import Engine, find_lammps


def lammps() -> Engine:
    """LAMMPS, or skip the test."""
    try:
        return find_lammps()
    except InputError as error:
        pytest.skip(str(error))
