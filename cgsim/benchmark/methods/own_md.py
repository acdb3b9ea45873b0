"""Methods that are made of the unseen systems' own MD: all of it, halves of it, and as much as models learn from."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cgsim.benchmark.baselines.short_md import LOG10, power_law, shifted, shifts
from cgsim.benchmark.methods.context import Benchmark, Predicted, known_stores, short_portraits
from cgsim.benchmark.portrait import Portrait, halves
from cgsim.benchmark.rows import REFERENCE
from cgsim.benchmark.targets import HALVES, OTHER_START
from cgsim.trajectory import Trajectory


def md(benchmark: Benchmark) -> Iterator[Predicted]:
    """The long MD itself, for its values."""
    yield Predicted(REFERENCE, [benchmark.references], 0)


def md_half(benchmark: Benchmark) -> Iterator[Predicted]:
    """Second half of the long MD against its first: what the reference itself is worth."""
    data = benchmark.data
    parts: dict[str, dict[str, Portrait]] = {}
    for k, which in enumerate(("first", "second")):

        def make(k: int = k) -> dict[str, Portrait]:
            out = {}
            for name, path in data.systems.items():
                trajectory = data.read(path)
                half = trajectory[halves(trajectory.n_frames)[k]]
                out[name] = data.task.portray(half, data.lag_time, benchmark.references[name])
            return out

        parts[which] = benchmark.kept(f"{HALVES}-{which}", 0, which, make)
    first = {name: _with_ruler(p, benchmark.references[name]) for name, p in parts["first"].items()}
    yield Predicted(HALVES, [parts["second"]], 0, first)


def md_other_start(benchmark: Benchmark) -> Iterator[Predicted]:
    """Long MD from an independent start of the same system: what one box says of another."""
    data = benchmark.data
    if not data.other_starts:
        return
    references = {name: benchmark.references[name] for name in data.other_starts}

    def make() -> dict[str, Portrait]:
        return {
            name: data.task.portray(data.read(path), data.lag_time, references[name])
            for name, path in data.other_starts.items()
        }

    stamp = data.fingerprint_of(data.other_starts)
    yield Predicted(OTHER_START, [benchmark.kept(OTHER_START, 0, stamp, make)], 0, references)


def _with_ruler(portrait: Portrait, reference: Portrait) -> Portrait:
    """A portrait with the bins and cutoffs of the reference beside its own distributions."""
    return Portrait(portrait.values, {**reference.arrays, **portrait.arrays})


def _short(benchmark: Benchmark) -> dict[str, Portrait]:
    data = benchmark.data

    def make() -> dict[str, Portrait]:
        return {
            name: data.task.portray(data.read_short(path), data.lag_time, benchmark.references[name])
            for name, path in data.systems.items()
        }

    return benchmark.kept("short-md", 0, "short", make)


def short_md(benchmark: Benchmark) -> Iterator[Predicted]:
    """MD of training length, as it is."""
    yield Predicted("short-md", [_short(benchmark)], 0)


def short_md_shifted(benchmark: Benchmark) -> Iterator[Predicted]:
    """One constant for each logarithm, from training and validation systems."""
    data = benchmark.data
    stores = known_stores(data)
    long = {
        name: path
        for name, path in stores.items()
        if data.open(path).store.time[-1] - data.open(path).store.time[0] >= 2.0 * data.training_length
    }
    labels = tuple(label if label.startswith(LOG10) else LOG10 + label for label in data.task.labels)

    def read_half(path: Path) -> Trajectory:
        trajectory = data.read_short(path)
        return trajectory[halves(trajectory.n_frames)[0]]

    lengths = [float(t[-1] - t[0]) for t in (data.open(p).store.time for p in data.systems.values())]
    by = shifts(
        labels,
        short_portraits(benchmark),
        len(long),
        lambda: benchmark.measured("known-long", long, data.read),
        lambda: benchmark.measured("known-half", stores, read_half),
        float(np.log2(np.mean(lengths) / data.training_length)),
    )
    yield Predicted("short-md-shifted", [{n: shifted(p, by) for n, p in _short(benchmark).items()}], 0)


def short_md_power_law(benchmark: Benchmark) -> Iterator[Predicted]:
    """MD of training length, its mean squared displacements continued as a power of time."""
    references = benchmark.references
    if any(key.startswith("msd/") for p in references.values() for key in p.arrays):
        units = benchmark.data.task.units
        out = {name: power_law(p, references[name], units) for name, p in _short(benchmark).items()}
        yield Predicted("short-md-power-law", [out], 0)
