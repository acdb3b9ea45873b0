"""What the periodic images of a particle do to its diffusion, in any cell."""

import numpy as np
from scipy import special

from cgsim.typing import Array, Float64
from cgsim.units import BOLTZMANN_J_PER_K

CUBIC = 2.837297  # Yeh and Hummer (2004), eq. 11: of a simple cubic lattice
REACH = 7.0  # terms below exp(-REACH^2) are left out


def lattice_constants(cell: Float64[Array, "3 3"]) -> Float64[Array, "3 3"]:
    """Tensor that takes the place of the number 2.837297 of Yeh and Hummer in a cell of any shape.

    With L the cube root of the volume, D = D_periodic + kT xi / (6 pi eta L), xi being this tensor: the flow that the
    images of a particle and the neutral background cause where it is. It is the self term of the periodic Oseen tensor
    by Ewald summation (Hasimoto, J. Fluid Mech. 5, 317 (1959); Beenakker, J. Chem. Phys. 85, 1581 (1986)); for a cube
    2.837297 times the unit matrix (Yeh and Hummer, J. Phys. Chem. B 108, 15873 (2004)), for a rectangular box the
    coefficients of Kikugawa et al., J. Chem. Phys. 143, 024507 (2015), and in any box no function of how the fluid
    slips at the particle.

    Raises:
        ValueError: if the cell has no volume.
    """
    box_volume = abs(float(np.linalg.det(cell)))
    if box_volume == 0:
        raise ValueError("a correction for finite size needs a periodic cell")
    edge = np.cbrt(box_volume)
    lattice = cell / edge  # of unit volume
    splitting = np.sqrt(np.pi)  # both sums decay alike
    identity = np.eye(3)
    total = -4.0 * splitting / np.sqrt(np.pi) * identity
    vectors = _lattice_points(lattice, REACH / splitting)
    r = np.linalg.norm(vectors, axis=1)[:, None, None]
    outer = vectors[:, :, None] * vectors[:, None, :]
    decay = np.exp(-((splitting * r) ** 2))
    near = 2.0 * (splitting * decay / (np.sqrt(np.pi) * r**2) + special.erfc(splitting * r) / (2.0 * r**3))
    total += (near * (r**2 * identity + outer) - 4.0 * splitting / np.sqrt(np.pi) * decay * identity).sum(axis=0)
    waves = _lattice_points(2.0 * np.pi * np.linalg.inv(lattice).T, 2.0 * splitting * REACH)
    k2 = np.square(waves).sum(axis=1)[:, None, None]
    scaled = k2 / (4.0 * splitting**2)
    outer = waves[:, :, None] * waves[:, None, :]
    total += (8.0 * np.pi * (1.0 + scaled) / k2**2 * (k2 * identity - outer) * np.exp(-scaled)).sum(axis=0)
    # The mobility changes by total / (8 pi eta L) = -xi / (6 pi eta L).
    return np.asarray(-0.75 * total)


def finite_size_correction(
    cell: Float64[Array, "3 3"], thermal_energy: float, viscosity: float
) -> Float64[Array, " 3"]:
    """What to add to the diffusion coefficients along x, y and z in a periodic cell to get those in an infinite one.

    kT xi / (6 pi eta L) with the diagonal of :func:`lattice_constants`; their mean is the correction of D itself. It
    holds for particles in a fluid whose momentum is conserved and whose drift is taken out, much smaller than the
    cell. For a chain it applies to the centre of mass (Dünweg and Kremer, J. Chem. Phys. 99, 6983 (1993)).

    Args:
        cell: length.
        thermal_energy: kT, energy.
        viscosity: shear viscosity, energy * time / length^3; it hardly depends on the size of the cell.

    Returns:
        length^2 / time.

    Raises:
        ValueError: if the viscosity or the temperature is not positive.
    """
    if not (viscosity > 0 and thermal_energy > 0):
        raise ValueError(f"viscosity {viscosity:g} and thermal energy {thermal_energy:g} must be positive")
    edge = float(np.cbrt(abs(np.linalg.det(cell))))
    return np.asarray(thermal_energy * np.diag(lattice_constants(cell)) / (6.0 * np.pi * viscosity * edge))


def thermal_energy_molecular(temperature: float) -> float:
    """Thermal energy kT at a temperature in K, in mPa s Å^3 / ps, so that viscosities are in mPa s (= cP)."""
    return BOLTZMANN_J_PER_K * temperature * 1e30 * 1e3 * 1e-12


def _lattice_points(lattice: Float64[Array, "3 3"], radius: float) -> Float64[Array, "points 3"]:
    """All points of a lattice but the origin within a distance."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    most = np.ceil(radius / heights).astype(int)
    index = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), axis=-1).reshape(-1, 3)
    points = index[index.any(axis=1)] @ lattice
    return np.asarray(points[np.linalg.norm(points, axis=1) <= radius])
