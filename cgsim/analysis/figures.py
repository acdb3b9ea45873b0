"""Results: figures with their errors, curves for plots, and the JSON file that holds both."""

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cgsim.analysis.ranges import possible_range
from cgsim.analysis.remarks import joined
from cgsim.errors import InputError
from cgsim.observables.statistics import BlockAverage, Estimate
from cgsim.trajectory.writer import disk_errors

SHARED_ERROR = "error_from_viscosity"  # detail: part of the standard error that replicas have in common
LOWER, UPPER = "lower", "upper"  # bounds
BOUND_MARKS = {LOWER: ">", UPPER: "<"}
OF_RUNS = "of_runs"  # detail: by run, what is not the same in all replicas
TIME_BLOCKS, PARTICLES = "time blocks", "particles"  # where errors come from
NEVER_CHANGED = "the same in all frames: its error is not known"


@dataclass(frozen=True)
class Figure:
    """One number that a user quotes.

    Attributes:
        name: what it is (``"self_diffusivity"``).
        species: of what (``"Li"``, ``"Li-TFSI"``, ``"Li+TFSI"``).
        estimate: value and standard error, in ``unit``.
        unit: ``"cm2/s"``, ``"Angstrom"``, or ``""`` for a pure number.
        method: how it was made (``"single-origin"``).
        window: range of lags, times or distances that it rests on.
        warning: what a reader must know before quoting it; empty if nothing.
        details: more numbers that belong to it, by name.
        system: which system, the file name without its suffix.
        file: the file; empty for replicas that were combined.
        window_unit: unit of ``window``; that of time if empty.
        bound: :data:`LOWER` if all that is known is that the truth is not below the value, :data:`UPPER` if not above.
    """

    name: str
    species: str
    estimate: Estimate
    unit: str
    method: str
    window: tuple[float, float]
    warning: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    system: str = ""
    file: str = ""
    window_unit: str = ""
    bound: str = ""

    def interval(self, level: float) -> tuple[float, float]:
        """Confidence interval within the values that the figure can have; that of a bound is open on one side."""
        least, most = possible_range(self.name, self.method)
        low, high = (float(np.clip(end, least, most)) for end in self.estimate.interval(level))
        return least if self.bound == UPPER else low, most if self.bound == LOWER else high

    def to_json(self) -> dict[str, Any]:
        """The figure as it stands in ``results.json``."""
        record: dict[str, Any] = {
            "name": self.name,
            "species": self.species,
            "value": self.estimate.value,
            "standard_error": self.estimate.standard_error,
            "degrees_of_freedom": self.estimate.degrees_of_freedom,
            "distribution": self.estimate.distribution,
            "interval_68": list(self.interval(0.68)),
            "interval_95": list(self.interval(0.95)),
            "unit": self.unit,
            "method": self.method,
            "window": list(self.window),
            "window_unit": self.window_unit,
            "system": self.system,
        }
        more = {"bound": self.bound, "file": self.file, "warning": self.warning}
        record.update({key: value for key, value in more.items() if value})
        return {**record, **self.details}


@dataclass(frozen=True)
class Curve:
    """One curve for a plot.

    Attributes:
        kind: ``"rdf"``, ``"msd"``, ``"rg_histogram"``, ``"rg_autocorrelation"``.
        system: which system.
        label: species, or the two of a pair.
        columns: arrays of equal length by name; the first is the abscissa.
        units: unit of each column.
    """

    kind: str
    system: str
    label: str
    columns: dict[str, Any]
    units: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The curve as it stands in ``results.json``."""
        return {"system": self.system, "species": self.label, **self.columns, "units": self.units}


def of_counts(figure: Figure) -> Figure:
    """An average over time of something counted: where it never changes, its error is not 0 but unknown."""
    if figure.estimate.standard_error != 0:
        return figure
    unknown = replace(figure.estimate, standard_error=float("nan"))
    return replace(figure, estimate=unknown, warning=joined(figure.warning, NEVER_CHANGED))


def block_details(average: BlockAverage, *index: int) -> dict[str, Any]:
    """Details of a time average, for ``results.json``: the sample size and the blocks behind its error.

    Args:
        average: the average.
        index: which of its values, where it has several.
    """
    return {
        "n_effective": float(average.n_effective[index]),
        "block_length": average.block_length,
        "n_blocks": average.n_blocks,
    }


def error_details(average: BlockAverage, n_particles: int, *index: int) -> dict[str, Any]:
    """Details of an average over particles and time, whose error is from blocks or from so many particles if any."""
    if n_particles:
        return {"error_from": PARTICLES, "n_effective": float(n_particles)}
    return {"error_from": TIME_BLOCKS, **block_details(average, *index)}


def to_document(
    files: list[str], systems: list[dict[str, Any]], figures: list[Figure], curves: list[Curve], notes: list[str]
) -> dict[str, Any]:
    """Everything as one JSON document; what is not a finite number becomes null."""
    from cgsim import __version__

    by_kind: dict[str, list[Any]] = {}
    for curve in curves:
        by_kind.setdefault(curve.kind, []).append(curve.to_json())
    document = {
        "cgsim_version": __version__,
        "files": files,
        "systems": systems,
        "figures": [figure.to_json() for figure in figures],
        "curves": by_kind,
        "notes": notes,
    }
    plain = _plain(document)
    assert isinstance(plain, dict)
    return plain


def write_results(document: dict[str, Any], path: Path) -> None:
    """Write results as standard JSON, all or nothing.

    Raises:
        InputError: if the directory does not exist or cannot be written.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: the directory {path.parent} does not exist")
    partial = path.with_name(f".{path.name}.partial")
    with disk_errors(path):
        try:
            partial.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """Lists, numbers and strings only."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
