"""Rouse modes: how the shape of a chain relaxes, from its whole length down to a few monomers."""

from dataclasses import dataclass

import numpy as np
from scipy import fft, optimize, special

from cgsim.observables.dynamics import integrated_relaxation_time
from cgsim.observables.positive import LogEstimate
from cgsim.observables.statistics import Estimate
from cgsim.typing import Array, Bool, Float64

N_GROUPS = 16  # at most so many groups of chains are left out in turn
FITTED_DOWN_TO = 0.1  # of a correlation: below it noise is as large as what is left
MIN_POINTS = 3  # of a stretched exponential


def rouse_modes(
    positions: Float64[Array, "frames chains beads 3"], n_modes: int
) -> Float64[Array, "frames chains modes 3"]:
    """The modes p = 1, 2, ... of chains, X_p = (1 / N) sum_i r_i cos(p pi (i - 1/2) / N), in the positions' unit.

    Normal modes of a discrete chain of N equal beads (Kopf, Dünweg and Paul, J. Chem. Phys. 107, 6945 (1997), eq. 6).
    Of a Gaussian chain with mean squared bond b^2 they are independent, with <X_p^2> = b^2 / (8 N sin^2(p pi / 2 N)).
    In chains of unlike beads they are a way to look at the shape, and no longer independent.

    Args:
        positions: of the beads along the backbone, whole chains, in order.
        n_modes: less than the number of beads.
    """
    n = positions.shape[2]
    p = np.arange(1, n_modes + 1)[:, None]
    waves = np.cos(p * np.pi * (np.arange(n) + 0.5) / n) / n
    return np.asarray(np.einsum("pb,fcbx->fcpx", waves, positions, optimize=True))


@dataclass(frozen=True)
class ModeRelaxation:
    """One mode, or any vector of a chain that has no mean, averaged over chains.

    Attributes:
        amplitude: <X^2>, length^2.
        correlation: [lags], <X(t) X(0)> / <X^2>, lags 0 to half the frames.
        time: integral of the stretched exponential, (tau / beta) Gamma(1 / beta), in frames.
        stretching: the exponent beta; 1 for a Rouse chain.
        integrated: integral of the correlation itself, in frames.
        window: frames up to which the stretched exponential was fitted.
        has_decayed: whether the correlation fell below 1/e; if not, the time rests on what came before.
    """

    amplitude: Estimate
    correlation: Float64[Array, " lags"]
    time: Estimate
    stretching: Estimate
    integrated: Estimate
    window: int
    has_decayed: bool


@dataclass(frozen=True)
class ModeSums:
    """Products of a vector of each chain with itself later, in groups of chains and axes.

    Attributes:
        products: [groups, lags], length^2, sums over the group of the mean x(t) x(t + lag); lags 0 to half the frames.
        sizes: [groups], number of chains times axes in each.
        n_frames: number of frames.
    """

    products: Float64[Array, "groups lags"]
    sizes: Float64[Array, " groups"]
    n_frames: int


