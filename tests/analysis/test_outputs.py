"""What is written beside results.json: tables that hold every number, and images of every curve."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from small_stores import chain_store, salt_store
from typer.testing import CliRunner

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis.plots import write_plots
from cgsim.analysis.tables import write_tables
from cgsim.cli import app
from cgsim.cli.results import value_and_error
from cgsim.errors import InputError


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("outputs")
    files = [str(salt_store(folder / "salt.h5", n=8, frames=40)), str(chain_store(folder / "chains.h5", 4, 6, 60))]
    result = CliRunner().invoke(app, ["analyze", *files, "-o", str(folder / "results.json")])
    assert result.exit_code == 0, result.output
    return json.loads((folder / "results.json").read_text()), folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_table_has_one_row_for_each_figure_with_all_its_numbers(written: tuple[dict[str, Any], Path]) -> None:
    document, folder = written
    rows = rows_of(folder / "results.csv")
    assert len(rows) == len(document["figures"])
    for row, figure in zip(rows, document["figures"], strict=True):
        assert (row["system"], row["name"], row["species"], row["method"]) == tuple(
            figure[key] for key in ("system", "name", "species", "method")
        )
        for column, value in (
            ("value", figure["value"]),
            ("standard_error", figure["standard_error"]),
            ("low_95", figure["interval_95"][0]),
            ("window_to", figure["window"][1]),
        ):
            assert row[column] == ("" if value is None else repr(value))
        assert row["unit"] == figure["unit"]
        assert row["warning"] == figure.get("warning", "")


def test_each_kind_of_curve_has_a_table_with_one_row_for_each_point(written: tuple[dict[str, Any], Path]) -> None:
    document, folder = written
    kinds = {path.stem for path in (folder / "results-curves").glob("*.csv")}
    assert kinds == set(document["curves"])
    for kind, curves in document["curves"].items():
        rows = rows_of(folder / "results-curves" / f"{kind}.csv")
        columns = [[name for name, values in curve.items() if isinstance(values, list)] for curve in curves]
        assert len(rows) == sum(len(curve[names[0]]) for curve, names in zip(curves, columns, strict=True))
    msd = document["curves"]["msd"]
    rows = [row for row in rows_of(folder / "results-curves" / "msd.csv") if row["species"] == "Na"]
    assert [float(row["lag [ps]"]) for row in rows] == msd[0]["lag"]
    assert [float(row["msd [Angstrom2]"]) for row in rows] == msd[0]["msd"]
    assert {row["lag [tau]"] for row in rows} == {""}  # another system, in other units, has columns of its own


@pytest.mark.slow
def test_each_curve_is_drawn(written: tuple[dict[str, Any], Path]) -> None:
    document, folder = written
    write_plots(document, folder / "results.json", "svg")
    drawn = {path.name for path in (folder / "results-plots").iterdir()}
    for kind, curves in document["curves"].items():
        assert {f"{kind}-{curve['species']}.svg" for curve in curves} <= drawn
    assert all(path.read_text().startswith("<?xml") for path in (folder / "results-plots").iterdir())


def test_tables_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    (tmp_path / "results-curves").mkdir()
    (tmp_path / "results-curves" / "gone.csv").write_text("old")
    document = analyze_files([salt_store(tmp_path / "salt.h5", n=4, frames=20)], AnalysisSettings(rdf_cutoff=3.0))
    write_tables(document, target)
    assert not (tmp_path / "results-curves" / "gone.csv").exists()


def test_unknown_format_is_refused_before_any_work(tmp_path: Path) -> None:
    arguments = ["analyze", str(tmp_path / "nothing.h5"), "-o", str(tmp_path / "results.json"), "--plots", "gif"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "plots as 'gif': expected one of png, svg, pdf"


def test_green_kubo_is_refused_with_the_reason(tmp_path: Path) -> None:
    store = salt_store(tmp_path / "salt.h5", n=3, frames=12)
    result = CliRunner().invoke(app, ["analyze", str(store), "-o", str(tmp_path / "results.json"), "--green-kubo"])
    assert isinstance(result.exception, InputError)
    assert "takes velocities" in str(result.exception)
    assert "einstein-collective" in str(result.exception)
    assert not (tmp_path / "results.json").exists()


def test_no_process_at_all_is_refused(tmp_path: Path) -> None:
    store = salt_store(tmp_path / "salt.h5", n=3, frames=12)
    with pytest.raises(InputError, match="processes must be at least 1, got 0"):
        analyze_files([store], processes=0)


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (-3.2e-13, 12.0, ("0", "12")),
        (0.4, 12.0, ("0", "12")),
        (0.6, 12.0, ("0.6", "12")),
        (34.567, 1.2, ("34.6", "1.2")),
        (-1.5e-9, 2.0e-10, ("-1.5e-09", "2e-10")),
        (0.0, 12.0, ("0", "12")),
    ],
)
def test_a_value_below_the_rounding_of_its_error_is_shown_as_zero(
    value: float, error: float, expected: tuple[str, str]
) -> None:
    assert value_and_error(value, error) == expected
