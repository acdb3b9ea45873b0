"""What a run leaves on disk: segments while it goes on, one store per rollout when it is over.

While a run goes on it lives in a folder ``.<output>.partial``: segments of frames, each with everything that is needed
to go on, each written atomically. A kill at any moment costs the frames since the last segment.
"""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cgsim.errors import InputError
from cgsim.simulate.rollout import RolloutFrame, RolloutState
from cgsim.trajectory.writer import disk_errors
from cgsim.typing import Array

HEALTHY = "healthy"
RUN = "run.json"


@dataclass(frozen=True)
class Verdict:
    """How one rollout ended, or that it has not.

    Attributes:
        verdict: ``healthy``, ``not a number``, ``overlap`` or ``torn bond``.
        message: the sentence that says what happened; empty when healthy.
        overlap_steps: steps with an overlap.
        torn_bond_steps: steps with a torn bond.
        guarded_beads: beads that the guard moved, summed over all steps.
    """

    verdict: str = HEALTHY
    message: str = ""
    overlap_steps: int = 0
    torn_bond_steps: int = 0
    guarded_beads: int = 0


@dataclass(frozen=True)
class RunState:
    """All that changes during a run: with it the run goes on as if it had never been interrupted.

    Attributes:
        step: steps done.
        seconds: wall time spent.
        alive: rollouts still running.
        verdicts: of every rollout.
        in_a_row: of every rollout, the steps in a row that showed each tolerated fault.
        state: history of the rollouts still running.
        generator_state: of the random generator.
    """

    step: int
    seconds: float
    alive: tuple[int, ...]
    verdicts: tuple[Verdict, ...]
    in_a_row: tuple[dict[str, int], ...]
    state: RolloutState
    generator_state: torch.Tensor


@dataclass(frozen=True)
class RolloutResult:
    """One finished rollout.

    Attributes:
        path: its store.
        verdict: how it ended.
        n_frames: frames kept, the start included.
        time_per_day: simulated time per day of wall time, unit of time of the model; the whole batch ran side by side.
    """

    path: Path
    verdict: Verdict
    n_frames: int
    time_per_day: float


