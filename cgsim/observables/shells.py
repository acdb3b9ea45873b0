"""The first shell of neighbours: where it begins to be certain, where it ends, and how many are in it."""

from dataclasses import dataclass, replace

import numpy as np

from cgsim.observables.extrema import Derive, around, extremum_in, jackknife
from cgsim.observables.peaks import SCALES, Landmarks, running_mean
from cgsim.observables.statistics import Estimate
from cgsim.typing import Array, Float64

COARSEST = 25  # bins of the widest running mean in which the bins around a peak or minimum are chosen
QUIET = 0.1  # standard error of a running mean that will do for that, of the height of the peak above the minimum
MARGIN = 4.0  # standard errors by which a bin must differ to be left out
ALIKE = 2.0  # standard errors within which a bin cannot be told from the minimum
# Share of the height of a peak that is fitted, degree of the polynomial, bins at least; then another way, whose
# difference counts as an error. Chosen by the coverage of intervals on known curves, sharp and broad.
FIT, OTHER_FIT = (0.5, 4, 7), (0.25, 3, 5)
MINIMUM_FIT, OTHER_MINIMUM_FIT = (0.5, 4, 9), (0.25, 3, 7)


@dataclass(frozen=True)
class FirstShell:
    """What is up to the first minimum of a radial distribution function.

    Attributes:
        radius: where it ends, length.
        number: of neighbours in it; the error allows for that of the radius.
        depth: g at the minimum over the lower of the two peaks beside it; 0 for a gap, 1 for no minimum at all.
        doubt: share of ``number`` that the error of the radius makes up.
    """

    radius: Estimate
    number: Estimate
    depth: float
    doubt: float


def fit_peak(
    bin_edges: Float64[Array, " edges"], parts: Float64[Array, "parts bins"], found: Landmarks
) -> tuple[Estimate, Estimate]:
    """Place and height of the first peak.

    The exponential of a polynomial of fourth degree is fitted to the upper half of the peak; what one of third degree
    in its upper quarter gives otherwise counts as an error.
    """
    for scale in _scales(parts.shape[1]):
        means = running_mean(parts, scale)
        g, noise = means.mean(axis=0), _noise(means, found.top)
        if noise < QUIET * (g[found.top] - found.depth):
            break
    top = float(g[found.top])
    ways = []
    for share, degree, least in (FIT, OTHER_FIT):
        near = around(g[: found.lowest + 1], found.top, top - share * (top - found.depth), least, is_peak=True)
        ways.append(extremum_in(bin_edges, near, min(degree, near.stop - near.start - 1), is_peak=True))
    position, height = jackknife(parts, *ways)
    if position.standard_error == 0:  # a place that never changes is known to the width of a bin
        width = float(bin_edges[found.top + 1] - bin_edges[found.top])
        position = replace(position, standard_error=width / np.sqrt(12.0))
    return position, height


def measure_shell(
    bin_edges: Float64[Array, " edges"],
    parts: Float64[Array, "parts bins"],
    coordination_parts: Float64[Array, "parts bins"],
    coordination_error: Float64[Array, " bins"],
    coordination_freedom: Float64[Array, " bins"],
    found: Landmarks,
) -> FirstShell | None:
    """End of the first shell and number of neighbours in it; None if there is no minimum.

    The end is the minimum of the exponential of a polynomial of fourth degree that is fitted around the lowest bins.
    Its error is made of that of the fit (jackknife over parts), of what another window and degree give otherwise, and
    of the range in which g cannot be told from its minimum. That of the number is what these make of it (jackknife, and
    dn/dr times the error of the radius), with the error of the number at a fixed radius. Where that is the larger, its
    degrees of freedom are those of the whole.
    """
    if found.bottom is None or found.beyond is None:
        return None
    lower = min(found.height, found.flank)
    for scale in _scales(parts.shape[1]):
        means = running_mean(parts, scale)
        g = means.mean(axis=0)
        bottom = found.top + int(np.argmin(g[found.top : found.beyond + 1]))
        noise = _noise(means, bottom)
        if noise < QUIET * (lower - g[bottom]):
            break
    depth = float(g[bottom])
    alike = around(g, bottom, depth + ALIKE * noise, 1, is_peak=False)
    low, high = float(bin_edges[alike.start]), float(bin_edges[alike.stop])
    place, other, reach = _ways_to_minimum(bin_edges, g, bottom, noise, lower)
    if depth <= ALIKE * noise:  # a gap, in which nothing can be fitted
        place = other = _always(0.5 * (low + high))
    fitted = jackknife(parts, place, other)[0]
    unclear = (high - low) ** 2 / 12.0 + (0.5 * (low + high) - fitted.value) ** 2
    error = min(float(np.sqrt(fitted.standard_error**2 + unclear)), reach)
    radius = replace(fitted, standard_error=error)
    known = (coordination_error, coordination_freedom)
    number, by_place = _number(bin_edges, parts, coordination_parts, known, radius, place)
    return FirstShell(radius, number, depth / lower, by_place / number.value if number.value > 0 else 0.0)


