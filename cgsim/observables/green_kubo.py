"""Transport coefficients from currents (Green and Kubo): the spectrum at zero frequency, by cepstral analysis.

The coefficient is D = integral from 0 to infinity of <J_x(0) J_x(t)> dt, length^2 / time for a current J that is a sum
of velocities. It is the Einstein coefficient lim <|dM|^2> / (6 t) of M, the integral of J, and half the two-sided power
spectrum S(f) = integral of <J_x(0) J_x(t)> cos(2 pi f t) dt over all times, at f = 0.

The periodogram of J scatters about S by a factor that is chi-squared with two degrees of freedom for each axis,
whatever the dynamics. Its logarithm is log S plus noise of known mean and variance, and the first few Fourier
coefficients of that (the cepstrum) hold all of a smooth log S; how many, Akaike's information criterion says (Ercole,
Marcolongo and Baroni, Sci. Rep. 7, 15835 (2017)). No time has to be chosen at which an integral has converged.

Where the spectrum has a narrow feature at zero, as that of ions which mostly rattle in cages, few coefficients for the
whole range of frequencies blur it, and many are noise. So bands [0, f_max], halved again and again, are fitted too.
Criteria compare models of the same data only; the rest of each spectrum, in pieces between one band and the next, is
given a cepstrum of its own and its criterion added. All models then share in the result by Akaike's weights, and their
disagreement adds to the error (Buckland, Burnham and Augustin, Biometrics 53, 603 (1997), eq. 9 in squared form): the
error of the best model alone, which knows nothing of having been chosen, is too small.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft, optimize, special

from cgsim.observables.dynamics import sample_lags
from cgsim.observables.statistics import ScaleEstimate
from cgsim.typing import Array, Float64, Int64

MIN_FRAMES = 64
NARROWEST = 16  # frequencies in the narrowest band
MOST_COEFFICIENTS = 256  # of one band; a spectrum that needs more is resolved by a narrower band
PENALTY = 2.0  # of Akaike's criterion, for each coefficient
SPLIT_PENALTY = 1.5  # for each halving of the band: bands are many, and each has its chance to look best
NYQUIST_SHARE = 16  # the last one in so many frequencies tell what is left at the Nyquist frequency
TAIL = 3.0  # see CepstralFit.sampling_excess
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
    def log_density(self) -> Float64[Array, " frequencies"]:
        """Unbiased estimates of log S at each frequency.

        The mean logarithm of a chi-squared variable over its n degrees of freedom is digamma(n / 2) - log(n / 2). At
        zero there is a real amplitude for each axis, elsewhere a complex one.
        """
        bias = np.full(len(self.density), special.digamma(self.n_axes) - np.log(self.n_axes))
        bias[0] = special.digamma(self.n_axes / 2) - np.log(self.n_axes / 2)
        return np.asarray(np.log(self.density) - bias)

    @property
    def variance(self) -> float:
        """Of :attr:`log_density` at one frequency."""
        return float(special.polygamma(1, self.n_axes))


@dataclass(frozen=True)
class CepstralFit:
    """A transport coefficient by cepstral analysis.

    Attributes:
        coefficient: D, current^2 time.
        band: upper frequency of the band of the best model, 1 / time.
        cepstrum: [coefficients], of the best model: log S(f) = c_0 + 2 sum of c_n cos(pi n f / band).
        variance: squared error of each of them but the first, whose is twice as large.
        weight: of the best model among all, 0 to 1.
        nyquist_ratio: spectrum near the Nyquist frequency over that at zero.
        discrepancy: what remains at the lowest frequencies above or below the averaged result, in standard errors,
            where it is largest.
    """

    coefficient: ScaleEstimate
    band: float
    cepstrum: Float64[Array, " coefficients"]
    variance: float
    weight: float
    nyquist_ratio: float
    discrepancy: float

    @property
    def sampling_excess(self) -> float:
        """How much too large D may be, relative to D, because motion between frames is not seen.

        Of a sampled current the spectrum is folded: to S(0) is added 2 sum over m of S(2 m f_N), f_N being the Nyquist
        frequency, where the folded spectrum is 2 sum over m of S((2 m - 1) f_N). For S ~ f^-2, the tail of ions that
        forget their velocity by random kicks, these sums are to each other as zeta(2) / 4 to 3 zeta(2) / 4; the
        smoother forces of real systems leave less.
        """
        return self.nyquist_ratio / TAIL

    def spectrum(
        self, frequency: Float64[Array, " points"]
    ) -> tuple[Float64[Array, " points"], Float64[Array, " points"]]:
        """The best model within its band, current^2 time, and its standard error."""
        order = np.arange(1, len(self.cepstrum))
        waves = 2.0 * np.cos(np.pi * np.outer(frequency / self.band, order))
        logarithm = self.cepstrum[0] + waves @ self.cepstrum[1:]
        error = np.sqrt(self.variance * (2.0 + (waves**2).sum(axis=1)))
        return np.exp(logarithm), np.exp(logarithm) * error


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


def cepstral_coefficient(spectrum: CurrentSpectrum) -> CepstralFit:
    """D from the spectrum at zero frequency; see the head of this module."""
    noise, logarithm = spectrum.variance, spectrum.log_density
    models, outside, width = [], 0.0, len(logarithm) - 1 - (spectrum.n_frames + 1) % 2  # up to, not at, the Nyquist
    while width >= NARROWEST:
        cepstrum = _cepstrum(logarithm[: width + 1])
        n = np.arange(1, min(width, MOST_COEFFICIENTS) + 1)
        rest = np.append(np.cumsum(cepstrum[:0:-1] ** 2)[::-1], 0.0)[: len(n)]
        criterion = 2 * width / noise * rest + PENALTY * n + outside
        at_zero = cepstrum[0] + 2.0 * np.append(0.0, np.cumsum(cepstrum[1 : len(n)]))
        models.append(_Band(width, cepstrum[: len(n)], criterion, at_zero, noise * (4 * n - 2) / (2 * width)))
        outside += _criterion(logarithm[width // 2 + 1 : width + 1], noise) + SPLIT_PENALTY
        width //= 2
    criterion = np.concatenate([band.criterion for band in models])
    weights = np.exp(-0.5 * (criterion - criterion.min()))
    weights /= weights.sum()
    values = np.concatenate([band.at_zero for band in models])
    mean = float(weights @ values)
    variance = float(weights @ (np.concatenate([band.variance for band in models]) + (values - mean) ** 2))
    best = min(models, key=lambda band: float(band.criterion.min()))
    n_best = int(best.criterion.argmin()) + 1
    last = max(1, len(logarithm) // NYQUIST_SHARE)
    return CepstralFit(
        coefficient=_scale_estimate(mean, variance),
        band=best.width / (spectrum.n_frames * spectrum.save_interval),
        cepstrum=best.cepstrum[:n_best],
        variance=noise / (2 * best.width),
        weight=float(weights.max()),
        nyquist_ratio=float(np.exp(logarithm[-last:].mean() - mean)),
        discrepancy=_discrepancy(logarithm, noise, mean, variance),
    )


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


@dataclass(frozen=True)
class _Band:
    """All models of one band; arrays run over their numbers of coefficients, from one."""

    width: int
    cepstrum: Float64[Array, " coefficients"]
    criterion: Float64[Array, " coefficients"]
    at_zero: Float64[Array, " coefficients"]
    variance: Float64[Array, " coefficients"]


def _cepstrum(logarithm: Float64[Array, " frequencies"]) -> Float64[Array, " frequencies"]:
    """Coefficients c_n of log S = c_0 + 2 sum of c_n cos(pi n k / K), k = 0 ... K."""
    return np.asarray(fft.dct(logarithm, type=1) / (2.0 * (len(logarithm) - 1)))


def _criterion(logarithm: Float64[Array, " frequencies"], noise: float) -> float:
    """Akaike's criterion of the best smooth model of a part of the spectrum by itself."""
    waves = np.asarray(fft.dct(logarithm, type=2, norm="ortho"))
    rest = np.append(np.cumsum(waves[:0:-1] ** 2)[::-1], 0.0)
    return float((rest / noise + PENALTY * np.arange(1, len(waves) + 1)).min())


def _discrepancy(logarithm: Float64[Array, " frequencies"], noise: float, mean: float, variance: float) -> float:
    """Largest deviation of the mean of the lowest 3, 6, 12 ... frequencies from the result, in standard errors."""
    found, count = 0.0, 3
    while count <= NARROWEST:
        deviation = float(logarithm[1 : count + 1].mean()) - mean
        found = max(found, deviation / np.sqrt(noise / count + variance), key=abs)
        count *= 2
    return found


def _scale_estimate(mean: float, variance: float) -> ScaleEstimate:
    """D = S(0) / 2 of which the logarithm is known: the chi-squared distribution whose logarithm scatters as much."""
    half = float(optimize.brentq(lambda x: float(special.polygamma(1, x)) - variance, 1e-2, 1e12))
    value = 0.5 * float(np.exp(mean + special.digamma(half) - np.log(half)))
    return ScaleEstimate(value, value / float(np.sqrt(half)), 2.0 * half)
