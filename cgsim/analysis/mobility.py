"""Figures of diffusion: single-origin, as published for polymer electrolytes, and multi-origin with an interval."""

import numpy as np

from cgsim.analysis.figures import Curve, Figure
from cgsim.analysis.motion import Motion
from cgsim.analysis.selection import Species
from cgsim.analysis.source import Source
from cgsim.observables.diffusion import (
    MIN_FRAMES,
    N_DIMENSIONS,
    DiffusionFit,
    Regime,
    diffusion_coefficient,
    msd_errors,
)
from cgsim.observables.dynamics import MeanSquaredDisplacement
from cgsim.observables.statistics import Estimate

SINGLE_ORIGIN = "single-origin"
MULTI_ORIGIN = "multi-origin"
DRIFT_REMOVED = "mass-weighted centre of mass of the box removed"
DRIFT_KEPT = "kept: no cell"


def mobility_figures(source: Source, species: Species, motion: Motion) -> list[Figure]:
    """Self-diffusivity by both methods, and that of the molecules' centres where they have several particles."""
    figures = [_single_origin(source, species, motion)]
    if source.n_frames >= MIN_FRAMES:
        figures.append(_multi_origin(source, "self_diffusivity", species.name, motion.tracers))
        is_alone = source.is_periodic and source.system.n_molecules == 1  # its centre is the box's, held still
        if len(species.particles) > species.n_molecules and not is_alone:
            figures.append(_multi_origin(source, "centre_of_mass_diffusivity", species.name, motion.centres))
    return figures


def msd_curve(source: Source, species: Species, motion: Motion) -> Curve:
    """Mean squared displacement of the tracers, multi-origin with errors, and single-origin."""
    lags = motion.tracers.lags
    columns = {
        "lag": lags * source.save_interval,
        "msd": motion.tracers.msd[lags],
        "standard_error": msd_errors(motion.tracers),
        "single_origin": motion.single_origin[lags],
    }
    squared = f"{source.units.length}2"
    units = {"lag": source.units.time, "msd": squared, "standard_error": squared, "single_origin": squared}
    return Curve("msd", source.name, species.name, columns, units)


def _single_origin(source: Source, species: Species, motion: Motion) -> Figure:
    """|r(T) - r(0)|^2 / (6 T), averaged over the tracers; its error is the scatter from molecule to molecule."""
    weights = motion.tracers.molecule_weights / motion.tracers.molecule_weights.sum()
    mean = float(weights @ motion.last_displacement)
    n = 1.0 / float((weights**2).sum())
    variance = float((weights**2) @ (motion.last_displacement - mean) ** 2) * n / (n - 1.0) if n > 1.5 else np.nan
    estimate = Estimate(mean, float(np.sqrt(variance)), max(1.0, n - 1.0))
    factor = source.units.diffusion_factor / (2 * N_DIMENSIONS * source.duration)
    return Figure(
        "self_diffusivity",
        species.name,
        estimate.scaled(factor),
        source.units.diffusion,
        SINGLE_ORIGIN,
        (source.duration, source.duration),
        details={"drift": DRIFT_REMOVED if source.is_periodic else DRIFT_KEPT},
    )


def _multi_origin(source: Source, name: str, species: str, displacement: MeanSquaredDisplacement) -> Figure:
    fit = diffusion_coefficient(displacement)
    return Figure(
        name,
        species,
        fit.coefficient.scaled(source.units.diffusion_factor),
        source.units.diffusion,
        MULTI_ORIGIN,
        fit.window,
        regime_warning(fit),
        {
            **fit_details(fit),
            "intercept": fit.intercept,
            "drift": DRIFT_REMOVED if source.is_periodic else DRIFT_KEPT,
        },
    )


def fit_details(fit: DiffusionFit) -> dict[str, object]:
    """What the fit rests on, for ``results.json``."""
    return {
        "log_log_slope": fit.slope.value,
        "log_log_slope_error": fit.slope.standard_error,
        "regime": fit.regime.value,
        "variance_from_common_motion": fit.correlation,
    }


def regime_warning(fit: DiffusionFit) -> str:
    """Sentence for a fit that is not known to be diffusive; empty for one that is."""
    slope = f"log-log slope {fit.slope.value:.2f} +- {fit.slope.standard_error:.2f}"
    if fit.regime is Regime.NOT_YET:
        return f"not yet diffusive ({slope}): an apparent value"
    if fit.regime is Regime.UNDETERMINED:
        return f"too short to tell whether diffusive ({slope})"
    return ""
