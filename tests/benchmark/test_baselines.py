"""Baselines recover the laws that they are made for."""

import numpy as np
import pytest
import torch
from systems import OPEN, bead_spring, join, trajectory_of

from cgsim.benchmark.baselines import gnn
from cgsim.benchmark.baselines.propagators import AutoregressivePropagator, fit_autoregression
from cgsim.benchmark.baselines.regression import Labelled, composition, constant, forest, linear, ridge, vocabulary_of
from cgsim.benchmark.baselines.short_md import mean_shifts, power_law, shifted, shifts
from cgsim.benchmark.leave_one_out import polymer_key
from cgsim.benchmark.portrait import Portrait
from cgsim.graph import BeadBatch
from cgsim.mapping import MappingSettings
from cgsim.observables.statistics import Estimate
from cgsim.simulate.rollout import RolloutState, rollout
from cgsim.units import UnitSystem


def rolled_out(propagator, n_particles, n_steps, cell=OPEN, seed=0):
    """Unwrapped positions [steps + 1, particles, 3] of independent beads that start in one place."""
    batch = BeadBatch(
        sizes=(n_particles,),
        bead_class=torch.zeros(n_particles, dtype=torch.int64),
        masses=torch.ones(n_particles),
        bond_index=torch.zeros(2, 0, dtype=torch.int64),
        cell=torch.from_numpy(cell)[None].float(),
        embedding=torch.zeros(n_particles, 1),
        bond_embedding=torch.zeros(2, 0, 0),
    )
    n_kept = propagator.history_offsets[-1] + 1
    start = RolloutState(torch.zeros(n_kept, n_particles, 3), torch.zeros(n_kept, n_particles, 3, dtype=torch.int32))
    frames = rollout(propagator, batch, start, torch.Generator().manual_seed(seed))
    positions = [np.zeros((n_particles, 3))]
    for _ in range(n_steps):
        frame = next(frames)
        positions.append(frame.wrapped_positions.numpy() + frame.image_flags.numpy() @ cell)
    return np.array(positions)


def test_brownian_propagator_gives_the_exact_mean_squared_displacement():
    propagator = AutoregressivePropagator(np.zeros((1, 0)), np.array([0.7]))
    assert propagator.history_offsets == (0,)
    n = 4000
    squares = np.square(rolled_out(propagator, n, 8)[[2, 8]]).sum(axis=-1)
    # MSD = 3 sigma^2 steps; a squared Gaussian displacement in 3 dimensions has relative variance 2/3.
    assert squares.mean(axis=1) == pytest.approx(3 * 0.49 * np.array([2, 8]), rel=4 * np.sqrt(2 / 3 / n))
    assert propagator.diffusion_coefficients(2.0) == pytest.approx([0.49 / 4.0])


def test_brownian_propagator_leaves_the_centre_of_a_periodic_box_where_it_is():
    propagator = AutoregressivePropagator(np.zeros((1, 0)), np.array([0.7]))
    centre = rolled_out(propagator, 50, 20, 9.0 * np.eye(3)).mean(axis=1)
    assert np.abs(centre).max() < 1e-4  # rounding of float32 positions


def autoregressive_motion(coefficients, noise, n_particles, n_frames, seed=0):
    rng = np.random.default_rng(seed)
    k = len(coefficients)
    steps = np.zeros((n_frames + 200, n_particles, 3))
    for t in range(k, len(steps)):
        past = steps[t - k : t][::-1]
        steps[t] = np.einsum("k,kpx->px", coefficients, past) + noise * rng.normal(size=past.shape[1:])
    return np.cumsum(steps[200:], axis=0)


