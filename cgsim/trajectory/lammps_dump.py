"""Reader of LAMMPS text dumps (LAMMPS manual, ``dump custom`` and ``Howto triclinic``), one frame in memory at a time.

Unwrapped positions are ``H (s + i) + origin`` whatever the columns: ``x`` and ``xu`` are lengths, ``xs`` and ``xsu``
fractions of the cell, ``ix`` image flags. The origin of a periodic cell is subtracted, so the cell starts at zero; a
cell that breathes about its centre then seems to drift as a whole, like its centre of mass, which carries no meaning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.frames import Frame
from cgsim.trajectory.textfile import TextFile
from cgsim.typing import Array, Float64, Int64
from cgsim.units import LammpsUnits

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
class _Header:
    """The items of a frame before its atoms, in LAMMPS units."""

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


@dataclass(frozen=True)
class DumpSample:
    """What the first frame of a dump tells besides positions.

    Attributes:
        units: the style of units, if the dump names it.
        by_id: for each of the columns ``type``, ``q``, ``element`` that exists, the values in order of increasing id.
    """

    units: str | None
    by_id: dict[str, list[str]]


def sample_dump(path: Path | str) -> DumpSample:
    """Look at the first frame of a dump.

    Raises:
        InputError: if the frame cannot be read.
    """
    with TextFile(path) as file:
        header = _read_header(file, 0)
        if header is None:
            raise InputError(f"{path}: the file has no frames")
        rows = [line.split() for line in _atom_lines(file, header, 0)]
        width = len(header.columns)
        try:
            at_id = header.columns.index("id")
            rows.sort(key=lambda row: int(row[at_id]))
            found: list[str] = [name for name in ("type", "q", "element") if name in header.columns]
            by_id = {name: [row[header.columns.index(name)].decode() for row in rows] for name in found}
        except (IndexError, ValueError):
            raise InputError(
                f"{header.where}: expected lines of {width} columns ({' '.join(header.columns)})"
            ) from None
        return DumpSample(header.units, by_id)


def read_dump(path: Path | str, ids: Int64[Array, " atoms"], units: LammpsUnits) -> Iterator[Frame]:
    """Yield the frames of a dump, gzipped or not, in the order of ``ids`` whatever the order in the file.

    Args:
        path: the file.
        ids: [atoms], increasing; the ids that every frame must have.
        units: what a unit of the file is in units of the store.

    Raises:
        InputError: naming file and frame: truncated, ids missing or repeated, another number of atoms, a coordinate
            that is no finite number, mixed boundaries.
    """
    with TextFile(path) as file:
        index = 0
        while (header := _read_header(file, index)) is not None:
            yield _frame(file, header, index, ids, units)
            index += 1
        if index == 0:
            raise InputError(f"{path}: the file has no frames")


def _read_header(file: TextFile, index: int) -> _Header | None:
    """Read the items of the next frame up to the line before its atoms; None at the end of the file."""
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
    return _Header(
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


def _atom_lines(file: TextFile, header: _Header, index: int) -> list[bytes]:
    """Read the lines of all atoms of a frame.

    Raises:
        InputError: if the file ends before.
    """
    lines = file.lines(header.n_atoms)
    if len(lines) < header.n_atoms or (lines and not lines[-1].endswith(b"\n")):
        rest = f"; --stop {index} imports the {index} whole frames before it" if index else ""
        raise InputError(
            f"{header.where}: the file is cut off in line {file.line_number}, after {len(lines)} of "
            f"{header.n_atoms} atoms{rest}"
        )
    return lines


def _frame(file: TextFile, header: _Header, index: int, ids: Int64[Array, " atoms"], units: LammpsUnits) -> Frame:
    if header.n_atoms != len(ids):
        raise InputError(
            f"{header.where}: {header.n_atoms} atoms, expected {len(ids)} as in the topology"
            f"{' and the frames before' if index else ''}"
        )
    lines = _atom_lines(file, header, index)
    used = [header.columns.index(name) for name in ("id", *header.convention)]
    first_line = file.line_number - header.n_atoms + 1
    try:
        table = np.loadtxt(lines, usecols=used, comments=None, ndmin=2, encoding="utf-8")
    except ValueError as error:
        raise InputError(_bad_line(header, lines, used, first_line)) from error
    if len(table) != header.n_atoms or not np.isfinite(table).all():
        raise InputError(_bad_line(header, lines, used, first_line))
    order = _order(header, table[:, 0].astype(np.int64), ids)
    table = table if order is None else table[order]
    # Without a cell the origin stays: the bounds of a shrink-wrapped box move with the particles.
    shift = header.origin if header.is_periodic else np.zeros(3)
    positions = table[:, 1:4] - shift
    if "s" in header.convention[0]:
        positions = table[:, 1:4] @ header.cell + header.origin - shift
    return Frame(
        where=header.where,
        positions=positions * units.length,
        image_flags=table[:, 4:7].astype(np.int32) if "ix" in header.convention and header.is_periodic else None,
        is_unwrapped=header.convention[0] in ("xu", "xsu"),
        cell=header.cell * units.length if header.is_periodic else np.zeros((3, 3)),
        time=None if header.time is None else header.time * units.time,
        step=header.timestep,
        bytes_read=file.bytes_read,
    )


def _bad_line(header: _Header, lines: list[bytes], used: list[int], first_line: int) -> str:
    """Find the line that could not be read and say what is wrong with it."""
    for number, line in enumerate(lines, first_line):
        words = line.split()
        if len(words) != len(header.columns):
            return f"{header.where}: line {number}: {len(words)} columns, expected {len(header.columns)}"
        for column in used:
            try:
                finite = np.isfinite(float(words[column]))
            except ValueError:
                finite = False
            if not finite:
                found = words[column].decode(errors="replace")
                return f"{header.where}: line {number}: {header.columns[column]} is {found!r}, expected a finite number"
    return f"{header.where}: the atoms cannot be read"


def _order(
    header: _Header, found: Int64[Array, " atoms"], ids: Int64[Array, " atoms"]
) -> Int64[Array, " atoms"] | None:
    """Return the line of each id, or None if they are in order already.

    Raises:
        InputError: if an id is missing, unknown or occurs twice.
    """
    if np.array_equal(found, ids):
        return None
    order = np.argsort(found, kind="stable")
    if np.array_equal(found[order], ids):
        return order
    present = found[order]
    if (twice := np.flatnonzero(np.diff(present) == 0)).size:
        raise InputError(f"{header.where}: atom id {present[twice[0]]} occurs twice, expected each id once")
    missing, unknown = np.setdiff1d(ids, present), np.setdiff1d(present, ids)
    raise InputError(
        f"{header.where}: atom id {missing[0]} of the topology is missing, and id {unknown[0]} is not in the topology"
    )
