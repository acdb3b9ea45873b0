"""Figures of coordination in time: how long cations stay with molecules, and how often they hop."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cgsim.analysis.figures import LOWER, UPPER, Curve, Figure
from cgsim.analysis.motion import MAX_BYTES, Box, read_paths
from cgsim.analysis.pairs import radial_bins, shell_warning
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.coordination import ContactRecord, record_contacts
from cgsim.observables.hopping import Hops, cage_hops, coordination_hops, event_rate
from cgsim.observables.radial import radial_distribution
from cgsim.observables.residence import Residence, continuous_residence, intermittent_residence
from cgsim.observables.statistics import Estimate
from cgsim.trajectory.species import formula
from cgsim.trajectory.trajectory import consecutive
from cgsim.typing import Array, Int64
from cgsim.units import UnitSystem, parse_time

MIN_FRAMES = 20  # below this no persistence can be seen
RECROSSING = 2.0  # ps, the t* of Impey, Madden and McDonald
MAX_CURVE_POINTS = 300


@dataclass(frozen=True)
class ContactPlan:
    """Which pairs of species are looked at, and how finely.

    Attributes:
        pairs: cations, and what they may stay with.
        stride: saved frames between frames looked at.
        tolerance: frames looked at for which an ion may be away.
    """

    pairs: list[tuple[Species, Species]]
    stride: int
    tolerance: int


def plan_contacts(source: Source, species: list[Species], settings: AnalysisSettings) -> ContactPlan | str:
    """Settle what is looked at, or say why that cannot be; nothing is said if there is nothing or it is not wanted.

    Raises:
        InputError: if a time of the settings cannot be read, or is longer than half the run.
    """
    dynamics = settings.dynamics
    pairs = [(a, b) for a in species if a.charge > 0 for b in species if b is not a and b.charge <= 0]
    wanted = settings.species
    pairs = [(a, b) for a, b in pairs if not wanted or a.name in wanted or b.name in wanted]
    stride = -(-source.n_frames // max(1, dynamics.contact_frames))
    is_atoms = source.units is UnitSystem.MOLECULAR and bool(source.system.atomic_numbers.all())
    recrossing = RECROSSING if is_atoms else 0.0
    if dynamics.recrossing:
        recrossing = parse_time(dynamics.recrossing, source.units, allow_zero=True)
        if recrossing > 0.5 * source.duration:
            raise InputError(f"{source.path}: --recrossing {dynamics.recrossing} is longer than half the run")
    if not pairs or not dynamics.contact_frames:
        return ""
    if source.n_frames // stride < MIN_FRAMES:
        looked_at = f"{source.n_frames // stride} frames to look at"
        return f"{source.path}: no coordination_cutoff, {_names(pairs)}: {looked_at}, at least {MIN_FRAMES} are needed"
    return ContactPlan(pairs, stride, int(recrossing / (stride * source.save_interval) + 1e-9))


def plan_cages(source: Source, settings: AnalysisSettings) -> int:
    """Frames over which the place of a cage is averaged; 0 if cages are not asked for.

    Raises:
        InputError: if the time cannot be read, is shorter than two frames, or the run is not long enough.
    """
    text = settings.dynamics.cage_time
    if not text:
        return 0
    half = round(parse_time(text, source.units) / source.save_interval)
    if half < 2:
        interval = f"{source.save_interval:g} {source.units.time}"
        raise InputError(f"{source.path}: --cage-time {text} is less than two frames ({interval} apart)")
    if source.n_frames < 2 * half + 1:
        raise InputError(
            f"{source.path}: has {source.n_frames} frames, --cage-time {text} needs at least {2 * half + 1}"
        )
    return half


def contact_results(
    source: Source, plan: ContactPlan, box: Box, settings: AnalysisSettings
) -> tuple[list[Figure], list[Curve], list[str]]:
    """Residence times and hops of every pair of species, and notes on those without a cutoff."""
    figures: list[Figure] = []
    curves: list[Curve] = []
    notes: list[str] = []
    frames = np.arange(0, source.n_frames, plan.stride)
    for ion, other in plan.pairs:
        label = f"{ion.name}-{other.name}"
        shell = _shell(source, ion, other, box, settings)
        names = _names([(ion, other)])
        without = f"{source.path}: no {names}"
        if shell.radius is None:
            why = "their rdf has no first minimum; give --coordination-cutoff"
            notes.append(f"{source.path}: no coordination_cutoff, {names}: {why}")
            continue
        cutoff, unit = shell.radius.value, source.units.length
        method = "given" if settings.coordination_cutoff else "first minimum of the rdf"
        contacts = _record(source, ion, shell, frames, cutoff)
        if not len(contacts.frame):
            notes.append(f"{without}: none within {cutoff:.3g} {unit}")
            continue
        rule: dict[str, Any] = {
            "sites": shell.names,
            "cutoff": cutoff,
            "cutoff_from": method,
            "resolution": plan.stride * source.save_interval,
            "recrossing": plan.tolerance * plan.stride * source.save_interval,
        }
        kept = continuous_residence(contacts, plan.tolerance), intermittent_residence(contacts)
        own = _residence_figures(source, label, kept, rule)
        curves.append(_curve(source, label, kept, plan.stride * source.save_interval))
        if other.is_chain:
            own += _hop_figures(source, label, coordination_hops(contacts, plan.tolerance), rule)
        span, sites = (0.0, cutoff), {"sites": shell.names}
        own.append(
            Figure("coordination_cutoff", label, shell.radius, unit, method, span, details=sites, window_unit=unit)
        )
        figures += [replace(f, warning="; ".join(text for text in (f.warning, shell.warning) if text)) for f in own]
    return figures, curves, notes


def cage_figure(source: Source, species: Species, box: Box, half_window: int, cage_size: float) -> Figure:
    """Rate at which the particles of a species leave their cages."""
    events = np.concatenate(
        [cage_hops(path, half_window, cage_size) for _, path in read_paths(source, species.tracers, box, MAX_BYTES)]
    )
    watched = source.n_frames - 2 * half_window
    rate = event_rate(events, watched).scaled(1.0 / source.save_interval)
    span = (half_window * source.save_interval, source.duration)
    details = {"events": int(events.sum()), "cage_size": cage_size, "cage_time": half_window * source.save_interval}
    return Figure("hop_rate", species.name, rate, f"1/{source.units.time}", "out of cages", span, "", details)


def _record(
    source: Source, ion: Species, shell: "_Shell", frames: Int64[Array, " frames"], cutoff: float
) -> ContactRecord:
    return record_contacts(
        source.single_frames(frames),
        ion.sites,
        consecutive(source.system.molecule_id[ion.sites]),
        shell.sites,
        consecutive(source.system.molecule_id[shell.sites]),
        cutoff,
    )


def _residence_figures(
    source: Source, label: str, kept: tuple[Residence, Residence], rule: dict[str, Any]
) -> list[Figure]:
    figures = []
    interval = rule["resolution"]
    for method, one in zip(("continuous", "intermittent"), kept, strict=True):
        warning = bound = ""
        if one.is_lower_bound:
            left, bound = one.correlation[-1], LOWER
            warning = f"{left:.0%} of the contacts are left after half the run: the residence time is a lower bound"
        elif one.time.value <= 1.0:  # in frames
            warning, bound = "contacts break within a frame interval: the residence time is an upper bound", UPPER
        details = {**rule, "molecules_per_ion": one.per_ion}
        span = (0.0, one.window * interval)
        figures.append(
            Figure(
                "residence_time",
                label,
                one.time.scaled(interval),
                source.units.time,
                method,
                span,
                warning,
                details if method == "continuous" else {k: v for k, v in details.items() if k != "recrossing"},
                bound=bound,
            )
        )
    return figures


def _names(pairs: list[tuple[Species, Species]]) -> str:
    """Which figures there are of some pairs, and of which."""
    what = (
        "residence_time, hop_rate and interchain_hop_share" if any(b.is_chain for _, b in pairs) else "residence_time"
    )
    return f"{what} of {', '.join(f'{a.name}-{b.name}' for a, b in pairs)}"


def _hop_figures(source: Source, label: str, hops: Hops, rule: dict[str, Any]) -> list[Figure]:
    interval = rule["resolution"]
    span = (0.0, (hops.n_frames - 1) * interval)
    within, between = int(hops.within.sum()), int(hops.between.sum())
    details = {**rule, "events_within_chains": within, "events_between_chains": between}
    warning = "no hop was seen, so there is no interchain_hop_share" if within + between == 0 else ""
    figures = [
        Figure(
            "hop_rate",
            label,
            hops.rate.scaled(1.0 / interval),
            f"1/{source.units.time}",
            "all sites replaced",
            span,
            warning,
            details,
        )
    ]
    if within + between:
        figures.append(
            Figure("interchain_hop_share", label, hops.share_between, "", "all sites replaced", span, "", details)
        )
    return figures


def _curve(source: Source, label: str, kept: tuple[Residence, Residence], interval: float) -> Curve:
    n = len(kept[0].correlation)
    lags = np.unique(np.round(np.linspace(0, n - 1, min(MAX_CURVE_POINTS, n))).astype(np.int64))
    columns = {"lag": lags * interval}
    for name, one in zip(("continuous", "intermittent"), kept, strict=True):
        columns[name] = one.correlation[lags]
        columns[f"{name}_error"] = one.standard_error[lags]
    units = dict.fromkeys(columns, "") | {"lag": source.units.time}
    return Curve("residence", source.name, label, columns, units)


@dataclass(frozen=True)
class _Shell:
    """Which particles of a species coordinate an ion, and how near they then are.

    Attributes:
        sites: particles.
        names: what they are, in words.
        radius: how near, length; None if the radial distribution function has no first minimum.
        warning: what is doubtful about it; empty if nothing.
    """

    sites: Int64[Array, " sites"]
    names: str
    radius: Estimate | None
    warning: str = ""


def _shell(source: Source, ion: Species, other: Species, box: Box, settings: AnalysisSettings) -> _Shell:
    """The element of a species that comes nearest to an ion, up to the minimum behind the first peak of its rdf."""
    numbers = source.system.atomic_numbers[other.sites]
    candidates = [other.sites[numbers == z] for z in np.unique(numbers)]
    names = [formula(np.array([z])) if z else "beads" for z in np.unique(numbers)]
    given = None if settings.coordination_cutoff is None else Estimate(settings.coordination_cutoff, 0.0)
    if not source.is_periodic:
        return _Shell(other.sites, "+".join(names), given)
    masks = np.zeros((1 + len(candidates), source.system.n_particles), dtype=bool)
    masks[0, ion.sites] = True
    for mask, sites in zip(masks[1:], candidates, strict=True):
        mask[sites] = True
    pairs = np.array([[0, k] for k in range(1, len(masks))])
    frames = source.single_frames(source.spread_frames(settings.structure_frames))
    result = radial_distribution(frames, masks, pairs, radial_bins(source, box, settings))
    peaks = [result.first_peak(k)[0].value for k in range(len(candidates))]
    nearest = int(np.nanargmin(peaks)) if np.isfinite(peaks).any() else 0
    if given is not None:
        return _Shell(candidates[nearest], names[nearest], given)
    shell = result.first_shell(nearest)
    if shell is None:
        return _Shell(candidates[nearest], names[nearest], None)
    return _Shell(candidates[nearest], names[nearest], shell.radius, shell_warning(shell, source.units.length))
