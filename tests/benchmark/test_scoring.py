"""Scores: perfect predictions score perfectly, known mistakes give known scores, errors are those of the statistics."""

import json

import numpy as np
import pytest

from cgsim.benchmark.portrait import Portrait, combine, log10_estimate
from cgsim.benchmark.rows import Row, Rows, read_rows, write_rows
from cgsim.benchmark.scoring import PairMetric, Scored, accuracy, difference_of, ratio_of, score
from cgsim.benchmark.targets import at_most, better_than, share_of, within
from cgsim.errors import InputError
from cgsim.observables.statistics import Estimate


def portraits(values, error=0.0):
    return {f"s{k}": Portrait({"x": Estimate(float(v), error)}) for k, v in enumerate(values)}


def scores(predictions, truth, metrics=None, n_seeds=0):
    rows = score(Scored("chain", "m", truth, predictions, n_seeds), metrics or accuracy("x", "x"), ("x",))
    return {r.metric: r for r in rows if r.system == "all"}


TRUTH = np.array([1.0, 2.0, 4.0, 7.0, 11.0, 16.0])


def test_the_truth_itself_scores_perfectly():
    found = scores([portraits(TRUTH)], portraits(TRUTH, 0.1))
    assert [found[f"x_{m}"].value for m in ("mae", "r2", "spearman", "in_md_errors")] == [0.0, 1.0, 1.0, 0.0]


def test_a_constant_shift_has_its_size_as_error_and_keeps_the_ranks():
    found = scores([portraits(TRUTH + 0.5)], portraits(TRUTH, 0.25))
    assert found["x_mae"].value == pytest.approx(0.5)
    assert found["x_in_md_errors"].value == pytest.approx(2.0)
    assert found["x_spearman"].value == pytest.approx(1.0)
    spread = np.square(TRUTH - TRUTH.mean()).sum()
    assert found["x_r2"].value == pytest.approx(1.0 - len(TRUTH) * 0.25 / spread)


def test_the_mean_explains_nothing_and_ranks_nothing_and_a_mirror_ranks_backwards():
    constant = scores([portraits(np.full(6, TRUTH.mean()))], portraits(TRUTH))
    assert constant["x_r2"].value == pytest.approx(0.0)
    assert "x_spearman" not in constant
    assert scores([portraits(-TRUTH)], portraits(TRUTH))["x_spearman"].value == pytest.approx(-1.0)


def test_the_error_of_a_mean_over_systems_is_that_of_sampling_systems():
    rng = np.random.default_rng(0)
    mistakes = rng.normal(size=400)
    found = scores([portraits(mistakes)], portraits(np.zeros(400)))["x_mae"]
    # |N(0,1)| has standard deviation sqrt(1 - 2/pi); the bootstrap knows it to 1/sqrt(2 * 400 draws), 4 %, three times.
    assert found.standard_error == pytest.approx(np.sqrt((1 - 2 / np.pi) / 400), rel=0.15)


def test_seeds_that_disagree_add_to_the_error_of_the_mean():
    together = scores([portraits(TRUTH + 1.0)] * 3, portraits(TRUTH), n_seeds=3)["x_mae"]
    assert together.standard_error is None  # nothing varies, so nothing is known
    apart = scores([portraits(TRUTH + d) for d in (0.5, 1.0, 1.5)], portraits(TRUTH), n_seeds=3)["x_mae"]
    assert apart.value == pytest.approx(1.0)
    # Three seeds drawn from values of population standard deviation 0.408: their mean has 0.408 / sqrt(3) = 0.236; the
    # middle 68 % of so few possible means is coarse.
    assert apart.standard_error == pytest.approx(0.236, rel=0.5)
    assert apart.n_seeds == 3


def test_with_few_systems_the_measured_values_are_drawn_from_their_own_errors():
    metric = [PairMetric("difference", difference_of("x"))]
    truth = portraits(TRUTH[:3], 0.3)
    found = scores([portraits(TRUTH[:3], 0.4)], truth, metric)["difference"]
    # Each difference has the error 0.5 = sqrt(0.3^2 + 0.4^2), the mean of three 0.289; 400 draws know it to 5 %.
    assert found.standard_error == pytest.approx(0.5 / np.sqrt(3), rel=0.2)


