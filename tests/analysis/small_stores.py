"""Small stores with known answers, for the tests of this folder."""

from pathlib import Path

import numpy as np
import torch

from cgsim.geometry.periodic import wrap
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem

CELL = np.array([[20.0, 0.0, 0.0], [4.0, 19.0, 0.0], [-3.0, 5.0, 21.0]])
D_CATION, D_ANION = 0.3, 0.6  # A^2/ps
STEP = 2.0  # ps


def salt(n: int, *, beads: bool = False, charge: float = 0.7) -> System:
    """``n`` Na and ``n`` Cl with scaled charges, as atoms or as beads."""
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.repeat([0, 1], n),
        type_names=("Na", "Cl"),
        names=("Na",) * n + ("Cl",) * n,
        atomic_numbers=np.repeat([0, 0] if beads else [11, 17], n),
        masses=np.repeat([22.99, 35.45], n),
        charges=np.repeat([charge, -charge], n),
        bond_index=np.zeros((2, 0), dtype=np.int64),
        molecule_id=np.arange(2 * n),
    )


def chains(n_chains: int, length: int, units: UnitSystem = UnitSystem.LJ) -> System:
    """Bead-spring chains of two types of bead."""
    n = n_chains * length
    first = np.arange(n).reshape(n_chains, length)
    return System(
        units=units,
        particle_type=np.arange(n) % length % 2,
        type_names=("1", "2"),
        names=tuple(str(1 + i % length % 2) for i in range(n)),
        atomic_numbers=np.zeros(n, dtype=np.int64),
        masses=np.ones(n),
        charges=np.zeros(n),
        bond_index=np.stack([first[:, :-1].ravel(), first[:, 1:].ravel()]),
        molecule_id=np.repeat(np.arange(n_chains), length),
    )


def trajectory(system: System, unwrapped: np.ndarray, cell: np.ndarray, step: float = STEP) -> Trajectory:
    """Wrap positions into a trajectory; a cell of zeros stands for open boundaries."""
    frames = len(unwrapped)
    cells = np.broadcast_to(cell, (frames, 3, 3)).copy()
    wrapped, images = wrap(torch.from_numpy(unwrapped), torch.from_numpy(cells))
    return Trajectory(
        system, wrapped.numpy().astype(np.float32), images.numpy(), cells, step * np.arange(frames, dtype=np.float64)
    )


def salt_motion(n: int, frames: int, seed: int, drift: float = 0.0) -> np.ndarray:
    """Brownian ions with the diffusion coefficients above, in a box that may drift at a constant velocity."""
    generator = np.random.default_rng(seed)
    spread = np.sqrt(2 * STEP * np.repeat([D_CATION, D_ANION], n))[:, None]
    steps = generator.normal(size=(frames, 2 * n, 3)) * spread
    steps[0] = generator.uniform(0, 20, size=(2 * n, 3))
    return steps.cumsum(axis=0) + drift * np.arange(frames)[:, None, None]


def salt_store(
    path: Path, n: int = 20, frames: int = 200, seed: int = 0, drift: float = 0.0, *, beads: bool = False
) -> Path:
    """Write a store of Brownian ions."""
    write_store(path, trajectory(salt(n, beads=beads), salt_motion(n, frames, seed, drift), CELL))
    return path


def relaxing_chains(n_chains: int, length: int, frames: int, memory: float, seed: int) -> np.ndarray:
    """Gaussian chains (bond 1 along each axis) whose bonds forget as an AR(1), and whose first beads diffuse."""
    generator = np.random.default_rng(seed)
    bonds = np.empty((frames, n_chains, length, 3))
    bonds[0] = generator.normal(size=(n_chains, length, 3))
    for t in range(1, frames):
        kick = generator.normal(size=(n_chains, length, 3))
        bonds[t] = memory * bonds[t - 1] + np.sqrt(1 - memory**2) * kick
    start = generator.normal(scale=0.3, size=(frames, n_chains, 3)).cumsum(axis=0)
    bonds[:, :, 0] = start
    return bonds.cumsum(axis=2).reshape(frames, n_chains * length, 3)


def chain_store(path: Path, n_chains: int = 6, length: int = 8, frames: int = 600, seed: int = 0) -> Path:
    """Write a store of chains with open boundaries, in reduced units."""
    motion = relaxing_chains(n_chains, length, frames, 0.7, seed)
    write_store(path, trajectory(chains(n_chains, length), motion, np.zeros((3, 3)), step=5.0))
    return path
