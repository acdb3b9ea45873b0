"""Training: samples per second, and the share of time in which the network waits for data."""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import torch
from torch.utils.data import DataLoader

from cgsim.benchmark.rows import Row
from cgsim.benchmark.speed.calls import sizes_of, with_body
from cgsim.benchmark.speed.record import speed_row
from cgsim.benchmark.speed.systems import Setting
from cgsim.benchmark.speed.timing import Alternation, Timing, seconds_now, timed
from cgsim.benchmark.speed.written_plainly import WrittenPlainly
from cgsim.models.execution import Execution
from cgsim.models.message_passing import MessagePassingBody
from cgsim.models.model import CoarseGrainedModel
from cgsim.models.network import set_execution
from cgsim.train.data import Windows
from cgsim.train.module import TrainingModule, TrainingSettings, collate

BATCH = 4
PLAINLY = "written plainly, float32"


class _Unlogged(TrainingModule):
    """The training module without a trainer that takes its logs."""

    def log_dict(self, *_: Any, **__: Any) -> None:
        """Log nothing."""


class Trainer:
    """Takes optimiser steps on windows of the small system, and knows how long it waited for them."""

    def __init__(self, setting: Setting, model: CoarseGrainedModel, execution: Execution) -> None:
        settings = TrainingSettings(batch_size=BATCH)
        self.setting, self.execution, self.model = setting, execution, model.train()
        systems = setting.data.inputs(setting.data.train)
        self.module = _Unlogged(model, settings, systems, [], setting.data.approaches(model.settings))
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
        windows = Windows(setting.data.train, model.settings)
        loader = DataLoader(windows, batch_size=BATCH, shuffle=True, collate_fn=collate, drop_last=True)
        self.batches: Iterator[Any] = chain.from_iterable(repeat(loader))
        self.waited: list[float] = []

    def __call__(self) -> None:
        """One optimiser step."""
        begun = seconds_now(self.setting.device)
        which, history, displacement, *sizes = next(self.batches)
        device = self.setting.device
        batch = which, history.to(device), displacement.to(device), *(one.to(device) for one in sizes)
        ready = seconds_now(self.setting.device)
        set_execution(self.model, self.execution)
        loss = self.module.training_step(batch, 0)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.waited.append((ready - begun) / (seconds_now(self.setting.device) - begun))


def measure_training(setting: Setting, system: str, rounds: int, ways: dict[str, Execution]) -> list[Row]:
    """Samples per second in some ways; for the plain network also written plainly."""
    settings, sampler = setting.model.settings, setting.sampler
    trainers = {name: Trainer(setting, setting.with_model(settings, sampler).model, way) for name, way in ways.items()}
    if isinstance(setting.model.dynamics.body, MessagePassingBody):
        plain = WrittenPlainly(sizes_of(setting.model), settings.dynamics.network)
        trainers[PLAINLY] = Trainer(setting, with_body(setting, plain), Execution())
    for trainer in trainers.values():
        trainer()
        trainer.waited.clear()
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for _ in range(rounds):
        for name, trainer in trainers.items():
            seconds[name].append(timed(trainer, 1, setting.device))
    times, rows = Alternation(seconds), []
    for name, trainer in trainers.items():
        rows.append(speed_row(system, name, f"training, samples/s in batches of {BATCH}", times.rate(name, BATCH)))
        rows.append(speed_row(system, name, "waiting for data, %", Timing.of([100.0 * w for w in trainer.waited])))
        if PLAINLY in trainers and name != PLAINLY:
            rows.append(speed_row(system, name, "training speed / written plainly", times.ratio(PLAINLY, name)))
    return rows
