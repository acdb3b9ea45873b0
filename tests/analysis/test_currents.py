"""Conductivities from velocities: laws, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ion_stores import EDGE, electrolyte, electrolyte_store
from mistakes import assert_refused_before_any_work
from moving_stores import DIFFUSION, FOLDED, STEP, langevin, molecular_salt, moving_store, write_moving
from small_stores import salt, trajectory

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis.green_kubo import charge_current
from cgsim.analysis.plan import make_plan
from cgsim.analysis.plots import write_plots
from cgsim.analysis.source import open_source
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings, partition
from cgsim.observables.transport import conductivity_factor
from cgsim.trajectory.store import TrajectoryStore, write_store
from cgsim.units import UnitSystem

SETTINGS = AnalysisSettings(temperature=300.0, green_kubo=True, structure_frames=1, rdf_cutoff=3.0)
PER_DIFFUSION = conductivity_factor(EDGE**3, 300.0) * 1e-4  # S/cm per e^2 A^2/ps


def conductivities(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f["method"]: f for f in document["figures"] if f["name"] == "conductivity"}


def current_of(path: Path) -> np.ndarray:
    source = open_source(path)
    found = make_plan(source, SETTINGS).salt
    assert found is not None
    return charge_current(source, found)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Five free sodium and five free chloride ions."""
    path = moving_store(tmp_path_factory.mktemp("gk") / "salt.h5", {"Na": 5, "Cl": 5}, 4000, seed=2)
    return analyze_files([path], SETTINGS)


def test_free_ions_conduct_as_nernst_and_einstein_say(analysed: dict[str, Any]) -> None:
    found = conductivities(analysed)["green-kubo"]
    low, high = found["interval_95"]
    exact = 10 * DIFFUSION * FOLDED * PER_DIFFUSION
    assert low < exact < high
    assert found["standard_error"] < 0.2 * exact
    assert found["distribution"] == "scale"
    assert "warning" not in found


def test_it_is_the_coefficient_of_the_collective_displacement(analysed: dict[str, Any]) -> None:
    found = conductivities(analysed)
    kubo, einstein = found["green-kubo"], found["einstein-collective multi-origin"]
    joint = np.hypot(kubo["standard_error"], einstein["standard_error"])
    assert abs(kubo["value"] - einstein["value"]) < 2 * joint  # of one run: closer than independent ones


def test_figure_says_what_it_rests_on(analysed: dict[str, Any]) -> None:
    found = conductivities(analysed)["green-kubo"]
    assert found["species"] == "Na+Cl"
    assert found["unit"] == "S/cm"
    assert found["window_unit"] == "ps"
    assert 0 == found["window"][0] < found["window"][1] < 100  # velocities are forgotten within 1 ps
    assert found["cepstral_coefficients"] > 1
    assert found["save_interval"] == pytest.approx(STEP)
    assert found["frame"] == "centre of mass of the box"
    assert found["temperature"] == 300.0
    assert found["sampling_excess"] == pytest.approx(found["nyquist_ratio"] / 3)


def test_curves_are_the_running_integral_and_the_spectrum(analysed: dict[str, Any]) -> None:
    (integral,) = analysed["curves"]["green_kubo_integral"]
    assert integral["species"] == "Na+Cl"
    assert integral["units"]["conductivity"] == "S/cm"
    lag, sigma, error = (np.array(integral[key]) for key in ("lag", "conductivity", "standard_error"))
    exact = 10 * DIFFUSION * FOLDED * PER_DIFFUSION * (1 - np.exp(-lag))  # the friction is 1/ps
    assert (np.abs(sigma - exact) < 4 * error).all()
    assert error[-1] > 10 * error[0]  # noise piles up as time goes on
    assert lag[-1] == pytest.approx(999 * STEP)
    (spectrum,) = analysed["curves"]["conductivity_spectrum"]
    frequency, found = (np.array(spectrum[key]) for key in ("frequency", "conductivity"))
    assert spectrum["units"]["frequency"] == "1/ps"
    lorentzian = 10 * DIFFUSION * PER_DIFFUSION / (1 + (2 * np.pi * frequency) ** 2)
    low = frequency < 0.2  # where folding adds less than 3 %
    relative = np.array(spectrum["conductivity_error"]) / found
    assert (np.abs(found / lorentzian - 1)[low] < 4.5 * relative[low]).all()
    at_low = np.array(spectrum["cepstral"])[frequency < 0.01]
    value = conductivities(analysed)["green-kubo"]
    assert np.abs(at_low - value["value"]).max() < 2 * value["standard_error"]


