"""Small systems for the tests of this folder."""

import numpy as np

from cgsim.trajectory import System, Trajectory
from cgsim.units import UnitSystem

ORTHORHOMBIC = np.diag([10.0, 12.0, 14.0])
TRICLINIC = np.array([[10.0, 0.0, 0.0], [3.0, 11.0, 0.0], [-2.0, 4.0, 12.0]])


def chains_and_ion(n_chains: int = 2, length: int = 3) -> System:
    """Short carbon chains and one lithium ion, with names that are not plain ASCII."""
    n = n_chains * length + 1
    bonds = [[c * length + i, c * length + i + 1] for c in range(n_chains) for i in range(length - 1)]
    molecule = np.append(np.repeat(np.arange(n_chains), length), n_chains)
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.append(np.zeros(n - 1, dtype=np.int64), 1),
        type_names=("c3", "Li⁺"),
        names=(*(f"Cα{i}" for i in range(n - 1)), "Li"),
        atomic_numbers=np.append(np.full(n - 1, 6), 3),
        masses=np.append(np.full(n - 1, 12.011), 6.94),
        charges=np.append(np.full(n - 1, -1.0 / (n - 1)), 1.0),
        bond_index=np.array(bonds, dtype=np.int64).reshape(-1, 2).T.copy(),
        molecule_id=molecule,
    )


def random_trajectory(system: System, n_frames: int, cell: np.ndarray, seed: int = 0) -> Trajectory:
    """Uniform positions in the cell with arbitrary images."""
    rng = np.random.default_rng(seed)
    shape = (n_frames, system.n_particles, 3)
    cells = np.broadcast_to(cell, (n_frames, 3, 3)).copy()
    wrapped = (rng.random(shape) @ cells).astype(np.float32)
    images = rng.integers(-1000, 1000, shape).astype(np.int32) * bool(cells.any())
    return Trajectory(system, wrapped, images.astype(np.int32), cells, 1.5 * np.arange(n_frames, dtype=np.float64))


def moving_chains(
    cell: np.ndarray, n_frames: int = 5, n_chains: int = 3, length: int = 20, seed: int = 0
) -> tuple[System, np.ndarray]:
    """Chains longer than the cell whose bonds stay below 0.2 of it and steps below 0.15, and one ion that moves as far.

    Returns:
        The system and unwrapped positions [frames, particles, 3].
    """
    rng = np.random.default_rng(seed)
    system = chains_and_ion(n_chains, length)
    bonds = rng.uniform(-0.2, 0.2, (n_frames, n_chains, length - 1, 3))
    starts = rng.uniform(0, 1, (1, n_chains, 1, 3)) + np.cumsum(rng.uniform(-0.14, 0.14, (n_frames, n_chains, 1, 3)), 0)
    # Bonds persist over time, apart from small changes, so that the centre of a chain moves by less than 0.15.
    bonds = bonds[:1] + 0.01 * (bonds - bonds[:1])
    chains = starts + np.concatenate([np.zeros((n_frames, n_chains, 1, 3)), np.cumsum(bonds, axis=2)], axis=2)
    ion = rng.uniform(0, 1, 3) + np.cumsum(rng.uniform(-0.15, 0.15, (n_frames, 1, 3)), axis=0)
    fractional = np.concatenate([chains.reshape(n_frames, -1, 3), ion], axis=1)
    return system, fractional @ cell
