"""Errors of what is read from an autocorrelation, from the autocorrelation itself."""

import numpy as np
from scipy import special

from cgsim.typing import Array, Int64

REACH = 8.0  # relaxation times, within which a correlation is summed up
MAX_REACH = 5000  # frames


def stretched_exponential_errors(
    lags: Int64[Array, " lags"], time: float, beta: float, n_frames: int, n_series: int
) -> tuple[float, float, float]:
    """Relative errors of mean square and effective time, and the error of beta, of series that are Gaussian processes.

    Bartlett's covariance of the points of a correlation rho (Brockwell and Davis, Time Series: Theory and Methods, 2nd
    ed., eq. 7.2.5), here that of the fit, exp(-(t / tau)^beta), carried to its parameters to first order; of the mean
    square, 2 sum rho^2 / n, both with the weights 1 - |k| / n of a run of n frames.

    Args:
        lags: frames, that the exponential was fitted at by least squares.
        time: (tau / beta) Gamma(1 / beta), frames.
        beta: exponent.
        n_frames: number of frames.
        n_series: number of independent series.
    """
    tau = time * beta / float(special.gamma(1.0 / beta))
    far = min(int(REACH * time) + int(lags[-1]), n_frames - 1, MAX_REACH)
    reach = np.arange(-far, far + 1)

    def rho(t: Array) -> Array:
        return np.asarray(np.exp(-((np.abs(t) / tau) ** beta)))

    around = rho(reach)
    at = rho(lags)
    terms = rho(reach + lags[:, None]) + rho(reach - lags[:, None]) - 2.0 * at[:, None] * around
    share = (1.0 - np.abs(reach) / n_frames) / (n_frames * n_series)
    covariance = 0.5 * (share * terms) @ terms.T
    power = (lags / tau) ** beta
    slopes = np.stack([at * power * beta, -at * power * np.log(lags / tau)], axis=1)  # by log tau, by beta
    solved = np.linalg.pinv(slopes)
    of_fit = solved @ covariance @ solved.T
    by_fit = np.array([1.0, -1.0 / beta - float(special.digamma(1.0 / beta)) / beta**2])
    square = 2.0 * float(share @ around**2)
    return float(np.sqrt(square)), float(np.sqrt(by_fit @ of_fit @ by_fit)), float(np.sqrt(of_fit[1, 1]))
