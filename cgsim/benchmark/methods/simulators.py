"""Methods that draw configuration after configuration: null propagators, our models, the published one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from cgsim.analysis.selection import all_species
from cgsim.beads import BeadStore
from cgsim.benchmark.baselines.propagators import AutoregressivePropagator, fit_autoregression
from cgsim.benchmark.data import BenchmarkData
from cgsim.benchmark.methods.context import Benchmark, Predicted, known_stores
from cgsim.benchmark.models import PUBLISHED, SeedModel
from cgsim.benchmark.motion import fit_diffusion, follow_box, follow_species, source_of
from cgsim.benchmark.portrait import Portrait
from cgsim.benchmark.rollouts import STRICT, TOLERANT, forget_partial, model_portraits, propagator_portraits
from cgsim.benchmark.rows import OURS
from cgsim.checkpoint import TrainedModel
from cgsim.errors import InputError
from cgsim.models.inputs import SystemInputs
from cgsim.models.model import CoarseGrainedModel
from cgsim.production.start import starting_frames
from cgsim.simulate.stability import HealthSettings
from cgsim.train.source import lag_stride
from cgsim.typing import Array, Float64

PAST = (1, 2, 5, 10)  # displacements that an autoregression may look back on; validation chooses
STARTED = "fingerprint"


def brownian(benchmark: Benchmark) -> Iterator[Predicted]:
    """Brownian motion with the variance of one lag."""
    yield _null_propagator(benchmark, "brownian", lambda: _fit(benchmark, 0))


def autoregression(benchmark: Benchmark) -> Iterator[Predicted]:
    """Linear autoregression of every bead on its own past."""
    yield _null_propagator(benchmark, "autoregression", lambda: _choose_past(benchmark))


def _null_propagator(
    benchmark: Benchmark, method: str, make_propagator: Callable[[], AutoregressivePropagator]
) -> Predicted:
    data = benchmark.data
    stamp = f"{benchmark.time:.9g}" + data.fingerprint_of(known_stores(data))

    def make() -> dict[str, Portrait]:
        return propagator_portraits(
            make_propagator(), _classes(data), data, benchmark.references, benchmark.time, 0, benchmark.progress
        )

    return Predicted(method, [benchmark.kept(method, 0, stamp, make)], 0)


def _classes(data: BenchmarkData) -> tuple[str, ...]:
    """Bead classes of all systems; those that training never saw stay put."""
    paths = [*data.train.values(), *data.systems.values()]
    return tuple(dict.fromkeys(name for path in paths for name in data.open(path).mapping.class_names))


def _fit(benchmark: Benchmark, k: int) -> AutoregressivePropagator:
    data = benchmark.data
    beads = [data.open(path) for path in data.train.values()]
    return fit_autoregression(
        [data.read_short(b.store.path) for b in beads],
        _classes(data),
        [lag_stride(b, data.lag_time) for b in beads],
        k,
    )


def _choose_past(benchmark: Benchmark) -> AutoregressivePropagator:
    """The number of past displacements whose D is nearest to that of the validation MD; the largest without one."""
    data = benchmark.data
    shortest = min(len(data.read_short(path).time) for path in data.train.values())
    strides = [lag_stride(data.open(path), data.lag_time) for path in data.train.values()]
    fits = [_fit(benchmark, k) for k in PAST if shortest > 4 * (k + 1) * max(strides)]
    if not fits:
        return _fit(benchmark, 1)
    if not data.validation:
        return fits[-1]
    classes = _classes(data)
    truth = [_measured_diffusion(data.open(path), classes) for path in data.validation.values()]
    losses = [np.nanmean(np.abs(np.log10(fit.diffusion_coefficients(data.lag_time)) - truth)) for fit in fits]
    return fits[int(np.argmin(losses))]


def _measured_diffusion(beads: BeadStore, classes: tuple[str, ...]) -> Float64[Array, " classes"]:
    """Logarithm of D of each class of beads; not a number for classes that are not there."""
    trajectory = beads.read()
    source = source_of(trajectory)
    box = follow_box(source)
    out = np.full(len(classes), np.nan)
    for species in all_species(trajectory.system):
        fit = fit_diffusion(follow_species(source, species, box).tracers, None)
        if species.name in classes and fit is not None and fit.coefficient.value > 0:
            out[classes.index(species.name)] = np.log10(fit.coefficient.value)
    return out


def ours(benchmark: Benchmark) -> Iterator[Predicted]:
    """Our models."""
    for name, seeds in benchmark.models.items():
        if not name.startswith(PUBLISHED):
            yield _simulated(benchmark, OURS + name.removeprefix(OURS), seeds, STRICT)


def published(benchmark: Benchmark) -> Iterator[Predicted]:
    """The published network and schedule."""
    for name, seeds in benchmark.models.items():
        if name.startswith(PUBLISHED):
            yield _simulated(benchmark, PUBLISHED, seeds, TOLERANT)


def dynamics_only(benchmark: Benchmark) -> Iterator[Predicted]:
    """The first of our models with a refiner, without it and without guard: bare draws of the dynamics network."""
    for name, seeds in benchmark.models.items():
        if not name.startswith(PUBLISHED) and seeds[0].model.model.refiner is not None:
            bare = [replace(one, model=without_refinement(one.model)) for one in seeds]
            yield _simulated(benchmark, "dynamics-only", bare, TOLERANT)
            return
    benchmark.say("dynamics-only: no model has a refiner, so there is nothing to leave out")


def without_refinement(trained: TrainedModel) -> TrainedModel:
    """A model whose draws are left as the dynamics network makes them."""
    card = trained.card
    card = card.model_copy(
        update={
            "name": f"{card.name}-unrefined",
            "model": card.model.model_copy(update={"refiner": None}),
            "sampler": card.sampler.model_copy(update={"guard": False}),
            "calibration": card.calibration.model_copy(
                update={"noise_scale": (1.0,) * len(card.calibration.noise_scale)}
            ),
        }
    )
    bare = CoarseGrainedModel(card.model, card.scales, card.vocabulary)
    state = {name: t for name, t in trained.model.state_dict().items() if not name.startswith("refiner.")}
    bare.load_state_dict(state)
    others = tuple(without_refinement(other) for other in trained.others)
    return TrainedModel(bare.to(next(trained.model.parameters()).device).eval(), card, others)


def _known_systems(benchmark: Benchmark, method: str, model: TrainedModel) -> dict[str, Path]:
    """Systems whose atoms the model knows, and whose MD it can start from; the others are named and left out."""
    card, found = model.card, {}
    for name, path in benchmark.data.systems.items():
        beads = benchmark.data.open(path)
        try:
            frames = starting_frames(beads, card, 0.0)
            names = card.scales.class_names
            SystemInputs.of(beads.atoms, beads.mapping, frames.cell[-1], card.vocabulary, names, str(path))
        except InputError as error:
            benchmark.say(f"{method}: left out: {error}")
        else:
            found[name] = path
    return found


def _simulated(benchmark: Benchmark, method: str, seeds: list[SeedModel], health: HealthSettings) -> Predicted:
    whole = benchmark.data
    out = []
    for k, one in enumerate(seeds):
        systems = _known_systems(benchmark, method, one.model)
        if not systems:
            continue
        data = replace(whole, systems=systems)
        folder = data.folder / "rollouts" / method / f"seed-{k}"
        stamp = "|".join(
            [one.fingerprint, f"{benchmark.time:.9g}", str(data.task.replicas), str(one.model.card.sampler), *systems]
        )
        started = folder / STARTED
        if not started.exists() or started.read_text() != stamp:
            forget_partial(folder)
        folder.mkdir(parents=True, exist_ok=True)
        started.write_text(stamp)
        benchmark.say(f"{method}, seed {k}: {len(systems)} systems x {data.task.replicas}")
        make = partial(
            model_portraits,
            one.model,
            data,
            benchmark.references,
            benchmark.time,
            k,
            folder,
            benchmark.progress,
            health,
        )
        out.append(benchmark.kept(method, k, stamp, make))
    return Predicted(method, out, len(seeds))
