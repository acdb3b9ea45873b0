"""Place and value of a peak or a minimum of a curve that is known as averages over bins, with errors that cover."""

from collections.abc import Callable

import numpy as np

from cgsim.observables.statistics import Estimate
from cgsim.typing import Array, Float64

NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(4)
STEPS = 40  # of Gauss, Newton, Levenberg and Marquardt
CONVERGED = 1e-10
SHARPEST = 1.5  # height of a peak over that of its highest bin, beyond which bins do not resolve it
OVERFLOW = 100.0  # exponents beyond this are none of a fit that will be kept

Curve = Float64[Array, " bins"]
Derive = Callable[[Curve], Float64[Array, " values"]]


def around(g: Curve, at: int, level: float, least: int, *, is_peak: bool) -> slice:
    """The bins around one that lie above a level, or below it if it is a minimum; so many at least."""
    beyond = np.flatnonzero(g < level if is_peak else g > level)
    left = int(beyond[beyond < at].max(initial=-1)) + 1
    right = int(beyond[beyond > at].min(initial=len(g)))
    least = min(least, len(g))
    missing = max(0, least - (right - left))
    start = max(0, min(left - (missing + 1) // 2, len(g) - least))
    return slice(start, max(right, start + least))


def extremum_in(bin_edges: Float64[Array, " edges"], near: slice, degree: int, *, is_peak: bool) -> Derive:
    """How to get place and value of a peak or minimum of a curve: from the exponential of a polynomial fitted to bins.

    A polynomial of second degree makes a Gaussian peak, those of higher degree skewed ones. What is fitted to each bin
    is the average over its shell, so the height is that of the curve itself, not of bins, which a sharp peak exceeds.
    """
    r, weights = _nodes(bin_edges[near.start : near.stop + 1])
    origin, scale = float(r.mean()), float(np.ptp(r)) / 2.0
    x = (r - origin) / scale
    powers = x[..., None] ** np.arange(degree + 1)  # [bins, nodes, powers]
    centres = (weights * r).sum(axis=1)

    def derive(g: Curve) -> Float64[Array, " values"]:
        values = g[near]
        if values.max() <= 0:
            return np.array([origin, 0.0])
        coefficients = _fit_exponential(values, powers, weights, (centres - origin) / scale)
        turn = _turning_point(coefficients, float(x.min()), float(x.max()), is_peak=is_peak)
        height = 0.0 if turn is None else float(np.exp(np.polynomial.polynomial.polyval(turn, coefficients)))
        if turn is not None and height <= SHARPEST * values.max():
            return np.array([origin + scale * turn, height])
        if is_peak:  # none among these bins, or within a single one
            return np.array([(centres * values).sum() / values.sum(), values.max()])
        lowest = values == values.min()
        return np.array([centres[lowest].mean(), values.min()])

    return derive


def jackknife(parts: Float64[Array, "parts bins"], derive: Derive, other: Derive) -> list[Estimate]:
    """Values derived from a curve, with errors from leaving out one part at a time and from the way they are derived.

    What another way gives differently, beyond what its own scatter explains, counts as an error of both.
    """
    n = len(parts)
    whole = parts.mean(axis=0)
    values, others = derive(whole), other(whole)
    if n < 2:
        return [Estimate(float(value), float("nan")) for value in values]
    rest = [np.delete(parts, k, axis=0).mean(axis=0) for k in range(n)]
    left_out, left_out_others = np.array([derive(g) for g in rest]), np.array([other(g) for g in rest])
    variance = (n - 1) * left_out.var(axis=0)
    misfit = (values - others) ** 2 - (n - 1) * (left_out - left_out_others).var(axis=0)
    errors = np.sqrt(variance + np.maximum(misfit, 0.0))
    return [Estimate(float(v), float(e), n - 1.0) for v, e in zip(values, errors, strict=True)]


def _nodes(edges: Float64[Array, " edges"]) -> tuple[Float64[Array, "bins nodes"], Float64[Array, "bins nodes"]]:
    """Points within each bin, and their weights in an average over its shell."""
    half = 0.5 * np.diff(edges)[:, None]
    r = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * NODES
    weights = NODE_WEIGHTS * r**2
    return r, weights / weights.sum(axis=1, keepdims=True)


def _fit_exponential(
    values: Curve,
    powers: Float64[Array, "bins nodes powers"],
    weights: Float64[Array, "bins nodes"],
    centres: Float64[Array, " bins"],
) -> Float64[Array, " powers"]:
    """Coefficients of the polynomial whose exponential, averaged over bins, has the least squared deviation."""
    n = powers.shape[-1]
    floor = np.maximum(values, 0.02 * values.max())
    start = np.polynomial.polynomial.polyfit(centres, np.log(floor), min(2, n - 1), w=floor)
    coefficients = np.pad(start, (0, n - len(start)))
    model = weights * np.exp(np.minimum(powers @ coefficients, OVERFLOW))
    deviation, damping = values - model.sum(axis=1), 1e-3
    for _ in range(STEPS):
        slopes = np.einsum("bq,bqp->bp", model, powers)
        normal = slopes.T @ slopes
        scale = np.maximum(np.diag(normal), 1e-9 * np.trace(normal) + np.finfo(float).tiny)
        step = np.linalg.lstsq(normal + damping * np.diag(scale), slopes.T @ deviation)[0]
        moved = weights * np.exp(np.minimum(powers @ (coefficients + step), OVERFLOW))
        left = values - moved.sum(axis=1)
        if left @ left > deviation @ deviation:
            damping *= 10.0
            if damping > 1e8:
                break
            continue
        gain = deviation @ deviation - left @ left
        coefficients, model, deviation, damping = coefficients + step, moved, left, 0.1 * damping
        if gain <= CONVERGED * (values @ values):
            break
    return np.asarray(coefficients)


def _turning_point(coefficients: Float64[Array, " powers"], low: float, high: float, *, is_peak: bool) -> float | None:
    """Where a polynomial has a maximum or minimum between two bounds; the most extreme of several, None without one."""
    slope = np.polynomial.polynomial.polyder(coefficients)
    roots = np.polynomial.polynomial.polyroots(slope)
    roots = roots[np.abs(roots.imag) < 1e-9].real
    bend = np.polynomial.polynomial.polyval(roots, np.polynomial.polynomial.polyder(slope)) * (-1 if is_peak else 1)
    fit = roots[(roots >= low) & (roots <= high) & (bend > 0)]
    if not fit.size:
        return None
    value = np.polynomial.polynomial.polyval(fit, coefficients) * (-1 if is_peak else 1)
    return float(fit[value.argmin()])
