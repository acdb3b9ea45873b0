"""Stores of ions with known collective motion, in a solvent that takes up their momentum."""

from pathlib import Path
from typing import Any

import numpy as np
from small_stores import STEP, trajectory

from cgsim.trajectory import System
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem

EDGE = 40.0
SOLVENT_MASS = 200.0
NAMES = {"Na": (11, 22.99, 1.0), "K": (19, 39.1, 1.0), "Ca": (20, 40.08, 2.0), "Cl": (17, 35.45, -1.0)}


def electrolyte(counts: dict[str, int], n_solvent: int) -> System:
    """Single-atom ions and a solvent of single heavy atoms (Xe) without a charge."""
    names = [name for name, n in counts.items() for _ in range(n)] + ["Xe"] * n_solvent
    kinds = [*counts, "Xe"]
    table = {**NAMES, "Xe": (54, SOLVENT_MASS, 0.0)}
    n = len(names)
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.array([kinds.index(name) for name in names]),
        type_names=tuple(kinds),
        names=tuple(names),
        atomic_numbers=np.array([table[name][0] for name in names]),
        masses=np.array([table[name][1] for name in names]),
        charges=np.array([table[name][2] for name in names]),
        bond_index=np.zeros((2, 0), dtype=np.int64),
        molecule_id=np.arange(n),
    )


def correlated_motion(
    counts: dict[str, int], n_solvent: int, coefficients: np.ndarray, frames: int, seed: int
) -> np.ndarray:
    """Ions whose summed positions have <dR_i . dR_j> = 6 D_ij t (D in Å^2/ps), each with a motion of its own as well.

    What an ion does by itself is taken out of the sum, so that the sums are exactly those drawn; the solvent takes up
    the momentum, so that the centre of mass of the box rests.
    """
    generator = np.random.default_rng(seed)
    sizes = np.array(list(counts.values()))
    shape = (frames, len(sizes), 3)
    sums = np.einsum("ij,fjx->fix", np.linalg.cholesky(2 * STEP * coefficients), generator.normal(size=shape))
    steps = []
    for k, n in enumerate(sizes):
        own = generator.normal(size=(frames, n, 3))
        own -= own.mean(axis=1, keepdims=True)
        steps.append(own + sums[:, [k]] / n)
    solvent = generator.normal(size=(frames, n_solvent, 3)) * 0.3
    momentum = sum(NAMES[name][1] * sums[:, k] for k, name in enumerate(counts))
    solvent += -solvent.mean(axis=1, keepdims=True) - momentum[:, None] / (n_solvent * SOLVENT_MASS)
    everything = np.concatenate([*steps, solvent], axis=1)
    everything[0] = generator.uniform(0, EDGE, size=everything.shape[1:])
    return np.asarray(everything.cumsum(axis=0))


def electrolyte_store(
    path: Path,
    counts: dict[str, int],
    coefficients: np.ndarray,
    frames: int = 400,
    seed: int = 0,
    n_solvent: int = 30,
    cell: np.ndarray | None = None,
    **documents: Any,
) -> Path:
    """Write such a store."""
    motion = correlated_motion(counts, n_solvent, coefficients, frames, seed)
    box = np.eye(3) * EDGE if cell is None else cell
    write_store(path, trajectory(electrolyte(counts, n_solvent), motion, box), documents=documents)
    return path
