"""Null propagators: Brownian motion from one lag, and a linear autoregression of each particle on its own past.

Both know the bead classes only, neither neighbours nor bonds.
"""

from collections.abc import Iterator

import numpy as np
import torch

from cgsim.graph import BeadBatch
from cgsim.trajectory import Trajectory
from cgsim.typing import Array, Float, Float64, Tensor


class AutoregressivePropagator:
    """Displacement of a bead along an axis = sum over k past ones times the class's coefficients, plus white noise.

    Satisfies :class:`cgsim.models.interface.Propagator`. Without coefficients it is Brownian motion.

    Args:
        coefficients: [classes, k], that of the last displacement first.
        noise: [classes], standard deviation along an axis, length.
    """

    def __init__(self, coefficients: Float64[Array, "classes k"], noise: Float64[Array, " classes"]) -> None:
        self.coefficients, self.noise = torch.from_numpy(coefficients).float(), torch.from_numpy(noise).float()
        self.history_offsets = tuple(range(coefficients.shape[1] + 1))

    def draw(
        self, batch: BeadBatch, history: Float[Tensor, "beads history 3"], generator: torch.Generator
    ) -> Float[Tensor, "beads 3"]:
        """Draw the next unwrapped positions; the centre of mass of a periodic system stays where it is."""
        present = history[:, -1]
        past = batch.at_rest(history).diff(dim=1).flip(1)  # the last displacement first
        expected = torch.einsum("bk,bkx->bx", self.coefficients[batch.bead_class], past)
        noise = torch.randn(present.shape, generator=generator, dtype=present.dtype)
        return present + batch.remove_drift(expected + self.noise[batch.bead_class][:, None] * noise)

    def diffusion_coefficients(self, lag_time: float) -> Float64[Array, " classes"]:
        """Long-time D of each class, length^2/time: noise^2 / (2 lag (1 - sum of coefficients)^2).

        The spectral density at frequency zero of an autoregressive process (Brockwell and Davis, Time Series: Theory
        and Methods (1991), sec. 4.4). Not a number for a class that runs away.
        """
        left = 1.0 - self.coefficients.double().sum(dim=1).numpy()
        noise = self.noise.double().numpy()
        return np.where(left > 0, noise**2 / (2.0 * lag_time * np.where(left > 0, left, 1.0) ** 2), np.nan)


def fit_autoregression(
    trajectories: list[Trajectory], class_names: tuple[str, ...], strides: list[int], k: int
) -> AutoregressivePropagator:
    """Least squares over all beads of a class, axes, times and trajectories; k = 0 is Brownian motion.

    Args:
        trajectories: of beads.
        class_names: of all classes; one that no trajectory has stays put.
        strides: saved frames per lag time, of each trajectory.
        k: past displacements.

    Raises:
        ValueError: if no trajectory is long enough.
    """
    n = len(class_names)
    squares, products = np.zeros((n, k, k)), np.zeros((n, k))
    power, counts = np.zeros(n), np.zeros(n)
    for trajectory, stride in zip(trajectories, strides, strict=True):
        names = trajectory.system.type_names
        row = np.array([class_names.index(name) for name in names])[trajectory.system.particle_type]
        for steps in _windows(trajectory, stride, k):  # [windows, k + 1, beads, 3], the next displacement last
            for c in np.unique(row):
                own = steps[:, :, row == c].transpose(1, 0, 2, 3).reshape(k + 1, -1)
                past, following = own[:k][::-1], own[k]
                squares[c] += past @ past.T
                products[c] += past @ following
                power[c] += following @ following
                counts[c] += len(following)
    if not counts.any():
        raise ValueError(f"no trajectory is long enough for {k} displacements of the past")
    coefficients, noise = np.zeros((n, k)), np.zeros(n)
    for c in np.flatnonzero(counts):
        coefficients[c] = np.linalg.lstsq(squares[c], products[c], rcond=None)[0]
        residual = power[c] - 2 * coefficients[c] @ products[c] + coefficients[c] @ squares[c] @ coefficients[c]
        noise[c] = np.sqrt(max(0.0, float(residual)) / counts[c])
    return AutoregressivePropagator(coefficients, noise)


def _windows(trajectory: Trajectory, stride: int, k: int) -> Iterator[Float64[Array, "windows displacements beads 3"]]:
    """Successive displacements over one lag from every frame on, a bounded number of windows at a time."""
    positions = trajectory.unwrapped_positions
    if trajectory.is_periodic:
        centre = np.einsum("p,fpx->fx", trajectory.system.masses / trajectory.system.masses.sum(), positions)
        positions = positions - centre[:, None]
    n_windows = len(positions) - (k + 1) * stride
    at_once = max(1, 2**22 // (3 * positions.shape[1] * (k + 2)))
    for start in range(0, n_windows, at_once):
        first = np.arange(start, min(start + at_once, n_windows))
        frames = first[:, None] + stride * np.arange(k + 2)
        yield np.diff(positions[frames], axis=1)
