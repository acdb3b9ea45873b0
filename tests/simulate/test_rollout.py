from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pytest
import torch
from systems import OPEN, TRICLINIC

from cgsim.graph import BeadBatch
from cgsim.models.interface import Propagator
from cgsim.simulate.rollout import RolloutState, rollout

CUBIC = np.diag([6.0, 7.0, 8.0])


@dataclass
class Brownian:
    """The null model: every bead takes an independent normal step, whatever its surroundings."""

    std: float
    history_offsets: tuple[int, ...] = (0,)
    steps: list[torch.Tensor] = field(default_factory=list)

    def draw(self, batch: BeadBatch, history: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw the next unwrapped positions."""
        assert history.shape == (len(batch.masses), len(self.history_offsets), 3)
        self.steps.append(self.std * torch.randn(len(batch.masses), 3, generator=generator))
        return history[:, -1] + self.steps[-1]


def free_beads(sizes: tuple[int, ...], cells: list[np.ndarray]) -> BeadBatch:
    n = sum(sizes)
    return BeadBatch(
        sizes=sizes,
        bead_class=torch.zeros(n, dtype=torch.int64),
        masses=torch.ones(n),
        bond_index=torch.zeros(2, 0, dtype=torch.int64),
        cell=torch.from_numpy(np.stack(cells)).float(),
        embedding=torch.zeros(n, 1),
        bond_embedding=torch.zeros(2, 0, 0),
    )


def at_origin(n: int, kept: int = 1) -> RolloutState:
    return RolloutState(torch.zeros(kept, n, 3), torch.zeros(kept, n, 3, dtype=torch.int32))


def unwrapped(frame, batch: BeadBatch) -> torch.Tensor:
    cell = batch.cell[batch.graph_index].double()
    return frame.wrapped_positions.double() + torch.einsum("nx,nxy->ny", frame.image_flags.double(), cell)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_null_model_is_a_propagator():
    assert isinstance(Brownian(1.0), Propagator)


@pytest.mark.parametrize("cell", [OPEN, CUBIC, TRICLINIC], ids=["open", "cubic", "triclinic"])
def test_rollout_of_free_diffusion_obeys_einstein_relation(cell):
    n, n_steps, std = 2000, 64, 0.9
    batch = free_beads((n,), [cell])
    frames = islice(rollout(Brownian(std), batch, at_origin(n), generator()), n_steps)
    msd = torch.stack([unwrapped(f, batch).square().sum(-1) for f in frames])
    # <r^2> = 6 D t with 2 D = std^2 per step; r^2 of a 3-D Gaussian has the relative spread sqrt(2/3).
    expected = 3 * std**2 * torch.arange(1, n_steps + 1)
    error = (msd.mean(dim=1) / expected - 1.0) / (2.0 / (3 * n)) ** 0.5
    assert error.abs().max() < 4.5


@pytest.mark.parametrize("std", [0.5, 5.0, 40.0], ids=["short steps", "over half the cell", "over several cells"])
def test_images_carry_every_step_across_the_cell_however_long(std):
    batch = free_beads((5, 4, 6), [CUBIC, OPEN, TRICLINIC])
    propagator = Brownian(std)
    frames = list(islice(rollout(propagator, batch, at_origin(15), generator()), 50))
    walked = torch.stack(propagator.steps).double().cumsum(0)
    found = torch.stack([unwrapped(f, batch) for f in frames])
    # Each step rounds a coordinate below 40 std to float32, at most 50 times.
    torch.testing.assert_close(found, walked, rtol=0, atol=50 * 40 * std * 1.2e-7)
    for graph in (0, 2):
        beads = batch.beads_of(graph)
        fractional = torch.stack([f.wrapped_positions[beads] for f in frames]) @ batch.cell[graph].inverse()
        assert fractional.min() >= -1e-6
        assert fractional.max() <= 1.0 + 1e-6
    assert not torch.stack([f.image_flags[batch.beads_of(1)] for f in frames]).any()


def test_positions_stay_exact_a_hundred_thousand_cells_away():
    """Steps of 3 in a cell of 8 are exact in binary: so must be the unwrapped position, where float32 alone is not."""

    class Steady(Brownian):
        def draw(self, batch, history, generator):
            return super().draw(batch, history, generator) + 3.0

    batch = free_beads((1,), [np.eye(3) * 8.0])
    far = RolloutState(torch.full((1, 1, 3), 1.0 / 1024), torch.full((1, 1, 3), 12_500_000, dtype=torch.int32))
    *_, last = islice(rollout(Steady(0.0), batch, far, generator()), 1000)
    assert (unwrapped(last, batch) == 1e8 + 3000 + 1.0 / 1024).all()
    # The same number in float32 has lost the step itself.
    assert float(np.float32(1e8 + 3000 + 1.0 / 1024)) != 1e8 + 3000 + 1.0 / 1024


def test_history_is_unwrapped_oldest_first_and_has_the_present_in_the_box():
    seen = []

    class Remembering(Brownian):
        def draw(self, batch, history, generator):
            seen.append(history)
            return super().draw(batch, history, generator)

    offsets = (0, 1, 4)
    batch = free_beads((3, 2), [TRICLINIC, OPEN])
    propagator = Remembering(4.0, offsets)
    frames = list(islice(rollout(propagator, batch, at_origin(5, kept=5), generator()), 30))
    track = torch.cat([torch.zeros(5, 5, 3).double(), torch.stack([unwrapped(f, batch) for f in frames])])
    for step in (10, 29):
        history = seen[step]
        torch.testing.assert_close(history[:, -1], frames[step - 1].wrapped_positions)
        # The track after `step` frames ends at index 4 + step.
        expected = torch.stack([track[4 + step - o] - track[4 + step] for o in reversed(offsets)], dim=1)
        torch.testing.assert_close((history - history[:, -1:]).double(), expected, rtol=0, atol=1e-4)


def test_longer_state_than_needed_changes_nothing():
    batch = free_beads((3,), [CUBIC])
    runs = []
    for kept in (1, 4):
        state = at_origin(3, kept)
        runs.append([f.wrapped_positions for f in islice(rollout(Brownian(1.0), batch, state, generator()), 5)])
    assert torch.equal(torch.stack(runs[0]), torch.stack(runs[1]))


def test_rollout_taken_up_from_its_last_frames_goes_on_bit_for_bit():
    batch = free_beads((4, 3), [TRICLINIC, OPEN])
    offsets = (0, 2)
    whole = list(islice(rollout(Brownian(2.0, offsets), batch, at_origin(7, 3), generator()), 20))
    source = generator()
    first = list(islice(rollout(Brownian(2.0, offsets), batch, at_origin(7, 3), source), 12))
    state = RolloutState(
        torch.stack([f.wrapped_positions for f in first[-3:]]), torch.stack([f.image_flags for f in first[-3:]])
    )
    rest = list(islice(rollout(Brownian(2.0, offsets), batch, state, source), 8))
    for one, other in zip(whole, first + rest, strict=True):
        assert torch.equal(one.wrapped_positions, other.wrapped_positions)
        assert torch.equal(one.image_flags, other.image_flags)


def test_state_shorter_than_the_history_is_refused():
    batch = free_beads((1,), [OPEN])
    with pytest.raises(ValueError, match="the propagator looks back on 4 frames, the state has 3"):
        next(rollout(Brownian(1.0, (0, 3)), batch, at_origin(1, 3), generator()))
