"""One training run: refuse early, train, validate, checkpoint, save the model with its card."""

import hashlib
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, Subset

from cgsim.checkpoint import ModelCard, TrainedModel, TrainingSystem, save_model
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.calibrate import calibrate
from cgsim.train.data import BeadData, Source, TrainingSet, Windows, load_training_set
from cgsim.train.module import TrainingModule, TrainingSettings, collate, epoch_order

LARGEST_VALIDATION = 64  # windows per validation system
CHECKPOINT = "checkpoints/last.ckpt"


@dataclass(frozen=True)
class Plan:
    """Everything one training run needs.

    Attributes:
        name: of the experiment.
        train, validation: the trajectories.
        mapping, model, training, sampler: settings.
        experiment: the settings as they were given, for the card.
    """

    name: str
    train: list[Source]
    validation: list[Source]
    mapping: MappingSettings
    model: ModelSettings
    training: TrainingSettings
    sampler: SamplerSettings
    experiment: dict[str, Any]


class _Data(L.LightningDataModule):
    """Windows of an epoch are drawn afresh from seed and epoch, so a resumed run sees what the whole run would have."""

    def __init__(self, data: TrainingSet, plan: Plan) -> None:
        super().__init__()
        self.settings = plan.training
        self.train, self.held_out = Windows(data.train, plan.model), Windows(data.validation, plan.model)

    def train_dataloader(self) -> DataLoader[Any]:
        """Windows of the current epoch."""
        assert self.trainer is not None
        settings = self.settings
        n_wanted = min(settings.validate_every, settings.steps) * settings.batch_size
        order = epoch_order(len(self.train), n_wanted, settings.seed, self.trainer.current_epoch)
        chosen = Subset(self.train, order.tolist())
        return DataLoader(chosen, batch_size=settings.batch_size, collate_fn=collate)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """The same windows of the held-out systems every time."""
        if not len(self.held_out):
            return []
        n_wanted = min(len(self.held_out), LARGEST_VALIDATION * len(self.held_out.data))
        order = epoch_order(len(self.held_out), n_wanted, 0, 0).tolist()
        return DataLoader(Subset(self.held_out, order), batch_size=self.settings.batch_size, collate_fn=collate)


def fit(plan: Plan, folder: Path, *, resume: bool) -> TrainedModel:
    """Train a model.

    Args:
        plan: what to train on, and how.
        folder: gets ``metrics.csv`` (curves), ``checkpoints/`` and ``model/``.
        resume: go on from the last checkpoint of the folder.

    Raises:
        InputError: if settings and data do not fit, before any work; or if there is (not) something to resume.
    """
    checkpoint = folder / CHECKPOINT
    if resume and not checkpoint.exists():
        raise InputError(f"{checkpoint}: no such file, so there is no training run to resume")
    if not resume and checkpoint.exists():
        raise InputError(f"{folder}: holds a training run already; add --resume to go on, or choose another folder")
    data = load_training_set(plan.train, plan.validation, plan.mapping, plan.model)
    L.seed_everything(plan.training.seed, verbose=False)
    model = CoarseGrainedModel(plan.model, data.scales, data.vocabulary)
    module = TrainingModule(model, plan.training, data.inputs(data.train), data.inputs(data.validation))
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        trainer = _trainer(plan, folder)
        trainer.fit(module, _Data(data, plan), ckpt_path=str(checkpoint) if resume else None, weights_only=False)
    if trainer.interrupted:
        raise KeyboardInterrupt
    figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
    figures["training_seconds"] = time.perf_counter() - started
    model.eval()
    card = _card(plan, data, model, figures)
    save_model(folder / "model", model, card)
    return TrainedModel(model, card)


def _trainer(plan: Plan, folder: Path) -> L.Trainer:
    settings = plan.training
    callbacks: list[Callback] = [
        ModelCheckpoint(folder / "checkpoints", save_last=True, save_top_k=0, every_n_epochs=1),
    ]
    if settings.averaging > 0:
        callbacks.append(EMAWeightAveraging(decay=settings.averaging))
    is_terminal = sys.stderr.isatty()
    if is_terminal:
        callbacks.append(TQDMProgressBar())
    return L.Trainer(
        default_root_dir=folder,
        accelerator="auto",
        devices=1,
        max_steps=settings.steps,
        logger=CSVLogger(folder, name="", version="", flush_logs_every_n_steps=settings.validate_every),
        log_every_n_steps=min(50, settings.validate_every),
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        gradient_clip_val=settings.gradient_clip,
        enable_progress_bar=is_terminal,
        enable_model_summary=False,
        callbacks=callbacks,
    )


def _card(plan: Plan, data: TrainingSet, model: CoarseGrainedModel, figures: dict[str, float]) -> ModelCard:
    return ModelCard(
        name=plan.name,
        units=data.units,
        model=plan.model,
        mapping=plan.mapping,
        sampler=plan.sampler,
        calibration=calibrate(model, plan.sampler, data, plan.training.seed),
        atom_types=data.vocabulary.atom_types,
        bond_types=data.vocabulary.bond_types,
        mean_mass=data.vocabulary.mean_mass,
        scales=data.scales,
        trained=data.trained,
        training_systems=tuple(_training_system(d) for d in data.train),
        figures=figures,
        experiment=plan.experiment,
    )


def _training_system(d: BeadData) -> TrainingSystem:
    digest = hashlib.sha256(d.trajectory.wrapped_positions.tobytes())
    digest.update(d.trajectory.image_flags.tobytes())
    time = d.trajectory.time
    return TrainingSystem(
        file=d.source.path.name,
        mapping_hash=d.store.mapping.hash,
        data_hash=digest.hexdigest(),
        n_beads=d.store.mapping.n_beads,
        length=float(time[-1] - time[0]),
    )
