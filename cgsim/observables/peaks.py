"""The first peak of a noisy curve and the minimum behind it: whether they are there at all, and in which bins."""

from dataclasses import dataclass, replace

import numpy as np

from cgsim.typing import Array, Float64

SCALES = (3, 5, 9, 15)  # bins of the running means in which the curve is followed, the finest first
RELATIVE = 0.1  # a curve falls from a peak by this share of it, and rises again by 0.1, or that share of a lower peak
CERTAIN = 3.5  # standard errors by which it does so: noise passes for a nearer peak in one of a hundred runs


@dataclass(frozen=True)
class Landmarks:
    """The first peak of a curve, and the minimum behind it.

    Attributes:
        top: bin of the peak.
        bottom: bin of the minimum; None if the curve does not rise again.
        beyond: bin of the next peak, the highest value if there is none; None without a minimum.
        height: of the peak, mean of some bins.
        lowest: bin of the minimum; of the lowest value behind the peak if there is no minimum.
        depth: value there, likewise.
        flank: value at the next peak, likewise; 0 without a minimum.
    """

    top: int
    bottom: int | None
    beyond: int | None
    height: float
    lowest: int
    depth: float
    flank: float


def find_landmarks(
    parts: Float64[Array, "parts bins"],
    curve_error: Float64[Array, " bins"],
    bin_volumes: Float64[Array, " bins"],
) -> Landmarks | None:
    """The first peak that stands out of the noise on both sides, and the minimum behind it; None without a peak.

    The curve is followed in running means over 3 to 15 bins. A maximum is a peak if the curve rises to it from zero or
    a minimum, and falls behind it by a tenth, each by more than 3.5 standard errors; a minimum ends where the curve
    has risen by 0.1, or a tenth of a peak below 1, and by as many errors. Of what is seen in several means, the peak
    nearest to zero counts, and the minimum nearest to it. The error of a difference is its scatter between the parts,
    or what the number of counts allows if that is more: a few pairs in an empty region are no peak.

    Args:
        parts: the curve in consecutive parts of a trajectory.
        curve_error: standard errors of their mean.
        bin_volumes: what the counts of each bin were divided by, any unit.
    """
    if len(parts) < 2:
        return None
    curve = parts.mean(axis=0)
    variance = _counting_variance(curve, curve_error, bin_volumes)
    found: Landmarks | None = None
    for scale in SCALES:
        if scale > parts.shape[1]:
            break
        smooth = running_mean(parts, scale)
        one = _follow(smooth, running_mean(variance[None], scale)[0] / scale)
        if one is None:
            continue
        if found is None or one.top < found.top - scale:
            found = replace(one, top=_highest(curve, one.top, scale))
        elif (
            one.bottom is not None
            and one.top <= found.top + scale
            and (found.bottom is None or one.bottom < found.bottom - scale)
        ):
            found = replace(one, top=found.top, height=found.height)
    return found


def running_mean(curves: Float64[Array, "curves bins"], width: int) -> Float64[Array, "curves bins"]:
    """Mean over an odd number of bins, so that noise in one bin is no peak; ends repeat."""
    padded = np.pad(curves, ((0, 0), (width // 2, width // 2)), mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).mean(axis=2))


def _counting_variance(
    curve: Float64[Array, " bins"], error: Float64[Array, " bins"], bin_volumes: Float64[Array, " bins"]
) -> Float64[Array, " bins"]:
    """Variance as it is in most bins, proportional to the mean count: that of few counts is often too small by luck."""
    filled = (curve > 0) & (bin_volumes > 0)
    if not filled.any():
        return np.zeros_like(curve)
    typical = np.median(error[filled] ** 2 * bin_volumes[filled] / curve[filled])
    return np.asarray(typical * curve / np.where(bin_volumes > 0, bin_volumes, np.inf))


def _highest(curve: Float64[Array, " bins"], top: int, scale: int) -> int:
    """The top of a peak in the finest means, near where coarser ones have it."""
    fine = running_mean(curve[None], SCALES[0])[0]
    start = max(0, top - scale // 2)
    return start + int(np.argmax(fine[start : top + scale // 2 + 1]))


def _follow(parts: Float64[Array, "parts bins"], variance: Float64[Array, " bins"]) -> Landmarks | None:
    """Walk along a curve, turning up from a minimum or down from a maximum only where it has moved enough."""
    g, n = parts.mean(axis=0), len(parts)
    turns: list[int] = []  # where it rises from, the first peak, the minimum behind it, the next peak
    best, rising = 0, False
    for k in range(1, len(g)):
        if (g[k] > g[best]) if rising else (g[k] <= g[best]):
            best = k
            continue
        highest = g[turns[1]] if len(turns) > 1 else max(g[best], g[k])
        difference = abs(g[best] - g[k])
        if difference < RELATIVE * (g[best] if rising else min(1.0, highest)):
            continue
        scatter = (parts[:, best] - parts[:, k]).var(ddof=1) / n
        if difference**2 > CERTAIN**2 * max(scatter, variance[best] + variance[k]):
            turns.append(best)
            best, rising = k, not rising
            if len(turns) == 4:
                break
    if len(turns) < 2:
        return None
    top = turns[1]
    if len(turns) == 2:
        low = top + int(np.argmin(g[top:]))
        return Landmarks(top, None, None, float(g[top]), low, float(g[low]), 0.0)
    bottom = turns[2]
    beyond = turns[3] if len(turns) > 3 else bottom + int(np.argmax(g[bottom:]))
    return Landmarks(top, bottom, beyond, float(g[top]), bottom, float(g[bottom]), float(g[beyond]))
