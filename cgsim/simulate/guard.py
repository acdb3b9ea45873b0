"""The guard: the last correction of a drawn configuration, back into the range of distances that the data showed.

A network knows nothing of configurations that never occur in its training data, two ions on top of each other above
all; what it draws from there is arbitrary. The guard pushes pairs apart that are closer than any pair of their classes
in the training data, and pulls bonds together that are longer than any. It acts on few beads; how many is counted.
"""

import torch

from cgsim.geometry.neighbors import neighbor_pairs
from cgsim.geometry.periodic import minimum_image
from cgsim.graph import BeadBatch
from cgsim.simulate.stability import TrainingRange
from cgsim.typing import Float, Int, Tensor

LARGEST_ROUNDS = 20


class Guard:
    """Moves beads as little as needed, by repeated pairwise projection (as SHAKE does for constraints).

    Args:
        trained: range of the training data.
        device: where the positions are.
    """

    def __init__(self, trained: TrainingRange, device: torch.device) -> None:
        self.closest = torch.tensor(trained.closest_pair, device=device)
        self.longest_bond = trained.longest_bond
        self.reach = float(self.closest.max())

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
        """
        given = positions
        i, j = batch.bond_index
        raw = present[j] - present[i]
        bond_shifts = minimum_image(raw[:, None], batch.cell[batch.graph_index[i]])[:, 0] - raw
        if bool(torch.isfinite(positions).all()):
            for _ in range(LARGEST_ROUNDS):
                correction = self._push(positions, batch) + self._pull(positions, bond_shifts, batch)
                if not bool(correction.any()):
                    break
                positions = positions + correction
        moved = (positions != given).any(dim=-1)
        n_graphs = len(batch.sizes)
        return positions, torch.bincount(batch.graph_index[moved], minlength=n_graphs)

    def _push(self, positions: Tensor, batch: BeadBatch) -> Tensor:
        correction = torch.zeros_like(positions)
        if self.reach == 0.0:
            return correction
        pairs = neighbor_pairs(positions, batch.sizes, batch.cell, self.reach)
        vectors = positions[pairs.sender] + pairs.shifts - positions[pairs.receiver]
        lengths = vectors.norm(dim=-1).clamp(min=1e-6)
        limits = self.closest[batch.bead_class[pairs.sender], batch.bead_class[pairs.receiver]]
        wanting = (limits - lengths).clamp(min=0.0)
        wanting = torch.where(wanting > 1e-3 * limits, wanting, torch.zeros_like(wanting))
        share = self._share(batch, pairs.receiver, pairs.sender)
        return correction.index_add(0, pairs.receiver, -vectors * (wanting / lengths * share)[:, None])

    def _pull(self, positions: Tensor, bond_shifts: Tensor, batch: BeadBatch) -> Tensor:
        i, j = batch.bond_index
        vectors = positions[j] - positions[i] + bond_shifts
        lengths = vectors.norm(dim=-1).clamp(min=1e-6)
        excess = (lengths - self.longest_bond).clamp(min=0.0)
        excess = torch.where(excess > 1e-3 * self.longest_bond, excess, torch.zeros_like(excess))
        pull = vectors * (excess / lengths)[:, None]
        correction = torch.zeros_like(positions)
        correction = correction.index_add(0, i, pull * self._share(batch, i, j)[:, None])
        return correction.index_add(0, j, -pull * self._share(batch, j, i)[:, None])

    @staticmethod
    def _share(batch: BeadBatch, mover: Tensor, other: Tensor) -> Tensor:
        """Share of a pair's correction that falls to the mover: the light one moves, the momentum stays."""
        return batch.masses[other] / (batch.masses[mover] + batch.masses[other])
