from dataclasses import replace

import numpy as np
import pytest
import torch
from systems import OPEN, TRICLINIC, electrolyte, inputs_of, random_model

from cgsim.graph import build_graph
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.inputs import SystemInputs
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.models.refiner import RefinerSettings
from cgsim.train.module import HistoryNoise, TrainingModule, TrainingSettings, collate
from cgsim.train.objectives import Window, compute_losses
from cgsim.train.pushes import Approaches

MAPPING = MappingSettings()
NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)
ATOMS = electrolyte(1, 4, 2)
UNKNOWN = Approaches(torch.zeros(3, 3), torch.zeros(2, 3, 3))  # needed only where ions are pushed


def model(*, refined: bool, prior: str = "independent") -> CoarseGrainedModel:
    settings = ModelSettings(
        lag_time=1.0,
        dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0),
        refiner=RefinerSettings(network=NETWORK, cutoff=6.0, prior=prior) if refined else None,
    )
    return random_model(settings, [ATOMS], MAPPING)


def module(settings: TrainingSettings, *, refined: bool = False) -> TrainingModule:
    trained = model(refined=refined)
    systems = [inputs_of(trained, ATOMS, MAPPING, cell) for cell in (OPEN, TRICLINIC)]
    return TrainingModule(trained, settings, systems, systems, UNKNOWN)


