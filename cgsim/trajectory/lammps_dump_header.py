"""What stands before the atoms of a frame of a LAMMPS dump: time, box, and which columns hold the positions."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.textfile import TextFile
from cgsim.typing import Array, Float64

# In order of preference: with image flags or unwrapped nothing has to be inferred.
_CONVENTIONS = (
    ("x", "y", "z", "ix", "iy", "iz"),
    ("xs", "ys", "zs", "ix", "iy", "iz"),
    ("xu", "yu", "zu"),
    ("xsu", "ysu", "zsu"),
    ("x", "y", "z"),
    ("xs", "ys", "zs"),
)


@dataclass(frozen=True)
class DumpHeader:
    """The items of a frame before its atoms, in LAMMPS units.

    Attributes:
        where: file, frame and time step, for errors.
        timestep: the step.
        time: if the dump says it.
        units: the style of units, if the dump names it.
        n_atoms: number of lines that follow.
        is_periodic: in all three directions; in none otherwise.
        cell: rows are the lattice vectors.
        origin: the corner where they begin.
        columns: names of all columns.
        convention: the columns that say where an atom is.
    """

    where: str
    timestep: int
    time: float | None
    units: str | None
    n_atoms: int
    is_periodic: bool
    cell: Float64[Array, "3 3"]
    origin: Float64[Array, " 3"]
    columns: tuple[str, ...]
    convention: tuple[str, ...]


def read_header(file: TextFile, index: int) -> DumpHeader | None:
    """Read the items of the next frame up to the line before its atoms.

    Args:
        file: at the end of the frame before.
        index: number of the frame, for errors.

    Returns:
        The items; None at the end of the file.

    Raises:
        InputError: if they cannot be read, are not of atoms, or some are missing; if boundaries are mixed.
    """
    where = f"{file.path}: frame {index}"
    items: dict[str, Any] = {}
    while True:
        text = file.line()
        if not text:
            if file.lines(1) or items:
                raise InputError(
                    f"{where}: line {file.line_number}: expected 'ITEM: ...', found a blank line or the end"
                )
            return None
        if not text.startswith("ITEM: "):
            raise InputError(
                f"{where}: line {file.line_number}: expected 'ITEM: TIMESTEP' of a LAMMPS dump, found {text[:40]!r}"
            )
        name = text[6:]
        if name.startswith("ATOMS"):
            items["columns"] = tuple(name.split()[1:])
            break
        if name.startswith("BOX BOUNDS"):
            items["flags"] = name.split()[2:]
            items["bounds"] = _numbers(file, where, 3)
        elif name in ("TIMESTEP", "NUMBER OF ATOMS", "TIME"):
            items[name] = _numbers(file, where, 1)[0][0]
            where = f"{file.path}: frame {index} (timestep {items[name]:.0f})" if name == "TIMESTEP" else where
        elif name == "UNITS":
            items[name] = file.line()
        else:
            raise InputError(f"{where}: line {file.line_number}: a dump of {name!r}, expected one of atoms")
    for name, what in (("TIMESTEP", "TIMESTEP"), ("NUMBER OF ATOMS", "NUMBER OF ATOMS"), ("bounds", "BOX BOUNDS")):
        if name not in items:
            raise InputError(f"{where}: line {file.line_number}: no 'ITEM: {what}' before 'ITEM: ATOMS'")
    cell, origin = _cell(where, items["flags"], items["bounds"])
    return DumpHeader(
        where=where,
        timestep=int(items["TIMESTEP"]),
        time=items.get("TIME"),
        units=items.get("UNITS"),
        n_atoms=int(items["NUMBER OF ATOMS"]),
        is_periodic=_is_periodic(where, items["flags"]),
        cell=cell,
        origin=origin,
        columns=items["columns"],
        convention=_convention(where, items["columns"]),
    )


def _numbers(file: TextFile, where: str, n_lines: int) -> list[list[float]]:
    """Read a few lines of numbers of a header."""
    rows = []
    for _ in range(n_lines):
        text = file.line()
        try:
            rows.append([float(word) for word in text.split()])
        except ValueError:
            rows.append([])
        if not rows[-1] or not np.isfinite(rows[-1]).all():
            raise InputError(
                f"{where}: line {file.line_number}: expected numbers, found {text[:40]!r}"
                f"{'' if text else ' (the file ends or is cut off here)'}"
            )
    return rows


def _convention(where: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    if "id" not in columns:
        raise InputError(f"{where}: the dump has no column id ({' '.join(columns)}), so its lines belong to no atoms")
    for convention in _CONVENTIONS:
        if set(convention) <= set(columns):
            return convention
    raise InputError(f"{where}: the columns {' '.join(columns)} hold no positions, expected x y z, xs, xu or xsu")


def _is_periodic(where: str, flags: list[str]) -> bool:
    """Whether all three boundaries are periodic; old dumps have no flags and are."""
    boundaries = [flag for flag in flags if len(flag) == 2 and set(flag) <= set("pfsm")]
    periodic = [flag == "pp" for flag in boundaries[-3:]]
    if any(periodic) and not all(periodic):
        raise InputError(f"{where}: boundaries are {' '.join(boundaries)}, expected all periodic or none")
    return all(periodic)


def _cell(
    where: str, flags: list[str], bounds: list[list[float]]
) -> tuple[Float64[Array, "3 3"], Float64[Array, " 3"]]:
    """Turn box bounds into lattice vectors and an origin.

    For a restricted triclinic box the bounds are those of the box that encloses it, so the tilts are taken off again
    (LAMMPS manual, Howto triclinic: ``xlo_bound = xlo + min(0, xy, xz, xy + xz)`` and so on).
    """
    width = 4 if flags[:2] == ["abc", "origin"] else 3 if flags[:3] == ["xy", "xz", "yz"] else 2
    if any(len(row) != width for row in bounds):
        raise InputError(f"{where}: box bounds have {[len(row) for row in bounds]} numbers, expected {width} each")
    rows = np.array(bounds)
    if width == 4:
        cell, origin = rows[:, :3], rows[:, 3]
    else:
        low, high = rows[:, 0].copy(), rows[:, 1].copy()
        xy, xz, yz = rows[:, 2] if width == 3 else np.zeros(3)
        low[0] -= min(0.0, xy, xz, xy + xz)
        high[0] -= max(0.0, xy, xz, xy + xz)
        low[1] -= min(0.0, yz)
        high[1] -= max(0.0, yz)
        cell, origin = np.diag(high - low), low
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    if not np.linalg.det(cell) > 0:
        raise InputError(f"{where}: the box has no volume, expected upper bounds above lower ones")
    return cell, origin
