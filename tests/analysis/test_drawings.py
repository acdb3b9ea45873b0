"""What is drawn of curves: every number that is known, on scales that can show it, a bounded number of lines."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure as Canvas

import cgsim.analysis
from cgsim.analysis.drawings import drawings
from cgsim.analysis.lettering import axis_label, pretty_unit
from cgsim.analysis.looks import COMPOSITION, KINDS, MAPS, Scale, kind_of
from cgsim.analysis.plots import PLAIN, draw, level_bounds


def curve(system: str = "one", species: str = "Li", **columns: Any) -> dict[str, Any]:
    return {"system": system, "species": species, **columns, "units": {"lag": "ps", "msd": "Angstrom2"}}


def axes_with(drawing: Any) -> Any:
    axes = Canvas().subplots()
    draw(axes, drawing, PLAIN)
    return axes


def test_every_kind_that_an_analysis_makes_is_known() -> None:
    folder = Path(cgsim.analysis.__file__).parent
    texts = [path.read_text() for path in sorted(folder.glob("*.py"))]
    made = {name for text in texts for name in re.findall(r'\bCurve\(\s*"([a-z_]+)"', text)}
    assert len(made) >= 10
    assert made <= set(KINDS), "say in looks.py how it is drawn"


def test_a_line_goes_through_every_point_that_has_a_value() -> None:
    values = [1.0, None, 4.0, 9.0]
    (drawing,) = drawings("msd", [curve(lag=[1.0, 2.0, 3.0, 4.0], msd=values, standard_error=[0.1, 0.1, None, 0.2])])
    (line,) = axes_with(drawing).get_lines()
    np.testing.assert_array_equal(line.get_xydata(), [[1.0, 1.0], [3.0, 4.0], [4.0, 9.0]])
    assert drawing.scale is Scale.LOG
    assert axis_label(drawing.y_name, drawing.y_unit) == "MSD (Å²)"


def test_values_below_zero_are_not_lost_to_a_logarithmic_scale() -> None:
    lag = [1.0, 2.0, 3.0, 4.0]
    (drawing,) = drawings("cross_displacement", [curve(lag=lag, displacement=[-1.0, -2.0, 3.0, -1.0])])
    assert drawing.scale is Scale.LOG_TIME
    (line,) = drawing.lines
    np.testing.assert_array_equal(line.y, [-1.0, -2.0, 3.0, -1.0])
    axes = axes_with(drawing)
    assert axes.get_xscale() == "log"
    assert axes.get_yscale() == "linear"


def test_functions_of_distance_and_lag_have_a_line_for_each_lag() -> None:
    columns: dict[str, Any] = {
        "r": [0.5, 1.5] * 3,
        "lag": [1.0, 1.0, 2.0, 2.0, 4.0, 4.0],
        "probability_density": [0.1] * 6,
    }
    (drawing,) = drawings("van_hove_self", [curve(**columns, gaussian=[0.2] * 6)])
    assert [line.label for line in drawing.lines] == ["1 ps", "2 ps", "4 ps"]
    assert all(set(line.references) == {"Gaussian"} for line in drawing.lines)


def test_systems_share_a_drawing_if_their_units_are_the_same() -> None:
    both = [curve(system, lag=[1.0, 2.0], msd=[1.0, 2.0]) for system in ("one", "two")]
    (together,) = drawings("msd", both)
    assert [line.label for line in together.lines] == ["one", "two"]
    other = {**curve("three", lag=[1.0, 2.0], msd=[1.0, 2.0]), "units": {"lag": "tau", "msd": "sigma2"}}
    assert [len(one.lines) for one in drawings("msd", [*both, other])] == [2, 1]


def test_no_more_lines_are_drawn_than_there_are_colours() -> None:
    many = [curve(f"s{k}", lag=[1.0, 2.0], msd=[1.0, 2.0 + k]) for k in range(25)]
    (drawing,) = drawings("msd", many)
    assert len(drawing.lines) == 25
    assert len(axes_with(drawing).get_lines()) == len(PLAIN.colors)


def test_quantities_of_different_units_have_drawings_of_their_own() -> None:
    columns: dict[str, Any] = {name: [1.0, 0.5] for name in ("amplitude", "relaxation_time", "stretching")}
    errors: dict[str, Any] = {f"{name}_error": [0.1, 0.1] for name in columns}
    found = drawings("rouse_modes", [curve(mode=[1, 2], **columns, **errors, rouse_shape=[1.0, 0.25])])
    assert [one.part for one in found] == ["", "relaxation_time", "stretching"]
    np.testing.assert_allclose(found[0].lines[0].references["Rouse"], [1.0, 0.25])  # through the first point
    np.testing.assert_allclose(found[0].lines[0].error, 0.1)


@pytest.mark.parametrize("kind", MAPS)
def test_a_map_shows_every_cell_that_is_not_zero(kind: str) -> None:
    i, j, value = MAPS[kind]
    cells: dict[str, Any] = {i: [1, 2, 2, 3], j: [1, 1, 2, 3], value: [1.0, 0.0, 0.5, 0.01]}
    (drawing,) = drawings(kind, [curve(**cells)])
    outlines = [patch.get_path() for patch in axes_with(drawing).patches]
    centres = {
        tuple(outline.vertices[k : k + 4].mean(axis=0)) for outline in outlines for k in range(0, len(outline), 5)
    }
    assert centres == {(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)}


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=30), st.integers(0, 3))
def test_levels_of_a_map_reach_around_all_but_the_smallest_values(values: list[float], zeros: int) -> None:
    bounds = level_bounds(np.array(values + [0.0] * zeros))
    assert (np.diff(bounds) > 0).all()
    assert 2 <= len(bounds) <= 12
    assert bounds[-1] >= max(values) * (1 - 1e-9)
    assert bounds[0] <= max(min(values), 1e-3 * max(values)) * (1 + 1e-9)


def test_compositions_stand_by_the_ions_that_they_hold() -> None:
    columns: dict[str, Any] = {"Li": [1, 0, 2], "TFSI": [0, 1, 1], "clusters": [5.0, 3.0, 1.0]}
    (drawing,) = drawings(COMPOSITION, [curve(**columns, standard_error=[0.1] * 3, ion_fraction=[0.2, 0.5, 0.3])])
    assert drawing.categories == ("TFSI", "2\u00a0Li TFSI", "Li")
    np.testing.assert_array_equal(drawing.lines[0].x, [3.0, 1.0, 5.0])
    assert [text.get_text() for text in axes_with(drawing).get_yticklabels()] == list(drawing.categories)


def test_a_kind_that_is_not_known_is_drawn_all_the_same() -> None:
    columns: dict[str, Any] = {
        "lag": [1.0, 2.0],
        "current": [3.0, 4.0],
        "standard_error": [0.1, 0.2],
        "integral": [1.0, 2.0],
    }
    (drawing,) = drawings("current_correlation", [curve(**columns)])
    assert kind_of("current_correlation", [curve(**columns)]).title == "Current correlation"
    np.testing.assert_array_equal(drawing.lines[0].y, [3.0, 4.0])
    np.testing.assert_array_equal(drawing.lines[0].error, [0.1, 0.2])


def test_points_that_are_mostly_error_do_not_set_the_scale_of_a_density() -> None:
    r = np.linspace(0.05, 11.95, 60)
    g = 1.0 + np.exp(-((r - 5.0) ** 2))
    error = np.full(60, 0.05)
    g[0], error[0] = 80.0, 80.0
    (drawing, *_) = drawings("rdf", [curve(r=r.tolist(), rdf=g.tolist(), standard_error=error.tolist())])
    low, high = axes_with(drawing).get_ylim()
    assert 2.0 < high < 2.5
    assert low < 0


def test_small_numbers_have_their_power_of_ten_on_the_axis() -> None:
    position = [0.5, 1.5]
    (number, *_) = drawings("density_profile_z", [curve(position=position, number_density=[2e-3, 4e-3])])
    axes = axes_with(number)
    axes.figure.draw_without_rendering()
    assert axes.get_ylabel().startswith("number density (10⁻³")
    assert "2" in [text.get_text() for text in axes.get_yticklabels()]


@pytest.mark.parametrize(("unit", "shown"), [("1/Angstrom3", "Å⁻³"), ("log10(cm2/s)", "log₁₀(cm²/s)"), ("km", "km")])
def test_units_are_set_as_in_print(unit: str, shown: str) -> None:
    assert pretty_unit(unit) == shown
