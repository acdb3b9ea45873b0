"""Structure of the shipped molecular dynamics as other packages see it: freud (pair counts, clusters), MDAnalysis."""

from pathlib import Path

import numpy as np
import pytest

from cgsim.analysis.association import CONTACT, find_association, find_ions
from cgsim.analysis.motion import follow_box
from cgsim.analysis.selection import Species, all_species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.shapes import ChainShapes
from cgsim.analysis.source import Source, open_source
from cgsim.observables.clusters import ion_clusters
from cgsim.observables.persistence import bond_correlations
from cgsim.observables.profile import density_profile
from cgsim.observables.radial import RadialDistribution, radial_distribution
from cgsim.observables.shape import shape
from cgsim.observables.structure import gyration_tensor, radius_of_gyration
from cgsim.trajectory.importing import ImportSettings, import_trajectory

freud = pytest.importorskip("freud")
MDAnalysis = pytest.importorskip("MDAnalysis")
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:MDAnalysis"),  # of its own modules
    pytest.mark.filterwarnings("ignore::UserWarning:MDAnalysis"),
]

DATA = Path(__file__).parents[2] / "data"
HTP = DATA / "htp_md"
FRAMES = np.arange(0, 1211, 110)  # 12 of the 1,211
EDGES = np.linspace(0.0, 12.0, 121)
# Both packages compute distances in single precision. A pair whose distance lies within rounding of an edge may then
# count on its other side: |r| of 12 A is known to about 2e-6 A, and a bin of 0.1 A holds up to some 2,000 pairs, so
# 0.04 pairs at an edge are expected to move. Two are allowed.
MOVED = 2
SINGLE = 1e-5  # sums of many coordinates in single precision


