"""What MD of training length says of an unseen system: as it is, shifted by a constant, or extrapolated."""

from collections.abc import Callable

import numpy as np

from cgsim.benchmark.portrait import NOTHING, Portrait, log10_estimate
from cgsim.observables.statistics import Estimate
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem

LOG10 = "log10_"
SPAN = 5.0  # the power law is fitted to lags down to this fraction of the largest one
N_DIMENSIONS = 3
LEAST_LONG = 3  # systems of longer MD that a shift is taken from


def with_powers(values: dict[str, Estimate]) -> dict[str, Estimate]:
    """Add ``x`` to every ``log10_x``, its error to first order."""
    out = dict(values)
    for name, estimate in values.items():
        if name.startswith(LOG10):
            value = float(10.0**estimate.value)
            error = value * float(np.log(10.0)) * estimate.standard_error
            out.setdefault(name.removeprefix(LOG10), Estimate(value, error))
    return out


def mean_shifts(
    labels: tuple[str, ...], shorter: dict[str, Portrait], longer: dict[str, Portrait], n_times: float = 1.0
) -> dict[str, float]:
    """How much each logarithm grows from shorter to longer trajectories, mean over systems; 0 if nobody knows.

    Args:
        labels: logarithms.
        shorter: portraits of at least the systems of ``longer``.
        longer: portraits of longer trajectories of the same systems.
        n_times: how often that much is to be added.
    """
    out = {}
    for label in labels:
        differences = [longer[name].value(label).value - shorter[name].value(label).value for name in longer]
        known = [d for d in differences if np.isfinite(d)]
        out[label] = n_times * float(np.mean(known)) if known else 0.0
    return out


def shifts(
    labels: tuple[str, ...],
    short: dict[str, Portrait],
    n_long: int,
    measure_long: Callable[[], dict[str, Portrait]],
    measure_half: Callable[[], dict[str, Portrait]],
    n_doublings: float,
) -> dict[str, float]:
    """One constant for each label, from training and validation systems only.

    Where at least three of them have longer MD the constant is the mean of what that adds. Otherwise it is the mean of
    what the second half of the short MD adds to the first, once for every doubling that is still to come.

    Args:
        labels: logarithms.
        short: portraits of training length.
        n_long: how many systems have longer MD.
        measure_long: portraits of the whole of those; called only where they are needed, as is the next.
        measure_half: portraits of half the training length.
        n_doublings: from the training length to that of the reference.
    """
    if n_long >= LEAST_LONG:
        return mean_shifts(labels, short, measure_long())
    return mean_shifts(labels, measure_half(), short, n_doublings)


def shifted(portrait: Portrait, by: dict[str, float]) -> Portrait:
    """A portrait that has nothing but shifted logarithms and their powers."""
    values = {}
    for label, shift in by.items():
        found = portrait.value(label)
        values[label] = Estimate(found.value + shift, found.standard_error)
    return Portrait(with_powers(values))


def power_law(portrait: Portrait, reference: Portrait, units: UnitSystem) -> Portrait:
    """Mean squared displacements of a short run continued as t^a, and the D that they give in the reference's window.

    The exponent is fitted to the logarithms of the last part of the curve, lags of a fifth of the largest one and more.
    """
    values: dict[str, Estimate] = {}
    for key, curve in portrait.arrays.items():
        kind, _, role = key.partition("/")
        window = reference.arrays.get(f"window/{role}")
        if kind != "msd" or window is None or curve.shape[1] < 3:
            continue
        exponent, offset = _fit(curve[0], curve[1])
        low, high = (float(np.exp(offset + exponent * np.log(edge))) for edge in window)
        slope = (high - low) / (2 * N_DIMENSIONS * float(window[1] - window[0]))
        estimate = Estimate(slope * units.diffusion_factor, float("nan"))
        values[f"log10_d_{role}"] = log10_estimate(estimate)
        own = portrait.value(f"msd400_{role}")
        true = reference.value(f"msd400_{role}")
        if not np.isfinite(own.value) and np.isfinite(true.value):
            own = Estimate(float(np.exp(offset + exponent * np.log(400.0))), float("nan"))
        values[f"log10_msd400_{role}"] = log10_estimate(own) if np.isfinite(own.value) else NOTHING
    return Portrait(with_powers(values))


def _fit(lags: Float64[Array, " lags"], msd: Float64[Array, " lags"]) -> tuple[float, float]:
    """Exponent and logarithm of the prefactor of a power law."""
    chosen = (lags >= lags[-1] / SPAN) & (msd > 0)
    chosen[-2:] = True
    exponent, offset = np.polyfit(np.log(lags[chosen]), np.log(np.maximum(msd[chosen], 1e-12)), 1)
    return float(exponent), float(offset)
