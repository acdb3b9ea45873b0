import numpy as np
import pytest

from cgsim.observables.radial import radial_distribution

CUBIC = np.eye(3) * 10.0
STRONG = np.array([[10.0, 0.0, 0.0], [29.0, 9.0, 0.0], [-35.0, 14.0, 11.0]])  # angles of 17, 163 and 115 degrees
TRICLINIC = np.array([[10.0, 0.0, 0.0], [3.0, 9.0, 0.0], [-2.0, 4.0, 11.0]])
ONE_PAIR = np.array([[0, 0]])


def ideal_gas(n: int, frames: int, cell: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(seed)
    # Fractional coordinates beyond [0, 1): images must not matter.
    return [(generator.uniform(-1.0, 2.0, size=(n, 3)) @ cell, cell) for _ in range(frames)]


@pytest.mark.parametrize("cell", [CUBIC, TRICLINIC, STRONG], ids=["cubic", "triclinic", "strongly triclinic"])
@pytest.mark.parametrize("n", [5, 200])
def test_ideal_gas_has_g_of_one_whatever_its_size_and_cell(cell: np.ndarray, n: int) -> None:
    frames = 6_000 // n
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
    gas = ideal_gas(6, 1200, CUBIC, seed=9)
    edges, all_of_it = np.linspace(0.5, 5, 4), np.ones((1, 6), bool)
    long = radial_distribution(iter(gas), all_of_it, ONE_PAIR, edges)
    halves = [radial_distribution(gas[k : k + 400], all_of_it, ONE_PAIR, edges).rdf for k in (0, 400, 800)]
    np.testing.assert_allclose(long.rdf, np.mean(halves, axis=0), rtol=1e-12)


def test_bins_beyond_half_the_cell_are_refused() -> None:
    gas = ideal_gas(10, 1, TRICLINIC, seed=3)
    with pytest.raises(ValueError, match="at most half the shortest lattice vector"):
        radial_distribution(gas, np.ones((1, 10), bool), ONE_PAIR, np.linspace(0, 5.0, 5))
    with pytest.raises(ValueError, match="needs a periodic cell"):
        radial_distribution([(gas[0][0], np.zeros((3, 3)))], np.ones((1, 10), bool), ONE_PAIR, np.linspace(0, 3, 5))


def test_any_choice_of_lattice_vectors_gives_the_same_function_and_the_same_reach() -> None:
    generator = np.random.default_rng(11)
    positions = generator.uniform(size=(50, 3)) @ CUBIC
    skewed = np.array([[1, 0, 0], [4, 1, 0], [-3, 5, 1]]) @ CUBIC  # the same lattice
    edges = np.linspace(0, 5.0, 11)  # up to half the cube; the skewed faces are only 1.6 apart
    first, second = (
        radial_distribution([(positions, cell)] * 2, np.ones((1, 50), bool), ONE_PAIR, edges)
        for cell in (CUBIC, skewed)
    )
    np.testing.assert_allclose(first.rdf, second.rdf, rtol=1e-9)


def test_lattices_have_their_exact_shells_in_a_skewed_cell() -> None:
    # Face-centred cubic, from its primitive (60 degree) cell repeated 6 times: shells at a sqrt(n / 2).
    primitive = 1.5 * np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]])
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) @ primitive
    edges = np.arange(0.05, 5.6, 0.1)
    result = radial_distribution([(grid, 6 * primitive)], np.ones((1, 216), bool), ONE_PAIR, edges)
    shells = dict(zip(3 * np.sqrt(np.arange(1, 7) / 2), (12, 6, 24, 12, 24, 8), strict=True))
    expected = np.histogram(list(shells), bins=edges, weights=list(shells.values()))[0]
    np.testing.assert_allclose(np.diff(result.coordination[0], prepend=0), expected, atol=1e-9)
    volume = abs(np.linalg.det(6 * primitive))
    ideal = 215 / volume * 4 / 3 * np.pi * np.diff(edges**3)
    np.testing.assert_allclose(result.rdf[0], expected / ideal, atol=1e-9)


def test_changing_cell_leaves_g_of_an_ideal_gas_at_one_and_counts_as_they_are() -> None:
    n, generator = 60, np.random.default_rng(12)
    frames = []
    for k in range(400):
        cell = TRICLINIC * (1.0 + 0.15 * np.sin(k))
        frames.append((generator.uniform(size=(n, 3)) @ cell, cell))
    edges = np.linspace(0.5, 3.5, 7)
    result = radial_distribution(frames, np.ones((1, n), bool), ONE_PAIR, edges)
    assert np.abs((result.rdf[0] - 1) / result.rdf_error[0]).max() < 4  # six bins
    density = np.mean([(n - 1) / abs(np.linalg.det(cell)) for _, cell in frames])
    expected = density * 4 / 3 * np.pi * (edges[1:] ** 3 - edges[0] ** 3)
    assert np.abs((result.coordination[0] - expected) / result.coordination_error[0]).max() < 4


def test_first_shell_holds_the_neighbours_that_were_put_there() -> None:
    # Three ligands at 2.1 +- 0.1 round every centre and four at 4.5 +- 0.2; one of the three is away half of the time.
    generator = np.random.default_rng(13)
    frames = []
    for _ in range(80):
        centres = np.array([[8.0, 8, 8], [24.0, 8, 20], [10.0, 24, 26]]) + generator.normal(size=(3, 3))
        direction = generator.normal(size=(3, 7, 3))
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        distance = np.where(np.arange(7) < 3, 2.1, 4.5) + np.where(np.arange(7) < 3, 0.1, 0.2) * generator.normal(
            size=(3, 7)
        )
        distance[:, 2] = np.where(generator.random(3) < 0.5, distance[:, 2], 7.0)
        ligands = centres[:, None] + distance[..., None] * direction
        frames.append((np.concatenate([centres, ligands.reshape(-1, 3)]), np.eye(3) * 32.0))
    selections = np.zeros((2, 24), bool)
    selections[0, :3] = selections[1, 3:] = True
    result = radial_distribution(frames, selections, np.array([[0, 1]]), np.linspace(0, 8, 81))
    shell = result.first_shell(0)
    assert shell is not None
    radius, number = shell.radius, shell.number
    assert shell.depth < 0.01  # a gap: it does not matter where the shell ends
    assert shell.doubt < 0.01
    assert 2.4 < radius.value < 4.0
    assert abs(number.value - 2.5) < 4 * number.standard_error
    exact = 0.5 / np.sqrt(3 * len(frames))  # one ligand of every centre is there in half of all cases
    assert 0.6 * exact < number.standard_error < 1.8 * exact  # eight parts know a deviation to a quarter
