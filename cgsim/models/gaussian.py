r"""Gaussian displacements of all beads of a system, independent or correlated.

Independent displacements lose the correlation between neighbours within one step: for bonded beads it is 0.3 to 0.7 at
useful lag times, so chains diffuse too slowly as a whole and their bonds become too wide. A Gaussian Markov random
field puts it back: with non-negative pair weights the precision matrix

    Lambda = diag(lambda_i I_3) + sum over pairs (e_i - e_j)(e_i - e_j)^T (x) P_ij,
    P_ij = a_ij u u^T + b_ij (I_3 - u u^T),    u = unit vector of the pair,

is positive definite by construction, sparse on the graph, and rotates with the configuration (Rue & Held, Gaussian
Markov Random Fields, 2005, ch. 2).
"""

import math
from dataclasses import dataclass

import torch

from cgsim.typing import Float, Int, Tensor

LARGEST_DENSE_SYSTEM = 150  # beads; above it, samples by conjugate gradients are faster than by a Cholesky factor


@dataclass(frozen=True)
class PairPrecision:
    """Pair part of the precision.

    Attributes:
        pair_index: [2, pairs], each unordered pair once.
        directions: [pairs, 3], unit vectors.
        along: [pairs], weight of relative displacements along the pair; >= 0.
        across: [pairs], weight of relative displacements across it; >= 0.
    """

    pair_index: Int[Tensor, "2 pairs"]
    directions: Float[Tensor, "pairs 3"]
    along: Float[Tensor, " pairs"]
    across: Float[Tensor, " pairs"]

    def blocks(self, power: float = 1.0) -> Float[Tensor, "pairs 3 3"]:
        """P_ij to some power."""
        outer = self.directions[:, :, None] * self.directions[:, None, :]
        across = self.across.pow(power)[:, None, None]
        identity = torch.eye(3, dtype=outer.dtype, device=outer.device)
        return across * identity + (self.along.pow(power)[:, None, None] - across) * outer

    def apply(self, vectors: Float[Tensor, "beads 3"]) -> Float[Tensor, "beads 3"]:
        """Pair part of Lambda times a vector, without the matrix."""
        i, j = self.pair_index
        difference = vectors[i] - vectors[j]
        along = (difference * self.directions).sum(-1, keepdim=True) * self.directions
        pull = self.across[:, None] * (difference - along) + self.along[:, None] * along
        return torch.zeros_like(vectors).index_add(0, i, pull).index_add(0, j, -pull)


