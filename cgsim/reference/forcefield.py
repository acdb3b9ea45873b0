"""Force fields of the bead-spring chains: Webb-style, see :mod:`cgsim.reference.sequences`.

Bonded beads: Kremer-Grest FENE springs (J. Chem. Phys. 92, 5057 (1990)), whose repulsive core is part of the bond. All
other pairs of the same chain: Lennard-Jones, cut and shifted to zero, with an attraction that depends on the two types.
"""

from dataclasses import dataclass

import numpy as np

from cgsim.typing import Array, Float64

FENE_STIFFNESS = 30.0  # epsilon / sigma^2
FENE_LENGTH = 1.5  # sigma, where the energy of a bond diverges
WCA_CUTOFF = 2 ** (1 / 6)  # sigma, minimum of the Lennard-Jones potential: a pair cut there only repels


@dataclass(frozen=True)
class ForceField:
    """Non-bonded interactions.

    Attributes:
        epsilon: [types][types], depth of the Lennard-Jones attraction, epsilon; symmetric, order of ``BEAD_TYPES``.
        cutoff: sigma; the energy is shifted to zero there.
    """

    epsilon: tuple[tuple[float, ...], ...]
    cutoff: float


FORCE_FIELDS: dict[str, ForceField] = {
    # Types 2 and 4 are sticky, 1 and 3 nearly athermal: a chain's size depends on how its sticky units are *ordered*.
    "sticky": ForceField(
        ((0.1, 0.1, 0.1, 0.1), (0.1, 1.6, 0.1, 1.4), (0.1, 0.1, 0.1, 0.1), (0.1, 1.4, 0.1, 1.2)), cutoff=2.5
    ),
    # Beads that only repel: the reference for scaling laws.
    "athermal": ForceField(((1.0,) * 4,) * 4, cutoff=WCA_CUTOFF),
}


def bond_energy(length: Float64[Array, " lengths"]) -> Float64[Array, " lengths"]:
    """Energy of a bond, epsilon: FENE spring plus repulsive core (Kremer and Grest 1990, eqs. 2 and 3)."""
    spring = -0.5 * FENE_STIFFNESS * FENE_LENGTH**2 * np.log1p(-((length / FENE_LENGTH) ** 2))
    core = np.where(length < WCA_CUTOFF, 4 * (length**-12.0 - length**-6.0) + 1, 0.0)
    return np.asarray(spring + core)
