"""Portrait of a single chain, from a trajectory of its beads."""

import numpy as np

from cgsim.analysis.selection import all_species
from cgsim.benchmark.distances import MOST_FRAMES, bins_over, bond_portrait, histogram, spread_frames
from cgsim.benchmark.motion import fit_diffusion, follow_box, follow_species, source_of
from cgsim.benchmark.portrait import FEW_FRAMES, Portrait, log10_estimate
from cgsim.errors import InputError
from cgsim.observables.dynamics import autocorrelation, integrated_relaxation_time
from cgsim.observables.statistics import Estimate, block_average
from cgsim.trajectory import Trajectory
from cgsim.typing import Array, Float64

COLLAPSE = 0.5  # a chain smaller than this times the smallest of the reference has collapsed ...
SWELLING = 2.0  # ... and one larger than this times the largest has come apart


def chain_portrait(trajectory: Trajectory, lag_time: float, reference: Portrait | None) -> Portrait:  # noqa: ARG001
    """Everything that the benchmark measures of a chain.

    Args:
        trajectory: of beads, equally spaced in time.
        lag_time: of the models; not needed here.
        reference: portrait of the long MD, whose bins and windows are used; None if this is the long MD itself.

    Raises:
        InputError: if there is no chain.
    """
    if trajectory.n_frames < FEW_FRAMES:
        return Portrait({"stability": Estimate(0.0, float("nan"))})
    chains = [s for s in all_species(trajectory.system) if s.is_chain]
    if not chains:
        raise InputError("no chain of at least four beads in the system")
    source = source_of(trajectory)
    motion = follow_species(source, chains[0], follow_box(source))
    rg = motion.radius
    interval = reference.arrays["save_interval"][0] if reference else source.save_interval
    stride = max(1, round(float(interval) / source.save_interval))  # seen as often as in the reference
    correlation = autocorrelation(rg[::stride], rg.mean(axis=0))
    relaxation, _ = integrated_relaxation_time(correlation, stride * source.save_interval, rg.shape[1])
    portrait = bond_portrait(trajectory, reference)
    squares = np.square(rg).mean(axis=1)
    size = block_average(squares)
    # Blocks of a short run do not know the slow part of its noise, the relaxation time does.
    n_independent = max(1.0, source.duration * rg.shape[1] / (2.0 * relaxation.value))
    error = max(float(size.standard_error), float(np.square(rg).std()) / np.sqrt(n_independent))
    portrait.values["rg2"] = Estimate(float(size.mean), error)
    portrait.values["log10_rg2"] = log10_estimate(portrait.values["rg2"])
    portrait.values["relaxation_time"] = relaxation
    portrait.values["log10_relaxation_time"] = log10_estimate(relaxation)
    portrait.arrays["samples/rg"] = rg.ravel()
    portrait.arrays["save_interval"] = np.array([source.save_interval])
    window = reference.arrays["window/com"] if reference else None
    fit = fit_diffusion(motion.centres, window)
    if fit is not None:
        portrait.values["com_diffusion"] = fit.coefficient
        portrait.values["log10_com_diffusion"] = log10_estimate(fit.coefficient)
        portrait.arrays["window/com"] = np.array(fit.window)
    distances = _pair_distances(spread_frames(trajectory, MOST_FRAMES), chains[0].particles)
    edges = bins_over(distances, reference, "distance_edges")
    portrait.arrays["distance_edges"] = edges
    portrait.arrays["distance_histogram"] = histogram(distances, edges)
    if reference:
        true = reference.arrays["samples/rg"]
        sane = (rg > COLLAPSE * true.min()) & (rg < SWELLING * true.max())
        whole = portrait.value("torn_bonds").value in (0.0,) and bool(sane.all())
        portrait.values["stability"] = Estimate(float(whole), float("nan"))
    return portrait


def _pair_distances(trajectory: Trajectory, beads: Array) -> Float64[Array, " samples"]:
    """Distances of all pairs of beads of the first chain, in all frames."""
    of_bead = trajectory.system.molecule_id[beads]
    positions = trajectory.unwrapped_positions[:, beads[of_bead == of_bead[0]]]
    first, second = np.triu_indices(positions.shape[1], k=1)
    return np.asarray(np.linalg.norm(positions[:, first] - positions[:, second], axis=-1).ravel())
