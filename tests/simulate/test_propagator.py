import numpy as np
import pytest
import torch
from systems import OPEN, TRICLINIC, electrolyte, inputs_of, random_model

from cgsim.graph import BeadBatch, build_graph
from cgsim.mapping import MappingSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.inputs import make_batch
from cgsim.models.interface import Propagator
from cgsim.models.model import ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.models.refiner import RefinerSettings
from cgsim.simulate import propagator as module
from cgsim.simulate.propagator import Calibration, LearnedPropagator
from cgsim.simulate.sampler import SamplerSettings
from cgsim.simulate.stability import TrainingRange

MAPPING = MappingSettings()
NETWORK = NetworkSettings(latent=8, n_steps=2, n_vectors=4, n_radial=4)
UNGUARDED = SamplerSettings(guard=False)
N_CLASSES = 3
CALIBRATION = Calibration(own_error=1.3, noise_scale=(1.0,) * N_CLASSES)


def situation(
    *, refined: bool, noise: str = "pair", copies: int = 1, sampler: SamplerSettings = UNGUARDED
) -> tuple[LearnedPropagator, torch.Tensor, BeadBatch]:
    """A random model at work on electrolytes, the odd ones in a cell and the even ones in open space."""
    atoms = electrolyte(1, 4, 2)
    settings = ModelSettings(
        lag_time=1.0,
        dynamics=DynamicsSettings(network=NETWORK, cutoff=6.0, noise=noise, free_centre=True),
        refiner=RefinerSettings(network=NETWORK, cutoff=6.0) if refined else None,
    )
    model = random_model(settings, [atoms], MAPPING)
    systems = [inputs_of(model, atoms, MAPPING, cell) for cell in (OPEN, TRICLINIC)]
    with torch.no_grad():
        batch = make_batch(systems, [0, 1] * copies, model.embedding)
    rng = np.random.default_rng(0)
    one = rng.uniform(0.0, 10.0, size=(systems[0].n_beads, 1, 3)) + rng.normal(size=(systems[0].n_beads, 2, 3))
    history = torch.from_numpy(np.concatenate([one] * (2 * copies))).float()
    n = len(model.scales.class_names)
    seen = TrainingRange(longest_bond=4.0, closest_pair=((0.5,) * n,) * n)
    return LearnedPropagator(model, sampler, CALIBRATION, [seen]), history, batch


def centres(batch, displacements: torch.Tensor) -> torch.Tensor:
    """Displacement of each system's centre of mass."""
    means = [torch.sum(batch.masses[b, None] * displacements[b], 0) / batch.masses[b].sum()
             for b in map(batch.beads_of, range(len(batch.sizes)))]  # fmt: skip
    return torch.stack(means)


def test_forces_within_a_system_do_not_move_its_centre_of_mass():
    # An isolated system: the mean displacement of its centre is zero, whatever the configuration.
    propagator, history, batch = situation(refined=False)
    graph = build_graph(history[:, -1], batch, 6.0)
    with torch.no_grad():
        gaussian, _ = propagator.model.dynamics(batch, history, graph)
    largest = gaussian.mean.abs().max()
    assert largest > 1e-3
    assert centres(batch, gaussian.mean).abs().max() < 1e-5 * largest


def test_free_centres_diffuse_inversely_to_the_mass_whatever_the_networks_draw():
    copies = 500
    propagator, history, batch = situation(refined=True, copies=copies)
    propagator.calibration = CALIBRATION.model_copy(update={"centre_variance": 7.0})
    moves = centres(batch, propagator.draw(batch, history, generator()) - history[:, -1])
    assert moves[batch.is_periodic].abs().max() < 1e-5  # weighted sums of a dozen float32 coordinates of order 10
    free = moves[~batch.is_periodic] * (batch.total_mass[~batch.is_periodic] / 7.0).sqrt()[:, None]
    # 1,500 standard normal numbers: mean and variance within 4.5 standard errors.
    assert abs(float(free.mean())) < 4.5 / (3 * copies) ** 0.5
    assert abs(float(free.var()) - 1.0) < 4.5 * (2 / (3 * copies)) ** 0.5


