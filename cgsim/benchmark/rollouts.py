"""Rollouts for the benchmark: of trained models through ``cgsim.production``, of any other propagator in memory."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cgsim.beads import BeadStore
from cgsim.benchmark.data import BenchmarkData, Progress
from cgsim.benchmark.portrait import Portrait, combine
from cgsim.checkpoint import TrainedModel
from cgsim.errors import InputError
from cgsim.graph import BeadBatch
from cgsim.models.interface import Propagator
from cgsim.observables.statistics import Estimate
from cgsim.production import ProductionSettings, RolloutResult, simulate
from cgsim.production.segments import HEALTHY, SegmentFolder
from cgsim.simulate.rollout import RolloutState, rollout
from cgsim.simulate.stability import HealthSettings
from cgsim.train.source import lag_stride
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore

BYTES_AT_ONCE = 512 * 2**20  # of the frames of one group of baseline rollouts in memory
STRICT = HealthSettings()
TOLERANT = HealthSettings(patience=10**9)  # baselines that break are still measured; their stability is 0
LARGEST_SHARE = 0.1  # of a rollout that may be left out as equilibration


def model_portraits(
    model: TrainedModel,
    data: BenchmarkData,
    references: dict[str, Portrait],
    time: float,
    seed: int,
    folder: Path,
    progress: Progress,
    health: HealthSettings = STRICT,
) -> dict[str, Portrait]:
    """Simulate every unseen system from the first frames of its MD, and portray the rollouts.

    Args:
        model: the trained model.
        data: systems and settings.
        references: portraits of the long MD.
        time: length of each rollout.
        seed: of the random numbers.
        folder: keeps the rollouts; an interrupted run goes on there.
        progress: called while it runs.
        health: when a rollout is stopped.
    """
    settings = ProductionSettings(
        time=time,
        replicas=data.task.replicas,
        seed=seed,
        begin=0.0,
        sampler=model.card.sampler,
        health=health,
        execution=data.execution,
    )
    results = _simulate(model, list(data.systems.values()), settings, folder, progress)
    portraits = {}
    for k, name in enumerate(data.systems):
        own = results[k * data.task.replicas : (k + 1) * data.task.replicas]
        found = []
        for path, whole in own:
            portrait = _portray(TrajectoryStore(path).read(), data, references[name], time)
            if not whole:
                portrait.values["stability"] = Estimate(0.0, float("nan"))
            found.append(portrait)
        portraits[name] = combine(found)
        calls = model.card.sampler.n_calls if model.model.refiner is not None else 0
        portraits[name].values["refinement_calls"] = Estimate(float(calls), 0.0)
    return portraits


def _simulate(
    model: TrainedModel, starts: list[Path], settings: ProductionSettings, folder: Path, progress: Progress
) -> list[tuple[Path, bool]]:
    """Stores of the rollouts, replica by replica, and whether each is healthy."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "rollout.h5"
    partial = SegmentFolder(output)
    if not partial.exists:  # finished rollouts that are not on the shelf belong to other settings
        for stale in folder.glob("*.h5"):
            stale.unlink()
    name = f"{model.name} seed {settings.seed}"
    torch.manual_seed(settings.seed)
    results: list[RolloutResult] = simulate(
        model,
        starts,
        output,
        settings,
        resume=partial.exists,
        report=lambda p: progress(f"simulating, {name}", p.step / p.n_steps),
    )
    return [(r.path, r.verdict.verdict == HEALTHY and r.verdict.torn_bond_steps == 0) for r in results]


def forget_partial(folder: Path) -> None:
    """Remove an interrupted run that belongs to other settings."""
    partial = SegmentFolder(folder / "rollout.h5")
    if partial.path.exists():
        shutil.rmtree(partial.path)


