"""Health of a rollout: not-a-number, overlapping beads, torn bonds."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import torch
from pydantic import BaseModel, ConfigDict, Field

from cgsim.geometry.cutoffs import Cutoffs
from cgsim.graph import BeadBatch
from cgsim.typing import Float, Tensor

NOT_A_NUMBER = "not a number"
LEAST_ALIKE = 10  # training systems that say how near beads may come
TOLERATED = ("overlap", "torn bond")  # faults that the next steps may repair


class TrainingRange(BaseModel):
    """What the training data contained; a rollout that leaves it by far is not to be trusted.

    Attributes:
        longest_bond: longest bead bond in the training data, length; 0 without bonds.
        closest_pair: [classes][classes], closest approach of two beads, length; 0 where no pair was seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    longest_bond: float
    closest_pair: tuple[tuple[float, ...], ...]

    def joined(self, other: "TrainingRange") -> "TrainingRange":
        """What one or the other training data contained; both with the same classes of beads."""
        rows = zip(self.closest_pair, other.closest_pair, strict=True)
        return TrainingRange(
            longest_bond=max(self.longest_bond, other.longest_bond),
            closest_pair=tuple(tuple(_nearer(a, b) for a, b in zip(*row, strict=True)) for row in rows),
        )


def range_among(kinds: set[str], seen: Iterable[tuple[set[str], TrainingRange]], whole: TrainingRange) -> TrainingRange:
    """The range for a system: closest approaches in those training systems that are made of the same kinds of atoms.

    How near two ions come is a matter of what holds them: in polyamides two lithium ions share a carbonyl group, in
    polyethers none are ever so near. Training systems count by how many kinds of atoms they have that this one lacks,
    those with the fewest first, until there are ten, for a few short trajectories have not seen all that may happen.
    Where none of them has two classes, what all have seen stands; bonds may be as long as in any of all.

    Args:
        kinds: types of the atoms of the system.
        seen: types of the atoms, and range, of each training system.
        whole: range of all of them.
    """
    strange = [(len(own - kinds), found) for own, found in seen]
    if len(strange) < LEAST_ALIKE:
        return whole
    most = sorted(n for n, _ in strange)[LEAST_ALIKE - 1]
    alike = [found for n, found in strange if n <= most]
    rows = zip(reduce(TrainingRange.joined, alike).closest_pair, whole.closest_pair, strict=True)
    closest = tuple(tuple(a or b for a, b in zip(*row, strict=True)) for row in rows)
    return whole.model_copy(update={"closest_pair": closest})


def _nearer(one: float, other: float) -> float:
    """The smaller distance; 0 stands for classes that were never seen together."""
    return min(one, other) if one > 0.0 and other > 0.0 else max(one, other)


class HealthSettings(BaseModel):
    """When a rollout is stopped.

    Attributes:
        bond_stretch: a bond is torn when longer than this times the longest bond of the training data.
        overlap: beads overlap when closer than this times the closest approach in the training data.
        patience: steps in a row that may show an overlap or a torn bond before the rollout is stopped: one large step
            may pass through a configuration that the next one repairs, and soft beads do meet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bond_stretch: float = Field(default=2.0, gt=1.0)
    overlap: float = Field(default=0.5, gt=0.0, le=1.0)
    patience: int = Field(default=10, ge=1)


@dataclass(frozen=True)
class Finding:
    """What is wrong with one system at one step: the kind, and the sentence that says it."""

    kind: str
    message: str


class HealthMonitor:
    """Checks every step of a batch of systems and says when one of them has to stop.

    Attributes:
        in_a_row: for each system and kind of fault, the steps in a row that showed it, up to the one checked last.
    """

    def __init__(self, batch: BeadBatch, trained: TrainingRange, settings: HealthSettings, unit: str) -> None:
        self.batch, self.settings, self.unit = batch, settings, unit
        self.trained = trained
        self.closest = torch.tensor(trained.closest_pair, device=batch.masses.device)
        self.in_a_row = [dict.fromkeys(TOLERATED, 0) for _ in batch.sizes]
        self._overlap_cutoff = float(self.closest.max()) * settings.overlap

    def check(self, positions: Float[Tensor, "beads 3"], step: int) -> dict[int, Finding]:
        """Look at one configuration.

        Args:
            positions: of all systems, in or out of their cells.
            step: number of the step, for the message.

        Returns:
            The systems that have to stop now, and why.
        """
        verdicts: dict[int, Finding] = {}
        broken = ~torch.isfinite(positions).all(dim=-1)
        for graph in set(self.batch.graph_index[broken].tolist()):
            verdicts[graph] = Finding(NOT_A_NUMBER, f"step {step}: a position is not finite")
        safe = torch.where(broken[:, None], torch.zeros_like(positions), positions)
        found = {**self._torn(safe), **self._overlapping(safe)}
        for graph in range(len(self.batch.sizes)):
            for kind, row in self.in_a_row[graph].items():
                finding = found.get((graph, kind))
                self.in_a_row[graph][kind] = row + 1 if finding else 0
                if finding and row + 1 >= self.settings.patience and graph not in verdicts:
                    text = f"step {step}: {finding.message} ({row + 1} steps in a row)"
                    verdicts[graph] = Finding(kind, text)
        return verdicts

    def _torn(self, positions: Tensor) -> dict[tuple[int, str], Finding]:
        i, j = self.batch.bond_index
        if not len(i):
            return {}
        lengths = self.batch.nearest_image(positions[i] - positions[j], i).norm(dim=-1)
        limit = self.settings.bond_stretch * self.trained.longest_bond
        found = {}
        torn = torch.nonzero(lengths > limit).ravel()
        for bond in torn[lengths[torn].argsort()].tolist():  # the longest of a system last: it is the one to name
            graph, first, second = self._locate(int(i[bond]), int(j[bond]))
            text = f"bond {first}-{second} is {float(lengths[bond]):.3g} {self.unit} long, "
            text += f"at most {self.trained.longest_bond:.3g} in training"
            found[graph, "torn bond"] = Finding("torn bond", text)
        return found

    def _overlapping(self, positions: Tensor) -> dict[tuple[int, str], Finding]:
        if self._overlap_cutoff == 0.0:
            return {}
        pairs = self.batch.search(Cutoffs.of(self._overlap_cutoff), 0.0).pairs(positions)
        distances = (positions[pairs.sender] + pairs.shifts - positions[pairs.receiver]).norm(dim=-1)
        limits = self.closest[self.batch.bead_class[pairs.sender], self.batch.bead_class[pairs.receiver]]
        close = (distances < self.settings.overlap * limits) & (pairs.sender < pairs.receiver)
        found = {}
        chosen = torch.nonzero(close).ravel()
        for pair in chosen[distances[chosen].argsort(descending=True)].tolist():  # the closest last
            graph, first, second = self._locate(int(pairs.sender[pair]), int(pairs.receiver[pair]))
            text = f"beads {first} and {second} are {float(distances[pair]):.3g} {self.unit} apart, "
            text += f"never below {float(limits[pair]):.3g} in training"
            found[graph, "overlap"] = Finding("overlap", text)
        return found

    def _locate(self, first: int, second: int) -> tuple[int, int, int]:
        """The system of two beads of the batch, and their numbers in it, counted from 1."""
        graph = int(self.batch.graph_index[first])
        start = sum(self.batch.sizes[:graph])
        return graph, first - start + 1, second - start + 1
