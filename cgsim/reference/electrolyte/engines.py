"""Choosing an engine for electrolytes."""

from cgsim.reference.electrolyte.gromacs_md import Gromacs
from cgsim.reference.electrolyte.run import MdEngine
from cgsim.reference.electrolyte.settings import EngineName
from cgsim.reference.engine import find_gromacs


def choose_engine(name: EngineName) -> MdEngine:
    """The engine that is asked for.

    Raises:
        InputError: if it is not installed; the message says how to install it.
    """
    return Gromacs(find_gromacs())
