"""Laws of the size head, whichever body it has."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from systems import OPEN, TRICLINIC, electrolyte, inputs_of, random_model, trained_model

from cgsim.checkpoint import load_model, save_model
from cgsim.graph import BeadBatch
from cgsim.mapping import MappingSettings
from cgsim.models.bead_size import BeadSizeSettings, SmallNetworkSettings
from cgsim.models.dynamics import DynamicsSettings
from cgsim.models.inputs import make_batch
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.models.network import NetworkSettings
from cgsim.simulate import bead_sizes
from cgsim.simulate.bead_sizes import BeadSizes

MAPPING = MappingSettings()
ATOMS = electrolyte(2, 4, 2)
KINDS = ["plain", "equivariant"]


def settings(kind: str = "equivariant", cutoff: float | None = None, *, head: bool = True) -> ModelSettings:
    network = NetworkSettings(kind=kind, latent=16, n_steps=2, n_vectors=4, n_radial=6)
    return ModelSettings(
        lag_time=1.0,
        dynamics=DynamicsSettings(network=network, cutoff=6.0),
        bead_size=BeadSizeSettings(network=SmallNetworkSettings(**dict(network)), cutoff=cutoff) if head else None,
    )


def model_with(kind: str = "equivariant", cutoff: float | None = None) -> CoarseGrainedModel:
    return random_model(settings(kind, cutoff), [ATOMS], MAPPING).double()


def batch_of(model: CoarseGrainedModel, cells: list[np.ndarray]) -> BeadBatch:
    systems = [inputs_of(model, ATOMS, MAPPING, cell) for cell in cells]
    # The embedding runs in double precision here, the rest of the inputs is exact in either.
    systems = [
        replace(s, atom_graph=replace(s.atom_graph, masses=s.atom_graph.masses.double()), masses=s.masses.double(),
                cell=s.cell.double())
        for s in systems
    ]  # fmt: skip
    return make_batch(systems, list(range(len(systems))), model.embedding)


def positions(n: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.0, 12.0, size=(n, 3)))


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal up to the order of summation, in double precision."""
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_before_training_every_bead_has_the_mean_size_of_its_class(kind):
    random = random_model(settings(kind), [ATOMS], MAPPING)
    model = CoarseGrainedModel(random.settings, random.scales, random.vocabulary)
    batch = make_batch([inputs_of(model, ATOMS, MAPPING, TRICLINIC)], [0], model.embedding)
    found = model.bead_size(batch, positions(len(batch.masses)).float())
    expected = torch.tensor(model.scales.squared_size)[batch.bead_class]
    torch.testing.assert_close(found, expected)
    assert len(set(expected.tolist())) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_positive_and_those_of_single_atoms_are_zero(kind):
    random = random_model(settings(kind), [ATOMS], MAPPING)
    sizes = tuple(0.0 if name == "Li" else 2.0 for name in random.scales.class_names)
    scales = random.scales.model_copy(update={"squared_size": sizes})
    model = CoarseGrainedModel(random.settings, scales, random.vocabulary)
    model.load_state_dict({k: v for k, v in random.state_dict().items() if "class_mean" not in k}, strict=False)
    batch = make_batch([inputs_of(model, ATOMS, MAPPING, TRICLINIC)], [0], model.embedding)
    x = positions(len(batch.masses)).float()
    found = model.bead_size(batch, x)
    is_ion = torch.tensor(scales.squared_size)[batch.bead_class] == 0
    assert is_ion.sum() == 2
    assert (found[is_ion] == 0).all()
    assert (found[~is_ion] > 0).all()
    assert found[~is_ion].std() > 0.01
    noise = torch.where(is_ion, 5.0, 0.0)  # what such a bead is said to be cannot matter
    wanted = torch.full_like(found, 1.5)
    assert torch.equal(model.bead_size.loss(batch, x, wanted), model.bead_size.loss(batch, x, wanted + noise))


def test_loss_is_the_mean_squared_error_relative_to_the_means_of_the_classes():
    model = model_with()
    batch = batch_of(model, [TRICLINIC])
    x = positions(len(batch.masses))
    found, mean = model.bead_size(batch, x), model.bead_size.class_mean[batch.bead_class]
    wanted = found + mean * 0.3
    assert_close(model.bead_size.loss(batch, x, wanted), torch.tensor(0.09, dtype=torch.float64))


