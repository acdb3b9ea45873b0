"""One training run: refuse early, train, validate, checkpoint, save the model with its card."""

import logging
import math
import pickle
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, TQDMProgressBar
from torch.utils.data import DataLoader, Subset

from cgsim.checkpoint import ModelCard, TrainedModel, save_model
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.models.execution import Execution
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.models.network import set_execution
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.calibrate import calibrate
from cgsim.train.curves import Curves
from cgsim.train.data import TrainingSet, Windows, load_training_set
from cgsim.train.module import TrainingModule, TrainingSettings, collate, epoch_order
from cgsim.train.source import Source
from cgsim.train.start import check_start, differences, take_weights, weights_hash
from cgsim.trajectory.store import TrajectoryStore
from cgsim.units import UnitSystem

LARGEST_VALIDATION = 64  # windows per validation system
CHECKPOINT, METRICS = "checkpoints/last.ckpt", "metrics.csv"


@dataclass(frozen=True)
class Plan:
    """Everything one training run needs.

    Attributes:
        name: of the experiment.
        units: unit system that all stores have to be in; any one if None.
        train, validation: the trajectories.
        mapping, model, training, sampler: settings.
        experiment: the settings as they were given, for the card.
        start: the model that training goes on from; from random weights without one.
    """

    name: str
    units: UnitSystem | None
    train: list[Source]
    validation: list[Source]
    mapping: MappingSettings
    model: ModelSettings
    training: TrainingSettings
    sampler: SamplerSettings
    experiment: dict[str, Any]
    start: TrainedModel | None = None


