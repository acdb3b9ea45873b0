"""From the segments of a finished run to one store per rollout."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cgsim.beads import BeadStore
from cgsim.production.segments import SegmentFolder
from cgsim.simulate.bead_sizes import BeadSizes
from cgsim.trajectory import Trajectory
from cgsim.trajectory.writer import StoreWriter
from cgsim.typing import Array

Piece = tuple[Array, Array]  # wrapped positions and images, [frames, beads, 3]


def write_rollout(
    folder: SegmentFolder,
    number: int,
    sizes: list[int],
    beads: BeadStore,
    start: Trajectory,
    lag_time: float,
    path: Path,
    documents: dict[str, Any],
    bead_sizes: BeadSizes | None,
) -> int:
    """Stream one rollout from its segments into its store; time counts from the start, which is the first frame.

    Args:
        folder: the finished run.
        number: of the rollout.
        sizes: beads of every rollout.
        beads: where it started.
        start: the frames that it started from.
        lag_time: time between its frames.
        path: the store to write.
        documents: what the store is to say about itself.
        bead_sizes: gives the sizes of its beads, if they are to be in the store.

    Returns:
        Number of frames written.
    """
    system, cell = beads.beads, start.cell[-1]
    first = (start.wrapped_positions[-1:], start.image_flags[-1:])
    pieces: Iterable[Piece] = chain([first], folder.frames_of(number, sizes))
    if bead_sizes is not None:
        pieces = recut(pieces, bead_sizes.n_at_once)
    n_frames = 0
    with StoreWriter(path, system, atoms=beads.atoms, documents={**beads.documents(), **documents}) as writer:
        for wrapped, images in pieces:
            n = len(wrapped)
            time = lag_time * np.arange(n_frames, n_frames + n, dtype=np.float64)
            cells = np.broadcast_to(cell, (n, 3, 3)).copy()
            squared = bead_sizes(torch.from_numpy(wrapped)).cpu().numpy() if bead_sizes else None
            writer.append(Trajectory(system, wrapped, images, cells, time, squared_sizes=squared))
            n_frames += n
    return n_frames


def recut(pieces: Iterable[Piece], n: int) -> Iterator[Piece]:
    """The same frames in pieces of ``n``, however they come.

    Segments are cut by the clock and by interruptions, and sums of floating-point numbers depend on what is summed at
    once: a run that was resumed would not be the run that never stopped.
    """
    held: list[Piece] = []
    missing = n
    for wrapped, images in pieces:
        at = 0
        while at < len(wrapped):
            some = slice(at, at + missing)
            held.append((wrapped[some], images[some]))
            at += len(wrapped[some])
            missing -= len(wrapped[some])
            if not missing:
                yield _joined(held)
                held, missing = [], n
    if held:
        yield _joined(held)


def _joined(held: list[Piece]) -> Piece:
    return np.concatenate([wrapped for wrapped, _ in held]), np.concatenate([images for _, images in held])
