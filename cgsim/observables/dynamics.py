"""Mean squared displacements and relaxation: how far particles go, and how long molecules remember."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from cgsim.observables.statistics import Estimate
from cgsim.observables.structure import molecule_sums
from cgsim.typing import Array, Float64, Int64

LAGS_PER_DECADE = 12
FFT_BYTES = 16 * 2**20  # of positions transformed at once; about ten times that is in use
MIN_SEGMENTS = 4  # displacements one after the other, below which their variance says nothing


def centre_of_mass(
    unwrapped_positions: Float64[Array, "frames particles 3"], masses: Float64[Array, " particles"]
) -> Float64[Array, "frames 3"]:
    """Centre of mass of all particles in every frame, in the positions' unit."""
    return np.asarray(np.einsum("p,fpx->fx", masses / masses.sum(), unwrapped_positions))


def remove_drift(
    unwrapped_positions: Float64[Array, "frames particles 3"], centre: Float64[Array, "frames 3"]
) -> Float64[Array, "frames particles 3"]:
    """Positions relative to the moving centre of mass of the whole box, which stays where it was in the first frame.

    A thermostat or rounding lets a periodic box drift as a whole; left in, the drift adds to every displacement. For N
    independent particles of equal mass removing it also takes away 1/N of their own diffusion.
    """
    return np.asarray(unwrapped_positions - (centre - centre[0])[:, None])


def squared_displacements(
    unwrapped_positions: Float64[Array, "frames particles 3"],
) -> Float64[Array, "lags particles 3"]:
    """Mean over all time origins of the squared displacement, of every particle along every axis, at every lag.

    MSD(m) = S1(m) - 2 S2(m) by fast Fourier transform, n log n instead of n^2 (Calandrini et al., Collection SFN 12,
    201 (2011)). Positions are taken from the first frame before squaring, so that far-travelled particles
    lose no digits.

    Returns:
        length^2; lags 0 to frames - 1.
    """
    relative = unwrapped_positions - unwrapped_positions[:1]
    n = len(relative)
    origins = np.arange(n, 0, -1, dtype=np.float64)[:, None, None]
    transform = fft.rfft(relative, n=fft.next_fast_len(2 * n, real=True), axis=0)
    power = transform.real**2 + transform.imag**2
    products = fft.irfft(power, n=fft.next_fast_len(2 * n, real=True), axis=0)[:n]
    squares = relative**2
    # Sum over origins of r(t)^2 + r(t+m)^2: the total twice, less what has no partner at either end.
    ends = squares[: n - 1] + squares[:0:-1]
    sums = 2.0 * squares.sum(axis=0) - np.concatenate([np.zeros_like(squares[:1]), np.cumsum(ends, axis=0)])
    result = (sums - 2.0 * products) / origins
    result[0] = 0.0
    return np.asarray(np.maximum(result, 0.0))  # rounding of a particle that does not move


def sample_lags(n_frames: int) -> Int64[Array, " samples"]:
    """Lags at which molecules are looked at one by one: every one at first, then about twelve a decade."""
    spread = np.geomspace(1, max(1, n_frames - 1), 1 + int(LAGS_PER_DECADE * np.log10(max(2, n_frames))))
    return np.unique(np.round(spread).astype(np.int64))


@dataclass(frozen=True)
class MeanSquaredDisplacement:
    """Multi-origin mean squared displacement of one species, with what its errors are made from.

    Attributes:
        save_interval: time between frames.
        n_frames: number of frames.
        msd: [lags], length^2, mean over all tracer particles; lags 0 to frames - 1.
        lags: [samples], frames; the lags of the arrays below.
        by_molecule: [molecules, samples], length^2, mean over the tracers of each molecule.
        molecule_weights: [molecules], number of tracers of each molecule.
        collective: for each sample lag, the displacements over consecutive segments of that length, [segments] each:
            length^2, summed over molecules with their weights.
        scatter: [samples], length^4, sum over molecules of (weight^2 * variance over the segments): the variance that
            ``collective`` would have if molecules moved independently.
    """

    save_interval: float
    n_frames: int
    msd: Float64[Array, " lags"]
    lags: Int64[Array, " samples"]
    by_molecule: Float64[Array, "molecules samples"]
    molecule_weights: Float64[Array, " molecules"]
    collective: tuple[Float64[Array, " _"], ...]
    scatter: Float64[Array, " samples"]

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return len(self.molecule_weights)

    def correlation(self, lag_min: int, lag_max: int) -> float:
        """Variance of the mean displacement relative to that of independently moving molecules; 1 if they are.

        Ions that are carried by the same chain move together and count for fewer. Averaged over the sample lags of the
        window with their numbers of segments; 1 unless it exceeds 1 by more than two of its standard errors.
        """
        ratios, weights = [], []
        for k, lag in enumerate(self.lags):
            n_segments = len(self.collective[k])
            if lag_min <= lag <= lag_max and n_segments >= MIN_SEGMENTS and self.scatter[k] > 0:
                ratios.append(float(self.collective[k].var(ddof=1) / self.scatter[k]))
                weights.append(float(n_segments))
        if not ratios:
            return 1.0
        ratio = float(np.average(ratios, weights=weights))
        return ratio if ratio > 1.0 + 2.0 * np.sqrt(2.0 / max(weights)) else 1.0


