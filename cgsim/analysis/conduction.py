"""Figures of charge transport: conductivity and transference number by Nernst-Einstein, clusters, and collectively."""

from dataclasses import dataclass

import numpy as np

from cgsim.analysis.figures import Figure
from cgsim.analysis.mobility import MULTI_ORIGIN, SINGLE_ORIGIN, fit_details, regime_warning
from cgsim.analysis.motion import Box, Motion
from cgsim.analysis.pairs import radial_bins
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.clusters import cluster_populations
from cgsim.observables.diffusion import MIN_FRAMES, diffusion_coefficient
from cgsim.observables.dynamics import mean_squared_displacement
from cgsim.observables.radial import radial_distribution
from cgsim.observables.statistics import Estimate
from cgsim.observables.structure import volume
from cgsim.observables.transport import Transport, cluster_nernst_einstein, conductivity_factor, nernst_einstein
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem

BY_MINIMUM = ", the first minimum of their rdf"
CONTACT = 3.4  # Å, between a cation and O, N or S of an anion: the published rule for Li and TFSI
PUBLISHED_LARGEST = 9  # ions of one sign; larger clusters are left out of the published sum


@dataclass(frozen=True)
class Salt:
    """The ions of a system and the numbers that conductivities need.

    Attributes:
        ions: species with a charge, cations first.
        temperature: K.
        factor: S/cm per cm^2/s.
    """

    ions: list[Species]
    temperature: float
    factor: float

    @property
    def label(self) -> str:
        """``"Li+TFSI"``."""
        return "+".join(ion.name for ion in self.ions)

    @property
    def cations(self) -> list[Species]:
        """Species of positive charge."""
        return [ion for ion in self.ions if ion.charge > 0]

    @property
    def anions(self) -> list[Species]:
        """Species of negative charge."""
        return [ion for ion in self.ions if ion.charge < 0]


@dataclass(frozen=True)
class Clusters:
    """Ion clusters.

    Attributes:
        populations: number of clusters of each composition in each frame.
        contact: the rule by which ions hang together, in words.
    """

    populations: Float64[Array, "frames cations anions"]
    contact: str


def find_salt(source: Source, species: list[Species], box: Box, settings: AnalysisSettings) -> tuple[Salt | None, str]:
    """The salt, or the reason why there is no conductivity.

    Raises:
        InputError: if a temperature was given, but the system has no ions of both signs or no cell.
    """
    ions = sorted((s for s in species if s.charge != 0), key=lambda ion: -ion.charge)
    both = any(i.charge > 0 for i in ions) and any(i.charge < 0 for i in ions)
    reason = ""
    if not both:
        reason = "no cations and anions (a molecule counts as an ion from a net charge of 0.25 e)"
    elif not source.is_periodic:
        reason = "no cell, so no volume"
    elif source.units is not UnitSystem.MOLECULAR:
        reason = "reduced units have no S/cm"
    if reason:
        if settings.temperature is not None:
            raise InputError(f"{source.path}: --temperature asks for a conductivity, but there is none: {reason}")
        return None, f"{source.path}: no conductivity: {reason}" if ions else ""
    temperature = settings.temperature or stated_temperature(source)
    if temperature is None:
        return None, f"{source.path}: no conductivity: the file states no temperature; give --temperature"
    factor = conductivity_factor(float(volume(box.cell).mean()), temperature)
    return Salt(ions, temperature, factor), ""


def stated_temperature(source: Source) -> float | None:
    """Temperature in K that the file's provenance states."""
    value = source.documents.get("provenance", {}).get("temperature")
    return float(value) if isinstance(value, int | float) and value > 0 else None


def conduction_figures(
    source: Source,
    salt: Salt,
    diffusion: list[Figure],
    motions: dict[str, Motion],
    box: Box,
    settings: AnalysisSettings,
) -> tuple[list[Figure], list[str]]:
    """Conductivity and transference number by every method that the data allow, and notes on those they do not."""
    figures: list[Figure] = []
    notes: list[str] = []
    clusters = _find_clusters(source, salt, box, settings)
    if isinstance(clusters, str):
        notes.append(f"{source.path}: no cluster conductivity: {clusters}")
    for origin in (SINGLE_ORIGIN, MULTI_ORIGIN):
        own = {
            f.species: f for f in diffusion if f.name == "self_diffusivity" and f.method == origin and f.estimate.value
        }
        if not all(ion.name in own for ion in salt.ions):
            continue
        chosen = [own[ion.name] for ion in salt.ions]
        free = nernst_einstein(
            [f.estimate for f in chosen],
            np.array([ion.charge for ion in salt.ions]),
            np.array([float(ion.n_molecules) for ion in salt.ions]),
        )
        figures += _pair(salt, free, f"nernst-einstein {origin}", chosen, {})
        if isinstance(clusters, Clusters):
            figures += _clusters(salt, own, clusters, origin)
    if source.n_frames >= MIN_FRAMES:
        figures.append(_collective(source, salt, motions))
    return figures, notes


