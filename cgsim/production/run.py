"""One production run: every start, all replicas side by side, until the time is reached or a system breaks."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import BeadStore, open_beads
from cgsim.checkpoint import TrainedModel
from cgsim.errors import InputError
from cgsim.graph import BeadBatch
from cgsim.models.execution import is_out_of_memory
from cgsim.models.inputs import make_batch
from cgsim.models.interface import GuardedPropagator
from cgsim.models.network import halve_edges_at_once, set_execution
from cgsim.production.findings import count, judge
from cgsim.production.segments import (
    HEALTHY,
    BackgroundWriter,
    RolloutResult,
    RunState,
    SegmentFolder,
    Verdict,
    check_paths,
    output_paths,
)
from cgsim.production.settings import ProductionSettings, Progress
from cgsim.production.start import starting_frames, system_inputs, warn_of_unfamiliar
from cgsim.production.stores import write_rollout
from cgsim.simulate.bead_sizes import BeadSizes
from cgsim.simulate.ensemble import EnsemblePropagator
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.simulate.rollout import RolloutFrame, RolloutState, rollout
from cgsim.simulate.stability import NOT_A_NUMBER, TOLERATED, HealthMonitor
from cgsim.trajectory import Trajectory

SEGMENT_BYTES = 64 * 2**20
SEGMENT_SECONDS = 30.0
SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True)
class _Plan:
    """What does not change during a run; one entry per rollout, and of batches one per member of the model."""

    model: TrainedModel
    settings: ProductionSettings
    starts: list[BeadStore]
    frames: list[Trajectory]
    outputs: list[Path]
    batches: list[BeadBatch]
    folder: SegmentFolder

    @property
    def batch(self) -> BeadBatch:
        return self.batches[0]

    @property
    def n_steps(self) -> int:
        return max(1, round(self.settings.time / self.lag_time))

    @property
    def lag_time(self) -> float:
        return self.model.card.model.lag_time

    def time_per_day(self, run: RunState) -> float:
        return run.step * self.lag_time / max(run.seconds, 1e-9) * SECONDS_PER_DAY


def simulate(
    model: TrainedModel,
    starts: list[Path],
    output: Path,
    settings: ProductionSettings,
    *,
    resume: bool,
    report: Callable[[Progress], None],
) -> list[RolloutResult]:
    """Simulate every start, all replicas side by side in one batch.

    Args:
        model: the trained model.
        starts: stores of atoms or beads whose frames give the history to start from.
        output: the store to write; with several rollouts ``out.h5`` becomes ``out-<start>-r<replica>.h5``.
        settings: how long, how many, what to watch.
        resume: go on with an interrupted run.
        report: called after every step.

    Raises:
        InputError: before any work, if a start does not suit the model, an output exists, or there is (not) something
            to resume.
        KeyboardInterrupt: after saving everything drawn so far.

    Warns:
        UserWarning: if atoms are bonded in ways that the model has not learned from.
    """
    plan, run, generator = _prepare(model, starts, output, settings, resume=resume)
    run = _advance(plan, run, generator, report)
    return _finish(plan, run)


def _prepare(
    model: TrainedModel, starts: list[Path], output: Path, settings: ProductionSettings, *, resume: bool
) -> tuple[_Plan, RunState, torch.Generator]:
    card, device = model.card, next(model.model.parameters()).device
    outputs = output_paths(starts, output, settings.replicas)
    folder = SegmentFolder(output)
    check_paths(outputs, folder, resume=resume)
    which = [k for k in range(len(starts)) for _ in range(settings.replicas)]
    opened = [open_beads(path, card.mapping) for path in starts]
    frames = [starting_frames(beads, card, settings.begin) for beads in opened]
    systems = [system_inputs(beads, history.cell[-1], card) for beads, history in zip(opened, frames, strict=True)]
    for beads in opened:
        warn_of_unfamiliar(beads, card)
    batches = []
    for member in model.members:
        set_execution(member.model, settings.execution)
        with torch.no_grad():
            batches.append(make_batch(systems, which, member.model.embedding))
    state = RolloutState(
        torch.from_numpy(np.concatenate([frames[k].wrapped_positions for k in which], axis=1)).to(device),
        torch.from_numpy(np.concatenate([frames[k].image_flags for k in which], axis=1)).to(device),
    )
    generator = torch.Generator(device=device).manual_seed(settings.seed)
    run = RunState(
        step=0,
        seconds=0.0,
        alive=tuple(range(len(which))),
        verdicts=(Verdict(),) * len(which),
        in_a_row=(dict.fromkeys(TOLERATED, 0),) * len(which),
        state=state,
        generator_state=generator.get_state(),
    )
    plan = _Plan(model, settings, [opened[k] for k in which], [frames[k] for k in which], outputs, batches, folder)
    fingerprint = _fingerprint(plan, state)
    if not resume:
        folder.create(fingerprint)
        return plan, run, generator
    folder.check(fingerprint)
    return plan, folder.last(device) or run, generator


def _fingerprint(plan: _Plan, state: RolloutState) -> str:
    """Identifies a run by model, starts and settings; not by its length: an interrupted one may be prolonged."""
    digest = hashlib.sha256()
    for member in plan.model.members:
        digest.update(member.card.model_dump_json().encode())
    digest.update(plan.settings.model_dump_json(exclude={"time"}).encode())
    digest.update(state.wrapped_positions.cpu().numpy().tobytes())
    digest.update(state.image_flags.cpu().numpy().tobytes())
    return digest.hexdigest()


def _advance(plan: _Plan, run: RunState, generator: torch.Generator, report: Callable[[Progress], None]) -> RunState:
    """Run until all time is done or no system is left; a system that breaks leaves the batch, the others go on."""
    run = _drop(plan, run)
    while run.step < plan.n_steps and run.alive:
        generator.set_state(run.generator_state)
        run = _drop(plan, _run_batch(plan, run, generator, report))
    return run


def _back_off(plan: _Plan) -> None:
    """Let the networks look at half as many edges at once; the step that did not fit is drawn again.

    Raises:
        InputError: if that is no help any more.
    """
    device = next(plan.model.model.parameters()).device
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if not all(halve_edges_at_once(member.model) for member in plan.model.members):
        n_beads, outputs = sum(plan.batch.sizes), len(plan.outputs)
        raise InputError(
            f"{plan.folder.output}: {outputs} rollouts side by side ({n_beads} beads) do not fit into the memory of "
            f"{device.type}; start fewer at a time"
        )


def _run_batch(plan: _Plan, run: RunState, generator: torch.Generator, report: Callable[[Progress], None]) -> RunState:
    """Run the systems still alive until one breaks or the time is reached; everything drawn is on disk at the end."""
    propagator, batch = _propagator(plan, list(run.alive))
    monitor = HealthMonitor(batch, plan.model.trained, plan.settings.health, plan.model.card.units.length)
    monitor.in_a_row = [dict(run.in_a_row[number]) for number in run.alive]
    frames: list[RolloutFrame] = []
    begun, earlier = time.monotonic(), run.seconds
    saved, first, n_bytes = begun, run.step, 0
    writer = BackgroundWriter(plan.folder)
    try:
        for frame in rollout(propagator, batch, run.state, generator):
            broken = monitor.check(frame.wrapped_positions, run.step + 1)
            lost = {graph: finding for graph, finding in broken.items() if finding.kind == NOT_A_NUMBER}
            if lost:  # this step is lost for all; the others draw it again
                run = replace(run, verdicts=judge(run, lost))
                break
            frames.append(frame)
            n_bytes += 2 * frame.wrapped_positions.nbytes
            counted = count(run, monitor, propagator.n_guarded.tolist())
            run = replace(
                counted,
                step=run.step + 1,
                seconds=earlier + time.monotonic() - begun,
                verdicts=judge(counted, broken),
                state=run.state.followed_by(frame),
                generator_state=generator.get_state(),
            )
            report(Progress(run.step, plan.n_steps, len(run.alive), plan.time_per_day(run)))
            if n_bytes > SEGMENT_BYTES or time.monotonic() - saved > SEGMENT_SECONDS:
                written, frames = frames, []
                writer.write(run.alive, written, run)
                saved, first, n_bytes = time.monotonic(), run.step, 0
            if broken or run.step >= plan.n_steps:
                break
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        _back_off(plan)
    finally:
        with writer:
            if frames:  # an interruption may have come between a frame and the state that goes with it
                writer.write(run.alive, frames[: run.step - first], run)
    return run


def _propagator(plan: _Plan, alive: list[int]) -> tuple[GuardedPropagator, BeadBatch]:
    """What draws the rollouts that are alive, and their batch."""
    members: list[tuple[GuardedPropagator, BeadBatch]] = []
    ranges = [plan.model.range_of(plan.starts[number].atoms) for number in alive]
    for member, batch in zip(plan.model.members, plan.batches, strict=True):
        propagator = LearnedPropagator(member.model, plan.settings.sampler, member.card.calibration, ranges)
        members.append((propagator, batch.select(alive)))
    return EnsemblePropagator(members) if plan.model.others else members[0][0], members[0][1]


def _drop(plan: _Plan, run: RunState) -> RunState:
    """Take the systems that have a verdict out of the batch."""
    kept = [p for p, number in enumerate(run.alive) if run.verdicts[number].verdict == HEALTHY]
    if len(kept) == len(run.alive):
        return run
    sizes = [plan.batch.sizes[number] for number in run.alive]
    ends = np.cumsum(sizes)
    beads = np.concatenate([np.arange(ends[p] - sizes[p], ends[p]) for p in kept]) if kept else np.empty(0, np.int64)
    index = torch.from_numpy(beads).to(run.state.wrapped_positions.device)
    state = RolloutState(run.state.wrapped_positions[:, index], run.state.image_flags[:, index])
    run = replace(run, alive=tuple(run.alive[p] for p in kept), state=state)
    plan.folder.write((), [], run)
    return run


def _finish(plan: _Plan, run: RunState) -> list[RolloutResult]:
    """Turn segments into stores."""
    results = []
    sizes = list(plan.batch.sizes)
    for number, path in enumerate(plan.outputs):
        verdict, beads = run.verdicts[number], plan.starts[number]
        document = {
            "model": plan.model.name,
            "n_models": len(plan.model.members),
            "start": beads.store.path.name,
            "start_time": float(plan.frames[number].time[-1]),
            "replica": number % plan.settings.replicas,
            "settings": plan.settings.model_dump(mode="json"),
            "lag_time": plan.lag_time,
            "seconds": run.seconds,
            "time_per_day": plan.time_per_day(run),
            "n_side_by_side": len(plan.outputs),
            "unfamiliar": plan.model.card.vocabulary.unfamiliar(beads.atoms),
            **vars(verdict),
        }
        documents = {"rollout": document}
        model = plan.model.model
        bead_sizes = BeadSizes(model, plan.batch.select([number])) if model.bead_size else None
        n_frames = write_rollout(
            plan.folder, number, sizes, beads, plan.frames[number], plan.lag_time, path, documents, bead_sizes
        )
        results.append(RolloutResult(path, verdict, n_frames, plan.time_per_day(run)))
    plan.folder.remove()
    return results
