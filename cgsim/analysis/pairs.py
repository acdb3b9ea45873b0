"""Figures of local structure: radial distribution functions and coordination numbers."""

from dataclasses import dataclass

import numpy as np

from cgsim.analysis.figures import Curve, Figure, block_details, error_details, of_counts
from cgsim.analysis.motion import Box
from cgsim.analysis.naming import Naming
from cgsim.analysis.selection import Species, default_pairs
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.radial import RadialDistribution, radial_distribution
from cgsim.observables.shells import FirstShell
from cgsim.observables.statistics import Estimate
from cgsim.observables.structure import image_reach
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem

DEFAULT_REACH = {UnitSystem.MOLECULAR: 12.0, UnitSystem.LJ: 6.0}
BIN_WIDTH, BIN_WIDTH_OF_BEADS = 0.05, 0.1
SHALLOW = 0.75  # g at the end of a shell over the lower peak beside it, from which on the end is not clear
DOUBTFUL = 0.1  # share of a number of neighbours that the place of the end makes up, likewise


@dataclass(frozen=True)
class PairPlan:
    """Which radial distribution functions to make.

    Attributes:
        pairs: names of selections.
        selections: the particles of each name.
        bin_edges: length.
        within: distance within which neighbours are counted; None for the first minimum of each pair.
    """

    pairs: list[tuple[str, str]]
    selections: dict[str, Array]
    bin_edges: Float64[Array, " edges"]
    within: float | None


def plan_pairs(source: Source, species: list[Species], box: Box, settings: AnalysisSettings) -> PairPlan:
    """Choose pairs and bins.

    Raises:
        InputError: if a pair names no particles, or a cutoff is beyond half the cell.
    """
    naming = Naming(source.system, species)
    pairs = [naming.parse_pair(text) for text in settings.pairs] or default_pairs(source.system, species, naming.given)
    edges = radial_bins(source, box, settings) if source.is_periodic else np.zeros(0)
    if settings.pairs and not source.is_periodic:
        raise InputError(f"{source.path}: has no cell, so there is no radial distribution function for --pair")
    if source.is_periodic:
        refuse_far(source, box, "--coordination-cutoff", settings.coordination_cutoff)
    names = dict.fromkeys(name for pair in pairs for name in pair)
    return PairPlan(pairs, {name: naming.select(name) for name in names}, edges, settings.coordination_cutoff)


def refuse_far(source: Source, box: Box, option: str, distance: float | None) -> float:
    """Half the shortest lattice vector of any frame: beyond it, particles are met in several images.

    Raises:
        InputError: if a distance that was asked for is beyond that.
    """
    half = float(image_reach(box.cell).min())
    if distance is not None and distance > half:
        raise InputError(
            f"{source.path}: {option} {distance:g} is beyond half the shortest lattice vector of the cell, "
            f"{half:.4g} {source.units.length}"
        )
    return half


def radial_bins(source: Source, box: Box, settings: AnalysisSettings) -> Float64[Array, " edges"]:
    """Bins up to the cutoff, which half the shortest lattice vector of any frame's cell limits.

    Raises:
        InputError: if the cutoff asked for is beyond that, or one bin is.
    """
    half = refuse_far(source, box, "--rdf-cutoff", settings.rdf_cutoff)
    is_beads = source.units is UnitSystem.MOLECULAR and not source.system.atomic_numbers.all()
    width = settings.rdf_bin_width or (BIN_WIDTH_OF_BEADS if is_beads else BIN_WIDTH)
    reach = settings.rdf_cutoff or min(DEFAULT_REACH[source.units], half)
    if width > reach:
        raise InputError(
            f"{source.path}: bins of rdfs are {width:g} {source.units.length} wide, expected at most their largest "
            f"distance, {reach:.4g}; see --rdf-bin-width and --rdf-cutoff"
        )
    return np.arange(int(reach / width + 1e-9) + 1) * width


