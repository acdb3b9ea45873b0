"""Figures of diffusion: single-origin, as published for polymer electrolytes, and multi-origin with an interval."""

from dataclasses import replace

import numpy as np

from cgsim.analysis.dynamics_settings import MILLIPASCAL_SECONDS, DynamicsSettings
from cgsim.analysis.figures import SHARED_ERROR, Curve, Figure
from cgsim.analysis.motion import Box, Motion
from cgsim.analysis.selection import Species
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.diffusion import MIN_FRAMES, DiffusionFit, Regime, diffusion_coefficient, msd_errors
from cgsim.observables.dynamics import MeanSquaredDisplacement
from cgsim.observables.finite_size import finite_size_correction, lattice_constants, thermal_energy_molecular
from cgsim.observables.statistics import Estimate, independent_sum
from cgsim.observables.van_hove import non_gaussian_peak
from cgsim.units import UnitSystem

N_DIMENSIONS = 3
SINGLE_ORIGIN = "single-origin"
MULTI_ORIGIN = "multi-origin"
INFINITE_CELL = "multi-origin, infinite cell"
DRIFT_REMOVED = "mass-weighted centre of mass of the box removed"
DRIFT_KEPT = "kept: no cell"
REDUCED_VISCOSITY = "epsilon tau/sigma3"
LARGE = 0.5  # share of the corrected coefficient from which on a correction is no longer small


def mobility_figures(source: Source, species: Species, motion: Motion) -> list[Figure]:
    """Self-diffusivity by both methods, that of the molecules' centres, and how far motion is from Gaussian."""
    figures = [_single_origin(source, species, motion)]
    if source.n_frames >= MIN_FRAMES:
        figures.append(_multi_origin(source, "self_diffusivity", species.name, motion.tracers))
        for axis, displacement in zip("xyz", motion.axes, strict=False):
            own = _multi_origin(source, "self_diffusivity", species.name, displacement)
            figures.append(replace(own, method=f"{MULTI_ORIGIN} along {axis}"))
        if _has_centres(source, species):
            figures.append(_multi_origin(source, "centre_of_mass_diffusivity", species.name, motion.centres))
        figures.append(_non_gaussian(source, species, motion))
    return figures


def mobility_curves(source: Source, species: Species, motion: Motion) -> list[Curve]:
    """Mean squared displacements of tracers and of centres of mass, and the non-Gaussian parameter."""
    curves = [msd_curve(source, species, motion)]
    squared = f"{source.units.length}2"
    if _has_centres(source, species):
        lags = motion.centres.lags
        columns = {
            "lag": lags * source.save_interval,
            "msd": motion.centres.msd[lags],
            "standard_error": msd_errors(motion.centres),
        }
        units = {"lag": source.units.time, "msd": squared, "standard_error": squared}
        curves.append(Curve("centre_of_mass_msd", source.name, species.name, columns, units))
    value, error = motion.moments.non_gaussian()
    columns = {
        "lag": motion.moments.lags * source.save_interval,
        "non_gaussian_parameter": value,
        "standard_error": error,
    }
    units = {"lag": source.units.time, "non_gaussian_parameter": "", "standard_error": ""}
    return [*curves, Curve("non_gaussian_parameter", source.name, species.name, columns, units)]


def msd_curve(source: Source, species: Species, motion: Motion) -> Curve:
    """Mean squared displacement of the tracers: multi-origin with errors, along each axis, and single-origin."""
    lags = motion.tracers.lags
    columns = {
        "lag": lags * source.save_interval,
        "msd": motion.tracers.msd[lags],
        "standard_error": msd_errors(motion.tracers),
        "single_origin": motion.single_origin[lags],
        **{f"msd_{axis}": motion.tracers.by_axis[lags, k] for k, axis in enumerate("xyz")},
    }
    squared = f"{source.units.length}2"
    units = dict.fromkeys(columns, squared) | {"lag": source.units.time}
    return Curve("msd", source.name, species.name, columns, units)


