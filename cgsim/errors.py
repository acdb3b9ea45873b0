"""The error that a user sees: one line that names the thing, what was found and what was expected."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line and complete: file (with line or frame), the value found, the value expected and, where
    there is one, the way out. The command line prints it without a traceback and exits with code 2.
    """


def nearest(name: str, known: list[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or the list of known names if none is close."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
