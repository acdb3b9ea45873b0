"""Figures of the shape and stiffness of chains: gyration tensor and persistence length."""

from dataclasses import dataclass, field

import numpy as np

from cgsim.analysis.figures import TIME_BLOCKS, Curve, Figure, block_details
from cgsim.analysis.motion import unwrapped
from cgsim.analysis.selection import Species
from cgsim.analysis.sizes import CHAINS, LONG, relaxation, relaxation_warning
from cgsim.analysis.source import Source
from cgsim.observables.persistence import PersistenceLength, bond_correlations, decay_length, projection_length
from cgsim.observables.records import Records
from cgsim.observables.shape import shape
from cgsim.observables.statistics import MIN_BLOCKS, BlockAverage, Estimate, block_average
from cgsim.observables.structure import gyration_tensor
from cgsim.trajectory import Trajectory
from cgsim.trajectory.trajectory import consecutive
from cgsim.typing import Array, Float64

BATCH_BYTES = 16 * 2**20  # of gyration tensors of single particles at a time
CORRELATED = "blocks as long as the run allows are still correlated: the error is a lower bound"
NO_DECAY = "the direction of a bond is not remembered by the next, or never forgotten"


@dataclass
class _Averages:
    """Means over chains in every frame and over frames in every chain, so that memory stays bounded.

    Attributes:
        of_frame: bounded series, [values].
        of_chain: [chains, values], sums over frames.
        products: [values, values], sums over frames of products of the means over chains.
        n_frames: number of frames.
    """

    of_chain: Float64[Array, "chains values"]
    products: Float64[Array, "values values"]
    of_frame: Records = field(default_factory=Records)
    n_frames: int = 0

    @classmethod
    def of(cls, n_chains: int, n_values: int) -> "_Averages":
        """Nothing yet, of so many chains and values."""
        return cls(np.zeros((n_chains, n_values)), np.zeros((n_values, n_values)))

    def add(self, values: Float64[Array, "frames chains values"], weights: Float64[Array, "chains values"]) -> None:
        """Take in some frames, averaged over chains with weights."""
        frames = (values * weights).sum(axis=1) / weights.sum(axis=0)
        for frame in frames:
            self.of_frame.add(frame)
        self.products += frames.T @ frames
        self.of_chain += values.sum(axis=0)
        self.n_frames += len(values)

    def combine(self, gradient: Float64[Array, " values"], *, by_chain: bool) -> tuple[BlockAverage, dict[str, object]]:
        """Average of a linear combination of the values, and whether its error is from blocks of time or from chains.

        Chains that share one mean tell more about the error than a run too short for independent blocks of time.
        """
        series, weights = self.of_frame.series()
        average = block_average(series @ gradient, weights)
        if self.of_frame.frames_per_record > 1:
            square = gradient @ self.products @ gradient / self.n_frames
            variance = max(0.0, float(square - average.mean**2)) * self.n_frames / (self.n_frames - 1)
            average = average.of_frames(self.of_frame.frames_per_record, np.array(variance))
        n = len(self.of_chain)
        if not by_chain or n < MIN_BLOCKS:
            return average, {"error_from": TIME_BLOCKS, **block_details(average)}
        chains = self.of_chain / self.n_frames @ gradient
        error = np.asarray(chains.std(ddof=1) / np.sqrt(n))
        own = BlockAverage(average.mean, error, 1, n, True, np.array(float(n)))
        return own, {"error_from": CHAINS, "n_effective": float(n)}


