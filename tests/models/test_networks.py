"""Laws that every network keeps, whichever body it has."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from systems import TRICLINIC, electrolyte, inputs_of, molecule, random_model

from cgsim.graph import BeadBatch, build_graph
from cgsim.mapping import MappingSettings, partition
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.embedding import AtomGraph, EmbeddingSettings
from cgsim.models.gaussian import GaussianDisplacement
from cgsim.models.inputs import make_batch
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.models.refiner import RefinerSettings

MAPPING = MappingSettings()
CUBIC = np.diag([15.0, 15.0, 15.0])
SYSTEMS = [(electrolyte(2, 4, 2), TRICLINIC), (electrolyte(1, 9, 1), CUBIC), (molecule("[Li+]"), CUBIC)]
ROTATION = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]  # a reflection too: its determinant is -1
KINDS = ["plain", "equivariant"]


def model_with(
    kind, noise="pair", target="displacement", offsets=(0, 1, 3), geometry="expected", prior="gaussian"
) -> CoarseGrainedModel:
    network = NetworkSettings(kind=kind, latent=16, n_steps=2, n_vectors=4, n_radial=6)
    settings = ModelSettings(
        lag_time=1.0,
        history_offsets=offsets,
        embedding=EmbeddingSettings(type_size=4, latent=8, n_steps=2, size=5, boundaries=True, bond_size=3),
        dynamics=DynamicsSettings(
            network=network, noise=noise, target=target, cutoff=6.0, ion_cutoff=9.0, solvation_cutoff=7.0
        ),
        refiner=RefinerSettings(
            network=network, cutoff=5.0, ion_cutoff=8.0, solvation_cutoff=6.0, prior=prior, geometry=geometry
        ),
    )
    return random_model(settings, [atoms for atoms, _ in SYSTEMS], MAPPING).double()


def batch_with(model: CoarseGrainedModel, which: list[int]) -> BeadBatch:
    systems = [inputs_of(model, atoms, MAPPING, cell) for atoms, cell in SYSTEMS]
    # The embedding runs in double precision here, the rest of the inputs is exact in either.
    systems = [
        replace(s, atom_graph=replace(s.atom_graph, masses=s.atom_graph.masses.double()), masses=s.masses.double(),
                cell=s.cell.double())
        for s in systems
    ]  # fmt: skip
    return make_batch(systems, which, model.embedding)


def histories(model: CoarseGrainedModel, which: list[int], seed: int = 0) -> list[torch.Tensor]:
    """One history for each system asked for: anywhere in the cell, moving by about 1."""
    out = []
    for k in which:
        atoms, cell = SYSTEMS[k]
        rng = np.random.default_rng(seed + k)
        n = inputs_of(model, atoms, MAPPING, cell).n_beads
        present = rng.uniform(size=(n, 1, 3)) @ cell
        steps = rng.normal(size=(n, len(model.settings.history_offsets), 3))
        steps[:, -1] = 0.0
        out.append(torch.from_numpy(present + np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]))
    return out


def run(model: CoarseGrainedModel, batch: BeadBatch, history: torch.Tensor, following: torch.Tensor):
    """Everything that the model says of one situation."""
    graph = model.dynamics.graph(batch, history)
    gaussian, latents = model.dynamics(batch, history, graph)
    levels = torch.full((len(batch.sizes),), 1.0, dtype=torch.float64)
    clean = model.refiner.denoise(batch, history, gaussian, latents, following, levels)
    return gaussian, latents, clean - history[:, -1]


def following(history: torch.Tensor, seed: int = 9) -> torch.Tensor:
    noise = np.random.default_rng(seed).normal(scale=1.5, size=(len(history), 3))
    return history[:, -1] + torch.from_numpy(noise)


def dense(gaussian: GaussianDisplacement) -> torch.Tensor:
    return torch.block_diag(
        *(m[: 3 * n, : 3 * n] for m, n in zip(gaussian.dense_precision(), gaussian.sizes, strict=True))
    )


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal up to the order of summation, in double precision."""
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_gives_each_system_what_it_gets_alone(kind):
    model = model_with(kind)
    which = [1, 0, 2, 0]
    alone = [
        run(model, batch_with(model, [k]), h, following(h)) for k, h in zip(which, histories(model, which), strict=True)
    ]
    history = torch.cat(histories(model, which))
    gaussian, latents, _ = run(model, batch_with(model, which), history, following(history))
    assert_close(gaussian.mean, torch.cat([g.mean for g, _, _ in alone]))
    assert_close(dense(gaussian), torch.block_diag(*(dense(g) for g, _, _ in alone)))
    assert_close(latents.scalars, torch.cat([a.scalars for _, a, _ in alone]))
    assert_close(latents.vectors, torch.cat([a.vectors for _, a, _ in alone]))