@dataclass(frozen=True)
class GaussianDisplacement:
    """Joint Gaussian of the displacements of all beads of a batch of systems.

    Attributes:
        mean: [beads, 3], dimensionless, as everything here.
        precision: [beads], lambda_i, 1 / variance of a bead that no pair holds.
        pairs: pair part of the precision; empty for independent beads.
        sizes: beads of each system.
    """

    mean: Float[Tensor, "beads 3"]
    precision: Float[Tensor, " beads"]
    pairs: PairPrecision
    sizes: tuple[int, ...]

    @property
    def is_independent(self) -> bool:
        """Whether no pair is coupled."""
        return self.pairs.pair_index.shape[1] == 0

    def log_prob(self, displacements: Float[Tensor, "beads 3"]) -> Float[Tensor, " graphs"]:
        """Joint log density of each system, from the Cholesky factor of its precision."""
        residual = displacements - self.mean
        graph = self._graph_index()
        zeros = self.precision.new_zeros(len(self.sizes))
        quadratic = self.precision * residual.square().sum(-1) + (self.pairs.apply(residual) * residual).sum(-1)
        quadratic = zeros.index_add(0, graph, quadratic)
        n = torch.tensor(self.sizes, dtype=quadratic.dtype, device=quadratic.device)
        if self.is_independent:
            log_det = zeros.index_add(0, graph, 3.0 * self.precision.log())
        else:
            diagonal = torch.diagonal(self._cholesky(), dim1=-2, dim2=-1)
            log_det = 2.0 * diagonal.log().sum(-1).to(quadratic.dtype)
        return 0.5 * (log_det - quadratic - 3.0 * n * math.log(2.0 * math.pi))

    def conditional_log_prob(self, displacements: Float[Tensor, "beads 3"]) -> Float[Tensor, " beads"]:
        """Log density of each bead given all others; in a Markov field it needs its own 3 x 3 block only."""
        i, j = self.pairs.pair_index
        blocks = self.pairs.blocks()
        own = torch.diag_embed(self.precision[:, None].expand(-1, 3)).index_add(0, i, blocks).index_add(0, j, blocks)
        residual = displacements - self.mean
        force = self.precision[:, None] * residual + self.pairs.apply(residual)
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
            return self.mean + self._sample_by_perturbation(generator)
        factor = self._cholesky()
        noise = self._normal(self.mean.shape, generator).to(factor.dtype)
        padded = factor.new_zeros(len(self.sizes), factor.shape[-1] // 3, 3)
        graph, place = self._graph_index(), self._place_in_graph()
        padded[graph, place] = noise
        drawn: Tensor = torch.linalg.solve_triangular(factor.mT, padded.flatten(1)[..., None], upper=True)
        return self.mean + drawn[..., 0].view_as(padded)[graph, place].to(self.mean.dtype)

    def posterior_mean(
        self, noised: Float[Tensor, "beads 3"], noise_level: Float[Tensor, " beads"]
    ) -> Float[Tensor, "beads 3"]:
        """Expected displacements given noised ones, ``m + (I + sigma^2 Lambda)^-1 (y - m)`` (Bayes' rule).

        Args:
            noised: y, displacements drawn from this density with independent normal noise on them.
            noise_level: sigma of each bead.
        """
        confidence = noise_level.pow(-2)
        if self.is_independent:
            return self.mean + (confidence / (self.precision + confidence))[:, None] * (noised - self.mean)
        return self.mean + self._solve(confidence[:, None] * (noised - self.mean), confidence)

    def detach(self) -> "GaussianDisplacement":
        """The same without gradients."""
        pairs = PairPrecision(*(part.detach() for part in vars(self.pairs).values()))
        return GaussianDisplacement(self.mean.detach(), self.precision.detach(), pairs, self.sizes)

    def _sample_by_perturbation(self, generator: torch.Generator) -> Tensor:
        """Perturb and solve: Lambda x = b with b ~ N(0, Lambda) has x ~ N(0, Lambda^-1) (Papandreou & Yuille 2010)."""
        i, j = self.pairs.pair_index
        own = self.precision.sqrt()[:, None] * self._normal(self.mean.shape, generator)
        kicks = self._normal((len(i), 3), generator)
        kicks = torch.einsum("pxy,py->px", self.pairs.blocks(0.5), kicks)
        return self._solve(own.index_add(0, i, kicks).index_add(0, j, -kicks))

    def _solve(self, target: Tensor, added: Tensor | float = 0.0, tolerance: float = 1e-4) -> Tensor:
        """Solve (Lambda + diag(added)) x = target by conjugate gradients, each system at its own pace.

        A system that has converged stands still, so that it gets the same x whatever else is in the batch.
        """
        i, j = self.pairs.pair_index
        own = self.precision + added
        weight = (self.pairs.along + 2.0 * self.pairs.across) / 3.0
        diagonal = (own.index_add(0, i, weight).index_add(0, j, weight))[:, None]
        graph = self._graph_index()
        zeros = own.new_zeros(len(self.sizes))

        def dot(one: Tensor, other: Tensor) -> Tensor:
            return zeros.index_add(0, graph, (one * other).sum(-1))

        x = torch.zeros_like(target)
        residual = target
        direction = preconditioned = residual / diagonal
        overlap = dot(residual, preconditioned)
        stop = tolerance**2 * overlap
        for _ in range(10 * max(self.sizes)):
            moving = overlap > stop
            if not bool(moving.any()):
                break
            image = own[:, None] * direction + self.pairs.apply(direction)
            step = torch.where(moving, overlap / dot(direction, image), zeros)[graph, None]
            x = x + step * direction
            residual = residual - step * image
            preconditioned = residual / diagonal
            previous, overlap = overlap, dot(residual, preconditioned)
            turned = torch.where(moving, overlap / previous, zeros)[graph, None]
            direction = preconditioned + turned * direction
        return x

    def dense_precision(self) -> Float[Tensor, "graphs coordinates coordinates"]:
        """Lambda of each system in double precision; systems smaller than the largest are padded with the identity."""
        n_graphs, largest = len(self.sizes), max(self.sizes)
        graph, place = self._graph_index(), self._place_in_graph()
        i, j = self.pairs.pair_index
        blocks = self.pairs.blocks().double().flatten(1)
        row = graph * largest + place
        ends = ((i, i), (j, j), (i, j), (j, i))
        places = torch.cat([row[a] * largest + place[b] for a, b in ends])
        flat = blocks.new_zeros(n_graphs * largest * largest, 9)
        flat = flat.index_add(0, places, torch.cat([blocks, blocks, -blocks, -blocks]))
        own = blocks.new_ones(n_graphs * largest).index_copy(0, row, self.precision.double())
        dense = flat.view(n_graphs, largest, largest, 3, 3).transpose(2, 3)
        dense = dense.reshape(n_graphs, 3 * largest, 3 * largest)
        return dense + torch.diag_embed(own.view(n_graphs, largest).repeat_interleave(3, dim=1))

    def _cholesky(self) -> Tensor:
        factor: Tensor = torch.linalg.cholesky(self.dense_precision())
        return factor

    def _graph_index(self) -> Tensor:
        sizes = torch.tensor(self.sizes, device=self.mean.device)
        return torch.repeat_interleave(torch.arange(len(self.sizes), device=self.mean.device), sizes)

    def _place_in_graph(self) -> Tensor:
        sizes = torch.tensor(self.sizes, device=self.mean.device)
        start = torch.cumsum(sizes, 0) - sizes
        return torch.arange(len(self.mean), device=self.mean.device) - start[self._graph_index()]

    def _normal(self, shape: tuple[int, ...] | torch.Size, generator: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