def pair_results(source: Source, plan: PairPlan, settings: AnalysisSettings) -> tuple[list[Figure], list[Curve]]:
    """Radial distribution functions of all pairs, with those inside molecules unless the settings leave them out."""
    if not plan.pairs or len(plan.bin_edges) < 2:
        return [], []
    names = sorted({name for pair in plan.pairs for name in pair})
    masks = np.stack([plan.selections[name] for name in names])
    index = np.array([[names.index(a), names.index(b)] for a, b in plan.pairs])
    chosen = source.spread_frames(settings.structure_frames)
    apart = source.system.molecule_id if settings.between_molecules else None
    result = radial_distribution(source.single_frames(chosen), masks, index, plan.bin_edges, apart)
    inner = None
    if plan.within is not None:
        sphere = np.array([0.0, plan.within])  # one bin, so that the count ends exactly there
        inner = radial_distribution(source.single_frames(chosen), masks, index, sphere, apart)
    figures: list[Figure] = []
    curves: list[Curve] = []
    length = source.units.length
    for k, (a, b) in enumerate(plan.pairs):
        label = f"{a}-{b}"
        figures += peak_figures(source, result, k, label)
        figures += (
            shell_figures(source, result, k, label) if inner is None else [sphere_figure(source, inner, k, label)]
        )
        columns = {
            "r": result.bin_centres,
            "rdf": result.rdf[k],
            "standard_error": result.rdf_error[k],
            "coordination": result.coordination[k],
            "coordination_error": result.coordination_error[k],
        }
        curves.append(Curve("rdf", source.name, label, columns, {"r": length}))
    return figures, curves


def peak_figures(source: Source, result: RadialDistribution, pair: int, label: str) -> list[Figure]:
    """Height and position of the first peak; nothing where there is none."""
    position, height = result.first_peak(pair)
    if not np.isfinite(position.value):
        return []
    span, length = (0.0, float(result.bin_edges[-1])), source.units.length
    at = int(np.clip(np.searchsorted(result.bin_edges, position.value) - 1, 0, len(result.bin_centres) - 1))
    details = block_details(result.rdf_average, pair, at)
    return [
        Figure("rdf", label, height, "", "height of the first peak", span, "", details, window_unit=length),
        Figure("rdf_first_peak", label, position, length, "position of the first peak", span, window_unit=length),
    ]


def shell_figures(source: Source, result: RadialDistribution, pair: int, label: str) -> list[Figure]:
    """Where the first shell ends, and how many neighbours are in it; nothing where the first peak has no end."""
    shell = result.first_shell(pair)
    if shell is None:
        return []
    radius, number = shell.radius, shell.number
    warning = shell_warning(shell, source.units.length)
    span, within = (0.0, float(result.bin_edges[-1])), (0.0, radius.value)
    length = source.units.length
    at = int(np.argmin(np.abs(result.bin_edges[1:] - radius.value)))
    depth = {"minimum_over_peaks": shell.depth}
    by_particles = int(result.coordination_particles[pair, at])
    details = {**depth, **error_details(result.coordination_average, by_particles, pair, at)}
    end, method = "end of the first shell", "up to the first minimum"
    return [
        Figure("rdf_first_minimum", label, radius, length, end, span, warning, depth, window_unit=length),
        Figure("coordination_number", label, number, "", method, within, warning, details, window_unit=length),
    ]


def shell_warning(shell: FirstShell, length: str) -> str:
    """What to say of a first shell that has no clear end; nothing where it has one."""
    warnings = []
    if shell.depth > SHALLOW:
        warnings.append(f"shallow: at its end g is still {shell.depth:.0%} of the lower peak beside it")
    if shell.doubt > DOUBTFUL:
        error = f"{shell.radius.standard_error:.2g} {length}"
        warnings.append(f"flat: where the shell ends is open by {error}, which is {shell.doubt:.0%} of its number")
    return "; ".join(warnings)


def sphere_figure(source: Source, inner: RadialDistribution, pair: int, label: str) -> Figure:
    """Number of neighbours within the distance that was asked for."""
    average, by_particles = inner.coordination_average, int(inner.coordination_particles[pair, 0])
    freedom = float(max(1, (by_particles or average.n_blocks) - 1))
    number = Estimate(float(inner.coordination[pair, 0]), float(inner.coordination_error[pair, 0]), freedom)
    within = (0.0, float(inner.bin_edges[1]))
    details, unit = error_details(average, by_particles, pair, 0), source.units.length
    method = "within the given cutoff"
    return of_counts(Figure("coordination_number", label, number, "", method, within, "", details, window_unit=unit))
