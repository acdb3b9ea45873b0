"""What a report makes of folders that lack something, of several folders, and of mistakes."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from small_runs import SECTIONS, Page, report_of, write_run

from cgsim.benchmark.report import write_report
from cgsim.cli import main
from cgsim.errors import InputError

pytestmark = pytest.mark.slow  # whole analyses


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("report") / "run")


def training_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "metrics.csv").write_text("step,epoch,train/loss,train/score\n9,0,3.5,0\n19,1,,0\n29,2,2.25,0\n,,,\n")
    return folder


def test_what_is_missing_is_said_in_the_page(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "one.h5").unlink()
    (folder / "rollouts/one-r1.h5").write_bytes(b"no store")
    (folder / "metrics.csv").unlink()
    (folder / "model").mkdir()
    (folder / "model/model.json").write_text("{}")
    page = report_of(folder)
    assert page.sections == [f"run1-{name}" for name in SECTIONS]
    for sentence in ("No model: ", "reference MD of one could not", "rollout of one could not", "No training curves"):
        assert sentence in page.text


def test_a_training_folder_without_manifest_shows_its_curves(tmp_path: Path) -> None:
    page = report_of(training_folder(tmp_path / "training"))
    training = [v for t, n, v in page.attributes if t == "svg" and n == "aria-label"]
    assert training == ["loss during training; last values: train 2.25."]  # a loss that is always 0 is off
    assert "No rollouts in" in page.text


def test_rollouts_without_manifest_are_shown_by_themselves(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "run.json").unlink()
    page = report_of(folder)
    assert "it is not known which MD" in page.text
    assert {row["MD"] for row in page.table("Figure")} == {"–"}


def test_several_runs_share_one_page(tmp_path: Path) -> None:
    folders = [training_folder(tmp_path / name) for name in ("first", "second")]
    write_report(folders, tmp_path / "both.html")
    page = Page((tmp_path / "both.html").read_text(encoding="utf-8"))
    assert page.sections == [f"run{k}-{name}" for k in (1, 2) for name in SECTIONS]
    targets = {value for tag, name, value in page.attributes if tag == "a" and name == "href"}
    assert {"#run1", "#run2"} <= targets


FIGURE = dict.fromkeys(("species", "method", "unit", "system"), "") | {
    "name": "D",
    "value": "fast",
    "standard_error": 1,
}
BAD = {
    "no folder": (None, "no such folder"),
    "empty": ({}, "nothing to report on"),
    "not json": ({"run.json": '{"title": \n oops'}, "run.json, line 2: not JSON"),
    "not a manifest": ({"run.json": "[1]"}, "run.json: file: "),
    "unknown key": ({"run.json": '{"titel": "x"}'}, "run.json: titel: "),
    "no number": ({"run.json": '{"table": [{"system": "a", "figure": "b", "md": "c"}]}'}, "run.json: table.0.md: "),
    "cut results": ({"results.json": '{"figures": [{"name": '}, "results.json: not JSON, expected results that 'cgsim"),
    "other results": ({"results.json": '{"rows": []}'}, "results.json: no figures in it, expected results that"),
    "words for numbers": (
        {"results.json": json.dumps({"figures": [FIGURE]})},
        "value of D is 'fast', expected a number",
    ),
    "bad speed": ({"run.json": '{"md_time_per_day": {"value": 0, "unit": "ns"}}'}, "md_time_per_day.value: "),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_no_file(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files, expected = BAD[case]
    folder = tmp_path / "run"
    if files is not None:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    monkeypatch.setattr(sys, "argv", ["cgsim", "report", str(folder), "-o", str(tmp_path / "out.html")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert message.startswith(f"error: {folder}")
    assert expected in message
    assert not list(tmp_path.glob("*.html*"))
    assert not list(tmp_path.glob(".*"))


def test_an_output_in_a_missing_directory_is_refused_before_any_work(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        write_report([run], tmp_path / "no/such/report.html")


def test_the_command_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = training_folder(tmp_path / "training")
    monkeypatch.setattr(sys, "argv", ["cgsim", "report", str(folder), "-o", str(tmp_path / "out.html")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(str(tmp_path / "out.html"))
    assert Page((tmp_path / "out.html").read_text(encoding="utf-8")).sections
