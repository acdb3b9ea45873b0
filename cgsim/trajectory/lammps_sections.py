"""The sections of a LAMMPS data file as text and as tables of numbers."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.trajectory.textfile import TextFile
from cgsim.typing import Array, Float64


@dataclass(frozen=True)
class Section:
    """Lines of one section without comments: numbers of the lines, their text, and what stood behind ``#``."""

    title: str
    remark: str
    first_line: int
    numbers: list[int]
    lines: list[str]
    comments: list[str]


def split_sections(path: Path) -> tuple[list[tuple[int, str]], dict[str, Section]]:
    """Divide the file into header lines and the sections that matter here."""
    wanted = {"Masses", "Atoms", "Bonds", "Atom Type Labels"}
    header: list[tuple[int, str]] = []
    sections: dict[str, Section] = {}
    current: Section | None = None
    with TextFile(path) as file:
        if not file.lines(1):  # the first line is a title whatever it says
            raise InputError(f"{path}: the file is empty")
        while raw := file.lines(1):
            try:
                line = raw[0].decode("utf-8")
            except UnicodeDecodeError:
                raise InputError(f"{path}: line {file.line_number} is not text") from None
            text, _, comment = line.partition("#")
            text = text.strip()
            if not text:
                continue
            if _is_title(text):
                current = Section(text, comment.strip(), file.line_number, [], [], [])
                if text in wanted:
                    if text in sections:
                        raise InputError(f"{path}: line {file.line_number}: a second section {text}")
                    sections[text] = current
            elif current is None:
                header.append((file.line_number, re.sub(r"\s+", " ", text)))
            elif current.title in wanted:
                current.numbers.append(file.line_number)
                current.lines.append(text)
                current.comments.append(comment.strip())
    return header, sections


def _is_title(text: str) -> bool:
    """Whether a line is the title of a section: words that begin with letters, the first a capital.

    A line that begins with a type label has numbers behind it.
    """
    return text[0].isupper() and all(word[0].isalpha() for word in text.split())


def number_table(
    path: Path, section: Section, columns: tuple[str, ...], labels: dict[str, dict[str, int]]
) -> Float64[Array, "lines columns"]:
    """Read a section of numbers; labels in the named columns are replaced by their numbers."""
    rows = [line.split() for line in section.lines]
    for number, row in zip(section.numbers, rows, strict=True):
        if len(row) != len(columns):
            raise InputError(
                f"{path}: line {number}: {len(row)} columns, expected {len(columns)} ({' '.join(columns)})"
            )
    for name, numbers in labels.items():
        if numbers:
            column = columns.index(name)
            for row in rows:
                row[column] = str(numbers.get(row[column], row[column]))
    table = np.empty((len(rows), len(columns)))
    for i, row in enumerate(rows):
        try:
            table[i] = row  # numpy reads the strings
        except ValueError:
            bad = next(word for word in row if not _is_number(word))
            raise InputError(
                f"{path}: line {section.numbers[i]}: expected a number for {columns[row.index(bad)]}, found {bad!r}"
            ) from None
    bad_rows = np.argwhere(~np.isfinite(table))
    if len(bad_rows):
        i, column = bad_rows[0]
        raise InputError(
            f"{path}: line {section.numbers[i]}: {columns[column]} is {table[i, column]}, expected a finite number"
        )
    return table


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
