"""Currents of charge or of anything else that moves: their power spectrum, and the integral of their correlation."""

from dataclasses import dataclass

import numpy as np
from scipy import fft, special

from cgsim.observables.dynamics import sample_lags
from cgsim.typing import Array, Float64, Int64

MIN_FRAMES = 64
LAST_LAG = 4  # the running integral goes to one in so many frames


@dataclass(frozen=True)
class CurrentSpectrum:
    """Periodogram of a current.

    Attributes:
        save_interval: time between frames.
        n_frames: number of frames.
        n_axes: number of axes averaged over, which are taken to be alike.
        density: [frequencies], current^2 time, two-sided, at multiples of 1 / (n_frames save_interval) from 0.
    """

    save_interval: float
    n_frames: int
    n_axes: int
    density: Float64[Array, " frequencies"]

    @property
    def frequency(self) -> Float64[Array, " frequencies"]:
        """1 / time."""
        return np.arange(len(self.density)) / (self.n_frames * self.save_interval)

    @property
    def nyquist(self) -> float:
        """Highest frequency that is resolved, 1 / time."""
        return 0.5 / self.save_interval

    @property
    def log_density(self) -> Float64[Array, " frequencies"]:
        """Unbiased estimates of log S at each frequency.

        The mean logarithm of a chi-squared variable over its n degrees of freedom is digamma(n / 2) - log(n / 2), its
        variance trigamma(n / 2). At zero and at the Nyquist frequency amplitudes are real, one number for each axis.
        """
        return np.asarray(np.log(self.density) - special.digamma(self._half) + np.log(self._half))

    @property
    def variance(self) -> Float64[Array, " frequencies"]:
        """Of :attr:`log_density`."""
        return np.asarray(special.polygamma(1, self._half), dtype=np.float64)

    @property
    def _half(self) -> Float64[Array, " frequencies"]:
        """Half the degrees of freedom at each frequency."""
        half = np.full(len(self.density), float(self.n_axes))
        half[0] *= 0.5
        if self.n_frames % 2 == 0:
            half[-1] *= 0.5
        return half


@dataclass(frozen=True)
class RunningIntegral:
    """Integral of the autocorrelation of a current up to a time.

    Attributes:
        lags: [samples], frames.
        correlation: [samples], current^2, mean over axes and time origins.
        integral: [samples], current^2 time, by the trapezoidal rule.
        standard_error: [samples], of ``integral``.
    """

    lags: Int64[Array, " samples"]
    correlation: Float64[Array, " samples"]
    integral: Float64[Array, " samples"]
    standard_error: Float64[Array, " samples"]


def current_spectrum(current: Float64[Array, "frames axes"], save_interval: float) -> CurrentSpectrum:
    """Periodogram of a current, averaged over its axes.

    Args:
        current: of zero mean in equilibrium; the mean over the run is not taken out, since it is what tells S(0).
        save_interval: time.

    Raises:
        ValueError: if there are fewer than 64 frames, or the current never changes.
    """
    n, n_axes = current.shape
    if n < MIN_FRAMES:
        raise ValueError(f"{n} frames, expected at least {MIN_FRAMES}")
    amplitude = fft.rfft(current, axis=0)
    density = save_interval / n * (amplitude.real**2 + amplitude.imag**2).mean(axis=1)
    if not (density > 0).all():
        raise ValueError("the current never changes")
    return CurrentSpectrum(save_interval, n, n_axes, density)


def averaged(
    spectrum: CurrentSpectrum,
) -> tuple[Float64[Array, " bins"], Float64[Array, " bins"], Float64[Array, " bins"]]:
    """Frequency, periodogram and its standard error in bins that grow with frequency, zero left out, for a plot."""
    last = len(spectrum.density) - 1
    edges = np.append(sample_lags(last), last + 1)
    count = np.diff(edges)
    frequency, density = (
        np.add.reduceat(values[: last + 1], edges[:-1]) / count for values in (spectrum.frequency, spectrum.density)
    )
    return frequency, density, density / np.sqrt(spectrum.n_axes * count)


def running_integral(current: Float64[Array, "frames axes"], save_interval: float) -> RunningIntegral:
    """Autocorrelation of a current by fast Fourier transform, and its integral, up to a quarter of the run.

    The error is that of a Gaussian process: the integral is a sum of the periodogram's ordinates I_k with weights
    w_k = (dt / 2 T) sin(m t_k) cot(t_k / 2), t_k = 2 pi f_k dt, and these are independent with variance S^2 / axes
    (twice as much at zero). For S^2 stand I_k^2 less the share that is scatter. At times m dt long after the
    correlation is gone it grows as sqrt(4 m dt / (axes T)) D, which is why a time to stop would have to be chosen.
    """
    n, n_axes = current.shape
    size = fft.next_fast_len(2 * n, real=True)
    amplitude = fft.rfft(current, n=size, axis=0)
    products = fft.irfft(amplitude.real**2 + amplitude.imag**2, n=size, axis=0)[:n].mean(axis=1)
    correlation = products / np.arange(n, 0, -1)
    integral = save_interval * (np.cumsum(correlation) - 0.5 * (correlation[0] + correlation))
    lags = sample_lags(max(2, n // LAST_LAG))
    spectrum = current_spectrum(current, save_interval)
    squares = spectrum.density**2 / (n_axes + 1.0)  # S^2 / axes, without the scatter of the periodogram
    squares[0] = 2.0 * spectrum.density[0] ** 2 / (n_axes + 2.0)
    angle = 2.0 * np.pi * spectrum.frequency[1:] * save_interval
    half_cotangent = 0.5 / np.tan(0.5 * angle)
    variance = np.empty(len(lags))
    for i, lag in enumerate(lags):
        waves = 2.0 * np.sin(lag * angle) * half_cotangent  # both signs of a frequency
        variance[i] = (waves**2 @ squares[1:] + lag**2 * squares[0]) / (n * (n - lag))
    return RunningIntegral(lags, correlation[lags], integral[lags], np.sqrt(variance))