@pytest.mark.parametrize("stride", [1, 3])
def test_autoregression_recovers_its_own_coefficients_and_diffusion(stride):
    coefficients, noise = np.array([-0.5, 0.2]), 0.3
    motion = np.repeat(autoregressive_motion(coefficients, noise, 30, 1500), stride, axis=0)  # seen at every stride
    trajectory = trajectory_of(bead_spring(30, type_names=("1",)), motion, OPEN, 1.0)
    found = fit_autoregression([trajectory], ("1",), [stride], 2)
    # 30 x 3 x 1500 displacements; a coefficient is known to about 1 / sqrt(135,000) = 0.003.
    assert found.coefficients[0].numpy() == pytest.approx(coefficients, abs=0.015)
    assert found.noise[0].item() == pytest.approx(noise, rel=0.01)
    exact = noise**2 / (2 * stride * (1 - coefficients.sum()) ** 2)
    assert found.diffusion_coefficients(float(stride)) == pytest.approx([exact], rel=0.05)


def test_the_closed_form_of_the_diffusion_coefficient_is_what_rollouts_give():
    propagator = AutoregressivePropagator(np.array([[-0.5, 0.2]]), np.array([0.3]))
    n, steps = 2000, 60
    last = np.square(rolled_out(propagator, n, steps)[-1]).sum(axis=-1).mean()
    d = propagator.diffusion_coefficients(1.0)[0]
    # MSD = 6 D t + a constant of the order of one step's variance, 1 % of the whole here.
    assert last == pytest.approx(6 * d * steps, rel=4 * np.sqrt(2 / 3 / n) + 0.02)


def test_classes_are_fitted_apart_and_one_that_was_never_seen_stays_put():
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(800, 20, 3)) * np.where(np.arange(20) % 2 == 0, 0.2, 0.9)[:, None]
    trajectory = trajectory_of(bead_spring(20), np.cumsum(steps, axis=0), OPEN, 1.0)
    found = fit_autoregression([trajectory], ("1", "2", "Na"), [1], 0)
    assert found.noise.numpy() == pytest.approx([0.2, 0.9, 0.0], rel=0.03)
    with pytest.raises(ValueError, match="long enough"):
        fit_autoregression([trajectory[:3]], ("1", "2"), [1], 5)


def systems_of(shares):
    """Chains of 20 beads with a share of type 2, in any order."""
    out = {}
    for k, share in enumerate(shares):
        chain = bead_spring(20)
        kinds = np.zeros(20, dtype=np.int64)
        kinds[np.random.default_rng(k).permutation(20)[: round(20 * share)]] = 1
        out[f"s{k}"] = type(chain)(**{**vars_of(chain), "particle_type": kinds})
    return out


def vars_of(system):
    return {name: getattr(system, name) for name in system.__dataclass_fields__}


def labelled(systems, label="log10_d_li", slope=2.0):
    values = {n: 1.0 + slope * float((s.particle_type == 1).mean()) for n, s in systems.items()}
    return Labelled(systems, {n: Portrait({label: Estimate(v, 0.0)}) for n, v in values.items()}), values


SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9, 1.0)


def test_linear_regression_finds_a_linear_law_of_composition():
    known, _ = labelled(systems_of(SHARES))
    asked = {"new": systems_of((0.0,) * 11 + (0.7,))["s11"]}
    truth = 1.0 + 2.0 * 0.7
    predicted = linear(known, Labelled({}, {}), asked, ("log10_d_li",))["new"]
    assert predicted.value("log10_d_li").value == pytest.approx(truth, abs=0.05)
    assert predicted.value("d_li").value == pytest.approx(10**truth, rel=0.15)
    grown = forest(known, asked, ("log10_d_li",), 0)["new"].value("log10_d_li").value
    assert grown == pytest.approx(truth, abs=0.4)  # piecewise constant, leaves of three
    mean = constant(known, ["new"], ("log10_d_li",))["new"].value("log10_d_li").value
    assert mean == pytest.approx(1.0 + 2.0 * np.mean(SHARES))


def test_ridge_without_penalty_is_exact_and_with_much_is_the_mean():
    x = np.random.default_rng(0).normal(size=(12, 3))
    y = 4.0 + x @ np.array([1.0, -2.0, 0.5])
    assert ridge(x, y, x, 0.0) == pytest.approx(y)
    assert ridge(x, y, x, 1e9) == pytest.approx(np.full(12, y.mean()), abs=1e-6)


