"""Reading the DCD files that LAMMPS writes: single precision, every frame of the same size."""

import struct
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.typing import Array, Float32

_MAGIC = struct.pack("<i4s", 84, b"CORD")


def read_dcd(path: Path, n_particles: int) -> Float32[Array, "frames particles 3"]:
    """Read all frames; a file cut off in the middle of a frame gives the whole frames before.

    The layout is CHARMM's: records framed by their length, a header of three records, then for each frame one record of
    six doubles (the cell) and one of single-precision numbers for each axis.

    Raises:
        InputError: if the file is no little-endian DCD or is of another number of particles.
    """
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise InputError(f"{path}: is not a little-endian DCD file")
    start = 0
    for _ in range(3):
        (size,) = struct.unpack_from("<i", content, start)
        last_record = content[start + 4 : start + 4 + size]
        start += size + 8
    (found,) = struct.unpack("<i", last_record)
    if found != n_particles:
        raise InputError(f"{path}: has {found} particles, expected {n_particles}")
    axis = [("head", "<i4"), ("value", "<f4", (n_particles,)), ("tail", "<i4")]
    frame = np.dtype([("cell", "V56"), ("x", axis), ("y", axis), ("z", axis)])
    n_frames = (len(content) - start) // frame.itemsize
    frames = np.frombuffer(content, dtype=frame, count=n_frames, offset=start)
    return np.stack([frames[name]["value"] for name in "xyz"], axis=-1)
