import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from systems import OPEN, TRICLINIC

from cgsim.geometry.neighbors import NeighborPairs, neighbor_pairs

CUBIC = np.diag([9.0, 9.0, 9.0])
FLAT = np.array([[20.0, 0.0, 0.0], [9.5, 6.0, 0.0], [0.0, 0.0, 5.0]])  # strongly skewed and thin
CELLS = {"open": OPEN, "cubic": CUBIC, "triclinic": TRICLINIC, "flat": FLAT}


def brute_force(positions: np.ndarray, cell: np.ndarray, cutoff: float) -> list[tuple[int, int, tuple[float, ...]]]:
    """Receiver, sender and vector of every pair, by trying every image that could reach."""
    n_images = [0, 0, 0]
    if cell.any():
        heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        fractional = positions @ np.linalg.inv(cell)
        extent = np.ptp(fractional, axis=0)
        n_images = [math.ceil(cutoff / h + e) for h, e in zip(heights, extent, strict=True)]
    offsets = np.array(list(itertools.product(*(range(-n, n + 1) for n in n_images))))
    vectors = (offsets @ cell)[:, None, None] + positions[None, None] - positions[None, :, None]
    close = np.linalg.norm(vectors, axis=-1) < cutoff
    close[~offsets.any(axis=1)] &= ~np.eye(len(positions), dtype=bool)
    _, receiver, sender = np.nonzero(close)
    rounded = np.round(vectors[close], 3) + 0.0
    return sorted(zip(receiver.tolist(), sender.tolist(), map(tuple, rounded.tolist()), strict=True))


def brute_force_away_from_cutoff(
    positions: np.ndarray, cell: np.ndarray, cutoff: float
) -> list[tuple[int, int, tuple[float, ...]]]:
    """The same; leaves out a drawn case with a pair at the cutoff, where rounding decides whether it is within."""
    found = brute_force(positions, cell, cutoff * (1 + 1e-9))
    assume(found == brute_force(positions, cell, cutoff * (1 - 1e-9)))
    return found


def listed(pairs: NeighborPairs, positions: torch.Tensor) -> list[tuple[int, int, tuple[float, ...]]]:
    vectors = positions[pairs.sender] + pairs.shifts - positions[pairs.receiver]
    rounded = np.round(vectors.double().numpy(), 3) + 0.0
    return sorted(zip(pairs.receiver.tolist(), pairs.sender.tolist(), map(tuple, rounded.tolist()), strict=True))


@given(
    name=st.sampled_from(sorted(CELLS)),
    n=st.integers(1, 12),
    cutoff=st.floats(0.5, 14.0),
    far=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_neighbour_list_is_that_of_brute_force(name, n, cutoff, far, seed):
    # The cutoff goes beyond half of every cell here, and positions up to three cells out of it.
    rng = np.random.default_rng(seed)
    cell = CELLS[name]
    positions = rng.uniform(-far, far + 1.0, size=(n, 3)) @ (cell if cell.any() else 10.0 * np.eye(3))
    tensor = torch.from_numpy(positions)
    pairs = neighbor_pairs(tensor, (n,), torch.from_numpy(cell)[None], cutoff)
    assert listed(pairs, tensor) == brute_force_away_from_cutoff(positions, cell, cutoff)
    assert pairs.receiver.tolist() == sorted(pairs.receiver.tolist())


@given(
    names=st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
    cutoff=st.floats(1.0, 6.0),
)
@settings(max_examples=30, deadline=None)
def test_batch_has_the_pairs_of_its_systems_and_none_between_them(names, seed, cutoff):
    # All systems lie on top of each other, so any pair between two of them would be found.
    rng = np.random.default_rng(seed)
    sizes = tuple(int(k) for k in rng.integers(1, 8, size=len(names)))
    systems = [rng.uniform(0.0, 8.0, size=(n, 3)) for n in sizes]
    cells = np.stack([CELLS[name] for name in names])
    together = torch.from_numpy(np.concatenate(systems))
    pairs = neighbor_pairs(together, sizes, torch.from_numpy(cells), cutoff)
    expected = []
    for k, (positions, cell) in enumerate(zip(systems, cells, strict=True)):
        start = sum(sizes[:k])
        found = brute_force_away_from_cutoff(positions, cell, cutoff)
        expected += [(i + start, j + start, v) for i, j, v in found]
    assert listed(pairs, together) == expected
    assert pairs.receiver.tolist() == sorted(pairs.receiver.tolist())


@pytest.mark.parametrize("sizes", [(1,), (5,), (1, 4, 2)])
def test_infinite_cutoff_connects_everything_in_open_systems(sizes):
    positions = torch.randn(sum(sizes), 3, generator=torch.Generator().manual_seed(0))
    pairs = neighbor_pairs(positions, sizes, torch.zeros(len(sizes), 3, 3), math.inf)
    assert len(pairs.sender) == sum(n * (n - 1) for n in sizes)
    assert not pairs.shifts.any()


def test_one_particle_sees_its_own_images_and_nothing_else():
    cell = torch.from_numpy(CUBIC)
    here = torch.tensor([[100.0, -50.0, 3.0]], dtype=torch.float64)
    assert len(neighbor_pairs(here, (1,), cell[None], 8.9).sender) == 0
    assert len(neighbor_pairs(here, (1,), cell[None], 9.1).sender) == 6
    assert len(neighbor_pairs(here, (1,), torch.zeros_like(cell)[None], 9.1).sender) == 0


def test_single_precision_finds_the_same_pairs_a_thousand_cells_away():
    # float32 resolves 1e-3 at 9,000: pairs are compared where no distance lies within that of the cutoff.
    rng = np.random.default_rng(3)
    near = rng.uniform(0.0, 9.0, size=(30, 3))
    images = rng.integers(-1000, 1000, size=(30, 3))
    far = torch.from_numpy(near + images @ CUBIC).float()
    distances = np.array([np.linalg.norm(v) for *_, v in brute_force(near, CUBIC, 4.0)])
    gaps = np.sort(distances[distances > 2.5])
    widest = np.argmax(np.diff(gaps))
    cutoff = float(gaps[widest : widest + 2].mean())
    assert np.diff(gaps)[widest] > 0.01
    pairs = neighbor_pairs(far, (30,), torch.from_numpy(CUBIC).float()[None], cutoff)
    expected = [(i, j) for i, j, _ in brute_force(near, CUBIC, cutoff)]
    assert sorted(zip(pairs.receiver.tolist(), pairs.sender.tolist(), strict=True)) == sorted(expected)
