"""The whole model: embedding, dynamics, refiner and size head, with what it was trained on."""

import itertools
import math

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator
from torch import nn

from cgsim.models.bead_size import BeadSizeNetwork, BeadSizeSettings
from cgsim.models.dynamics import DynamicsNetwork, DynamicsSettings
from cgsim.models.embedding import EmbeddingNetwork, EmbeddingSettings, Vocabulary
from cgsim.models.normalization import Scales
from cgsim.models.refiner import RefinerSettings, ScoreNetwork


class ModelSettings(BaseModel):
    """Architecture of the model.

    Attributes:
        lag_time: how far ahead one step draws, in the unit of time of the stores (ps or tau).
        history_offsets: past frames the model sees, in lags before the present; ascending from 0. The published
            models see 20 or 30 consecutive frames; a few log-spaced ones tell rattling from drifting as well.
        embedding: the embedding GNN.
        dynamics: the dynamics GNN.
        refiner: the score GNN; none leaves the Gaussian draw as it is.
        bead_size: the size head, which gives rollouts the sizes of their beads and with them those of whole molecules
            atom by atom; none leaves them out. It learns from stores of atoms.
        normalize: scale inputs and targets per bead class; the published code does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lag_time: PositiveFloat
    history_offsets: tuple[int, ...] = (0, 1)
    embedding: EmbeddingSettings = EmbeddingSettings()
    dynamics: DynamicsSettings = DynamicsSettings()
    refiner: RefinerSettings | None = None
    bead_size: BeadSizeSettings | None = Field(default=None, exclude_if=lambda value: value is None)
    normalize: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> "ModelSettings":
        offsets = self.history_offsets
        if not offsets or offsets[0] != 0 or any(b <= a for a, b in itertools.pairwise(offsets)):
            raise ValueError(f"history_offsets must ascend from 0, got {list(offsets)}")
        if self.dynamics.target == "acceleration" and offsets[:2] != (0, 1):
            raise ValueError(f"target 'acceleration' needs history_offsets that start 0, 1, got {list(offsets)}")
        return self

    @property
    def n_history(self) -> int:
        """Number of history frames."""
        return len(self.history_offsets)

    @property
    def largest_cutoff(self) -> float:
        """Longest range of the edges between any two beads, length."""
        return max(self.dynamics.cutoff, self.refiner.cutoff if self.refiner else 0.0)

    @property
    def radial_range(self) -> float:
        """Longest range of any edge, those between ions included; length."""
        parts = [self.dynamics, *([self.refiner] if self.refiner else [])]
        return max(part.cutoffs.largest for part in parts)

    @property
    def needs_open_boundaries(self) -> bool:
        """Whether a cutoff is infinite, which no periodic system can have."""
        return bool(self.infinite_cutoffs)

    @property
    def infinite_cutoffs(self) -> list[str]:
        """Parts of the model whose cutoff is infinite."""
        parts = {"dynamics": self.dynamics, "refiner": self.refiner, "bead_size": self.bead_size}
        return [name for name, part in parts.items() if part and part.cutoff is not None and math.isinf(part.cutoff)]


class CoarseGrainedModel(nn.Module):
    """Embedding, dynamics, refiner and size head under one roof; knows its settings, scales and vocabulary."""

    def __init__(self, settings: ModelSettings, scales: Scales, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.settings, self.scales, self.vocabulary = settings, scales, vocabulary
        used = scales if settings.normalize else scales.unscaled()
        chemistry = settings.embedding
        self.embedding = EmbeddingNetwork(settings.embedding, vocabulary)
        self.dynamics = DynamicsNetwork(settings.dynamics, used, settings.n_history, chemistry)
        self.refiner = (
            ScoreNetwork(settings.refiner, settings.dynamics.network, used, settings.n_history, chemistry)
            if settings.refiner
            else None
        )
        self.bead_size = (
            BeadSizeNetwork(settings.bead_size, used, settings.dynamics.cutoff, chemistry)
            if settings.bead_size
            else None
        )
