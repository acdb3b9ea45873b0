"""Reader of LAMMPS text dumps (LAMMPS manual, ``dump custom`` and ``Howto triclinic``), one frame in memory at a time.

Unwrapped positions are ``H (s + i) + origin`` whatever the columns: ``x`` and ``xu`` are lengths, ``xs`` and ``xsu``
fractions of the cell, ``ix`` image flags. Velocities ``vx`` are lengths per time in every style of units, since the
integrator adds v dt to a position. The origin of a periodic cell is subtracted, so the cell starts at zero; a
cell that breathes about its centre then seems to drift as a whole, like its centre of mass, which carries no meaning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.frames import Frame
from cgsim.trajectory.lammps_dump_header import DumpHeader, read_header
from cgsim.trajectory.textfile import TextFile
from cgsim.typing import Array, Int64
from cgsim.units import LammpsUnits

_VELOCITIES = ("vx", "vy", "vz")


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
        header = read_header(file, 0)
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


def read_dump(
    path: Path | str, ids: Int64[Array, " atoms"], units: LammpsUnits, *, velocities: bool = False
) -> Iterator[Frame]:
    """Yield the frames of a dump, gzipped or not, in the order of ``ids`` whatever the order in the file.

    Args:
        path: the file.
        ids: [atoms], increasing; the ids that every frame must have.
        units: what a unit of the file is in units of the store.
        velocities: read the columns vx vy vz too, where the dump has them.

    Raises:
        InputError: naming file and frame: truncated, ids missing or repeated, another number of atoms, a coordinate
            that is no finite number, mixed boundaries.
    """
    with TextFile(path) as file:
        index = 0
        while (header := read_header(file, index)) is not None:
            yield _frame(file, header, index, ids, units, velocities)
            index += 1
        if index == 0:
            raise InputError(f"{path}: the file has no frames")


def _atom_lines(file: TextFile, header: DumpHeader, index: int) -> list[bytes]:
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


def _frame(
    file: TextFile, header: DumpHeader, index: int, ids: Int64[Array, " atoms"], units: LammpsUnits, velocities: bool
) -> Frame:
    if header.n_atoms != len(ids):
        raise InputError(
            f"{header.where}: {header.n_atoms} atoms, expected {len(ids)} as in the topology"
            f"{' and the frames before' if index else ''}"
        )
    lines = _atom_lines(file, header, index)
    moving = _VELOCITIES if velocities and set(_VELOCITIES) <= set(header.columns) else ()
    used = [header.columns.index(name) for name in ("id", *header.convention, *moving)]
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
        velocities=table[:, -3:] * (units.length / units.time) if moving else None,
    )


def _bad_line(header: DumpHeader, lines: list[bytes], used: list[int], first_line: int) -> str:
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
    header: DumpHeader, found: Int64[Array, " atoms"], ids: Int64[Array, " atoms"]
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
