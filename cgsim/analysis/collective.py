"""Figures of collective charge transport: conductivity, Onsager coefficients and transference numbers by frame."""

from dataclasses import dataclass, replace

import numpy as np

from cgsim.analysis.conduction import self_diffusion
from cgsim.analysis.figures import OF_RUNS, Curve, Figure
from cgsim.analysis.mobility import MULTI_ORIGIN, fit_details, regime_warning
from cgsim.analysis.motion import Box, Unwrapper
from cgsim.analysis.remarks import by_run, headed, joined
from cgsim.analysis.salt import Salt
from cgsim.analysis.source import Source
from cgsim.observables.diffusion import MIN_FRAMES, Regime
from cgsim.observables.dynamics import sample_lags
from cgsim.observables.onsager import Collective, CollectiveRun, follow_charge, point_errors
from cgsim.observables.statistics import Estimate, independent_sum, ratio_of_scales
from cgsim.observables.transport import nernst_einstein
from cgsim.trajectory import System
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem

METHOD = "einstein-collective multi-origin"
IN_SOLVENT = ", solvent frame"
HAVEN = "nernst-einstein / einstein-collective multi-origin"
BOX_FRAME = "centre of mass of the box"
CHARGE_CURVE, CROSS_CURVE = "charge_displacement", "cross_displacement"
FEW = 20  # degrees of freedom: a relative error of a third
LOOKS_DIFFUSIVE = "the charge looks diffusive in its window, which a longer run may change: not known to be so"
FIXED_BY_MOMENTUM = (
    "without neutral molecules the conservation of momentum fixes it in this frame: the masses decide, not the motion"
)


@dataclass(frozen=True)
class Frame:
    """A frame of reference in which fluxes are counted.

    Attributes:
        name: in words.
        suffix: what it adds to the method of a figure.
        sums: [species, sums], each ion species' summed position in this frame, as combinations of the followed sums.
    """

    name: str
    suffix: str
    sums: Float64[Array, "species sums"]


def follow_ions(source: Source, salt: Salt, box: Box) -> tuple[CollectiveRun | None, list[Curve]]:
    """Sum the centres of mass of each ion species in every frame and follow these sums, in one pass over the file.

    The last sum is the centre of mass of all neutral molecules, if there are any: the solvent.
    """
    if source.n_frames < MIN_FRAMES:
        return None, []
    system = source.system
    rows = list(ion_shares(system, salt))
    counts = salt.counts
    if salt.neutral:
        solvent = np.where(np.sum(rows, axis=0) > 0, 0.0, system.masses)
        rows.append(solvent / solvent.sum())
        counts = np.append(counts, 1.0)
    weights = np.stack(rows)
    unwrap = Unwrapper(source, np.arange(system.n_particles))
    sums = np.concatenate([np.einsum("sp,fpx->fsx", weights, unwrap(piece)) for piece in source.chunks()])
    sums -= counts[:, None] * (box.centre - box.centre[0])[:, None]
    charges = _charges(salt)
    run = follow_charge(sums, charges, source.save_interval)
    return run, _curves(source, salt, run)


def ion_shares(system: System, salt: Salt) -> Float64[Array, "species particles"]:
    """Weights that sum the centres of mass of all ions of a species: a particle's share of its molecule's mass."""
    of_molecule = np.bincount(system.molecule_id, weights=system.masses)
    share = system.masses / of_molecule[system.molecule_id]
    rows = np.zeros((len(salt.ions), system.n_particles))
    for row, ion in zip(rows, salt.ions, strict=True):
        row[ion.particles] = share[ion.particles]
    return rows


