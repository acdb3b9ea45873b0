"""What the verbs that make results share: files beside each other, and the table on the terminal."""

from pathlib import Path
from typing import Any

import typer

DETAILS = (
    *("mean_squared_radius_of_gyration", "mean_squared_end_to_end_distance", "asphericity", "acylindricity"),
    *("mean_squared_radius_of_gyration_of_atoms", "rdf", "rdf_first_peak", "rdf_first_minimum"),
    *("rouse_amplitude", "non_gaussian_parameter", "finite_size_correction", "largest_cluster_size"),
    *("onsager_coefficient", "onsager_self", "onsager_distinct"),
)
TOPICS = (
    (
        "box and sizes",
        (
            *("density", "molality", "radius_of_gyration", "mean_squared_radius_of_gyration", "end_to_end_distance"),
            *("mean_squared_end_to_end_distance", "radius_of_gyration_of_atoms", "persistence_length"),
            *("mean_squared_radius_of_gyration_of_atoms", "asphericity", "acylindricity", "relative_shape_anisotropy"),
        ),
    ),
    (
        "motion",
        (
            *("self_diffusivity", "centre_of_mass_diffusivity", "finite_size_correction", "non_gaussian_parameter"),
            *("relaxation_time", "end_to_end_relaxation_time", "rouse_relaxation_time", "rouse_amplitude"),
            *("coordination_cutoff", "residence_time", "hop_rate", "interchain_hop_share"),
        ),
    ),
    (
        "structure",
        (
            *("rdf", "rdf_first_peak", "rdf_first_minimum", "coordination_number", "molecules_in_contact"),
            *("free_ion_fraction", "mean_cluster_size", "largest_cluster_size"),
        ),
    ),
    (
        "charge transport",
        (
            *("conductivity", "transference_number", "haven_ratio"),
            *("onsager_coefficient", "onsager_self", "onsager_distinct"),
        ),
    ),
    ("others", ()),
)


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


def print_results(document: dict[str, Any], output: Path, *, every: bool = True) -> None:
    """Show figures by topic as one table, with warnings below it, each once.

    Args:
        document: of ``results.json``.
        output: that file.
        every: all of them, or only those that are no :data:`DETAILS` of others.
    """
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    from cgsim.analysis.remarks import sentences

    figures = [f for f in document["figures"] if every or f["name"] not in DETAILS]
    systems = list(dict.fromkeys(figure["system"] for figure in figures))
    figures.sort(key=lambda f: (systems.index(f["system"]), _topic(f)))
    several = len(systems) > 1
    columns = (*(["system"] if several else []), "figure", "species", "value", "+-", "unit", "method", "window")
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in {"value", "+-"} else "left", no_wrap=True)
    warnings: dict[str, int] = {}
    topic = ""
    for figure in figures:
        heading = [name for name, _ in TOPICS][_topic(figure)]
        if heading != topic and not several:
            table.add_row(*[""] * len(columns))
            table.add_row(heading, *[""] * (len(columns) - 1))
        topic = heading
        marks = sorted(warnings.setdefault(text, len(warnings) + 1) for text in sentences(figure.get("warning", "")))
        value, error = value_and_error(figure["value"], figure["standard_error"], figure.get("bound", ""))
        window = " to ".join("?" if w is None else f"{w:.4g}" for w in figure["window"])
        row = [figure["name"], figure["species"], value, error, figure["unit"]]
        method = f"{figure['method']} [{','.join(map(str, marks))}]" if marks else figure["method"]
        table.add_row(*([figure["system"]] if several else []), *row, method, f"{window} {figure['window_unit']}")
    console = Console(highlight=False, markup=False)
    needed = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(highlight=False, markup=False, width=max(console.width, needed)).print(table)
    for text, number in warnings.items():
        typer.echo(f"[{number}] {text}")
    for note in document["notes"]:
        typer.echo(f"note: {note}")
    hidden = len(document["figures"]) - len(figures)
    typer.echo(f"{output}: {len(document['figures'])} figures" + (f", {hidden} not shown: --all" if hidden else ""))


def _topic(figure: dict[str, Any]) -> int:
    """Which topic a figure belongs to; the last if to none."""
    return next(k for k, (_, names) in enumerate(TOPICS) if figure["name"] in names or not names)


def value_and_error(value: float | None, error: float | None, bound: str = "") -> tuple[str, str]:
    """Value with the digits that its error leaves meaning to (0 if none), and the error with two; a bound ``> 45``."""
    from cgsim.analysis.figures import BOUND_MARKS

    if value is None:
        return "-", "-"
    if bound:
        return f"{BOUND_MARKS[bound]} {value:.3g}", "-"
    if error is None:
        return f"{value:.4g}", "?"
    if error == 0 or value == 0:
        return f"{value:.5g}", f"{error:.2g}"
    from math import floor, log10

    if abs(value) < 0.5 * 10.0 ** (floor(log10(error)) - 1):  # of the error's second digit
        return "0", f"{error:.2g}"
    digits = max(2, 2 + floor(log10(abs(value))) - floor(log10(error)))
    return f"{value:.{min(digits, 8)}g}", f"{error:.2g}"
