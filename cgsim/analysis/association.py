"""Ion clusters of a salt: how many there are of each composition, and how ions are shared between them."""

from dataclasses import dataclass

import numpy as np

from cgsim.analysis.figures import Curve, Figure, error_details, of_counts
from cgsim.analysis.motion import Box
from cgsim.analysis.pairs import radial_bins, refuse_far
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.observables.clusters import ClusterSeries, cluster_series
from cgsim.observables.particle_means import larger_error, scatter_error
from cgsim.observables.radial import radial_distribution
from cgsim.observables.statistics import BlockAverage, Estimate, block_average
from cgsim.typing import Array, Float64

BY_MINIMUM = ", the first minimum of their rdf"
CONTACT = 3.4  # Å, between a cation and O, N or S of an anion: the published rule for Li and TFSI


@dataclass(frozen=True)
class Association:
    """Ion clusters.

    Attributes:
        ions: species with a charge, cations first.
        series: number of clusters of each composition in each frame; kinds are the species.
        contact: the rule by which ions hang together, in words.
    """

    ions: list[Species]
    series: ClusterSeries
    contact: str

    @property
    def populations(self) -> Float64[Array, "frames cations anions"]:
        """Number of clusters of i cations and j anions in each frame."""
        return self.series.populations(np.array([ion.charge > 0 for ion in self.ions]))


def find_ions(species: list[Species]) -> list[Species]:
    """Species with a charge, cations first; none unless there are both signs."""
    ions = sorted((s for s in species if s.charge != 0), key=lambda ion: -ion.charge)
    return ions if ions and ions[0].charge > 0 > ions[-1].charge else []


def find_association(source: Source, ions: list[Species], box: Box, settings: AnalysisSettings) -> Association | str:
    """Count the ion clusters, or say why that cannot be."""
    rule = _cutoffs(source, ions, box, settings)
    if isinstance(rule, str):
        return rule
    cutoffs, contact = rule
    sites = np.concatenate([ion.sites for ion in ions])
    molecules = np.concatenate([ion.molecules for ion in ions])
    rank = np.full(source.system.n_molecules, -1, dtype=np.int64)
    rank[molecules] = np.arange(len(molecules))
    kind = np.repeat(np.arange(len(ions)), [ion.n_molecules for ion in ions])
    frames = source.single_frames(source.spread_frames(settings.structure_frames))
    series = cluster_series(
        ((positions[sites], cell) for positions, cell in frames),
        rank[source.system.molecule_id[sites]],
        kind,
        cutoffs,
    )
    return Association(ions, series, contact)