def collective_figures(
    salt: Salt, diffusion: list[Figure], runs: list[CollectiveRun], lengths: dict[str, float], diffusion_factor: float
) -> list[Figure]:
    """All figures of collective motion, from one run or from the replicas of one system together.

    Args:
        salt: the ions.
        diffusion: figures among which are the ions' self-diffusivities.
        runs: collective motion in each run.
        lengths: of the runs by their names, any unit; a run counts in proportion.
        diffusion_factor: cm^2/s per length^2/time.
    """
    shares = np.array(list(lengths.values())) / sum(lengths.values())
    common = Collective(tuple(runs), shares)
    window = (min(r.fit.window[0] for r in runs), max(r.fit.window[1] for r in runs))
    warning = by_run({name: regime_warning(r.fit) for name, r in zip(lengths, runs, strict=True)})
    fits = {name: fit_details(r.fit) for name, r in zip(lengths, runs, strict=True)}
    details = {
        **salt.details,
        **(fit_details(runs[0].fit) if len(runs) == 1 else {OF_RUNS: fits, "replicas": len(runs)}),
    }
    own = self_diffusion(salt, diffusion, MULTI_ORIGIN) or []
    unsure = [f.species for f in own if f.warning]
    if unsure and any(r.fit.regime is Regime.DIFFUSIVE for r in runs):
        warning = joined(warning, looks_diffusive(unsure))
    form = Figure("", salt.label, Estimate(np.nan, np.nan), "", METHOD, window, warning, details)
    charges = _charges(salt)
    total = common.coefficient(charges, charges).scaled(diffusion_factor)
    if total.value <= 0 or total.degrees_of_freedom < FEW:
        short = f"rests on {total.degrees_of_freedom:.0f} degrees of freedom: the run is too short to say much"
        form = replace(form, warning=joined(warning, short))
    figures = [replace(form, name="conductivity", unit="S/cm", estimate=total.scaled(salt.factor))]
    for frame in _frames(salt):
        figures += _in_frame(salt, common, frame, form, diffusion_factor)
    if not own:
        return figures
    free = nernst_einstein([f.estimate for f in own], salt.charges, salt.counts).charge_diffusion
    alone = (min(f.window[0] for f in own), max(f.window[1] for f in own))
    form = replace(
        form,
        warning=joined(
            form.warning, *(headed(f.species, f.warning) for f in own), _mixed(alone, window, is_sure=not unsure)
        ),
        details={**form.details, "self_diffusion_window": alone},
    )
    figures += _self_and_distinct(salt, common, own, form, diffusion_factor)
    figures.append(replace(form, name="haven_ratio", method=HAVEN, estimate=ratio_of_scales(free, total)))
    return figures


def _mixed(alone: tuple[float, float], together: tuple[float, float], *, is_sure: bool) -> str:
    """Sentence for a figure of slopes from two windows, which are the same only where both are diffusive."""
    if alone == together or (is_sure and alone[0] < together[1] and together[0] < alone[1]):
        return ""
    windows = [f"{low:.4g} to {high:.4g} {UnitSystem.MOLECULAR.time}" for low, high in (alone, together)]
    return f"mixes windows: self-diffusion from {windows[0]}, charge from {windows[1]}"


def looks_diffusive(unsure: list[str]) -> str:
    """Sentence on ion species that are not known to be diffusive although the charge is."""
    return f"{LOOKS_DIFFUSIVE} {'is' if len(unsure) == 1 else 'are'} {' and '.join(unsure)}"


def _charges(salt: Salt) -> Float64[Array, " sums"]:
    """Charge of each sum, 0 for the solvent."""
    return np.append(salt.charges, 0.0) if salt.neutral else salt.charges


def _frames(salt: Salt) -> list[Frame]:
    """The frames in which fluxes can be counted: that of the box, and that of the solvent if there is one."""
    in_box = np.eye(len(salt.ions), len(_charges(salt)))
    frames = [Frame(BOX_FRAME, "", in_box)]
    if salt.neutral:
        in_solvent = in_box.copy()
        in_solvent[:, -1] = -salt.counts  # every ion moves relative to the solvent's centre of mass
        frames.append(Frame(f"centre of mass of {'+'.join(salt.neutral)}", IN_SOLVENT, in_solvent))
    return frames


