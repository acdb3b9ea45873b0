"""A search that is kept finds what a search anew finds, to the bit; small boxes have the pairs of larger ones."""

import numpy as np
import pytest
import torch
from test_neighbors import CELLS, brute_force, listed

from cgsim.geometry.cutoffs import Cutoffs
from cgsim.geometry.neighbors import NeighborPairs, NeighborSearch, neighbor_pairs

BATCH = ("cubic", "open", "triclinic", "flat")


def walk(cell: np.ndarray, n: int, n_frames: int, step: float, seed: int) -> torch.Tensor:
    """Particles that walk through the cell, and are put back into it by whole cells now and then."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(size=(1, n, 3)) @ (cell if cell.any() else 9.0 * np.eye(3))
    positions = start + np.cumsum(rng.normal(scale=step, size=(n_frames, n, 3)), axis=0)
    return torch.from_numpy(positions + rng.integers(-1, 2, size=(n_frames, n, 3)) @ cell)


def equal(one, other) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("sender", "receiver", "shifts"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", sorted(CELLS))
def test_kept_search_gives_the_pairs_of_a_new_one_bit_for_bit(name, dtype):
    cell = torch.from_numpy(CELLS[name])[None].to(dtype)
    frames = walk(CELLS[name], 25, 40, 0.02, seed=1).to(dtype)
    search = NeighborSearch((25,), cell, Cutoffs.of(4.0), 0.8, largest_box=0)
    for positions in frames:
        assert equal(search.pairs(positions), neighbor_pairs(positions, (25,), cell, 4.0))
    assert search.n_searches < len(frames) / 2


def test_kept_search_of_a_batch_with_marks_has_each_pair_within_the_range_of_its_kind():
    sizes, cutoffs = (12, 7, 9, 5), Cutoffs.of(3.0, 4.0, 7.0)
    cells = torch.from_numpy(np.stack([CELLS[name] for name in BATCH]))
    walks = [walk(CELLS[name], n, 30, 0.02, seed=k) for k, (name, n) in enumerate(zip(BATCH, sizes, strict=True))]
    frames = torch.cat(walks, dim=1)
    frames[20:, 15] -= 30.0
    is_marked = torch.arange(33) % 3 == 0
    is_marked[12:19] = False  # none in the second system
    kept = NeighborSearch(sizes, cells, cutoffs, 0.8, is_marked)
    for positions in frames:
        pairs = kept.pairs(positions)
        assert equal(pairs, NeighborSearch(sizes, cells, cutoffs, 0.0, is_marked).pairs(positions))
        far = neighbor_pairs(positions, sizes, cells, cutoffs.largest)
        lengths = (positions[far.sender] + far.shifts - positions[far.receiver]).norm(dim=-1)
        kind = is_marked[far.sender].int() + is_marked[far.receiver].int()
        near = torch.tensor([(3.0, 4.0, 7.0)[k] for k in kind]) > lengths
        assert equal(pairs, NeighborPairs(far.sender[near], far.receiver[near], far.shifts[near]))
    assert kept.n_searches < len(frames) / 2


def test_kept_search_of_a_batch_is_that_of_a_new_one_even_when_particles_jump():
    sizes = (12, 7, 9, 5)
    cells = torch.from_numpy(np.stack([CELLS[name] for name in BATCH]))
    walks = [walk(CELLS[name], n, 30, 0.02, seed=k) for k, (name, n) in enumerate(zip(BATCH, sizes, strict=True))]
    frames = torch.cat(walks, dim=1)
    frames[12:, 3] += 2.5
    frames[20:, 15] -= 30.0
    search = NeighborSearch(sizes, cells, Cutoffs.of(3.0), 0.8)
    for positions in frames:
        assert equal(search.pairs(positions), neighbor_pairs(positions, sizes, cells, 3.0))
    assert 4 <= search.n_searches < 15


def test_a_skin_is_left_out_where_the_search_would_not_be_kept():
    cell = torch.from_numpy(CELLS["cubic"])[None]
    search = NeighborSearch((25,), cell, Cutoffs.of(3.0), 0.8, largest_box=0)
    frames = walk(CELLS["cubic"], 25, 6, 2.0, seed=3)  # each step is longer than the skin

    def radius_after(positions):
        assert equal(search.pairs(positions), neighbor_pairs(positions, (25,), cell, 3.0))
        return search.cutoffs.plain + search._kept.skin

    assert [radius_after(positions) for positions in frames] == [3.0] * 6
    assert search.n_searches == 6
    # Once particles hardly move, the next search reaches further, and then none is needed.
    rests = frames[-1] + torch.tensor([[[0.1]], [[0.15]], [[0.2]], [[0.25]]])
    assert [radius_after(positions) for positions in rests] == [pytest.approx(3.8)] * 4
    assert search.n_searches == 7


def test_small_boxes_have_the_pairs_of_the_cell_list():
    sizes, cutoffs = (60, 41, 1), Cutoffs.of(2.5, 3.5, 4.4)
    boxes = [np.diag([9.0, 9.0, 9.0]), np.diag([9.0, 14.0, 20.0]), np.diag([10.0, 9.0, 9.0])]
    cells = torch.from_numpy(np.stack(boxes))
    walks = [walk(box, n, 20, 0.3, seed=k) for k, (box, n) in enumerate(zip(boxes, sizes, strict=True))]
    is_marked = torch.arange(102) % 4 == 0
    small = NeighborSearch(sizes, cells, cutoffs, 0.8, is_marked)
    listed = NeighborSearch(sizes, cells, cutoffs, 0.8, is_marked, largest_box=0)
    for positions in torch.cat(walks, dim=1):
        assert equal(small.pairs(positions), listed.pairs(positions))
    assert small.n_searches == 0 < listed.n_searches


@pytest.mark.parametrize(
    ("cell", "cutoff"),
    [(9.0 * np.eye(3), 4.6), (np.array([[9.0, 0.0, 0.0], [3.0, 9.0, 0.0], [0.0, 0.0, 9.0]]), 3.0)],
    ids=["beyond half an edge", "oblique"],
)
def test_boxes_with_other_than_nearest_images_or_oblique_ones_have_a_cell_list(cell, cutoff):
    search = NeighborSearch((12,), torch.from_numpy(cell)[None], Cutoffs.of(cutoff), 0.0)
    positions = walk(cell, 12, 1, 0.1, seed=4)[0]
    assert listed(search.pairs(positions), positions) == brute_force(positions.numpy(), cell, cutoff) != []
    assert search.n_searches == 1


def test_copies_of_a_small_box_share_their_buffers():
    cells, sizes = torch.eye(3).repeat(5, 1, 1) * 9.0, (8,) * 5
    search = NeighborSearch(sizes, cells, Cutoffs.of(3.0), 0.8)
    positions = walk(9.0 * np.eye(3), 8, 1, 0.1, seed=5)[0].repeat(5, 1)
    one = neighbor_pairs(positions[:8], (8,), cells[:1], 3.0)
    assert search.pairs(positions).sender.tolist() == [8 * k + s for k in range(5) for s in one.sender.tolist()]
    assert len({id(box) for small in search._boxes.values() for box in small.boxes}) == 1


@pytest.mark.parametrize("name", sorted(CELLS))
def test_candidates_hold_all_pairs_for_as_long_as_they_say(name):
    cell = torch.from_numpy(CELLS[name])[None]
    positions = walk(CELLS[name], 25, 1, 0.02, seed=2)[0]
    search = NeighborSearch((25,), cell, Cutoffs.of(3.0), 2.0)
    pairs, slack = search.candidates(positions)
    again, _ = search.candidates(positions + 0.01)
    assert again.sender is pairs.sender
    direction = torch.randn(25, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    reached = min(slack, 10.0)
    moved = positions + 0.999 * reached * direction / direction.norm(dim=-1, keepdim=True)
    vectors = moved[pairs.sender] + pairs.shifts - moved[pairs.receiver]
    near = vectors.norm(dim=-1) < 3.0
    expected = neighbor_pairs(moved, (25,), cell, 3.0)
    found = sorted(zip(pairs.receiver[near].tolist(), pairs.sender[near].tolist(), strict=True))
    assert found == sorted(zip(expected.receiver.tolist(), expected.sender.tolist(), strict=True))
