"""What a run says: checks that it is sound, and reference values with their errors."""

from pathlib import Path
from typing import Any

import numpy as np

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis.selection import Species, all_species
from cgsim.observables.dynamics import autocorrelation
from cgsim.observables.statistics import Estimate, block_average
from cgsim.reference.electrolyte.protocol import DENSITY, NOT_AVERAGED, PRODUCE, stages
from cgsim.reference.electrolyte.run import MdEngine, read_stage
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.electrolyte.thermo import Thermo
from cgsim.reference.electrolyte.torsion import unit_torsion_profiles
from cgsim.trajectory.store import TrajectoryStore
from cgsim.trajectory.trajectory import System
from cgsim.units import AVOGADRO_PER_MOL

SHELL = 2.8  # Å; oxygen this near to a cation coordinates it
LEAST_COORDINATION = 0.05  # that is worth a line
MSD_LAG = 400.0  # ps
DECAY_LAGS = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0)  # ps
TEMPERATURE_TOLERANCE = 0.01  # of the target; a timestep of 3 fs alone costs 0.1 %
ERRORS = 5.0  # standard errors that are no reason to worry
DENSITY_TOLERANCE = 0.005  # of the density, between the halves of its stage
DRIFT_TOLERANCE = 3.0  # kJ/mol/ns for each atom; 3 fs with repartitioned masses cost about 1
_CUBIC_ANGSTROM = 1e-24  # cm3
_DIGITS = 6


def checks(
    folder: Path, system: System, settings: ElectrolyteSettings, n_segments: int, md: MdEngine
) -> dict[str, dict[str, Any]]:
    """Whether density, temperature and energy are as they should be; each with ``passed``."""
    by_name = {stage.name: stage for stage in stages(settings)}
    production = read_stage(folder, by_name[PRODUCE], n_segments, md)
    temperature = block_average(production.temperature).estimate
    allowed = TEMPERATURE_TOLERANCE * settings.temperature + ERRORS * temperature.standard_error
    pieces = [md.read_thermo(folder / f"{PRODUCE}-{index:05d}") for index in range(n_segments)]
    drift = float(np.mean([piece.drift for piece in pieces])) * 1e3 / system.n_particles
    pressure = {}
    if np.isfinite(production.pressure).all():
        pressure = {"pressure": {"passed": True, **_record(block_average(production.pressure).estimate, "bar")}}
    return {
        "density": _density(read_stage(folder, by_name[DENSITY], 1, md), system),
        "temperature": {
            "passed": abs(temperature.value - settings.temperature) <= allowed,
            **_record(temperature, "K"),
            "expected": settings.temperature,
        },
        "energy_drift": {
            "passed": abs(drift) <= DRIFT_TOLERANCE,
            "value": _rounded(drift),
            "unit": "kJ/mol/ns/atom",
        },
        **pressure,
    }


def _density(thermo: Thermo, system: System) -> dict[str, Any]:
    """Density at 1 bar after the first quarter of its stage, and whether its halves agree."""
    density = system.masses.sum() / AVOGADRO_PER_MOL / (thermo.volume * _CUBIC_ANGSTROM)
    kept = density[int(NOT_AVERAGED * len(density)) :]
    first, second = (block_average(half).estimate for half in np.array_split(kept, 2))
    error = float(np.hypot(first.standard_error, second.standard_error))
    mean = block_average(kept).estimate
    change = second.value - first.value
    return {
        "passed": abs(change) <= DENSITY_TOLERANCE * mean.value + ERRORS * error,
        **_record(mean, "g/cm3"),
        "change_between_halves": _rounded(change),
    }


