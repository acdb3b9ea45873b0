"""Points of a mean squared displacement are correlated: their covariance, and lines fitted with it."""

import numpy as np
from scipy import linalg, stats

from cgsim.typing import Array, Float64, Int64

RIDGE = 1e-6  # keeps a correlation matrix of neighbouring lags, which are nearly the same, invertible


def displacement_covariance(
    lags: Int64[Array, " lags"], msd: Float64[Array, " all_lags"], n_frames: int, n_dimensions: int
) -> Float64[Array, "lags lags"]:
    """Covariance between the points of the multi-origin MSD of one particle, length^4.

    For a Gaussian process with stationary increments the covariance of two displacements follows from the MSD alone,
    <[x(s+i)-x(s)] [x(t+j)-x(t)]> = [m(k+j) + m(k-i) - m(k) - m(k+j-i)] / 2 with k = t - s and m(k) = m(-k) the MSD
    along one axis, and by Wick's theorem that of their squares is twice its square; summed here over all pairs of
    origins whose displacements overlap in time. For a random walk, with or without noise on the positions, it is the
    covariance of Bullerjahn, von Bülow and Hummer, J. Chem. Phys. 153, 024116 (2020).

    Args:
        lags: frames, in ascending order.
        msd: lags 0 to at least twice the largest of ``lags``.
        n_frames: length of the trajectory.
        n_dimensions: equal and independent axes that ``msd`` is summed over.
    """
    m = msd / n_dimensions
    covariance = np.empty((len(lags), len(lags)))
    for a, i in enumerate(lags):
        for b in range(a, len(lags)):
            j = lags[b]
            # Beyond -j < k < i displacements do not overlap, and where the MSD is linear they are uncorrelated.
            k = np.arange(-j, i + 1)
            product = 0.5 * (m[np.abs(k + j)] + m[np.abs(k - i)] - m[np.abs(k)] - m[np.abs(k + j - i)])
            pairs = np.minimum(n_frames - i, n_frames - j - k) - np.maximum(0, -k)
            total = float(np.maximum(pairs, 0) @ product**2)
            covariance[a, b] = covariance[b, a] = 2.0 * n_dimensions * total / ((n_frames - i) * (n_frames - j))
    return covariance


def model_curve(msd: Float64[Array, " all_lags"], lags: Int64[Array, " lags"]) -> Float64[Array, " model_lags"]:
    """The measured curve up to the window and a line from there on, to twice the largest lag."""
    first, last = int(lags[0]), int(lags[-1])
    slope, intercept = np.polyfit(lags, msd[lags], 1, w=1.0 / lags)
    if slope <= 0:
        slope, intercept = msd[lags] @ lags / (lags @ lags), 0.0
    model = slope * np.arange(2 * last + 1, dtype=np.float64) + max(float(intercept), 0.0)
    model[0] = 0.0
    if first > 1:  # joined at the window's first lag, so that increments stay a possible process
        model[1:first] = msd[1:first] * (model[first] / msd[first] if msd[first] > 0 else 1.0)
    return np.asarray(model)


def least_squares(
    design: Float64[Array, "lags parameters"], covariance: Float64[Array, "lags lags"]
) -> Float64[Array, "parameters lags"]:
    """Matrix that takes observations to the parameters of generalised least squares.

    Falls back to the diagonal of the covariance where the whole is not positive definite, as the measured part of the
    model can make it; that costs precision and no bias.
    """
    scale = np.sqrt(np.diag(covariance))
    if not (scale > 0).all():
        return np.asarray(np.linalg.pinv(design))
    correlation = covariance / np.outer(scale, scale)
    whitened = design / scale[:, None]
    try:
        factor = linalg.cho_factor(correlation + 1e-10 * np.eye(len(scale)))
        solved = linalg.cho_solve(factor, whitened)
    except linalg.LinAlgError:
        solved = whitened
    return np.asarray(np.linalg.solve(whitened.T @ solved, solved.T) / scale)


def chance_of_residuals(residuals: Float64[Array, " lags"], covariance: Float64[Array, "lags lags"]) -> float:
    """Probability that chance leaves residuals of a line as large, by their chi-squared; 1 if the covariance fails."""
    scale = np.sqrt(np.diag(covariance))
    if not (scale > 0).all():
        return 1.0
    correlation = covariance / np.outer(scale, scale) + RIDGE * np.eye(len(scale))
    try:
        chi_squared = float(residuals / scale @ linalg.solve(correlation, residuals / scale, assume_a="pos"))
    except linalg.LinAlgError:
        return 1.0
    return float(stats.chi2.sf(chi_squared, len(residuals) - 2))
