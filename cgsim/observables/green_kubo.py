"""Transport coefficients from currents (Green and Kubo): the spectrum at zero frequency, by cepstral analysis.

The coefficient is D = integral from 0 to infinity of <J_x(0) J_x(t)> dt, length^2 / time for a current J that is a sum
of velocities. It is the Einstein coefficient lim <|dM|^2> / (6 t) of M, the integral of J, and half the two-sided power
spectrum S(f) = integral of <J_x(0) J_x(t)> cos(2 pi f t) dt over all times, at f = 0.

The periodogram of J scatters about S by a factor that is chi-squared with two degrees of freedom for each axis,
whatever the dynamics. Its logarithm is log S plus noise of known mean and variance, and the first few Fourier
coefficients of that (the cepstrum) hold all of a smooth log S; how many, Akaike's information criterion says (Ercole,
Marcolongo and Baroni, Sci. Rep. 7, 15835 (2017)). No time has to be chosen at which an integral has converged.

Where the spectrum has a narrow feature at zero, as that of ions which mostly rattle in cages, few coefficients for the
whole range of frequencies blur it, and many are noise. So the axis of frequency is stretched there before the cosines
are fitted, u = asinh(f / f_0), by many amounts f_0, and farther away the fit is not asked to follow every peak. All
models share in the result by Akaike's weights, and their disagreement adds to the error (Buckland, Burnham and
Augustin, Biometrics 53, 603 (1997), eq. 9 in squared form): the error of the best one alone, which knows nothing of
having been chosen, is too small.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, special

from cgsim.observables.currents import CurrentSpectrum
from cgsim.observables.statistics import ScaleEstimate
from cgsim.typing import Array, Float64

MOST_COEFFICIENTS = 60
FEWEST_POINTS = 3  # for each coefficient
NARROWEST = 8  # frequencies within the smallest f_0
SINGLE = 64  # as many of the lowest frequencies count one by one; then come bins, so many to an octave
PER_OCTAVE = 32
TOLERANCE = 0.1  # variance by which a smooth log S may miss the true one, for each octave above the single frequencies
PENALTY = 2.0  # of Akaike's criterion, for each coefficient
STRETCH_PENALTY = 1.5  # for each halving of f_0: they are many, and each has its chance to look best
NYQUIST_SHARE = 16  # the last one in so many frequencies tell what is left at the Nyquist frequency
TAIL = 3.0  # see CepstralFit.sampling_excess


@dataclass(frozen=True)
class CepstralFit:
    """A transport coefficient by cepstral analysis.

    Attributes:
        coefficient: D, current^2 time.
        nyquist: highest frequency of the spectrum, 1 / time.
        stretch: f_0 of the best model, 1 / time.
        cepstrum: [coefficients], of the best model: log S(f) = sum of c_n cos(pi n u(f) / u(f_nyquist)).
        covariance: [coefficients, coefficients], of these.
        weight: of the best model among all, 0 to 1.
        nyquist_ratio: spectrum near the Nyquist frequency over that at zero.
        discrepancy: what remains at the lowest frequencies above or below the averaged result, in standard errors,
            where it is largest.
    """

    coefficient: ScaleEstimate
    nyquist: float
    stretch: float
    cepstrum: Float64[Array, " coefficients"]
    covariance: Float64[Array, "coefficients coefficients"]
    weight: float
    nyquist_ratio: float
    discrepancy: float

    @property
    def longest_lag(self) -> float:
        """Time up to which the best model follows the correlation: near zero its last cosine is cos(2 pi f t)."""
        return (len(self.cepstrum) - 1) / (2.0 * self.stretch * float(np.arcsinh(self.nyquist / self.stretch)))

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
        """The best model, current^2 time, and its standard error."""
        waves = _waves(frequency, self.nyquist, self.stretch, len(self.cepstrum))
        found = np.exp(waves @ self.cepstrum)
        return found, found * np.sqrt(np.einsum("pi,ij,pj->p", waves, self.covariance, waves))


def cepstral_coefficient(spectrum: CurrentSpectrum) -> CepstralFit:
    """D from the spectrum at zero frequency; see the head of this module."""
    frequency, logarithm, variance = _points(spectrum)
    most = min(MOST_COEFFICIENTS, len(frequency) // FEWEST_POINTS)
    models = []
    stretch, penalty = spectrum.nyquist, 0.0
    while stretch >= NARROWEST * spectrum.frequency[1]:
        models.append(_fit(_waves(frequency, spectrum.nyquist, stretch, most), logarithm, variance, stretch, penalty))
        stretch, penalty = 0.5 * stretch, penalty + STRETCH_PENALTY
    criterion = np.concatenate([models_of.criterion for models_of in models])
    weights = np.exp(-0.5 * (criterion - criterion.min()))
    weights /= weights.sum()
    values = np.concatenate([models_of.at_zero for models_of in models])
    mean = float(weights @ values)
    squared_error = float(weights @ (np.concatenate([m.variance for m in models]) + (values - mean) ** 2))
    best = min(models, key=lambda models_of: float(models_of.criterion.min()))
    cepstrum, covariance = best.solve(int(best.criterion.argmin()) + 1)
    last = max(1, len(spectrum.density) // NYQUIST_SHARE)
    return CepstralFit(
        coefficient=_scale_estimate(mean, squared_error),
        nyquist=spectrum.nyquist,
        stretch=best.stretch,
        cepstrum=cepstrum,
        covariance=covariance,
        weight=float(weights.max()),
        nyquist_ratio=float(np.exp(spectrum.log_density[-last:].mean() - mean)),
        discrepancy=_discrepancy(spectrum, mean, squared_error),
    )


@dataclass(frozen=True)
class _Models:
    """All models of one stretched axis: least squares with one coefficient, two, three ... by one decomposition.

    Attributes:
        stretch: f_0, 1 / time.
        triangle, components: of the weighted waves, R, and Q^T y.
        criterion: [models], Akaike's.
        at_zero: [models], log S(0).
        variance: [models], squared error of it.
    """

    stretch: float
    triangle: Float64[Array, "most most"]
    components: Float64[Array, " most"]
    criterion: Float64[Array, " most"]
    at_zero: Float64[Array, " most"]
    variance: Float64[Array, " most"]

    def solve(self, n: int) -> tuple[Float64[Array, " coefficients"], Float64[Array, "coefficients coefficients"]]:
        """The first ``n`` coefficients and their covariance."""
        inverse = linalg.solve_triangular(self.triangle[:n, :n], np.eye(n))
        return inverse @ self.components[:n], inverse @ inverse.T


def _fit(
    waves: Float64[Array, "points most"],
    logarithm: Float64[Array, " points"],
    variance: Float64[Array, " points"],
    stretch: float,
    penalty: float,
) -> _Models:
    """Weighted least squares with every number of waves, from one to all."""
    weight = 1.0 / np.sqrt(variance)
    orthogonal, triangle = np.linalg.qr(waves * weight[:, None])
    components = orthogonal.T @ (weight * logarithm)
    rest = float(np.sum((weight * logarithm) ** 2)) - np.cumsum(components**2)
    at_zero = linalg.solve_triangular(triangle, np.ones(len(triangle)), trans=1)  # every wave is 1 at zero
    return _Models(
        stretch,
        triangle,
        components,
        rest + PENALTY * np.arange(1, len(triangle) + 1) + penalty,
        np.cumsum(at_zero * components),
        np.cumsum(at_zero**2),
    )


def _waves(
    frequency: Float64[Array, " points"], nyquist: float, stretch: float, n: int
) -> Float64[Array, "points waves"]:
    """Cosines on the stretched axis, even about zero."""
    stretched = np.arcsinh(frequency / stretch) / np.arcsinh(nyquist / stretch)
    return np.cos(np.pi * np.outer(stretched, np.arange(n)))


def _points(
    spectrum: CurrentSpectrum,
) -> tuple[Float64[Array, " points"], Float64[Array, " points"], Float64[Array, " points"]]:
    """Frequency, log S and its variance: at the lowest frequencies one by one, then in bins."""
    n = len(spectrum.density)
    octaves = float(np.log2(max(1.0, n / SINGLE)))
    edges = np.round(SINGLE * 2.0 ** np.linspace(0.0, octaves, 2 + int(PER_OCTAVE * octaves))).astype(np.int64)
    starts = np.unique(np.concatenate([np.arange(min(n, SINGLE)), edges[edges < n]]))
    count = np.diff(np.append(starts, n))
    frequency, logarithm, variance = (
        np.add.reduceat(values, starts) / count
        for values in (spectrum.frequency, spectrum.log_density, spectrum.variance)
    )
    above = np.log2(np.maximum(1.0, starts / SINGLE))
    return frequency, logarithm, variance / count + TOLERANCE * above


def _discrepancy(spectrum: CurrentSpectrum, mean: float, squared_error: float) -> float:
    """Largest deviation of the mean of the lowest 3, 6 and 12 frequencies from the result, in standard errors."""
    found = 0.0
    for count in (3, 6, 12):
        deviation = float(spectrum.log_density[1 : count + 1].mean()) - mean
        own = float(spectrum.variance[1 : count + 1].sum()) / count**2
        found = max(found, deviation / float(np.sqrt(own + squared_error)), key=abs)
    return found


def _scale_estimate(mean: float, variance: float) -> ScaleEstimate:
    """D = S(0) / 2 of which the logarithm is known: the chi-squared distribution whose logarithm scatters as much."""
    half = float(optimize.brentq(lambda x: float(special.polygamma(1, x)) - variance, 1e-2, 1e12))
    value = 0.5 * float(np.exp(mean + special.digamma(half) - np.log(half)))
    return ScaleEstimate(value, value / float(np.sqrt(half)), 2.0 * half)
