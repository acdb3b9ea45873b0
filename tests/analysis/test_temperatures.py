"""From results at several temperatures to activation energies."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_stores import salt_store
from typer.testing import CliRunner

from cgsim.analysis import analyze_files
from cgsim.analysis.temperatures import GAS_CONSTANT, fit_results
from cgsim.cli import app
from cgsim.errors import InputError

ENERGY = 35.0  # kJ/mol


def write(path: Path, temperature: float | None, figures: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"figures": figures, "systems": [{"system": "box", "temperature": temperature}]}))
    return path


def figure(name: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "species": "Li",
        "method": "multi-origin",
        "value": value,
        "standard_error": None if value is None else 0.05 * abs(value),
        "degrees_of_freedom": None,
        "unit": "cm2/s",
        "system": "box",
        **more,
    }


def series(folder: Path, temperatures: list[float], name: str = "self_diffusivity", sign: float = 1.0) -> list[Path]:
    values = {t: 1e-3 * np.exp(-sign * ENERGY / (GAS_CONSTANT * t)) for t in temperatures}
    return [write(folder / f"{t:g}.json", t, [figure(name, float(v))]) for t, v in values.items()]


def by_name(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [f for f in document["figures"] if f["name"] == name]
    return dict(found)


def test_activation_energy_and_value_in_between(tmp_path: Path) -> None:
    document = fit_results(series(tmp_path, [300.0, 340.0, 380.0, 420.0]), at=360.0)
    energy = by_name(document, "activation_energy")
    assert energy["value"] == pytest.approx(ENERGY, rel=1e-9)
    assert (energy["unit"], energy["window"], energy["window_unit"]) == ("kJ/mol", [300.0, 420.0], "K")
    assert energy["method"] == "arrhenius of self_diffusivity multi-origin"
    assert by_name(document, "log10_prefactor")["value"] == pytest.approx(-3.0, rel=1e-9)
    between = by_name(document, "self_diffusivity")
    assert between["value"] == pytest.approx(1e-3 * np.exp(-ENERGY / (GAS_CONSTANT * 360.0)), rel=1e-9)
    assert between["standard_error"] < 0.05 * between["value"]
    assert "warning" not in between
    assert any("no curvature" in note for note in document["notes"])
    curve = document["curves"]["arrhenius"][0]
    assert curve["arrhenius"] == pytest.approx(curve["log10_value"], rel=1e-9)


def test_times_have_the_same_energy_with_the_same_sign(tmp_path: Path) -> None:
    document = fit_results(series(tmp_path, [300.0, 340.0, 380.0], "relaxation_time", -1.0))
    assert by_name(document, "activation_energy")["value"] == pytest.approx(ENERGY, rel=1e-9)


def test_extrapolation_is_called_so_and_warnings_of_points_are_kept(tmp_path: Path) -> None:
    files = series(tmp_path, [300.0, 340.0])
    write(files[0], 300.0, [figure("self_diffusivity", 1e-7, warning="not yet diffusive")])
    outside = by_name(fit_results(files, at=280.0), "self_diffusivity")
    assert "extrapolated from 300 to 340 K" in outside["warning"]
    assert "at 300 K: not yet diffusive" in outside["warning"]


def test_values_not_above_zero_are_left_out_with_a_note(tmp_path: Path) -> None:
    files = series(tmp_path, [300.0, 340.0, 380.0])
    write(files[1], 340.0, [figure("self_diffusivity", -1e-9)])
    document = fit_results(files)
    assert by_name(document, "activation_energy")["points"] == 2
    assert any("left out at 340 K, where values are not above 0" in note for note in document["notes"])


def test_bounds_are_never_fitted(tmp_path: Path) -> None:
    files = series(tmp_path, [300.0, 340.0, 380.0], "residence_time", -1.0)
    write(files[0], 300.0, [figure("residence_time", 45.0, bound="lower", standard_error=1e-6)])
    document = fit_results(files)
    assert by_name(document, "activation_energy")["points"] == 2
    assert by_name(document, "activation_energy")["value"] == pytest.approx(ENERGY, rel=1e-9)
    assert any(
        "residence_time of Li, multi-origin: left out at 300 K, where only bounds" in n for n in document["notes"]
    )
    write(files[1], 340.0, [figure("residence_time", 45.0, bound="lower", standard_error=1e-6)])
    with pytest.raises(InputError, match=r"nothing to fit: .* above 0 and no bound is there at two different temp"):
        fit_results(files)


def test_each_warning_is_printed_once(tmp_path: Path) -> None:
    files = series(tmp_path, [300.0, 340.0, 380.0])
    write(files[0], 300.0, [figure("self_diffusivity", 1e-7, warning="not yet diffusive; too short")])
    arguments = ["fit", *map(str, files), "-o", str(tmp_path / "fit.json"), "--at", "250"]
    lines = CliRunner().invoke(app, arguments).output.splitlines()
    for text in ("at 300 K: not yet diffusive", "at 300 K: too short"):
        assert len([line for line in lines if text in line]) == 1
    (prefactor,) = [line for line in lines if line.startswith("log10_prefactor")]
    assert " [1,2" in prefactor


def test_command_writes_json_csv_and_plots(tmp_path: Path) -> None:
    files = series(tmp_path, [300.0, 340.0, 380.0])
    output = tmp_path / "fit.json"
    result = CliRunner().invoke(app, ["fit", *map(str, files), "-o", str(output), "--at", "298", "--plots", "svg"])
    assert result.exit_code == 0, result.output
    assert "activation_energy" in result.output
    assert json.loads(output.read_text())["files"] == [str(f) for f in files]
    assert (tmp_path / "fit.csv").exists()
    assert (tmp_path / "fit-curves" / "arrhenius.csv").exists()
    assert len(list((tmp_path / "fit-plots").iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: write(f[0], None, [figure("self_diffusivity", 1.0)]), "states no temperature of box"),
        (
            lambda f: write(f[1], 340.0, [figure("self_diffusivity", 1.0, unit="sigma2/tau")]),
            "340.json: self_diffusivity of Li is in sigma2/tau, elsewhere in cm2/s",
        ),
        (lambda f: f[1].unlink(), "340.json: no such file"),
        (
            lambda f: write(f[1], 300.0, [figure("self_diffusivity", 1.0)]),
            "300.json: and all other files are at 300 K, expected results at two temperatures or more",
        ),
        (lambda f: f.pop(), "300.json: is at 300 K, expected results at two temperatures or more"),
        (
            lambda f: f.append(salt_store(f[0].with_name("salt.h5"), n=2, frames=4)),
            "salt.h5: is a store, expected its results: cgsim analyze",
        ),
        (lambda f: f[1].write_text("[]"), "340.json: no figures in it"),
    ],
)
def test_mistakes_are_one_line(change: Any, message: str, tmp_path: Path) -> None:
    files = series(tmp_path, [300.0, 340.0])
    change(files)
    result = CliRunner().invoke(app, ["fit", *map(str, files), "-o", str(tmp_path / "fit.json")])
    assert isinstance(result.exception, InputError), result.output
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "fit.json").exists()


def material(folder: Path, name: str, temperature: float, **changes: Any) -> Path:
    """Results with what describes their material: 10 chains of 723 g/mol and 15 LiX, or what is changed."""
    told = {"chain": "polymer", "chains": 10, "ions": 15, "mass": 723.0, "molality": 2.075, "system": name} | changes
    species = [
        {"name": told["chain"], "molecules": told["chains"], "molecular_mass": told["mass"]},
        {"name": "Li", "molecules": told["ions"], "molecular_mass": 6.94},
    ]
    value = 1e-3 * float(np.exp(-ENERGY / (GAS_CONSTANT * temperature)))
    figures = [
        figure("self_diffusivity", value, system=name),
        figure("molality", told["molality"], system=name, unit="mol/kg"),
    ]
    described = {"system": name, "temperature": temperature, "species": species}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"figures": figures, "systems": [described]}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chains": 7, "ions": 50}, "b: share of polymer among all molecules is 0.1228, expected 0.4 as in a of"),
        ({"mass": 8000.0}, "b: mean mass of a molecule of polymer is 8000, expected 723 as in a of"),
        ({"molality": 1.2}, "b: molality of Li in mol/kg is 1.2, expected 2.075 as in a of"),
        ({"chain": "EC"}, "b: consists of EC, Li, a in"),
    ],
)
def test_results_of_different_materials_are_refused_unless_that_is_wanted(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    files = [material(tmp_path, "a", 360.0), material(tmp_path, "b", 400.0, **changes)]
    arguments = ["fit", *map(str, files), "-o", str(tmp_path / "fit.json")]
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, InputError), refused.output
    assert message in str(refused.exception)
    assert "--allow-mixed" in str(refused.exception)
    assert "\n" not in str(refused.exception)
    assert CliRunner().invoke(app, [*arguments, "--allow-mixed"]).exit_code == 0


def test_larger_boxes_of_one_material_are_fitted(tmp_path: Path) -> None:
    files = [
        material(tmp_path, "a", 360.0),
        material(tmp_path, "b", 400.0, chains=40, ions=60),
        material(tmp_path, "c", 440.0, chains=100, ions=151, molality=2.089),  # as near as whole molecules allow
    ]
    assert by_name(fit_results(files), "activation_energy")["value"] == pytest.approx(ENERGY, rel=1e-9)


def test_analysis_tells_the_mass_of_a_molecule(tmp_path: Path) -> None:
    found = analyze_files([salt_store(tmp_path / "salt.h5", n=2, frames=8)])["systems"][0]["species"]
    assert {s["name"]: round(s["molecular_mass"], 2) for s in found} == {"Na": 22.99, "Cl": 35.45}
