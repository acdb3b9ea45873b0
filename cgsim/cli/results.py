"""What the verbs that make results share: files beside each other, and the table on the terminal."""

from pathlib import Path
from typing import Any

import typer


def check_output(output: Path, plots: str, inputs: list[Path]) -> None:
    """Refuse, before any work, what cannot be written, what is read as well, and a format that is not known."""
    from cgsim.analysis.plots import check_format
    from cgsim.cli.outputs import check_outputs
    from cgsim.errors import InputError

    if output.suffix == ".csv":
        raise InputError(
            f"{output}: is the name of the table beside the results, expected a JSON file such as results.json"
        )
    check_outputs([output, output.with_suffix(".csv")], inputs)
    if plots:
        check_format(plots)


def write_all(document: dict[str, Any], output: Path, plots: str) -> None:
    """Write results as JSON, as CSV beside it, and their curves as images if wanted."""
    from cgsim.analysis import write_results
    from cgsim.analysis.plots import write_plots
    from cgsim.analysis.tables import write_tables

    write_results(document, output)
    write_tables(document, output)
    if plots:
        write_plots(document, output, plots)


def print_results(document: dict[str, Any], output: Path) -> None:
    """Show the figures as one table, with warnings below it."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    several = len({figure["system"] for figure in document["figures"]}) > 1
    table = Table(box=None, pad_edge=False)
    for column in (*(["system"] if several else []), "figure", "species", "value", "+-", "unit", "method", "window"):
        table.add_column(column, justify="right" if column in {"value", "+-"} else "left", no_wrap=True)
    warnings: dict[str, int] = {}
    for figure in document["figures"]:
        mark = ""
        if "warning" in figure:
            mark = f" [{warnings.setdefault(figure['warning'], len(warnings) + 1)}]"
        value, error = value_and_error(figure["value"], figure["standard_error"])
        window = " to ".join("?" if w is None else f"{w:.4g}" for w in figure["window"])
        row = [figure["name"], figure["species"], value, error, figure["unit"], figure["method"] + mark, window]
        table.add_row(*([figure["system"]] if several else []), *row)
    console = Console(highlight=False, markup=False)
    needed = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(highlight=False, markup=False, width=max(console.width, needed)).print(table)
    for text, number in warnings.items():
        typer.echo(f"[{number}] {text}")
    for note in document["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(f"{output}: {len(document['figures'])} figures")


def value_and_error(value: float | None, error: float | None) -> tuple[str, str]:
    """Value with the digits that its error leaves meaning to, and the error with two."""
    if value is None:
        return "-", "-"
    if error is None:
        return f"{value:.4g}", "?"
    if error == 0 or value == 0:
        return f"{value:.5g}", f"{error:.2g}"
    from math import floor, log10

    digits = max(2, 2 + floor(log10(abs(value))) - floor(log10(error)))
    return f"{value:.{min(digits, 8)}g}", f"{error:.2g}"
