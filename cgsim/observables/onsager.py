"""Collective motion of ions: Onsager coefficients, conductivity and transference numbers from summed positions.

The Onsager coefficient of species i and j is L_ij = lim d<dR_i . dR_j>/dt / (6 V k T), with R_i the sum of the
positions of all ions of species i and dR_i its displacement (Fong, Bergstrom, McCloskey and Mandadapu, AIChE J. 66,
e17091 (2020); Fong, Self, McCloskey and Persson, Macromolecules 54, 2575 (2021)). Here it is the collective diffusion
coefficient D_ij = V k T L_ij, length^2 / time, of two linear combinations of such sums: the charge M = sum of z_i R_i
gives the conductivity, a sum less its share of the solvent's motion the same in the solvent's frame.

There is one vector per combination and frame, so nothing can be averaged over molecules. Errors come from the
displacements' own covariance (Gaussian and with stationary increments, as in
:func:`cgsim.observables.correlated_points.displacement_covariance`): matrices D then scatter as Wishart matrices do.
"""

from dataclasses import dataclass

import numpy as np

from cgsim.observables.correlated_points import displacement_covariance, least_squares, model_curve
from cgsim.observables.diffusion import N_DIMENSIONS, DiffusionFit, diffusion_coefficient
from cgsim.observables.dynamics import mean_squared_displacement, sample_lags, squared_displacements
from cgsim.observables.statistics import Estimate, ScaleEstimate, scatter_inflation
from cgsim.typing import Array, Float64, Int64


@dataclass(frozen=True)
class CrossDisplacement:
    """Multi-origin mean products of displacements of some summed positions.

    Attributes:
        save_interval: time between frames.
        n_frames: number of frames.
        curves: [sums, sums, lags], length^2, <dR_i . dR_j>; lags 0 to frames - 1.
    """

    save_interval: float
    n_frames: int
    curves: Float64[Array, "sums sums lags"]

    def between(self, first: Float64[Array, " sums"], second: Float64[Array, " sums"]) -> Float64[Array, " lags"]:
        """Mean product of the displacements of two linear combinations of the sums, length^2."""
        return np.asarray(np.einsum("i,ijl,j->l", first, self.curves, second))


def cross_displacement(sums: Float64[Array, "frames sums 3"], save_interval: float) -> CrossDisplacement:
    """Mean products of displacements by polarisation, 2 <da . db> = <(da + db)^2> - <da^2> - <db^2>.

    Args:
        sums: unwrapped positions summed over the ions of a species, drift removed.
        save_interval: time.
    """
    n, k, _ = sums.shape
    squares = squared_displacements(sums).sum(axis=-1).T
    curves = np.empty((k, k, n))
    for i in range(k):
        curves[i, i] = squares[i]
        for j in range(i):
            together = squared_displacements(sums[:, [i]] + sums[:, [j]]).sum(axis=(1, 2))
            curves[i, j] = curves[j, i] = 0.5 * (together - squares[i] - squares[j])
    return CrossDisplacement(save_interval, n, curves)


@dataclass(frozen=True)
class CollectiveRun:
    """Collective motion in one trajectory, with the window and the linear estimator of the charge's displacement.

    One window and one estimator serve all combinations, so that D is bilinear in them: the conductivity is exactly the
    sum over species of z_i z_j D_ij, and a change of frame transforms D as theory says.

    Attributes:
        displacement: of all sums.
        fit: of the charge, with window and regime.
        lags: frames, of the window.
        estimator: [lags], 1 / time; takes products of displacements to 6 D.
    """

    displacement: CrossDisplacement
    fit: DiffusionFit
    lags: Int64[Array, " lags"]
    estimator: Float64[Array, " lags"]

    def value(self, first: Float64[Array, " sums"], second: Float64[Array, " sums"]) -> float:
        """D of two combinations, length^2 / time."""
        curve = self.displacement.between(first, second)
        return float(self.estimator @ curve[self.lags]) / (2 * N_DIMENSIONS)

    def variance(self, first: Float64[Array, " sums"], second: Float64[Array, " sums"]) -> float:
        """Squared standard error of :meth:`value`."""
        own = [model_curve(self.displacement.between(c, c), self.lags) for c in (first, second)]
        plus, minus = first + second, first - second
        joint = [model_curve(self.displacement.between(c, c), self.lags) for c in (plus, minus)]
        covariance = product_covariance(
            self.lags, own[0], own[1], 0.25 * (joint[0] - joint[1]), self.displacement.n_frames
        )
        return max(0.0, float(self.estimator @ covariance @ self.estimator)) / (2 * N_DIMENSIONS) ** 2


def follow_charge(
    sums: Float64[Array, "frames sums 3"], charges: Float64[Array, " sums"], save_interval: float
) -> CollectiveRun:
    """Fit the displacement of the charge sum of z_i R_i, and keep the estimator for all other combinations.

    Raises:
        ValueError: if there are fewer than six frames.
    """
    charge = np.asarray(np.einsum("i,fix->fx", charges, sums))[:, None]
    fit = diffusion_coefficient(mean_squared_displacement(charge, np.zeros(1, dtype=np.int64), save_interval))
    displacement = cross_displacement(sums, save_interval)
    time = sample_lags(len(sums)) * save_interval
    inside = (time >= fit.window[0] * (1 - 1e-9)) & (time <= fit.window[1] * (1 + 1e-9))
    lags = sample_lags(len(sums))[inside]
    curve = displacement.between(charges, charges)
    straight = np.stack([time[inside], np.ones(len(lags))], axis=1)
    covariance = displacement_covariance(lags, model_curve(curve, lags), len(sums), N_DIMENSIONS)
    return CollectiveRun(displacement, fit, lags, least_squares(straight, covariance)[0])


