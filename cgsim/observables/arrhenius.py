"""How a property depends on temperature: the laws of Arrhenius and of Vogel, Fulcher and Tammann, fitted with errors.

Arrhenius: ln x = ln A - E / (R T). Vogel, Fulcher and Tammann: ln x = ln A - B / (T - T0), for liquids and polymers
near their glass transition (Vogel, Phys. Z. 22, 645 (1921); Fulcher, J. Am. Ceram. Soc. 8, 339 (1925); Tammann and
Hesse, Z. Anorg. Allg. Chem. 156, 245 (1926)). Both are fitted to ln x by least squares with the relative errors as
weights.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from cgsim.observables.statistics import SCATTER_CHANCE, Estimate
from cgsim.typing import Array, Float64

MIN_ARRHENIUS, MIN_VFT = 2, 4  # temperatures: one more than parameters for the curve, so that there is a test of it
MIN_WITHOUT_ERRORS = 3  # temperatures, where the error of the line comes from its own scatter
NEAREST_T0 = 0.98  # of the lowest temperature: beyond, one point takes up the whole divergence
N_STARTS = 50  # values of T0 between which the best is sought
CURVATURE = 3.84  # gain in chi^2 by T0 > 0 above which it is not chance (one in twenty)


@dataclass(frozen=True)
class TemperatureFit:
    """A law fitted to ln x.

    Attributes:
        parameters: ln A and E / R in K; or ln A, B in K and T0 in K.
        covariance: of the parameters.
        degrees_of_freedom: behind each parameter's error.
        chi_squared: sum of squared residuals in units of the errors; nan if the errors are not known.
        n_free: number of points less number of parameters.
    """

    parameters: tuple[float, ...]
    covariance: Float64[Array, "parameters parameters"]
    degrees_of_freedom: tuple[float, ...]
    chi_squared: float
    n_free: int

    def parameter(self, k: int) -> Estimate:
        """A parameter with its error."""
        return Estimate(self.parameters[k], float(np.sqrt(self.covariance[k, k])), self.degrees_of_freedom[k])

    def log_value(self, temperature: float) -> Estimate:
        """Value of ln x at a temperature in K, measured or not, with the error of the curve there."""
        value, gradient = _curve(np.array([temperature]), *self.parameters)
        error = float(np.sqrt(gradient[:, 0] @ self.covariance @ gradient[:, 0]))
        return Estimate(float(value[0]), error, min(self.degrees_of_freedom))

    @property
    def chance(self) -> float:
        """Probability that points on such a curve scatter as much as these; nan if that cannot be said."""
        if self.n_free < 1 or not np.isfinite(self.chi_squared):
            return float("nan")
        return float(stats.chi2.sf(self.chi_squared, self.n_free))


def arrhenius(temperatures: Float64[Array, " points"], values: list[Estimate]) -> TemperatureFit:
    """Fit ln A and E / R.

    Errors are propagated from those of the points, or, where these are not all known, taken from the scatter about the
    line. Points that scatter more than their errors allow enlarge the error (Birge, as in
    :func:`cgsim.observables.statistics.scatter_inflation`).

    Args:
        temperatures: K.
        values: positive, in any one unit.

    Raises:
        ValueError: if there are fewer than two temperatures, or three without errors, or a value is not positive.
    """
    logs, errors = _logarithms(temperatures, values)
    known = bool((errors > 0).all())
    least = MIN_ARRHENIUS if known else MIN_WITHOUT_ERRORS
    if len(np.unique(temperatures)) < least:
        raise ValueError(f"{len(np.unique(temperatures))} different temperatures, at least {least} are needed")
    weights = errors if known else np.ones(len(logs))
    return _finish(temperatures, logs, weights, values, _line(temperatures, logs, weights, 0.0), known=known)


def vogel_fulcher_tammann(temperatures: Float64[Array, " points"], values: list[Estimate]) -> TemperatureFit | None:
    """Fit ln A, B and T0, or return None where the points do not show that T0 is above 0 (an Arrhenius law then does).

    For a given T0 the law is linear, so only T0 is searched, over all temperatures below the lowest.

    Args:
        temperatures: K.
        values: positive, in any one unit, all with errors.

    Raises:
        ValueError: if there are fewer than four temperatures, or a value is not positive or has no error.
    """
    logs, errors = _logarithms(temperatures, values)
    different = len(np.unique(temperatures))
    if different < MIN_VFT:
        raise ValueError(f"{different} different temperatures, at least {MIN_VFT} are needed")
    if not (errors > 0).all():
        raise ValueError("needs an error of every value")

    def misfit(t0: float) -> float:
        residuals = logs - _curve(temperatures, *_line(temperatures, logs, errors, t0))[0]
        return float(((residuals / errors) ** 2).sum())

    grid = np.linspace(0.0, NEAREST_T0 * float(temperatures.min()), N_STARTS)
    best = int(np.argmin([misfit(t0) for t0 in grid]))
    low, high = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    found = optimize.minimize_scalar(misfit, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    t0 = float(found.x)
    if misfit(0.0) - misfit(t0) < CURVATURE:
        return None
    return _finish(temperatures, logs, errors, values, _line(temperatures, logs, errors, t0), known=True)


def _logarithms(
    temperatures: Float64[Array, " points"], values: list[Estimate]
) -> tuple[Float64[Array, " points"], Float64[Array, " points"]]:
    """Logarithms of the values with their errors, which are the relative errors."""
    if not (temperatures > 0).all():
        raise ValueError(f"temperature {temperatures.min():g} K, must be positive")
    for value in values:
        if not value.value > 0:
            raise ValueError(f"value {value.value:g}, must be positive")
    relative = np.array([v.standard_error / v.value for v in values])
    return np.log([v.value for v in values]), relative


def _line(
    temperatures: Float64[Array, " points"],
    logs: Float64[Array, " points"],
    errors: Float64[Array, " points"],
    t0: float,
) -> tuple[float, ...]:
    """Best ln A and B for a given T0, with T0 if it is not 0."""
    x = 1.0 / (temperatures - t0)
    weights = 1.0 / errors**2
    centre = float(np.average(x, weights=weights))
    slope = float((weights * (x - centre)) @ logs / ((weights * (x - centre)) @ (x - centre)))
    own = (float(np.average(logs, weights=weights)) - slope * centre, -slope)
    return own if t0 == 0 else (*own, t0)


def _curve(
    temperatures: Float64[Array, " points"], log_prefactor: float, b: float, t0: float | None = None
) -> tuple[Float64[Array, " points"], Float64[Array, "parameters points"]]:
    """Evaluate ln x and its derivatives with respect to the parameters."""
    x = 1.0 / (temperatures - (t0 or 0.0))
    gradient = [np.ones_like(x), -x] + ([] if t0 is None else [-b * x**2])
    return log_prefactor - b * x, np.array(gradient)


def _finish(
    temperatures: Float64[Array, " points"],
    logs: Float64[Array, " points"],
    errors: Float64[Array, " points"],
    values: list[Estimate],
    parameters: tuple[float, ...],
    *,
    known: bool,
) -> TemperatureFit:
    """Covariance of the parameters to first order, and the degrees of freedom behind it (Welch and Satterthwaite)."""
    curve, gradient = _curve(temperatures, *parameters)
    whitened = gradient / errors
    scale = np.sqrt((whitened**2).sum(axis=1))  # ln A and T0 differ by orders of magnitude: invert in like units
    inverse = np.linalg.inv((whitened / scale[:, None]) @ (whitened / scale[:, None]).T) / np.outer(scale, scale)
    chi_squared = float((((logs - curve) / errors) ** 2).sum())
    n_free = len(logs) - len(parameters)
    parts = (inverse @ whitened) ** 2  # [parameters, points], share of each point in a parameter's variance
    of_points = np.array([v.degrees_of_freedom for v in values])
    spread = (parts**2 / of_points).sum(axis=1)
    freedom = np.divide(parts.sum(axis=1) ** 2, spread, out=np.full(len(spread), np.inf), where=spread > 0)
    if not known:
        inverse, freedom, chi = inverse * chi_squared / n_free, np.full(len(freedom), float(n_free)), float("nan")
    else:
        chi = chi_squared
        if n_free > 0 and chi_squared > stats.chi2.ppf(1.0 - SCATTER_CHANCE, n_free):
            inverse, freedom = inverse * chi_squared / n_free, np.minimum(freedom, n_free)
    return TemperatureFit(parameters, np.asarray(inverse), tuple(float(f) for f in freedom), chi, n_free)
