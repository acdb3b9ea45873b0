import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cgsim.models.equivariant import RadialBasis, safe_norm
from cgsim.models.message_passing import EdgeMLP, sum_to_receivers
from cgsim.models.normalization import Normalization, Scales


def test_factorised_edge_update_is_that_of_the_concatenated_features():
    torch.manual_seed(0)
    layer = EdgeMLP(5, 8, n_hidden=2).double()
    edges, nodes = torch.randn(7, 5, dtype=torch.float64), torch.randn(4, 8, dtype=torch.float64)
    edge_index = torch.randint(4, (2, 7))
    together = torch.cat([edges, nodes[edge_index[0]], nodes[edge_index[1]]], dim=-1)
    parts = (layer.from_edge.weight, layer.from_sender.weight, layer.from_receiver.weight)
    first = together @ torch.cat(parts, dim=1).T + layer.from_edge.bias
    torch.testing.assert_close(layer(edges, nodes, edge_index), layer.rest(F.silu(first)))


def test_messages_are_summed_at_their_receivers():
    messages = torch.arange(12.0).view(4, 3)
    summed = sum_to_receivers(messages, torch.tensor([2, 0, 2, 2]), 4)
    expected = torch.stack([messages[1], torch.zeros(3), messages[0] + messages[2] + messages[3], torch.zeros(3)])
    torch.testing.assert_close(summed, expected)


def test_length_of_no_vector_has_a_finite_gradient():
    vectors = torch.tensor([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]], requires_grad=True)
    lengths = safe_norm(vectors)
    lengths.sum().backward()
    assert lengths[1].item() == pytest.approx(5.0)
    assert lengths[0].item() < 1e-3
    torch.testing.assert_close(vectors.grad, torch.tensor([[0.0, 0.0, 0.0], [0.6, 0.8, 0.0]]))


def test_radial_basis_tells_all_lengths_apart_and_close_contacts_best():
    basis = RadialBasis(16, 7.0)
    lengths = torch.linspace(0.0, 30.0, 301)
    values = basis(lengths)
    assert torch.isfinite(values).all()
    change = values.diff(dim=0).norm(dim=-1) / lengths.diff()
    assert change.min() > 0.02
    assert change[lengths[1:] < 1.0].mean() > 2.0 * change[(lengths[1:] > 5.0) & (lengths[1:] < 6.0)].mean()


SCALES = Scales(
    class_names=("a", "b"),
    displacement=(2.0, 4.0),
    history=((1.0, 2.0), (4.0, 8.0)),
    mass=(10.0, 20.0),
    length=3.0,
    radial_range=9.0,
    mean_degree=5.0,
)


def test_every_class_is_measured_on_its_own_scale():
    normalization, bead_class = Normalization(SCALES), torch.tensor([0, 1, 1])
    assert normalization.displacement(bead_class).tolist() == [2.0, 4.0, 4.0]
    assert normalization.mass(torch.tensor([10.0, 10.0, 30.0]), bead_class).tolist() == [0.0, -0.5, 0.5]
    assert normalization.reference == pytest.approx(10.0**0.5)
    history = torch.tensor([[1.0, 3.0, 9.0]]).T[None].expand(3, 3, 3)
    found = normalization.history(history, bead_class)
    np.testing.assert_allclose(found[:, :, 0], [[2.0, 3.0], [0.5, 0.75], [0.5, 0.75]])


def test_unscaled_model_sees_plain_numbers():
    normalization, bead_class = Normalization(SCALES.unscaled()), torch.tensor([0, 1])
    history = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(normalization.history(history, bead_class), history.diff(dim=1))
    assert normalization.displacement(bead_class).tolist() == [1.0, 1.0]
    assert (normalization.reference, normalization.length) == (1.0, 1.0)
    assert SCALES.unscaled().radial_range == 9.0
