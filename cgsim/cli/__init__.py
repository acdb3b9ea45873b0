"""The command line: one verb a file; every verb only reads its arguments, calls the library and prints."""

import errno
import os
import signal
import sys
import warnings
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from cgsim import __version__
from cgsim.cli import (
    analyze,
    benchmark,
    compare,
    convert,
    demo,
    fit,
    generate,
    importing,
    models,
    report,
    simulate,
    train,
)
from cgsim.cli import map as mapping
from cgsim.errors import InputError

app = typer.Typer(
    name="cgsim",
    help="Learned coarse-grained molecular dynamics with very large time steps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
importing.register(app)
convert.register(app)
mapping.register(app)
analyze.register(app)
compare.register(app)
fit.register(app)
generate.register(app)
train.register(app)
models.register(app)
simulate.register(app)
report.register(app)
demo.register(app)
benchmark.register(app)

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"cgsim {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Learned coarse-grained molecular dynamics with very large time steps."""


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; a mistake in the input is one line on stderr and exit code 2, never a traceback.

    A terminate signal, which queueing systems send before they kill, ends a command as Ctrl-C does: work is saved.
    """
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    warnings.showwarning = lambda message, *_, **__: errors.print(f"warning: {message}")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except InputError as error:
        errors.print(f"error: {error}")
        sys.exit(EXIT_BAD_INPUT)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            errors.print("interrupted; what was finished is kept")
        raise
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS}:
            raise
        errors.print(f"error: {error.filename or 'output'}: {os.strerror(error.errno)}")
        sys.exit(EXIT_BAD_INPUT)
