"""Charge transport and the results of an analysis on the page."""

import json
from pathlib import Path

import pytest
from small_runs import Page, write_run

from cgsim.analysis import AnalysisSettings, analyze_files, write_results
from cgsim.analysis.lettering import common_exponent
from cgsim.analysis.looks import kind_of
from cgsim.benchmark.report import write_report
from cgsim.benchmark.report.results import MOST_OF_A_KIND
from cgsim.benchmark.report.text import pretty_value

pytestmark = pytest.mark.slow  # whole analyses


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run at a stated temperature, with the results of an analysis in its folder."""
    folder = write_run(tmp_path_factory.mktemp("transport") / "run")
    manifest = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**manifest, "temperature": 353.0}))
    document = analyze_files([folder / "rollouts" / "one-r0.h5"], AnalysisSettings(temperature=353.0))
    write_results(document, folder / "results.json")
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    write_report([run], run.parent / "report.html")
    return Page((run.parent / "report.html").read_text(encoding="utf-8"))


def test_conductivities_are_in_the_summary_by_both_methods(page: Page) -> None:
    figures = [row["Figure"] for row in page.table("Figure")]
    for name in ("conductivity by Nernst–Einstein", "conductivity, collective", "Haven ratio"):
        assert f"{name}, Li+Cl" in figures
    assert "transference number, solvent frame, Li" in figures


def test_transport_table_holds_what_the_analysis_found(page: Page, run: Path) -> None:
    rollouts = sorted((run / "rollouts").glob("*.h5"))
    settings = AnalysisSettings(replicas=True, between_molecules=True, temperature=353.0)
    figures = analyze_files(rollouts, settings)["figures"]
    (table,) = [t for t in page.tables if t[0] == ["Figure", "Species", "Method", "Unit", "cgsim", "MD", "short MD"]]
    shown = {(row[0].replace(" ", "_"), row[1], row[2]): row[4].rstrip("*") for row in table[1:]}
    for f in figures:
        if f["name"] in {"transference_number", "haven_ratio"} and f["value"] is not None:
            key = (f["name"], f["species"], f["method"])
            assert shown[key] == pretty_value(f["value"], f["standard_error"], common_exponent(f["value"])), key


def test_results_in_the_run_folder_are_shown_with_intervals(page: Page, run: Path) -> None:
    figures = json.loads((run / "results.json").read_text())["figures"]
    (table,) = [t for t in page.tables if t[0] == ["Figure", "Species", "Method", "Unit", "Value", "95 %"]]
    assert len(table) == 1 + len(figures)
    first = figures[0]
    shift = common_exponent(first["value"])
    assert table[1][4] == pretty_value(first["value"], first["standard_error"], shift)
    assert table[1][5] == " to ".join(pretty_value(v, None, shift) for v in first["interval_95"])


def test_every_curve_of_the_results_is_drawn(page: Page, run: Path) -> None:
    curves = json.loads((run / "results.json").read_text())["curves"]
    words = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    for kind, own in curves.items():
        drawn = [text for text in words if text.startswith(f"{kind_of(kind, own).title} of ")]
        wanted = min(MOST_OF_A_KIND, len({curve["species"] for curve in own}))
        assert len(drawn) >= wanted > 0, kind


def test_a_folder_with_an_analysis_alone_has_a_page(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "analysis"
    folder.mkdir()
    (folder / "results.json").write_bytes((run / "results.json").read_bytes())
    write_report([folder], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.sections == ["run1-results", "run1-versions"]
    assert "Missing" not in page.text


def test_results_that_cannot_be_read_are_said_to_be_missing(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    (folder / "results.json").write_text('{"rows": []}')
    write_report([folder], tmp_path / "report.html")
    assert "No analysis: " in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_a_run_without_results_or_temperature_says_so(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    write_report([folder], tmp_path / "report.html")
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "The run folder holds no results.json" in text
    assert "no temperature (the manifest may give it)" in text
