"""One simulation step and its parts, and what a long box and many chains cost per bead."""

import gc
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cgsim.benchmark.rows import Row
from cgsim.benchmark.speed.calls import Call
from cgsim.benchmark.speed.record import speed_row
from cgsim.benchmark.speed.systems import Setting, tiled, tiles_for
from cgsim.benchmark.speed.timing import Timing, alternate, seconds_now, timed
from cgsim.geometry.cutoffs import Cutoffs
from cgsim.graph import SKIN, BeadBatch
from cgsim.models.execution import Execution
from cgsim.models.network import set_execution
from cgsim.production.segments import RunState, SegmentFolder
from cgsim.simulate.guard import SKIN as GUARD_SKIN
from cgsim.simulate.rollout import RolloutFrame, RolloutState, rollout

STEP = "a step"
PARTS = ("neighbour search", "networks", "guard", "writing")
SIZES = (1_000, 10_000, 100_000, 1_000_000)
SMALL = 50_000  # beads of boxes that are measured more than once
FRAMES_WRITTEN = 20
ROUNDS_OF_PARTS = 3


@dataclass
class Clock:
    """Seconds spent in some functions, without those that they call and that are clocked too."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)
    _stack: list[list[Any]] = field(default_factory=list)

    def start(self, part: str) -> None:
        """A part begins."""
        self._stack.append([part, seconds_now(self.device), 0.0])

    def stop(self) -> None:
        """The part that began last is over."""
        part, begun, inside = self._stack.pop()
        spent = seconds_now(self.device) - begun
        self.seconds[part] = self.seconds.get(part, 0.0) + spent - inside
        if self._stack:
            self._stack[-1][2] += spent

    def around(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """The function with its time taken."""

        def clocked(*arguments: Any, **named: Any) -> Any:
            self.start(part)
            try:
                return function(*arguments, **named)
            finally:
                self.stop()

        return clocked

    @contextmanager
    def attribute(self, owner: object, name: str, part: str) -> Iterator[None]:
        """Take the time of the calls of a method, or of what an object has under a name."""
        own = vars(owner).get(name)  # a method is not the object's own
        setattr(owner, name, self.around(getattr(owner, name), part))
        try:
            yield
        finally:
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)

    @contextmanager
    def module(self, module: nn.Module, part: str) -> Iterator[None]:
        """Take the time of a network's calls."""
        hooks = [
            module.register_forward_pre_hook(lambda *_: self.start(part)),
            module.register_forward_hook(lambda *_: self.stop()),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


class Stepper:
    """Takes the same step of a rollout again and again, with new random numbers: from where MD has been."""

    def __init__(self, setting: Setting, batch: BeadBatch, state: RolloutState, execution: Execution) -> None:
        self.setting, self.batch, self.state, self.execution = setting, batch, state, execution
        self.propagator = setting.propagator()
        self.generator = torch.Generator(device=setting.device).manual_seed(0)

    def __call__(self) -> RolloutFrame:
        """Take a step."""
        set_execution(self.setting.model, self.execution)
        return next(rollout(self.propagator, self.batch, self.state, self.generator))


def measure_step(
    setting: Setting, where: tuple[BeadBatch, RolloutState], system: str, rounds: int, ways: dict[str, Execution]
) -> tuple[list[Row], dict[str, Timing]]:
    """Time of a step in some ways, each with its parts.

    Returns:
        The rows, and the seconds of a step in each way.
    """
    rows: list[Row] = []
    batch, state = where
    steppers = {name: Stepper(setting, batch, state, way) for name, way in ways.items()}
    times = alternate(steppers, rounds, setting.device)
    lag = setting.model.settings.lag_time
    calls = 1 + (setting.sampler.n_calls if setting.model.refiner else 0)
    for name, stepper in steppers.items():
        rows.append(speed_row(system, name, f"{STEP} of {calls} network calls, ms", times[name].times(1e3)))
        rows.append(speed_row(system, name, "a simulated ns, s", times[name].times(1e3 / lag)))
        parts = [_parts(stepper, setting) for _ in range(ROUNDS_OF_PARTS)]
        for part in (*PARTS, "all else"):
            shares = [100.0 * p.get(part, 0.0) / sum(p.values()) for p in parts]
            rows.append(speed_row(system, name, f"share of {part}, %", Timing.of(shares)))
    for name in list(ways)[1:]:
        first = next(iter(ways))
        rows.append(speed_row(system, name, f"step {first} / step", times.ratio(first, name)))
    return rows, {name: times[name] for name in ways}


def _parts(stepper: Stepper, setting: Setting) -> dict[str, float]:
    """Seconds of one step by part; taking them costs some time of its own."""
    clock, model, batch = Clock(setting.device), setting.model, stepper.batch
    propagator = stepper.propagator
    cutoffs = model.settings.dynamics.cutoffs
    searches = [batch.search(cutoffs, SKIN * cutoffs.near)]
    if propagator.guard.reach > 0:
        reach = propagator.guard.reach
        searches.append(batch.search(Cutoffs.of(reach), GUARD_SKIN * reach))
    bodies = [model.dynamics.body] if model.refiner is None else [model.dynamics.body, model.refiner.body]
    with ExitStack() as stack:
        for search in searches:
            for name in ("pairs", "candidates"):
                stack.enter_context(clock.attribute(search, name, "neighbour search"))
        stack.enter_context(clock.attribute(propagator, "guard", "guard"))
        for body in bodies:
            stack.enter_context(clock.module(body, "networks"))
        clock.start("all else")
        frame = stepper()
        clock.stop()
    clock.seconds["writing"] = _writing(frame)
    return clock.seconds


def _writing(frame: RolloutFrame) -> float:
    """Seconds that a frame takes on its way to disk; of a run they pass in a second thread."""
    state = RolloutState(frame.wrapped_positions[None], frame.image_flags[None])
    run = RunState(1, 0.0, (0,), (), (), state, torch.Generator().get_state())
    with tempfile.TemporaryDirectory() as name:
        folder = SegmentFolder(Path(name) / "speed.h5")
        folder.create("")
        device = frame.wrapped_positions.device
        return timed(lambda: folder.write((0,), [frame] * FRAMES_WRITTEN, run), 1, device) / FRAMES_WRITTEN


def measure_sizes(setting: Setting, largest: int, largest_step: int, rounds: int) -> list[Row]:
    """Time and memory per bead of one box from a thousand beads to the largest.

    Args:
        setting: model, and the small box that is tiled.
        largest: beads of the largest box, of which one network call is taken.
        largest_step: beads of the largest box of which a whole step is taken.
        rounds: samples of small boxes; of one with more than :data:`SMALL` beads there is one.
    """
    rows: list[Row] = []
    smallest: dict[str, float] = {}

    def add(system: str, part: str, of_beads: Timing) -> None:
        smallest.setdefault(part, of_beads.value)
        rows.append(speed_row(system, "eager float32", f"{part}, us/bead", of_beads))
        relative = of_beads.times(1.0 / smallest[part])
        rows.append(speed_row(system, "eager float32", f"{part}, per bead / that of the smallest box", relative))

    for wanted in [n for n in SIZES if n <= largest]:
        before = memory_in_use(setting.device)
        batch, state = tiled(setting, tiles_for(wanted, setting.inputs.n_beads))
        n = batch.sizes[0]
        system = f"box of {n} beads"
        repeats = rounds if n < SMALL else 1
        search = batch.search(setting.model.settings.dynamics.cutoffs, 0.0)
        positions = state.frames[-1].wrapped_positions
        seconds: dict[str, list[float]] = {"network call": [], "neighbour search": []}
        call = Call(setting.model, batch, state, Execution())
        if n < SMALL:
            call()
        for _ in range(repeats):
            seconds["network call"].append(timed(call, 1, setting.device))
            seconds["neighbour search"].append(timed(partial(search.pairs, positions), 1, setting.device))
        seconds["both"] = [a + b for a, b in zip(*seconds.values(), strict=True)]
        if n <= largest_step:
            stepper = Stepper(setting, batch, state, Execution())
            if n < SMALL:
                stepper()
            seconds[STEP] = [timed(stepper, 1, setting.device) for _ in range(repeats)]
        for part, samples in seconds.items():
            add(system, part, Timing.of(samples).times(1e6 / n))
        used = largest_memory(setting.device) - before
        rows.append(speed_row(system, "eager float32", "memory, bytes/bead", used / n if used > 0 else float("nan")))
        del batch, state, call, search
    return rows


def memory_in_use(device: torch.device) -> float:
    """Memory used now, bytes; the largest use is measured from here on, where the machine can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return float(torch.cuda.memory_allocated(device))
    gc.collect()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the high-water mark
    return _status("VmRSS")


def largest_memory(device: torch.device) -> float:
    """Largest memory used since :func:`memory_in_use`, bytes."""
    return float(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else _status("VmHWM")


def _status(name: str) -> float:
    """A figure of this process, bytes; not a number where the machine does not say."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return 1024.0 * float(line.split()[1])
    return float("nan")
