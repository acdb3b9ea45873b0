"""Distances between beads: bonds, all pairs of a chain, and how far two histograms of them are apart."""

import numpy as np
import torch

from cgsim.benchmark.portrait import NOTHING, Portrait
from cgsim.benchmark.scoring import PairMetric, PairScore, ratio_of
from cgsim.geometry import minimum_image
from cgsim.observables.statistics import Estimate, block_average
from cgsim.trajectory import Trajectory
from cgsim.typing import Array, Float64

N_BINS = 60
TORN = 2.0  # times the longest bond of the reference: no longer a bond
MOST_FRAMES = 4000


def bond_lengths(trajectory: Trajectory) -> Float64[Array, "frames bonds"]:
    """Length of every bead bond in every frame; of the nearest image in a cell."""
    i, j = trajectory.system.bond_index
    positions = trajectory.unwrapped_positions
    vectors = torch.from_numpy(positions[:, i] - positions[:, j])
    if trajectory.is_periodic:
        vectors = minimum_image(vectors, torch.from_numpy(trajectory.cell))
    return np.asarray(vectors.norm(dim=-1).numpy())


def bond_portrait(trajectory: Trajectory, reference: Portrait | None) -> Portrait:
    """Mean and spread of the bonds, their histogram, the longest, and whether one is torn.

    The spread is the root mean square over bonds of each one's own standard deviation, so that bonds of different
    mean length do not add to it.
    """
    lengths = bond_lengths(trajectory)
    if not lengths.shape[1]:
        return Portrait()
    average = block_average(lengths.mean(axis=1))
    variance = block_average(np.square(lengths - lengths.mean(axis=0)).mean(axis=1))
    spread = float(np.sqrt(variance.mean))
    edges = bins_over(lengths, reference, "bond_edges")
    longest = lengths.max()
    portrait = Portrait(
        {
            "bond_mean": average.estimate,
            "bond_std": Estimate(spread, float(variance.standard_error) / (2 * spread) if spread > 0 else 0.0),
        },
        {
            "bond_edges": edges,
            "bond_histogram": histogram(lengths.ravel(), edges),
            "longest/bond": np.array([longest]),
        },
    )
    limit = TORN * float(reference.arrays["longest/bond"][0]) if reference else np.inf
    portrait.values["torn_bonds"] = Estimate(float((lengths > limit).any(axis=1).mean()), float("nan"))
    return portrait


def bins_over(samples: Array, reference: Portrait | None, name: str) -> Float64[Array, " edges"]:
    """Edges of the reference, or edges over the range of the samples and half as much again on either side."""
    if reference is not None and name in reference.arrays:
        return reference.arrays[name]
    low, high = float(samples.min()), float(samples.max())
    margin = 0.5 * max(high - low, 1e-6 * max(1.0, abs(high)))
    return np.linspace(max(0.0, low - margin), high + margin, N_BINS + 1)


def histogram(samples: Float64[Array, " samples"], edges: Float64[Array, " edges"]) -> Float64[Array, " bins"]:
    """Share of the samples in each bin; what lies outside counts in a bin of its own at either end."""
    bins = np.searchsorted(edges, samples, side="right")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    return counts / max(1, len(samples))


def total_variation(first: Array, second: Array) -> float:
    """Half the sum of absolute differences of two histograms: 0 if equal, 1 if they share nothing.

    The shapes may differ; what is missing at the ends counts as zero.
    """
    shape = np.maximum(first.shape, second.shape)
    one, other = (np.pad(h, [(0, int(n - m)) for n, m in zip(shape, h.shape, strict=True)]) for h in (first, second))
    return float(0.5 * np.abs(one - other).sum())


def variation_of(key: str) -> PairScore:
    """Total variation of two histograms, by their name in portraits; nothing where one lacks it."""

    def score(predicted: Portrait, reference: Portrait) -> Estimate:
        if key not in predicted.arrays or key not in reference.arrays:
            return NOTHING
        return Estimate(total_variation(predicted.arrays[key], reference.arrays[key]), float("nan"))

    return score


def bond_metrics() -> list[PairMetric]:
    """The figures by which bead bonds are judged."""
    return [
        PairMetric("bond_mean_ratio", ratio_of("bond_mean")),
        PairMetric("bond_std_ratio", ratio_of("bond_std")),
        PairMetric("bond_histogram_distance", variation_of("bond_histogram")),
    ]


def spread_frames(trajectory: Trajectory, most: int) -> Trajectory:
    """At most so many frames, evenly spread."""
    return trajectory[:: max(1, -(-trajectory.n_frames // most))]