def test_curves_are_drawn(analysed: dict[str, Any], tmp_path: Path) -> None:
    kept = {kind: analysed["curves"][kind] for kind in ("green_kubo_integral", "conductivity_spectrum")}
    written = write_plots(analysed | {"curves": kept}, tmp_path / "results.json", "svg")
    assert {path.name.split("-")[0] for path in written} == set(kept)


def test_momentum_of_the_box_is_no_current(tmp_path: Path) -> None:
    still = current_of(moving_store(tmp_path / "still.h5", {"Na": 3, "Cl": 5}, 100))
    drifting = current_of(moving_store(tmp_path / "drifting.h5", {"Na": 3, "Cl": 5}, 100, drift=30.0))
    np.testing.assert_allclose(drifting, still, atol=1e-4)  # velocities of 30 in single precision


def test_molecular_ions_carry_their_formal_charge_with_their_centre_of_mass(tmp_path: Path) -> None:
    n, frames = 3, 80
    system = molecular_salt(n)
    generator = np.random.default_rng(4)
    centres, motion = langevin(frames, 2 * n, generator)
    vibration = generator.normal(size=(frames, n, 3))
    of_oxygen = -1.008 / 17.007 * vibration  # leaves the centre of mass where it is
    velocities = np.empty((frames, 3 * n, 3))
    velocities[:, 0 : 2 * n : 2] = motion[:, :n] + of_oxygen
    velocities[:, 1 : 2 * n : 2] = motion[:, :n] + of_oxygen + vibration
    velocities[:, 2 * n :] = motion[:, n:]
    positions = np.concatenate([np.repeat(centres[:, :n], 2, axis=1), centres[:, n:]], axis=1)
    positions[:, 1 : 2 * n : 2, 0] += 1.0
    found = current_of(write_moving(tmp_path / "naoh.h5", system, positions, velocities))
    np.testing.assert_allclose(found, motion[:, n:].sum(axis=1) - motion[:, :n].sum(axis=1), atol=1e-5)


def test_three_ion_species_and_charges_of_two(tmp_path: Path) -> None:
    path = moving_store(tmp_path / "mixed.h5", {"Na": 2, "Ca": 2, "Cl": 6}, 2000, seed=5)
    document = analyze_files([path], SETTINGS)
    found = conductivities(document)["green-kubo"]
    low, high = found["interval_95"]
    assert low < (2 + 4 * 2 + 6) * DIFFUSION * FOLDED * PER_DIFFUSION < high
    assert found["species"] == "Ca+Na+Cl"


def test_beads_have_the_current_of_their_atoms(tmp_path: Path) -> None:
    path = moving_store(tmp_path / "atoms.h5", {"Na": 3, "Cl": 3}, 80)
    mapping = partition(TrajectoryStore(path).system, MappingSettings(beads_per_molecule={"ions": 1}))
    mapping.save(tmp_path / "mapping.json")
    source = open_source(path, mapping)
    assert source.has_velocities
    found = make_plan(source, SETTINGS).salt
    assert found is not None
    np.testing.assert_allclose(charge_current(source, found), current_of(path), atol=1e-5)


def test_replicas_are_combined_by_length(tmp_path: Path) -> None:
    lengths = (1000, 2000)
    paths = [moving_store(tmp_path / f"{k}.h5", {"Na": 4, "Cl": 4}, n, seed=k) for k, n in enumerate(lengths)]
    alone = [conductivities(analyze_files([path], SETTINGS))["green-kubo"] for path in paths]
    document = analyze_files(paths, replace(SETTINGS, replicas=True))
    found = conductivities(document)["green-kubo"]
    shares = np.array([999, 1999]) / 2998
    assert found["value"] == pytest.approx(shares @ [f["value"] for f in alone])
    assert found["replicas"] == 2
    errors = np.array([f["standard_error"] for f in alone])
    assert found["standard_error"] >= np.sqrt(shares**2 @ errors**2) * (1 - 1e-9)  # more where they scatter more
    assert found["standard_error"] < errors.max()
    assert found["distribution"] == "scale"
    assert len(document["curves"]["green_kubo_integral"]) == 2