@pytest.fixture(scope="module")
def peo(peo_files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("peo") / "peo.h5"
    import_trajectory(peo_files[0], [peo_files[1]], path, ImportSettings())
    return open_source(path)


@pytest.fixture(scope="module")
def htp(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("htp") / "htp.h5"
    settings = ImportSettings(units="real", timestep=2.0)
    import_trajectory(HTP / "relaxed.lmp.gz", [HTP / "traj.lammpstrj.gz"], path, settings)
    return open_source(path)


@pytest.fixture(scope="module")
def universe(peo_files: tuple[Path, Path]) -> "MDAnalysis.Universe":
    """The same trajectory as MDAnalysis reads it."""
    return MDAnalysis.Universe(*peo_files)


@pytest.fixture(scope="module")
def whole(peo: Source, peo_files: tuple[Path, Path]) -> "MDAnalysis.Universe":
    """The same with chains made whole by MDAnalysis."""
    from MDAnalysis.transformations import unwrap

    found = MDAnalysis.Universe(*peo_files)
    found.trajectory.add_transformations(unwrap(found.atoms[species_of(peo)["polymer"].particles]))
    return found


def species_of(source: Source) -> dict[str, Species]:
    return {s.name: s for s in all_species(source.system)}


def groups(source: Source) -> dict[str, np.ndarray]:
    """Particles of each group whose pairs are counted."""
    species = species_of(source)
    polymer = species["polymer"].particles
    return {
        "Li": species["Li"].particles,
        "polymer.O": polymer[source.system.atomic_numbers[polymer] == 8],
        "N": species["TFSI"].tracers,
    }


def pair_counts(result: RadialDistribution, n_first: int, n_frames: int) -> np.ndarray:
    """Ordered pairs in every bin, summed over frames; whole numbers but for rounding."""
    counts = np.diff(result.coordination[0], prepend=0.0) * n_first * n_frames
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-6)
    return np.asarray(np.round(counts).astype(int))


def our_rdf(source: Source, a: np.ndarray, b: np.ndarray, frames: np.ndarray) -> RadialDistribution:
    masks = np.zeros((2, source.system.n_particles), dtype=bool)
    masks[0, a] = masks[1, b] = True
    return radial_distribution(source.single_frames(frames), masks, np.array([[0, 1]]), EDGES)


PAIRS = [("Li", "polymer.O"), ("Li", "N"), ("polymer.O", "polymer.O")]


@pytest.mark.parametrize("pair", PAIRS, ids=["-".join(p) for p in PAIRS])
def test_freud_counts_the_same_pairs_and_gives_the_same_rdf(peo: Source, pair: tuple[str, str]) -> None:
    a, b = (groups(peo)[name] for name in pair)
    ours = our_rdf(peo, a, b, FRAMES)
    is_same = pair[0] == pair[1]
    # In a group of N, freud's "finite_size" divides by N - 1 others, as cgsim always does; its "exact" by N.
    theirs = freud.density.RDF(120, 12.0, normalization_mode="finite_size" if is_same else "exact")
    for positions, cell in peo.single_frames(FRAMES):
        box = freud.box.Box.from_matrix(cell.T)
        centred = box.wrap(positions.astype(np.float32))
        theirs.compute((box, centred[b]), None if is_same else centred[a], reset=False)
    counts = pair_counts(ours, len(a), len(FRAMES))
    assert counts.sum() > 1000
    assert np.abs(counts - theirs.bin_counts).max() <= MOVED
    assert abs(int(counts.sum()) - int(theirs.bin_counts.sum())) <= MOVED
    filled = counts > 0
    allowed = (MOVED / np.maximum(counts, 1) + SINGLE)[filled]
    assert (np.abs(theirs.rdf[filled] / ours.rdf[0, filled] - 1) <= allowed).all()


@pytest.mark.parametrize("pair", PAIRS, ids=["-".join(p) for p in PAIRS])
def test_mdanalysis_counts_the_same_pairs_and_gives_the_same_rdf(
    peo: Source, universe: "MDAnalysis.Universe", pair: tuple[str, str]
) -> None:
    from MDAnalysis.analysis.rdf import InterRDF

    a, b = (groups(peo)[name] for name in pair)
    block = (1, 1) if pair[0] == pair[1] else None
    theirs = InterRDF(universe.atoms[a], universe.atoms[b], nbins=120, range=(0.0, 12.0), exclusion_block=block)
    theirs.run(frames=FRAMES)
    ours = our_rdf(peo, a, b, FRAMES)
    counts = pair_counts(ours, len(a), len(FRAMES))
    # The file holds positions to 0.01 A, so thousands of distances are exactly the same in it; read through two
    # programs they differ by rounding of 2e-6 A, which moves those that lie on an edge.
    assert np.abs(counts - theirs.results.count).max() <= MOVED
    filled = counts > 0
    allowed = (MOVED / np.maximum(counts, 1) + SINGLE)[filled]
    assert (np.abs(theirs.results.rdf[filled] / ours.rdf[0, filled] - 1) <= allowed).all()


def test_freud_agrees_in_a_strongly_triclinic_cell() -> None:
    generator = np.random.default_rng(1)
    cell = np.array([[24.0, 0.0, 0.0], [10.0, 23.0, 0.0], [-9.0, 11.0, 25.0]])
    positions = generator.uniform(size=(400, 3)) @ cell
    edges = np.linspace(0.0, 8.0, 81)
    ours = radial_distribution([(positions, cell)], np.ones((1, 400), bool), np.array([[0, 0]]), edges)
    box = freud.box.Box.from_matrix(cell.T)
    theirs = freud.density.RDF(80, 8.0, normalization_mode="finite_size")
    theirs.compute((box, box.wrap(positions.astype(np.float32))))
    counts = np.round(np.diff(ours.coordination[0], prepend=0.0) * 400).astype(int)
    assert np.abs(counts - theirs.bin_counts).max() <= 2 * MOVED  # each pair counts twice
    assert counts.sum() == pytest.approx(theirs.bin_counts.sum(), abs=2 * MOVED)


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels)}


def test_freud_finds_the_same_clusters(htp: Source) -> None:
    species = species_of(htp)
    li, tfsi = species["Li"], species["TFSI"]
    sites = np.concatenate([li.sites, tfsi.sites])
    rank = np.full(htp.system.n_molecules, -1)
    rank[np.concatenate([li.molecules, tfsi.molecules])] = np.arange(100)
    ion = rank[htp.system.molecule_id[sites]]
    kind = np.repeat([0, 1], 50)
    sizes = []
    for positions, cell in htp.single_frames(np.arange(htp.n_frames)):
        box = freud.box.Box.from_matrix(cell.T)
        found = freud.cluster.Cluster()
        centred = box.wrap(positions[sites].astype(np.float32))
        # Sites of one TFSI are less than 3.4 A from each other or joined by others of it, so a cluster of sites is one
        # of ions.
        found.compute((box, centred), neighbors={"r_max": CONTACT, "exclude_ii": True})
        theirs = {frozenset(ion[list(members)].tolist()) for members in partition(found.cluster_idx)}
        ours = ion_clusters(positions[sites], cell, ion, kind, np.full((2, 2), CONTACT))
        assert partition(ours) == theirs
        sizes.append(max(len(members) for members in theirs))
    box_ = follow_box(htp)
    association = find_association(htp, find_ions(list(species.values())), box_, AnalysisSettings())
    assert not isinstance(association, str)
    series = association.series
    assert np.where(series.counts > 0, series.compositions.sum(axis=1), 0).max(axis=1).tolist() == sizes


