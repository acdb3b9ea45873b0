import numpy as np
from scipy import stats

from cgsim.observables.close_pairs import close_pairs
from cgsim.observables.clusters import cluster_populations, cluster_series, ion_clusters
from cgsim.observables.particle_means import scatter_error

CELL = np.array([[10.0, 0.0, 0.0], [3.0, 9.0, 0.0], [-2.0, 4.0, 11.0]])


ANY_CONTACT = np.ones((2, 2))


def test_cutoffs_apply_to_ions_of_their_signs() -> None:
    positions = np.array([[1.0, 1, 1], [2.0, 1, 1], [3.0, 1, 1], [5.0, 1, 1]])  # cation, anion, anion, cation
    is_cation = np.array([True, False, False, True])
    kind = is_cation.astype(np.int64)
    opposite = np.array([[0.0, 2.5], [2.5, 0.0]])
    np.testing.assert_array_equal(ion_clusters(positions, CELL, np.arange(4), kind, opposite), [0] * 4)
    near = np.array([[0.0, 1.5], [1.5, 0.0]])
    np.testing.assert_array_equal(ion_clusters(positions, CELL, np.arange(4), kind, near), [0, 0, 1, 2])
    like = np.array([[1.5, 0.0], [0.0, 4.5]])
    np.testing.assert_array_equal(ion_clusters(positions, CELL, np.arange(4), kind, like), [0, 1, 1, 0])


def test_cluster_is_found_through_the_boundary_and_through_an_anion_of_two_sites() -> None:
    # Cation 0 touches one end of anion 1 across the face of the cell; cation 2 touches its other end; ion 3 is alone.
    positions = np.array([[9.5, 0, 0], [0.5, 0, 0], [3.0, 0, 0], [4.2, 0, 0], [3.0, 6.0, 5.0]])
    ion_of_site = np.array([0, 1, 1, 2, 3])
    is_cation = np.array([True, False, True, False])
    labels = ion_clusters(positions, CELL, ion_of_site, is_cation.astype(np.int64), ANY_CONTACT * 1.5)
    assert labels[0] == labels[1] == labels[2] != labels[3]
    populations = cluster_populations([(positions, CELL)], ion_of_site, is_cation, ANY_CONTACT * 1.5)
    expected = np.zeros((1, 3, 2))
    expected[0, 2, 1] = expected[0, 0, 1] = 1
    np.testing.assert_array_equal(populations, expected)


def test_every_ion_is_in_exactly_one_cluster() -> None:
    generator = np.random.default_rng(0)
    frames = [(generator.uniform(-1, 2, size=(60, 3)) @ CELL, CELL) for _ in range(5)]
    ion_of_site = np.repeat(np.arange(30), 2)
    is_cation = np.arange(30) < 12
    populations = cluster_populations(frames, ion_of_site, is_cation, ANY_CONTACT * 1.2)
    cations, anions = np.indices(populations.shape[1:])
    np.testing.assert_array_equal((populations * cations).sum(axis=(1, 2)), 12)
    np.testing.assert_array_equal((populations * anions).sum(axis=(1, 2)), 18)
    assert populations[:, 1, 0].sum() > 0
    assert populations[:, 2:, 1:].sum() > 0


def test_clusters_do_not_depend_on_translation_or_images() -> None:
    generator = np.random.default_rng(1)
    positions = generator.uniform(0, 1, size=(40, 3)) @ CELL
    ion = np.arange(40)
    before = ion_clusters(positions, CELL, ion, (ion < 20).astype(np.int64), ANY_CONTACT * 1.5)
    moved = positions + np.array([3.3, -7.1, 25.0]) + generator.integers(-3, 4, size=(40, 3)) @ CELL
    np.testing.assert_array_equal(
        ion_clusters(moved, CELL, ion, (ion < 20).astype(np.int64), ANY_CONTACT * 1.5), before
    )


