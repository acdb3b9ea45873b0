"""Structure of an electrolyte: radial distributions, coordination, clusters, closest pairs, overlaps."""

import itertools

import numpy as np
from scipy.signal import find_peaks

from cgsim.analysis.selection import Species
from cgsim.benchmark.distances import spread_frames
from cgsim.benchmark.electrolyte.contacts import neighbors
from cgsim.benchmark.electrolyte.roles import Roles
from cgsim.benchmark.portrait import Portrait
from cgsim.observables.clusters import cluster_populations
from cgsim.observables.radial import RadialDistribution, radial_distribution
from cgsim.observables.statistics import Estimate, block_average
from cgsim.observables.structure import perpendicular_widths
from cgsim.trajectory import Trajectory
from cgsim.typing import Array, Float64, Int64

FRAMES_FOR_STRUCTURE = 500
FRAMES_FOR_CLOSEST = 4000
BIN_WIDTH = 0.1  # Å
REACH = 10.0  # Å, of pairs whose radial distribution function shows no first minimum
CONTACT = 7.0  # Å, the longest distance that is called a contact
SHELL = 0.1  # prominence from which on a maximum of g(r) is a shell, also of ions that meet less often than by chance
LARGEST_REACH = 15.0  # Å
OVERLAP_FREQUENCY = 0.05  # of the frames of the reference have a pair of each kind that counts as an overlap
OVERLAP_SEARCH = 6.0  # Å


def pair_names(trajectory: Trajectory, roles: Roles) -> list[tuple[str, str]]:
    """All pairs of bead classes that occur, cations first, then anions."""
    first = [roles.li.name, roles.anion.name]
    present = [trajectory.system.type_names[k] for k in np.unique(trajectory.system.particle_type)]
    present.sort(key=lambda name: first.index(name) if name in first else len(first))
    return [(a, b) for k, a in enumerate(present) for b in present[k:]]


def structure_portrait(trajectory: Trajectory, roles: Roles, reference: Portrait | None) -> Portrait:
    """Radial distributions with the bins of the reference, and all that is counted with their first minima."""
    portrait = Portrait()
    pairs = pair_names(trajectory, roles)
    sampled = spread_frames(trajectory, FRAMES_FOR_STRUCTURE)
    rdf = _radial(sampled, pairs, reference)
    portrait.arrays["rdf_edges"] = rdf.bin_edges
    for k, (a, b) in enumerate(pairs):
        portrait.arrays[f"rdf/{a}-{b}"] = rdf.rdf[k]
        if reference is None:
            bottom = rdf.first_minimum(k)
            minimum = float(rdf.bin_edges[bottom + 1]) if bottom is not None else float("nan")
            portrait.arrays[f"minimum/{a}-{b}"] = np.array([minimum])
            portrait.arrays[f"contact/{a}-{b}"] = np.array([_end_of_first_shell(rdf, k)])
    ruler = reference or portrait
    for k, (a, b) in enumerate(pairs):
        portrait.values[f"coordination/{a}-{b}"] = _coordination(rdf, k, float(ruler.arrays[f"contact/{a}-{b}"][0]))
    portrait.arrays["clusters"] = _clusters(sampled, roles, ruler)
    _closest_pairs(trajectory, pairs, roles, portrait)
    _overlaps(trajectory, pairs, ruler, portrait)
    return portrait


def first_minimum(ruler: Portrait, pair: str) -> float:
    """Distance of the first minimum of a pair; not a number if there is none."""
    return float(ruler.arrays[f"minimum/{pair}"][0]) if f"minimum/{pair}" in ruler.arrays else float("nan")


def contact_distance(ruler: Portrait, first: Species, second: Species) -> float:
    """Distance within which beads of two species are in contact."""
    return float(ruler.arrays[f"contact/{first.name}-{second.name}"][0])


def _end_of_first_shell(rdf: RadialDistribution, pair: int) -> float:
    """Minimum of g(r) behind its first shell, where it falls below 1 if there is one shell only; at most a contact."""
    g = np.convolve(np.pad(rdf.rdf[pair], 2, mode="edge"), np.full(5, 0.2), mode="valid")
    tops, _ = find_peaks(g, height=SHELL, prominence=SHELL)
    if not tops.size:
        return CONTACT
    if len(tops) > 1:
        bottom = tops[0] + int(np.argmin(g[tops[0] : tops[1]]))
    else:
        below = np.flatnonzero(g[tops[0] :] < 1.0)
        bottom = tops[0] + int(below[0]) if below.size else len(g) - 1
    return min(CONTACT, float(rdf.bin_edges[bottom + 1]))


def _radial(trajectory: Trajectory, pairs: list[tuple[str, str]], reference: Portrait | None) -> RadialDistribution:
    system = trajectory.system
    names = list(dict.fromkeys(itertools.chain(*pairs)))
    masks = np.stack([system.particle_type == system.type_names.index(name) for name in names])
    index = np.array([[names.index(a), names.index(b)] for a, b in pairs])
    reach = min(LARGEST_REACH, float(perpendicular_widths(trajectory.cell).min()) / 2)
    edges = np.arange(int(reach / BIN_WIDTH + 1e-9) + 1) * BIN_WIDTH
    if reference is not None:
        edges = reference.arrays["rdf_edges"][: len(edges)]  # another box of the same system may be a little smaller
    frames = zip(trajectory.wrapped_positions.astype(np.float64), trajectory.cell, strict=True)
    return radial_distribution(frames, masks, index, edges)


