from dataclasses import replace

import numpy as np
import pytest
import torch
from systems import OPEN

from cgsim.graph import BeadBatch
from cgsim.simulate.guard import Guard
from cgsim.simulate.stability import TrainingRange

CUBIC = np.eye(3) * 12.0
RANGE = TrainingRange(longest_bond=1.5, closest_pair=((1.0, 2.0), (2.0, 0.0)))


def chains(masses: tuple[float, ...] = (1.0, 1.0, 1.0)) -> tuple[torch.Tensor, BeadBatch]:
    """Two chains of three beads on top of each other, one of them in a cell; classes 0, 0 and 1."""
    positions = torch.zeros(6, 3, dtype=torch.float64)
    positions[:, 0] = torch.tensor([0.0, 1.2, 2.4] * 2)
    positions[2::3, 1] = 1.0
    positions[1::3, 1] = -0.8
    batch = BeadBatch(
        sizes=(3, 3),
        bead_class=torch.tensor([0, 0, 1] * 2),
        masses=torch.tensor(masses * 2, dtype=torch.float64),
        bond_index=torch.tensor([[0, 3], [1, 4]]),
        cell=torch.from_numpy(np.stack([OPEN, CUBIC])),
        embedding=torch.zeros(6, 1),
        bond_embedding=torch.zeros(2, 2, 0),
    )
    return positions, batch


def guard() -> Guard:
    return Guard([RANGE], torch.device("cpu"))


def centres(positions: torch.Tensor, batch: BeadBatch) -> torch.Tensor:
    weighted = batch.masses[:, None] * positions
    return torch.stack([weighted[:3].sum(0) / batch.masses[:3].sum(), weighted[3:].sum(0) / batch.masses[3:].sum()])


def test_configuration_within_the_range_of_the_data_is_left_alone():
    positions, batch = chains()
    kept, moved = guard()(positions, positions, batch)
    assert torch.equal(kept, positions)
    assert moved.tolist() == [0, 0]


@pytest.mark.parametrize("masses", [(1.0, 1.0, 1.0), (1.0, 7.0, 20.0)], ids=["equal", "unequal"])
def test_close_pairs_come_apart_to_the_closest_approach_of_their_classes_and_the_centre_stays(masses):
    present, batch = chains(masses)
    drawn = present.clone()
    drawn[1] = drawn[0] + torch.tensor([0.3, 0.0, 0.0])
    drawn[5] = drawn[4] + torch.tensor([0.0, 0.9, 0.0])
    kept, moved = guard()(drawn, present, batch)
    assert (kept[1] - kept[0]).norm() >= 1.0 * (1 - 2e-3)
    assert (kept[5] - kept[4]).norm() >= 2.0 * (1 - 2e-3)
    assert moved.min() >= 2
    torch.testing.assert_close(centres(kept, batch), centres(drawn, batch))


def test_light_beads_give_way():
    present, batch = chains((1.0, 9.0, 1.0))
    drawn = present.clone()
    drawn[2] += 30.0
    drawn[1] = drawn[0] + torch.tensor([0.5, 0.0, 0.0])
    kept, _ = guard()(drawn, present, batch)
    went = (kept - drawn).norm(dim=-1)
    assert float(went[0] / went[1]) == pytest.approx(9.0)


def test_long_bonds_are_pulled_together_in_the_image_that_they_have():
    # A bond stretched over half the cell must come back to its own partner, not to the nearest image.
    present, batch = chains()
    drawn = present.clone()
    drawn[3] -= torch.tensor([7.0, 0.0, 0.0])
    drawn[0] -= torch.tensor([7.0, 0.0, 0.0])
    kept, moved = guard()(drawn, present, batch)
    for i, j in ((0, 1), (3, 4)):
        assert (kept[j] - kept[i]).norm() == pytest.approx(1.5, rel=2e-3)
        assert (kept[j] - kept[i])[0] > 0
    assert moved.min() >= 2
    # The same in other images of the cell.
    shift = torch.zeros(6, 3, dtype=torch.float64)
    shift[4] = 12.0
    moved_too, _ = guard()(drawn + shift, present + shift, batch)
    torch.testing.assert_close(moved_too - shift, kept)


def test_pairs_are_measured_across_the_boundary():
    present, batch = chains()
    drawn = present.clone()
    drawn[3:] += torch.tensor([0.2, 5.0, 5.0])
    drawn[5] = drawn[3] + torch.tensor([12.0 - 0.5, 0.0, 0.0])
    kept, _ = guard()(drawn, present, batch)
    assert (kept[5] - kept[3] - torch.tensor([12.0, 0.0, 0.0])).norm() >= 2.0 * (1 - 2e-3)


def test_classes_never_seen_together_are_not_kept_apart():
    positions, batch = chains()
    batch = replace(
        batch,
        bead_class=torch.ones(6, dtype=torch.int64),
        bond_index=torch.zeros(2, 0, dtype=torch.int64),
        bond_embedding=torch.zeros(2, 0, 0),
    )
    kept, _ = guard()(positions * 0.01, positions, batch)
    assert torch.equal(kept, positions * 0.01)


def test_every_system_is_kept_in_its_own_range():
    present, batch = chains()
    drawn = present.clone()
    drawn[1::3] = drawn[0::3] + torch.tensor([0.3, 0.0, 0.0])
    drawn[2::3] = drawn[0::3] + torch.tensor([0.0, 9.0, 0.0])
    wider = TrainingRange(longest_bond=3.0, closest_pair=((1.8, 2.0), (2.0, 0.0)))
    kept, _ = Guard([RANGE, wider], torch.device("cpu"))(drawn, present, batch)
    apart = (kept[1::3] - kept[0::3]).norm(dim=-1)
    assert apart.tolist() == pytest.approx([1.0, 1.8], rel=2e-3)
    drawn[1::3] = drawn[0::3] + torch.tensor([5.0, 0.0, 0.0])
    kept, _ = Guard([RANGE, wider], torch.device("cpu"))(drawn, present, batch)
    assert (kept[1::3] - kept[0::3]).norm(dim=-1).tolist() == pytest.approx([1.5, 3.0], rel=2e-3)
    swapped, _ = Guard([wider, RANGE], torch.device("cpu"))(drawn, present, batch)
    assert (swapped[1::3] - swapped[0::3]).norm(dim=-1).tolist() == pytest.approx([3.0, 1.5], rel=2e-3)


def test_number_of_ranges_that_is_not_that_of_the_systems_is_refused():
    present, batch = chains()
    with pytest.raises(ValueError, match="3 ranges for 2 systems"):
        Guard([RANGE] * 3, torch.device("cpu"))(present, present, batch)


def test_what_is_no_number_is_passed_on_for_the_monitor_to_see():
    positions, batch = chains()
    drawn = positions.clone()
    drawn[0, 0] = torch.nan
    kept, _ = guard()(drawn, positions, batch)
    torch.testing.assert_close(kept, drawn, equal_nan=True)


def test_guard_that_keeps_its_pairs_moves_beads_as_a_new_one_does():
    present, batch = chains()
    kept, noise = guard(), torch.Generator().manual_seed(0)
    for step in range(30):
        drawn = present + 0.15 * step / 30 * torch.randn(present.shape, generator=noise, dtype=torch.float64)
        drawn[1] = drawn[0] + 0.4
        fresh = replace(batch)  # nothing that was kept of it
        found, expected = kept(drawn, present, batch), guard()(drawn, present, fresh)
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])
