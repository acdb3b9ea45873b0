"""Writer of LAMMPS data files and dumps, with images, so that nothing is lost on the way out and back."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from cgsim.trajectory.elements import symbols
from cgsim.trajectory.trajectory import System, Trajectory
from cgsim.typing import Array, Float32, Float64
from cgsim.units import LAMMPS_UNITS, UnitSystem

_STYLE = {UnitSystem.MOLECULAR: "real", UnitSystem.LJ: "lj"}
_EXACT = ".9g"  # digits that bring a single-precision number back


def write_lammps_data(path: Path, trajectory: Trajectory) -> None:
    """Write the first frame of a trajectory as a data file of style full, with image flags and bonds.

    Units are those of LAMMPS' ``real`` (or ``lj``). Force field sections are not written: a store has no force field.
    """
    system, cell = trajectory.system, trajectory.cell[0]
    positions, low, high = _in_box(trajectory.wrapped_positions[0], cell)
    lines = [f"written by cgsim, units {_STYLE[system.units]}", "", f"{system.n_particles} atoms"]
    lines += [f"{system.bond_index.shape[1]} bonds", f"{len(system.type_names)} atom types", "1 bond types", ""]
    if _is_restricted(cell):
        lines += [f"{low[i]:.17g} {high[i]:.17g} {axis}lo {axis}hi" for i, axis in enumerate("xyz")]
        if (cell - np.diag(np.diagonal(cell))).any():
            lines += [f"{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g} xy xz yz"]
    else:
        lines += [f"{' '.join(f'{x:.17g}' for x in row)} {axis}vec" for row, axis in zip(cell, "abc", strict=True)]
        lines += ["0 0 0 abc origin"]
    lines += ["", "Masses", ""]
    for kind, name in enumerate(system.type_names):
        of_kind = system.masses[system.particle_type == kind]
        lines.append(f"{kind + 1} {of_kind[0] if len(of_kind) else 1.0:.17g} # {name}")
    lines += ["", "Atoms # full", ""]
    flags = trajectory.image_flags[0]
    for i in range(system.n_particles):
        x = " ".join(format(value, _EXACT) for value in positions[i])
        lines.append(
            f"{i + 1} {system.molecule_id[i] + 1} {system.particle_type[i] + 1} {system.charges[i]:.17g} {x} "
            f"{flags[i, 0]} {flags[i, 1]} {flags[i, 2]}"
        )
    if system.bond_index.size:
        lines += ["", "Bonds", ""]
        lines += [f"{k + 1} 1 {a + 1} {b + 1}" for k, (a, b) in enumerate(system.bond_index.T)]
    with _open(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def write_lammps_dump(path: Path, pieces: Iterable[Trajectory]) -> None:
    """Write a dump with columns ``id mol type element q x y z ix iy iz``, units and times; ``vx vy vz`` if known."""
    step = 0
    with _open(path) as file:
        for piece in pieces:
            head = _atom_columns(piece.system)
            units = LAMMPS_UNITS[_STYLE[piece.system.units]]
            factor = units.time / units.length
            for k in range(piece.n_frames):
                positions, low, high = _in_box(piece.wrapped_positions[k], piece.cell[k])
                lines = [] if step else ["ITEM: UNITS", _STYLE[piece.system.units]]
                lines += ["ITEM: TIME", f"{piece.time[k] / units.time:.17g}"]
                lines += ["ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", str(piece.system.n_particles)]
                lines += _box_lines(piece.cell[k], low, high)
                velocities = (
                    None if piece.velocities is None else (piece.velocities[k].astype(np.float64) * factor).tolist()
                )
                lines += ["ITEM: ATOMS id mol type element q x y z ix iy iz" + (" vx vy vz" if velocities else "")]
                atoms = [
                    f"{start} {x:{_EXACT}} {y:{_EXACT}} {z:{_EXACT}} {ix} {iy} {iz}"
                    for start, (x, y, z), (ix, iy, iz) in zip(
                        head, positions.tolist(), piece.image_flags[k].tolist(), strict=True
                    )
                ]
                if velocities is not None:
                    tails = (" ".join(format(v, _EXACT) for v in vector) for vector in velocities)
                    atoms = [f"{atom} {tail}" for atom, tail in zip(atoms, tails, strict=True)]
                file.write(("\n".join(lines + atoms) + "\n").encode())
                step += 1


def particle_symbols(system: System) -> list[str]:
    """Return the element of every particle, or the name of its type where it is no atom."""
    of_number = {number: symbol for symbol, number in symbols().items()}
    return [
        of_number.get(int(number), system.type_names[kind].replace(" ", "_"))
        for number, kind in zip(system.atomic_numbers, system.particle_type, strict=True)
    ]


def _atom_columns(system: System) -> list[str]:
    return [
        f"{i + 1} {system.molecule_id[i] + 1} {system.particle_type[i] + 1} {symbol} {system.charges[i]:.17g}"
        for i, symbol in enumerate(particle_symbols(system))
    ]


def _in_box(
    positions: Float32[Array, "particles 3"], cell: Float64[Array, "3 3"]
) -> tuple[Float32[Array, "particles 3"], Float64[Array, " 3"], Float64[Array, " 3"]]:
    """Return positions and the bounds of the box; without a cell, bounds that enclose the particles."""
    if cell.any():
        return positions, np.zeros(3), np.diagonal(cell).copy()
    far = positions.astype(np.float64)
    return positions, far.min(axis=0) - 1.0, far.max(axis=0) + 1.0


def _is_restricted(cell: Float64[Array, "3 3"]) -> bool:
    """Whether the first vector lies along x and the second in the xy plane, as LAMMPS' usual boxes have it."""
    return not np.triu(cell, 1).any()


def _box_lines(cell: Float64[Array, "3 3"], low: Float64[Array, " 3"], high: Float64[Array, " 3"]) -> list[str]:
    """Write box bounds; those of a tilted box enclose it (LAMMPS manual, Howto triclinic)."""
    if not _is_restricted(cell):
        rows = [[*row, 0.0] for row in cell]
        title = "abc origin pp pp pp"
    elif not (cell - np.diag(np.diagonal(cell))).any():
        rows = [[low[i], high[i]] for i in range(3)]
        title = "pp pp pp" if cell.any() else "ff ff ff"
    else:
        xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
        rows = [
            [low[0] + min(0.0, xy, xz, xy + xz), high[0] + max(0.0, xy, xz, xy + xz), xy],
            [low[1] + min(0.0, yz), high[1] + max(0.0, yz), xz],
            [low[2], high[2], yz],
        ]
        title = "xy xz yz pp pp pp"
    return [f"ITEM: BOX BOUNDS {title}", *(" ".join(f"{x:.17g}" for x in row) for row in rows)]


@contextmanager
def _open(path: Path) -> Iterator[BufferedIOBase]:
    """Open a file for writing, gzipped if its name says so."""
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
                yield file
        else:
            yield raw