@pytest.mark.parametrize("kind", KINDS)
def test_denoiser_gives_each_system_of_a_batch_what_it_gets_alone(kind):
    model = model_with(kind)
    which = [2, 1, 0]
    parts = histories(model, which)

    levels = torch.tensor([3.0, 0.7, 0.2], dtype=torch.float64)

    def denoise(batch, history, levels):
        graph = model.dynamics.graph(batch, history)
        gaussian, latents = model.dynamics(batch, history, graph)
        noised = history[:, -1] + torch.sin(7.0 * history[:, -1])
        return model.refiner.denoise(batch, history, gaussian, latents, noised, levels)

    alone = [
        denoise(batch_with(model, [k]), h, levels[n : n + 1]) for n, (k, h) in enumerate(zip(which, parts, strict=True))
    ]
    assert_close(denoise(batch_with(model, which), torch.cat(parts), levels), torch.cat(alone))


def rotated(batch: BeadBatch, rotation: torch.Tensor) -> BeadBatch:
    return replace(batch, cell=batch.cell @ rotation.T)


@pytest.mark.parametrize("target", ["displacement", "acceleration"])
@pytest.mark.parametrize(
    ("noise", "geometry", "prior"),
    [
        ("pair", "expected", "gaussian"),
        ("smooth", "expected", "gaussian"),
        ("independent", "noised", "independent"),
        ("independent", "noised", "gaussian"),
    ],
)
def test_equivariant_network_turns_with_the_world_and_its_scalars_do_not(noise, geometry, prior, target):
    model = model_with("equivariant", noise, target, geometry=geometry, prior=prior)
    batch, rotation = batch_with(model, [0, 1]), torch.from_numpy(ROTATION)
    history = torch.cat(histories(model, [0, 1]))
    gaussian, latents, clean = run(model, batch, history, following(history))
    turned = run(model, rotated(batch, rotation), history @ rotation.T, following(history) @ rotation.T)
    assert_close(turned[0].mean, gaussian.mean @ rotation.T)
    assert_close(turned[0].precision, gaussian.precision)
    every = torch.block_diag(*[rotation] * len(history))
    assert_close(dense(turned[0]), every @ dense(gaussian) @ every.T)
    for name in ("along", "across"):
        assert_close(getattr(turned[0].pairs, name).sort().values, getattr(gaussian.pairs, name).sort().values)
    assert_close(turned[1].scalars, latents.scalars)
    assert_close(turned[1].vectors, latents.vectors @ rotation.T)
    assert_close(turned[2], clean @ rotation.T)
    # None of this would mean anything if the network gave nothing.
    assert gaussian.mean.abs().max() > 0.01
    assert clean.abs().max() > 0.01


@pytest.mark.parametrize("geometry", ["noised", "expected"])
@pytest.mark.parametrize("kind", KINDS)
def test_networks_do_not_know_where_they_are_nor_in_which_image(kind, geometry):
    model = model_with(kind, geometry=geometry)
    batch = batch_with(model, [0, 1])
    history = torch.cat(histories(model, [0, 1]))
    expected = run(model, batch, history, following(history))
    images = torch.from_numpy(np.random.default_rng(1).integers(-3, 4, size=(len(history), 1, 3))).double()
    shift = torch.einsum("nhx,nxy->nhy", images, batch.cell[batch.graph_index]) + torch.tensor([5.0, -3.0, 40.0])
    found = run(model, batch, history + shift, following(history) + shift[:, 0])
    assert_close(found[0].mean, expected[0].mean)
    assert_close(dense(found[0]), dense(expected[0]))
    assert_close(found[1].scalars, expected[1].scalars)
    assert_close(found[2], expected[2])


def test_plain_network_does_see_directions():
    # Otherwise rotation augmentation would be pointless; this is what sets it apart from the equivariant one.
    model = model_with("plain")
    batch, rotation = batch_with(model, [0]), torch.from_numpy(ROTATION)
    (history,) = histories(model, [0])
    gaussian, _, _ = run(model, batch, history, following(history))
    turned, _, _ = run(model, rotated(batch, rotation), history @ rotation.T, following(history) @ rotation.T)
    assert (turned.mean - gaussian.mean @ rotation.T).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", ["pair", "smooth", "independent"])
def test_every_bead_keeps_at_least_the_smallest_standard_deviation(kind, noise):
    model = model_with(kind, noise)
    history = torch.cat(histories(model, [0]))
    gaussian, _, _ = run(model, batch_with(model, [0]), history, following(history))
    std = gaussian.precision.rsqrt() * model.dynamics.normalization.reference
    assert (std > model.settings.dynamics.std_floor).all()
    assert gaussian.is_independent == (noise == "independent")
    assert (gaussian.pairs.along >= 0).all()
    assert (gaussian.pairs.across >= 0).all()


def test_acceleration_target_continues_the_last_displacement():
    displacement, acceleration = (model_with("equivariant", target=t) for t in ("displacement", "acceleration"))
    history = torch.cat(histories(displacement, [0]))
    reference = displacement.dynamics.normalization.reference
    first, _, _ = run(displacement, batch_with(displacement, [0]), history, following(history))
    second, _, _ = run(acceleration, batch_with(acceleration, [0]), history, following(history))
    continued = batch_with(displacement, [0]).remove_drift(history[:, -1] - history[:, -2])
    assert_close(second.mean * reference, first.mean * reference + continued)


