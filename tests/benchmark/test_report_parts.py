"""Parts of the report that laws can be stated for: deviations, averaged curves, histograms, colours, numbers."""

import math
import re
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgsim.analysis.lettering import common_exponent
from cgsim.beads import BeadStore
from cgsim.benchmark.report.compare import Verdict, deviation
from cgsim.benchmark.report.curves import average, density
from cgsim.benchmark.report.drawing import bead_tints, mapping_panels
from cgsim.benchmark.report.results import MOST_OF_A_KIND, results_curves
from cgsim.benchmark.report.text import pretty_value
from cgsim.mapping import MappingSettings, partition
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.store import TrajectoryStore, write_store
from cgsim.units import UnitSystem

values = st.floats(-1e3, 1e3)
errors = st.floats(1e-3, 1e3)


@given(values, errors, values, errors, st.floats(1e-6, 1e6))
def test_a_deviation_does_not_depend_on_the_unit(a: float, da: float, b: float, db: float, unit: float) -> None:
    plain, scaled = deviation(a, da, b, db), deviation(a * unit, da * unit, b * unit, db * unit)
    assert scaled.sigmas == pytest.approx(plain.sigmas, rel=1e-9)


@given(values, errors, values, errors)
def test_a_deviation_changes_sign_when_both_are_exchanged(a: float, da: float, b: float, db: float) -> None:
    assert deviation(a, da, b, db).sigmas == pytest.approx(-deviation(b, db, a, da).sigmas, rel=1e-12)


def test_errors_of_independent_values_add_in_squares() -> None:
    assert deviation(20.0, 3.0, 10.0, 4.0).sigmas == pytest.approx(2.0)
    assert deviation(20.0, 3.0, 10.0, 4.0).percent == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [
        (10.0, 0.1, Verdict.AGREES),
        (10.2, 0.1, Verdict.AGREES),
        (10.4, 0.1, Verdict.CLOSE),  # 2.8 errors but 4 %
        (7.0, 1.0, Verdict.OFF),
        (7.0, 0.5, Verdict.POOR),
        (3.0, 6.0, Verdict.UNRESOLVED),
    ],
)
def test_verdicts_follow_the_rule_beside_the_table(value: float, error: float, verdict: Verdict) -> None:
    assert deviation(value, error, 10.0, 0.1).verdict is verdict


def test_without_an_error_there_is_no_verdict() -> None:
    for one in (deviation(1.0, None, 2.0, 0.1), deviation(1.0, 0.1, 2.0, None), deviation(None, 0.1, 2.0, 0.1)):
        assert one.verdict is Verdict.UNKNOWN
        assert math.isnan(one.sigmas)


@given(st.floats(1e-12, 1e9), st.floats(1e-3, 2.0))
def test_a_printed_value_is_right_to_the_digits_of_its_error(value: float, relative: float) -> None:
    shift = common_exponent(value)
    text = pretty_value(value, relative * value, shift)
    number, error = (float(part) * 10.0**shift for part in text.split("±"))
    assert abs(number - value) <= 0.06 * relative * value  # half a unit of the second digit of the error, 1.0 to 9.9
    assert abs(error - relative * value) <= 0.06 * relative * value


def curve(x: np.ndarray, y: np.ndarray, error: float) -> dict[str, list[float]]:
    return {"r": x.tolist(), "rdf": y.tolist(), "standard_error": [error] * len(x)}


