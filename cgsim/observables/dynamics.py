"""Mean squared displacements and relaxation: how far particles go, and how long molecules remember."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from cgsim.observables.parallel import map_blocks
from cgsim.observables.positive import LogEstimate
from cgsim.typing import Array, Float, Float64, Int64

LAGS_PER_DECADE = 12
FFT_BYTES = 4 * 2**20  # of positions transformed at once; about ten times that is in use by each thread
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
    unwrapped_positions: Float64[Array, "frames particles axes"],
) -> Float64[Array, "lags particles axes"]:
    """Mean over all time origins of the squared displacement, of every particle along every axis, at every lag.

    MSD(m) = S1(m) - 2 S2(m) by fast Fourier transform, n log n instead of n^2 (Calandrini et al., Collection SFN 12,
    201 (2011)). Positions are taken from the first frame before squaring, so that far-travelled particles
    lose no digits.

    Returns:
        length^2; lags 0 to frames - 1.
    """
    n, n_particles, n_axes = unwrapped_positions.shape
    relative = (unwrapped_positions - unwrapped_positions[:1]).reshape(n, -1).T
    size = fft.next_fast_len(2 * n, real=True)
    transform = fft.rfft(relative, n=size, axis=-1)
    products = fft.irfft(transform.real**2 + transform.imag**2, n=size, axis=-1)[:, :n]
    return np.ascontiguousarray(_from_moments(relative**2, products).T).reshape(n, n_particles, n_axes)


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
        by_axis: [lags, axes], length^2, mean over all tracer particles along each axis; lags 0 to frames - 1.
        lags: [samples], frames; the lags of the arrays below.
        by_molecule: [molecules, samples], length^2, mean over the tracers of each molecule, all axes together.
        molecule_weights: [molecules], number of tracers of each molecule.
        collective: for each sample lag, the displacements over consecutive segments of that length, [segments] each:
            length^2, summed over molecules with their weights.
        scatter: [samples], length^4, sum over molecules of (weight^2 * variance over the segments): the variance that
            ``collective`` would have if molecules moved independently.
    """

    save_interval: float
    n_frames: int
    by_axis: Float64[Array, "lags axes"]
    lags: Int64[Array, " samples"]
    by_molecule: Float64[Array, "molecules samples"]
    molecule_weights: Float64[Array, " molecules"]
    collective: tuple[Float64[Array, " _"], ...]
    scatter: Float64[Array, " samples"]

    @cached_property
    def msd(self) -> Float64[Array, " lags"]:
        """Sum over the axes, length^2; lags 0 to frames - 1."""
        return np.asarray(self.by_axis.sum(axis=1))

    @property
    def n_dimensions(self) -> int:
        """Number of axes."""
        return int(self.by_axis.shape[1])

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
    unwrapped_positions: Float[Array, "frames particles axes"],
    molecule_id: Int64[Array, " particles"],
    save_interval: float,
) -> MeanSquaredDisplacement:
    """Multi-origin mean squared displacement of some tracer particles that belong to molecules.

    The same sums as in :func:`squared_displacements`, but spectra are added up over axes and over the tracers of a
    molecule before they are transformed back. Molecules are taken in blocks, on several cores, so that little more
    memory is in use than the positions take.

    Args:
        unwrapped_positions: tracers only, drift removed where it has to be; one axis or several.
        molecule_id: [particles], 0-based and consecutive among these tracers.
        save_interval: time.
    """
    n, _, n_axes = unwrapped_positions.shape
    lags = sample_lags(n)
    order = np.argsort(molecule_id, kind="stable")
    weights = np.bincount(molecule_id)
    ends = np.concatenate([[0], np.cumsum(weights)])
    at_once = max(1, FFT_BYTES // (8 * n_axes * n))
    edges = [0]
    while edges[-1] < len(weights):
        edges.append(max(edges[-1] + 1, int(np.searchsorted(ends, ends[edges[-1]] + at_once, side="right")) - 1))

    def work(block: tuple[int, int]) -> _Sums:
        start, stop = ends[block[0]], ends[block[1]]
        some = unwrapped_positions[:, order[start:stop]].transpose(1, 2, 0)
        return _sums(np.ascontiguousarray(some, dtype=np.float64), ends[block[0] : block[1]] - start, lags)

    parts = list(map_blocks(work, itertools.pairwise(edges)))
    by_axis = np.sum([p.by_axis for p in parts], axis=0).T / len(molecule_id)
    return MeanSquaredDisplacement(
        save_interval,
        n,
        np.ascontiguousarray(by_axis),
        lags,
        np.concatenate([p.by_molecule for p in parts]),
        weights.astype(np.float64),
        tuple(np.sum(same_lag, axis=0) for same_lag in zip(*(p.collective for p in parts), strict=True)),
        np.sum([p.scatter for p in parts], axis=0),
    )


@dataclass(frozen=True)
class _Sums:
    """Sums over a block of molecules: see :class:`MeanSquaredDisplacement`, ``by_axis`` as [axes, lags]."""

    by_axis: Float64[Array, "axes lags"]
    by_molecule: Float64[Array, "molecules samples"]
    collective: tuple[Float64[Array, " _"], ...]
    scatter: Float64[Array, " samples"]


def _sums(
    series: Float64[Array, "particles axes frames"],
    first: Int64[Array, " molecules"],
    lags: Int64[Array, " samples"],
) -> _Sums:
    """Squared displacements of molecules whose particles begin at ``first``."""
    series -= series[..., :1]  # far-travelled particles lose no digits when squared
    n_particles, _, n = series.shape
    size = fft.next_fast_len(2 * n, real=True)
    transform = fft.rfft(series, n=size, axis=-1)
    power = transform.real**2 + transform.imag**2
    del transform
    squares = series**2
    of_axes = _from_moments(squares.sum(axis=0), fft.irfft(power.sum(axis=0), n=size, axis=-1)[:, :n])
    products = fft.irfft(np.add.reduceat(power.sum(axis=1), first, axis=0), n=size, axis=-1)[:, :n]
    weights = np.diff(np.append(first, n_particles)).astype(np.float64)
    of_molecules = _from_moments(np.add.reduceat(squares.sum(axis=1), first, axis=0), products)
    collective, scatter = [], []
    for lag in lags:
        ends = series[..., ::lag]
        steps = ends[..., 1:] - ends[..., :-1]
        of_molecule = np.add.reduceat(np.einsum("pan,pan->pn", steps, steps), first, axis=0)  # [molecules, segments]
        collective.append(of_molecule.sum(axis=0))
        enough = of_molecule.shape[1] >= MIN_SEGMENTS
        scatter.append(float(of_molecule.var(axis=1, ddof=1).sum()) if enough else 0.0)
    return _Sums(of_axes, of_molecules[:, lags] / weights[:, None], tuple(collective), np.array(scatter))


def _from_moments(
    squares: Float64[Array, "series frames"], products: Float64[Array, "series frames"]
) -> Float64[Array, "series frames"]:
    """Mean squared displacement at every lag from squared positions and the sums of products r(t) r(t + m)."""
    n = squares.shape[1]
    # Sum over origins of r(t)^2 + r(t+m)^2: the total twice, less what has no partner at either end.
    ends = np.cumsum(squares[:, : n - 1] + squares[:, :0:-1], axis=1)
    result = 2.0 * squares.sum(axis=1, keepdims=True) - 2.0 * products
    result[:, 1:] -= ends
    result /= np.arange(n, 0, -1)
    result[:, 0] = 0.0
    return np.asarray(np.maximum(result, 0.0))  # rounding of a particle that does not move


def merge_molecules(parts: list[MeanSquaredDisplacement]) -> MeanSquaredDisplacement:
    """Put together what was computed molecule by molecule, so that positions need not be in memory all at once."""
    share = np.array([p.molecule_weights.sum() for p in parts])
    return MeanSquaredDisplacement(
        parts[0].save_interval,
        parts[0].n_frames,
        np.average([p.by_axis for p in parts], axis=0, weights=share),
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
) -> tuple[LogEstimate, int]:
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
    return LogEstimate(tau * save_interval, float(error) * save_interval), window
