"""Everything about structure: sizes apart, which are followed together with the motion."""

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
    check_profiles(source, settings)
    contact = contact_distance(source, box, settings) if settings.contact_maps else None
    return StructurePlan(pairs, find_ions(species), contact)


@dataclass(frozen=True)
class StructureResults:
    """What was found.

    Attributes:
        figures: figures.
        curves: curves.
        notes: what could not be measured, and why.
        association: the ion clusters, or why there are none.
    """

    figures: list[Figure]
    curves: list[Curve]
    notes: list[str]
    association: Association | str


def structure_results(
    source: Source, plan: StructurePlan, species: list[Species], box: Box, settings: AnalysisSettings
) -> StructureResults:
    """Shapes and stiffness of chains, radial distributions, ion clusters; profiles and contact maps where wanted.

    Args:
        source: the trajectory.
        plan: of :func:`plan_structure`.
        species: all species.
        box: its cell and centre.
        settings: what and how.
    """
    wanted = [s for s in species if not settings.species or s.name in settings.species]
    figures, curves, notes = shape_results(source, wanted)
    pair_figures, pair_curves = pair_results(source, plan.pairs, settings)
    figures, curves = figures + pair_figures, curves + pair_curves
    association: Association | str = "there are no ions of both signs"
    if plan.ions:
        association = find_association(source, plan.ions, box, settings)
        if isinstance(association, str):
            notes = [*notes, f"{source.path}: no ion clusters: {association}"]
        else:
            own = association_figures(source, association)
            figures, curves = figures + own[0], curves + own[1]
    if settings.density_profile:
        profiles, remarks = profile_curves(source, species, box, settings)
        curves, notes = curves + profiles, notes + remarks
    if plan.contact is not None:
        contacts = contact_results(source, species, plan.contact, settings)
        figures, curves = figures + contacts[0], curves + contacts[1]
    return StructureResults(figures, curves, notes, association)
