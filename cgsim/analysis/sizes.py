"""Figures of size: radius of gyration, end-to-end distance and their relaxation; density and composition of the box."""

import numpy as np

from cgsim.analysis.figures import LOWER, TIME_BLOCKS, UPPER, Curve, Figure, block_details
from cgsim.analysis.motion import Box, Motion
from cgsim.analysis.selection import Species
from cgsim.analysis.source import Source
from cgsim.observables.dynamics import autocorrelation, integrated_relaxation_time
from cgsim.observables.statistics import MIN_BLOCKS, Estimate, block_average, independent_average
from cgsim.observables.structure import volume
from cgsim.typing import Array, Float64
from cgsim.units import AVOGADRO_PER_MOL, UnitSystem

N_BINS = 60
MAX_CURVE_POINTS = 400
SHORT = 10.0  # relaxation times: a run shorter than this says little about a size
OF_ATOMS = "_of_atoms"  # behind names of figures of the atoms beneath beads
CHAINS = "chains"  # where errors come from
LONG = 40.0  # relaxation times: in a run shorter than this blocks of time are not independent


def size_figures(source: Source, species: Species, motion: Motion, *, per_molecule: bool) -> list[Figure]:
    """Sizes of the chains of a species, averaged over chains and time, and each chain's own if wanted."""
    are_bonded = species.are_bonded
    figures = _sizes(source, species.name, motion, slice(None), share_mean=species.are_identical)
    if per_molecule and species.n_molecules > 1:
        for k, molecule in enumerate(species.molecules):
            name = f"{species.name}#{molecule + 1}"
            own = slice(k, k + 1)
            figures += _sizes(source, name, motion, own, share_mean=True)
    # Without bonds nobody knows which particles the ends are.
    return [figure for figure in figures if are_bonded or "end_to_end" not in figure.name]


def size_curves(source: Source, species: Species, motion: Motion) -> list[Curve]:
    """Distribution and autocorrelation of the radius of gyration."""
    length, time = source.units.length, source.units.time
    low, high = float(motion.radius.min()), float(motion.radius.max())
    edges = np.linspace(low, high + 1e-9 * max(1.0, high), N_BINS + 1)
    width = edges[1] - edges[0]
    bins = np.minimum((motion.radius - low) / width, N_BINS - 1).astype(np.int64)
    series = np.zeros((len(bins), N_BINS))
    np.add.at(series, (np.arange(len(bins))[:, None], bins), 1.0 / (species.n_molecules * width))
    histogram = block_average(series)
    correlation = autocorrelation(motion.radius, _means(motion.radius, share=species.are_identical))
    _, window = integrated_relaxation_time(correlation, source.save_interval, species.n_molecules)
    last = min(len(correlation) - 1, max(3 * window, 10))
    lags = np.unique(np.round(np.linspace(0, last, min(MAX_CURVE_POINTS, last + 1))).astype(np.int64))
    # Bartlett's variance of an autocorrelation far from lag 0: sum of its squares over all lags of both signs, over n.
    far = np.sqrt((1.0 + 2.0 * float((correlation[1 : window + 1] ** 2).sum())) / motion.radius.size)
    error = np.where(lags == 0, 0.0, min(1.0, far))
    return [
        Curve(
            "rg_histogram",
            source.name,
            species.name,
            {
                "radius_of_gyration": 0.5 * (edges[1:] + edges[:-1]),
                "density": histogram.mean,
                "standard_error": histogram.standard_error,
            },
            {"radius_of_gyration": length, "density": f"1/{length}", "standard_error": f"1/{length}"},
        ),
        Curve(
            "rg_autocorrelation",
            source.name,
            species.name,
            {"lag": lags * source.save_interval, "autocorrelation": correlation[lags], "standard_error": error},
            {"lag": time, "autocorrelation": "", "standard_error": ""},
        ),
    ]