def test_free_centres_do_not_depend_on_the_motion_within():
    copies = 500
    propagator, history, batch = situation(refined=False, copies=copies)
    propagator.calibration = CALIBRATION.model_copy(update={"centre_variance": 7.0})
    moved = propagator.draw(batch, history, generator()) - history[:, -1]
    within = (moved - batch.centre_of_mass(moved)).view(copies, 2, -1, 3)[:, 0].flatten(1)
    centre = centres(batch, moved).view(copies, 2, 3)[:, 0]
    both = torch.corrcoef(torch.cat([centre, within], dim=1).double().T)[:3, 3:]
    assert both.abs().max() < 5.0 / copies**0.5  # the largest of a hundred correlations of independent numbers


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_learned_model_is_a_propagator():
    propagator, _, _ = situation(refined=False)
    assert isinstance(propagator, Propagator)
    assert propagator.history_offsets == (0, 1)


@pytest.mark.parametrize("refined", [False, True])
def test_centre_of_mass_stays_in_periodic_systems_and_diffuses_in_open_ones(refined):
    propagator, history, batch = situation(refined=refined)
    moved = centres(batch, propagator.draw(batch, history, generator()) - history[:, -1])
    assert moved[0].abs().max() > 0.01
    # Weighted sums of a dozen float32 coordinates of order 10.
    assert moved[1].abs().max() < 1e-5


def test_draw_without_refiner_has_the_gaussians_mean_and_spread():
    copies = 400
    propagator, history, batch = situation(refined=False, noise="independent", copies=copies)
    drawn = propagator.draw(batch, history, generator()) - history[:, -1]
    graph = build_graph(history[:, -1], batch, propagator.model.settings.dynamics.cutoff)
    with torch.no_grad():
        gaussian, _ = propagator.model.dynamics(batch, history, graph)
    reference = propagator.model.dynamics.normalization.reference
    n = batch.sizes[0]
    open_only = drawn.view(copies, 2, n, 3)[:, 0].double()
    mean, std = (reference * gaussian.mean[:n]).double(), reference * gaussian.precision[:n].rsqrt()[:, None].double()
    assert ((open_only.mean(0) - mean) / (std / copies**0.5)).abs().max() < 4.5
    # The relative error of a variance is sqrt(2 / copies).
    assert ((open_only.var(0) / std.square() - 1.0) / (2.0 / copies) ** 0.5).abs().max() < 4.5


def test_noise_scale_stretches_the_noise_and_not_the_mean():
    propagator, history, batch = situation(refined=False)
    draws = []
    for scale in (0.0, 1.0, 2.0):
        propagator.noise_scale = torch.full((N_CLASSES,), scale)
        draws.append(propagator.draw(batch, history, generator()))
    assert not torch.equal(draws[1], draws[0])
    # Coordinates of order 10 in float32.
    torch.testing.assert_close(draws[2] - draws[0], 2.0 * (draws[1] - draws[0]), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("start", "expected"), [("matched", CALIBRATION.own_error), (0.7, 0.7)])
def test_refinement_starts_at_the_models_own_error_or_where_it_is_told(start, expected, monkeypatch):
    propagator, history, batch = situation(refined=True, sampler=starting_at(start))
    starts = []
    refine = module.refine

    def watched(denoise, positions, settings, start, *rest):
        starts.append(start)
        return refine(denoise, positions, settings, start, *rest)

    monkeypatch.setattr(module, "refine", watched)
    propagator.draw(batch, history, generator())
    assert starts == [expected]


@pytest.mark.parametrize(("scaled", "expected"), [("draw", 1.0), ("start", 1.3)])
def test_first_noise_is_spread_where_the_whole_start_is_scaled(scaled, expected, monkeypatch):
    propagator, history, batch = situation(refined=True, sampler=UNGUARDED.model_copy(update={"scaled": scaled}))
    propagator.noise_scale = torch.full((N_CLASSES,), 1.3)
    spreads = []
    refine = module.refine

    def watched(denoise, positions, settings, start, source, spread):
        spreads.append(torch.as_tensor(spread))
        return refine(denoise, positions, settings, start, source, spread)

    monkeypatch.setattr(module, "refine", watched)
    propagator.draw(batch, history, generator())
    assert spreads[0].unique().tolist() == pytest.approx([expected])


