"""A portrait: everything that the benchmark wants to know of one system, from whatever source it is.

Long MD, short MD, rollouts and regressions all give portraits, so they are compared in one way. A portrait of the long
MD is also the ruler that the others are measured with: it holds the bins, windows and cutoffs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cgsim.errors import InputError
from cgsim.observables.statistics import Estimate, independent_average
from cgsim.typing import Array

NOTHING = Estimate(float("nan"), float("nan"))
FEW_FRAMES = 20  # a trajectory shorter than this says nothing


@dataclass(frozen=True)
class Portrait:
    """Figures and distributions of one system.

    Attributes:
        values: figures by name, each with its standard error.
        arrays: distributions, curves and what others need to be measured alike, by name.
    """

    values: dict[str, Estimate] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)

    def value(self, name: str) -> Estimate:
        """A figure; not a number if the source does not have it."""
        return self.values.get(name, NOTHING)

    def save(self, path: Path) -> None:
        """Write the portrait, all or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        content = {f"value/{name}": np.array([e.value, e.standard_error]) for name, e in self.values.items()}
        content |= {f"array/{name}": array for name, array in self.arrays.items()}
        with partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **content)
        partial.replace(path)

    @staticmethod
    def load(path: Path) -> "Portrait":
        """Read a portrait.

        Raises:
            InputError: if the file is no portrait.
        """
        portrait = Portrait()
        try:
            with np.load(path, allow_pickle=False) as content:
                for key in content.files:
                    kind, _, name = key.partition("/")
                    if kind == "value":
                        portrait.values[name] = Estimate(*(float(x) for x in content[key]))
                    else:
                        portrait.arrays[name] = content[key]
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path}: cannot be read as a portrait; remove it: {error}") from None
        return portrait


def log10_estimate(estimate: Estimate) -> Estimate:
    """Decimal logarithm, its error to first order; not a number unless positive."""
    if not estimate.value > 0:
        return NOTHING
    relative = estimate.standard_error / estimate.value
    return Estimate(float(np.log10(estimate.value)), relative / float(np.log(10.0)), estimate.degrees_of_freedom)


def halves(n_frames: int) -> tuple[slice, slice]:
    """First and second half of a trajectory."""
    return slice(0, n_frames // 2), slice(n_frames // 2, n_frames)


def combine(portraits: list[Portrait]) -> Portrait:
    """One portrait of several replicas: figures averaged with the error of their scatter, arrays joined or averaged.

    Arrays whose name begins with ``samples/`` are joined; the largest of ``longest/`` and the smallest of ``closest/``
    are kept; all others are averaged if their shapes agree, padded with zeros where they do not.
    """
    if len(portraits) == 1:
        return portraits[0]
    values = {name: _average([p.value(name) for p in portraits]) for name in _names(portraits)}
    arrays = {}
    for name in portraits[0].arrays:
        same = [p.arrays[name] for p in portraits if name in p.arrays]
        if name.startswith("samples/"):
            arrays[name] = np.concatenate(same)
        elif name.startswith("closest/"):
            arrays[name] = np.min(same, axis=0)
        elif name.startswith("longest/"):
            arrays[name] = np.max(same, axis=0)
        else:
            arrays[name] = np.mean(_padded(same), axis=0)
    return Portrait(values, arrays)


def _names(portraits: list[Portrait]) -> Iterator[str]:
    yield from dict.fromkeys(name for p in portraits for name in p.values)


def _average(estimates: list[Estimate]) -> Estimate:
    """Mean over replicas; the error is their scatter, or what their own errors give if that is more."""
    known = [e for e in estimates if np.isfinite(e.value)]
    if not known:
        return NOTHING
    own = float(np.sqrt(np.nansum([e.standard_error**2 for e in known]))) / len(known)
    mean = independent_average(np.array([e.value for e in known]))
    return Estimate(mean.value, float(np.nanmax([own, mean.standard_error])))


def _padded(arrays: list[Array]) -> list[Array]:
    """Arrays of one shape; zeros are added at the ends."""
    shape = np.max([a.shape for a in arrays], axis=0)
    return [np.pad(a, [(0, int(n - m)) for n, m in zip(shape, a.shape, strict=True)]) for a in arrays]