@pytest.mark.parametrize("kind", KINDS)
def test_model_without_history_runs(kind):
    model = model_with(kind, offsets=(0,))
    history = torch.cat(histories(model, [0, 2]))
    gaussian, _, clean = run(model, batch_with(model, [0, 2]), history, following(history))
    assert torch.isfinite(gaussian.mean).all()
    assert torch.isfinite(clean).all()


@pytest.mark.parametrize("kind", KINDS)
def test_two_beads_in_the_same_place_give_finite_values_and_gradients(kind):
    model = model_with(kind)
    history = torch.cat(histories(model, [0]))
    history[1] = history[0]
    history[:, 0] = history[:, 1]
    gaussian, _, clean = run(model, batch_with(model, [0]), history, history[:, -1])
    (gaussian.log_prob(torch.zeros_like(gaussian.mean)).sum() + clean.sum()).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(g).all() for g in gradients)


def test_embedding_of_a_bead_depends_on_its_own_molecule_only_and_not_on_the_order_of_atoms():
    model = model_with("equivariant")
    alone, beside = electrolyte(1, 4, 0), electrolyte(1, 4, 3)
    graphs = [AtomGraph.of(a, partition(a, MAPPING), model.vocabulary, "test") for a in (alone, beside)]
    graphs = [replace(g, masses=g.masses.double()) for g in graphs]
    embedded = [model.embedding(g) for g in graphs]
    n_beads, n_bonds = graphs[0].n_beads, graphs[0].bead_bonds.shape[1]
    assert_close(embedded[1].beads[:n_beads], embedded[0].beads)
    assert_close(embedded[1].bonds[:, :n_bonds], embedded[0].bonds)
    together = model.embedding(AtomGraph.concatenate(graphs))
    assert_close(together.beads, torch.cat([e.beads for e in embedded]))
    assert_close(together.bonds, torch.cat([e.bonds for e in embedded], dim=1))


def test_denoiser_sees_the_expected_geometry_at_high_noise_and_the_noised_one_at_low_noise(monkeypatch):
    model, seen = model_with("equivariant", prior="independent"), []
    batch = batch_with(model, [0])
    (history,) = histories(model, [0])
    gaussian, latents = model.dynamics(batch, history, model.dynamics.graph(batch, history))
    mean, noised = history[:, -1] + model.refiner.normalization.reference * gaussian.mean, following(history)
    noised = history[:, -1] + batch.remove_drift(noised - history[:, -1])

    def watched(positions, *arguments):
        seen.append(positions)
        return build_graph(positions, *arguments)

    monkeypatch.setattr("cgsim.models.network.build_graph", watched)
    scale = model.refiner.normalization.displacement(batch.bead_class)
    for level in (1e-4, 1.0, 1e4):
        model.refiner.denoise(batch, history, gaussian, latents, noised, scale.new_full((1,), level))
    skip = (scale**2 / (scale**2 + 1.0))[:, None]
    for positions, wanted in zip(seen, (noised, mean + skip * (noised - mean), mean), strict=True):
        torch.testing.assert_close(positions, wanted.detach(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("prior", ["independent", "gaussian"])
def test_guidance_goes_on_from_what_the_prior_expects_through_what_the_network_says(prior):
    model = model_with("equivariant", prior=prior)
    batch, (history,) = batch_with(model, [0]), histories(model, [0])
    gaussian, latents = model.dynamics(batch, history, model.dynamics.graph(batch, history))
    noised = following(history)
    levels = noised.new_full((1,), 1.2)
    given = (batch, history, gaussian, latents, noised, levels)
    present = history[:, -1]
    still = present + batch.remove_drift(noised - present)
    prior_expects = model.refiner.expect(batch, present, gaussian, still, levels)
    said = model.refiner.denoise(*given)
    assert float((said - prior_expects).detach().norm()) > 1e-2
    guided = model.refiner.denoise(*given, guidance=0.4)
    torch.testing.assert_close(guided, prior_expects + 1.4 * (said - prior_expects))


@pytest.mark.parametrize("kind", KINDS)
def test_ions_feel_each_other_beyond_the_range_of_chains(kind):
    model, moved = model_with(kind), 0.5
    batch = batch_with(model, [1])
    (history,) = histories(model, [1])
    chain = torch.nonzero(~batch.is_ion).ravel()
    history[chain] = history[chain] * 0.01  # out of everybody's way
    first, second = batch.ions[:2]
    present = torch.tensor([[7.0, 0.0, 0.0], [7.0, 0.0, 7.3]], dtype=torch.float64)  # beyond 6, within 9
    history[batch.ions[:2]] = present[:, None].expand(-1, history.shape[1], -1)
    elsewhere = history.clone()
    elsewhere[second, :, 2] += moved
    felt = [model.dynamics(batch, h, model.dynamics.graph(batch, h))[0].mean[first] for h in (history, elsewhere)]
    assert (felt[0] - felt[1]).abs().max() > 1e-6
