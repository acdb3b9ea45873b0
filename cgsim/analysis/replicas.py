"""Replicas: several runs of one system, combined figure by figure and curve by curve."""

from dataclasses import replace

import numpy as np

from cgsim.analysis.figures import LOWER, OF_RUNS, SHARED_ERROR, UPPER, Figure
from cgsim.analysis.plan import Plan
from cgsim.analysis.remarks import by_run, joined
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.statistics import Estimate, combine_replicas, independent_sum

SAMPLES = ("n_effective", "n_blocks", "block_length")
EVENTS = "events"  # how details begin that are counts
POPULATIONS = "populations"  # a matrix that may have another shape in every run


def check_replicas(sources: list[Source]) -> None:
    """Refuse files that are not independent runs of one system.

    Raises:
        InputError: naming the first that differs from the first file, or that holds the same run as another.
    """
    first = sources[0].system
    for source in sources[1:]:
        system = source.system
        same = (
            system.n_particles == first.n_particles
            and np.array_equal(system.particle_type, first.particle_type)
            and system.type_names == first.type_names
            and np.array_equal(system.masses, first.masses)
            and np.array_equal(system.bond_index, first.bond_index)
        )
        if not same:
            raise InputError(
                f"{source.path}: is not the same system as {sources[0].path} (particles, masses or bonds differ), "
                "so --replicas cannot combine them"
            )
    begins = [next(source.pieces())[:2].unwrapped_positions for source in sources]
    for k, source in enumerate(sources):
        for other, begin in zip(sources[:k], begins[:k], strict=True):
            if np.array_equal(begins[k], begin):
                raise InputError(
                    f"{source.path}: begins with the same frames as {other.path}, so it is the same run and no replica"
                )


def check_temperatures(plans: list[Plan]) -> None:
    """Refuse runs of one system at different temperatures.

    Raises:
        InputError: naming the first that differs from the first file.
    """
    for plan in plans[1:]:
        if plan.temperature != plans[0].temperature:
            raise InputError(
                f"{plan.source.path}: is at {plan.temperature} K, {plans[0].source.path} at {plans[0].temperature} K, "
                "so --replicas cannot combine them"
            )


def combine_figures(runs: list[list[Figure]], sources: list[Source]) -> list[Figure]:
    """Average each figure over the runs that have it, by their length.

    Windows are the widest. Warnings, and details that differ from run to run, are kept under the name of the run.
    """
    length = {source.name: source.duration for source in sources}
    groups: dict[tuple[str, str, str], list[Figure]] = {}
    for figure in (figure for run in runs for figure in run):
        groups.setdefault((figure.name, figure.species, figure.method), []).append(figure)
    combined = []
    for same in groups.values():
        weights = np.array([length[f.system] for f in same])
        estimate = combine_replicas([_own(f) for f in same], weights)
        shared = float(np.average([f.details.get(SHARED_ERROR, 0.0) for f in same], weights=weights))
        if shared > 0:
            estimate = independent_sum([estimate, Estimate(0.0, shared)], np.ones(2))
        window = (min(f.window[0] for f in same), max(f.window[1] for f in same))
        names = [source.name for source in sources]
        values = {"replicas": len(same), "values": [f.estimate.value for f in same]}
        bounds = {f.bound for f in same}
        combined.append(
            replace(
                same[0],
                estimate=estimate,
                window=window,
                warning=joined(_only_some(same, names), by_run({f.system: f.warning for f in same})),
                details={**_details(same), **_samples(same), **values},
                system=sources[0].name,
                file="",
                bound=next((bound for bound in (LOWER, UPPER) if bound in bounds), ""),
            )
        )
    return combined


def _only_some(figures: list[Figure], names: list[str]) -> str:
    """Which runs have a figure, if not all do."""
    own = [f.system for f in figures]
    return f"{', '.join(own)}: the only of {len(names)} runs that have it" if len(own) < len(names) else ""


def _details(figures: list[Figure]) -> dict[str, object]:
    """Details that all runs share, sums of what was counted, and by run whatever differs."""
    found: dict[str, object] = {}
    of_runs: dict[str, dict[str, object]] = {f.system: {} for f in figures}
    for key in dict.fromkeys(key for f in figures for key in f.details):
        values = [f.details.get(key) for f in figures]
        if key.startswith(EVENTS):
            found[key] = sum(value for value in values if value is not None)
        elif all(np.array_equal(np.asarray(value), np.asarray(values[0])) for value in values):
            found[key] = values[0]
        elif key not in (*SAMPLES, POPULATIONS):
            for f in figures:
                of_runs[f.system] |= {key: f.details.get(key)}
    return found | ({OF_RUNS: of_runs} if any(of_runs.values()) else {})


def _own(figure: Figure) -> Estimate:
    """What is known of a figure without the part of its error that all replicas share, which no average makes smaller.

    Degrees of freedom as before that part, of infinite ones, was added by Welch's and Satterthwaite's rule.
    """
    shared, whole = float(figure.details.get(SHARED_ERROR, 0.0)), figure.estimate
    if not shared > 0:
        return whole
    squared = max(0.0, whole.standard_error**2 - shared**2)
    share = squared / whole.standard_error**2
    freedom = whole.degrees_of_freedom * share**2 if np.isfinite(whole.degrees_of_freedom) else float("inf")
    return Estimate(whole.value, float(np.sqrt(squared)), max(1.0, freedom))


def _samples(figures: list[Figure]) -> dict[str, object]:
    """Sample sizes of replicas add up; blocks are counted together, the longest is named."""
    details = [figure.details for figure in figures]
    n_effective, n_blocks, block_length = SAMPLES
    sums = {key: sum(d[key] for d in details) for key in (n_effective, n_blocks) if all(key in d for d in details)}
    return sums | ({block_length: max(d[block_length] for d in details)} if n_blocks in sums else {})
