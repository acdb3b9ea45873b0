"""Stiffness of chains: how far the direction of a bond is remembered along the backbone."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from cgsim.typing import Array, Float64

DECAYED = np.exp(-1.0)  # bonds whose correlation is above this make the fit of the decay
NOISE = 2.0  # standard errors: a correlation below this is as good as zero


def bond_correlations(
    unwrapped_positions: Float64[Array, "frames path 3"],
) -> tuple[Float64[Array, "frames separations"], Float64[Array, " frames"]]:
    """Correlation of the directions of bonds along one backbone, and its mean bond length.

    C(s) = <u_i . u_(i+s)> with u the unit vectors of consecutive bonds, averaged over all pairs of bonds that are s
    apart (Rubinstein and Colby, Polymer Physics, sec. 2.3.1); by fast Fourier transform along the chain.

    Args:
        unwrapped_positions: of the particles of the backbone in their order, two at least.

    Returns:
        C for separations 0 to bonds - 1, and the mean length of a bond in every frame.
    """
    bonds = np.diff(unwrapped_positions, axis=1)
    lengths = np.linalg.norm(bonds, axis=-1)
    directions = bonds / lengths[..., None]
    n = directions.shape[1]
    transform = fft.rfft(directions, n=fft.next_fast_len(2 * n, real=True), axis=1)
    power = (transform.real**2 + transform.imag**2).sum(axis=-1)
    products = fft.irfft(power, n=fft.next_fast_len(2 * n, real=True), axis=1)[:, :n]
    return np.asarray(products / np.arange(n, 0, -1)), np.asarray(lengths.mean(axis=1))


@dataclass(frozen=True)
class PersistenceLength:
    """A persistence length and how it depends on what was measured, for the propagation of errors.

    Attributes:
        value: length; nan where it is not defined.
        last: separation, in bonds, up to which correlations were used.
        by_bond_length: derivative with respect to the mean bond length.
        by_correlation: [separations], derivative with respect to C(s), length.
    """

    value: float
    last: int
    by_bond_length: float
    by_correlation: Float64[Array, " separations"]


def decay_length(correlation: Float64[Array, " separations"], bond_length: float) -> PersistenceLength:
    """Persistence length l from C(s) = exp(-s b / l), exact for worm-like and freely rotating chains.

    A line through the origin is fitted by least squares to ln C(s) from s = 1 to the last separation at which C is
    still above 1/e, and to s = 1 at least (Rubinstein and Colby, Polymer Physics, eqs. 2.20-2.22: for a freely
    rotating chain l = -b / ln cos(theta)). The long-range tail of chains in melts and in theta solvents is a power law
    (Wittmer et al., Phys. Rev. Lett. 93, 147801 (2004)) and is left out by that.

    Args:
        correlation: C(s) from s = 0.
        bond_length: b.

    Returns:
        The length; nan if there are fewer than two bonds, or C(1) is not positive or not below 1.
    """
    s = np.arange(len(correlation), dtype=np.float64)
    above = np.flatnonzero((correlation > DECAYED) & (s > 0))
    last = int(above[-1]) if above.size else 1
    fitted = np.zeros(len(s), dtype=bool)
    fitted[1 : last + 1] = True
    fitted &= correlation > 0
    gradient = np.zeros(len(s))
    if not fitted.any() or not 0 < correlation[1] < 1:
        return PersistenceLength(float("nan"), last, float("nan"), gradient)
    norm = float((s[fitted] ** 2).sum())
    rate = -float(s[fitted] @ np.log(correlation[fitted])) / norm
    if rate <= 0:
        return PersistenceLength(float("nan"), last, float("nan"), gradient)
    gradient[fitted] = bond_length / rate**2 * s[fitted] / (correlation[fitted] * norm)
    return PersistenceLength(bond_length / rate, last, 1.0 / rate, gradient)


def projection_length(
    correlation: Float64[Array, " separations"], standard_error: Float64[Array, " separations"], bond_length: float
) -> PersistenceLength:
    """Persistence length as the mean projection of the rest of a long chain onto a bond: b times the sum of C(s).

    After Flory, Statistical Mechanics of Chain Molecules (1969), ch. IV; in a freely rotating chain
    b / (1 - cos(theta)), which is half a Kuhn length plus half a bond. The sum starts with C(0) = 1 and ends before two
    correlations in a row that are less than two standard errors above zero.

    Args:
        correlation: C(s) from s = 0.
        standard_error: its errors; zero or nan where they are not known.
        bond_length: b.
    """
    is_lost = correlation <= NOISE * np.nan_to_num(standard_error)
    lost = np.flatnonzero(is_lost & np.append(is_lost[1:], True))
    last = int(lost[0]) - 1 if lost.size else len(correlation) - 1
    gradient = np.where(np.arange(len(correlation)) <= last, bond_length, 0.0)
    total = float(correlation[: last + 1].sum())
    return PersistenceLength(bond_length * total, last, total, gradient)
