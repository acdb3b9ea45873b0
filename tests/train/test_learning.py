"""What training finds when the truth is a linear Gaussian process, whose best predictor is known exactly."""

import json
import math
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import solve_toeplitz
from systems import OPEN, bead_spring, inputs_of, rouse_motion, rouse_step, trajectory_of

from cgsim.checkpoint import TrainedModel
from cgsim.graph import BeadBatch, build_graph
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import EmbeddingSettings
from cgsim.models.inputs import make_batch
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.simulate.propagator import LearnedPropagator
from cgsim.simulate.rollout import RolloutState, rollout
from cgsim.simulate.sampler import SamplerSettings
from cgsim.train.fit import Plan, fit
from cgsim.train.module import TrainingSettings
from cgsim.train.source import BeadData, Source, load
from cgsim.trajectory.store import write_store
from cgsim.trajectory.windows import displacement_window, history_window

ONE_TO_ONE = MappingSettings(atoms_per_bead=1)
EMBEDDING = EmbeddingSettings(type_size=4, latent=8, n_steps=1, size=4)


def train(paths: list[Path], model: ModelSettings, training: TrainingSettings, folder: Path) -> TrainedModel:
    plan = Plan(
        name="law",
        units=None,
        train=[Source(path, 0.0, math.inf) for path in paths],
        validation=[],
        mapping=ONE_TO_ONE,
        model=model,
        training=training,
        sampler=SamplerSettings(),
        experiment=json.loads(model.model_dump_json()),
    )
    return fit(plan, folder, resume=False)


def first_and_last_loss(folder: Path) -> tuple[float, float]:
    header, *rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    column = header.index("train/loss")
    return float(rows[0][column]), float(rows[-1][column])


def batch_of(trained: TrainedModel, data: BeadData) -> BeadBatch:
    inputs = inputs_of(trained.model, data.store.atoms, ONE_TO_ONE, OPEN)
    with torch.no_grad():
        return make_batch([inputs], [0], trained.model.embedding)


def test_loss_of_an_ornstein_uhlenbeck_chain_falls(tmp_path):
    motion = rouse_motion(4, 300, spring=3.0, interval=0.1, seed=0)
    write_store(tmp_path / "chain.h5", trajectory_of(bead_spring(4), motion, OPEN, 0.1))
    model = ModelSettings(
        lag_time=0.2,
        history_offsets=(0,),
        embedding=EMBEDDING,
        dynamics=DynamicsSettings(network=NetworkSettings(latent=16, n_steps=1, n_vectors=4, n_radial=8)),
    )
    training = TrainingSettings(steps=60, batch_size=32, validate_every=10, learning_rate=1e-2, warmup_steps=5)
    train([tmp_path / "chain.h5"], model, training, tmp_path / "run")
    first, last = first_and_last_loss(tmp_path / "run")
    # The exact law is 0.12 nats per coordinate better than displacements of the right variance and no more.
    assert last < first - 0.05


