"""Regressions on composition: what the numbers of each kind of atom tell, whatever their order."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cgsim.benchmark.baselines.short_md import with_powers
from cgsim.benchmark.portrait import Portrait
from cgsim.models.embedding import atom_types
from cgsim.observables.statistics import Estimate
from cgsim.reference.composition import random_forest
from cgsim.trajectory import System
from cgsim.typing import Array, Float64

STRENGTHS = tuple(float(s) for s in np.geomspace(1e-4, 1e2, 13))
LEAST_KNOWN = 2

Predict = Callable[
    [str, Float64[Array, "samples features"], Float64[Array, " samples"], Float64[Array, "asked features"]],
    Float64[Array, " asked"],
]


@dataclass(frozen=True)
class Labelled:
    """Systems with what is known of them.

    Attributes:
        atoms: the systems by name.
        portraits: where labels are read off.
    """

    atoms: dict[str, System]
    portraits: dict[str, Portrait]

    def labels(self, label: str) -> tuple[list[str], Float64[Array, " known"]]:
        """Systems whose label is known, and its values."""
        values = {name: self.portraits[name].value(label).value for name in self.atoms if name in self.portraits}
        known = [name for name, value in values.items() if np.isfinite(value)]
        return known, np.array([values[name] for name in known])


def kinds(atoms: System) -> list[str]:
    """Kind of every atom: type and number of bonds, which tells a backbone bead with a side bead from one without."""
    return [f"{name}/{degree}" for name, degree in zip(atom_types(atoms), atoms.degree, strict=True)]


def composition(systems: list[System], vocabulary: list[str]) -> Float64[Array, "systems features"]:
    """Share of each kind of atom."""
    rows = []
    for atoms in systems:
        found = kinds(atoms)
        rows.append([found.count(kind) / len(found) for kind in vocabulary])
    return np.array(rows, dtype=np.float64).reshape(len(systems), len(vocabulary))


def vocabulary_of(systems: list[System]) -> list[str]:
    """All kinds of atoms of the training systems."""
    return sorted({kind for atoms in systems for kind in kinds(atoms)})


def constant(known: Labelled, asked: list[str], labels: tuple[str, ...]) -> dict[str, Portrait]:
    """The mean of the training labels."""

    def mean(_label: str, _x: Array, values: Array, asked_x: Array) -> Array:
        return np.full(len(asked_x), values.mean())

    features = {name: np.zeros(1) for name in [*known.atoms, *asked]}
    return _predict(mean, known, features, asked, labels)


def linear(
    known: Labelled, validation: Labelled, asked: dict[str, System], labels: tuple[str, ...]
) -> dict[str, Portrait]:
    """Ridge regression on composition; its strength is chosen on validation, or by leaving one out."""
    features = composition_features(known, validation, asked)

    def fit(label: str, x: Array, values: Array, asked_x: Array) -> Array:
        judges, truth = validation.labels(label)
        if judges:
            at = np.stack([features[name] for name in judges])
            losses = [np.square(ridge(x, values, at, s) - truth).mean() for s in STRENGTHS]
        else:
            losses = [_leave_one_out(x, values, s) for s in STRENGTHS]
        return ridge(x, values, asked_x, STRENGTHS[int(np.argmin(losses))])

    return _predict(fit, known, features, list(asked), labels)


def forest(known: Labelled, asked: dict[str, System], labels: tuple[str, ...], seed: int) -> dict[str, Portrait]:
    """Random forest on composition."""
    features = composition_features(known, Labelled({}, {}), asked)
    generator = np.random.default_rng(seed)

    def grow(_label: str, x: Array, values: Array, asked_x: Array) -> Array:
        return random_forest(x, values, asked_x, generator)

    return _predict(grow, known, features, list(asked), labels)


def composition_features(
    known: Labelled, validation: Labelled, asked: dict[str, System]
) -> dict[str, Float64[Array, " features"]]:
    """Features of all systems; kinds that no training system has are left out."""
    vocabulary = vocabulary_of(list(known.atoms.values()))
    systems = {**known.atoms, **validation.atoms, **asked}
    return dict(zip(systems, composition(list(systems.values()), vocabulary), strict=True))


def ridge(
    features: Float64[Array, "samples features"],
    values: Float64[Array, " samples"],
    asked: Float64[Array, "asked features"],
    strength: float,
) -> Float64[Array, " asked"]:
    """Linear regression on standardised features with a penalty on the squares of the slopes, not on the mean."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    used = spread > 0
    x = (features[:, used] - centre[used]) / spread[used]
    at = (asked[:, used] - centre[used]) / spread[used]
    penalty = strength * len(x) * np.eye(x.shape[1])
    slopes = np.linalg.solve(x.T @ x + penalty, x.T @ (values - values.mean()))
    return np.asarray(values.mean() + at @ slopes)


def _leave_one_out(features: Array, values: Array, strength: float) -> float:
    errors = []
    for k in range(len(values)):
        others = np.arange(len(values)) != k
        errors.append(float(ridge(features[others], values[others], features[[k]], strength)[0] - values[k]))
    return float(np.square(errors).mean())


def _predict(
    predict: Predict, known: Labelled, features: dict[str, Array], asked: list[str], labels: tuple[str, ...]
) -> dict[str, Portrait]:
    out: dict[str, dict[str, Estimate]] = {name: {} for name in asked}
    for label in labels:
        names, values = known.labels(label)
        if len(names) < LEAST_KNOWN:
            continue
        x = np.stack([features[name] for name in names])
        predicted = predict(label, x, values, np.stack([features[name] for name in asked]))
        for name, value in zip(asked, predicted, strict=True):
            out[name][label] = Estimate(float(value), float("nan"))
    return {name: Portrait(with_powers(values)) for name, values in out.items()}