def test_clusters_of_three_species_are_told_apart_and_add_up_to_the_population_matrix() -> None:
    # A line of Li, Na, Cl with gaps: Cl-Li, Li-Cl-Na, Cl, Na in the first frame; all of them apart in the second.
    kinds = np.array([2, 0, 0, 2, 1, 2, 1])  # Cl Li Li Cl Na Cl Na
    near = np.array([0.0, 1, 5, 6, 7, 12, 16])
    apart = np.arange(7) * 2.5
    cell = np.eye(3) * 20.0
    frames = [(np.stack([x, 0 * x, 0 * x], axis=1), cell) for x in (near, apart)]
    cutoffs = np.zeros((3, 3))
    cutoffs[:2, 2] = cutoffs[2, :2] = 1.5  # cations touch anions only
    series = cluster_series(frames, np.arange(7), kinds, cutoffs)
    found = {tuple(c): tuple(n) for c, n in zip(series.compositions.tolist(), series.counts.T.tolist(), strict=True)}
    assert found == {
        (0, 0, 1): (1, 3), (0, 1, 0): (1, 2), (1, 0, 0): (0, 2), (1, 0, 1): (1, 0), (1, 1, 1): (1, 0),
    }  # fmt: skip
    populations = series.populations(np.array([True, True, False]))
    assert populations.shape == (2, 3, 2)
    assert {(i, j): n for (i, j), n in np.ndenumerate(populations[0]) if n} == {
        (0, 1): 1,
        (1, 0): 1,
        (1, 1): 1,
        (2, 1): 1,
    }
    np.testing.assert_array_equal(populations[1, :2, 0], [0, 4])


def test_close_pairs_are_those_of_all_pairs_however_small_the_cutoff() -> None:
    positions = np.random.default_rng(5).uniform(size=(80, 3)) @ CELL
    images = np.array([[a, b, c] for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]) @ CELL
    distance = np.linalg.norm(positions[:, None, None] - positions[None, :, None] + images, axis=-1).min(axis=-1)
    for cutoff in (0.05, 0.6, 3.0):
        i, j, found = close_pairs(positions, CELL, cutoff)
        expected = np.triu(distance <= cutoff, k=1)
        assert len(i) == expected.sum()
        assert expected[np.minimum(i, j), np.maximum(i, j)].all()
        np.testing.assert_allclose(found, distance[i, j], rtol=1e-12)


def test_errors_of_ions_that_keep_their_partners_are_those_of_independent_ions(capsys):
    """Pairs that never part: every frame tells the same, and only the scatter between ions knows the error."""
    rng = np.random.default_rng(0)
    n, paired, runs = 50, 0.4, 400
    places = 10.0 * np.stack(np.meshgrid(*[np.arange(5)] * 3), axis=-1).reshape(-1, 3)[: 2 * n]
    cell = np.diag([60.0] * 3)
    kinds = np.repeat([0, 1], n)
    cutoffs = np.array([[0.0, 3.0], [3.0, 0.0]])
    covered = np.zeros((2, 2))
    for _ in range(runs):
        together = rng.random(n) < paired
        positions = np.concatenate([places[:n], np.where(together[:, None], places[:n] + 1.0, places[n:])])
        frames = [(positions + 0.05 * rng.normal(size=positions.shape), cell) for _ in range(3)]
        series = cluster_series(frames, np.arange(2 * n), kinds, cutoffs)
        np.testing.assert_array_equal(series.share_alone[:n], ~together)
        np.testing.assert_array_equal(series.size_around, np.tile(1.0 + together, 2))
        alone, around = series.share_alone[:n], series.size_around
        errors = scatter_error(alone, n), scatter_error(around, 2 * n, both_ends=True)
        off = [abs(alone.mean() - (1 - paired)) / errors[0], abs(around.mean() - (1 + paired)) / errors[1]]
        for k, level in enumerate((0.683, 0.954)):
            covered[:, k] += np.array(off) <= stats.t.ppf(0.5 + level / 2, n - 1)
    with capsys.disabled():
        print(f"\nions that keep their partners: share alone {covered[0] / runs}, size of cluster {covered[1] / runs}")
    # Binomial counts of 50 are discrete (steps of 0.3 sigma), 400 runs add 2.3 and 1.1 %.
    assert np.all(np.abs(covered[:, 0] / runs - 0.683) < 0.1)
    assert np.all(np.abs(covered[:, 1] / runs - 0.954) < 0.04)