def _pair(
    salt: Salt, transport: Transport, method: str, diffusion: list[Figure], details: dict[str, object], extra: str = ""
) -> list[Figure]:
    warnings = [f"{f.species} is {f.warning}" for f in diffusion if f.warning] + ([extra] if extra else [])
    window = (min(f.window[0] for f in diffusion), max(f.window[1] for f in diffusion))
    common = {"temperature": salt.temperature, **details}
    cations = "+".join(c.name for c in salt.cations)
    sigma = transport.charge_diffusion.scaled(salt.factor)
    return [
        Figure("conductivity", salt.label, sigma, "S/cm", method, window, "; ".join(warnings), common),
        Figure("transference_number", cations, transport.transference, "", method, window, "; ".join(warnings), common),
    ]


def _clusters(salt: Salt, diffusion: dict[str, Figure], clusters: Clusters, origin: str) -> list[Figure]:
    """Cluster Nernst-Einstein; with single-origin coefficients the published sum, which leaves large clusters out."""
    cation, anion = salt.cations[0], salt.anions[0]
    chosen = [diffusion[cation.name], diffusion[anion.name]]
    populations, contact, warning = clusters.populations, clusters.contact, ""
    if origin == SINGLE_ORIGIN:
        kept = populations[:, : PUBLISHED_LARGEST + 1, : PUBLISHED_LARGEST + 1]
        ions = np.add.outer(np.arange(populations.shape[1]), np.arange(populations.shape[2]))
        in_kept = float((kept * ions[: kept.shape[1], : kept.shape[2]]).sum() / (populations * ions).sum())
        if in_kept < 1.0:
            warning = (
                f"{1 - in_kept:.0%} of the ions are in clusters of more than {PUBLISHED_LARGEST} cations or anions, "
                "which the published sum leaves out"
            )
        populations = kept
    transport = cluster_nernst_einstein(
        chosen[0].estimate, chosen[1].estimate, populations, cation.charge, anion.charge
    )
    if contact.endswith(BY_MINIMUM):
        warning = "; ".join(filter(None, [warning, f"ions hang together where {contact}"]))
    details = {"contact": contact, "populations": populations.mean(axis=0)}
    return _pair(salt, transport, f"cluster-nernst-einstein {origin}", chosen, details, warning)


def _collective(source: Source, salt: Salt, motions: dict[str, Motion]) -> Figure:
    """Einstein's relation for the charge-weighted sum of the ions' centres of mass, all correlations included."""
    moment = np.sum([ion.charge * motions[ion.name].centre_sum for ion in salt.ions], axis=0)
    displacement = mean_squared_displacement(moment[:, None], np.zeros(1, dtype=np.int64), source.save_interval)
    fit = diffusion_coefficient(displacement)
    sigma: Estimate = fit.coefficient.scaled(source.units.diffusion_factor * salt.factor)
    details = {"temperature": salt.temperature, **fit_details(fit)}
    method = "einstein-collective multi-origin"
    return Figure("conductivity", salt.label, sigma, "S/cm", method, fit.window, regime_warning(fit), details)


def _find_clusters(source: Source, salt: Salt, box: Box, settings: AnalysisSettings) -> Clusters | str:
    """Count ion clusters, or say why that cannot be."""
    if len(salt.cations) != 1 or len(salt.anions) != 1:
        return "it is defined for one cation and one anion"
    cation, anion = salt.cations[0], salt.anions[0]
    is_atoms = cation.has_elements and anion.has_elements
    distance = settings.cluster_cutoff or (CONTACT if is_atoms else _first_minimum(source, salt, box, settings))
    if distance is None:
        return "the cation-anion rdf has no minimum behind its first peak; give --cluster-cutoff"
    if is_atoms:
        cutoffs = np.full((2, 2), distance)
        contact = f"any two atoms of {cation.name} and N, O, S (else halogens) of {anion.name} within {distance:g} A"
    else:  # at the distance of bead centres, ions of like charge would count as touching across a whole shell
        cutoffs = np.array([[0.0, distance], [distance, 0.0]])
        contact = f"{cation.name} and {anion.name} beads within {distance:.3g} A"
        if not settings.cluster_cutoff:
            contact += BY_MINIMUM
    sites = np.concatenate([cation.sites, anion.sites])
    ions = np.concatenate([cation.molecules, anion.molecules])
    rank = np.full(source.system.n_molecules, -1, dtype=np.int64)
    rank[ions] = np.arange(len(ions))
    frames = source.single_frames(source.spread_frames(settings.structure_frames))
    populations = cluster_populations(
        ((positions[sites], cell) for positions, cell in frames),
        rank[source.system.molecule_id[sites]],
        np.arange(len(ions)) < cation.n_molecules,
        cutoffs,
    )
    return Clusters(populations, contact)


def _first_minimum(source: Source, salt: Salt, box: Box, settings: AnalysisSettings) -> float | None:
    """Distance of the first minimum of the radial distribution function between cation and anion beads."""
    masks = np.zeros((2, source.system.n_particles), dtype=bool)
    masks[0, salt.cations[0].particles] = True
    masks[1, salt.anions[0].particles] = True
    frames = source.single_frames(source.spread_frames(settings.structure_frames))
    result = radial_distribution(frames, masks, np.array([[0, 1]]), radial_bins(source, box, settings))
    bottom = result.first_minimum(0)
    return None if bottom is None else float(result.bin_centres[bottom])
