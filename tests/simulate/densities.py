"""One-dimensional densities, applied to every coordinate alike, with exact denoisers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """Gaussian mixture."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]

    def log_density(self, x: Tensor, noise_level: float = 0.0) -> Tensor:
        """Of the data with Gaussian noise of some level added."""
        return torch.logsumexp(self._log_terms(x, noise_level), dim=-1)

    def denoise(self, y: Tensor, noise_level: float) -> Tensor:
        """Posterior mean of the data: every component shrinks to its mean, weighted by its responsibility."""
        means, variances = _double(self.means), _double(self.stds).square()
        gain = variances / (variances + noise_level**2)
        responsibility = torch.softmax(self._log_terms(y, noise_level), dim=-1)
        return (responsibility * (means + gain * (y[..., None] - means))).sum(-1)

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
        """Exact samples."""
        which = rng.choice(len(self.weights), size=shape, p=self.weights)
        return torch.from_numpy(rng.normal(np.array(self.means)[which], np.array(self.stds)[which]))

    def cumulative(self, x: Tensor) -> Tensor:
        """Distribution function of the data."""
        normal = torch.distributions.Normal(_double(self.means), _double(self.stds))
        return (normal.cdf(x[..., None]) * _double(self.weights)).sum(-1)

    def _log_terms(self, x: Tensor, noise_level: float) -> Tensor:
        spread = (_double(self.stds).square() + noise_level**2).sqrt()
        normal = torch.distributions.Normal(_double(self.means), spread)
        return normal.log_prob(x[..., None]) + _double(self.weights).log()


class Quartic:
    """The density proportional to exp(-x^4), by quadrature; the denoiser is tabulated once per noise level."""

    def __init__(self) -> None:
        self.x = torch.linspace(-3.0, 3.0, 301, dtype=torch.float64)  # exp(-81) beyond
        self.probability = torch.exp(-self.x.pow(4))
        self.probability /= self.probability.sum()
        self._tables: dict[float, tuple[Tensor, Tensor]] = {}

    def denoise(self, y: Tensor, noise_level: float) -> Tensor:
        """Posterior mean of the data."""
        if noise_level not in self._tables:
            grid = torch.linspace(-3.0 - 8.0 * noise_level, 3.0 + 8.0 * noise_level, 401, dtype=torch.float64)
            self._tables[noise_level] = (grid, self._posterior_mean(grid, noise_level))
        grid, values = self._tables[noise_level]
        place = (y - grid[0]) / (grid[1] - grid[0])
        below = place.floor().clamp(0, len(grid) - 2)
        at = below.long()
        return values[at] + (place - below) * (values[at + 1] - values[at])

    def _posterior_mean(self, y: Tensor, noise_level: float) -> Tensor:
        if noise_level > 0.2:  # the noise is wide against the spacing of the nodes
            logits = -self.x.pow(4) - 0.5 * ((y[:, None] - self.x) / noise_level).square()
            return torch.softmax(logits, dim=-1) @ self.x
        nodes, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(30))
        x = y[:, None] + noise_level * nodes
        posterior = torch.softmax(-x.pow(4) + weights.log(), dim=-1)
        return (posterior * x).sum(-1)

    def sample(self, shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
        """Samples by inversion."""
        return torch.from_numpy(np.interp(rng.uniform(size=shape), self._steps(), self.x.numpy()))

    def cumulative(self, x: Tensor) -> Tensor:
        """Distribution function."""
        return torch.from_numpy(np.interp(x.numpy(), self.x.numpy(), self._steps()))

    def _steps(self) -> np.ndarray:
        """Distribution function at the nodes, by the trapezoidal rule."""
        return (self.probability.cumsum(0) - 0.5 * self.probability).numpy()


def distance(samples: Tensor, cumulative: Callable[[Tensor], Tensor]) -> float:
    """Kolmogorov-Smirnov distance of samples from a distribution."""
    ordered = samples.ravel().sort().values
    n = len(ordered)
    expected = cumulative(ordered)
    above = (torch.arange(1, n + 1) / n - expected).max()
    below = (expected - torch.arange(n) / n).max()
    return float(torch.maximum(above, below))


def _double(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