def product_covariance(
    lags: Int64[Array, " lags"],
    first: Float64[Array, " all_lags"],
    second: Float64[Array, " all_lags"],
    cross: Float64[Array, " all_lags"],
    n_frames: int,
) -> Float64[Array, "lags lags"]:
    """Covariance between the points of the multi-origin mean product of displacements of two vectors, length^4.

    By Wick's theorem <(dx dy)(dx' dy')> - <dx dy><dx' dy'> = <dx dx'><dy dy'> + <dx dy'><dy dx'>, where the
    covariances of two displacements follow from the mean products as in
    :func:`cgsim.observables.correlated_points.displacement_covariance`, which is the case of two equal vectors.

    Args:
        lags: frames, in ascending order.
        first: mean squared displacement of one vector, lags 0 to at least twice the largest of ``lags``.
        second: of the other.
        cross: mean product of both.
        n_frames: length of the trajectory.
    """
    curves = np.stack([first, second, cross]) / N_DIMENSIONS
    covariance = np.empty((len(lags), len(lags)))
    for a, i in enumerate(lags):
        for b in range(a, len(lags)):
            j = lags[b]
            k = np.arange(-j, i + 1)
            x, y, xy = 0.5 * (
                curves[:, np.abs(k + j)]
                + curves[:, np.abs(k - i)]
                - curves[:, np.abs(k)]
                - curves[:, np.abs(k + j - i)]
            )
            pairs = np.minimum(n_frames - i, n_frames - j - k) - np.maximum(0, -k)
            total = N_DIMENSIONS * float(np.maximum(pairs, 0) @ (x * y + xy**2))
            covariance[a, b] = covariance[b, a] = total / ((n_frames - i) * (n_frames - j))
    return covariance


@dataclass(frozen=True)
class Collective:
    """Collective motion in one or several independent runs of one system.

    Attributes:
        runs: the runs.
        shares: [runs], how much each counts; sums to 1.
    """

    runs: tuple[CollectiveRun, ...]
    shares: Float64[Array, " runs"]

    def value(self, first: Float64[Array, " sums"], second: Float64[Array, " sums"]) -> float:
        """D of two combinations of the sums, length^2 / time, averaged over the runs."""
        return float(self.shares @ np.array([run.value(first, second) for run in self.runs]))

    def coefficient(self, first: Float64[Array, " sums"], second: Float64[Array, " sums"]) -> Estimate:
        """D of two combinations of the sums, length^2 / time, with its error.

        That of one combination with itself is positive and known up to a factor that follows a chi-squared
        distribution; of two different ones Student's distribution serves.
        """
        value = self.value(first, second)
        freedom, variance = self._freedom(first, second)
        if np.array_equal(first, second) and value > 0:
            return ScaleEstimate(value, value * float(np.sqrt(2.0 / freedom)), freedom)
        return Estimate(value, float(np.sqrt(variance)), max(1.0, freedom - 1.0))

    def share(self, part: Float64[Array, " sums"], whole: Float64[Array, " sums"]) -> Estimate:
        """Share of a part of the charge in the current, D_pM / D_MM: a transference number if ``part`` is one species.

        It is the coefficient of a regression of one Gaussian vector on another, whose error follows Student's
        distribution exactly: variance D_ee / (D_MM (n - 1)) for the residual e = p - t M and n degrees of freedom.

        Args:
            part: charge carried by a species, z_i R_i.
            whole: charge M carried by all.
        """
        total = self.value(whole, whole)
        if total <= 0:
            return Estimate(np.nan, np.nan)
        value = self.value(part, whole) / total
        freedom, variance = self._freedom(part - value * whole, whole)
        wider = freedom / max(1.0, freedom - 1.0)
        return Estimate(value, float(np.sqrt(variance * wider)) / total, max(1.0, freedom - 1.0))

    def _freedom(self, first: Float64[Array, " sums"], second: Float64[Array, " sums"]) -> tuple[float, float]:
        """Degrees of freedom of a Wishart matrix with the error of D of two combinations, and the squared error.

        For n of them the variance is (D_aa D_bb + D_ab^2) / n. Replicas that scatter more than their errors allow
        enlarge it as in :func:`cgsim.observables.statistics.combine_replicas`.
        """
        variances = np.array([run.variance(first, second) for run in self.runs])
        variance = float(self.shares**2 @ variances)
        own = [self.value(c, c) for c in (first, second)]
        square = max(0.0, own[0] * own[1]) + self.value(first, second) ** 2
        values = np.array([run.value(first, second) for run in self.runs])
        variance *= scatter_inflation(values, variances, self.value(first, second))
        return (max(1.0, square / variance) if variance > 0 else float("inf")), variance


def point_errors(
    displacement: CrossDisplacement,
    first: Float64[Array, " sums"],
    second: Float64[Array, " sums"],
    lags: Int64[Array, " lags"],
) -> Float64[Array, " lags"]:
    """Standard error of the mean product of displacements at some lags, as that of random walks.

    The variance of a mean square of one vector along three axes is (2 / 3) (2 m^2 + 1) / (3 m (n - m + 1)) of its
    square at lag m of n frames (Qian, Sheetz and Elson, Biophys. J. 60, 910 (1991)), at most that of a single
    displacement; for a product of two vectors <a^2><b^2> + <ab>^2 stands for twice the square.
    """
    m = lags.astype(np.float64)
    walk = np.minimum(1.0, (2 * m**2 + 1) / (3 * m * (displacement.n_frames - m + 1))) / N_DIMENSIONS
    a, b, ab = (displacement.between(*pair)[lags] for pair in ((first, first), (second, second), (first, second)))
    return np.asarray(np.sqrt(walk * (a * b + ab**2)))
