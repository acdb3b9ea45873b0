"""Comparing results: differences are found, and chance alone does not make them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_stores import salt_store
from typer.testing import CliRunner

from cgsim.analysis.comparison import Verdict, compare_results
from cgsim.cli import app
from cgsim.errors import InputError


def figure(name: str, value: float | None, error: float | None, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "species": "Li",
        "method": "multi-origin",
        "value": value,
        "standard_error": error,
        "unit": "cm2/s",
        "system": "one",
        **more,
    }


def write(path: Path, figures: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"figures": figures}))
    return path


def test_equal_truths_are_told_apart_no_more_often_than_the_level_says() -> None:
    generator = np.random.default_rng(0)
    runs, n, freedom = 400, 20, 12
    alarms, singles, expected = 0, 0, 0.0
    for _ in range(runs):
        sides = []
        for _side in range(2):
            errors = np.sqrt(generator.chisquare(freedom, size=n // 2) / freedom)
            plain = [
                figure(f"plain{k}", float(generator.normal()), float(e), degrees_of_freedom=float(freedom))
                for k, e in enumerate(errors)
            ]
            scales = generator.chisquare(freedom, size=n // 2) / freedom
            skewed = [
                figure(
                    f"scale{k}", v, v * np.sqrt(2 / freedom), degrees_of_freedom=float(freedom), distribution="scale"
                )
                for k, v in enumerate(scales.tolist())
            ]
            sides.append([*plain, *skewed])
        found = compare_results(sides[0], sides[1])
        assert found.n_tests == n
        alarms += found.differ
        singles += sum(f.verdict in (Verdict.DIFFERS, Verdict.SUSPECT) for f in found.figures)
        expected += found.expected_false_alarms
    print(f"joint test: {alarms} of {runs} pairs of equal truths differ; single figures {singles}, expected {expected}")
    # Holm's method keeps the joint rate at 5 % or below, and near it for independent figures.
    assert alarms / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert alarms > 0
    assert abs(singles - expected) < 4 * np.sqrt(expected)


def test_a_difference_of_five_errors_is_found_among_many_figures() -> None:
    generator = np.random.default_rng(1)
    sides = [[figure(f"f{k}", float(generator.normal()), 1.0) for k in range(40)] for _ in range(2)]
    sides[1].append(figure("changed", 7.5, 1.0))
    sides[0].append(figure("changed", 0.0, 1.0))
    found = compare_results(*sides)
    assert found.differ
    assert [f.figure["name"] for f in found.figures if f.verdict is Verdict.DIFFERS] == ["changed"]


def test_small_difference_of_one_among_many_is_not_claimed() -> None:
    sides = [[figure(f"f{k}", 0.0, 1.0) for k in range(40)] for _ in range(2)]
    sides[1][0] = figure("f0", 3.2, 1.0)  # chance 0.024 by itself
    found = compare_results(*sides)
    assert not found.differ
    assert found.figures[0].verdict is Verdict.SUSPECT


def test_what_cannot_be_compared_says_why() -> None:
    first = [figure("a", 1.0, 0.1), figure("b", 1.0, None), figure("c", 1.0, 0.1), figure("d", 2.0, 0.0)]
    second = [
        figure("a", 1.0, 0.1, unit="sigma2/tau"),
        figure("b", 2.0, 0.1),
        figure("d", 2.0, 0.0),
        figure("e", 1.0, 0.1),
    ]
    found = compare_results(first, second)
    verdicts = {f.figure["name"]: f.verdict for f in found.figures}
    assert verdicts == {
        "a": Verdict.UNITS,
        "b": Verdict.UNKNOWN,
        "c": Verdict.ONLY_FIRST,
        "d": Verdict.AGREES,
        "e": Verdict.ONLY_SECOND,
    }
    assert found.n_tests == 0
    assert not found.differ


def test_exact_values_that_differ_do() -> None:
    assert compare_results([figure("d", 2.0, 0.0)], [figure("d", 2.1, 0.0)]).differ


def test_exit_code_tells_and_the_file_holds_every_comparison(tmp_path: Path) -> None:
    same = write(tmp_path / "a.json", [figure("f", 1.0, 0.1), figure("g", 2.0, 0.1)])
    other = write(tmp_path / "b.json", [figure("f", 1.05, 0.1), figure("g", 9.0, 0.1)])
    equal = CliRunner().invoke(app, ["compare", str(same), str(same)])
    assert equal.exit_code == 0
    assert "2 comparisons: 0 beyond their own 95% interval, where chance alone gives 0.1" in equal.output
    result = CliRunner().invoke(app, ["compare", str(same), str(other), "-o", str(tmp_path / "out.json")])
    assert result.exit_code == 1
    assert "the results differ: 1 figures" in result.output
    document = json.loads((tmp_path / "out.json").read_text())
    assert [f["verdict"] for f in document["figures"]] == ["agrees", "differs"]
    assert document["comparisons"] == 2
    assert document["expected_false_alarms"] == pytest.approx(0.1)


def test_systems_of_one_file_are_compared_by_name(tmp_path: Path) -> None:
    both = write(tmp_path / "r.json", [figure("f", 1.0, 0.1), figure("f", 5.0, 0.1, system="two")])
    assert CliRunner().invoke(app, ["compare", f"{both}#one", f"{both}#two"]).exit_code == 1
    assert CliRunner().invoke(app, ["compare", f"{both}#one", f"{both}#one"]).exit_code == 0
    assert CliRunner().invoke(app, ["compare", str(both), str(both)]).exit_code == 0


def shells(peak: float, end: float, number: float, cutoff: float, *, sites: str = "O") -> list[dict[str, Any]]:
    """Figures of a first shell with errors of 2 %, and one that has nothing to do with it."""
    of_pair = [
        figure("rdf_first_peak", peak, 0.02 * peak, method="position of the first peak", unit="Angstrom"),
        figure("rdf", number, 0.02 * number, method="height of the first peak", unit=""),
        figure("rdf_first_minimum", end, 0.02 * end, method="end of the first shell", unit="Angstrom"),
        figure("coordination_number", number, 0.02 * number, method="up to the first minimum", unit=""),
    ]
    in_time = [
        figure("coordination_cutoff", cutoff, 0.02 * cutoff, method="first minimum of the rdf", sites=sites),
        figure("residence_time", 10.0 * number, 0.2 * number, method="continuous", unit="ps"),
        figure("hop_rate", 0.1 / number, 0.002 / number, method="all sites replaced", unit="1/ps"),
    ]
    caged = figure("hop_rate", 1.0, 0.1, method="out of cages", unit="1/ps")
    return [{**f, "species": "Li-TFSI"} for f in of_pair + in_time] + [caged]


OF_SHELL = {"rdf height of the first peak", "coordination_number up to the first minimum"}
OF_CONTACT = {"residence_time continuous", "hop_rate all sites replaced"}
END, CUTOFF = "rdf_first_minimum end of the first shell", "coordination_cutoff first minimum of the rdf"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (shells(7.86, 9.5, 5.61, 3.3), OF_SHELL | {END}),
        (shells(4.56, 6.2, 5.61, 3.3), {"coordination_number up to the first minimum"}),
        (shells(4.56, 5.25, 5.61, 4.4), OF_CONTACT | {CUTOFF}),
        (shells(4.56, 5.25, 5.61, 3.3, sites="S"), OF_CONTACT | {CUTOFF}),
        (shells(4.70, 5.40, 5.61, 3.4), set()),  # apart by no more than their errors
    ],
)
def test_figures_of_different_shells_are_no_findings(other: list[dict[str, Any]], expected: set[str]) -> None:
    found = compare_results(shells(4.56, 5.25, 0.11, 3.3), other)
    odd = {f"{f.figure['name']} {f.figure['method']}" for f in found.figures if f.verdict is Verdict.SHELLS}
    assert odd == expected
    assert found.n_tests == len(other) - len(expected)
    differ = {f"{f.figure['name']} {f.figure['method']}" for f in found.figures if f.verdict is Verdict.DIFFERS}
    assert differ & (OF_SHELL | OF_CONTACT) == (OF_SHELL | OF_CONTACT) - expected


def test_a_shift_of_a_sharp_peak_within_five_percent_is_the_same_shell() -> None:
    sides = [
        [figure("rdf_first_peak", at, 0.001), figure("rdf", height, 0.1)] for at, height in ((2.0, 9.0), (2.05, 12.0))
    ]
    assert [f.verdict for f in compare_results(*sides).figures] == [Verdict.DIFFERS, Verdict.DIFFERS]


def test_numbers_within_different_given_cutoffs_are_not_compared_and_the_row_says_what_to_do(tmp_path: Path) -> None:
    def given(number: float, within: float) -> dict[str, Any]:
        return figure("coordination_number", number, 0.1, method="within the given cutoff", window=[0.0, within])

    files = [write(tmp_path / f"{r}.json", [given(n, r), figure("f", 1.0, 0.1)]) for n, r in ((2.0, 2.8), (4.0, 3.5))]
    result = CliRunner().invoke(app, ["compare", *map(str, files)])
    assert result.exit_code == 0
    assert "not the same shell: analyze both with one --coordination-cutoff" in result.output
    assert "1 comparisons" in result.output
    assert compare_results([given(2.0, 2.8)], [given(4.0, 2.8)]).differ


@pytest.mark.slow
def test_stores_are_analysed_on_the_way(tmp_path: Path) -> None:
    stores = [salt_store(tmp_path / f"{k}.h5", n=10, frames=100, seed=k) for k in range(2)]
    result = CliRunner().invoke(app, ["compare", *map(str, stores), "--temperature", "300", "--all"])
    assert "conductivity" in result.output
    assert "self_diffusivity" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.json", "a.json"], "no.json: no such file"),
        (["text.json", "a.json"], "text.json: not JSON, expected results"),
        (["empty.json", "a.json"], "empty.json: no figures in it"),
        (["words.json", "a.json"], "words.json: value of f is 'much', expected a number or null"),
        (["no.h5", "a.json"], "no.h5: no such file"),
        (["a.json#three", "a.json"], "no system 'three'; known: one"),
        (["a.json", "other.json"], "have no figure in common"),
        (["a.json", "twice.json"], "is there more than once (systems one and two)"),
        (["a.json", "a.json", "--level", "1.5"], "level must be between 0 and 1, got 1.5"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("a.json"), [figure("f", 1.0, 0.1)])
    write(Path("other.json"), [figure("x", 1.0, 0.1)])
    write(Path("twice.json"), [figure("f", 1.0, 0.1), figure("f", 5.0, 0.1, system="two")])
    Path("text.json").write_text("hello")
    Path("empty.json").write_text("{}")
    write(Path("words.json"), [figure("f", 1.0, 0.1) | {"value": "much"}])
    result = CliRunner().invoke(app, ["compare", *arguments])
    assert isinstance(result.exception, InputError), result.output
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