def _coordination(rdf: RadialDistribution, pair: int, contact: float) -> Estimate:
    """Mean number of neighbours in contact."""
    k = int(np.searchsorted(rdf.bin_edges[1:], contact - 1e-9))
    return Estimate(float(rdf.coordination[pair, k]), float(rdf.coordination_error[pair, k]))


def _clusters(trajectory: Trajectory, roles: Roles, ruler: Portrait) -> Float64[Array, "cations anions"]:
    """Share of the ions in clusters of i cations and j anions that touch within the first minimum of their rdf."""
    cation, anion = roles.li, roles.anion
    distance = contact_distance(ruler, cation, anion)
    sites = np.concatenate([cation.particles, anion.particles])
    ions = np.concatenate([cation.molecules, anion.molecules])
    rank = np.full(trajectory.system.n_molecules, -1, dtype=np.int64)
    rank[ions] = np.arange(len(ions))
    frames = zip(trajectory.wrapped_positions[:, sites].astype(np.float64), trajectory.cell, strict=True)
    populations = cluster_populations(
        frames,
        rank[trajectory.system.molecule_id[sites]],
        np.arange(len(ions)) < cation.n_molecules,
        np.array([[0.0, distance], [distance, 0.0]]),
    ).mean(axis=0)
    size = np.add.outer(np.arange(populations.shape[0]), np.arange(populations.shape[1]))
    return np.asarray(populations * size / len(ions))


def _closest_pairs(trajectory: Trajectory, pairs: list[tuple[str, str]], roles: Roles, portrait: Portrait) -> None:
    """Closest approach of every pair of bead classes in which both are ions."""
    ions = {roles.li.name, roles.anion.name}
    names = trajectory.system.type_names
    kind = trajectory.system.particle_type
    chosen = np.flatnonzero([names[k] in ions for k in kind])
    part = Trajectory(
        trajectory.system.select(chosen),
        trajectory.wrapped_positions[:, chosen],
        trajectory.image_flags[:, chosen],
        trajectory.cell,
        trajectory.time,
    )
    closest = np.full((len(names), len(names)), np.inf)
    for i, j, distances in neighbors(spread_frames(part, FRAMES_FOR_CLOSEST), OVERLAP_SEARCH):
        np.minimum.at(closest, (kind[chosen[i]], kind[chosen[j]]), distances)
    for a, b in pairs:
        value = closest[names.index(a), names.index(b)]
        if a in ions and b in ions and np.isfinite(value):
            portrait.arrays[f"closest/{a}-{b}"] = np.array([value])


def _overlaps(trajectory: Trajectory, pairs: list[tuple[str, str]], ruler: Portrait, portrait: Portrait) -> None:
    """Pairs of beads, not bonded, that are closer than those of their classes come in one of twenty frames of MD."""
    system = trajectory.system
    n, names = system.n_particles, system.type_names
    bonded = np.sort(system.bond_index, axis=0)
    bonds = np.unique(bonded[0] * n + bonded[1])
    search = OVERLAP_SEARCH if ruler is portrait else float(ruler.arrays["overlap_distances"].max())
    frames = spread_frames(trajectory, FRAMES_FOR_STRUCTURE)
    if search <= 0:
        return
    frame, code, distance = _close_pairs(frames, search, bonds)
    index = [tuple(sorted((names.index(a), names.index(b)))) for a, b in pairs]
    codes = [a * len(names) + b for a, b in index]
    if ruler is portrait:
        limits = []
        for own in codes:
            nearest = np.full(frames.n_frames, OVERLAP_SEARCH)
            np.minimum.at(nearest, frame[code == own], distance[code == own])
            limits.append(float(np.quantile(nearest, OVERLAP_FREQUENCY)))
        portrait.arrays["overlap_distances"] = np.array(limits)
    counts = np.zeros(frames.n_frames)
    for own, limit in zip(codes, ruler.arrays["overlap_distances"], strict=True):
        counts += np.bincount(frame[(code == own) & (distance < limit)], minlength=frames.n_frames)
    portrait.values["overlaps_per_step"] = block_average(counts).estimate


def _close_pairs(
    trajectory: Trajectory, reach: float, bonds: Int64[Array, " bonds"]
) -> tuple[Int64[Array, " pairs"], Int64[Array, " pairs"], Float64[Array, " pairs"]]:
    """Frame, classes and distance of every pair of beads that is near and not bonded.

    The lower class counts as many times as there are classes, the higher once; bonds are numbered likewise by beads.
    """
    kind, n_kinds = trajectory.system.particle_type, len(trajectory.system.type_names)
    parts = []
    for k, (i, j, distances) in enumerate(neighbors(trajectory, reach)):
        free = (i < j) & ~np.isin(i * trajectory.system.n_particles + j, bonds)
        first, second = np.sort(np.stack([kind[i[free]], kind[j[free]]]), axis=0)
        parts.append((np.full(len(first), k), first * n_kinds + second, distances[free]))
    frame, code, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return frame, code, distance
