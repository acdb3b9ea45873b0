"""Pieces of the equivariant network."""

import numpy as np
import torch

from cgsim.models.equivariant import RadialBasis


def test_radial_basis_is_gaussians_of_the_root_of_the_length_and_never_denormal():
    basis = RadialBasis(24, 12.0)
    lengths = torch.linspace(0.0, 40.0, 4001)
    values = basis(lengths)
    centers = np.linspace(0.0, 12.0**0.5, 24)
    exact = np.exp(-np.square((np.sqrt(lengths.numpy()[:, None] + 1e-8) - centers) * 23 / 12.0**0.5))
    np.testing.assert_allclose(values[:, :-1].numpy(), exact, atol=1e-5)
    # Arithmetic with denormal numbers is ten times slower, and so would be products of gradients with those near them.
    assert float(values[:, :-1].min()) > 1e10 * torch.finfo(torch.float32).tiny
