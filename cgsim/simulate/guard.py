"""The guard: the last correction of a drawn configuration, back into the range of distances that the data showed.

A network knows nothing of configurations that never occur in its training data, two ions on top of each other above
all; what it draws from there is arbitrary. The guard pushes pairs apart that are closer than any pair of their classes
in the training data, and pulls bonds together that are longer than any. Every system may have a range of its own. It
acts on few beads; how many is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cgsim.geometry.cutoffs import Cutoffs
from cgsim.graph import BeadBatch
from cgsim.simulate.stability import TrainingRange
from cgsim.typing import Float, Int, Tensor

LARGEST_ROUNDS = 20
TOLERANCE = 1e-3  # relative; projections come ever closer to a limit and never quite there
SKIN = 0.5  # of the closest approach


@dataclass(frozen=True)
class _Limits:
    """Pairs of beads whose distance has limits.

    Attributes:
        first, second: [limits], the beads.
        lowest, highest: [limits], length.
        share: [limits], part of a correction that falls to the first; the light one moves, the momentum stays.
    """

    first: Int[Tensor, " limits"]
    second: Int[Tensor, " limits"]
    lowest: Float[Tensor, " limits"]
    highest: Float[Tensor, " limits"]
    share: Float[Tensor, " limits"]


class Guard:
    """Moves beads as little as needed, by repeated pairwise projection (as SHAKE does for constraints).

    The pairs are kept for as long as a search for neighbours is.

    Args:
        ranges: of the training data, for each system of a batch; or one for all systems of any batch.
        device: where the positions are.
    """

    def __init__(self, ranges: Sequence[TrainingRange], device: torch.device) -> None:
        self.closest = torch.tensor([one.closest_pair for one in ranges], device=device)
        self.longest_bond = torch.tensor([one.longest_bond for one in ranges], device=device)
        self.reach = float(self.closest.max())
        self._pairs: tuple[Tensor, Tensor, _Limits] | None = None

    @torch.no_grad()
    def __call__(
        self, positions: Float[Tensor, "beads 3"], present: Float[Tensor, "beads 3"], batch: BeadBatch
    ) -> tuple[Float[Tensor, "beads 3"], Int[Tensor, " graphs"]]:
        """Correct a configuration.

        Args:
            positions: what was drawn, unwrapped.
            present: the configuration it was drawn from. Bonds keep the image that they have there: the nearest image
                of a bond stretched over half the cell would be another one, and the chain would be cut for good.
            batch: the systems.

        Returns:
            The corrected positions, and how many beads of each system were moved.

        Raises:
            ValueError: if there are several ranges, but not one for each system.
        """
        given, n_ranges = positions, len(self.longest_bond)
        if n_ranges not in (1, len(batch.sizes)):
            raise ValueError(f"guard: {n_ranges} ranges for {len(batch.sizes)} systems")
        if bool(torch.isfinite(positions).all()):
            i, j = batch.bond_index
            raw = present[j] - present[i]
            of_bonds = (batch.nearest_image(raw, i) - raw).to(positions.dtype)
            slack = -float("inf")
            for _ in range(LARGEST_ROUNDS):
                if slack < 0.0:
                    limits, shifts, slack = self._limits(positions, of_bonds, batch)
                corrected = _project(positions, limits, shifts)
                if corrected is positions:
                    break
                slack -= float((corrected - positions).square().sum(dim=-1).max()) ** 0.5
                positions = corrected
        moved = (positions != given).any(dim=-1)
        n_graphs = len(batch.sizes)
        return positions, torch.bincount(batch.graph_index[moved], minlength=n_graphs)

    def _limits(self, positions: Tensor, shifts: Tensor, batch: BeadBatch) -> tuple[_Limits, Tensor, float]:
        """Limits of bonds, whose lattice shifts are given, and pairs; the shift of each; how far beads may go then."""
        (i, j), slack = batch.bond_index, float("inf")
        longest = self.longest_bond[self._row(i, batch)].to(positions.dtype)
        limits = _Limits(i, j, torch.zeros_like(longest), longest, batch.mass_share(i, j))
        if self.reach > 0.0:
            search = batch.search(Cutoffs.of(self.reach), SKIN * self.reach)
            pairs, slack = search.candidates(positions)
            if self._pairs is None or self._pairs[0] is not pairs.sender:
                self._pairs = pairs.sender, *self._pair_limits(pairs.receiver, pairs.sender, batch, positions.dtype)
            _, chosen, of_pairs = self._pairs
            shifts = torch.cat([shifts, pairs.shifts.index_select(0, chosen)])
            columns = zip(vars(limits).values(), vars(of_pairs).values(), strict=True)
            limits = _Limits(*(torch.cat(column) for column in columns))
        return limits, shifts, slack

    def _pair_limits(
        self, first: Tensor, second: Tensor, batch: BeadBatch, dtype: torch.dtype
    ) -> tuple[Tensor, _Limits]:
        """Each pair once, without pairs of classes never seen together; and which of the given pairs these are."""
        classes = batch.bead_class[first], batch.bead_class[second]
        lowest = self.closest[(self._row(first, batch), *classes)].to(dtype)
        chosen = torch.nonzero((first < second) & (lowest > 0.0)).ravel()
        first, second, lowest = first[chosen], second[chosen], lowest[chosen]
        highest = torch.full_like(lowest, float("inf"))
        return chosen, _Limits(first, second, lowest, highest, batch.mass_share(first, second))

    def _row(self, beads: Tensor, batch: BeadBatch) -> Tensor:
        """Which range the system of each bead has."""
        return batch.graph_index[beads] if len(self.longest_bond) > 1 else torch.zeros_like(beads)


def _project(positions: Tensor, limits: _Limits, shifts: Tensor) -> Tensor:
    """Positions with every distance that is out of its limits brought back to them; themselves if there is none."""
    vectors = positions.index_select(0, limits.second) - positions.index_select(0, limits.first) + shifts
    lengths = vectors.square().sum(dim=-1).sqrt()
    out = (lengths < (1.0 - TOLERANCE) * limits.lowest) | (lengths > (1.0 + TOLERANCE) * limits.highest)
    chosen = torch.nonzero(out).ravel()
    if len(chosen) == 0:
        return positions
    lengths = lengths[chosen].clamp(min=1e-6)
    wanted = lengths.clamp(limits.lowest[chosen], limits.highest[chosen])
    pushes = vectors[chosen] * (wanted / lengths - 1.0)[:, None]
    share = limits.share[chosen, None]
    moved = positions.index_add(0, limits.first[chosen], -pushes * share)
    return moved.index_add(0, limits.second[chosen], pushes * (1.0 - share))
