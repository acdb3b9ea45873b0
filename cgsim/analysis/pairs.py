"""Figures of local structure: radial distribution functions and coordination numbers."""

from dataclasses import dataclass

import numpy as np

from cgsim.analysis.figures import Curve, Figure
from cgsim.analysis.motion import Box
from cgsim.analysis.selection import Species, default_pairs, parse_pair, radial_selections
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.radial import RadialDistribution, radial_distribution
from cgsim.observables.statistics import Estimate
from cgsim.observables.structure import perpendicular_widths
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem

DEFAULT_REACH = {UnitSystem.MOLECULAR: 12.0, UnitSystem.LJ: 6.0}
BIN_WIDTH, BIN_WIDTH_OF_BEADS = 0.05, 0.1


@dataclass(frozen=True)
class PairPlan:
    """Which radial distribution functions to make.

    Attributes:
        pairs: names of selections.
        selections: the particles of each name.
        bin_edges: length.
    """

    pairs: list[tuple[str, str]]
    selections: dict[str, Array]
    bin_edges: Float64[Array, " edges"]


def plan_pairs(source: Source, species: list[Species], box: Box, settings: AnalysisSettings) -> PairPlan:
    """Choose pairs and bins.

    Raises:
        InputError: if a pair names no particles, or the cutoff is beyond half the cell.
    """
    selections = radial_selections(source.system, species)
    names = list(selections)
    pairs = [parse_pair(text, names) for text in settings.pairs] or default_pairs(source.system, species, selections)
    edges = radial_bins(source, box, settings) if source.is_periodic else np.zeros(0)
    if settings.pairs and not source.is_periodic:
        raise InputError(f"{source.path}: has no cell, so there is no radial distribution function for --pair")
    return PairPlan(pairs, selections, edges)


def radial_bins(source: Source, box: Box, settings: AnalysisSettings) -> Float64[Array, " edges"]:
    """Bins up to the cutoff, which half the smallest width of any frame's cell limits.

    Raises:
        InputError: if the cutoff asked for is beyond that.
    """
    half = float(perpendicular_widths(box.cell).min()) / 2
    if settings.rdf_cutoff is not None and settings.rdf_cutoff > half:
        raise InputError(
            f"{source.path}: --rdf-cutoff {settings.rdf_cutoff:g} is beyond half the smallest width of the cell, "
            f"{half:.4g} {source.units.length}"
        )
    is_beads = source.units is UnitSystem.MOLECULAR and not source.system.atomic_numbers.all()
    width = settings.rdf_bin_width or (BIN_WIDTH_OF_BEADS if is_beads else BIN_WIDTH)
    reach = settings.rdf_cutoff or min(DEFAULT_REACH[source.units], half)
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
    figures: list[Figure] = []
    curves: list[Curve] = []
    length = source.units.length
    for k, (a, b) in enumerate(plan.pairs):
        label = f"{a}-{b}"
        figures += pair_figures(source, result, k, label)
        columns = {
            "r": result.bin_centres,
            "rdf": result.rdf[k],
            "standard_error": result.rdf_error[k],
            "coordination": result.coordination[k],
            "coordination_error": result.coordination_error[k],
        }
        curves.append(Curve("rdf", source.name, label, columns, {"r": length}))
    return figures, curves


def pair_figures(source: Source, result: RadialDistribution, pair: int, label: str) -> list[Figure]:
    """Height and position of the first peak, and the number of neighbours up to the minimum behind it."""
    position, height = result.first_peak(pair)
    if not np.isfinite(position.value):
        return []
    bottom = result.first_minimum(pair)
    reach = float(result.bin_edges[-1])
    figures = [
        Figure("rdf", label, height, "", "height of the first peak", (0.0, reach)),
        Figure("rdf_first_peak", label, position, source.units.length, "position of the first peak", (0.0, reach)),
    ]
    if bottom is not None:
        number = Estimate(float(result.coordination[pair, bottom]), float(result.coordination_error[pair, bottom]))
        within = (0.0, float(result.bin_edges[bottom + 1]))
        figures.append(Figure("coordination_number", label, number, "", "up to the first minimum", within))
    return figures