def box_figures(source: Source, species: list[Species], box: Box) -> list[Figure]:
    """Density, and salt per kilogram of what is neutral."""
    if not source.is_periodic:
        return []
    mass = float(source.system.masses.sum())
    density = block_average(mass / volume(box.cell))
    is_molecular = source.units is UnitSystem.MOLECULAR
    unit = "g/cm3" if is_molecular else "m/sigma3"
    span = (0.0, source.duration)
    scaled = density.estimate.scaled(1e24 / AVOGADRO_PER_MOL if is_molecular else 1.0)
    figures = [Figure("density", "all", scaled, unit, "average", span, "", block_details(density))]
    cations = sum(s.n_molecules for s in species if s.charge > 0)
    neutral = sum(float(source.system.masses[s.particles].sum()) for s in species if s.charge == 0)
    if is_molecular and cations and neutral:
        name = "+".join(s.name for s in species if s.charge > 0)
        molality = Estimate(1000.0 * cations / neutral, 0.0)
        figures.append(Figure("molality", name, molality, "mol/kg", "per mass of neutral molecules", span))
    return figures


def _sizes(source: Source, name: str, motion: Motion, chains: slice, *, share_mean: bool) -> list[Figure]:
    length, radius, end_to_end = source.units.length, motion.radius[:, chains], motion.end_to_end[:, chains]
    span = (0.0, source.duration)
    tau, window = relaxation(source, radius, share_mean=share_mean)
    warning = relaxation_warning(source, tau.value)
    figures = []
    wanted = [
        ("radius_of_gyration", radius, length),
        ("mean_squared_radius_of_gyration", radius**2, f"{length}2"),
        ("end_to_end_distance", end_to_end, length),
        ("mean_squared_end_to_end_distance", end_to_end**2, f"{length}2"),
    ]
    if motion.radius_of_atoms is not None:
        of_atoms = motion.radius_of_atoms[:, chains]
        wanted += [
            (f"radius_of_gyration{OF_ATOMS}", of_atoms, length),
            (f"mean_squared_radius_of_gyration{OF_ATOMS}", of_atoms**2, f"{length}2"),
        ]
    for what, series, unit in wanted:
        estimate, details = _mean_of_chains(series, source.duration < LONG * tau.value and share_mean)
        figures.append(Figure(what, name, estimate, unit, "average", span, warning, details))
    cut = (0.0, window * source.save_interval)
    method, bound = "integrated autocorrelation", relaxation_bound(source, tau.value)
    slowness = Figure("relaxation_time", name, tau, source.units.time, method, cut, warning, bound=bound)
    return [*figures, slowness]


def relaxation(source: Source, radius: Float64[Array, "frames chains"], *, share_mean: bool) -> tuple[Estimate, int]:
    """Relaxation time of the radius of gyration, and the lag at which its integral was cut."""
    correlation = autocorrelation(radius, _means(radius, share=share_mean))
    return integrated_relaxation_time(correlation, source.save_interval, radius.shape[1])


def _mean_of_chains(series: Float64[Array, "frames chains"], is_short: bool) -> tuple[Estimate, dict[str, object]]:
    """Average over chains and time, with an error from time blocks or, in a short run, from chain to chain."""
    average = block_average(series.mean(axis=1))
    if is_short and series.shape[1] >= MIN_BLOCKS:
        return independent_average(series.mean(axis=0)), {"error_from": CHAINS, "n_effective": float(series.shape[1])}
    return average.estimate, {"error_from": TIME_BLOCKS, **block_details(average)}


def _means(series: Float64[Array, "frames chains"], *, share: bool) -> Float64[Array, " chains"]:
    """Mean that fluctuations are taken about: one for all chains if they are alike, else each chain's own."""
    own = series.mean(axis=0)
    return np.full_like(own, own.mean()) if share else own


def relaxation_bound(source: Source, tau: float) -> str:
    """Whether a relaxation time is a bound, since the run is short, or saved too seldom, for it."""
    if source.duration < SHORT * tau:
        return LOWER
    return UPPER if tau <= 0.75 * source.save_interval else ""


def relaxation_warning(source: Source, tau: float) -> str:
    """What to say about sizes in a run that is short, or saved too seldom, for their relaxation time."""
    bound = relaxation_bound(source, tau)
    if bound == LOWER:
        ratio = source.duration / tau
        return f"the run is only {ratio:.1f} relaxation times long: errors and relaxation time are lower bounds"
    return "relaxes within a save interval: the relaxation time is an upper bound" if bound else ""
