"""Conductivity and transference number: Nernst-Einstein, with ion clusters, and collective.

All are e^2 / (V k T) times a diffusion coefficient of charge, in cm^2/s. Charges are numbers of elementary charges. The
transference number is the cations' share in the frame of the box's centre of mass. The collective coefficient, with all
correlations between ions (Einstein and Helfand), is that of the single vector M = sum of z_i r_i: sigma =
lim d<|M(t) - M(0)|^2>/dt / (6 V k T).
"""

from dataclasses import dataclass

import numpy as np

from cgsim.observables.statistics import Estimate, block_average
from cgsim.typing import Array, Float64
from cgsim.units import BOLTZMANN_J_PER_K, ELEMENTARY_CHARGE_C

CM3_PER_ANGSTROM3 = 1e-24


@dataclass(frozen=True)
class Transport:
    """Conductivity and the cations' share of it.

    Attributes:
        charge_diffusion: cm^2/s; times :func:`conductivity_factor` it is the conductivity.
        transference: share of the current that the cations carry, no unit.
    """

    charge_diffusion: Estimate
    transference: Estimate


def conductivity_factor(volume: float, temperature: float) -> float:
    """e^2 / (V k T) in S/cm per cm^2/s, for a volume in Å^3 and a temperature in K."""
    return ELEMENTARY_CHARGE_C**2 / (volume * CM3_PER_ANGSTROM3 * BOLTZMANN_J_PER_K * temperature)


def nernst_einstein(
    diffusion: list[Estimate], charges: Float64[Array, " species"], counts: Float64[Array, " species"]
) -> Transport:
    """Conductivity of ions that move independently: sum over species of N z^2 D (Nernst and Einstein).

    Args:
        diffusion: self-diffusion coefficient of each ion species, cm^2/s, with independent errors.
        charges: of each species.
        counts: number of ions of each species.
    """
    weights = counts * charges**2
    values = np.array([d.value for d in diffusion])
    errors = np.array([d.standard_error for d in diffusion])
    is_cation = (charges > 0).astype(np.float64)
    return _linear(
        weights,
        weights * is_cation,
        values,
        errors,
        _freedom(diffusion, weights * errors),
        np.zeros((0, len(values), 2)),
    )


def cluster_nernst_einstein(
    cation: Estimate,
    anion: Estimate,
    populations: Float64[Array, "frames cations anions"],
    cation_charge: float,
    anion_charge: float,
) -> Transport:
    """Conductivity of clusters that move as wholes, each carrying its net charge.

    Sum over clusters of i cations and j anions of q^2 n_ij D with q = z+ i + z- j and D that of the cation where q > 0,
    else that of the anion (France-Lanord and Grossman, Phys. Rev. Lett. 122, 136001 (2019), there for ions of charge
    one); n_ij is the mean number of such clusters. A cluster's cations carry z+ i q of its q^2, so a
    transference number below zero means that lithium travels in negative clusters.

    Args:
        cation: self-diffusion coefficient of the cation, cm^2/s.
        anion: that of the anion.
        populations: number of clusters in each frame.
        cation_charge: positive.
        anion_charge: negative.
    """
    i, j = np.indices(populations.shape[1:])
    charge = cation_charge * i + anion_charge * j
    carriers = np.stack([charge > 0, charge <= 0])  # which of the two coefficients a cluster moves with
    of_frame = np.stack(
        [
            np.einsum("fij,sij->fs", populations, carriers * charge**2),
            np.einsum("fij,sij->fs", populations, carriers * charge * cation_charge * i),
        ],
        axis=-1,
    )  # [frames, species, (all, cations)]
    total, of_cations = of_frame.mean(axis=0).T
    values = np.array([cation.value, anion.value])
    errors = np.array([cation.standard_error, anion.standard_error])
    return _linear(total, of_cations, values, errors, _freedom([cation, anion], total * errors), of_frame)


def _freedom(diffusion: list[Estimate], parts: Float64[Array, " species"]) -> float:
    """Degrees of freedom of a sum of independent parts with the given errors (Welch and Satterthwaite)."""
    squares = np.asarray(parts, dtype=np.float64) ** 2
    of_part = np.array([d.degrees_of_freedom for d in diffusion])
    spread = float((squares**2 / of_part).sum())
    return float(squares.sum()) ** 2 / spread if spread > 0 else float("inf")


def _linear(
    total: Float64[Array, " species"],
    of_cations: Float64[Array, " species"],
    values: Float64[Array, " species"],
    errors: Float64[Array, " species"],
    freedom: float,
    of_frame: Float64[Array, "frames species 2"],
) -> Transport:
    """Sum and ratio of two linear forms in the diffusion coefficients, with errors to first order.

    The errors come from the coefficients, and from the weights where these fluctuate from frame to frame.
    """
    diffusion = float(total @ values)
    if diffusion <= 0:
        return Transport(Estimate(diffusion, float(np.linalg.norm(total * errors)), freedom), Estimate(np.nan, np.nan))
    share = float(of_cations @ values) / diffusion
    gradient = (of_cations - share * total) / diffusion
    squared = float(((total * errors) ** 2).sum())
    squared_share = float(((gradient * errors) ** 2).sum())
    if len(of_frame) > 1:
        series = of_frame.transpose(0, 2, 1) @ values  # [frames, (all, cations)]
        squared += float(block_average(series[:, 0]).standard_error) ** 2
        squared_share += float(block_average((series[:, 1] - share * series[:, 0]) / diffusion).standard_error) ** 2
    return Transport(
        Estimate(diffusion, float(np.sqrt(squared)), freedom), Estimate(share, float(np.sqrt(squared_share)), freedom)
    )
