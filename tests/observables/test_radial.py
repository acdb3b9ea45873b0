import numpy as np
import pytest

from cgsim.observables.radial import radial_distribution

CUBIC = np.eye(3) * 10.0
TRICLINIC = np.array([[10.0, 0.0, 0.0], [3.0, 9.0, 0.0], [-2.0, 4.0, 11.0]])
ONE_PAIR = np.array([[0, 0]])


def ideal_gas(n: int, frames: int, cell: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(seed)
    # Fractional coordinates beyond [0, 1): images must not matter.
    return [(generator.uniform(-1.0, 2.0, size=(n, 3)) @ cell, cell) for _ in range(frames)]


@pytest.mark.parametrize("cell", [CUBIC, TRICLINIC], ids=["cubic", "triclinic"])
@pytest.mark.parametrize("n", [5, 200])
def test_ideal_gas_has_g_of_one_whatever_its_size_and_cell(cell: np.ndarray, n: int) -> None:
    frames = 16_000 // n
    result = radial_distribution(
        ideal_gas(n, frames, cell, seed=1), np.ones((1, n), bool), ONE_PAIR, np.linspace(0, 4, 9)
    )
    shells = 4 / 3 * np.pi * np.diff(result.bin_edges**3)
    expected_pairs = frames * n * (n - 1) / 2 * shells / abs(np.linalg.det(cell))
    # Pair counts are Poisson; 4.5 sigma over 8 bins.
    np.testing.assert_array_less(np.abs(result.rdf[0] - 1), 4.5 / np.sqrt(expected_pairs))


def test_error_of_g_is_that_of_counting() -> None:
    n, frames = 100, 400
    result = radial_distribution(
        ideal_gas(n, frames, CUBIC, seed=2), np.ones((1, n), bool), ONE_PAIR, np.linspace(1, 5, 30)
    )
    shells = 4 / 3 * np.pi * np.diff(result.bin_edges**3)
    poisson = 1 / np.sqrt(frames * n * (n - 1) / 2 * shells / 1000)
    ratio = result.rdf_error[0] / poisson
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.1)  # 29 bins of 400 frames: 1 %, and blocking noise


def test_overlapping_selections_count_what_a_double_loop_counts() -> None:
    generator = np.random.default_rng(4)
    n = 30
    positions = generator.uniform(size=(n, 3)) @ TRICLINIC
    molecule = np.arange(n) // 3
    selections = generator.random((2, n)) < 0.6
    edges = np.linspace(0.5, 4.0, 6)
    pairs = np.array([[0, 1], [1, 1]])
    images = np.array([[a, b, c] for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]) @ TRICLINIC
    difference = positions[None, :, None] - positions[:, None, None] + images
    distance = np.linalg.norm(difference, axis=-1)  # [n, n, images]
    for apart in (None, molecule):
        result = radial_distribution([(positions, TRICLINIC)] * 2, selections, pairs, edges, molecule_id=apart)
        for p, (a, b) in enumerate(pairs):
            allowed = selections[a][:, None] & selections[b][None, :]
            allowed &= ~np.eye(n, dtype=bool) if apart is None else molecule[:, None] != molecule[None, :]
            counts, _ = np.histogram(distance[allowed], bins=edges)
            shells = 4 / 3 * np.pi * np.diff(edges**3)
            expected = counts * abs(np.linalg.det(TRICLINIC)) / (allowed.sum() * shells)
            np.testing.assert_allclose(result.rdf[p], expected, rtol=1e-12)
            np.testing.assert_allclose(result.coordination[p], np.cumsum(counts) / selections[a].sum(), rtol=1e-12)


def test_simple_cubic_lattice_has_six_twelve_and_eight_neighbours() -> None:
    side, spacing = 6, 1.5
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * spacing
    cell = np.eye(3) * side * spacing
    edges = np.arange(0.75, 3.0, 0.05)
    n = len(grid)
    result = radial_distribution([(grid, cell)], np.ones((1, n), bool), ONE_PAIR, edges)
    for distance, neighbours in ((1.0, 6), (np.sqrt(2), 18), (np.sqrt(3), 26)):
        within = np.searchsorted(edges, distance * spacing)
        assert result.coordination[0, within] == pytest.approx(neighbours, rel=1e-12)
    filled = np.flatnonzero(result.rdf[0])
    assert len(filled) == 3


def test_first_peak_and_minimum_of_a_shell_are_found() -> None:
    generator = np.random.default_rng(7)
    frames = []
    for _ in range(60):
        centres = generator.uniform(0, 20, size=(20, 3))
        direction = generator.normal(size=(20, 3))
        direction *= generator.normal(2.1, 0.1, size=(20, 1)) / np.linalg.norm(direction, axis=1, keepdims=True)
        frames.append((np.concatenate([centres, centres + direction]), np.eye(3) * 20.0))
    selections = np.repeat(np.eye(2, dtype=bool), 20, axis=1)
    result = radial_distribution(frames, selections, np.array([[0, 1]]), np.linspace(0, 6, 121))
    position, height = result.first_peak(0)
    # Counts in a shell of width 0.1 around 2.1; the maximum of p(r) / r^2 lies at 2.1 - 2 * 0.1^2 / 2.1 = 2.090.
    assert abs(position.value - 2.09) < 4 * position.standard_error
    assert position.standard_error < 0.02
    assert height.value > 20
    within = int(np.searchsorted(result.bin_edges, 2.6)) - 1
    crowd = 19 * 4 / 3 * np.pi * 2.6**3 / 8000
    assert result.coordination[0, within] == pytest.approx(
        1 + crowd, abs=4 * result.coordination_error[0, within] + 0.02
    )


def test_frame_weights_choose_frames() -> None:
    gas = ideal_gas(20, 6, CUBIC, seed=8)
    edges, all_of_it = np.linspace(1, 5, 5), np.ones((1, 20), bool)
    chosen = radial_distribution(gas, all_of_it, ONE_PAIR, edges, frame_weights=[0.0, 2.0, 0.0, 2.0, 0.0, 0.0])
    alone = radial_distribution([gas[1], gas[3]], all_of_it, ONE_PAIR, edges)
    np.testing.assert_allclose(chosen.rdf, alone.rdf, rtol=1e-12)


def test_more_frames_than_records_give_the_same_average() -> None:
    gas = ideal_gas(6, 1500, CUBIC, seed=9)
    edges, all_of_it = np.linspace(0.5, 5, 4), np.ones((1, 6), bool)
    long = radial_distribution(iter(gas), all_of_it, ONE_PAIR, edges)
    halves = [radial_distribution(gas[k : k + 500], all_of_it, ONE_PAIR, edges).rdf for k in (0, 500, 1000)]
    np.testing.assert_allclose(long.rdf, np.mean(halves, axis=0), rtol=1e-12)


def test_bins_beyond_half_the_cell_are_refused() -> None:
    gas = ideal_gas(10, 1, TRICLINIC, seed=3)
    with pytest.raises(ValueError, match="at most half the smallest width"):
        radial_distribution(gas, np.ones((1, 10), bool), ONE_PAIR, np.linspace(0, 5.0, 5))
    with pytest.raises(ValueError, match="needs a periodic cell"):
        radial_distribution([(gas[0][0], np.zeros((3, 3)))], np.ones((1, 10), bool), ONE_PAIR, np.linspace(0, 3, 5))
