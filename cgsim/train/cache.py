"""Beads on disk as training reads them: mapped once, then looked at through memory maps by every later run."""

import hashlib
import itertools
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from cgsim.beads import BYTES_PER_ATOM, PIECE_BYTES, BeadStore
from cgsim.trajectory import Trajectory

CACHE_VARIABLE = "CGSIM_CACHE"
MAPPED_BYTES = 16 * 2**20  # smaller arrays are read into memory: every map holds an open file, and those are few
LARGEST_CACHE = 20 * 2**30  # bytes; what was not used for longest goes first
FORMAT_VERSION = 1
ARRAYS = ("wrapped_positions", "image_flags", "cell", "time")
SIZES = "squared_sizes"


def cache_folder() -> Path:
    """Where beads are kept: ``CGSIM_CACHE``, else ``cgsim`` in the user's cache folder."""
    if folder := os.environ.get(CACHE_VARIABLE):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cgsim"


def cached_trajectory(beads: BeadStore, frames: slice, *, sizes: bool = False) -> Trajectory:
    """The beads of some frames of a store, large ones as memory maps, which take what memory there is to spare.

    They are mapped at the first call for this file, mapping and choice of frames, piece by piece. Where nothing can be
    written they are read into memory instead.

    Args:
        beads: the opened store.
        frames: first and last frame to use, without a step.
        sizes: the sizes of the beads as well.

    Raises:
        InputError: as :meth:`~cgsim.beads.BeadStore.read`.
    """
    root = cache_folder() / "beads"
    folder = root / _key(beads, frames, sizes=sizes)
    try:
        if not folder.is_dir():
            _fill(folder, beads, frames, sizes=sizes)
            _make_room(root, folder)
        os.utime(folder)
        arrays = {name: _open(folder / f"{name}.npy") for name in (*ARRAYS, *[SIZES] * sizes)}
    except (OSError, ValueError):  # no place to write, or something took files away
        shutil.rmtree(folder, ignore_errors=True)
        return beads.read(frames, sizes=sizes)
    return Trajectory(beads.beads, **arrays)


def _open(path: Path) -> np.ndarray:
    """An array of the cache; what would be written to it stays in memory."""
    return np.asarray(np.load(path, mmap_mode="c" if path.stat().st_size > MAPPED_BYTES else None))


def _key(beads: BeadStore, frames: slice, *, sizes: bool) -> str:
    """Identifies what is cached; a file that was written again has another time."""
    path = beads.store.path.resolve()
    facts = path.stat()
    what = [
        FORMAT_VERSION,
        str(path),
        facts.st_size,
        facts.st_mtime_ns,
        beads.mapping.hash,
        frames.indices(2**62),
        sizes,
    ]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]


def _fill(folder: Path, beads: BeadStore, frames: slice, *, sizes: bool) -> None:
    """Map the beads into files beside the folder, which gets them when they are whole."""
    start, stop, _ = frames.indices(beads.store.n_frames)
    n_pieces = -(-(stop - start) * (1 + sizes) * BYTES_PER_ATOM * max(1, beads.store.system.n_particles) // PIECE_BYTES)
    edges = np.linspace(start, stop, max(1, min(n_pieces, stop - start)) + 1).astype(int)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        files: dict[str, np.memmap] = {}
        for first, last in itertools.pairwise(edges):
            piece = beads.read(slice(int(first), int(last)), sizes=sizes)
            for name in (*ARRAYS, *[SIZES] * sizes):
                values = getattr(piece, name)
                if name not in files:
                    files[name] = np.lib.format.open_memmap(
                        partial / f"{name}.npy", "w+", values.dtype, (stop - start, *values.shape[1:])
                    )
                files[name][first - start : last - start] = values
        for array in files.values():
            array.flush()
        if not folder.is_dir():  # another run may have been faster
            partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _make_room(root: Path, kept: Path) -> None:
    """Remove what was not used for longest, until the cache is small enough; what is open stays readable."""
    folders = sorted((f for f in root.iterdir() if f.is_dir() and f != kept), key=lambda f: f.stat().st_mtime)
    sizes = {f: sum(file.stat().st_size for file in f.iterdir()) for f in [*folders, kept]}
    for folder in folders:
        if sum(sizes.values()) <= LARGEST_CACHE:
            return
        shutil.rmtree(folder, ignore_errors=True)
        del sizes[folder]