def _in_frame(salt: Salt, common: Collective, frame: Frame, form: Figure, diffusion_factor: float) -> list[Figure]:
    """Transference numbers and Onsager coefficients in one frame."""
    form = replace(form, method=METHOD + frame.suffix, details={**form.details, "frame": frame.name})
    whole = salt.charges @ frame.sums
    figures = []
    fixed = FIXED_BY_MOMENTUM if len(salt.ions) == 2 and not salt.neutral else ""
    for k in salt.reported:
        share = common.share(salt.charges[k] * frame.sums[k], whole)
        share = Estimate(share.value, 0.0) if fixed else share
        warning = joined(form.warning, fixed)
        name = salt.ions[k].name
        figures.append(replace(form, name="transference_number", species=name, estimate=share, warning=warning))
    for i, first in enumerate(salt.ions):
        for j in range(i, len(salt.ions)):
            second = salt.ions[j]
            found = common.coefficient(frame.sums[i], frame.sums[j]).scaled(diffusion_factor)
            both = first.charge * second.charge * salt.factor  # its part of the conductivity, once for i-j and for j-i
            details = {**form.details, "conductivity_part": found.value * both, "part_unit": "S/cm"}
            figures.append(_onsager(form, "onsager_coefficient", f"{first.name}-{second.name}", salt, found, details))
    return figures


def _self_and_distinct(
    salt: Salt, common: Collective, own: list[Figure], form: Figure, diffusion_factor: float
) -> list[Figure]:
    """Parts of the diagonal Onsager coefficients: of each ion with itself, N D, and of different ions of a species."""
    form = replace(form, details={**form.details, "frame": BOX_FRAME})
    figures = []
    for k, (ion, diffusion) in enumerate(zip(salt.ions, own, strict=True)):
        label = f"{ion.name}-{ion.name}"
        alone = diffusion.estimate.scaled(float(ion.n_molecules))
        sums = _frames(salt)[0].sums[k]
        whole = common.coefficient(sums, sums).scaled(diffusion_factor)
        figures.append(_onsager(form, "onsager_self", label, salt, alone, form.details))
        distinct = independent_sum([whole, alone], np.array([1.0, -1.0]))
        figures.append(_onsager(form, "onsager_distinct", label, salt, distinct, form.details))
    return figures


def _onsager(form: Figure, name: str, label: str, salt: Salt, estimate: Estimate, details: dict[str, object]) -> Figure:
    scaled = estimate.scaled(salt.onsager_factor)
    return replace(form, name=name, species=label, estimate=scaled, unit="mol2/(J m s)", details=details)


def _curves(source: Source, salt: Salt, run: CollectiveRun) -> list[Curve]:
    """Mean square of the displacement of charge, and mean products of those of every two ion species."""
    lags = sample_lags(source.n_frames)  # about twelve a decade
    sums = _frames(salt)[0].sums
    index = [(i, j) for i in range(len(sums)) for j in range(i, len(sums))]
    pairs = [(f"{salt.ions[i].name}-{salt.ions[j].name}", sums[i], sums[j]) for i, j in index]
    found = []
    squared = f"{source.units.length}2"
    kinds = [(CHARGE_CURVE, f"e2 {squared}"), *[(CROSS_CURVE, squared)] * len(pairs)]
    curves = [(salt.label, _charges(salt), _charges(salt)), *pairs]
    for (kind, unit), (label, first, second) in zip(kinds, curves, strict=True):
        columns = {
            "lag": lags * source.save_interval,
            "displacement": run.displacement.between(first, second)[lags],
            "standard_error": point_errors(run.displacement, first, second, lags),
        }
        units = {"lag": source.units.time, "displacement": unit, "standard_error": unit}
        found.append(Curve(kind, source.name, label, columns, units))
    return found
