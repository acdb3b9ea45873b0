"""What is looked at of the motion of a trajectory, settled before the work starts."""

from dataclasses import dataclass

from cgsim.analysis.mobility import check_finite_size
from cgsim.analysis.residence import ContactPlan, plan_cages, plan_contacts
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.analysis.van_hove import van_hove_lags


@dataclass(frozen=True)
class DynamicsPlan:
    """Figures of motion beyond diffusion.

    Attributes:
        contacts: cations and what they stay with; None if there is nothing to see.
        half_window: frames over which the place of a cage is averaged; 0 for no hops between cages.
        van_hove: lags of van Hove functions, frames.
        notes: what cannot be measured, and why.
    """

    contacts: ContactPlan | None
    half_window: int
    van_hove: list[int]
    notes: list[str]


def plan_dynamics(
    source: Source, species: list[Species], temperature: float | None, settings: AnalysisSettings
) -> DynamicsPlan:
    """Settle what is looked at.

    Raises:
        InputError: if a time of the settings does not fit the trajectory, or a viscosity cannot be used.
    """
    check_finite_size(source, temperature, settings.dynamics)
    contacts = plan_contacts(source, species, settings)
    reason = contacts if isinstance(contacts, str) else ""
    return DynamicsPlan(
        None if isinstance(contacts, str) else contacts,
        plan_cages(source, settings),
        van_hove_lags(source, settings),
        [reason] if reason else [],
    )