def check_finite_size(source: Source, temperature: float | None, settings: DynamicsSettings) -> None:
    """Refuse a viscosity that cannot be used.

    Raises:
        InputError: if there is no cell, or no temperature, or the viscosity has the unit of another system.
    """
    if settings.viscosity is None:
        return
    if settings.viscosity.unit and source.units is not UnitSystem.MOLECULAR:
        raise InputError(
            f"{source.path}: is in reduced units, so --viscosity is a number of {REDUCED_VISCOSITY} without a unit, "
            f"got {settings.viscosity.unit}"
        )
    if not source.is_periodic:
        raise InputError(f"{source.path}: has no cell, so --viscosity has no finite size to correct")
    if temperature is None:
        raise InputError(f"{source.path}: states no temperature, which --viscosity needs; give --temperature")


def finite_size_figures(
    source: Source, box: Box, diffusion: list[Figure], temperature: float | None, settings: DynamicsSettings
) -> list[Figure]:
    """Diffusivities in an infinite cell if the viscosity is known, else the size of the correction per viscosity.

    After Yeh and Hummer, with the constant of the cell's own shape; see
    :func:`cgsim.observables.finite_size.lattice_constants`. The correction goes as 1 / viscosity, so to first order its
    relative error is that of the viscosity; it is independent of that of the diffusivity.
    """
    if temperature is None or not source.is_periodic:
        return []
    cell = box.cell.mean(axis=0)
    is_molecular = source.units is UnitSystem.MOLECULAR
    thermal_energy = thermal_energy_molecular(temperature) if is_molecular else temperature
    details: dict[str, object] = {
        "temperature": temperature,
        "edge": float(np.cbrt(abs(np.linalg.det(cell)))),
        "lattice_constant": float(np.trace(lattice_constants(cell))) / N_DIMENSIONS,
    }
    viscosity = settings.viscosity
    shift = finite_size_correction(cell, thermal_energy, viscosity.value if viscosity else 1.0)
    shift = source.units.diffusion_factor * shift
    mean = float(shift.mean())
    if viscosity is None:
        unit = f"{source.units.diffusion} {MILLIPASCAL_SECONDS if is_molecular else REDUCED_VISCOSITY}"
        span = (0.0, source.duration)
        each = Estimate(mean, 0.0)
        return [Figure("finite_size_correction", "all", each, unit, "yeh-hummer, per viscosity", span, "", details)]
    figures = []
    for figure in diffusion:
        along = {f"{MULTI_ORIGIN} along {axis}": float(shift[k]) for k, axis in enumerate("xyz")} | {MULTI_ORIGIN: mean}
        if figure.method not in along:
            continue
        added = along[figure.method]
        error = abs(added) * viscosity.standard_error / viscosity.value
        estimate = figure.estimate
        if error > 0:
            estimate = independent_sum([estimate, Estimate(added, error)], np.ones(2))
        else:
            estimate = replace(estimate, value=estimate.value + added)
        warnings = [figure.warning] if figure.warning else []
        if added > LARGE * estimate.value:
            warnings.append(f"{added / estimate.value:.0%} of it is the correction: the cell is too small")
        own = {**figure.details, **details, "correction": added, "viscosity": viscosity.value}
        own |= {"viscosity_error": viscosity.standard_error, SHARED_ERROR: error} if error > 0 else {}
        own["error_of_viscosity"] = "included" if error > 0 else "not included"
        method = figure.method.replace(MULTI_ORIGIN, INFINITE_CELL)
        figures.append(replace(figure, estimate=estimate, method=method, warning="; ".join(warnings), details=own))
    return figures


def _has_centres(source: Source, species: Species) -> bool:
    """Whether molecules have several particles, and are not alone: then their centre is the box's, held still."""
    is_alone = source.is_periodic and source.system.n_molecules == 1
    return len(species.particles) > species.n_molecules and not is_alone


def _non_gaussian(source: Source, species: Species, motion: Motion) -> Figure:
    times = motion.moments.lags * source.save_interval
    peak, when = non_gaussian_peak(times, motion.moments)
    return Figure("non_gaussian_parameter", species.name, peak, "", "largest", (when, when))


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