@pytest.mark.parametrize("kind", KINDS)
def test_each_system_of_a_batch_gets_what_it_gets_alone(kind):
    model = model_with(kind)
    n = len(batch_of(model, [OPEN]).masses)
    parts = [positions(n, seed) for seed in (0, 1, 2)]
    cells = [OPEN, TRICLINIC, TRICLINIC]
    alone = [model.bead_size(batch_of(model, [c]), x) for c, x in zip(cells, parts, strict=True)]
    assert_close(model.bead_size(batch_of(model, cells), torch.cat(parts)), torch.cat(alone))


def test_sizes_do_not_depend_on_where_a_system_is_how_it_is_turned_and_which_image_it_is():
    model = model_with()
    batch = batch_of(model, [TRICLINIC])
    x = positions(len(batch.masses))
    expected = model.bead_size(batch, x)
    rng = np.random.default_rng(1)
    rotation = torch.from_numpy(np.linalg.qr(rng.normal(size=(3, 3)))[0])
    turned = replace(batch, cell=batch.cell @ rotation.T)
    assert_close(model.bead_size(turned, x @ rotation.T + 3.0), expected)
    images = torch.from_numpy(rng.integers(-2, 3, size=x.shape)).double() @ torch.from_numpy(TRICLINIC)
    assert_close(model.bead_size(batch, x + images), expected)


def test_head_looks_as_far_as_it_is_told_and_else_as_far_as_the_dynamics():
    near, same = model_with(cutoff=3.0), model_with()
    assert (near.bead_size.cutoff, same.bead_size.cutoff) == (3.0, 6.0)
    apart = 4.0 * torch.arange(20, dtype=torch.float64)[:, None] * torch.ones(3)

    def change(model):
        """What moving one lithium that nothing is bonded to changes."""
        batch = batch_of(model, [OPEN])
        x = apart[: len(batch.masses)].clone()
        ion = int(torch.nonzero(batch.bead_class == model.scales.class_names.index("Li"))[0])
        x[ion] = x[0] + torch.tensor([4.0, 0.0, 0.0])
        moved = x.clone()
        moved[ion] += torch.tensor([1.0, 0.0, 0.0])
        return (model.bead_size(batch, moved) - model.bead_size(batch, x)).abs().max()

    assert change(near) < 1e-12
    assert change(same) > 1e-3


def test_learning_sizes_moves_nothing_but_the_head():
    model = random_model(settings(), [ATOMS], MAPPING).train()
    batch = make_batch([inputs_of(model, ATOMS, MAPPING, TRICLINIC)], [0], model.embedding)
    assert batch.embedding.requires_grad
    x = positions(len(batch.masses)).float()
    model.bead_size.loss(batch, x, torch.ones(len(x))).backward()
    touched = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert touched == {"bead_size"}
    # The vectors of the last layer enter no scalar.
    untouched = [n for n, p in model.bead_size.named_parameters() if p.grad is None or not p.grad.any()]
    assert all("layers.1" in name or "encode_vectors" in name for name in untouched)


def test_copies_side_by_side_are_the_system_itself(monkeypatch):
    model = model_with()
    batch = batch_of(model, [TRICLINIC])
    n = len(batch.masses)
    frames = torch.stack([positions(n, seed) for seed in range(7)])
    expected = torch.stack([model.bead_size(batch, x) for x in frames])
    for at_once in (1, 3 * n, 100 * n):
        monkeypatch.setattr(bead_sizes, "BEADS_AT_ONCE", at_once)
        assert_close(BeadSizes(model, batch)(frames), expected)


def test_model_with_head_is_saved_and_read_to_the_last_bit(tmp_path):
    trained = trained_model(settings(cutoff=5.0), [ATOMS], MAPPING)
    save_model(tmp_path, trained.model, trained.card)
    loaded = load_model(tmp_path, torch.device("cpu"))
    assert loaded.card == trained.card
    assert loaded.card.scales.squared_size == trained.model.scales.squared_size
    expected = trained.model.state_dict()
    assert loaded.model.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.model.state_dict().items())


def test_model_without_head_is_what_it_was():
    plain, sized = (trained_model(settings(head=head), [ATOMS], MAPPING) for head in (False, True))
    assert not any("bead_size" in name for name in plain.model.state_dict())
    card, other = (json.loads(one.card.model_dump_json()) for one in (plain, sized))
    assert "bead_size" not in card["model"]
    assert "squared_size" not in card["scales"]
    del other["model"]["bead_size"], other["scales"]["squared_size"]
    assert card == other