def mean_squared_displacement(
    unwrapped_positions: Float64[Array, "frames particles 3"],
    molecule_id: Int64[Array, " particles"],
    save_interval: float,
) -> MeanSquaredDisplacement:
    """Multi-origin mean squared displacement of some tracer particles that belong to molecules.

    Args:
        unwrapped_positions: tracers only, drift removed where it has to be.
        molecule_id: [particles], 0-based and consecutive among these tracers.
        save_interval: time.
    """
    n, n_particles, _ = unwrapped_positions.shape
    lags = sample_lags(n)
    total, sampled = np.zeros(n), np.empty((n_particles, len(lags)))
    at_once = max(1, FFT_BYTES // (24 * n))
    for start in range(0, n_particles, at_once):
        some = slice(start, start + at_once)
        squared = squared_displacements(unwrapped_positions[:, some]).sum(axis=-1)
        total += squared.sum(axis=1)
        sampled[some] = squared[lags].T
    weights = np.bincount(molecule_id).astype(np.float64)
    mean = molecule_sums(molecule_id, 1.0 / weights[molecule_id])
    collective, scatter = [], []
    for lag in lags:
        steps = np.diff(unwrapped_positions[::lag], axis=0)
        of_molecule = (mean @ np.square(steps).sum(axis=-1).T).T  # [segments, molecules]
        collective.append(of_molecule @ weights)
        enough = len(of_molecule) >= MIN_SEGMENTS
        scatter.append(float(weights**2 @ of_molecule.var(axis=0, ddof=1)) if enough else 0.0)
    return MeanSquaredDisplacement(
        save_interval,
        n,
        total / n_particles,
        lags,
        np.ascontiguousarray(mean @ sampled),
        weights,
        tuple(collective),
        np.array(scatter),
    )


def merge_molecules(parts: list[MeanSquaredDisplacement]) -> MeanSquaredDisplacement:
    """Put together what was computed molecule by molecule, so that positions need not be in memory all at once."""
    share = np.array([p.molecule_weights.sum() for p in parts])
    return MeanSquaredDisplacement(
        parts[0].save_interval,
        parts[0].n_frames,
        np.average([p.msd for p in parts], axis=0, weights=share),
        parts[0].lags,
        np.concatenate([p.by_molecule for p in parts]),
        np.concatenate([p.molecule_weights for p in parts]),
        tuple(np.sum(same_lag, axis=0) for same_lag in zip(*(p.collective for p in parts), strict=True)),
        np.sum([p.scatter for p in parts], axis=0),
    )


def single_origin_displacements(
    unwrapped_positions: Float64[Array, "frames particles 3"],
) -> Float64[Array, "frames particles"]:
    """Squared displacement of every particle since the first frame, length^2."""
    return np.asarray(np.square(unwrapped_positions - unwrapped_positions[:1]).sum(axis=-1))


def autocorrelation(
    series: Float64[Array, "frames series"], mean: Float64[Array, " series"]
) -> Float64[Array, " lags"]:
    """Normalised autocorrelation of the fluctuations about ``mean``, averaged over independent series; 1 at lag 0.

    The mean is an argument because that of a short series itself would hide slow fluctuations.
    """
    n = len(series)
    transform = fft.rfft(series - mean, n=fft.next_fast_len(2 * n, real=True), axis=0)
    power = (transform.real**2 + transform.imag**2).sum(axis=1)
    products = fft.irfft(power, n=fft.next_fast_len(2 * n, real=True))[:n] / np.arange(n, 0, -1)
    return np.asarray(products / products[0]) if products[0] > 0 else np.zeros(n)


def integrated_relaxation_time(
    correlation: Float64[Array, " lags"], save_interval: float, n_series: int
) -> tuple[Estimate, int]:
    """Integral of an autocorrelation function by the trapezoidal rule, up to a window of six relaxation times.

    The window is the smallest lag M >= 6 tau(M) (Sokal, in: Functional Integration (1997), p. 131, sec. 3), and the
    error his tau sqrt(2 (2 M + 1) / n) with n the frames of all series. Where the series is shorter than that, the
    whole is integrated and the error is as large as it then is: a lower bound of both.

    Returns:
        Time, and the lag at which the integral was cut.
    """
    n = len(correlation)
    running = np.cumsum(correlation) - 0.5 * (1.0 + correlation)
    running[0] = 0.5  # a series that forgets within one frame: half an interval, the shortest that can be seen
    enough = np.flatnonzero(np.arange(n) >= 6.0 * running)
    window = int(enough[0]) if enough.size else n - 1
    tau = max(float(running[window]), 0.5)
    error = tau * np.sqrt(2.0 * (2 * window + 1) / (n * n_series))
    return Estimate(tau * save_interval, float(error) * save_interval), window
