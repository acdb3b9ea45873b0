"""Motion with known answers, for the tests of observables."""

import numpy as np
from scipy import linalg, signal


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


def rouse_modes_of(n_beads: int, bond: float, slowest: float) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes <X_p^2> and relaxation times of a harmonic Rouse chain; bond is the root mean square of one."""
    p = np.arange(1, n_beads)
    squared_sine = np.sin(0.5 * np.pi * p / n_beads) ** 2
    return bond**2 / (8 * n_beads * squared_sine), slowest * squared_sine[0] / squared_sine


def rouse_chains(frames: int, chains: int, n_beads: int, bond: float, slowest: float, seed: int) -> np.ndarray:
    """Harmonic Rouse chains, [frames, chains, beads, 3]: exact Ornstein-Uhlenbeck processes in the space of modes."""
    generator = np.random.default_rng(seed)
    amplitude, time = rouse_modes_of(n_beads, bond, slowest)
    spread, memory = np.sqrt(amplitude / 3)[:, None], np.exp(-1 / time)[:, None]
    modes = spread * generator.normal(size=(frames, chains, n_beads - 1, 3))
    modes[1:] *= np.sqrt(1 - memory**2)
    for p, own in enumerate(memory[:, 0]):
        modes[:, :, p] = signal.lfilter([1.0], [1.0, -own], modes[:, :, p], axis=0)
    numbers = np.arange(1, n_beads)[:, None]
    waves = np.cos(numbers * np.pi * (np.arange(n_beads) + 0.5) / n_beads)
    return 2 * np.einsum("fcpx,pb->fcbx", modes, waves)


def two_state(series: int, frames: int, form: float, part: float, generator: np.random.Generator) -> np.ndarray:
    """Contacts that form and break as a Markov process with these probabilities a frame, [series, frames]."""
    state = np.empty((series, frames), dtype=bool)
    state[:, 0] = generator.random(series) < form / (form + part)
    for t in range(1, frames):
        draw = generator.random(series)
        state[:, t] = np.where(state[:, t - 1], draw >= part, draw < form)
    return state


def ornstein_uhlenbeck(
    drift: np.ndarray, covariance: np.ndarray, step: float, shape: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    """Stationary Gaussian process dx = -A x dt + noise of a given covariance, [*shape, variables]; time comes first.

    Exact at any step: x(t + dt) = F x(t) + kick with F = exp(-A dt), and kicks of covariance C - F C F^T.
    """
    forward = linalg.expm(-drift * step)
    kick = covariance - forward @ covariance @ forward.T
    values, vectors = np.linalg.eigh(kick)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    state = np.empty((*shape, len(drift)))
    state[0] = generator.normal(size=(*shape[1:], len(drift))) @ np.linalg.cholesky(covariance).T
    noise = generator.normal(size=state.shape) @ root.T
    for t in range(1, shape[0]):
        state[t] = state[t - 1] @ forward.T + noise[t]
    return state


def sampled_integral(drift: np.ndarray, covariance: np.ndarray, step: float) -> np.ndarray:
    """Sum over the correlations of such a process at intervals of the step, by the trapezoidal rule, to infinity."""
    forward, unit = linalg.expm(-drift * step), np.eye(len(drift))
    return np.asarray(step * (0.5 * unit + forward @ np.linalg.inv(unit - forward)) @ covariance)


def langevin(
    frames: int, particles: int, friction: float, spread: float, step: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities of free underdamped Langevin particles, exact at any step; D = spread / friction.

    Velocities forget as exp(-friction t) with variance ``spread`` along each axis; the joint kicks of velocity and
    position are those of Chandrasekhar, Rev. Mod. Phys. 15, 1 (1943), eqs. 171 to 175.
    """
    decay = np.exp(-friction * step)
    x = friction * step
    of_velocity = spread * (1 - decay**2)
    of_position = spread / friction**2 * (2 * x - 3 + 4 * decay - decay**2)
    joint = spread / friction * (1 - decay) ** 2
    root = np.linalg.cholesky([[of_velocity, joint], [joint, of_position]])
    kicks = generator.normal(size=(frames, particles, 3, 2)) @ root.T
    kicks[0, ..., 0] = generator.normal(scale=np.sqrt(spread), size=(particles, 3))
    velocities = signal.lfilter([1.0], [1.0, -decay], kicks[..., 0], axis=0)
    steps = (1 - decay) / friction * velocities[:-1] + kicks[1:, ..., 1]
    positions = np.concatenate([np.zeros((1, particles, 3)), np.cumsum(steps, axis=0)])
    return positions, velocities
