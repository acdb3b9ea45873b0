"""Methods that know the molecular graph only."""

from collections.abc import Iterator
from functools import partial

from cgsim.benchmark.baselines.gnn import supervised_gnn
from cgsim.benchmark.baselines.regression import constant, forest, linear
from cgsim.benchmark.methods.context import Benchmark, Predicted, atoms_of, known_stores, labelled


def predict_constant(benchmark: Benchmark) -> Iterator[Predicted]:
    """The mean of the training labels."""
    known, _ = labelled(benchmark)
    yield Predicted("constant", [constant(known, list(benchmark.data.systems), benchmark.data.task.labels)], 0)


def predict_linear(benchmark: Benchmark) -> Iterator[Predicted]:
    """Linear regression on composition."""
    known, validation = labelled(benchmark)
    asked = atoms_of(benchmark.data, benchmark.data.systems)
    yield Predicted("composition-linear", [linear(known, validation, asked, benchmark.data.task.labels)], 0)


def predict_forest(benchmark: Benchmark) -> Iterator[Predicted]:
    """Random forest on composition."""
    known, _ = labelled(benchmark)
    asked = atoms_of(benchmark.data, benchmark.data.systems)
    seeds = range(benchmark.n_seeds)
    out = [forest(known, asked, benchmark.data.task.labels, seed) for seed in seeds]
    yield Predicted("composition-forest", out, benchmark.n_seeds)


def predict_gnn(benchmark: Benchmark) -> Iterator[Predicted]:
    """Supervised graph network."""
    data = benchmark.data
    known, validation = labelled(benchmark)
    asked = atoms_of(data, data.systems)
    stamp = data.fingerprint_of(known_stores(data))
    out = []
    for seed in range(benchmark.n_seeds):
        benchmark.progress(f"training the supervised network, seed {seed}", seed / benchmark.n_seeds)
        make = partial(supervised_gnn, known, validation, asked, data.task.labels, data.mapping, seed)
        out.append(benchmark.kept("supervised-gnn", seed, stamp, make))
    yield Predicted("supervised-gnn", out, benchmark.n_seeds)
