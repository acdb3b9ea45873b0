"""Stores with velocities: Langevin ions, whose positions and velocities are drawn together, exactly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from ion_stores import EDGE, electrolyte
from scipy import signal
from small_stores import trajectory

from cgsim.trajectory import System
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem

FRICTION, SPREAD, STEP = 1.0, 4.0, 0.4  # 1/ps, A^2/ps^2, ps: each ion diffuses with 4 A^2/ps
DIFFUSION = SPREAD / FRICTION
FOLDED = 0.5 * FRICTION * STEP / np.tanh(0.5 * FRICTION * STEP)  # a sum over velocities exceeds their integral by 1.3 %


def langevin(frames: int, particles: int, generator: np.random.Generator, step: float = STEP) -> tuple[np.ndarray, ...]:
    """Positions and velocities of free Langevin particles (Chandrasekhar, Rev. Mod. Phys. 15, 1 (1943))."""
    decay, x = np.exp(-FRICTION * step), FRICTION * step
    moments = [[1 - decay**2, (1 - decay) ** 2 / FRICTION], [0, (2 * x - 3 + 4 * decay - decay**2) / FRICTION**2]]
    moments[1][0] = moments[0][1]
    kicks = generator.normal(size=(frames, particles, 3, 2)) @ np.linalg.cholesky(SPREAD * np.array(moments)).T
    kicks[0, ..., 0] = generator.normal(scale=np.sqrt(SPREAD), size=(particles, 3))
    velocities = signal.lfilter([1.0], [1.0, -decay], kicks[..., 0], axis=0)
    steps = (1 - decay) / FRICTION * velocities[:-1] + kicks[1:, ..., 1]
    start = generator.uniform(0, EDGE, size=(1, particles, 3))
    positions = np.concatenate([start, start + np.cumsum(steps, axis=0)])
    return positions, velocities


def moving_store(
    path: Path,
    counts: dict[str, int],
    frames: int = 2000,
    seed: int = 0,
    *,
    step: float = STEP,
    drift: float = 0.0,
    n_solvent: int = 8,
) -> Path:
    """Free ions in a solvent that rests, in a box that may drift as a whole."""
    system = electrolyte(counts, n_solvent)
    n = sum(counts.values())
    positions, velocities = langevin(frames, n, np.random.default_rng(seed), step)
    time = step * np.arange(frames)[:, None, None]
    rest = np.random.default_rng(1).uniform(0, EDGE, size=(n_solvent, 3))
    positions = np.concatenate([positions, np.broadcast_to(rest, (frames, n_solvent, 3))], axis=1) + drift * time
    velocities = np.concatenate([velocities, np.zeros((frames, n_solvent, 3))], axis=1) + drift
    return write_moving(path, system, positions, velocities, step)


def molecular_salt(n: int) -> System:
    """Hydroxide, of two atoms and -1, and sodium; the charge is on the oxygen, the mass not all of it."""
    first = 2 * np.arange(n)
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.concatenate([np.tile([0, 1], n), np.full(n, 2)]),
        type_names=("O", "H", "Na"),
        names=("O", "H") * n + ("Na",) * n,
        atomic_numbers=np.concatenate([np.tile([8, 1], n), np.full(n, 11)]),
        masses=np.concatenate([np.tile([15.999, 1.008], n), np.full(n, 22.99)]),
        charges=np.concatenate([np.tile([-1.1, 0.1], n), np.ones(n)]),
        bond_index=np.stack([first, first + 1]),
        molecule_id=np.concatenate([np.repeat(np.arange(n), 2), n + np.arange(n)]),
    )


def write_moving(
    path: Path, system: System, positions: np.ndarray, velocities: np.ndarray, step: float = STEP, edge: float = EDGE
) -> Path:
    """Write a store of these."""
    made = trajectory(system, positions, np.eye(3) * edge, step)
    write_store(path, replace(made, velocities=velocities.astype(np.float32)))
    return path