def _ways_to_minimum(
    bin_edges: Float64[Array, " edges"], g: Float64[Array, " bins"], bottom: int, noise: float, lower: float
) -> tuple[Derive, Derive, float]:
    """How to get the place of a minimum, another way, and the largest error of a place within the bins they look at."""
    ways, widths = [], []
    for (share, degree, least), margin in ((MINIMUM_FIT, MARGIN), (OTHER_MINIMUM_FIT, MARGIN - 1.0)):
        level = g[bottom] + max(margin * noise, share * (lower - g[bottom]))
        near = around(g, bottom, float(level), least, is_peak=False)
        ways.append(extremum_in(bin_edges, near, min(degree, near.stop - near.start - 1), is_peak=False))
        widths.append(float(bin_edges[near.stop] - bin_edges[near.start]))
    return ways[0], ways[1], 0.5 * max(widths)


def _always(value: float) -> Derive:
    return lambda _g: np.array([value])


def _number(
    bin_edges: Float64[Array, " edges"],
    parts: Float64[Array, "parts bins"],
    coordination_parts: Float64[Array, "parts bins"],
    known: tuple[Float64[Array, " bins"], Float64[Array, " bins"]],
    radius: Estimate,
    place: Derive,
) -> tuple[Estimate, float]:
    """Number of neighbours within a radius that ``place`` found, and what the error of the radius makes of it."""
    n = len(parts)
    left_out = np.empty(n)
    for k in range(n):
        rest, counts = (np.delete(one, k, axis=0).mean(axis=0) for one in (parts, coordination_parts))
        left_out[k] = within(bin_edges, counts, float(place(rest)[0]))
    coordination = coordination_parts.mean(axis=0)
    low, number, high = (
        within(bin_edges, coordination, radius.value + sign * radius.standard_error) for sign in (-1, 0, 1)
    )
    here = int(np.clip(np.searchsorted(bin_edges, radius.value) - 1, 0, len(coordination) - 1))
    spread = float(np.sqrt((n - 1) * left_out.var()))
    error, freedom = (float(one[here]) for one in known)
    both = float(np.hypot(0.5 * (high - low), error))
    return Estimate(number, max(spread, both), freedom if error > spread else n - 1.0), 0.5 * (high - low)


def within(bin_edges: Float64[Array, " edges"], coordination: Float64[Array, " bins"], radius: float) -> float:
    """Number of neighbours within any radius, from the numbers within the upper edge of each bin."""
    at_edges = np.concatenate([[0.0], coordination])
    return float(np.interp(radius**3, bin_edges**3, at_edges))


def _scales(n_bins: int) -> list[int]:
    return [scale for scale in (*SCALES, COARSEST) if scale <= n_bins]


def _noise(means: Float64[Array, "parts bins"], at: int) -> float:
    return float(means[:, at].std(ddof=1) / np.sqrt(len(means)))