def reference_values(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure a store: figures by name, and the decay of the end-to-end vectors by lag."""
    document = analyze_files([path], AnalysisSettings())
    store = TrajectoryStore(path)
    species = all_species(store.system)
    values: dict[str, Any] = {}
    for figure in document["figures"]:
        name, of, method = figure["name"], figure["species"], figure["method"]
        if name in ("self_diffusivity", "centre_of_mass_diffusivity") and method == "multi-origin":
            values[f"{name} {of}"] = {
                **_figure(figure),
                "window_ps": [round(float(x), 3) for x in figure["window"]],
                "log_log_slope": _rounded(figure.get("log_log_slope")),
                "regime": figure.get("regime"),
            }
        elif name in ("radius_of_gyration", "end_to_end_distance") or (name == "density" and of == "all"):
            values[f"{name} {of}"] = _figure(figure)
    for curve in document["curves"].get("msd", []):
        values |= _msd(curve)
    for curve in document["curves"].get("rdf", []):
        values |= _coordination(curve, species)
    return values, _end_to_end_decay(store, species)


def _msd(curve: dict[str, Any]) -> dict[str, Any]:
    """Mean squared displacement at one lag, between the lags next to it on logarithmic scales."""
    lag, msd, error = (np.array(curve[name], dtype=np.float64) for name in ("lag", "msd", "standard_error"))
    known = (lag > 0) & (msd > 0)
    if not known.any() or lag[known].max() < MSD_LAG:
        return {}
    at = np.log(MSD_LAG)
    value = float(np.exp(np.interp(at, np.log(lag[known]), np.log(msd[known]))))
    spread = float(np.interp(at, np.log(lag[known]), error[known]))
    name = f"msd_at_{MSD_LAG:g}_ps {curve['species']}"
    return {name: _record(Estimate(value, spread), "Angstrom2")}


def _coordination(curve: dict[str, Any], species: list[Species]) -> dict[str, Any]:
    """Number of atoms of another molecule within the first shell of a cation."""
    first, _, other = curve["species"].partition("-")
    cations = [one.name for one in species if one.charge > 0]
    if first not in cations or "." not in other:
        return {}
    r = np.array(curve["r"], dtype=np.float64)
    value, error = (float(np.interp(SHELL, r, curve[name])) for name in ("coordination", "coordination_error"))
    return {f"coordination_within_{SHELL:g}_A {curve['species']}": _record(Estimate(value, error), "")}


def _end_to_end_decay(store: TrajectoryStore, species: list[Species]) -> dict[str, Any]:
    """Autocorrelation of the end-to-end vectors of the chains, at lags up to half of the run."""
    chains = [one for one in species if one.is_chain]
    if not chains or store.n_frames < 2:
        return {}
    ends = np.concatenate([one.ends for one in chains])
    positions = store.unwrapped(ends.ravel()).reshape(store.n_frames, len(ends), 2, 3)
    vectors = (positions[:, :, 1] - positions[:, :, 0]).reshape(store.n_frames, -1)
    correlation = autocorrelation(vectors, np.zeros(vectors.shape[1]))
    interval = store.save_interval
    lags = [lag for lag in DECAY_LAGS if lag <= 0.5 * interval * (store.n_frames - 1)]
    return {f"{lag:g} ps": round(float(correlation[round(lag / interval)]), 4) for lag in lags}


def torsion_profiles(smiles: str) -> dict[str, Any]:
    """Energies in vacuum, kcal/mol above trans, of every kind of torsion that nobody has tried yet, by angle."""
    return {
        profile.types: {
            f"{angle:.0f}": round(float(energy), 2)
            for angle, energy in zip(profile.angles, profile.energies, strict=True)
        }
        for profile in unit_torsion_profiles(smiles)
    }


def summary(name: str, document: dict[str, Any]) -> list[str]:
    """What a user should look at, in a few lines."""
    found, values = document["checks"], document["values"]
    density, temperature, drift = (found[key] for key in ("density", "temperature", "energy_drift"))
    lines = [
        f"{name}: {document['length_ns']:g} ns, {document['atoms']} atoms, {document['composition']}",
        f"  density      {_plus_minus(density)} g/cm3, {_verdict(density, 'settled', 'NOT settled')}",
        f"  temperature  {_plus_minus(temperature)} K, {_verdict(temperature, 'as set', 'NOT as set')}",
        f"  energy drift {drift['value']:.2g} kJ/mol/ns/atom, {_verdict(drift, 'small', 'TOO LARGE')}",
    ]
    lines += [
        f"  {key.partition(' ')[2]} coordination within {SHELL:g} Å: {_plus_minus(value)}"
        for key, value in values.items()
        if key.startswith("coordination") and value["value"] >= LEAST_COORDINATION
    ]
    lines += [
        f"  D {key.partition(' ')[2]} {_plus_minus(value)} cm2/s, {value['regime']}"
        for key, value in values.items()
        if key.startswith("self_diffusivity") and not key.endswith("polymer")
    ]
    decay = ", ".join(f"{value:.2f} after {lag}" for lag, value in document["end_to_end_decay"].items())
    if decay:
        lines.append(f"  end-to-end vectors keep {decay}")
    for types, profile in document["torsions"].items():
        lines.append(f"  torsion {types}: " + ", ".join(f"{e:g} at {angle}" for angle, e in profile.items()))
    return lines + [f"  warning: {text}" for text in document["warnings"]]


def _verdict(check: dict[str, Any], good: str, bad: str) -> str:
    return good if check["passed"] else bad


def _plus_minus(value: dict[str, Any]) -> str:
    return f"{value['value']:.4g} +- {value['standard_error'] or 0:.2g}"


def _figure(figure: dict[str, Any]) -> dict[str, Any]:
    return _record(Estimate(figure["value"], figure["standard_error"]), figure["unit"])


def _record(estimate: Estimate, unit: str) -> dict[str, Any]:
    return {"value": _rounded(estimate.value), "standard_error": _rounded(estimate.standard_error), "unit": unit}


def _rounded(value: float | None) -> float | None:
    """Six digits; None for what is not known, as JSON has no nan."""
    return float(f"{value:.{_DIGITS}g}") if value is not None and np.isfinite(value) else None
