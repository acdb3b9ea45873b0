"""What the tests of import start from: a data file and a dump of chains that move."""

from lammps_files import write_data, write_dump
from trajectory_examples import ORTHORHOMBIC, moving_chains

from cgsim.trajectory.importing import ImportSettings

REAL = ImportSettings(units="real", timestep=2.0)  # of 1000 steps: 2 ps


def files(folder, cell=ORTHORHOMBIC, *, data=None, **dump):
    """A data file and a dump of the same moving chains; returns their paths, the system and unwrapped positions."""
    system, unwrapped = moving_chains(cell)
    write_data(folder / "x.data", system, unwrapped[0], cell, **(data or {}))
    write_dump(folder / "x.dump", unwrapped, [cell] * len(unwrapped), **dump)
    return folder / "x.data", folder / "x.dump", system, unwrapped