def mode_sums(vectors: Float64[Array, "frames chains 3"]) -> ModeSums:
    """Sum up a vector of each chain whose mean is zero: a Rouse mode, or end to end."""
    n = len(vectors)
    series = vectors.reshape(n, -1).T
    group = np.arange(len(series)) % N_GROUPS
    products = np.zeros((N_GROUPS, max(1, n // 2) + 1))
    size = fft.next_fast_len(2 * n, real=True)
    for k in range(N_GROUPS):
        transform = fft.rfft(series[group == k], n=size, axis=-1)
        power = (transform.real**2 + transform.imag**2).sum(axis=0)
        products[k] = fft.irfft(power, n=size)[: products.shape[1]] / np.arange(n, n - products.shape[1], -1)
    return ModeSums(products, np.bincount(group, minlength=N_GROUPS).astype(np.float64), n)


def merge_mode_sums(parts: list[ModeSums]) -> ModeSums:
    """Put together what was summed up for different chains."""
    products, sizes = np.sum([p.products for p in parts], axis=0), np.sum([p.sizes for p in parts], axis=0)
    return ModeSums(products, sizes, parts[0].n_frames)


def mode_relaxation(sums: ModeSums) -> ModeRelaxation:
    """Amplitude and relaxation of a vector of each chain.

    C(t) = exp(-(t / tau)^beta) is fitted to the correlation down to 0.1 (Kohlrausch, Williams and Watts; for modes as
    in Kopf et al., above). Errors come from leaving out one group of chains and axes at a time (jackknife): in an
    isotropic liquid the three axes of a chain are independent too.
    """
    products, sizes = sums.products[sums.sizes > 0], sums.sizes[sums.sizes > 0]
    n = len(sizes)

    def derive(kept: Bool[Array, " groups"]) -> tuple[Float64[Array, " 3"], Float64[Array, " lags"]]:
        mean = products[kept].sum(axis=0) / sizes[kept].sum()
        correlation = mean / mean[0] if mean[0] > 0 else np.zeros(len(mean))
        tau, beta = fit_stretched_exponential(correlation)
        return np.array([3.0 * mean[0], tau, beta]), correlation

    values, correlation = derive(np.ones(n, dtype=bool))
    left_out = np.array([derive(np.arange(n) != k)[0] for k in range(n)])
    scatter = np.sqrt((n - 1.0) / n * np.square(left_out - left_out.mean(axis=0)).sum(axis=0))
    amplitude, time, stretching = (Estimate(float(v), float(e), n - 1.0) for v, e in zip(values, scatter, strict=True))
    time = LogEstimate(time.value, time.standard_error, n - 1.0)
    # The correlation is half as long as the run, so each series counts for two of its length.
    integrated, _ = integrated_relaxation_time(correlation, 1.0, 2 * int(sizes.sum()))
    below = correlation < FITTED_DOWN_TO
    window = int(np.argmax(below)) if below.any() else len(correlation) - 1
    has_decayed = bool((correlation < np.exp(-1.0)).any())
    return ModeRelaxation(amplitude, correlation, time, stretching, integrated, window, has_decayed)


def fit_stretched_exponential(correlation: Float64[Array, " lags"]) -> tuple[float, float]:
    """Effective time (tau / beta) Gamma(1 / beta), in lags, and beta of exp(-(t / tau)^beta).

    Fitted by least squares to the correlation, at lags spread evenly in log t, up to where it first falls below 0.1.
    Where it does so within three lags there is no shape to fit: beta is 1 and the time that of an exponential through
    the first lag. A correlation that never decays gives infinity.
    """
    below = correlation < FITTED_DOWN_TO
    end = int(np.argmax(below)) if below.any() else len(correlation)
    first = float(correlation[1]) if len(correlation) > 1 else 0.0
    if end <= MIN_POINTS:
        return (-1.0 / np.log(first) if 0.0 < first < 1.0 else 0.0 if first <= 0 else float("inf")), 1.0
    lags = np.unique(np.round(np.geomspace(1, end - 1, 40)).astype(np.int64)).astype(np.float64)
    values = np.clip(correlation[lags.astype(np.int64)], 1e-6, 1.0 - 1e-12)
    slope, offset = np.polyfit(np.log(lags), np.log(-np.log(values)), 1)
    start = (np.clip(-offset / slope if slope > 0 else np.log(end), -5.0, 25.0), np.clip(slope, 0.2, 1.5))

    def residuals(parameters: Array) -> Array:
        log_tau, beta = parameters
        return np.asarray(np.exp(-np.exp(beta * (np.log(lags) - log_tau))) - values)

    fit = optimize.least_squares(residuals, start, bounds=([-10.0, 0.1], [30.0, 2.0]), x_scale=[1.0, 0.1])
    tau, beta = float(np.exp(fit.x[0])), float(fit.x[1])
    return tau / beta * float(special.gamma(1.0 / beta)), beta