def test_equilibration_is_left_out(tmp_path: Path) -> None:
    path = moving_store(tmp_path / "salt.h5", {"Na": 3, "Cl": 3}, 300)
    source = replace(open_source(path), first=100)
    found = make_plan(source, SETTINGS).salt
    assert found is not None
    np.testing.assert_allclose(charge_current(source, found), current_of(path)[100:], atol=1e-9)


def test_a_save_interval_that_matters_is_told(tmp_path: Path) -> None:
    path = moving_store(tmp_path / "salt.h5", {"Na": 5, "Cl": 5}, 10_000, seed=8, step=1.2)
    found = conductivities(analyze_files([path], SETTINGS))["green-kubo"]
    assert "velocities are saved too rarely" in found["warning"]
    # tanh^2(0.6) / 3 = 9.6 % is said, 1 - tanh(0.6) / 0.6 = 10.5 % is true.
    assert found["sampling_excess"] == pytest.approx(0.096, rel=0.3)


def test_a_short_run_is_told(tmp_path: Path) -> None:
    path = moving_store(tmp_path / "salt.h5", {"Na": 5, "Cl": 5}, 80)
    assert "too short to say much" in conductivities(analyze_files([path], SETTINGS))["green-kubo"]["warning"]


def lennard_jones(path: Path) -> Path:
    made = trajectory(replace(salt(3), units=UnitSystem.LJ), np.zeros((100, 6, 3)), np.eye(3) * 10)
    write_store(path, replace(made, velocities=np.ones((100, 6, 3), dtype=np.float32)))
    return path


def resting(path: Path) -> Path:
    positions = np.random.default_rng(0).uniform(0, EDGE, size=(1, 6, 3)).repeat(100, axis=0)
    return write_moving(path, electrolyte({"Na": 3, "Cl": 3}, 0), positions, np.zeros((100, 6, 3)))


WARM = ("--temperature", "300")


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (
            lambda path: electrolyte_store(path, {"Na": 3, "Cl": 3}, np.eye(2), 80),
            WARM,
            "--green-kubo takes velocities; the file holds no velocities; 'cgsim import --velocities' keeps those",
        ),
        (lambda path: moving_store(path, {"Na": 3, "Cl": 3}, 63), WARM, "63 frames, --green-kubo takes at least 64"),
        (
            lambda path: moving_store(path, {"Na": 3, "Cl": 3}, 80),
            (),
            "states no temperature, which --green-kubo needs",
        ),
        (lambda path: moving_store(path, {"Na": 3}, 80), WARM, "but there is none: no cations and anions"),
        (lennard_jones, (), "asks for a conductivity, but there is none: reduced units have no S/cm"),
        (resting, WARM, "all velocities are zero"),
        (
            lambda path: moving_store(path, {"Na": 3, "Cl": 3}, 2000, step=4.0),
            WARM,
            "velocities every 4 ps are too far apart for --green-kubo: at the highest frequency that they resolve",
        ),
    ],
    ids=["no velocities", "few frames", "no temperature", "one sign", "reduced units", "at rest", "too coarse"],
)
def test_what_cannot_be_done_is_refused_before_any_work(
    make: Any, options: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arguments(folder: Path) -> list[str]:
        return [str(make(folder / "salt.h5")), *options, "--green-kubo"]

    assert_refused_before_any_work(arguments, message, tmp_path, monkeypatch)


def test_every_file_is_looked_at_before_the_first_is_read(tmp_path: Path) -> None:
    good = moving_store(tmp_path / "good.h5", {"Na": 3, "Cl": 3}, 80)
    bad = electrolyte_store(tmp_path / "bad.h5", {"Na": 3, "Cl": 3}, np.eye(2), 80)
    seen: list[str] = []
    with pytest.raises(InputError, match=r"bad\.h5: --green-kubo takes velocities"):
        analyze_files([good, bad], SETTINGS, progress=lambda text, _: seen.append(text))
    assert not seen


def test_without_the_option_velocities_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = moving_store(tmp_path / "salt.h5", {"Na": 3, "Cl": 3}, 80)
    monkeypatch.setattr("cgsim.analysis.parts.green_kubo_results", lambda *_: pytest.fail("velocities were read"))
    found = conductivities(analyze_files([path], replace(SETTINGS, green_kubo=False)))
    assert "green-kubo" not in found