def test_the_average_of_n_equal_replicas_is_each_with_errors_smaller_by_root_n() -> None:
    x = np.linspace(0.0, 5.0, 30)
    line = average([curve(x, np.sin(x), 0.3)] * 9, "r", "rdf")
    assert line is not None
    np.testing.assert_allclose(line.y, np.sin(x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(line.error, 0.1, rtol=1e-12)


def test_a_short_replica_counts_only_where_it_is() -> None:
    line = average([curve(np.arange(10.0), np.zeros(10), 1.0), curve(np.arange(4.0), np.ones(4), 1.0)], "r", "rdf")
    assert line is not None
    np.testing.assert_allclose(line.y, [0.5] * 4 + [0.0] * 6)
    np.testing.assert_allclose(line.error, [math.sqrt(0.5)] * 4 + [1.0] * 6)


@given(st.integers(0, 1000), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_histograms_on_common_bins_keep_norm_and_mean(seed: int, n_replicas: int) -> None:
    rng = np.random.default_rng(seed)
    curves, means = [], []
    for _ in range(n_replicas):
        heights, edges = np.histogram(rng.normal(rng.uniform(-1, 1), 1.0, 500), bins=30, density=True)
        centres = 0.5 * (edges[1:] + edges[:-1])
        means.append(float((heights * np.diff(edges)) @ centres))
        curves.append({"rg": centres.tolist(), "density": heights.tolist()})
    edges = np.linspace(-7.0, 7.0, 57)
    together = density(curves, "rg", edges) * np.diff(edges)
    assert together.sum() == pytest.approx(1.0, rel=1e-12)
    # A bin of width w moves mass by at most w / 2.
    assert abs(together @ (0.5 * (edges[1:] + edges[:-1])) - np.mean(means)) < 0.125


@given(st.integers(0, 10_000), st.integers(2, 40))
@settings(max_examples=30, deadline=None)
def test_bonded_beads_never_have_the_same_colour(seed: int, n_beads: int) -> None:
    tree = nx.random_labeled_tree(n_beads, seed=seed)
    molecule = chain(n_beads, np.array([sorted(edge) for edge in tree.edges]).T)
    tints = bead_tints(molecule, np.arange(n_beads))
    i, j = molecule.bond_index
    # Six colours suffice as long as no bead has six neighbours that came before it.
    assert (tints[i] != tints[j]).all() or max(dict(tree.degree).values()) > 5


def chain(n: int, bonds: np.ndarray, atomic_number: int = 0) -> System:
    return System(
        units=UnitSystem.MOLECULAR if atomic_number else UnitSystem.LJ,
        particle_type=np.arange(n) % 2,
        type_names=("1", "2"),
        names=("X",) * n,
        atomic_numbers=np.full(n, atomic_number, dtype=np.int64),
        masses=np.full(n, 12.0),
        charges=np.zeros(n),
        bond_index=bonds.astype(np.int64),
        molecule_id=np.zeros(n, dtype=np.int64),
    )


def drawn(system: System, tmp_path: Path, atoms_per_bead: int) -> str:
    path = tmp_path / "x.h5"
    cell = np.zeros((1, 3, 3))
    shape = (1, system.n_particles, 3)
    write_store(path, Trajectory(system, np.zeros(shape, np.float32), np.zeros(shape, np.int32), cell, np.zeros(1)))
    mapping = partition(system, MappingSettings(atoms_per_bead=atoms_per_bead))
    (panel,) = mapping_panels(BeadStore(TrajectoryStore(path), system, mapping, is_mapped=False))
    return panel.svg + panel.note


@pytest.mark.parametrize("n", [1, 2, 17, 40, 41, 90])
def test_a_molecule_of_any_size_is_drawn_up_to_forty_atoms(n: int, tmp_path: Path) -> None:
    text = drawn(chain(n, np.stack([np.arange(n - 1), np.arange(1, n)]), 6), tmp_path, 7)
    assert text.count("<ellipse") == min(n, 40)  # one highlight an atom
    assert ("of 90 heavy atoms" in text) == (n == 90)


@pytest.mark.parametrize("n", [2, 35, 100])
def test_every_particle_of_a_chain_is_drawn(n: int, tmp_path: Path) -> None:
    text = drawn(chain(n, np.stack([np.arange(n - 1), np.arange(1, n)])), tmp_path, 10)
    assert text.count("<use ") == n  # one marker a particle


def test_a_ring_and_a_star_can_be_drawn(tmp_path: Path) -> None:
    ring = np.stack([np.arange(30), (np.arange(30) + 1) % 30])
    star = np.stack([np.zeros(29, dtype=np.int64), np.arange(1, 30)])
    for bonds in (np.sort(ring, axis=0), star):
        for atomic_number in (0, 6):
            assert "<svg" in drawn(chain(30, bonds, atomic_number), tmp_path, 5)


def test_of_many_curves_some_are_drawn_and_the_page_says_which_are_not() -> None:
    columns = {"r": [0.5, 1.5], "rdf": [0.0, 1.0], "standard_error": [0.0, 0.1], "units": {"r": "Angstrom"}}
    pairs = [{"system": f"s{k % 8}", "species": f"A-B{k // 8}", **columns} for k in range(8 * (MOST_OF_A_KIND + 2))]
    (topic,) = results_curves({"curves": {"rdf": pairs, "msd": []}})
    assert len(topic.panels) == MOST_OF_A_KIND
    assert f"g(r) of A-B{MOST_OF_A_KIND} and g(r) of A-B{MOST_OF_A_KIND + 1}" in topic.text
    assert "the first 6 are shown" in topic.text
    svg = topic.panels[0].svg
    assert {color for k in range(1, 6) for color in [f"var(--line-{k})"] if color not in svg} == set()
    assert not re.search(r"#[0-9a-fA-F]{6}", svg.replace("#000000", "")), "colours that would not follow the theme"


def test_maps_follow_the_theme_and_hold_no_image() -> None:
    cells = {"unit_i": [1, 1, 2], "unit_j": [2, 3, 3], "probability": [0.9, 0.01, 0.5], "units": {"unit_i": "beads"}}
    (topic,) = results_curves({"curves": {"contact_map": [{"system": "a", "species": "polymer", **cells}]}})
    svg = topic.panels[0].svg
    assert "<image" not in svg
    assert "var(--cgsim)" in svg
    assert not re.search(r"#[0-9a-fA-F]{6}", svg.replace("#000000", ""))