def test_guidance_ends_at_its_noise_level(monkeypatch):
    sampler = SamplerSettings(start=4.0, end=0.25, n_levels=5, guidance=0.4, guidance_end=1.2, guard=False)
    propagator, history, batch = situation(refined=True, sampler=sampler)
    refiner, seen = propagator.model.refiner, []
    assert refiner is not None
    denoise = refiner.denoise

    def watched(*arguments):
        seen.append((float(arguments[5][0]), arguments[6]))
        return denoise(*arguments)

    monkeypatch.setattr(refiner, "denoise", watched)
    propagator.draw(batch, history, generator())
    levels, guidance = zip(*seen, strict=True)
    assert levels == pytest.approx((4.0, 2.0, 1.0, 0.5, 0.25))
    assert guidance == (0.4, 0.4, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("refined", [False, True])
def test_scales_of_a_calibration_are_not_used_where_nothing_is_to_be_scaled(refined):
    calibration = CALIBRATION.model_copy(update={"noise_scale": (1.7,) * N_CLASSES})
    plain, history, batch = situation(refined=refined, sampler=UNGUARDED)
    seen = TrainingRange(longest_bond=4.0, closest_pair=((0.5,) * N_CLASSES,) * N_CLASSES)
    draws = []
    for scaled in ("none", "draw"):
        sampler = UNGUARDED.model_copy(update={"scaled": scaled})
        draws.append(LearnedPropagator(plain.model, sampler, calibration, [seen]).draw(batch, history, generator()))
    assert torch.equal(draws[0], plain.draw(batch, history, generator()))
    assert not torch.equal(draws[0], draws[1])


def starting_at(start: float | str) -> SamplerSettings:
    return SamplerSettings.model_validate({**UNGUARDED.model_dump(), "start": start})


@pytest.mark.parametrize("refined", [False, True])
def test_draw_depends_on_the_generator_alone_and_leaves_the_model_as_it_was(refined):
    propagator, history, batch = situation(refined=refined)
    before = {name: value.clone() for name, value in propagator.model.state_dict().items()}
    one, two, three = (propagator.draw(batch, history, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    assert not one.requires_grad
    for name, value in propagator.model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_draw_does_not_depend_on_where_the_cell_lies():
    propagator, history, batch = situation(refined=True)
    batch = batch.select([1])
    n = batch.sizes[0]
    images = torch.tensor([1.0, -2.0, 3.0]) @ batch.cell[0]
    here = propagator.draw(batch, history[:n], generator())
    there = propagator.draw(batch, history[:n] + images, generator())
    # Coordinates of order 50 in float32 through a random network of slope about 10.
    torch.testing.assert_close(there - images, here, atol=5e-3, rtol=0)


def test_guard_can_be_switched_off():
    guarded, history, batch = situation(refined=False, sampler=SamplerSettings())
    assert guarded.sampler.guard
    free, _, _ = situation(refined=False)
    assert not torch.equal(guarded.draw(batch, history, generator()), free.draw(batch, history, generator()))
    assert guarded.n_guarded.sum() > 0
    assert free.n_guarded.sum() == 0


@pytest.mark.parametrize("method", ["multistep", "heun", "ancestral", "langevin", "published"])
def test_guard_acts_once_on_what_the_refinement_ends_with(method):
    sampler = {"method": method, "start": 1.0, "n_levels": 3}
    guarded, history, batch = situation(refined=True, sampler=SamplerSettings(**sampler))
    free, _, _ = situation(refined=True, sampler=SamplerSettings(**sampler, guard=False))
    present = history[:, -1]
    drawn = free.draw(batch, history, generator())
    assert free.n_guarded.tolist() == [0, 0]
    kept, n_out = guarded.guard(drawn, present, batch)
    assert (n_out > 0).all()  # the random network tears bonds
    found = guarded.draw(batch, history, generator())
    assert guarded.n_guarded.tolist() == n_out.tolist()
    # The box as a whole may stand elsewhere before the guard acts than after; coordinates of order 10 in float32.
    torch.testing.assert_close(found, present + batch.remove_drift(kept - present), atol=1e-4, rtol=0)
