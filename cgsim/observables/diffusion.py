"""Self-diffusion: the diffusive window of a mean squared displacement, and D with an error that covers."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cgsim.observables.correlated_points import (
    chance_of_residuals,
    displacement_covariance,
    least_squares,
    model_curve,
)
from cgsim.observables.dynamics import MeanSquaredDisplacement
from cgsim.observables.statistics import Estimate
from cgsim.typing import Array, Float64, Int64

N_DIMENSIONS = 3
MIN_FRAMES = 6
MIN_LAGS = 3  # in a window
MIN_SPAN = 2.5  # ratio of the largest to the smallest lag of a window
SPAN = 10.0  # the same where the trajectory is long enough
MAX_SLOPE_ERROR = 0.1  # a log-log slope known less well proves nothing
SLOPE_TOLERANCE = 0.05  # a slope this near to 1 is called diffusive whatever its error
CONTRADICTION = 0.9995  # confidence at which a later window says that an earlier one was not diffusive yet
CURVED = 0.01  # a line that leaves residuals which chance gives less often is no line
ENOUGH_MOLECULES = 8  # from here on, errors come from the scatter over molecules


class Regime(StrEnum):
    """What the log-log slope of a mean squared displacement says."""

    DIFFUSIVE = "diffusive"
    NOT_YET = "not yet diffusive"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class DiffusionFit:
    """A diffusion coefficient and the ground it stands on.

    Attributes:
        coefficient: length^2 / time.
        intercept: length^2, of the fitted line 2 d D t + intercept (rattling in a cage).
        window: smallest and largest lag of the fit, time.
        slope: d log MSD / d log t over the window.
        regime: whether that slope is 1.
        correlation: by how much the variance was enlarged because molecules move together.
    """

    coefficient: Estimate
    intercept: float
    window: tuple[float, float]
    slope: Estimate
    regime: Regime
    correlation: float


def diffusion_coefficient(displacement: MeanSquaredDisplacement) -> DiffusionFit:
    """Self-diffusion coefficient from the slope of the multi-origin MSD, in an automatically chosen window.

    The line MSD = 2 d D t + c, with d axes, is fitted by generalised least squares with the covariance of
    :func:`displacement_covariance`, the best linear unbiased estimate (as in Bullerjahn et al., above, and McCluskey et
    al., J. Chem. Theory Comput. 21, 79 (2025)). It is linear in the displacements of each molecule, so with eight or
    more molecules the error is the scatter of the molecules' own estimates, which needs no model of the motion; with
    fewer it comes from the covariance. If molecules move together beyond chance, both grow accordingly.

    The window begins at the first lag at which the log-log slope differs from 1 by at most two standard errors (or
    0.05) and the points lie on a line (chi-squared of the fit): a slope of 1 alone is also what motion has on its way
    from fast to slow; no later window may contradict it. Without such a window it is the last one in which the slope is
    known to 0.1, and ``regime`` says so: the value is then an apparent coefficient.

    Raises:
        ValueError: if there are fewer than six frames.
    """
    if displacement.n_frames < MIN_FRAMES:
        raise ValueError(f"{displacement.n_frames} frames, at least {MIN_FRAMES} are needed")
    fits = [_fit(displacement, lags) for lags in _windows(displacement)]
    return fits[_choose(fits)]


def diffusion_coefficient_within(displacement: MeanSquaredDisplacement, window: tuple[float, float]) -> DiffusionFit:
    """Diffusion coefficient from the lags within a given window, so that two trajectories are fitted alike.

    While motion is not diffusive yet the coefficient depends on the window, and the automatic choice of
    :func:`diffusion_coefficient` depends on the length of the trajectory.

    Args:
        displacement: of the tracers.
        window: smallest and largest lag, time.

    Raises:
        ValueError: if fewer than three sampled lags lie within it, or it reaches beyond three quarters of the run.
    """
    low, high = (edge / displacement.save_interval for edge in window)
    lags = displacement.lags[(displacement.lags > low * (1 - 1e-6)) & (displacement.lags < high * (1 + 1e-6))]
    if len(lags) < MIN_LAGS:
        raise ValueError(f"{len(lags)} sampled lags between {window[0]:g} and {window[1]:g}, {MIN_LAGS} are needed")
    if high > 0.75 * displacement.n_frames:
        raise ValueError(f"a window up to {high:.0f} frames in a trajectory of {displacement.n_frames}")
    return _fit(displacement, lags)


def msd_errors(displacement: MeanSquaredDisplacement) -> Float64[Array, " samples"]:
    """Standard error of the MSD at its sample lags: scatter over molecules, or that of a random walk if these are few.

    For a walk along d axes the relative variance is (2 / d) (2 m^2 + 1) / (3 m (n - m + 1)) at lag m of n frames (Qian,
    Sheetz and Elson, Biophys. J. 60, 910 (1991)), for m up to half of n, and at most that of a single displacement.
    """
    weights = displacement.molecule_weights / displacement.molecule_weights.sum()
    n_molecules = 1.0 / float((weights**2).sum())
    correlation = np.array([displacement.correlation(int(lag), int(lag)) for lag in displacement.lags])
    if len(weights) >= ENOUGH_MOLECULES:
        deviations = displacement.by_molecule - weights @ displacement.by_molecule
        variance = (weights**2) @ deviations**2 * n_molecules / max(1.0, n_molecules - 1.0)
    else:
        m = displacement.lags.astype(np.float64)
        walk = (2 * m**2 + 1) / (3 * m * (displacement.n_frames - m + 1))
        relative = 2.0 / displacement.n_dimensions * np.minimum(1.0, walk) / n_molecules
        variance = relative * displacement.msd[displacement.lags] ** 2
    return np.asarray(np.sqrt(variance * correlation))


def _windows(displacement: MeanSquaredDisplacement) -> list[Int64[Array, " lags"]]:
    """Candidate windows: a decade of lags from each of about four starts a decade, up to half the trajectory."""
    last = (displacement.n_frames - 1) // 2 if displacement.n_frames > 2 * MIN_FRAMES else displacement.n_frames - 2
    lags = displacement.lags[displacement.lags <= last]
    windows = []
    previous = 0.0
    for start in lags:
        inside = lags[(lags >= start) & (lags <= SPAN * start)]
        if len(inside) < MIN_LAGS or inside[-1] < MIN_SPAN * start:
            break
        if start >= 1.7 * previous:
            windows.append(inside)
            previous = float(start)
    return windows or [lags[-MIN_LAGS:]]


def _choose(fits: list[DiffusionFit]) -> int:
    """The first diffusive window that no later one contradicts, else the last whose slope is known, else the last."""
    chosen = None
    for k in range(len(fits) - 1, -1, -1):
        if fits[k].regime is Regime.DIFFUSIVE:
            chosen = k
        low, high = fits[k].slope.interval(CONTRADICTION)
        if high < 1.0 - SLOPE_TOLERANCE or low > 1.0 + SLOPE_TOLERANCE:
            break  # what lies before this window is an earlier regime, whatever its slope
    if chosen is not None:
        return chosen
    known = [k for k, fit in enumerate(fits) if fit.slope.standard_error <= MAX_SLOPE_ERROR]
    return known[-1] if known else len(fits) - 1


def _fit(displacement: MeanSquaredDisplacement, lags: Int64[Array, " lags"]) -> DiffusionFit:
    """Fit a line, and a power law, to one window; what never moves does not diffuse."""
    columns = np.searchsorted(displacement.lags, lags)
    weights = displacement.molecule_weights / displacement.molecule_weights.sum()
    n_molecules = 1.0 / float((weights**2).sum())
    correlation = displacement.correlation(int(lags[0]), int(lags[-1]))
    observed = displacement.msd[lags]
    time = lags * displacement.save_interval
    window = (float(time[0]), float(time[-1]))
    if not (observed > 0).all():
        return DiffusionFit(Estimate(0.0, 0.0), 0.0, window, Estimate(0.0, 0.0), Regime.NOT_YET, 1.0)
    model = model_curve(displacement.msd, lags)
    covariance = displacement_covariance(lags, model, displacement.n_frames, displacement.n_dimensions) / n_molecules
    straight = np.stack([time, np.ones(len(lags))], axis=1)
    estimator = least_squares(straight, covariance)  # [2, lags]
    slope, intercept = estimator @ observed
    of_molecule = displacement.by_molecule[:, columns]
    rate = Estimate(float(slope), *_error(estimator[0], of_molecule, weights, covariance, correlation))
    inflation = rate.standard_error**2 / float(estimator[0] @ covariance @ estimator[0])
    is_line = (
        chance_of_residuals(observed - straight @ (estimator @ observed), covariance * max(1.0, inflation)) > CURVED
    )
    d = rate.scaled(1.0 / (2 * displacement.n_dimensions))
    power = np.stack([np.log(time), np.ones(len(lags))], axis=1)
    expected = model[lags]
    estimator = least_squares(power, covariance / np.outer(expected, expected))
    exponent = float(estimator[0] @ np.log(observed))
    log_slope = Estimate(exponent, *_error(estimator[0] / expected, of_molecule, weights, covariance, correlation))
    return DiffusionFit(d, float(intercept), window, log_slope, _regime(log_slope, is_line=is_line), correlation)


def _regime(slope: Estimate, *, is_line: bool) -> Regime:
    away = abs(slope.value - 1.0)
    if is_line and away <= max(2.0 * slope.standard_error, SLOPE_TOLERANCE):
        return Regime.DIFFUSIVE if slope.standard_error <= MAX_SLOPE_ERROR else Regime.UNDETERMINED
    return Regime.NOT_YET


def _error(
    estimator: Float64[Array, " lags"],
    by_molecule: Float64[Array, "molecules lags"],
    weights: Float64[Array, " molecules"],
    covariance: Float64[Array, "lags lags"],
    correlation: float,
) -> tuple[float, float]:
    """Standard error of a linear estimate, and its degrees of freedom."""
    if len(weights) >= ENOUGH_MOLECULES:
        own = by_molecule @ estimator
        deviations = own - weights @ own
        n_effective = 1.0 / float((weights**2).sum())
        freedom = max(1.0, n_effective - 1.0)
        variance = float((weights**2) @ deviations**2) * n_effective / freedom
        return float(np.sqrt(variance * correlation)), max(1.0, n_effective / correlation - 1.0)
    error = float(np.sqrt(estimator @ covariance @ estimator * correlation))
    return error, _freedom_of_model(by_molecule, weights, estimator, error)


def _freedom_of_model(
    by_molecule: Float64[Array, "molecules lags"],
    weights: Float64[Array, " molecules"],
    estimator: Float64[Array, " lags"],
    error: float,
) -> float:
    """Degrees of freedom of a chi-squared variable with the relative error of the estimate: 2 (value / error)^2."""
    value = float(weights @ by_molecule @ estimator)
    return max(1.0, 2.0 * (value / error) ** 2) if error > 0 else float("inf")
