"""`cgsim compare`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

EXIT_DIFFERENT = 1


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("compare")(compare)


def compare(
    first: Annotated[str, typer.Argument(help="Results (or a store), or one system of them: FILE#SYSTEM.")],
    second: Annotated[str, typer.Argument(help="What to compare with.")],
    level: Annotated[float, typer.Option(help="Confidence level of the joint test.")] = 0.95,
    temperature: Annotated[float | None, typer.Option(help="Temperature in K, to analyse stores at.")] = None,
    equilibration: Annotated[str, typer.Option(help="Time to leave out of stores, with unit: '100 ps'.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Show the figures that agree too.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="JSON file for all comparisons.")] = None,
) -> None:
    """Say which figures differ by more than their errors: cgsim compare A B. Exit code 1 if any does."""
    from cgsim.analysis import AnalysisSettings, write_results
    from cgsim.analysis.comparison import SYSTEM_MARK, Verdict, compare_results, read_results
    from cgsim.cli.outputs import check_outputs

    if output is not None:
        check_outputs([output], [Path(text.partition(SYSTEM_MARK)[0]) for text in (first, second)])
    settings = AnalysisSettings(temperature=temperature, equilibration=equilibration)
    found = compare_results(read_results(first, settings), read_results(second, settings), level)
    shown = [f for f in found.figures if every or f.verdict is not Verdict.AGREES]
    if shown:
        _print([f.to_json() for f in shown])
    if output is not None:
        write_results(json.loads(json.dumps(found.to_json())), output)
    counts = {verdict: sum(f.verdict is verdict for f in found.figures) for verdict in Verdict}
    alarms = counts[Verdict.DIFFERS] + counts[Verdict.SUSPECT]
    typer.echo(
        f"{found.n_tests} comparisons: {alarms} beyond their own {level:.0%} interval, where chance alone gives "
        f"{found.expected_false_alarms:.1f}"
    )
    left_out = [f"{n} {verdict.value}" for verdict, n in counts.items() if n and verdict not in _TESTED]
    if left_out:
        typer.echo(f"not compared: {', '.join(left_out)}")
    if found.differ:
        typer.echo(f"the results differ: {counts[Verdict.DIFFERS]} figures, by the joint test at {level:.0%}")
        raise typer.Exit(EXIT_DIFFERENT)
    typer.echo(f"no difference, by the joint test at {level:.0%}")


_TESTED = ("differs", "agrees", "beyond its own error, not beyond chance")


def _print(figures: list[dict[str, Any]]) -> None:
    """Show values side by side."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    from cgsim.cli.results import value_and_error

    table = Table(box=None, pad_edge=False)
    for column in ("figure", "species", "method", "first", "+-", "second", "+-", "unit", "chance", "verdict"):
        table.add_column(
            column, justify="right" if column in {"first", "second", "+-", "chance"} else "left", no_wrap=True
        )
    for figure in figures:
        sides = [figure[label] or {"value": None, "standard_error": None} for label in ("first", "second")]
        cells = [
            cell
            for side in sides
            for cell in value_and_error(side["value"], side["standard_error"], side.get("bound") or "")
        ]
        chance = figure["probability"]
        table.add_row(
            figure["name"],
            figure["species"],
            figure["method"],
            *cells,
            " / ".join(dict.fromkeys(side["unit"] for side in sides if side.get("unit"))),
            "" if chance is None else f"{chance:.2g}",
            figure["verdict"],
        )
    console = Console(highlight=False, markup=False)
    needed = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(highlight=False, markup=False, width=max(console.width, needed)).print(table)