@pytest.mark.slow
def test_trained_gaussian_is_the_exact_one_step_law_of_a_dumbbell(tmp_path):
    """Two beads on a spring: mean A x - x, and a covariance of its own for the centre and for the relative motion."""
    spring, lag, n_frames = 3.0, 0.2, 20_001
    motion = rouse_motion(2, n_frames, spring=spring, interval=lag, seed=0)
    write_store(tmp_path / "dumbbell.h5", trajectory_of(bead_spring(2, type_names=("1",)), motion, OPEN, lag))
    model = ModelSettings(
        lag_time=lag,
        history_offsets=(0,),
        embedding=EMBEDDING,
        dynamics=DynamicsSettings(
            network=NetworkSettings(latent=16, n_steps=2, n_vectors=4, n_radial=12), std_floor=0.0
        ),
    )
    training = TrainingSettings(steps=500, batch_size=64, validate_every=250, learning_rate=1e-2, averaging=0.98)
    trained = train([tmp_path / "dumbbell.h5"], model, training, tmp_path / "run")
    propagator, covariance = rouse_step(2, spring, lag)
    data = load(Source(tmp_path / "dumbbell.h5", 0.0, math.inf), ONE_TO_ONE, model)
    batch, reference = batch_of(trained, data), trained.model.dynamics.normalization.reference
    mean_errors, precisions = [], []
    for frame in range(0, n_frames - 1, 200):
        history = torch.from_numpy(history_window(data.trajectory, frame, 1, (0,)))
        with torch.no_grad():
            gaussian, _ = trained.model.dynamics(batch, history, build_graph(history[:, -1], batch, math.inf))
        positions = history[:, -1].double().numpy()
        mean_errors.append(reference * gaussian.mean.double().numpy() - (propagator @ positions - positions))
        precisions.append(gaussian.dense_precision()[0].numpy() / reference**2)
    # The mean is learned to a tenth of the noise, whose variance it blurs by 1 % then.
    assert np.sqrt(np.mean(np.square(mean_errors))) < 0.1 * np.sqrt(np.diag(covariance).mean())
    # Variances along the two modes: 120,000 numbers give them to 0.4 %; the network is to come close.
    found = np.linalg.inv(np.mean(precisions, axis=0)).reshape(2, 3, 2, 3)
    per_axis = np.einsum("ixjx->ij", found) / 3
    for mode in (np.array([1.0, 1.0]) / 2**0.5, np.array([1.0, -1.0]) / 2**0.5):
        assert mode @ per_axis @ mode == pytest.approx(mode @ covariance @ mode, rel=0.05)


# A particle in a harmonic cage whose centre diffuses ------------------------------------------------------------------

DRIFT, RATTLE, MEMORY = 0.04, 1.0, 0.3  # variance of the cage's step, of the particle in its cage, and its correlation


def caged_particles(n_frames: int, n: int, seed: int) -> np.ndarray:
    """Positions [frames, particles, 3]: a random walk plus an AR(1) in the cage."""
    rng = np.random.default_rng(seed)
    cages = np.cumsum(rng.normal(scale=DRIFT**0.5, size=(n_frames, n, 3)), axis=0)
    inside = rng.normal(scale=RATTLE**0.5, size=(n, 3))
    kicks = rng.normal(scale=(RATTLE * (1.0 - MEMORY**2)) ** 0.5, size=(n_frames, n, 3))
    track = np.empty_like(cages)
    for t in range(n_frames):
        inside = MEMORY * inside + kicks[t]
        track[t] = cages[t] + inside
    return track


def autocovariance(n: int) -> np.ndarray:
    """Of successive displacements, per axis: d_t = walk + r_(t+1) - r_t with <r_0 r_k> = v phi^k."""
    lags = np.arange(1, n)
    return np.concatenate([
        [DRIFT + 2.0 * RATTLE * (1.0 - MEMORY)], -RATTLE * (1.0 - MEMORY) ** 2 * MEMORY ** (lags - 1.0)
    ])  # fmt: skip


def best_predictor(k: int) -> tuple[np.ndarray, float]:
    """Coefficients on the last k displacements (the latest first) and variance of what is left (Yule-Walker)."""
    gamma = autocovariance(k + 1)
    coefficients = solve_toeplitz(gamma[:k], gamma[1:]) if k else np.empty(0)
    return coefficients, float(gamma[0] - coefficients @ gamma[1:])


def rollout_diffusion(k: int) -> float:
    """Growth of <x^2> per step and axis when the best predictor is rolled out: s^2 / (1 - sum a)^2, an AR(k)'s own."""
    coefficients, variance = best_predictor(k)
    return variance / (1.0 - coefficients.sum()) ** 2


