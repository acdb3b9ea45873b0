"""Reader of LAMMPS data files (LAMMPS manual, ``read_data`` and ``write_data``), in the file's own units."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.errors import InputError, nearest
from cgsim.trajectory.lammps_sections import Section, number_table, split_sections
from cgsim.typing import Array, Float64, Int32, Int64

# Columns of the Atoms section of each style, before the three optional image flags (LAMMPS manual, atom_style).
ATOM_STYLES: dict[str, tuple[str, ...]] = {
    "atomic": ("id", "type", "x", "y", "z"),
    "charge": ("id", "type", "q", "x", "y", "z"),
    "bond": ("id", "molecule", "type", "x", "y", "z"),
    "angle": ("id", "molecule", "type", "x", "y", "z"),
    "molecular": ("id", "molecule", "type", "x", "y", "z"),
    "full": ("id", "molecule", "type", "q", "x", "y", "z"),
}
_COUNT = re.compile(r"(\d+)\s+(atoms|bonds|atom types)$")
_BOUNDS = re.compile(r"(\S+)\s+(\S+)\s+([xyz])lo\s+[xyz]hi$")
_TILT = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+xy\s+xz\s+yz$")
_VECTOR = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+(avec|bvec|cvec|abc origin)$")


@dataclass(frozen=True)
class LammpsData:
    """What a data file says, in LAMMPS units, sorted by atom id.

    Attributes:
        path: the file.
        ids: [atoms], increasing.
        atom_type: [atoms], index into ``type_names``.
        type_names: name of every type of the file: its label, else the comment beside its mass, else its number.
        masses: [atoms].
        charges: [atoms], or None if the style has none.
        molecule: [atoms], or None if the style has none.
        positions: [atoms, 3], relative to the origin of the cell.
        image_flags: [atoms, 3], or None.
        cell: [3, 3], rows are lattice vectors.
        bond_index: [2, bonds], each bond once, lower index first.
    """

    path: Path
    ids: Int64[Array, " atoms"]
    atom_type: Int64[Array, " atoms"]
    type_names: tuple[str, ...]
    masses: Float64[Array, " atoms"]
    charges: Float64[Array, " atoms"] | None
    molecule: Int64[Array, " atoms"] | None
    positions: Float64[Array, "atoms 3"]
    image_flags: Int32[Array, "atoms 3"] | None
    cell: Float64[Array, "3 3"]
    bond_index: Int64[Array, "2 bonds"]


def read_lammps_data(path: Path | str, atom_style: str | None = None) -> LammpsData:
    """Read a data file, gzipped or not.

    Args:
        path: the file.
        atom_style: one of :data:`ATOM_STYLES`; needed only if the file does not say (``Atoms # full``) and its number
            of columns fits more than one style.

    Raises:
        InputError: naming file and line, what was found and what was expected.
    """
    header, sections = split_sections(Path(path))
    counts = dict.fromkeys(("atoms", "bonds", "atom types"), 0)
    for number, text in header:
        if match := _COUNT.match(text):
            counts[match.group(2)] = int(match.group(1))
        elif text.endswith(("atoms", "bonds")):
            raise InputError(f"{path}: line {number}: expected a number of {text.split()[-1]}, found {text!r}")
    cell, origin = _read_cell(Path(path), header)
    for name, n in (("Masses", counts["atom types"]), ("Atoms", counts["atoms"])):
        if name not in sections:
            raise InputError(f"{path}: no section {name}, expected one of {n} lines")
    for name, n in (
        ("Masses", counts["atom types"]),
        ("Atoms", counts["atoms"]),
        ("Bonds", counts["bonds"]),
        ("Atom Type Labels", counts["atom types"]),
    ):
        if name in sections and (found := len(sections[name].lines)) != n:
            raise InputError(
                f"{path}: section {name} (line {sections[name].first_line}) has {found} lines, expected {n}"
            )
    labels = _read_labels(sections.get("Atom Type Labels"))
    type_masses, type_names = _read_masses(Path(path), sections["Masses"], labels)
    columns = _columns(Path(path), sections["Atoms"], atom_style)
    table = number_table(Path(path), sections["Atoms"], columns, {"type": labels})
    table = table[np.argsort(table[:, 0], kind="stable")]
    at = {name: table[:, i] for i, name in enumerate(columns)}
    ids = at["id"].astype(np.int64)
    if (twice := np.flatnonzero(np.diff(ids) == 0)).size:
        raise InputError(f"{path}: section Atoms: id {ids[twice[0]]} occurs twice")
    atom_type = at["type"].astype(np.int64) - 1
    bad = np.flatnonzero((atom_type < 0) | (atom_type >= len(type_names)))
    if bad.size:
        raise InputError(
            f"{path}: atom id {ids[bad[0]]} has type {atom_type[bad[0]] + 1}, expected 1 to {len(type_names)}"
        )
    _check_masses(Path(path), type_masses, type_names, atom_type)
    return LammpsData(
        path=Path(path),
        ids=ids,
        atom_type=atom_type,
        type_names=type_names,
        masses=type_masses[atom_type],
        charges=at.get("q"),
        molecule=at["molecule"].astype(np.int64) if "molecule" in at else None,
        positions=np.stack([at["x"], at["y"], at["z"]], axis=1) - origin,
        image_flags=np.stack([at["ix"], at["iy"], at["iz"]], axis=1).astype(np.int32) if "ix" in at else None,
        cell=cell,
        bond_index=_read_bonds(Path(path), sections.get("Bonds"), ids),
    )


def _read_cell(path: Path, header: list[tuple[int, str]]) -> tuple[Float64[Array, "3 3"], Float64[Array, " 3"]]:
    """Read box lengths and tilts, or the three vectors of a general triclinic box, and the origin."""
    cell, origin = np.zeros((3, 3)), np.zeros(3)
    found: set[str] = set()
    for number, text in header:
        try:
            if match := _BOUNDS.match(text):
                axis = "xyz".index(match.group(3))
                low, high = float(match.group(1)), float(match.group(2))
                if not high > low:
                    raise InputError(f"{path}: line {number}: upper bound {high:g} is not above lower bound {low:g}")
                cell[axis, axis], origin[axis] = high - low, low
                found.add(match.group(3))
            elif match := _TILT.match(text):
                cell[1, 0], cell[2, 0], cell[2, 1] = (float(match.group(i)) for i in (1, 2, 3))
            elif match := _VECTOR.match(text):
                vector = [float(match.group(i)) for i in (1, 2, 3)]
                if match.group(4) == "abc origin":
                    origin[:] = vector
                else:
                    axis = "abc".index(match.group(4)[0])
                    cell[axis] = vector
                    found.add("xyz"[axis])
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: line {number}: cannot read the box from {text!r}") from None
    if found != {"x", "y", "z"}:
        raise InputError(f"{path}: no box bounds, expected lines such as '0.0 25.0 xlo xhi' for x, y and z")
    return cell, origin


def _read_labels(section: Section | None) -> dict[str, int]:
    if section is None:
        return {}
    pairs = (line.split()[:2] for line in section.lines)
    return {label: int(number) for number, label in pairs}


def _read_masses(
    path: Path, section: Section, labels: dict[str, int]
) -> tuple[Float64[Array, " types"], tuple[str, ...]]:
    """Read masses and the names of the types, which are their labels or comments if those tell all of them apart."""
    table = number_table(path, section, ("type", "mass"), {"type": labels})
    order = np.argsort(table[:, 0])
    n = len(table)
    if not np.array_equal(table[order, 0], np.arange(1, n + 1)):
        raise InputError(f"{path}: section Masses (line {section.first_line}) does not list each type 1 to {n} once")
    names = {number: label for label, number in labels.items()}
    if not names:
        words = [comment.split()[0] if comment else "" for comment in section.comments]
        if all(words) and len(set(words)) == n:
            names = {int(kind): word for kind, word in zip(table[:, 0], words, strict=True)}
    return table[order, 1], tuple(names.get(i, str(i)) for i in range(1, n + 1))


def _check_masses(
    path: Path, masses: Float64[Array, " types"], names: tuple[str, ...], atom_type: Int64[Array, " atoms"]
) -> None:
    used = np.unique(atom_type)
    bad = used[~(masses[used] > 0) | ~np.isfinite(masses[used])]
    if bad.size:
        kind = int(bad[0])
        raise InputError(
            f"{path}: section Masses: the mass of type {kind + 1} ({names[kind]}) is {masses[kind]:g}, expected a "
            "positive mass"
        )


def _columns(path: Path, section: Section, atom_style: str | None) -> tuple[str, ...]:
    """Find the columns of the Atoms section from the style stated by file or user, else from their number."""
    stated = section.remark.split()[0] if section.remark else None
    if atom_style is not None and stated is not None and atom_style != stated:
        raise InputError(
            f"{path}: line {section.first_line}: says 'Atoms # {stated}', but --atom-style is {atom_style}"
        )
    style = stated or atom_style
    n = len(section.lines[0].split()) if section.lines else 0
    images = ("ix", "iy", "iz")
    if style is None:
        fitting = {columns for columns in ATOM_STYLES.values() if n in (len(columns), len(columns) + 3)}
        if len(fitting) != 1:
            raise InputError(
                f"{path}: line {section.first_line}: section Atoms has {n} columns and does not name its style, "
                f"expected --atom-style with one of {', '.join(ATOM_STYLES)}"
            )
        columns = fitting.pop()
    elif style not in ATOM_STYLES:
        raise InputError(f"{path}: atom style {style!r} is not read here{nearest(style, list(ATOM_STYLES))}")
    else:
        columns = ATOM_STYLES[style]
    if n == len(columns) + 3:
        return columns + images
    if n != len(columns):
        raise InputError(
            f"{path}: line {section.numbers[0] if section.numbers else section.first_line}: {n} columns, expected "
            f"{len(columns)} or {len(columns) + 3} for atom style {style}"
        )
    return columns


def _read_bonds(path: Path, section: Section | None, ids: Int64[Array, " atoms"]) -> Int64[Array, "2 bonds"]:
    """Read bonds as indices of atoms; the name of their type does not matter here."""
    if section is None:
        return np.empty((2, 0), dtype=np.int64)
    bonds = np.empty((2, len(section.lines)), dtype=np.int64)
    for i, line in enumerate(section.lines):
        words = line.split()
        try:
            bonds[:, i] = int(words[2]), int(words[3])
        except (IndexError, ValueError):
            raise InputError(
                f"{path}: line {section.numbers[i]}: expected a bond 'id type atom atom', found {line!r}"
            ) from None
    index = np.minimum(np.searchsorted(ids, bonds), len(ids) - 1)
    wrong = np.argwhere((ids[index] != bonds).T)
    if len(wrong):
        i, end = wrong[0]
        raise InputError(
            f"{path}: line {section.numbers[i]}: the bond names atom {bonds[end, i]}, which does not exist"
        )
    if (itself := np.flatnonzero(index[0] == index[1])).size:
        raise InputError(
            f"{path}: line {section.numbers[itself[0]]}: the bond joins atom {bonds[0, itself[0]]} to itself"
        )
    return np.unique(np.sort(index, axis=0), axis=1)
