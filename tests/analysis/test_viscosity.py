"""Diffusivities corrected for the size of the cell by a viscosity, and what its error does to theirs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from found_figures import find
from small_stores import CELL, salt_store

from cgsim.analysis import AnalysisSettings, DynamicsSettings, Viscosity, analyze_files
from cgsim.analysis.dynamics_settings import parse_viscosity
from cgsim.observables.finite_size import finite_size_correction, thermal_energy_molecular

UNIT_OF_D = 1e-4  # cm2/s per A^2/ps


def corrected(viscosity: Viscosity, *, per_axis: bool = False, replicas: bool = False) -> AnalysisSettings:
    """Diffusivities at 350 K only, corrected with a viscosity."""
    dynamics = DynamicsSettings(viscosity=viscosity, contact_frames=0, per_axis=per_axis)
    return AnalysisSettings(
        rdf_bin_width=0.5, structure_frames=20, temperature=350.0, dynamics=dynamics, replicas=replicas
    )


def test_viscosity_corrects_diffusivities_and_without_it_the_correction_is_stated(tmp_path: Path) -> None:
    path = salt_store(tmp_path / "salt.h5", n=20, frames=200)
    settings = corrected(Viscosity(4.0), per_axis=True)
    results = analyze_files([path], settings)
    shift = finite_size_correction(CELL, thermal_energy_molecular(350.0), 4.0) * UNIT_OF_D
    for method, added in (("", shift.mean()), (" along x", shift[0]), (" along z", shift[2])):
        before = find(results, "self_diffusivity", "Cl", f"multi-origin{method}")
        after = find(results, "self_diffusivity", "Cl", f"multi-origin, infinite cell{method}")
        assert after["value"] - before["value"] == pytest.approx(added, rel=1e-9)
        assert after["standard_error"] == before["standard_error"]
        assert after["viscosity"] == 4.0
    plain = analyze_files([path], replace(settings, dynamics=DynamicsSettings(contact_frames=0)))
    stated = find(plain, "finite_size_correction", "all", "yeh-hummer, per viscosity")
    assert stated["value"] == pytest.approx(4.0 * shift.mean(), rel=1e-9)
    assert stated["unit"] == "cm2/s mPa s"


def test_error_of_the_viscosity_is_in_that_of_the_corrected_diffusivity_as_sampling_gives_it(tmp_path: Path) -> None:
    path = salt_store(tmp_path / "salt.h5", n=20, frames=200)
    results = analyze_files([path], corrected(Viscosity(0.5, 0.05), per_axis=True))
    generator = np.random.default_rng(2)
    viscosities = generator.normal(0.5, 0.05, 200_000)
    shift = finite_size_correction(CELL, thermal_energy_molecular(350.0), 1.0) * UNIT_OF_D
    for method, per_viscosity in (("", shift.mean()), (" along y", shift[1])):
        before = find(results, "self_diffusivity", "Na", f"multi-origin{method}")
        after = find(results, "self_diffusivity", "Na", f"multi-origin, infinite cell{method}")
        drawn = generator.normal(before["value"], before["standard_error"], len(viscosities))
        sampled = drawn + per_viscosity / viscosities
        assert after["standard_error"] > 1.1 * before["standard_error"]  # else this would say nothing
        # First order in a relative error of 0.1: the spread of 1 / viscosity is 4 % more, its mean 1 %.
        assert after["standard_error"] == pytest.approx(sampled.std(), rel=0.045)
        assert after["value"] == pytest.approx(sampled.mean(), abs=0.1 * sampled.std())
        low, high = after["interval_95"]
        # Student's interval holds at least its share of normal draws, and not all.
        assert 0.945 < np.mean((low < sampled) & (sampled < high)) < 0.99
        assert after["error_of_viscosity"] == "included"
        assert after["viscosity_error"] == 0.05


def test_replicas_share_the_error_of_the_viscosity(tmp_path: Path) -> None:
    paths = [salt_store(tmp_path / f"{k}.h5", n=20, frames=200, seed=k) for k in range(3)]
    known, unsure = (corrected(v, replicas=True) for v in (Viscosity(0.5), Viscosity(0.5, 0.1)))
    figures = [
        find(analyze_files(paths, settings), "self_diffusivity", "Cl", "multi-origin, infinite cell")
        for settings in (known, unsure)
    ]
    shared = 0.2 * figures[0]["correction"]
    assert figures[1]["value"] == pytest.approx(figures[0]["value"], rel=1e-12)
    assert figures[1]["error_from_viscosity"] == pytest.approx(shared, rel=1e-9)
    assert figures[1]["standard_error"] == pytest.approx(np.hypot(figures[0]["standard_error"], shared), rel=1e-9)


@pytest.mark.parametrize(
    ("text", "value", "error", "unit"),
    [
        ("3", 3.0, 0.0, ""),
        ("12 +- 2", 12.0, 2.0, ""),
        ("12+-2mPa s", 12.0, 2.0, "mPa s"),
        ("1.2e1 ± 2. cP", 12.0, 2.0, "mPa s"),
        ("0.012 +/- 0.002 Pa s", 12.0, 2.0, "mPa s"),
    ],
)
def test_viscosity_is_read_with_error_and_unit(text: str, value: float, error: float, unit: str) -> None:
    found = parse_viscosity(text)
    assert found.value == pytest.approx(value)
    assert found.standard_error == pytest.approx(error)
    assert found.unit == unit


def test_correction_larger_than_the_coefficient_is_warned_of(tmp_path: Path) -> None:
    path = salt_store(tmp_path / "salt.h5", n=20, frames=200)
    results = analyze_files([path], corrected(Viscosity(0.05)))
    figure = find(results, "self_diffusivity", "Na", "multi-origin, infinite cell")
    assert "the cell is too small" in figure["warning"]