def association_figures(source: Source, association: Association) -> tuple[list[Figure], list[Curve]]:
    """Free ions of each species, sizes of clusters, and the population matrix, all with errors."""
    series, ions = association.series, association.ions
    sizes = series.compositions.sum(axis=1)
    label = "+".join(ion.name for ion in ions)
    n_ions = sum(ion.n_molecules for ion in ions)
    span = (0.0, source.duration)

    def average_of(name: str, species: str, average: BlockAverage, method: str, scatter: float, n: int) -> Figure:
        error, by_ions = larger_error(average.standard_error, np.asarray(scatter), np.asarray(n))
        value = average.estimate
        if by_ions:
            value = Estimate(value.value, float(error), n - 1.0)
        details = {"contact": association.contact, **error_details(average, int(by_ions))}
        return of_counts(Figure(name, species, value, "", method, span, "", details))

    figures = []
    kind = np.repeat(np.arange(len(ions)), [ion.n_molecules for ion in ions])
    for k, ion in enumerate(ions):
        alone = (sizes == 1) & (series.compositions[:, k] == 1)
        share = block_average(series.counts @ alone.astype(np.float64) / ion.n_molecules)
        scatter = float(scatter_error(series.share_alone[kind == k], ion.n_molecules))
        figures.append(average_of("free_ion_fraction", ion.name, share, "in no cluster", scatter, ion.n_molecules))
    mean_size = block_average(series.counts @ sizes.astype(np.float64) ** 2 / n_ions)
    largest = block_average(np.max(np.where(series.counts > 0, sizes, 0), axis=1).astype(np.float64))
    # Ions of one cluster tell the same: those of pairs count once.
    scatter = float(scatter_error(series.size_around, n_ions, both_ends=True))
    figures += [
        average_of("mean_cluster_size", label, mean_size, "ions in the cluster of an ion", scatter, n_ions),
        average_of("largest_cluster_size", label, largest, "ions in the largest cluster", 0.0, 0),
    ]
    populations = association.populations
    average = block_average(populations)
    cations, anions = np.nonzero(average.mean)
    clusters = average.mean[cations, anions]
    matrix = {
        "cations": cations,
        "anions": anions,
        "clusters": clusters,
        "standard_error": average.standard_error[cations, anions],
        "ion_fraction": clusters * (cations + anions) / n_ions,
    }
    units = dict.fromkeys(matrix, "")
    curves = [Curve("cluster_population", source.name, label, matrix, units)]
    if len(ions) > 2:  # two kinds of cation or of anion, which the matrix does not tell apart
        of_species = block_average(series.counts)
        columns = {
            **{ion.name: series.compositions[:, k] for k, ion in enumerate(ions)},
            "clusters": of_species.mean,
            "standard_error": of_species.standard_error,
            "ion_fraction": of_species.mean * sizes / n_ions,
        }
        curves.append(Curve("cluster_composition", source.name, label, columns, dict.fromkeys(columns, "")))
    return figures, curves


def check_association(source: Source, box: Box, settings: AnalysisSettings) -> None:
    """Refuse a distance that cannot be used.

    Raises:
        InputError: if it is beyond half the cell.
    """
    if source.is_periodic:
        refuse_far(source, box, "--cluster-cutoff", settings.cluster_cutoff)


def _cutoffs(
    source: Source, ions: list[Species], box: Box, settings: AnalysisSettings
) -> tuple[Float64[Array, "kinds kinds"], str] | str:
    """Distances of contact between the species, and the rule in words; or why there is none."""
    given = settings.cluster_cutoff
    names = " and ".join(ion.name for ion in ions)
    length = "A" if source.units.length == "Angstrom" else source.units.length
    if all(ion.has_elements for ion in ions):
        distance = given or CONTACT
        cations = " or ".join(ion.name for ion in ions if ion.charge > 0)
        anions = " or ".join(ion.name for ion in ions if ion.charge < 0)
        words = f"any two atoms of {cations} and N, O, S (else halogens) of {anions} within {distance:g} {length}"
        return np.full((len(ions), len(ions)), distance), words
    # At the distance of bead centres, ions of like charge would count as touching across a whole shell.
    opposite = np.array([[a.charge * b.charge < 0 for b in ions] for a in ions])
    if given:
        return np.where(opposite, given, 0.0), f"{names} beads within {given:.3g} {length}"
    if not source.is_periodic:
        return "without a cell there is no rdf that tells the distance of a contact; give --cluster-cutoff"
    masks = np.zeros((len(ions), source.system.n_particles), dtype=bool)
    for mask, ion in zip(masks, ions, strict=True):
        mask[ion.particles] = True
    pairs = np.array([(a, b) for a, b in np.argwhere(opposite) if a < b])
    frames = source.single_frames(source.spread_frames(settings.structure_frames))
    result = radial_distribution(frames, masks, pairs, radial_bins(source, box, settings))
    cutoffs = np.zeros(opposite.shape)
    for k, (a, b) in enumerate(pairs):
        bottom = result.first_minimum(k)
        if bottom is None:
            return "the cation-anion rdf has no minimum behind its first peak; give --cluster-cutoff"
        cutoffs[a, b] = cutoffs[b, a] = result.bin_centres[bottom]
    distances = " and ".join(f"{cutoffs[a, b]:.3g}" for a, b in pairs)
    return cutoffs, f"{names} beads within {distances} {length}{BY_MINIMUM}"