def test_a_ratio_carries_the_errors_of_both_values():
    found = ratio_of("x")(Portrait({"x": Estimate(2.0, 0.2)}), Portrait({"x": Estimate(4.0, 0.4)}))
    assert found.value == 0.5
    assert found.standard_error == pytest.approx(0.5 * np.hypot(0.1, 0.1))


def test_systems_that_a_method_cannot_do_are_counted():
    truth = portraits(TRUTH)
    part = {name: p for name, p in portraits(TRUTH).items() if name != "s0"}
    assert scores([part], truth)["measured_fraction"].value == pytest.approx(5 / 6)


def test_rows_are_written_as_the_format_says_and_read_back(tmp_path):
    rows = [
        Row(task="chain", system="all", method="m", metric="x", value=1.5, standard_error=float("nan"), n_seeds=3),
        Row(task="chain", system="s", method="m", metric="y", value=float("inf"), standard_error=0.1, n_seeds=0),
    ]
    write_rows(rows, tmp_path / "results.json")
    document = json.loads((tmp_path / "results.json").read_text())
    keys = ["task", "system", "method", "metric", "value", "standard_error", "n_seeds"]
    assert list(document) == ["rows"]
    assert all(list(row) == keys for row in document["rows"])
    assert document["rows"][0]["standard_error"] is None
    assert document["rows"][1]["value"] is None
    assert read_rows(tmp_path / "results.json") == rows


@pytest.mark.parametrize("text", ["", "[]", '{"rows": [{"task": "chain"}]}'])
def test_a_file_that_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"results\.json: expected"):
        read_rows(path)


def table(**values):
    """Rows of one metric from ``method=(value, error)``."""
    return Rows(
        [
            Row(task="t", system="all", method=m.replace("_", "-"), metric="mae", value=v, standard_error=e, n_seeds=0)
            for m, (v, e) in values.items()
        ]
    )


def test_targets_hold_where_they_should():
    rows = table(cgsim_a=(0.1, 0.03), short_md=(0.4, 0.04), constant=(0.16, 0.04), md_half=(0.0, 0.0))
    assert at_most("mae", 0.1).check(rows, "cgsim-a") is True
    assert within("mae", 0.0, 0.05, "").check(rows, "cgsim-a") is False
    assert share_of("mae", "short-md", 1 / 3, "").check(rows, "cgsim-a") is True
    assert at_most("mae", 0.1).check(rows, "nobody") is None
    # 0.16 - 0.10 is more than sqrt(0.03^2 + 0.04^2) = 0.05; halves of the reference are no baseline.
    assert better_than("mae").check(rows, "cgsim-a") is True
    closer = table(cgsim_a=(0.1, 0.03), constant=(0.14, 0.04))
    assert better_than("mae").check(closer, "cgsim-a") is False


def test_replicas_are_joined_and_portraits_survive_the_disk(tmp_path):
    def one(value, close):
        return Portrait(
            {"d": Estimate(value, 0.1)},
            {"samples/rg": np.array([value]), "closest/a": np.array([close]), "h": np.array([value, 1.0])},
        )

    both = combine([one(1.0, 3.0), one(3.0, 2.0)])
    assert both.value("d").value == 2.0
    assert both.value("d").standard_error == pytest.approx(1.0)  # scatter of two values 2 apart
    assert both.arrays["samples/rg"].tolist() == [1.0, 3.0]
    assert both.arrays["closest/a"].tolist() == [2.0]
    assert both.arrays["h"].tolist() == [2.0, 1.0]
    both.save(tmp_path / "a" / "p.npz")
    again = Portrait.load(tmp_path / "a" / "p.npz")
    assert again.value("d").value == 2.0
    assert {k: v.tolist() for k, v in again.arrays.items()} == {k: v.tolist() for k, v in both.arrays.items()}


def test_logarithms_have_relative_errors():
    found = log10_estimate(Estimate(100.0, 10.0))
    assert (found.value, found.standard_error) == (pytest.approx(2.0), pytest.approx(0.1 / np.log(10)))
    assert np.isnan(log10_estimate(Estimate(-1.0, 1.0)).value)