class SegmentFolder:
    """The folder of an unfinished run."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output.with_name(f".{output.stem}.partial")

    @property
    def exists(self) -> bool:
        """Whether an unfinished run is there."""
        return (self.path / RUN).exists()

    def create(self, fingerprint: str) -> None:
        """Begin a run."""
        with disk_errors(self.output):
            self.path.mkdir(parents=True, exist_ok=True)
            for stale in self.segments():  # of a run that was being removed
                stale.unlink()
            (self.path / RUN).write_text(json.dumps({"fingerprint": fingerprint}))

    def check(self, fingerprint: str) -> None:
        """Raise InputError if the unfinished run was begun with another model, start or settings."""
        if json.loads((self.path / RUN).read_text())["fingerprint"] != fingerprint:
            raise InputError(f"{self.path}: was begun with another model, start or settings, so it cannot be resumed")

    def segments(self) -> list[Path]:
        """Segments in order."""
        return sorted(self.path.glob("segment-*.npz"))

    def write(
        self,
        members: tuple[int, ...],
        frames: list[RolloutFrame],
        run: RunState,
    ) -> None:
        """Write frames of the rollouts ``members``, and where the run stands after them."""
        target = self.path / f"segment-{len(self.segments()):06d}.npz"
        partial = self.path / "segment.partial"
        meta = {
            "step": run.step,
            "seconds": run.seconds,
            "alive": run.alive,
            "members": members,
            "verdicts": [vars(v) for v in run.verdicts],
            "in_a_row": run.in_a_row,
        }
        shape = (len(frames), len((frames or run.state.frames)[0].wrapped_positions), 3)
        wrapped = np.array([f.wrapped_positions.cpu().numpy() for f in frames], dtype=np.float32).reshape(shape)
        images = np.array([f.image_flags.cpu().numpy() for f in frames], dtype=np.int32).reshape(shape)
        with disk_errors(self.output), partial.open("wb") as file:
            np.savez(
                file,
                meta=np.array(json.dumps(meta)),
                wrapped=wrapped,
                images=images,
                history_wrapped=run.state.wrapped_positions.cpu().numpy(),
                history_images=run.state.image_flags.cpu().numpy(),
                generator=run.generator_state.cpu().numpy(),
            )
        partial.replace(target)

    def last(self, device: torch.device) -> RunState | None:
        """Where the run stands; None before the first segment."""
        segments = self.segments()
        if not segments:
            return None
        with np.load(segments[-1], allow_pickle=False) as data:
            meta = json.loads(str(data["meta"]))
            state = RolloutState(
                torch.from_numpy(data["history_wrapped"]).to(device),
                torch.from_numpy(data["history_images"]).to(device),
            )
            generator = torch.from_numpy(data["generator"])
        verdicts = tuple(Verdict(**v) for v in meta["verdicts"])
        alive, in_a_row = tuple(meta["alive"]), tuple(meta["in_a_row"])
        return RunState(meta["step"], meta["seconds"], alive, verdicts, in_a_row, state, generator)

    def frames_of(self, rollout: int, sizes: list[int]) -> Iterator[tuple[Array, Array]]:
        """Frames of one rollout, segment by segment: wrapped positions and image flags, [frames, beads, 3]."""
        for segment in self.segments():
            with np.load(segment, allow_pickle=False) as data:
                members = json.loads(str(data["meta"]))["members"]
                if rollout not in members:
                    continue
                start = sum(sizes[m] for m in members[: members.index(rollout)])
                chosen = slice(start, start + sizes[rollout])
                yield data["wrapped"][:, chosen], data["images"][:, chosen]

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path)


class BackgroundWriter:
    """Writes the segments of a folder in a second thread, one after the other, while the run goes on.

    Used as a context it waits for what is unfinished; an error of the thread is raised in the run.
    """

    def __init__(self, folder: SegmentFolder) -> None:
        self.folder = folder
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="segments")
        self._pending: Future[None] | None = None

    def write(self, members: tuple[int, ...], frames: list[RolloutFrame], run: RunState) -> None:
        """Write as :meth:`SegmentFolder.write` does; returns at once, unless the segment before is still unfinished."""
        self.wait()
        self._pending = self._thread.submit(self.folder.write, members, frames, run)

    def wait(self) -> None:
        """Wait until everything is on disk."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.wait()
        finally:
            self._thread.shutdown()


def output_paths(starts: list[Path], output: Path, replicas: int) -> list[Path]:
    """Where each rollout goes: every replica of the first start, then of the second, and so on."""
    if len(starts) * replicas == 1:
        return [output]
    names = [f"-{s.stem}" if len(starts) > 1 else "" for s in starts]
    tails = [f"-r{k}" if replicas > 1 else "" for k in range(replicas)]
    return [output.with_name(f"{output.stem}{name}{tail}.h5") for name in names for tail in tails]


def check_paths(outputs: list[Path], folder: SegmentFolder, *, resume: bool) -> None:
    """Refuse, before any work, to overwrite anything or to resume what is not there.

    Raises:
        InputError: naming the path.
    """
    if len(set(outputs)) < len(outputs):
        raise InputError(f"{folder.output}: two starts have the same file name; rename one")
    if not folder.output.parent.is_dir():
        raise InputError(f"{folder.output.parent}: no such folder")
    if resume and not folder.exists:
        raise InputError(f"{folder.output}: there is no interrupted run to resume")
    if not resume and folder.exists:
        raise InputError(f"{folder.output}: an interrupted run is there; add --resume, or remove {folder.path}")
    for path in outputs:
        # A run that is resumed may have been interrupted between its stores; those it writes again.
        if path.exists() and not resume:
            raise InputError(f"{path}: exists already; choose another output or remove it")
