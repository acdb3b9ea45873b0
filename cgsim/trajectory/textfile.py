"""Text files, plain or gzipped, read line by line with errors that say where."""

import gzip
import itertools
import zlib
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType

from cgsim.errors import InputError

_GZIP_MAGIC = b"\x1f\x8b"


def existing_file(path: Path | str) -> Path:
    """Return ``path`` if it is a file with something in it.

    Raises:
        InputError: if it is missing, a directory, unreadable or empty.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a directory, expected a file")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"{path}: the file is empty")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return path


class TextFile:
    """Lines of a text file as bytes; ``.gz`` is told from the content, not from the name.

    Attributes:
        path: the file.
        line_number: number of the line read last, 1-based.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = existing_file(path)
        self.line_number = 0
        self._raw = self.path.open("rb")
        is_gzip = self._raw.read(2) == _GZIP_MAGIC
        self._raw.seek(0)
        self._file: BufferedIOBase = gzip.GzipFile(fileobj=self._raw) if is_gzip else self._raw

    def __enter__(self) -> "TextFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._raw.close()

    @property
    def bytes_read(self) -> int:
        """How far the file on disk has been read (for progress)."""
        return self._raw.tell()

    def lines(self, n: int) -> list[bytes]:
        """Read the next ``n`` lines, fewer at the end of the file."""
        try:
            lines = list(itertools.islice(self._file, n))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{self.path}: the gzip file is cut off or damaged after line {self.line_number}"
            ) from error
        self.line_number += len(lines)
        return lines

    def line(self) -> str:
        """Read one line without its end; an empty string at the end of the file and for a blank line.

        Raises:
            InputError: if the line is no text.
        """
        lines = self.lines(1)
        if not lines:
            return ""
        try:
            return lines[0].decode("utf-8").strip()
        except UnicodeDecodeError:
            raise InputError(f"{self.path}: line {self.line_number} is not text") from None

    def head(self, n_bytes: int = 2**16) -> bytes:
        """Return the beginning of the file, decompressed, and go back to the start."""
        try:
            beginning = self._file.read(n_bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{self.path}: the gzip file is cut off or damaged") from error
        self._file.seek(0)
        return beginning