def test_composition_knows_numbers_and_not_order():
    chain = bead_spring(20)
    reversed_types = type(chain)(**{**vars_of(chain), "particle_type": chain.particle_type[::-1].copy()})
    kinds = vocabulary_of([chain])
    first, second = composition([chain, reversed_types], kinds)
    assert first.sum() == pytest.approx(1.0)
    assert np.sort(first) == pytest.approx(np.sort(second))


def test_labels_that_are_not_known_are_left_out_of_the_fit():
    systems = systems_of(SHARES)
    known, _ = labelled(systems)
    known.portraits["s0"] = Portrait()
    names, values = known.labels("log10_d_li")
    assert "s0" not in names
    assert len(values) == len(SHARES) - 1


@pytest.mark.slow
def test_supervised_network_learns_what_the_graph_says(monkeypatch):
    monkeypatch.setattr(gnn, "STEPS", 80)
    monkeypatch.setattr(gnn, "RATE", 1e-2)
    systems = systems_of(SHARES)
    known, truth = labelled(systems)
    answers = gnn.supervised_gnn(known, known, systems, ("log10_d_li",), MappingSettings(atoms_per_bead=5), 0)
    errors = [abs(answers[n].value("log10_d_li").value - t) for n, t in truth.items()]
    assert np.mean(errors) < 0.25 * np.std(list(truth.values()))
    strange = {"odd": bead_spring(20, type_names=("1", "9"))}
    assert gnn.supervised_gnn(known, known, strange, ("log10_d_li",), MappingSettings(atoms_per_bead=5), 0) == {}


def curve_portrait(lags, exponent, prefactor):
    return Portrait({}, {"msd/li": np.stack([lags, prefactor * lags**exponent, 0.1 * lags])})


def test_a_power_law_is_continued_into_the_window_of_the_reference():
    short = curve_portrait(np.geomspace(1.0, 100.0, 25), 0.8, 2.0)
    window = np.array([300.0, 1500.0])
    reference = Portrait({"msd400_li": Estimate(1.0, 0.1)}, {"window/li": window})
    found = power_law(short, reference, UnitSystem.MOLECULAR)
    slope = np.diff(2.0 * window**0.8)[0] / np.diff(window)[0] / 6.0
    assert found.value("d_li").value == pytest.approx(1e-4 * slope)
    assert found.value("msd400_li").value == pytest.approx(2.0 * 400.0**0.8)


def test_a_shift_is_what_longer_md_adds_on_average():
    def logs(values):
        return {f"s{k}": Portrait({"log10_d_li": Estimate(v, 0.0)}) for k, v in enumerate(values)}

    short, long = logs([1.0, 2.0, 3.0, 4.0]), logs([0.5, 1.6, 2.4])  # the fourth has no longer MD
    labels = ("log10_d_li", "log10_d_anion")
    assert mean_shifts(labels, short, long) == {"log10_d_li": pytest.approx(-0.5), "log10_d_anion": 0.0}
    assert mean_shifts(labels, short, long, 3.0)["log10_d_li"] == pytest.approx(-1.5)
    half = logs([1.2, 2.2, 3.2, 4.2])

    def choose(n_long):
        return shifts(labels, short, n_long, lambda: long, lambda: half, 3.0)["log10_d_li"]

    assert choose(3) == pytest.approx(-0.5)
    # Without enough longer MD: what the second half adds to the first, for each of three doublings.
    assert choose(2) == pytest.approx(-0.6)
    moved = shifted(short["s0"], {"log10_d_li": -0.5})
    assert moved.value("log10_d_li").value == 0.5
    assert moved.value("d_li").value == pytest.approx(10**0.5)


def test_a_polymer_is_the_same_at_any_length_and_in_any_salt():
    from systems import LITHIUM, TFSI, glyme, molecule

    def box(n_units, n_salt):
        return join([molecule(glyme(n_units))] * 2 + [molecule(LITHIUM), molecule(TFSI)] * n_salt)

    assert polymer_key(box(8, 1)) == polymer_key(box(12, 3))
    other = join([molecule("CO" + "CCCO" * 8 + "C"), molecule(LITHIUM), molecule(TFSI)])
    assert polymer_key(other) != polymer_key(box(8, 1))
