"""Density profiles of every species along an axis of the cell."""

from collections.abc import Iterator

import numpy as np

from cgsim.analysis.figures import Curve
from cgsim.analysis.motion import Box
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AXES, AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.profile import density_profile
from cgsim.observables.structure import perpendicular_widths
from cgsim.typing import Array, Float64
from cgsim.units import AVOGADRO_PER_MOL, UnitSystem

SLAB = {UnitSystem.MOLECULAR: 0.5, UnitSystem.LJ: 0.25}
CONSTANT = 1e-6  # relative change of a width that is only rounding
ALL = "all"


def check_profiles(source: Source, box: Box, settings: AnalysisSettings) -> None:
    """Refuse profiles of a system that has no volume, or of a single slab.

    Raises:
        InputError: if there is no cell, or a slab is thicker than half of it.
    """
    if settings.density_profile and not source.is_periodic:
        raise InputError(f"{source.path}: has no cell, so there is no density for --density-profile")
    for axis in settings.density_profile:
        width = float(perpendicular_widths(box.cell)[:, AXES.index(axis)].mean())
        if (settings.profile_bin_width or 0.0) > 0.5 * width:
            raise InputError(
                f"{source.path}: --profile-bin-width {settings.profile_bin_width:g} leaves less than two slabs, "
                f"expected at most half the cell, which is {width:.4g} {source.units.length} along {axis}"
            )


def profile_curves(
    source: Source, species: list[Species], box: Box, settings: AnalysisSettings
) -> tuple[list[Curve], list[str]]:
    """Number, mass and charge density of every species and of all, along the axes that were asked for."""
    curves: list[Curve] = []
    notes: list[str] = []
    system, units = source.system, source.units
    kind = np.empty(system.n_particles, dtype=np.int64)
    for k, one in enumerate(species):
        kind[one.particles] = k
    twice = np.tile(np.arange(system.n_particles), 2)  # every particle counts for its species and for all
    quantities = np.stack([np.ones(system.n_particles), system.masses, system.charges])[:, twice]
    kinds = np.concatenate([kind, np.full(system.n_particles, len(species))])
    factor = 1e24 / AVOGADRO_PER_MOL if units is UnitSystem.MOLECULAR else 1.0
    per_volume = f"1/{units.length}3"
    density_units = {
        "number_density": (1.0, per_volume),
        "mass_density": (factor, "g/cm3" if units is UnitSystem.MOLECULAR else "m/sigma3"),
        "charge_density": (1.0, f"{units.charge}/{units.length}3"),
    }
    for name in settings.density_profile:
        axis = AXES.index(name)
        widths = perpendicular_widths(box.cell)[:, axis]
        n_slabs = max(1, round(float(widths.mean()) / (settings.profile_bin_width or SLAB[units])))
        frames = ((positions[twice], cell) for positions, cell in _at_rest(source, box, settings))
        profile = density_profile(frames, axis, quantities, kinds, n_slabs)
        if np.ptp(widths) > CONSTANT * widths.mean():
            notes.append(
                f"{source.path}: the cell is {widths.min():.4g} to {widths.max():.4g} {units.length} along {name}; "
                "positions in the density profile are scaled to the mean width"
            )
        for k, label in enumerate([*(one.name for one in species), ALL]):
            columns: dict[str, Array] = {"position": profile.slab_centres}
            column_units = {"position": units.length}
            for q, (quantity, (scale, unit)) in enumerate(density_units.items()):
                columns[quantity] = profile.density[q, k] * scale
                columns[f"{quantity}_error"] = profile.density_error[q, k] * scale
                column_units |= {quantity: unit, f"{quantity}_error": unit}
            curves.append(Curve(f"density_profile_{name}", source.name, label, columns, column_units))
    return curves, notes


def _at_rest(
    source: Source, box: Box, settings: AnalysisSettings
) -> Iterator[tuple[Float64[Array, "particles 3"], Float64[Array, "3 3"]]]:
    """Frames with the drift of the whole box taken out, so that it does not smear what stands still in the box."""
    chosen = source.spread_frames(settings.structure_frames)
    for k, (positions, cell) in zip(chosen, source.single_frames(chosen), strict=True):
        yield positions - (box.centre[k] - box.centre[0]), cell
