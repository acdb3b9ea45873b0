r"""Gaussian displacements of all beads of a system, independent or correlated.

Independent displacements lose the correlation between neighbours within one step: for bonded beads it is 0.3 to 0.7 at
useful lag times, so chains diffuse too slowly as a whole and their bonds become too wide. A Gaussian Markov random
field puts it back: with non-negative pair weights the matrix

    B = diag(kappa_i I_3) + sum over pairs (e_i - e_j)(e_i - e_j)^T (x) P_ij,
    P_ij = a_ij u u^T + b_ij (I_3 - u u^T),    u = unit vector of the pair,

is positive definite by construction, sparse on the graph, and rotates with the configuration (Rue & Held, Gaussian
Markov Random Fields, 2005, ch. 2). The precision is Lambda = B^alpha: with alpha = 1 a bead depends on its neighbours
alone; with alpha = 2 the variance falls faster from soft modes to stiff ones, as in a Matern field of higher smoothness
(Lindgren, Rue & Lindstroem, J. R. Stat. Soc. B 73, 423, 2011, sec. 2.2).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from cgsim.models.dense_matrix import log_determinant, rows_of, write_out
from cgsim.models.pair_precision import PairPrecision, solve
from cgsim.typing import Bool, Float, Tensor

LARGEST_DENSE_SYSTEM = 150  # beads; above it, samples by conjugate gradients are faster than by a Cholesky factor


@dataclass(frozen=True)
class GaussianDisplacement:
    """Joint Gaussian of the displacements of all beads of a batch of systems.

    Attributes:
        mean: [beads, 3], dimensionless, as everything here.
        precision: [beads], kappa_i^alpha, 1 / variance of a bead that no pair holds.
        pairs: pair part of B; empty for independent beads.
        sizes: beads of each system.
        is_held: [graphs], whether a system as a whole stays where it is, so that draws are free of drift afterwards.
        alpha: 1 or 2.
    """

    mean: Float[Tensor, "beads 3"]
    precision: Float[Tensor, " beads"]
    pairs: PairPrecision
    sizes: tuple[int, ...]
    is_held: Bool[Tensor, " graphs"]
    alpha: int = 1

    @property
    def is_independent(self) -> bool:
        """Whether no pair is coupled."""
        return self.pairs.pair_index.shape[1] == 0

    def log_prob(self, displacements: Float[Tensor, "beads 3"]) -> Float[Tensor, " graphs"]:
        """Joint log density of each system, from the Cholesky factor of B.

        Of a system that is held as a whole it is the density up to a shift of all beads alike, which is what is left of
        a draw when its drift is taken out: ``integral p(x + a) da = p(x) exp(b^2 / 2A) (2 pi / A)^(3/2)`` with
        ``A = 1^T Lambda 1`` and ``b = 1^T Lambda (x - m)``, where the pairs drop out since they leave shifts alone.
        """
        residual = displacements - self.mean
        graph = self._graph_index()
        zeros = self.precision.new_zeros(len(self.sizes))
        image = self._apply(residual)
        half = image if self.alpha == 2 else residual
        quadratic = zeros.index_add(0, graph, (image * half).sum(-1))
        force = self._kappa[:, None] * half
        pull = force.new_zeros(len(self.sizes), 3).index_add(0, graph, force)
        stiffness = zeros.index_add(0, graph, self.precision)
        n = torch.tensor(self.sizes, dtype=quadratic.dtype, device=quadratic.device)
        if self.is_independent:
            log_det = zeros.index_add(0, graph, 3.0 * self.precision.log())
        else:
            log_det = self.alpha * log_determinant(*self._parts())
        free = 0.5 * (log_det - quadratic - 3.0 * n * math.log(2.0 * math.pi))
        shift = 0.5 * (pull.square().sum(-1) / stiffness + 3.0 * (2.0 * math.pi / stiffness).log())
        return torch.where(self.is_held, free + shift, free)

    def conditional_log_prob(self, displacements: Float[Tensor, "beads 3"]) -> Float[Tensor, " beads"]:
        """Log density of each bead given all others; in a Markov field it needs its own 3 x 3 block only.

        Whether a system is held as a whole does not matter: all others and the centre of mass would leave no choice.
        """
        i, j = self.pairs.pair_index
        blocks = self.pairs.blocks()
        own = torch.diag_embed(self._kappa[:, None].expand(-1, 3)).index_add(0, i, blocks).index_add(0, j, blocks)
        residual = displacements - self.mean
        force = self._apply(residual)
        if self.alpha == 2:
            # Two images of one pair are one block of B.
            ends, which = torch.unique(i * len(own) + j, return_inverse=True)
            blocks = blocks.new_zeros(len(ends), 3, 3).index_add(0, which, blocks)
            squares = blocks @ blocks
            own = (own @ own).index_add(0, ends // len(own), squares).index_add(0, ends % len(own), squares)
            force = self._apply(force)
        factor = torch.linalg.cholesky(own)
        half = torch.linalg.solve_triangular(factor, force[..., None], upper=False).squeeze(-1)
        log_det = 2.0 * torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(-1)
        log_density: Tensor = 0.5 * (log_det - half.square().sum(-1) - 3.0 * math.log(2.0 * math.pi))
        return log_density

    def sample(self, generator: torch.Generator) -> Float[Tensor, "beads 3"]:
        """Draw displacements."""
        if self.is_independent:
            return self.mean + self._normal(self.mean.shape, generator) * self.precision.rsqrt()[:, None]
        if max(self.sizes) > LARGEST_DENSE_SYSTEM:
            return self.mean + self._sample_by_solving(generator)
        factor = torch.linalg.cholesky(self._dense())
        noise = self._normal(self.mean.shape, generator).to(factor.dtype)
        padded = factor.new_zeros(len(self.sizes) * max(self.sizes), 3)
        row = rows_of(self.sizes, padded.device)
        padded[row] = noise
        column = padded.view(len(self.sizes), -1, 1)
        drawn: Tensor = (
            torch.cholesky_solve(column, factor)
            if self.alpha == 2
            else torch.linalg.solve_triangular(factor.mT, column, upper=True)
        )
        return self.mean + drawn.reshape_as(padded)[row].to(self.mean.dtype)

    def posterior_mean(
        self, noised: Float[Tensor, "beads 3"], noise_level: Float[Tensor, " graphs"]
    ) -> Float[Tensor, "beads 3"]:
        """Expected displacements given noised ones, ``m + (I + sigma^2 Lambda)^-1 (y - m)`` (Bayes' rule).

        Where Lambda is B^2, ``(I + sigma^2 B^2)^-1 = Im((B - i/sigma)^-1) / sigma``: an equation with B alone, whose
        condition number is the root of the other's. Where there are pairs, no gradient goes back through the
        correction of the mean.

        Args:
            noised: y, displacements drawn from this density with independent normal noise on them.
            noise_level: sigma of each system.
        """
        graph = self._graph_index()
        inverse, away = noise_level.reciprocal()[graph], noised - self.mean
        if self.is_independent:
            confidence = inverse.square()
            return self.mean + (confidence / (self.precision + confidence))[:, None] * away
        power = self.alpha
        shift = torch.complex(torch.zeros_like(inverse), -inverse) if power == 2 else inverse.square()
        target = inverse.pow(3 - power)[:, None] * away
        found = solve(self._matrix, shift, self._diagonal + shift, target, graph, len(self.sizes))
        return self.mean + (found.imag if power == 2 else found)

    def detach(self) -> "GaussianDisplacement":
        """The same without gradients."""
        pairs = PairPrecision(*(part.detach() for part in vars(self.pairs).values()))
        return GaussianDisplacement(
            self.mean.detach(), self.precision.detach(), pairs, self.sizes, self.is_held, self.alpha
        )

    def _sample_by_solving(self, generator: torch.Generator) -> Tensor:
        """Solve B x = b: b ~ N(0, I) gives N(0, B^-2), b ~ N(0, B) gives N(0, B^-1) (Papandreou & Yuille 2010)."""
        noise = self._normal(self.mean.shape, generator)
        if self.alpha == 1:
            i, j = self.pairs.pair_index
            kicks = self._normal((len(i), 3), generator)
            kicks = torch.einsum("pxy,py->px", self.pairs.blocks(0.5), kicks)
            noise = (self._kappa.sqrt()[:, None] * noise).index_add(0, i, kicks).index_add(0, j, -kicks)
        return solve(self._matrix, None, self._diagonal, noise, self._graph_index(), len(self.sizes))

    @property
    def _kappa(self) -> Float[Tensor, " beads"]:
        return self.precision.sqrt() if self.alpha == 2 else self.precision

    @property
    def _diagonal(self) -> Float[Tensor, " beads"]:
        """Mean of the three diagonal elements of B of each bead."""
        i, j = self.pairs.pair_index
        weight = (self.pairs.along + 2.0 * self.pairs.across) / 3.0
        return self._kappa.index_add(0, i, weight).index_add(0, j, weight)

    @cached_property
    def _matrix(self) -> Tensor:
        """B as a sparse matrix, which multiplies six times as fast as :meth:`_apply`; no gradient goes through it."""
        return self.pairs.matrix(self._kappa)

    def _apply(self, vectors: Tensor) -> Float[Tensor, "beads 3"]:
        """B times a vector."""
        return self._kappa[:, None] * vectors + self.pairs.apply(vectors)

    def dense_precision(self) -> Float[Tensor, "graphs coordinates coordinates"]:
        """Lambda of each system in double precision; systems smaller than the largest are padded with the identity."""
        root = self._dense()
        return root @ root if self.alpha == 2 else root

    def _dense(self) -> Float[Tensor, "graphs coordinates coordinates"]:
        """B of each system, padded likewise."""
        return write_out(*self._parts())

    def _parts(self) -> tuple[Tensor, Tensor, Tensor, tuple[int, ...]]:
        return self._kappa, self.pairs.blocks(), self.pairs.pair_index, self.sizes

    def _graph_index(self) -> Tensor:
        sizes = torch.tensor(self.sizes, device=self.mean.device)
        return torch.repeat_interleave(torch.arange(len(self.sizes), device=self.mean.device), sizes)

    def _normal(self, shape: tuple[int, ...] | torch.Size, generator: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