def test_mdanalysis_gives_the_same_sizes_and_shapes(peo: Source, whole: "MDAnalysis.Universe") -> None:
    polymer = species_of(peo)["polymer"]
    molecule = peo.system.molecule_id[polymer.particles]
    masses = peo.system.masses
    for k, frame in zip(FRAMES[::4], peo.some_frames(FRAMES[::4]), strict=True):
        whole.trajectory[int(k)]
        positions = frame.unwrapped_positions[:, polymer.particles]
        own = radius_of_gyration(positions, masses[polymer.particles], molecule)[0]
        found = shape(gyration_tensor(positions, masses[polymer.particles], molecule))
        for m in polymer.molecules:
            chain = whole.atoms[np.flatnonzero(peo.system.molecule_id == m)]
            np.testing.assert_allclose(own[m], chain.radius_of_gyration(), rtol=SINGLE)
            # What MDAnalysis calls asphericity is the relative shape anisotropy.
            np.testing.assert_allclose(found.anisotropy[0, m], chain.asphericity(), rtol=1e-4)


def test_mdanalysis_gives_the_same_bond_correlation(peo: Source, whole: "MDAnalysis.Universe") -> None:
    from MDAnalysis.analysis.polymer import PersistenceLength

    polymer = species_of(peo)["polymer"]
    paths = polymer.backbones
    theirs = PersistenceLength([whole.atoms[path] for path in paths]).run(frames=FRAMES[::4])
    # Of some frames MDAnalysis still divides the sum by the number of all; relative to its first value it is right.
    correlation = theirs.results.bond_autocorrelation / theirs.results.bond_autocorrelation[0]
    curves = []
    for frame in peo.some_frames(FRAMES[::4]):
        positions = frame.unwrapped_positions
        curves.append(np.mean([bond_correlations(positions[:, path])[0][0] for path in paths], axis=0))
    np.testing.assert_allclose(np.mean(curves, axis=0), correlation, atol=SINGLE)
    collected = ChainShapes(peo, polymer)
    for frame in peo.some_frames(FRAMES[::4]):
        collected.add(frame)
    series, weights = collected._bonds.of_frame.series()
    mean = np.average(series, axis=0, weights=weights)
    np.testing.assert_allclose(mean[1:], correlation, atol=SINGLE)
    # Theirs is the length in a single frame of 470 bonds, each of which varies by 2 %.
    np.testing.assert_allclose(mean[0], theirs.results.lb, rtol=4 * 0.02 / np.sqrt(470))


def test_mdanalysis_gives_the_same_density_profile(peo: Source, universe: "MDAnalysis.Universe") -> None:
    from MDAnalysis.analysis.lineardensity import LinearDensity

    theirs = LinearDensity(universe.atoms, grouping="atoms", binsize=0.5).run(frames=FRAMES)
    n_slabs = len(theirs.results.z.mass_density)
    n = peo.system.n_particles
    masses = peo.system.masses
    own = density_profile(peo.single_frames(FRAMES), 2, masses[None], np.zeros(n, dtype=np.int64), n_slabs)
    ours = own.density[0, 0] / 0.602214076  # g/cm3
    # The file holds positions to 0.01 A: of some 30 atoms within 0.01 A of a face of a slab, none moves by more than
    # rounding, but those exactly on it may fall on either side.
    heaviest = 32.06 / 0.602214076 * n_slabs / abs(float(np.linalg.det(follow_box(peo).cell[0])))
    np.testing.assert_allclose(ours, theirs.results.z.mass_density, atol=heaviest * MOVED / len(FRAMES))
    assert ours.mean() == pytest.approx(theirs.results.z.mass_density.mean(), rel=1e-4)
