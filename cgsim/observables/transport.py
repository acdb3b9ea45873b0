"""Conductivity and transference numbers of ions that move independently, or as clusters (Nernst and Einstein).

All are e^2 / (V k T) times a diffusion coefficient of charge, in cm^2/s. Charges are numbers of elementary charges. A
transference number is the share of one ion species in the current. Self-diffusion is the same in every frame, to one
part in the number of ions, so neither belongs to a frame. Collective motion, with all correlations between ions, is in
:mod:`cgsim.observables.onsager`.
"""

from dataclasses import dataclass

import numpy as np

from cgsim.observables.statistics import Estimate, block_average, independent_sum
from cgsim.typing import Array, Float64, Int64
from cgsim.units import AVOGADRO_PER_MOL, BOLTZMANN_J_PER_K, ELEMENTARY_CHARGE_C

CM3_PER_ANGSTROM3 = 1e-24


@dataclass(frozen=True)
class Transport:
    """Conductivity and the share of each ion species in it.

    Attributes:
        charge_diffusion: cm^2/s; times :func:`conductivity_factor` it is the conductivity.
        transference: of each species, no unit.
    """

    charge_diffusion: Estimate
    transference: tuple[Estimate, ...]


def conductivity_factor(volume: float, temperature: float) -> float:
    """e^2 / (V k T) in S/cm per cm^2/s, for a volume in Å^3 and a temperature in K."""
    return ELEMENTARY_CHARGE_C**2 / (volume * CM3_PER_ANGSTROM3 * BOLTZMANN_J_PER_K * temperature)


def onsager_factor(volume: float, temperature: float) -> float:
    """1 / (V k T) in mol^2 / (J m s) per cm^2/s, for a volume in Å^3 and a temperature in K.

    With it the conductivity is F^2 times the sum over i and j of z_i z_j L_ij, F being Faraday's constant.
    """
    per_metre = 100.0 / (ELEMENTARY_CHARGE_C * AVOGADRO_PER_MOL) ** 2  # S/cm to S/m, and F^2
    return conductivity_factor(volume, temperature) * per_metre


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
    return _linear(diffusion, np.concatenate([weights[:, None], np.diag(weights)], axis=1)[None])


def cluster_nernst_einstein(
    diffusion: list[Estimate],
    charges: Float64[Array, " species"],
    compositions: Int64[Array, "kinds species"],
    populations: Float64[Array, "frames kinds"],
) -> Transport:
    """Conductivity of clusters that move as wholes, each carrying its net charge.

    Sum over kinds of cluster of q^2 n D, with q the net charge of a cluster, n the mean number of such clusters and D
    the coefficient of its cations where q > 0, else that of its anions; of several species of that sign the average by
    charge. For one cation and one anion of charge one it is the formula of France-Lanord and Grossman, Phys. Rev. Lett.
    122, 136001 (2019). The ions of species i carry z_i n_i q of a cluster's q^2, so a transference number below zero
    means that lithium travels in negative clusters.

    Args:
        diffusion: self-diffusion coefficient of each ion species, cm^2/s, with independent errors.
        charges: of each species.
        compositions: number of ions of each species in a cluster of each kind.
        populations: number of clusters of each kind in each frame.
    """
    net = compositions @ charges
    movers = compositions * np.abs(charges) * (np.sign(net)[:, None] == np.sign(charges))
    movers = movers / np.maximum(movers.sum(axis=1, keepdims=True), 1e-300)
    carried = np.concatenate([net[:, None] ** 2, net[:, None] * compositions * charges], axis=1)
    return _linear(diffusion, np.einsum("fk,ks,kc->fsc", populations, movers, carried))


def _linear(diffusion: list[Estimate], of_frame: Float64[Array, "frames species carried"]) -> Transport:
    """Linear forms in the diffusion coefficients and their ratios to the first, with errors to first order.

    The errors come from the coefficients, and from the weights where these fluctuate from frame to frame.

    Args:
        diffusion: of each species, with independent errors.
        of_frame: weights of the coefficients in the charge diffusion, then in what each species carries of it.
    """
    values = np.array([d.value for d in diffusion])
    errors = np.array([d.standard_error for d in diffusion])
    of_part = np.array([d.degrees_of_freedom for d in diffusion])
    weights = of_frame.mean(axis=0)
    total, series = weights[:, 0], np.einsum("fsc,s->fc", of_frame, values)
    whole = float(total @ values)
    estimate = _propagated(whole, total * errors, of_part, series[:, 0])
    if whole <= 0:
        return Transport(estimate, tuple(Estimate(np.nan, np.nan) for _ in diffusion))
    shares = []
    for k in range(1, weights.shape[1]):
        share = float(weights[:, k] @ values) / whole
        gradient = (weights[:, k] - share * total) / whole
        shares.append(_propagated(share, gradient * errors, of_part, (series[:, k] - share * series[:, 0]) / whole))
    return Transport(estimate, tuple(shares))


def _propagated(
    value: float,
    parts: Float64[Array, " species"],
    of_part: Float64[Array, " species"],
    series: Float64[Array, " frames"],
) -> Estimate:
    """A value whose error is made of independent parts: of the coefficients, and of the fluctuation of the weights."""
    found = [Estimate(0.0, float(p), float(f)) for p, f in zip(parts, of_part, strict=True)]
    if len(series) > 1:
        found.append(block_average(series).estimate)
    total = independent_sum(found, np.ones(len(found)))
    return Estimate(value, total.standard_error, total.degrees_of_freedom)
