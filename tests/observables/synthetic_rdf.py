"""Radial distribution functions whose truth is known, with the noise of counting."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cgsim.observables.radial import RadialDistribution
from cgsim.observables.records import Records

Values = NDArray[np.float64]
Shape = Callable[[Values], Values]


def step(r: Values, at: float, width: float) -> Values:
    return np.asarray(1.0 / (1.0 + np.exp(-(r - at) / width)))


def bump(r: Values, height: float, at: float, width: float) -> Values:
    return np.asarray(height * np.exp(-0.5 * ((r - at) / width) ** 2))


def sharp(r: Values) -> Values:
    """A contact as that of a small cation: a peak of 20 at 2.1, a Gaussian."""
    return bump(r, 20.0, 2.1, 0.1)


def skewed(r: Values) -> Values:
    """The same with a steep side and a tail, and a flat minimum before a slow rise."""
    tail = bump(r, 6.0, 2.35, 0.25) * step(r, 2.0, 0.03)
    return bump(r, 20.0, 2.1, 0.12) + tail + 0.25 * step(r, 1.95, 0.03) + 0.75 * step(r, 6.0, 0.5)


def broad(r: Values) -> Values:
    """Soft beads: a peak of 1.3 at 5.5, a shallow minimum at 8."""
    core = 1.0 - np.exp(-((r / 4.0) ** 4))
    return core + bump(r, 0.35, 5.5, 0.9) - bump(r, 0.12, 8.0, 1.0) + bump(r, 0.05, 10.0, 0.8)


def rare_contact(r: Values) -> Values:
    """A contact of 0.6 at 2.25 before a larger second shell: what few ion pairs in a polymer look like."""
    return bump(r, 0.6, 2.25, 0.18) + no_contact(r)


def no_contact(r: Values) -> Values:
    return 0.08 * step(r, 2.2, 0.1) + bump(r, 1.9, 6.3, 0.75) + 0.9 * step(r, 7.0, 0.6)


def flat(r: Values) -> Values:
    """Two shells, and a constant between 3 and 5."""
    return bump(r, 15.0, 2.1, 0.13) + 0.2 * step(r, 2.0, 0.05) + step(r, 6.0, 0.25)


def sample(
    shape: Shape, width: float, frames: int, density: float, generator: np.random.Generator, reach: float = 12.0
) -> RadialDistribution:
    """Frames of independent counts around ten particles, with so many pairs per unit of volume where g is 1."""
    edges = np.arange(round(reach / width) + 1) * width
    volumes = 4 / 3 * np.pi * np.diff(edges**3)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    r = 0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * width * nodes
    inside = weights * r**2
    mean = (inside * shape(r)).sum(axis=1) / inside.sum(axis=1) * volumes * density
    functions, numbers = Records(), Records()
    for counts in generator.poisson(mean, size=(frames, len(mean))).astype(float):
        functions.add((counts / (volumes * density))[None])
        numbers.add(np.cumsum(counts)[None] / 10)
    g, n = functions.average(), numbers.average()
    parts, no_particles = (functions.of_parts(), numbers.of_parts()), np.zeros(n.mean.shape, dtype=np.int64)
    return RadialDistribution(edges, g.mean, g.standard_error, n.mean, n.standard_error, *parts, g, n, no_particles)
