"""Shape of molecules from their gyration tensors."""

from dataclasses import dataclass

import numpy as np

from cgsim.typing import Array, Float64


@dataclass(frozen=True)
class Shape:
    """Invariants of gyration tensors (Theodorou and Suter, Macromolecules 18, 1206 (1985), eqs. 8-13).

    Attributes:
        moments: [..., 3], length^2, eigenvalues in ascending order; their sum is Rg^2.
        asphericity: length^2, largest moment less the mean of the others; 0 for a sphere, Rg^2 for a rod.
        acylindricity: length^2, difference of the two smaller moments; 0 where the shape is round about its long axis.
        anisotropy: relative shape anisotropy, kappa^2 = (asphericity^2 + 3/4 acylindricity^2) / Rg^4: 0 for a sphere or
            a cube, 1/4 for a regular ring, 1 for a rod; 0 for a single particle.
    """

    moments: Float64[Array, "*shape 3"]
    asphericity: Float64[Array, "*shape"]
    acylindricity: Float64[Array, "*shape"]
    anisotropy: Float64[Array, "*shape"]


def shape(tensor: Float64[Array, "*shape 3 3"]) -> Shape:
    """Invariants of gyration tensors, length^2 (:func:`cgsim.observables.structure.gyration_tensor`)."""
    moments = np.maximum(np.linalg.eigvalsh(tensor), 0.0)
    squared_radius = moments.sum(axis=-1)
    asphericity = moments[..., 2] - 0.5 * (moments[..., 0] + moments[..., 1])
    acylindricity = moments[..., 1] - moments[..., 0]
    squares = asphericity**2 + 0.75 * acylindricity**2
    anisotropy = squares / np.where(squared_radius > 0, squared_radius, 1.0) ** 2
    return Shape(moments, np.asarray(asphericity), np.asarray(acylindricity), np.asarray(anisotropy))
