"""A table of the page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its text, a CSS class that says how it is set, and the number of its footnote."""

    text: str
    style: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        head: headings.
        rows: cells.
        notes: footnotes, numbered from 1.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def styles(self) -> tuple[str, ...]:
        """How headings are set: as the column below them."""
        return tuple("number" if "number" in cell.style else "" for cell in self.rows[0]) if self.rows else ()


def table(head: list[str], rows: list[list[str]]) -> Table:
    """Table of plain texts; columns whose heading ends in ``>`` hold numbers."""
    styles = ["number" if h.endswith(">") else "" for h in head]
    cells = [tuple(Cell(text, style) for text, style in zip(row, styles, strict=True)) for row in rows]
    return Table(tuple(h.removesuffix(">") for h in head), tuple(cells))
