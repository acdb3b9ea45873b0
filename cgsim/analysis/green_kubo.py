"""Conductivity from velocities (Green and Kubo): the same coefficient as by Einstein's relation, with other errors."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from cgsim.analysis.collective import BOX_FRAME, ion_shares
from cgsim.analysis.figures import Curve, Figure
from cgsim.analysis.salt import Salt
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.currents import (
    MIN_FRAMES,
    CurrentSpectrum,
    RunningIntegral,
    averaged,
    current_spectrum,
    running_integral,
)
from cgsim.observables.green_kubo import CepstralFit, cepstral_coefficient
from cgsim.trajectory.store import NO_VELOCITIES
from cgsim.typing import Array, Float64
from cgsim.units import format_time

METHOD = "green-kubo"
INTEGRAL_CURVE = "green_kubo_integral"
SPECTRUM_CURVE = "conductivity_spectrum"
LOOK_FRAMES = 4096  # that are looked at before the work starts
FEW = 40  # degrees of freedom; of runs of fewer than some fifty correlation times most have less
UNRESOLVED = 0.5  # spectrum near the Nyquist frequency over that at zero, from which nothing is said
BIAS = 0.3  # of the standard error; a bias below that leaves intervals what they are
DISCREPANT = 2.5  # standard errors; chance gives as much in a hundred runs about once


def check_velocities(source: Source) -> None:
    """Refuse a file from which there are no velocities to be had.

    Raises:
        InputError: if it holds none, or too few frames.
    """
    if not source.has_velocities:
        raise InputError(
            f"{source.path}: --green-kubo takes velocities; the file {NO_VELOCITIES}; the conductivity by "
            "'einstein-collective' is the same coefficient, from positions"
        )
    if source.n_frames < MIN_FRAMES:
        raise InputError(f"{source.path}: {source.n_frames} frames, --green-kubo takes at least {MIN_FRAMES}")


def check_resolution(source: Source, salt: Salt) -> None:
    """Refuse velocities that are too far apart in time, as the first few thousand frames tell.

    Raises:
        InputError: if the spectrum has not decayed at the highest frequency that the frames resolve, or no ion moves.
    """
    current = charge_current(source, salt, LOOK_FRAMES)
    if not current.any():
        raise InputError(f"{source.path}: all velocities are zero, so --green-kubo has no current to look at")
    fit = cepstral_coefficient(current_spectrum(current, source.save_interval))
    relative = fit.coefficient.standard_error / fit.coefficient.value
    if fit.nyquist_ratio * max(0.0, 1.0 - 2.0 * relative) > UNRESOLVED:
        raise InputError(
            f"{source.path}: velocities every {format_time(source.save_interval, source.units)} are too far apart for "
            "--green-kubo: at the highest frequency that they resolve the spectrum of the current is still "
            f"{fit.nyquist_ratio:.2g} of that at zero, expected below {UNRESOLVED}; save them every few fs, or take "
            "the conductivity by 'einstein-collective', which is the same coefficient"
        )


def green_kubo_results(source: Source, salt: Salt, diffusion_factor: float) -> tuple[list[Figure], list[Curve]]:
    """Conductivity by cepstral analysis, with the running integral and the spectrum as curves.

    Args:
        source: with velocities.
        salt: the ions.
        diffusion_factor: cm^2/s per length^2/time.
    """
    current = charge_current(source, salt)
    spectrum = current_spectrum(current, source.save_interval)
    fit = cepstral_coefficient(spectrum)
    factor = salt.factor * diffusion_factor
    details = {
        **salt.details,
        "frame": BOX_FRAME,
        "save_interval": source.save_interval,
        "cepstral_coefficients": len(fit.cepstrum),
        "weight_of_best_model": fit.weight,
        "nyquist_ratio": fit.nyquist_ratio,
        "sampling_excess": fit.sampling_excess,
    }
    figure = Figure(
        "conductivity",
        salt.label,
        fit.coefficient.scaled(factor),
        "S/cm",
        METHOD,
        (0.0, fit.longest_lag),
        "; ".join(_warnings(fit)),
        details,
    )
    integral = running_integral(current, source.save_interval)
    return [figure], [
        _integral_curve(source, salt, integral, factor),
        _spectrum_curve(source, salt, spectrum, fit, factor),
    ]


def charge_current(source: Source, salt: Salt, most_frames: int | None = None) -> Float64[Array, "frames 3"]:
    """Sum of z_i v_i over the ions' centres of mass in every frame, e length / time, the box's momentum taken out.

    Args:
        source: with velocities.
        salt: the ions, with formal charges.
        most_frames: stop there.
    """
    masses = source.system.masses
    charges = salt.charges @ ion_shares(source.system, salt)
    charges -= charges.sum() * masses / masses.sum()
    frames: Iterator[Float64[Array, " 3"]] = (
        charges @ vectors
        for piece in source.chunks(velocities=True)
        if piece.velocities is not None
        for vectors in piece.velocities
    )
    return np.array(list(islice(frames, most_frames)), dtype=np.float64)


def _warnings(fit: CepstralFit) -> list[str]:
    """What a reader must know before quoting the figure."""
    found = []
    estimate = fit.coefficient
    if fit.nyquist_ratio > UNRESOLVED or fit.sampling_excess > BIAS * estimate.standard_error / estimate.value:
        found.append(
            f"velocities are saved too rarely: the spectrum near the Nyquist frequency is {fit.nyquist_ratio:.2g} of "
            f"that at zero, so that the value may be too large by {fit.sampling_excess:.0%} or more"
        )
    if abs(fit.discrepancy) > DISCREPANT:
        side = "above" if fit.discrepancy > 0 else "below"
        found.append(
            f"the lowest frequencies lie {abs(fit.discrepancy):.1f} standard errors {side} it: there is motion slower "
            "than this run resolves"
        )
    if estimate.degrees_of_freedom < FEW:
        found.append(f"rests on {estimate.degrees_of_freedom:.0f} degrees of freedom: the run is too short to say much")
    return found


def _integral_curve(source: Source, salt: Salt, integral: RunningIntegral, factor: float) -> Curve:
    columns = {
        "lag": integral.lags * source.save_interval,
        "conductivity": integral.integral * factor,
        "standard_error": integral.standard_error * factor,
        "current_correlation": integral.correlation,
    }
    squared = f"e2 {source.units.length}2/{source.units.time}2"
    units = {"lag": source.units.time, "conductivity": "S/cm", "standard_error": "S/cm", "current_correlation": squared}
    return Curve(INTEGRAL_CURVE, source.name, salt.label, columns, units)


def _spectrum_curve(source: Source, salt: Salt, spectrum: CurrentSpectrum, fit: CepstralFit, factor: float) -> Curve:
    """Half the spectrum in bins, which is the conductivity at low frequencies, and the best model."""
    frequency, density, error = averaged(spectrum)
    model, model_error = fit.spectrum(frequency)
    columns = {
        "frequency": frequency,
        "conductivity": 0.5 * factor * density,
        "conductivity_error": 0.5 * factor * error,
        "cepstral": 0.5 * factor * model,
        "cepstral_error": 0.5 * factor * model_error,
    }
    units = dict.fromkeys(columns, "S/cm") | {"frequency": f"1/{source.units.time}"}
    return Curve(SPECTRUM_CURVE, source.name, salt.label, columns, units)
