"""How a store is laid out in HDF5; the one place that both the writer and the reader of stores look at.

Layout (H5MD 1.1, de Buyl, Colberg and Höfling, Comput. Phys. Commun. 185, 1546 (2014), plus our own group below
``/parameters``)::

    /h5md                             version, author, creator
    /particles/all/position,image     value [frames, particles, 3], step, time
    /particles/all/velocity           the same, where velocities were kept
    /particles/all/squared_size       value [frames, particles], step, time, where sizes of beads were kept
    /particles/all/box                edges: value [frames, 3, 3], step, time (no edges: no cell)
    /particles/all/species,mass,charge
    /connectivity/bonds               [bonds, 2]
    /parameters/cgsim                 version, units, type_names, names, atomic_numbers, molecule_id,
                                      atoms/ (the atoms beneath beads), documents/ (JSON texts)

Positions lie in the box in float32, images are int32: the sum is exact over any number of box lengths.
"""

from typing import Any

import h5py
import numpy as np

from cgsim.trajectory.trajectory import System
from cgsim.typing import Array
from cgsim.units import UnitSystem

STORE_VERSION = (1, 0)
H5MD_VERSION = (1, 1)
PARTICLES = "particles/all"
PARAMETERS = "parameters/cgsim"
VELOCITY, SIZE = "velocity", "squared_size"  # elements that only some stores have
LOSSLESS = {"shuffle": True, "compression": "gzip", "compression_opts": 4}
IMAGES = {**LOSSLESS, "compression_opts": 6}  # small integers that seldom change: half the size, still no time
CHUNK_BYTES = 2**20


def create_elements(
    particles: Any, system: System, filters: dict[str, Any], extras: tuple[str, ...], *, is_periodic: bool
) -> None:
    """Create positions, images, cell and time, still without frames.

    Args:
        particles: the HDF5 group of the particles.
        system: the particles.
        filters: of the positions.
        extras: which of ``VELOCITY`` and ``SIZE`` there are as well.
        is_periodic: whether there is a cell.
    """
    n, units = system.n_particles, system.units
    per_chunk = max(1, min(n, CHUNK_BYTES // 12))
    chunks = (max(1, CHUNK_BYTES // (12 * per_chunk)), per_chunk, 3)
    shape, limit = (0, n, 3), (None, n, 3)
    position, image = (particles.create_group(name) for name in ("position", "image"))
    position.create_dataset("value", shape, "f4", maxshape=limit, chunks=chunks, **filters)
    image.create_dataset("value", shape, "i4", maxshape=limit, chunks=chunks, **IMAGES)
    position.create_dataset("step", (0,), "i8", maxshape=(None,), chunks=(4096,), **LOSSLESS)
    position.create_dataset("time", (0,), "f8", maxshape=(None,), chunks=(4096,), **LOSSLESS)
    image["step"], image["time"] = position["step"], position["time"]
    position["value"].attrs["unit"] = units.length
    position["time"].attrs["unit"] = units.time
    for name in extras:
        n_axes, unit = {VELOCITY: (3, units.velocity), SIZE: (2, f"{units.length}2")}[name]
        group = particles.create_group(name)
        group.create_dataset("value", shape[:n_axes], "f4", maxshape=limit[:n_axes], chunks=chunks[:n_axes], **LOSSLESS)
        group["value"].attrs["unit"] = unit
        group["step"], group["time"] = position["step"], position["time"]
    box = particles.create_group("box")
    box.attrs["dimension"] = 3
    box.attrs["boundary"] = np.array([b"periodic" if is_periodic else b"none"] * 3)
    if is_periodic:  # a cell that never changes compresses to a fraction of a byte a frame
        edges = box.create_group("edges")
        edges.create_dataset("value", (0, 3, 3), "f8", maxshape=(None, 3, 3), chunks=(1024, 3, 3), **LOSSLESS)
        edges["value"].attrs["unit"] = units.length
        edges["step"], edges["time"] = position["step"], position["time"]


def write_system(group: Any, system: System) -> None:
    """Write all arrays of a system below an HDF5 group."""
    arrays: dict[str, Array] = {
        "species": system.particle_type,
        "atomic_numbers": system.atomic_numbers,
        "mass": system.masses,
        "charge": system.charges,
        "bonds": system.bond_index.T,
        "molecule_id": system.molecule_id,
        "type_names": _utf8(system.type_names),
        "names": _utf8(system.names),
    }
    for name, values in arrays.items():
        filters = LOSSLESS if values.size else {}
        group.create_dataset(name, data=values, **filters)


def read_system(group: Any) -> System:
    """Read back what :func:`write_system` wrote; the group's attribute ``units`` tells the units."""
    return System(
        units=UnitSystem(group.attrs["units"]),
        particle_type=group["species"][:],
        type_names=_strings(group["type_names"][:]),
        names=_strings(group["names"][:]),
        atomic_numbers=group["atomic_numbers"][:],
        masses=group["mass"][:],
        charges=group["charge"][:],
        bond_index=np.ascontiguousarray(group["bonds"][:].T),
        molecule_id=group["molecule_id"][:],
    )


def _utf8(texts: tuple[str, ...]) -> Array:
    encoded = [text.encode() for text in texts]
    width = max((len(text) for text in encoded), default=1) or 1
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", width))


def _strings(values: Array) -> tuple[str, ...]:
    return tuple(value.decode() for value in values)
