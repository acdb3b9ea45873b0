"""Curves of van Hove: how far particles of a species go in a time, and where the others are by then."""

from collections.abc import Iterator

import numpy as np

from cgsim.analysis.figures import Curve
from cgsim.analysis.motion import MAX_BYTES, Box, read_paths
from cgsim.analysis.pairs import PairPlan
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.van_hove import VanHove, count_distances, merge_distances, van_hove_distinct, van_hove_self
from cgsim.typing import Array, Float64, Int64
from cgsim.units import UnitSystem, parse_time

BIN_WIDTH = {UnitSystem.MOLECULAR: 0.25, UnitSystem.LJ: 0.1}
MAX_ORIGINS = 100  # pairs of frames for the distinct part


def van_hove_lags(source: Source, settings: AnalysisSettings) -> list[int]:
    """The lags asked for, in frames.

    Raises:
        InputError: if a time cannot be read, falls between saved frames, or is not shorter than the run.
    """
    lags = []
    for text in settings.dynamics.van_hove:
        lag = parse_time(text, source.units) / source.save_interval
        if round(lag) < source.n_frames and (abs(lag - round(lag)) > 1e-3 or round(lag) < 1):
            raise InputError(
                f"{source.path}: --van-hove {text} is not a multiple of the time between frames, "
                f"{source.save_interval:g} {source.units.time}"
            )
        if round(lag) >= source.n_frames:
            raise InputError(
                f"{source.path}: --van-hove {text} is longer than the run, expected at most {source.duration:g} "
                f"{source.units.time}"
            )
        lags.append(round(lag))
    return lags


def self_curves(source: Source, species: Species, box: Box, lags: list[int]) -> list[Curve]:
    """Distribution of the distances that the tracers of a species go, beside the Gaussian of the same MSD."""
    width = BIN_WIDTH[source.units]
    counts = [[count_distances(path, lag, width) for lag in lags] for _, path in _paths(source, species, box)]
    found = [van_hove_self(merge_distances(list(same)), width) for same in zip(*counts, strict=True)]
    return [_curve(source, "van_hove_self", species.name, found, "gaussian")]


def distinct_curves(source: Source, plan: PairPlan, box: Box, lags: list[int]) -> list[Curve]:
    """Density of other particles around where a particle was, for the pairs of the radial distribution functions."""
    if not plan.pairs or len(plan.bin_edges) < 2:
        return []
    curves = []
    for a, b in plan.pairs:
        first, second = plan.selections[a], plan.selections[b]
        if first.sum() * second.sum() <= (first & second).sum():
            continue
        found = [van_hove_distinct(_pairs(source, box, lag), first, second, lag, plan.bin_edges) for lag in lags]
        curves.append(_curve(source, "van_hove_distinct", f"{a}-{b}", found, ""))
    return curves


def _paths(source: Source, species: Species, box: Box) -> Iterator[tuple[slice, Float64[Array, "frames some 3"]]]:
    return read_paths(source, species.tracers, box, MAX_BYTES)


def _pairs(
    source: Source, box: Box, lag: int
) -> Iterator[tuple[Float64[Array, "particles 3"], Float64[Array, "particles 3"], Float64[Array, "3 3"]]]:
    """Positions at evenly spread origins and a lag later, in the later cell, the drift in between taken out."""
    last = source.n_frames - lag - 1
    n = min(MAX_ORIGINS, last + 1, max(2, MAX_BYTES // (48 * source.system.n_particles)))
    origins: Int64[Array, " origins"] = np.unique(np.round(np.linspace(0, last, n)).astype(np.int64))
    frames = np.unique(np.concatenate([origins, origins + lag]))
    waiting: dict[int, tuple[Array, Array]] = {}
    starts = set(origins.tolist())
    for frame, (positions, cell) in zip(frames.tolist(), source.single_frames(frames), strict=True):
        if frame - lag in waiting:
            before, then = waiting.pop(frame - lag)
            drift = box.centre[frame] - box.centre[frame - lag]
            yield before @ np.linalg.inv(then) @ cell, positions - drift, cell
        if frame in starts:
            waiting[frame] = positions, cell


def _curve(source: Source, kind: str, label: str, found: list[VanHove], reference: str) -> Curve:
    """All lags one below the other."""
    name = "probability_density" if reference else "relative_density"
    columns = {
        "r": np.concatenate([one.bin_centres for one in found]),
        "lag": np.concatenate([np.full(len(one.value), one.lag * source.save_interval) for one in found]),
        name: np.concatenate([one.value for one in found]),
        "standard_error": np.concatenate([one.standard_error for one in found]),
    }
    inverse = f"1/{source.units.length}" if reference else ""
    units = {"r": source.units.length, "lag": source.units.time, name: inverse, "standard_error": inverse}
    if reference:
        columns[reference] = np.concatenate([one.gaussian for one in found])
        units[reference] = inverse
    return Curve(kind, source.name, label, columns, units)