class ChainShapes:
    """Collects shapes and bond directions of the chains of one species, piece by piece.

    Args:
        source: where the chains are.
        species: the chains.
    """

    def __init__(self, source: Source, species: Species) -> None:
        self._source = source
        self._species = species
        self._particles = species.particles
        self._masses = source.system.masses[self._particles]
        self._molecule = consecutive(source.system.molecule_id[self._particles])
        n = species.n_molecules
        self._shapes = _Averages.of(n, 6)
        paths = species.backbones if species.are_bonded else []
        self._n_bonds = np.array([len(path) - 1 for path in paths])
        self._paths = paths if len(paths) and self._n_bonds.max() > 1 and self._n_bonds.min() > 0 else []
        longest = int(self._n_bonds.max()) if self._paths else 0
        self._bonds = _Averages.of(n, longest + 1)
        self._radius: list[Float64[Array, "frames chains"]] = []

    def add(self, piece: Trajectory) -> None:
        """Take in some frames."""
        step = max(1, BATCH_BYTES // (72 * len(self._particles)))
        for start in range(0, piece.n_frames, step):
            self._add(piece[start : start + step])

    def _add(self, piece: Trajectory) -> None:
        positions = unwrapped(piece, self._particles)
        found = shape(gyration_tensor(positions, self._masses, self._molecule))
        self._radius.append(np.sqrt(found.moments.sum(axis=-1)))
        values = np.stack([found.asphericity, found.acylindricity, found.anisotropy], axis=-1)
        values = np.concatenate([found.moments, values], axis=-1)
        self._shapes.add(values, np.ones(values.shape[1:]))
        if not self._paths:
            return
        pairs = np.maximum(self._n_bonds[:, None] - np.arange(self._n_bonds.max()), 0)  # of bonds, by separation
        weights = np.concatenate([self._n_bonds[:, None], pairs], axis=1).astype(np.float64)
        bonds = np.zeros((piece.n_frames, *weights.shape))
        for k, path in enumerate(self._paths):
            correlation, bonds[:, k, 0] = bond_correlations(unwrapped(piece, path))
            bonds[:, k, 1 : 1 + correlation.shape[1]] = correlation
        self._bonds.add(bonds, weights)

    def results(self) -> tuple[list[Figure], list[Curve], list[str]]:
        """Figures, curves and notes of everything that was taken in."""
        share_mean = self._species.are_identical
        tau, _ = relaxation(self._source, np.concatenate(self._radius), share_mean=share_mean)
        by_chain = share_mean and self._source.duration < LONG * tau.value  # as for sizes
        figures = self._shape_figures(relaxation_warning(self._source, tau.value), by_chain=by_chain)
        if not self._paths:
            reason = "backbone of two bonds" if self._species.are_bonded else "bonds that hold it together"
            note = f"{self._source.path}: no persistence length of {self._species.name}: it has no {reason}"
            return figures, [], [note]
        stiffness, curve = self._stiffness(by_chain=by_chain)
        return [*figures, *stiffness], [curve], []

    def _shape_figures(self, warning: str, *, by_chain: bool) -> list[Figure]:
        squared = f"{self._source.units.length}2"
        averages = [self._shapes.combine(row, by_chain=by_chain) for row in np.eye(6)]
        moments = {
            "principal_moments": [float(a.mean) for a, _ in averages[:3]],
            "principal_moments_error": [float(a.standard_error) for a, _ in averages[:3]],
        }
        names = {"asphericity": squared, "acylindricity": squared, "relative_shape_anisotropy": ""}
        return [
            self._figure(name, average.estimate, unit, "gyration tensor", warning, {**moments, **origin})
            for (name, unit), (average, origin) in zip(names.items(), averages[3:], strict=True)
        ]

    def _stiffness(self, *, by_chain: bool) -> tuple[list[Figure], Curve]:
        """Persistence length by both definitions, and the correlation that they come from."""
        n = int(self._n_bonds.max())
        averages = [self._bonds.combine(row, by_chain=by_chain)[0] for row in np.eye(n + 1)]
        mean = np.array([float(a.mean) for a in averages])
        error = np.array([float(a.standard_error) for a in averages])
        bond, correlation = float(mean[0]), mean[1:]
        length = self._source.units.length
        figures = []
        for method, found in (
            ("decay of bond correlation", decay_length(correlation, bond)),
            ("projection on a bond", projection_length(correlation, error[1:], bond)),
        ):
            average, origin = self._bonds.combine(_gradient(found), by_chain=by_chain)
            estimate = Estimate(found.value, float(average.standard_error), average.estimate.degrees_of_freedom)
            warning = "" if average.is_converged else CORRELATED
            warning = NO_DECAY if np.isnan(found.value) else warning
            details = {"bonds": found.last, "bond_length": bond, **origin}
            figures.append(self._figure("persistence_length", estimate, length, method, warning, details))
        columns = {
            "separation": np.arange(n),
            "contour": np.arange(n) * bond,
            "correlation": correlation,
            "standard_error": error[1:],
        }
        units = {"separation": "bonds", "contour": length, "correlation": "", "standard_error": ""}
        return figures, Curve("bond_correlation", self._source.name, self._species.name, columns, units)

    def _figure(
        self, name: str, estimate: Estimate, unit: str, method: str, warning: str, details: dict[str, object]
    ) -> Figure:
        span = (0.0, self._source.duration)
        return Figure(name, self._species.name, estimate, unit, method, span, warning, details)


def _gradient(found: PersistenceLength) -> Float64[Array, " values"]:
    gradient = np.concatenate([[found.by_bond_length], found.by_correlation])
    return gradient if np.isfinite(gradient).all() else np.zeros(len(gradient))


def shape_results(source: Source, species: list[Species]) -> tuple[list[Figure], list[Curve], list[str]]:
    """Shape and stiffness of all chains among some species, in one pass over the trajectory."""
    chains = [ChainShapes(source, one) for one in species if one.is_chain]
    if chains:
        for piece in source.chunks():
            for one in chains:
                one.add(piece)
    figures: list[Figure] = []
    curves: list[Curve] = []
    notes: list[str] = []
    for one in chains:
        own_figures, own_curves, own_notes = one.results()
        figures += own_figures
        curves += own_curves
        notes += own_notes
    return figures, curves, notes
