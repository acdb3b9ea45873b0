"""Figures of how chains relax: Rouse modes, and the vector from end to end."""

import numpy as np

from cgsim.analysis.figures import UPPER, Curve, Figure
from cgsim.analysis.motion import MAX_BYTES, unwrapped
from cgsim.analysis.selection import Species
from cgsim.analysis.source import Source
from cgsim.observables.dynamics import sample_lags
from cgsim.observables.rouse import (
    ModeRelaxation,
    ModeSums,
    merge_mode_sums,
    mode_relaxation,
    mode_sums,
    rouse_modes,
)

MIN_FRAMES = 20
SHORT = 10.0  # relaxation times: a run shorter than this says little about one
NO_BONDS = "it has no bonds that hold it together"
MODES = "rouse_relaxation_time and rouse_amplitude"
ENDS = f"end_to_end_relaxation_time, {MODES}"


def chain_results(source: Source, species: Species, n_modes: int) -> tuple[list[Figure], list[Curve], list[str]]:
    """Relaxation of the end-to-end vector, and of the first Rouse modes of chains of equal length."""
    if source.n_frames < MIN_FRAMES:
        return [], [], [_note(source, species, ENDS, f"{source.n_frames} frames, at least {MIN_FRAMES} are needed")]
    if not species.are_bonded:
        return [], [], [_note(source, species, ENDS, NO_BONDS)]
    lengths = {len(path) for path in species.backbones}
    notes = []
    n_modes = min(n_modes, min(lengths) - 1)
    if len(lengths) > 1 and n_modes > 0:
        notes.append(_note(source, species, MODES, f"backbones of {min(lengths)} to {max(lengths)}"))
        n_modes = 0
    ends, *modes = [mode_relaxation(sums) for sums in _sums(source, species, n_modes)]
    figures = [_time(source, species, "end_to_end_relaxation_time", "stretched exponential", ends)]
    curves = [_autocorrelation(source, species, ends)]
    if modes:
        span = (0.0, source.duration)
        figures.append(_time(source, species, "rouse_relaxation_time", "mode 1", modes[0]))
        squared = f"{source.units.length}2"
        figures.append(Figure("rouse_amplitude", species.name, modes[0].amplitude, squared, "mode 1", span))
        curves.append(_modes(source, species, modes, lengths.pop()))
    return figures, curves, notes


def _note(source: Source, species: Species, names: str, reason: str) -> str:
    return f"{source.path}: no {names} of {species.name}: {reason}"


def _sums(source: Source, species: Species, n_modes: int) -> list[ModeSums]:
    """Sums of the end-to-end vector and of every mode, over all chains, as many at a time as fit into memory."""
    n, length = source.n_frames, len(species.backbones[0])
    at_once = max(1, MAX_BYTES // (24 * n * (1 + n_modes)))
    parts: list[list[ModeSums]] = []
    for first in range(0, species.n_molecules, at_once):
        chains = species.backbones[first : first + at_once]
        ends = np.array([[path[0], path[-1]] for path in chains])
        vectors = np.empty((n, len(chains), 1 + n_modes, 3))
        at = 0
        for piece in source.chunks():
            here = slice(at, at + piece.n_frames)
            at += piece.n_frames
            vectors[here, :, 0] = unwrapped(piece, ends[:, 1]) - unwrapped(piece, ends[:, 0])
            if n_modes:  # backbones are of one length
                positions = unwrapped(piece, np.concatenate(chains)).reshape(piece.n_frames, len(chains), length, 3)
                vectors[here, :, 1:] = rouse_modes(positions, n_modes)
        parts.append([mode_sums(vectors[:, :, k], species.n_molecules) for k in range(1 + n_modes)])
    return [merge_mode_sums(list(same)) for same in zip(*parts, strict=True)]


def _time(source: Source, species: Species, name: str, method: str, one: ModeRelaxation) -> Figure:
    interval = source.save_interval
    time = one.time.scaled(interval)
    warning = bound = ""
    if not one.has_decayed:
        warning = "not down to 1/e in half the run: extrapolated by the stretched exponential"
    elif source.duration < SHORT * time.value:
        warning = f"the run is only {source.duration / time.value:.1f} relaxation times long"
    elif time.value <= 0.5 * interval:
        warning, bound = "relaxes within a save interval: an upper bound", UPPER
    details = {
        "stretching": one.stretching.value,
        "stretching_error": one.stretching.standard_error,
        "integrated_time": one.integrated.value * interval,
        "integrated_time_error": one.integrated.standard_error * interval,
    }
    span = (0.0, one.window * interval)
    return Figure(name, species.name, time, source.units.time, method, span, warning, details, bound=bound)


def _autocorrelation(source: Source, species: Species, one: ModeRelaxation) -> Curve:
    lags = np.concatenate([[0], sample_lags(len(one.correlation))])
    lags = np.unique(lags[lags < len(one.correlation)])
    columns = {"lag": lags * source.save_interval, "autocorrelation": one.correlation[lags]}
    units = {"lag": source.units.time, "autocorrelation": ""}
    return Curve("end_to_end_autocorrelation", source.name, species.name, columns, units)


def _modes(source: Source, species: Species, modes: list[ModeRelaxation], length: int) -> Curve:
    """All modes; amplitudes of a Gaussian chain go as 1 / sin^2(p pi / 2 N), relaxation times of a Rouse chain too."""
    p = np.arange(1, len(modes) + 1)
    shape = np.sin(0.5 * np.pi / length) ** 2 / np.sin(0.5 * np.pi * p / length) ** 2
    interval = source.save_interval
    columns = {
        "mode": p,
        "amplitude": np.array([m.amplitude.value for m in modes]),
        "amplitude_error": np.array([m.amplitude.standard_error for m in modes]),
        "relaxation_time": np.array([m.time.value for m in modes]) * interval,
        "relaxation_time_error": np.array([m.time.standard_error for m in modes]) * interval,
        "stretching": np.array([m.stretching.value for m in modes]),
        "stretching_error": np.array([m.stretching.standard_error for m in modes]),
        "rouse_shape": shape,
    }
    squared = f"{source.units.length}2"
    units = dict.fromkeys(columns, "") | {"amplitude": squared, "amplitude_error": squared}
    units |= {"relaxation_time": source.units.time, "relaxation_time_error": source.units.time}
    return Curve("rouse_modes", source.name, species.name, columns, units)
