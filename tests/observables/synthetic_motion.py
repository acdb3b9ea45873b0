"""Motion with known answers, for the tests of observables."""

import numpy as np


def brownian(frames: int, particles: int, variance: float, seed: int) -> np.ndarray:
    """Random walks, [frames, particles, 3], with the given variance of a step along an axis."""
    steps = np.random.default_rng(seed).normal(scale=np.sqrt(variance), size=(frames, particles, 3))
    steps[0] = 0
    return np.cumsum(steps, axis=0)


def caged(frames: int, particles: int, step: float, spread: float, memory: float, seed: int) -> np.ndarray:
    """A cage that walks (variance ``step`` a frame and axis) and a particle that rattles in it.

    The rattle is an AR(1) of variance ``spread`` with coefficient ``memory``: MSD = 3 step t + 6 spread (1 - memory^t).
    """
    generator = np.random.default_rng(seed)
    rattle = np.empty((frames, particles, 3))
    rattle[0] = generator.normal(scale=np.sqrt(spread), size=(particles, 3))
    kicks = generator.normal(scale=np.sqrt(spread * (1 - memory**2)), size=(frames, particles, 3))
    for t in range(1, frames):
        rattle[t] = memory * rattle[t - 1] + kicks[t]
    walk = generator.normal(scale=np.sqrt(step), size=(frames, particles, 3)).cumsum(axis=0)
    return np.asarray(walk + rattle)


def first_order_autoregression(phi: float, n: int, n_series: int, generator: np.random.Generator) -> np.ndarray:
    """Stationary AR(1) of unit innovation variance, [n, n_series]."""
    series = np.empty((n, n_series))
    series[0] = generator.normal(size=n_series) / np.sqrt(1 - phi**2)
    for t in range(1, n):
        series[t] = phi * series[t - 1] + generator.normal(size=n_series)
    return series
