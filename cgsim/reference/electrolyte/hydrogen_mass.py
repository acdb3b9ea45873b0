"""Hydrogen mass repartition (Feenstra, Hess and Berendsen, J. Comput. Chem. 20, 786 (1999)): longer timesteps."""

import numpy as np

from cgsim.errors import InputError
from cgsim.reference.electrolyte.topology import MoleculeTopology
from cgsim.typing import Array, Float64


def repartitioned_masses(topology: MoleculeTopology, hydrogen_mass: float | None) -> Float64[Array, " atoms"]:
    """Masses with heavier hydrogens, what they gain taken from what they are bonded to; None leaves them as they are.

    Raises:
        InputError: if an atom would have no mass left.
    """
    masses = np.array(topology.masses)
    if hydrogen_mass is None:
        return masses
    numbers = topology.atomic_numbers
    for pair in topology.bonds:
        for hydrogen, other in (pair, pair[::-1]):
            if numbers[hydrogen] == 1 and numbers[other] != 1:
                masses[other] -= hydrogen_mass - topology.masses[hydrogen]
                masses[hydrogen] = hydrogen_mass
    light = int(np.argmin(masses))
    if masses[light] < 1.0:
        raise InputError(
            f"hydrogen mass {hydrogen_mass:g} g/mol leaves {masses[light]:.3f} g/mol for atom "
            f"{topology.atom_names[light]}, expected at least 1: choose lighter hydrogens"
        )
    return masses
