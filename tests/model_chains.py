"""Chains whose statistics are known in closed form."""

import numpy as np


def freely_rotating(n_bonds: int, chains: int, bond: float, cosine: float, seed: int) -> np.ndarray:
    """Chains whose bonds make a fixed angle with the one before and turn freely about it, [chains, bonds + 1, 3]."""
    generator = np.random.default_rng(seed)
    direction = generator.normal(size=(chains, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    steps = [direction]
    for _ in range(n_bonds - 1):
        across = np.cross(direction, generator.normal(size=(chains, 3)))
        across /= np.linalg.norm(across, axis=-1, keepdims=True)
        direction = cosine * direction + np.sqrt(1 - cosine**2) * across
        steps.append(direction)
    bonds = bond * np.stack(steps, axis=1)
    return np.concatenate([np.zeros((chains, 1, 3)), np.cumsum(bonds, axis=1)], axis=1)
