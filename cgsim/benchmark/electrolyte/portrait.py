"""Portrait of an electrolyte, from a trajectory of its beads."""

import numpy as np

from cgsim.benchmark.distances import bond_portrait
from cgsim.benchmark.electrolyte.contacts import contact_relaxation
from cgsim.benchmark.electrolyte.roles import ANION, LI, POLYMER, Roles, find_roles
from cgsim.benchmark.electrolyte.structure import contact_distance, structure_portrait
from cgsim.benchmark.motion import Box, Motion, fit_diffusion, follow_box, follow_species, msd_at, source_of
from cgsim.benchmark.portrait import FEW_FRAMES, Portrait, log10_estimate
from cgsim.observables.diffusion import DiffusionFit, msd_errors
from cgsim.observables.dynamics import MeanSquaredDisplacement, mean_squared_displacement
from cgsim.observables.statistics import Estimate
from cgsim.observables.structure import volume
from cgsim.observables.transport import conductivity_factor, nernst_einstein
from cgsim.trajectory import Trajectory
from cgsim.typing import Array

MSD_LAG = 400.0  # ps
N_DIMENSIONS = 3
ONE_KELVIN = 1.0  # conductivities are given times temperature, which every source of a system shares


def electrolyte_portrait(trajectory: Trajectory, lag_time: float, reference: Portrait | None) -> Portrait:
    """Everything that the benchmark measures of an electrolyte.

    Args:
        trajectory: of beads, equally spaced in time, in a constant cell.
        lag_time: of the models; contacts are looked at that often.
        reference: portrait of the long MD, whose bins, windows and cutoffs are used; None if this is the long MD.

    Raises:
        InputError: if there is no cation, anion or polymer.
    """
    if trajectory.n_frames < FEW_FRAMES:
        return Portrait({"stability": Estimate(0.0, float("nan"))})
    roles = find_roles(trajectory.system)
    portrait = structure_portrait(trajectory, roles, reference)
    bonds = bond_portrait(trajectory, reference)
    portrait.values.update(bonds.values)
    portrait.arrays.update(bonds.arrays)
    _add_motion(trajectory, roles, portrait, reference)
    ruler = reference or portrait
    for partner in (roles.polymer, roles.anion):
        cutoff = contact_distance(ruler, roles.li, partner)
        role = POLYMER if partner is roles.polymer else ANION
        level = float(reference.arrays[f"contact_level/{role}"][0]) if reference else None
        time, level = contact_relaxation(trajectory, roles.li.particles, partner.particles, cutoff, lag_time, level)
        portrait.values[f"log10_contact_time_li_{role}"] = time
        portrait.arrays[f"contact_level/{role}"] = np.array([level])
    if reference:
        whole = "torn_bonds" not in portrait.values or portrait.value("torn_bonds").value == 0
        portrait.values["stability"] = Estimate(float(whole), float("nan"))
    return portrait


def _add_motion(trajectory: Trajectory, roles: Roles, portrait: Portrait, reference: Portrait | None) -> None:
    """Mean squared displacements, diffusion coefficients and conductivities."""
    source = source_of(trajectory)
    box = follow_box(source)
    factor = source.units.diffusion_factor
    motions, ions = {}, []
    for role, species in roles.items():
        motion = motions[role] = follow_species(source, species, box)
        fit = _add_diffusion(portrait, role, motion.tracers, reference, factor)
        final = float(motion.last_displacement.mean()) * factor / (2 * N_DIMENSIONS * source.duration)
        portrait.values[f"log10_d_{role}_single_origin"] = log10_estimate(Estimate(final, float("nan")))
        if fit is not None and role in (LI, ANION):
            ions.append(fit.coefficient.scaled(factor))
    if len(trajectory.system.bond_index.T):
        _add_diffusion(portrait, "com", motions[POLYMER].centres, reference, factor)
    if len(ions) == 2:
        _add_conductivity(trajectory, roles, ions, motions, box, portrait, reference)


def _add_diffusion(
    portrait: Portrait, role: str, displacement: MeanSquaredDisplacement, reference: Portrait | None, factor: float
) -> DiffusionFit | None:
    """D of one role and its mean squared displacement."""
    window = reference.arrays.get(f"window/{role}") if reference else None
    fit = fit_diffusion(displacement, window)
    if fit is None:
        return None
    errors = msd_errors(displacement)
    portrait.values[f"d_{role}"] = fit.coefficient.scaled(factor)
    portrait.values[f"log10_d_{role}"] = log10_estimate(fit.coefficient.scaled(factor))
    portrait.values[f"msd400_{role}"] = msd_at(displacement, errors, MSD_LAG)
    portrait.values[f"log10_msd400_{role}"] = log10_estimate(portrait.values[f"msd400_{role}"])
    portrait.arrays[f"window/{role}"] = np.array(fit.window)
    if reference is None:
        lags = displacement.lags
        portrait.arrays[f"msd/{role}"] = np.stack([lags * displacement.save_interval, displacement.msd[lags], errors])
    else:  # at the lags of the reference, so that replicas can be averaged
        at = reference.arrays[f"msd/{role}"][0]
        at = at[(at >= displacement.save_interval) & (at <= 0.5 * displacement.n_frames * displacement.save_interval)]
        curve = np.interp(at, np.arange(displacement.n_frames) * displacement.save_interval, displacement.msd)
        spread = np.interp(at, displacement.lags * displacement.save_interval, errors)
        portrait.arrays[f"msd/{role}"] = np.stack([at, curve, spread])
    return fit


def _add_conductivity(
    trajectory: Trajectory,
    roles: Roles,
    ions: list[Estimate],
    motions: dict[str, Motion],
    box: Box,
    portrait: Portrait,
    reference: Portrait | None,
) -> None:
    """Conductivity times temperature, S K/cm: by Nernst and Einstein, and from the motion of all charges together."""
    per_kelvin = conductivity_factor(float(volume(box.cell).mean()), ONE_KELVIN)
    charges = np.array([roles.li.charge, roles.anion.charge])
    counts = np.array([float(roles.li.n_molecules), float(roles.anion.n_molecules)])
    free = nernst_einstein(ions, charges, counts).charge_diffusion.scaled(per_kelvin)
    portrait.values["log10_conductivity"] = log10_estimate(free)
    source = source_of(trajectory)
    moment: Array = charges[0] * motions[LI].centre_sum + charges[1] * motions[ANION].centre_sum
    collective = mean_squared_displacement(moment[:, None], np.zeros(1, dtype=np.int64), source.save_interval)
    window = reference.arrays.get("window/charge") if reference else None
    fit = fit_diffusion(collective, window)
    if fit is not None:
        sigma = fit.coefficient.scaled(source.units.diffusion_factor * per_kelvin)
        portrait.values["log10_conductivity_collective"] = log10_estimate(sigma)
        portrait.arrays["window/charge"] = np.array(fit.window)