class _Data(L.LightningDataModule):
    """Windows are drawn afresh from seed and step, so a resumed run sees what the whole run would have."""

    def __init__(self, data: TrainingSet, plan: Plan) -> None:
        super().__init__()
        self.settings = plan.training
        self.train = Windows(data.train, plan.model, both_ways=plan.training.both_ways)
        self.held_out = Windows(data.validation, plan.model)

    def train_dataloader(self) -> DataLoader[Any]:
        """Windows up to the next validation, or to the end."""
        assert self.trainer is not None
        settings, done = self.settings, self.trainer.global_step
        n_wanted = min(settings.validate_every, settings.steps - done) * settings.batch_size
        order = epoch_order(len(self.train), n_wanted, settings.seed, done // settings.validate_every)
        chosen = Subset(self.train, order.tolist())
        return DataLoader(chosen, batch_size=settings.batch_size, collate_fn=collate)

    def val_dataloader(self) -> DataLoader[Any]:
        """The same windows of the held-out systems every time."""
        n_wanted = min(len(self.held_out), LARGEST_VALIDATION * len(self.held_out.data))
        order = epoch_order(len(self.held_out), n_wanted, 0, 0).tolist()
        return DataLoader(Subset(self.held_out, order), batch_size=self.settings.batch_size, collate_fn=collate)


class _Record(Callback):
    """Writes the curves and one checkpoint at the end of every epoch, and starts from a checkpoint if there is one.

    Lightning's own tools do not do: its ModelCheckpoint writes a last state only beside a best one, its CSVLogger
    deletes the curves of the run that is resumed, and its loops, when restored, repeat or skip batches.
    """

    def __init__(self, folder: Path, plan: Plan, saved: dict[str, Any] | None) -> None:
        self.checkpoint, self.experiment, self.saved = folder / CHECKPOINT, plan.experiment, saved
        self.start = weights_hash(plan.start.model) if plan.start else None
        self.curves = Curves(folder / METRICS, saved["global_step"] if saved else 0)
        earlier = saved["callbacks"][_Record.__qualname__].get("seconds", math.nan) if saved else 0.0
        self.started = time.perf_counter() - earlier
        decay = plan.training.averaging
        # Buffers are the scales: an average of equal numbers would drift away from them by rounding.
        self.averaging = EMAWeightAveraging(decay=decay, use_buffers=False) if decay > 0 else None

    @property
    def seconds(self) -> float:
        """Time spent on training, in this run and before it was resumed; not a number if that was not noted."""
        return time.perf_counter() - self.started

    def state_dict(self) -> dict[str, Any]:
        return {"experiment": self.experiment, "start": self.start, "seconds": self.seconds}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.saved is None:
            return
        pl_module.load_state_dict(self.saved["state_dict"])
        if self.averaging:
            self.averaging.on_load_checkpoint(trainer, pl_module, self.saved)
        trainer.optimizers[0].load_state_dict(self.saved["optimizer_states"][0])
        trainer.lr_scheduler_configs[0].scheduler.load_state_dict(self.saved["lr_schedulers"][0])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:  # noqa: ARG002
        self.curves.add(trainer.global_step, {name: float(v) for name, v in trainer.callback_metrics.items()})
        trainer.save_checkpoint(self.checkpoint)


def fit(plan: Plan, folder: Path, *, resume: bool) -> TrainedModel:
    """Train a model.

    Args:
        plan: what to train on, and how.
        folder: gets ``metrics.csv`` (curves), ``checkpoints/`` and ``model/``.
        resume: go on from the last checkpoint of the folder.

    Raises:
        InputError: if settings and data do not fit, before any work; or if there is (not) something to resume.
        KeyboardInterrupt: if it was interrupted; the last checkpoint stays.
    """
    checkpoint = folder / CHECKPOINT
    if resume and not checkpoint.exists():
        raise InputError(f"{checkpoint}: no such file, so there is no training run to resume")
    if not resume and checkpoint.exists():
        raise InputError(f"{folder}: holds a training run already; add --resume to go on, or choose another folder")
    start, units, whose = plan.start.card if plan.start else None, plan.units, "the times of the experiment"
    if start is not None:
        units, whose = check_start(start, units, plan.mapping, plan.model), "the model of start_from"
    for source in [*plan.train, *plan.validation]:
        if units not in (None, found := TrajectoryStore(source.path).system.units):
            raise InputError(f"{source.path}: is in {found} units, {whose} in {units}")
    saved = _read_checkpoint(checkpoint, plan) if resume else None
    data = load_training_set(plan.train, plan.validation, plan.mapping, plan.model, start)
    torch.manual_seed(plan.training.seed)
    model = CoarseGrainedModel(plan.model, data.scales, data.vocabulary)
    if plan.start is not None:
        take_weights(model, plan.start.model)
    systems = data.inputs(data.train), data.inputs(data.validation)
    module = TrainingModule(model, plan.training, *systems, data.approaches(plan.model))
    folder.mkdir(parents=True, exist_ok=True)
    record = _Record(folder, plan, saved)
    if saved and saved["global_step"] >= plan.training.steps:
        module.load_state_dict(saved["state_dict"])  # finished, but perhaps never saved; averaged where asked for
    else:
        set_execution(model, plan.training.execution)
        _train(module, _Data(data, plan), record, plan)
        set_execution(model, Execution())  # what is measured of the finished model is measured as it stands
    figures = dict(record.curves.last)
    if math.isfinite(record.seconds):
        figures["training_seconds"] = record.seconds
    model.eval()
    card = _card(plan, data, model, figures)
    save_model(folder / "model", model, card)
    return TrainedModel(model, card)


def _train(module: TrainingModule, windows: _Data, record: _Record, plan: Plan) -> None:
    """Run lightning, which has much to say that is not about the run, and ends the program when interrupted."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*", category=FutureWarning)
            trainer = _trainer(plan, record)
            steps = trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total
            steps.ready = steps.completed = record.saved["global_step"] if record.saved else 0
            trainer.fit(module, windows)
    except SystemExit:
        # Lightning exits on Ctrl-C and leaves the signal ignored.
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from None
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _read_checkpoint(path: Path, plan: Plan) -> dict[str, Any]:
    """Read a checkpoint and check that it belongs to the plan.

    The number of steps may have grown; the sampler, which the finished model is calibrated with, may be another, and so
    may be how the networks are run.

    Raises:
        InputError: if it cannot be read or belongs to other settings.
    """
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        record = saved["callbacks"][_Record.__qualname__]
        found = record["experiment"]
    except (KeyError, EOFError, RuntimeError, pickle.UnpicklingError):
        raise InputError(
            f"{path}: cannot be read as a checkpoint of 'cgsim train'; remove the folder and begin anew"
        ) from None
    for name, before, now in differences(found, plan.experiment):
        if name != "training.steps" and not f"{name}.".startswith(("sampler.", "training.execution.")):
            raise InputError(
                f"{path}: was written with {name} = {before}, now it is {now}; a run is resumed "
                "with the settings it was begun with (only training.steps, training.execution and the sampler may "
                "change)"
            )
    if plan.start is not None and record.get("start") != weights_hash(plan.start.model):
        raise InputError(
            f"{path}: was begun from other weights than those that {plan.experiment.get('start_from')} has now"
        )
    return saved


def _trainer(plan: Plan, record: _Record) -> L.Trainer:
    settings = plan.training
    callbacks: list[Callback] = [record]
    if record.averaging:
        callbacks.append(record.averaging)
    is_terminal = sys.stderr.isatty()
    if is_terminal:
        callbacks.append(TQDMProgressBar())
    return L.Trainer(
        default_root_dir=record.checkpoint.parent,
        accelerator="auto",
        devices=1,
        max_steps=settings.steps,
        logger=False,
        limit_val_batches=1.0 if plan.validation else 0,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        gradient_clip_val=settings.gradient_clip,
        enable_checkpointing=False,
        enable_progress_bar=is_terminal,
        enable_model_summary=False,
        callbacks=callbacks,
    )


def _card(plan: Plan, data: TrainingSet, model: CoarseGrainedModel, figures: dict[str, float]) -> ModelCard:
    before = plan.start.card.calibration if plan.start else None
    return ModelCard(
        name=plan.name,
        units=data.units,
        model=plan.model,
        mapping=plan.mapping,
        sampler=plan.sampler,
        calibration=calibrate(model, plan.sampler, data, plan.training.seed, before),
        atom_types=data.vocabulary.atom_types,
        bond_types=data.vocabulary.bond_types,
        mean_mass=data.vocabulary.mean_mass,
        surroundings=data.vocabulary.surroundings,
        scales=data.scales,
        trained=data.trained,
        training_systems=data.systems,
        figures=figures,
        experiment=plan.experiment,
    )
