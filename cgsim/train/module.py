"""The one LightningModule: losses, optimiser, schedule."""

from dataclasses import replace
from typing import Any

import lightning as L
import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat

from cgsim.models.execution import Execution
from cgsim.models.inputs import SystemInputs, make_batch
from cgsim.models.model import CoarseGrainedModel
from cgsim.train.data import WindowItem
from cgsim.train.noise import log_spaced, random_rotations
from cgsim.train.objectives import Losses, SizeTarget, Window, compute_losses
from cgsim.train.pushes import Approaches, PushedIons, push_ions
from cgsim.typing import Int, Tensor

VALIDATION_SEED = 1  # the same noise at every validation, so that curves compare models and not draws


class HistoryNoise(BaseModel):
    """Noise added to the history in training (Fu et al. 2023); the target is recomputed from the noised history.

    Attributes:
        largest: largest noise level, length; 0 switches it off.
        smallest: smallest noise level, length.
        n_levels: number of levels, log-spaced; one is drawn per graph.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    largest: NonNegativeFloat = 0.0
    smallest: PositiveFloat = 0.01
    n_levels: int = Field(default=10, ge=1)


class TrainingSettings(BaseModel):
    """How the model is trained.

    Attributes:
        steps: optimiser steps.
        batch_size: windows per step.
        learning_rate: peak rate of AdamW.
        final_learning_rate: rate at the end; the decay in between is a half cosine.
        warmup_steps: linear rise of the rate at the start.
        weight_decay: of AdamW.
        gradient_clip: largest gradient norm.
        averaging: decay of the exponential moving average of the weights, which is what is saved; 0 switches it off.
        history_noise: noise on the history.
        pushed_ions: pairs of ions moved nearer to each other in the history.
        class_balance: 0 weighs all beads alike in the losses, 1 gives every bead class the same total weight.
        augment_rotations: rotate every window at random; needless for the equivariant network.
        both_ways: learn from every trajectory played backwards as well. In equilibrium both are equally likely
            (detailed balance), and what the few events of a short trajectory favour by chance cancels.
        validate_every: steps between validations; also between checkpoints.
        seed: of weights, windows and noise.
        execution: how the networks are run in training: compiled, or with matrix products in bfloat16.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=2000, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: PositiveFloat = 2e-3
    final_learning_rate: NonNegativeFloat = 2e-5
    warmup_steps: int = Field(default=50, ge=0)
    weight_decay: NonNegativeFloat = 1e-4
    gradient_clip: PositiveFloat = 1.0
    averaging: float = Field(default=0.995, ge=0, lt=1)
    history_noise: HistoryNoise = HistoryNoise()
    pushed_ions: PushedIons = Field(default=PushedIons(), exclude_if=lambda value: value == PushedIons())
    class_balance: float = Field(default=0.5, ge=0, le=1)
    augment_rotations: bool = False
    both_ways: bool = False
    validate_every: int = Field(default=200, ge=1)
    seed: int = 0
    execution: Execution = Execution()


# History, displacement, and the sizes of beads where they are learned.
Batch = tuple[list[int], Tensor, Tensor, *tuple[Tensor, ...]]