def test_closed_form_of_the_cage_agrees_with_its_simulation():
    track = caged_particles(4000, 50, seed=0)
    steps = np.diff(track, axis=0)
    for lag, expected in enumerate(autocovariance(4)):
        found = np.mean(steps[: len(steps) - lag] * steps[lag:])
        # 600,000 correlated products of variance below 2 gamma_0^2.
        assert found == pytest.approx(expected, abs=4.5 * 2 * autocovariance(1)[0] / steps.size**0.5)
    # One frame of history takes all rattling for motion; long ones see through it.
    values = [rollout_diffusion(k) for k in (0, 1, 3, 10, 100)]
    assert values[0] == pytest.approx(36 * DRIFT)
    assert all(a > b for a, b in pairwise(values))
    assert values[-1] == pytest.approx(DRIFT, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 6])
def test_rollout_of_a_trained_model_diffuses_as_the_best_predictor_with_its_history_does(tmp_path, k):
    n, n_frames = 50, 1500
    # Particles so far apart that none sees another: 50 independent ones a system.
    apart = 1000.0 * np.arange(n)[:, None] * np.array([1.0, 0.0, 0.0])
    system = bead_spring(1, n, type_names=("1",))
    write_store(tmp_path / "cage.h5", trajectory_of(system, caged_particles(n_frames, n, seed=1) + apart, OPEN, 1.0))
    model = ModelSettings(
        lag_time=1.0,
        history_offsets=tuple(range(k + 1)),
        embedding=EMBEDDING,
        dynamics=DynamicsSettings(
            network=NetworkSettings(latent=16, n_steps=1, n_vectors=8, n_radial=4), cutoff=50.0, std_floor=0.0,
            noise="independent",
        ),
    )  # fmt: skip
    training = TrainingSettings(steps=400, batch_size=16, validate_every=100, learning_rate=1e-2, averaging=0.98)
    trained = train([tmp_path / "cage.h5"], model, training, tmp_path / "run")
    # One-step error: the best linear predictor's. 16 x 50 x 3 numbers in each of the last 100 batches.
    _, last = first_and_last_loss(tmp_path / "run")
    reference = trained.model.dynamics.normalization.reference
    _, variance = best_predictor(k)
    exact = 0.5 * (math.log(2 * math.pi * variance / reference**2) + 1.0)
    assert last == pytest.approx(exact, abs=0.02)
    # Its rollout.
    data = load(Source(tmp_path / "cage.h5", 0.0, math.inf), ONE_TO_ONE, model)
    batch = batch_of(trained, data)
    state = RolloutState(
        torch.from_numpy(data.trajectory.wrapped_positions[-(k + 1) :]), torch.zeros(k + 1, n, 3, dtype=torch.int32)
    )
    propagator = LearnedPropagator(
        trained.model, SamplerSettings(guard=False), trained.card.calibration, [trained.card.trained]
    )
    frames = islice(rollout(propagator, batch, state, torch.Generator().manual_seed(0)), 3000)
    walked = torch.stack([f.wrapped_positions for f in frames]).double().numpy()
    window = 100
    moved = walked[window::window] - walked[:-window:window]
    # A window of 100 steps holds rattling as well, which does not grow: take it off by a window half as long.
    half = walked[window // 2 :: window // 2] - walked[: -window // 2 : window // 2]
    growth = (np.mean(moved**2) - np.mean(half**2)) / (window - window // 2)
    # 50 x 3 x 29 independent windows: 2 % for the long and 1.5 % for the short one, so 4 % for the difference; 4 sigma.
    assert growth == pytest.approx(rollout_diffusion(k), rel=0.15)


def test_history_and_target_of_a_window_are_what_the_law_speaks_of(tmp_path):
    track = caged_particles(30, 2, seed=2)
    write_store(tmp_path / "cage.h5", trajectory_of(bead_spring(1, 2), track, OPEN, 1.0))
    model = ModelSettings(lag_time=1.0, history_offsets=(0, 1, 2))
    data = load(Source(tmp_path / "cage.h5", 0.0, math.inf), ONE_TO_ONE, model)
    history = history_window(data.trajectory, 10, 1, (0, 1, 2))
    np.testing.assert_allclose(np.diff(history, axis=1)[:, 0], track[9] - track[8], atol=1e-5)
    np.testing.assert_allclose(displacement_window(data.trajectory, 10, 1), track[11] - track[10], atol=1e-5)
