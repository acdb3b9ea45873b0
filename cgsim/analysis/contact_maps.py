"""Contact maps of chains, and contacts between the molecules of all species."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from cgsim.analysis.figures import Curve, Figure, error_details, of_counts
from cgsim.analysis.motion import Box
from cgsim.analysis.pairs import refuse_far
from cgsim.analysis.selection import HYDROGEN, Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.contacts import chain_contacts, mean_by_kind, molecule_contacts, scatter_by_kind
from cgsim.observables.particle_means import larger_error
from cgsim.observables.records import Records
from cgsim.observables.statistics import BlockAverage, Estimate
from cgsim.typing import Array, Float64, Int64

ATOM_CONTACT = 4.5  # Å between atoms other than hydrogen
BEAD_CONTACT = 1.5  # mean lengths of a bond
MAX_UNITS = 100  # of a chain: longer ones are looked at in segments of their backbone


def contact_distance(source: Source, box: Box, settings: AnalysisSettings) -> float:
    """The distance of a contact.

    Raises:
        InputError: if it is beyond half the cell, or there are neither atoms nor bonds to tell it from.
    """
    system = source.system
    if source.is_periodic:
        refuse_far(source, box, "--contact-cutoff", settings.contact_cutoff)
    if settings.contact_cutoff is not None:
        return settings.contact_cutoff
    if system.atomic_numbers.all():
        return ATOM_CONTACT
    if not system.bond_index.size:
        raise InputError(f"{source.path}: has no bonds that tell the size of a bead; give --contact-cutoff")
    first = next(source.chunks())[:1].unwrapped_positions[0]
    lengths = np.linalg.norm(first[system.bond_index[0]] - first[system.bond_index[1]], axis=-1)
    return BEAD_CONTACT * float(lengths.mean())


class _ChainMap:
    """Collects the contact map of one species of chains.

    Units are the particles, or, for atoms and for chains of more than 100 particles, segments of the backbone together
    with the side groups that hang on them.
    """

    def __init__(self, species: Species) -> None:
        particles = species.heavy
        owner = species.system.molecule_id[particles]
        self.chains = [particles[owner == m] for m in species.molecules]
        longest = max(len(chain) for chain in self.chains)
        if species.has_elements or longest > MAX_UNITS:
            paths = species.backbones
            size = -(-max(len(path) for path in paths) // MAX_UNITS)
            self.units = [_segments(species, c, p) // size for c, p in zip(self.chains, paths, strict=True)]
            self.what = "backbone atoms" if species.has_elements else "backbone beads"
            self.what = self.what if size == 1 else f"segments of {size} {self.what}"
        else:
            self.units = [np.arange(len(chain)) for chain in self.chains]
            self.what = "beads"
        self.n_units = 1 + max(int(units.max()) for units in self.units)
        lengths = np.array([1 + units.max() for units in self.units])
        both = np.minimum.outer(np.arange(self.n_units), np.arange(self.n_units))
        far = np.maximum.outer(np.arange(self.n_units), np.arange(self.n_units))
        self.n_chains = np.maximum((far[..., None] < lengths).sum(axis=-1), 1)
        self.upper = (both < far) & (both == np.arange(self.n_units)[:, None])
        self.records = Records()

    def add(self, positions: Float64[Array, "particles 3"], cutoff: float) -> None:
        total = np.zeros((self.n_units, self.n_units))
        for chain, units in zip(self.chains, self.units, strict=True):
            total += chain_contacts(positions[chain], units, self.n_units, cutoff)
        self.records.add((total / self.n_chains)[self.upper])

    def curve(self, source: Source, name: str) -> Curve:
        average = self.records.average()
        i, j = np.nonzero(self.upper)
        columns = {
            "unit_i": i + 1,
            "unit_j": j + 1,
            "probability": average.mean,
            "standard_error": average.standard_error,
        }
        units = {"unit_i": self.what, "unit_j": self.what, "probability": "", "standard_error": ""}
        return Curve("contact_map", source.name, name, columns, units)


def contact_results(
    source: Source, species: list[Species], distance: float, settings: AnalysisSettings
) -> tuple[list[Figure], list[Curve]]:
    """Contact maps within chains, and for every two species how many molecules of the one touch one of the other."""
    system = source.system
    maps = {one.name: _ChainMap(one) for one in species if one.is_chain and one.are_bonded}
    kind = np.empty(system.n_molecules, dtype=np.int64)
    for k, one in enumerate(species):
        kind[one.molecules] = k
    sites = np.flatnonzero(system.atomic_numbers != HYDROGEN)
    between, of_molecules, n_frames = Records(), np.zeros((system.n_molecules, len(species))), 0
    for frame in source.some_frames(source.spread_frames(settings.structure_frames)):
        positions = frame.wrapped_positions[0].astype(np.float64)
        counts = molecule_contacts(
            positions[sites], frame.cell[0], system.molecule_id[sites], kind, len(species), distance
        )
        between.add(mean_by_kind(counts, kind))
        of_molecules += counts
        n_frames += 1
        unwrapped = frame.unwrapped_positions[0]
        for chain_map in maps.values():
            chain_map.add(unwrapped, distance)
    scatter = scatter_by_kind(of_molecules / n_frames, kind)
    figures = list(_contact_figures(source, species, between.average(), scatter, distance))
    return figures, [one.curve(source, name) for name, one in maps.items()]


def _contact_figures(
    source: Source,
    species: list[Species],
    average: BlockAverage,
    scatter: Float64[Array, "kinds kinds"],
    distance: float,
) -> Iterator[Figure]:
    molecules = np.array([[one.n_molecules] for one in species])
    error, by_molecules = larger_error(average.standard_error, scatter, molecules)
    for k, first in enumerate(species):
        for m, second in enumerate(species):
            samples = int(by_molecules[k, m])
            freedom = max(1.0, (samples or average.n_blocks) - 1.0)
            estimate = Estimate(float(average.mean[k, m]), float(error[k, m]), freedom)
            label = f"{first.name}-{second.name}"
            method, window = "molecules that touch one", (0.0, distance)
            details, unit = error_details(average, samples, k, m), source.units.length
            figure = Figure("molecules_in_contact", label, estimate, "", method, window, "", details, window_unit=unit)
            yield of_counts(figure)


def _segments(
    species: Species, chain: Int64[Array, " particles"], path: Int64[Array, " path"]
) -> Int64[Array, " particles"]:
    """For every particle of a chain, the place on the backbone that it hangs on."""
    part = species.system.select(chain)
    place = np.searchsorted(chain, path, sorter=np.argsort(chain))
    on_path = np.argsort(chain)[place]
    ones = np.ones(part.bond_index.shape[1])
    graph = sparse.csr_array((ones, tuple(part.bond_index)), shape=(len(chain), len(chain)))
    _, _, source = csgraph.dijkstra(graph, directed=False, indices=on_path, min_only=True, return_predecessors=True)
    rank = np.full(len(chain), 0, dtype=np.int64)
    rank[on_path] = np.arange(len(path))
    return np.asarray(rank[source], dtype=np.int64)