class TrainingModule(L.LightningModule):
    """Trains a :class:`CoarseGrainedModel` on windows of some systems, validates on others."""

    def __init__(
        self,
        model: CoarseGrainedModel,
        settings: TrainingSettings,
        train_systems: list[SystemInputs],
        validation_systems: list[SystemInputs],
        approaches: Approaches,
    ) -> None:
        super().__init__()
        self.model, self.settings, self.approaches = model, settings, approaches
        self.train_systems, self.validation_systems = train_systems, validation_systems

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Loss of one batch; its noise depends on the seed and the step only, so that a resumed run is the same run."""
        generator = self._generator(self.settings.seed + 1_000_003 * (self.global_step + 1))
        window = self._window(batch, self.train_systems)
        if self.settings.pushed_ions.share > 0:
            closest = self.approaches.of_systems(batch[0], self.device)
            window = push_ions(window, closest, self.settings.pushed_ions, generator)
        losses = compute_losses(self.model, self._augment(window, generator), self.settings.class_balance, generator)
        self._log("train", losses, len(batch[0]))
        return losses.total

    def validation_step(self, batch: Batch, index: int) -> None:
        """Losses on held-out systems."""
        generator = self._generator(VALIDATION_SEED + index)
        losses = compute_losses(
            self.model, self._window(batch, self.validation_systems), self.settings.class_balance, generator
        )
        self._log("validation", losses, len(batch[0]))

    def configure_optimizers(self) -> Any:
        """AdamW with linear warm-up and a half-cosine decay."""
        s = self.settings
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay, fused=True
        )

        def factor(step: int) -> float:
            if step < s.warmup_steps:
                return (step + 1) / s.warmup_steps
            done = min(1.0, (step - s.warmup_steps) / max(1, s.steps - s.warmup_steps))
            lowest = s.final_learning_rate / s.learning_rate
            return lowest + (1.0 - lowest) * 0.5 * (1.0 + float(torch.cos(torch.tensor(torch.pi * done))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,  # noqa: ARG002
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002
    ) -> None:
        """Clip the gradients of the size head by themselves, so that they shorten none of the other parts."""
        head = list(self.model.bead_size.parameters()) if self.model.bead_size else []
        rest = [p for p in self.model.parameters() if all(p is not q for q in head)]
        for parameters in (rest, head):
            if parameters and gradient_clip_val:
                torch.nn.utils.clip_grad_norm_(parameters, gradient_clip_val)

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(device=self.device).manual_seed(seed)

    def _window(self, batch: Batch, systems: list[SystemInputs]) -> Window:
        which, history, displacement, *sizes = batch
        beads = make_batch(systems, which, self.model.embedding)
        target = SizeTarget(history[:, -1], *sizes) if sizes else None
        return Window(beads, beads.at_rest(history), beads.remove_drift(displacement), target)

    def _augment(self, window: Window, generator: torch.Generator) -> Window:
        batch, history, displacement, sizes = window.batch, window.history, window.displacement, window.sizes
        n_graphs, noise = len(batch.sizes), self.settings.history_noise
        if self.settings.augment_rotations:
            rotation = random_rotations(n_graphs, generator, self.device)
            of_bead = rotation[batch.graph_index]
            history = torch.einsum("nxy,nhy->nhx", of_bead, history)
            displacement = torch.einsum("nxy,ny->nx", of_bead, displacement)
            sizes = sizes and SizeTarget(torch.einsum("nxy,ny->nx", of_bead, sizes.positions), sizes.squared_sizes)
            rotated = torch.einsum("gxy,gly->glx", rotation, batch.cell)
            batch = replace(batch, cell=rotated)
        if noise.largest > 0:
            levels = log_spaced(n_graphs, noise.smallest, noise.largest, noise.n_levels, generator, self.device)
            kicks = torch.randn(history.shape, generator=generator, device=self.device)
            kicks = batch.remove_drift(kicks * levels[batch.graph_index][:, None, None])
            history, displacement = history + kicks, displacement - kicks[:, -1]
        return Window(batch, history, displacement, sizes)

    def _log(self, stage: str, losses: Losses, n_graphs: int) -> None:
        values = {
            f"{stage}/loss": losses.total,
            f"{stage}/likelihood": losses.likelihood,
            f"{stage}/balance": losses.balance,
            f"{stage}/score": losses.score,
        }
        if losses.size is not None:
            values[f"{stage}/size"] = losses.size
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=n_graphs, prog_bar=False)


def collate(windows: list[WindowItem]) -> Batch:
    """Concatenate windows of systems of any size."""
    which, history, displacement, *sizes = zip(*windows, strict=True)
    return list(which), torch.cat(history), torch.cat(displacement), *(torch.cat(one) for one in sizes)


def epoch_order(n_windows: int, n_wanted: int, seed: int, epoch: int) -> Int[Tensor, " windows"]:
    """Windows of one epoch: as many permutations of all of them as are needed, a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(seed + 7919 * (epoch + 1))
    rounds = -(-n_wanted // n_windows)
    return torch.cat([torch.randperm(n_windows, generator=generator) for _ in range(rounds)])[:n_wanted]
