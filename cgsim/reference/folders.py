"""Folders of the runs and of the stores, and what stands in them already."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cgsim.errors import InputError


@contextmanager
def made_folders(*places: Path) -> Iterator[None]:
    """Make folders before any work; those that were made and are empty in the end are removed.

    Raises:
        InputError: naming the one that cannot be made.
    """
    new = [place for place in places if not place.exists()]
    try:
        for place in places:
            _make(place)
        yield
    finally:
        for place in new:
            with suppress(OSError):  # it is not empty, or was not made
                place.rmdir()


def _make(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{place}: is a file, expected the name of a folder") from None
    except OSError as error:
        raise InputError(f"{place}: no folder can be made here ({os.strerror(error.errno or 0)})") from None


def refuse_difference(path: Path, found: dict[str, Any], asked: dict[str, Any], way_out: str) -> None:
    """Refuse to go on with what was made with other settings.

    Raises:
        InputError: naming the first setting that differs.
    """
    before, now = _flat(found), _flat(asked)
    for key in [*now, *before]:
        if before.get(key) != now.get(key):
            raise InputError(f"{path}: has {key} {before.get(key)!r}, asked for {now.get(key)!r}; {way_out}")


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
