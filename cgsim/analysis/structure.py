"""Everything about structure: sizes apart, which are followed together with the motion."""

from collections.abc import Callable
from dataclasses import dataclass

from cgsim.analysis.association import Association, association_figures, check_association, find_association, find_ions
from cgsim.analysis.contact_maps import contact_distance, contact_results
from cgsim.analysis.figures import Curve, Figure
from cgsim.analysis.motion import Box
from cgsim.analysis.pairs import PairPlan, pair_results, plan_pairs
from cgsim.analysis.profiles import check_profiles, profile_curves
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.shapes import shape_results
from cgsim.analysis.source import Source


@dataclass(frozen=True)
class StructurePlan:
    """What can be refused about structure, settled before the work starts.

    Attributes:
        pairs: radial distribution functions to make.
        ions: species whose clusters are counted; none without ions of both signs.
        contact: distance of a contact for contact maps; None if they are not wanted.
    """

    pairs: PairPlan
    ions: list[Species]
    contact: float | None


def plan_structure(source: Source, species: list[Species], box: Box, settings: AnalysisSettings) -> StructurePlan:
    """Choose what to measure.

    Raises:
        InputError: if a selection is empty, a distance is beyond half the cell, or a cell is needed and there is none.
    """
    pairs = plan_pairs(source, species, box, settings)
    check_association(source, box, settings)
    check_profiles(source, box, settings)
    contact = contact_distance(source, box, settings) if settings.contact_maps else None
    return StructurePlan(pairs, find_ions(species), contact)


@dataclass(frozen=True)
class StructureResults:
    """What one kind of structure has to show.

    Attributes:
        figures: figures.
        curves: curves.
        notes: what could not be measured, and why.
        association: the ion clusters, if these were counted.
    """

    figures: list[Figure]
    curves: list[Curve]
    notes: list[str]
    association: Association | None = None


Kind = Callable[[Source, StructurePlan, list[Species], Box, AnalysisSettings], StructureResults]


def structure_kinds(plan: StructurePlan, species: list[Species], settings: AnalysisSettings) -> dict[str, Kind]:
    """The kinds of structure that there are to measure, each independent of the others."""
    kinds: dict[str, Kind] = {}
    if any(one.is_chain for one in _wanted(species, settings)):
        kinds["shapes"] = _shapes
    if plan.pairs.pairs and len(plan.pairs.bin_edges) > 1:
        kinds["radial distribution functions"] = _pairs
    if plan.ions:
        kinds["ion clusters"] = _clusters
    if settings.density_profile:
        kinds["density profiles"] = _profiles
    if plan.contact is not None:
        kinds["contacts"] = _contacts
    return kinds


def _wanted(species: list[Species], settings: AnalysisSettings) -> list[Species]:
    return [one for one in species if not settings.species or one.name in settings.species]


def _shapes(
    source: Source, _plan: StructurePlan, species: list[Species], _box: Box, settings: AnalysisSettings
) -> StructureResults:
    return StructureResults(*shape_results(source, _wanted(species, settings)))


def _pairs(
    source: Source, plan: StructurePlan, _species: list[Species], _box: Box, settings: AnalysisSettings
) -> StructureResults:
    return StructureResults(*pair_results(source, plan.pairs, settings), [])


def _clusters(
    source: Source, plan: StructurePlan, _species: list[Species], box: Box, settings: AnalysisSettings
) -> StructureResults:
    association = find_association(source, plan.ions, box, settings)
    if isinstance(association, str):
        lost = "no ion clusters, so no free_ion_fraction, mean_cluster_size or largest_cluster_size"
        return StructureResults([], [], [f"{source.path}: {lost}: {association}"])
    return StructureResults(*association_figures(source, association), [], association)


def _profiles(
    source: Source, _plan: StructurePlan, species: list[Species], box: Box, settings: AnalysisSettings
) -> StructureResults:
    return StructureResults([], *profile_curves(source, species, box, settings))


def _contacts(
    source: Source, plan: StructurePlan, species: list[Species], _box: Box, settings: AnalysisSettings
) -> StructureResults:
    assert plan.contact is not None
    return StructureResults(*contact_results(source, species, plan.contact, settings), [])