def windows(systems: list[SystemInputs], n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    out = []
    for k in range(n):
        n_beads = systems[k % 2].n_beads
        present = rng.uniform(0.0, 10.0, size=(n_beads, 1, 3))
        history = np.concatenate([present + rng.normal(size=present.shape), present], axis=1)
        displacement = rng.normal(size=(n_beads, 3))
        out.append((k % 2, torch.from_numpy(history).float(), torch.from_numpy(displacement).float()))
    return collate(out)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_drift_is_taken_out_of_the_target_of_periodic_systems_only():
    trainer = module(TrainingSettings())
    batch = windows(trainer.train_systems, 2)
    shifted = (batch[0], batch[1], batch[2] + torch.tensor([3.0, 0.0, -1.0]))
    one, other = (trainer._window(b, trainer.train_systems) for b in (batch, shifted))
    n = one.batch.sizes[0]
    torch.testing.assert_close(other.displacement[n:], one.displacement[n:], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        other.displacement[:n] - one.displacement[:n], torch.tensor([[3.0, 0.0, -1.0]]).expand(n, 3)
    )


def test_motion_of_a_whole_periodic_box_is_not_seen():
    trainer = module(TrainingSettings())
    which, history, displacement = windows(trainer.train_systems, 2)
    flying = history + torch.tensor([[-1.0], [0.0]]) * torch.tensor([4.0, -2.0, 1.0])
    one, other = (trainer._window((which, h, displacement), trainer.train_systems) for h in (history, flying))
    n = one.batch.sizes[0]
    torch.testing.assert_close(other.history[n:], one.history[n:], atol=1e-5, rtol=0)
    torch.testing.assert_close(other.history[:n], flying[:n], atol=0, rtol=0)


def test_history_noise_leaves_the_next_positions_where_they_are():
    """The target is recomputed from the noised history (Fu et al. 2023), so the model learns to undo its own error."""
    settings = TrainingSettings(history_noise=HistoryNoise(largest=0.5, smallest=0.1, n_levels=4))
    trainer = module(settings)
    given = trainer._window(windows(trainer.train_systems, 200), trainer.train_systems)
    noised = trainer._augment(given, generator())
    torch.testing.assert_close(
        noised.history[:, -1] + noised.displacement, given.history[:, -1] + given.displacement, atol=1e-5, rtol=0
    )
    kicks = noised.history - given.history
    spread = torch.stack([kicks[given.batch.beads_of(g)].std() for g in range(200)])
    levels = torch.tensor([0.1, 0.1 * 5 ** (1 / 3), 0.1 * 5 ** (2 / 3), 0.5])
    nearest = (spread[:, None] / levels).log().abs().min(dim=1)
    assert set(nearest.indices.tolist()) == {0, 1, 2, 3}
    # The relative error of a standard deviation from n numbers is 1 / sqrt(2 n); 4.5 of them.
    n_numbers = given.history[given.batch.beads_of(0)].numel()
    assert nearest.values.max() < 4.5 / (2 * n_numbers) ** 0.5


def test_history_noise_moves_no_periodic_system_as_a_whole():
    trainer = module(TrainingSettings(history_noise=HistoryNoise(largest=2.0)))
    batch = windows(trainer.train_systems, 4)
    given = trainer._window(batch, trainer.train_systems)
    noisy = trainer._augment(given, generator())
    moved = given.batch.centre_of_mass(noisy.displacement).abs().sum(-1)
    periodic = given.batch.is_periodic[given.batch.graph_index]
    assert (moved[periodic] < 1e-5).all()
    assert (moved[~periodic] > 1e-2).all()
    past = given.batch.centre_of_mass(noisy.history - noisy.history[:, -1:]).abs().sum(dim=(1, 2))
    assert (past[periodic] < 1e-4).all()


def test_no_history_noise_leaves_everything_as_it_is():
    trainer = module(TrainingSettings())
    given = trainer._window(windows(trainer.train_systems, 2), trainer.train_systems)
    same = trainer._augment(given, generator())
    assert torch.equal(same.history, given.history)
    assert torch.equal(same.displacement, given.displacement)


def test_augmentation_turns_history_target_and_cell_together():
    trainer = module(TrainingSettings(augment_rotations=True))
    given = trainer._window(windows(trainer.train_systems, 4), trainer.train_systems)
    turned = trainer._augment(given, generator())
    assert (turned.history - given.history).abs().max() > 1.0
    vectors, of_turned = (torch.cat([w.history, w.displacement[:, None]], dim=1) for w in (given, turned))
    # Lengths and angles within each window stay, to float32 rounding of numbers of order 10.
    for graph in range(4):
        beads = given.batch.beads_of(graph)
        a, b = vectors[beads].flatten(0, 1), of_turned[beads].flatten(0, 1)
        torch.testing.assert_close(b @ b.T, a @ a.T, atol=1e-3, rtol=1e-5)
    edges = [
        build_graph(w.history[:, -1], w.batch, 5.0).edge_vectors(w.history[:, -1]).norm(dim=-1).sort().values
        for w in (given, turned)
    ]
    torch.testing.assert_close(edges[0], edges[1], atol=1e-3, rtol=0)


def window(trained: CoarseGrainedModel, seed: int = 0) -> Window:
    systems = [inputs_of(trained, ATOMS, MAPPING, cell) for cell in (OPEN, TRICLINIC)]
    trainer = TrainingModule(trained, TrainingSettings(), systems, systems, UNKNOWN)
    with torch.no_grad():
        return trainer._window(windows(systems, 4, seed), systems)


def test_likelihood_is_the_gaussians_own_per_coordinate():
    trained = model(refined=False)
    given = window(trained)
    losses = compute_losses(trained, given, 0.0, generator())
    graph = build_graph(given.history[:, -1], given.batch, 6.0)
    gaussian, _ = trained.dynamics(given.batch, given.history, graph)
    target = given.displacement / trained.dynamics.normalization.reference
    torch.testing.assert_close(losses.likelihood, -gaussian.log_prob(target).sum() / (3 * len(target)))
    assert losses.balance == 0.0
    assert losses.score == 0.0
    torch.testing.assert_close(losses.total, losses.likelihood)


def test_balance_adds_the_missing_weight_of_rare_beads_to_the_loss():
    trained = model(refined=False)
    given = window(trained)
    graph = build_graph(given.history[:, -1], given.batch, 6.0)
    gaussian, _ = trained.dynamics(given.batch, given.history, graph)
    target = given.displacement / trained.dynamics.normalization.reference
    each = -gaussian.conditional_log_prob(target) / 3.0
    # 4 windows of 5 polymer beads, 2 Li and 2 TFSI: with full balance a class weighs 1/3, of which it has 5/9 or 2/9.
    names = trained.scales.class_names
    counts = torch.bincount(given.batch.bead_class).tolist()
    assert dict(zip(names, counts, strict=True)) == {"polymer": 20, "Li": 8, "TFSI": 8}
    rare = given.batch.bead_class != names.index("polymer")
    expected = (1 / 3 - 2 / 9) * 2 * each[rare].mean()
    torch.testing.assert_close(compute_losses(trained, given, 1.0, generator()).balance, expected)


@pytest.mark.parametrize("prior", ["independent", "gaussian"])
def test_denoiser_that_gives_back_the_clean_positions_has_no_loss(prior):
    """The regression target and the denoiser's output use one and the same prior and scale."""
    trained = model(refined=True, prior=prior)
    given = window(trained)
    clean = given.history[:, -1] + given.displacement
    refiner = trained.refiner

    def perfect(batch, _history, _gaussian, _latents, _positions, noise_level, expected):
        return (clean - expected) / refiner.output_scale(batch, noise_level)

    before = compute_losses(trained, given, 0.5, generator()).score
    refiner.forward = perfect
    after = compute_losses(trained, given, 0.5, generator()).score
    assert before > 0.1
    # Differences of float32 positions of order 10, divided by noise levels down to 0.05.
    assert after < 1e-6


@pytest.mark.parametrize("level", [0.1, 1.0, 4.0])
def test_untrained_correction_leaves_the_exact_denoiser_of_a_gaussian(level):
    """With F = 0 it is Bayes' rule for data that spread by their class's scale about the mean (Karras et al. 2022)."""
    trained = model(refined=True)
    refiner = trained.refiner
    torch.nn.init.zeros_(refiner.readout.weight)
    given = window(trained)
    graph = build_graph(given.history[:, -1], given.batch, 6.0)
    with torch.no_grad():
        gaussian, latents = trained.dynamics(given.batch, given.history, graph)
    mean = given.history[:, -1] + refiner.normalization.reference * gaussian.mean
    noise = given.batch.remove_drift(torch.randn(mean.shape, generator=generator()))
    noised = (mean + level * noise).requires_grad_(True)
    levels = torch.full((len(given.batch.sizes),), level)
    denoised = refiner.denoise(given.batch, given.history, gaussian, latents, noised, levels)
    spread = torch.tensor(trained.scales.displacement)[given.batch.bead_class][:, None]
    density = torch.distributions.Normal(mean, (spread.square() + level**2).sqrt())
    (score,) = torch.autograd.grad(density.log_prob(noised).sum(), noised)
    # Positions of order 10 in float32, divided by level^2.
    torch.testing.assert_close((denoised - noised) / level**2, score, atol=5e-6 / level**2, rtol=1e-4)


@pytest.mark.parametrize("level", [0.1, 1.0, 4.0])
def test_untrained_correction_of_the_gaussian_prior_leaves_the_exact_denoiser_of_the_dynamics_network(level):
    """With F = 0 the score is that of the Gaussian with noise of variance level^2 everywhere, drift removed."""
    trained = model(refined=True, prior="gaussian")
    refiner = trained.refiner
    torch.nn.init.zeros_(refiner.readout.weight)
    given = window(trained)
    graph = build_graph(given.history[:, -1], given.batch, 6.0)
    with torch.no_grad():
        gaussian, latents = trained.dynamics(given.batch, given.history, graph)
    assert not gaussian.is_independent
    reference = refiner.normalization.reference
    mean = given.history[:, -1] + reference * gaussian.mean
    noised = mean + level * given.batch.remove_drift(torch.randn(mean.shape, generator=generator()))
    levels = torch.full((len(given.batch.sizes),), level)
    denoised = refiner.denoise(given.batch, given.history, gaussian, latents, noised, levels)
    precision = torch.block_diag(
        *(m[: 3 * n, : 3 * n] for m, n in zip(gaussian.dense_precision(), gaussian.sizes, strict=True))
    )
    covariance = reference**2 * torch.linalg.inv(precision) + level**2 * torch.eye(len(precision))
    score = -torch.linalg.solve(covariance, (noised - mean).double().ravel()).view(-1, 3)
    present = given.history[:, -1]
    exact = present + given.batch.remove_drift((noised + level**2 * score - present).float())
    # Positions of order 10 in float32; conjugate gradients to 1e-4.
    torch.testing.assert_close(denoised, exact, atol=2e-4, rtol=0)


@pytest.mark.parametrize("prior", ["independent", "gaussian"])
def test_refiner_does_not_move_the_dynamics_network(prior):
    trained = model(refined=True, prior=prior)
    compute_losses(trained, window(trained), 0.5, generator()).score.backward()
    assert all(p.grad is None or not p.grad.any() for p in trained.dynamics.parameters())
    assert any(p.grad is not None and p.grad.any() for p in trained.refiner.parameters())


def test_losses_depend_on_the_generator_alone():
    trained = model(refined=True)
    given = window(trained)
    one, two, three = (compute_losses(trained, given, 0.5, generator(s)) for s in (0, 0, 1))
    assert one.score == two.score
    assert one.score != three.score
    assert one.likelihood == three.likelihood
    copied = replace(given, displacement=given.displacement.clone())
    assert compute_losses(trained, copied, 0.5, generator()).score == one.score