def propagator_portraits(
    propagator: Propagator,
    class_names: tuple[str, ...],
    data: BenchmarkData,
    references: dict[str, Portrait],
    time: float,
    seed: int,
    progress: Progress,
) -> dict[str, Portrait]:
    """Portraits from rollouts of any propagator, all replicas of one system side by side, in memory.

    Args:
        propagator: draws the next configuration.
        class_names: the propagator's names of the bead classes, in the order of its indices.
        data: systems and settings.
        references: portraits of the long MD.
        time: length of each rollout.
        seed: of the random numbers.
        progress: called while it runs.
    """
    portraits = {}
    n_steps = max(1, round(time / data.lag_time))
    for k, (name, path) in enumerate(data.systems.items()):
        beads = data.open(path)
        generator = torch.Generator().manual_seed(seed * 1009 + k)
        n_kept = max(1, int(BYTES_AT_ONCE / (24 * beads.mapping.n_beads * data.task.replicas)))
        trajectories = run_propagator(
            propagator, beads, class_names, data.lag_time, min(n_steps, n_kept), data.task.replicas, generator
        )
        portraits[name] = combine([_portray(t, data, references[name], time) for t in trajectories])
        progress(f"simulating {name}", (k + 1) / len(data.systems))
    return portraits


def bare_batch(beads: BeadStore, class_names: tuple[str, ...], cell: torch.Tensor, replicas: int) -> BeadBatch:
    """Copies of one system side by side, without chemistry."""
    mapping = beads.mapping
    n = mapping.n_beads
    row = torch.tensor([class_names.index(name) for name in mapping.class_names])
    bonds = torch.from_numpy(mapping.bond_index)
    return BeadBatch(
        sizes=(n,) * replicas,
        bead_class=row[torch.from_numpy(mapping.bead_class)].repeat(replicas),
        masses=torch.from_numpy(mapping.masses).float().repeat(replicas),
        bond_index=torch.cat([bonds + k * n for k in range(replicas)], dim=1),
        cell=cell.float().expand(replicas, 3, 3).contiguous(),
        embedding=torch.zeros(n * replicas, 1),
        bond_embedding=torch.zeros(2, bonds.shape[1] * replicas, 0),
    )


def run_propagator(
    propagator: Propagator,
    beads: BeadStore,
    class_names: tuple[str, ...],
    lag_time: float,
    n_steps: int,
    replicas: int,
    generator: torch.Generator,
) -> list[Trajectory]:
    """Roll out replicas of one system from the first frames of its MD; the start is the present frame.

    Where the MD is saved too rarely for the history, that is the first frame throughout, as if nothing had moved.
    """
    n_history = propagator.history_offsets[-1] + 1
    try:
        stride = lag_stride(beads, lag_time)
        start = beads.read(slice(0, (n_history - 1) * stride + 1, stride))
    except InputError:
        start = beads.read(slice(0, 1))
    batch = bare_batch(beads, class_names, torch.from_numpy(start.cell[-1]), replicas)
    missing = n_history - start.n_frames
    state = RolloutState(
        torch.from_numpy(np.pad(start.wrapped_positions, [(missing, 0), (0, 0), (0, 0)], "edge")).repeat(
            1, replicas, 1
        ),
        torch.from_numpy(np.pad(start.image_flags, [(missing, 0), (0, 0), (0, 0)], "edge")).repeat(1, replicas, 1),
    )
    wrapped = [state.wrapped_positions[-1].numpy()]
    images = [state.image_flags[-1].numpy()]
    frames = rollout(propagator, batch, state, generator)
    for _ in range(n_steps):
        frame = next(frames)
        wrapped.append(frame.wrapped_positions.numpy())
        images.append(frame.image_flags.numpy())
    time = lag_time * np.arange(n_steps + 1, dtype=np.float64)
    cell = np.broadcast_to(start.cell[-1], (n_steps + 1, 3, 3)).copy()
    n = beads.mapping.n_beads
    every, flags = np.stack(wrapped), np.stack(images)
    parts = [slice(k * n, (k + 1) * n) for k in range(replicas)]
    return [Trajectory(start.system, every[:, part].copy(), flags[:, part].copy(), cell, time) for part in parts]


def _portray(trajectory: Trajectory, data: BenchmarkData, reference: Portrait, time: float) -> Portrait:
    """Portrait of a rollout without its beginning; one that ended early is not stable."""
    length = float(trajectory.time[-1] - trajectory.time[0])
    begin = trajectory.time[0] + min(data.task.equilibration, LARGEST_SHARE * length)
    kept = trajectory[int(np.searchsorted(trajectory.time, begin - 1e-9)) :]
    kept = replace(kept, time=kept.time - kept.time[0]) if kept.n_frames else trajectory
    portrait = data.task.portray(kept, data.lag_time, reference)
    if length < (1.0 - LARGEST_SHARE) * time - data.lag_time:
        portrait.values["stability"] = Estimate(0.0, float("nan"))
    return portrait
