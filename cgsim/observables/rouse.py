"""Rouse modes: how the shape of a chain relaxes, from its whole length down to a few monomers."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import fft, optimize, special

from cgsim.observables.bartlett import stretched_exponential_errors
from cgsim.observables.dynamics import integrated_relaxation_time
from cgsim.observables.positive import LogEstimate
from cgsim.observables.statistics import Estimate
from cgsim.typing import Array, Bool, Float64, Int64

N_GROUPS = 16  # at most so many groups of chains are left out in turn
FEW_GROUPS = 12  # chains times axes: fewer are cut into parts of the run
N_PARTS = 8  # at most
LONG_PART = 10.0  # relaxation times, from which on parts are independent
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
    """Products of a vector of each chain with itself later, in groups of chains and axes and in parts of the run.

    Attributes:
        products: [groups, parts, lags], length^2, sums of x(t) x(t + lag) over the group and over times t in a part;
            lags 0 to half the frames.
        counts: [groups, parts, lags], number of products in each.
        n_series: number of chains times axes.
        n_frames: number of frames.
    """

    products: Float64[Array, "groups parts lags"]
    counts: Float64[Array, "groups parts lags"]
    n_series: int
    n_frames: int


def mode_sums(vectors: Float64[Array, "frames chains 3"], of_chains: int | None = None) -> ModeSums:
    """Sum up a vector of each chain whose mean is zero: a Rouse mode, or end to end.

    Args:
        vectors: length.
        of_chains: number of all chains where these are only some of them; few are summed up in parts of the run.
    """
    n = len(vectors)
    series = vectors.reshape(n, -1).T
    group = np.arange(len(series)) % N_GROUPS
    n_parts = N_PARTS if 3 * (of_chains or vectors.shape[1]) < FEW_GROUPS else 1
    bounds = np.arange(n_parts + 1) * n // n_parts
    lags = np.arange(max(1, n // 2) + 1)
    counts = np.clip(np.minimum(bounds[1:, None], n - lags) - bounds[:-1, None], 0, None)
    products = np.zeros((N_GROUPS, n_parts, len(lags)))
    size = fft.next_fast_len(2 * n, real=True)
    for k in range(N_GROUPS):
        own = series[group == k]
        later = fft.rfft(own, n=size, axis=-1)
        for p, (first, end) in enumerate(pairwise(bounds)):
            start = later
            if n_parts > 1:
                start = fft.rfft(np.where((np.arange(n) >= first) & (np.arange(n) < end), own, 0.0), n=size, axis=-1)
            products[k, p] = fft.irfft((start.conj() * later).sum(axis=0), n=size)[: len(lags)]
    sizes = np.bincount(group, minlength=N_GROUPS)
    return ModeSums(products, sizes[:, None, None] * counts.astype(np.float64), len(series), n)


def merge_mode_sums(parts: list[ModeSums]) -> ModeSums:
    """Put together what was summed up for different chains."""
    products, counts = np.sum([p.products for p in parts], axis=0), np.sum([p.counts for p in parts], axis=0)
    return ModeSums(products, counts, sum(p.n_series for p in parts), parts[0].n_frames)


def mode_relaxation(sums: ModeSums) -> ModeRelaxation:
    """Amplitude and relaxation of a vector of each chain.

    C(t) = exp(-(t / tau)^beta) is fitted to the correlation down to 0.1 (Kohlrausch, Williams and Watts; for modes as
    in Kopf et al., above). Errors come from leaving out one group of chains and axes at a time (jackknife): in an
    isotropic liquid the three axes of a chain are independent too. Of fewer than four chains groups are also parts of
    the run, up to eight and each of at least ten relaxation times. No error is below that of Gaussian processes with
    the fitted correlation (:func:`stretched_exponential_errors`), which chance in few groups can miss by far.
    """
    whole, _ = fit_stretched_exponential(_normalised(sums.products.sum(axis=(0, 1)), sums.counts.sum(axis=(0, 1))))
    n_parts = sums.products.shape[1]
    while n_parts > 1 and sums.n_frames < LONG_PART * n_parts * whole:
        n_parts //= 2
    products, counts = (_in_parts(one, n_parts) for one in (sums.products, sums.counts))
    products, counts = products[counts[:, 0] > 0], counts[counts[:, 0] > 0]
    n = len(counts)

    def derive(kept: Bool[Array, " groups"]) -> tuple[Float64[Array, " 3"], Float64[Array, " lags"]]:
        total, number = products[kept].sum(axis=0), counts[kept].sum(axis=0)
        correlation = _normalised(total, number)
        tau, beta = fit_stretched_exponential(correlation)
        return np.array([3.0 * total[0] / number[0], tau, beta]), correlation

    values, correlation = derive(np.ones(n, dtype=bool))
    left_out = np.array([derive(np.arange(n) != k)[0] for k in range(n)])
    scatter = np.sqrt((n - 1.0) / n * np.square(left_out - left_out.mean(axis=0)).sum(axis=0))
    lags = _fitted_lags(correlation)
    if len(lags) and np.isfinite(values).all():
        of_square, of_time, of_beta = stretched_exponential_errors(
            lags, float(values[1]), float(values[2]), sums.n_frames, sums.n_series
        )
        scatter = np.maximum(scatter, [values[0] * of_square, values[1] * of_time, of_beta])
    amplitude, time, stretching = (Estimate(float(v), float(e), n - 1.0) for v, e in zip(values, scatter, strict=True))
    time = LogEstimate(time.value, time.standard_error, n - 1.0)
    # The correlation is half as long as the run, so each series counts for two of its length.
    integrated, _ = integrated_relaxation_time(correlation, 1.0, 2 * sums.n_series)
    below = correlation < FITTED_DOWN_TO
    window = int(np.argmax(below)) if below.any() else len(correlation) - 1
    has_decayed = bool((correlation < np.exp(-1.0)).any())
    return ModeRelaxation(amplitude, correlation, time, stretching, integrated, window, has_decayed)


def _normalised(products: Float64[Array, " lags"], counts: Float64[Array, " lags"]) -> Float64[Array, " lags"]:
    """Correlation from sums of products and their numbers; zeros for what never moves."""
    mean = products / np.maximum(counts, 1.0)
    return np.asarray(mean / mean[0]) if mean[0] > 0 else np.zeros(len(mean))


def _in_parts(sums: Float64[Array, "groups parts lags"], n_parts: int) -> Float64[Array, "both lags"]:
    """Sums of fewer parts of the run, one after another for each group."""
    n_groups, before, n_lags = sums.shape
    merged = sums.reshape(n_groups, n_parts, before // n_parts, n_lags).sum(axis=2)
    return np.asarray(merged.reshape(n_groups * n_parts, n_lags))


def fit_stretched_exponential(correlation: Float64[Array, " lags"]) -> tuple[float, float]:
    """Effective time (tau / beta) Gamma(1 / beta), in lags, and beta of exp(-(t / tau)^beta).

    Fitted by least squares to the correlation, at lags spread evenly in log t, up to where it first falls below 0.1.
    Where it does so within three lags there is no shape to fit: beta is 1 and the time that of an exponential through
    the first lag. A correlation that never decays gives infinity.
    """
    lags = _fitted_lags(correlation).astype(np.float64)
    if not len(lags):
        first = float(correlation[1]) if len(correlation) > 1 else 0.0
        return (-1.0 / np.log(first) if 0.0 < first < 1.0 else 0.0 if first <= 0 else float("inf")), 1.0
    values = np.clip(correlation[lags.astype(np.int64)], 1e-6, 1.0 - 1e-12)
    slope, offset = np.polyfit(np.log(lags), np.log(-np.log(values)), 1)
    start = (np.clip(-offset / slope if slope > 0 else np.log(lags[-1] + 1.0), -5.0, 25.0), np.clip(slope, 0.2, 1.5))

    def residuals(parameters: Array) -> Array:
        log_tau, beta = parameters
        return np.asarray(np.exp(-np.exp(beta * (np.log(lags) - log_tau))) - values)

    fit = optimize.least_squares(residuals, start, bounds=([-10.0, 0.1], [30.0, 2.0]), x_scale=[1.0, 0.1])
    tau, beta = float(np.exp(fit.x[0])), float(fit.x[1])
    return tau / beta * float(special.gamma(1.0 / beta)), beta


def _fitted_lags(correlation: Float64[Array, " lags"]) -> Int64[Array, " fitted"]:
    """Lags that a stretched exponential is fitted at; none where there are too few."""
    below = correlation < FITTED_DOWN_TO
    end = int(np.argmax(below)) if below.any() else len(correlation)
    if end <= MIN_POINTS:
        return np.zeros(0, dtype=np.int64)
    return np.unique(np.round(np.geomspace(1, end - 1, 40)).astype(np.int64))
