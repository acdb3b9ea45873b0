"""Choosing an engine for electrolytes."""

from collections.abc import Callable

from cgsim.errors import InputError
from cgsim.reference.electrolyte.gromacs_md import Gromacs
from cgsim.reference.electrolyte.lammps_md import Lammps
from cgsim.reference.electrolyte.openmm_md import OPENMM_HINT, OpenMM, find_openmm
from cgsim.reference.electrolyte.run import MdEngine
from cgsim.reference.electrolyte.settings import EngineName
from cgsim.reference.engine import GROMACS_HINT, LAMMPS_HINT, find_gromacs, find_lammps

_FIND: dict[str, Callable[[], MdEngine]] = {
    "gromacs": lambda: Gromacs(find_gromacs()),
    "openmm": lambda: OpenMM(find_openmm()),
    "lammps": lambda: Lammps(find_lammps()),
}
"""In the order in which they are taken; on a processor GROMACS is ten times as fast as LAMMPS."""


def choose_engine(name: EngineName) -> MdEngine:
    """The engine that is asked for; of ``auto``, the first that is there.

    Raises:
        InputError: if it is not installed; the message says how to install it.
    """
    if name != "auto":
        return _FIND[name]()
    for find in _FIND.values():
        try:
            return find()
        except InputError:
            continue
    raise InputError(
        f"no engine is installed: GROMACS ({GROMACS_HINT}), LAMMPS ({LAMMPS_HINT}) or, on a CUDA device, OpenMM "
        f"({OPENMM_HINT})"
    )
