"""Figures at several temperatures as one law: activation energies, and values at temperatures between or beyond."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.analysis.comparison import read_document
from cgsim.analysis.figures import Curve, Figure, to_document
from cgsim.analysis.materials import refuse_mixtures
from cgsim.analysis.remarks import headed, joined
from cgsim.errors import InputError
from cgsim.observables.arrhenius import MIN_VFT, TemperatureFit, arrhenius, vogel_fulcher_tammann
from cgsim.observables.statistics import Estimate, ScaleEstimate
from cgsim.typing import Array, Float64
from cgsim.units import AVOGADRO_PER_MOL, BOLTZMANN_J_PER_K

GAS_CONSTANT = BOLTZMANN_J_PER_K * AVOGADRO_PER_MOL * 1e-3  # kJ/mol/K
RATES = ("diffusivity", "conductivity")
TIMES = ("_time",)
UNLIKELY = 0.01  # chance of the points' scatter below which the law is called into question
ARRHENIUS, VFT = "arrhenius", "vogel-fulcher-tammann"


@dataclass(frozen=True)
class Series:
    """One figure at several temperatures.

    Attributes:
        name: ``"self_diffusivity"``.
        species: of what.
        method: how it was made.
        unit: of the values.
        temperatures: K, ascending.
        values: at these.
        warning: what a reader of the single figures must know.
    """

    name: str
    species: str
    method: str
    unit: str
    temperatures: Float64[Array, " points"]
    values: list[Estimate]
    warning: str

    @property
    def of(self) -> str:
        """What is fitted, for the method of the figures that come from it."""
        return f"{self.name} {self.method}"

    @property
    def sign(self) -> float:
        """-1 for times, which grow where rates fall."""
        return -1.0 if self.name.endswith(TIMES) else 1.0


def fit_results(files: list[Path], at: float | None = None, *, allow_mixed: bool = False) -> dict[str, Any]:
    """Fit the laws of Arrhenius and, from four temperatures on, of Vogel, Fulcher and Tammann.

    Diffusivities, conductivities and relaxation times that are there at two temperatures or more are fitted; every
    system of every file is one point, so that several systems at one temperature count as replicas.

    Args:
        files: results of one material, as ``cgsim analyze`` wrote them.
        at: temperature in K at which to give the value of each curve.
        allow_mixed: whether systems of different composition are fitted together.

    Returns:
        A document like ``results.json``.

    Raises:
        InputError: if a file holds no results, a system has no temperature, units or materials differ, or nothing is
            there to fit.
    """
    if at is not None and not at > 0:
        raise InputError(f"temperature must be positive, got {at:g}")
    documents = [(path, read_document(path)) for path in files]
    if not allow_mixed:
        refuse_mixtures(documents)
    series, notes, known = _collect(documents)
    if len(known) == 1:
        where = f"is at {known[0]:g} K" if len(files) == 1 else f"and all other files are at {known[0]:g} K"
        raise InputError(f"{files[0]}: {where}, expected results at two temperatures or more")
    if not series:
        raise InputError(
            f"{files[0]}: nothing to fit: no diffusivity, conductivity or relaxation time that is above 0 and no bound "
            f"is there at two different temperatures or more in {len(files)} files"
        )
    figures: list[Figure] = []
    curves: list[Curve] = []
    for one in series:
        own, curve, remarks = _fit(one, at)
        figures += own
        curves.append(curve)
        notes += remarks
    return to_document([str(path) for path in files], [], figures, curves, list(dict.fromkeys(notes)))


def _collect(documents: list[tuple[Path, dict[str, Any]]]) -> tuple[list[Series], list[str], list[float]]:
    """Points of all files by figure, what is left out, and all temperatures."""
    points: dict[tuple[str, str, str], list[tuple[float, dict[str, Any], Path]]] = {}
    for path, document in documents:
        temperature = {s["system"]: s.get("temperature") for s in document.get("systems", [])}
        for figure in document["figures"]:
            if not figure["name"].endswith((*RATES, *TIMES)) or figure["value"] is None:
                continue
            known = temperature.get(figure["system"]) or figure.get("temperature")
            if known is None:
                raise InputError(
                    f"{path}: states no temperature of {figure['system']}; analyse it again with --temperature"
                )
            key = (figure["name"], figure["species"], figure["method"])
            points.setdefault(key, []).append((float(known), figure, path))
    found, notes = [], list[str]()
    for (name, species, method), unsorted in points.items():
        own = sorted(unsorted, key=lambda point: point[0])
        first = own[0][1]
        for _, figure, path in own:
            if figure["unit"] != first["unit"]:
                raise InputError(f"{path}: {name} of {species} is in {figure['unit']}, elsewhere in {first['unit']}")
        usable = [(t, figure) for t, figure, _ in own if figure["value"] > 0 and not figure.get("bound")]
        for why, lost in (
            ("only bounds are known", [t for t, figure, _ in own if figure.get("bound")]),
            ("values are not above 0", [t for t, f, _ in own if f["value"] <= 0 and not f.get("bound")]),
        ):
            if lost:
                at = ", ".join(f"{t:g} K" for t in lost)
                notes.append(f"{name} of {species}, {method}: left out at {at}, where {why}")
        if len({t for t, _ in usable}) < 2:
            continue
        warning = joined(*(headed(f"at {t:g} K", f.get("warning", "")) for t, f in usable))
        temperatures = np.array([t for t, _ in usable])
        values = [_estimate(f) for _, f in usable]
        found.append(Series(name, species, method, first["unit"], temperatures, values, warning))
    return found, notes, sorted({t for own in points.values() for t, _, _ in own})


def _estimate(figure: dict[str, Any]) -> Estimate:
    """A figure of a file as an estimate; null is nan for a value or error, and infinite for degrees of freedom."""
    error, freedom = figure["standard_error"], figure.get("degrees_of_freedom")
    return Estimate(figure["value"], np.nan if error is None else error, np.inf if freedom is None else freedom)


def _fit(series: Series, at: float | None) -> tuple[list[Figure], Curve, list[str]]:
    label = f"{series.name} of {series.species}, {series.method}"
    temperatures, notes = series.temperatures, list[str]()
    curve = _points(series)
    try:
        line = arrhenius(temperatures, series.values)
    except ValueError as error:
        return [], curve, [f"{label}: no Arrhenius law: {error}"]
    figures = list(_figures(series, line, ARRHENIUS))
    best, law = line, ARRHENIUS
    curve.columns[ARRHENIUS] = _line_of(line, temperatures)
    if len(np.unique(temperatures)) >= MIN_VFT and all(v.standard_error > 0 for v in series.values):
        bent = vogel_fulcher_tammann(temperatures, series.values)
        if bent is None:
            notes.append(f"{label}: no Vogel-Fulcher-Tammann law: the points show no curvature beyond chance")
        else:
            figures += _figures(series, bent, VFT)
            best, law = bent, VFT
            curve.columns[VFT.replace("-", "_")] = _line_of(bent, temperatures)
    if at is not None:
        figures.append(_value_at(series, best, law, at))
    return figures, curve, notes


def _figures(series: Series, fit: TemperatureFit, law: str) -> Iterator[Figure]:
    """The parameters of a law, with the probability that points on it scatter as much."""

    def figure(name: str, estimate: Estimate, unit: str) -> Figure:
        return Figure(
            name,
            series.species,
            estimate,
            unit,
            method=f"{law} of {series.of}",
            window=(float(series.temperatures[0]), float(series.temperatures[-1])),
            warning=joined(series.warning, _doubt(fit)),
            details={"points": len(series.values), "chi_squared": fit.chi_squared, "chance_of_scatter": fit.chance},
            window_unit="K",
        )

    yield figure("log10_prefactor", fit.parameter(0).scaled(1 / np.log(10.0)), f"log10({series.unit})")
    if law == ARRHENIUS:
        yield figure("activation_energy", fit.parameter(1).scaled(series.sign * GAS_CONSTANT), "kJ/mol")
        return
    yield figure("vft_b", fit.parameter(1).scaled(series.sign), "K")
    yield figure("vft_t0", fit.parameter(2), "K")


def _doubt(fit: TemperatureFit) -> str:
    """Sentence for points that do not lie on the law."""
    if np.isfinite(fit.chance) and fit.chance < UNLIKELY:
        return f"the points lie off this law (chance {fit.chance:.1g}), so errors are enlarged by their scatter"
    return ""


def _value_at(series: Series, fit: TemperatureFit, law: str, at: float) -> Figure:
    """Value of the curve at a temperature, measured or not."""
    log = fit.log_value(at)
    value, relative = float(np.exp(log.value)), log.standard_error
    freedom = 2.0 / relative**2 if relative > 0 else np.inf
    low, high = float(series.temperatures[0]), float(series.temperatures[-1])
    outside = f"extrapolated from {low:g} to {high:g} K: as good as the law" if not low <= at <= high else ""
    return Figure(
        series.name,
        series.species,
        ScaleEstimate(value, value * relative, freedom),
        series.unit,
        f"{series.method}, {law} at {at:g} K",
        (low, high),
        joined(series.warning, _doubt(fit), outside),
        {"temperature": at},
        window_unit="K",
    )


def _points(series: Series) -> Curve:
    """The points in the coordinates in which an Arrhenius law is a line."""
    columns = {
        "inverse_temperature": 1000.0 / series.temperatures,
        "log10_value": np.log10([v.value for v in series.values]),
        "standard_error": np.array([v.standard_error / v.value for v in series.values]) / np.log(10.0),
    }
    unit = f"log10({series.unit})"
    units = {"inverse_temperature": "1000/K", "log10_value": unit, "standard_error": unit}
    return Curve("arrhenius", "", f"{series.species} {series.of}", columns, units)


def _line_of(fit: TemperatureFit, temperatures: Float64[Array, " points"]) -> Float64[Array, " points"]:
    """The law at the measured temperatures, log10."""
    return np.array([fit.log_value(float(t)).value / np.log(10.0) for t in temperatures])
