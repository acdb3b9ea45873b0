import numpy as np
import pytest
from model_chains import freely_rotating

from cgsim.observables.persistence import bond_correlations, decay_length, projection_length
from cgsim.observables.records import MAX_RECORDS, Records
from cgsim.observables.structure import backbones


@pytest.mark.parametrize("cosine", [0.3, 0.8, 0.95])
def test_freely_rotating_chain_has_its_persistence_length(cosine: float) -> None:
    n_bonds, chains, bond = 60, 2000, 1.5
    correlation, lengths = bond_correlations(freely_rotating(n_bonds, chains, bond, cosine, seed=1))
    np.testing.assert_allclose(lengths, bond, rtol=1e-12)
    mean = correlation.mean(axis=0)
    error = correlation.std(axis=0) / np.sqrt(chains)
    np.testing.assert_allclose(mean[:2], [1.0, cosine], rtol=1e-9)
    separations = np.arange(n_bonds)
    assert np.abs((mean - cosine**separations)[2:] / error[2:]).max() < 4.5  # 58 separations
    decay = decay_length(mean, bond)
    spread = float(np.sqrt(np.cov(correlation.T) @ decay.by_correlation @ decay.by_correlation / chains))
    assert abs(decay.value + bond / np.log(cosine)) < 4 * spread + 1e-9
    projection = projection_length(mean, error, bond)
    spread = float(np.sqrt(np.cov(correlation.T) @ projection.by_correlation @ projection.by_correlation / chains))
    lost = bond * cosine ** (projection.last + 1) / (1 - cosine)  # what lies beyond the end of the sum
    assert abs(projection.value - (bond / (1 - cosine) - lost)) < 4 * spread + 1e-9
    assert lost < 0.1 * projection.value


def test_derivatives_of_both_lengths_are_right() -> None:
    correlation = 0.85 ** np.arange(20) * (1 + 0.05 * np.sin(np.arange(20)))
    error = np.full(20, 1e-4)
    for estimate in (lambda c, b: decay_length(c, b), lambda c, b: projection_length(c, error, b)):
        found = estimate(correlation, 2.0)
        step = 1e-6
        assert (estimate(correlation, 2.0 + step).value - found.value) / step == pytest.approx(
            found.by_bond_length, rel=1e-4
        )
        for s in range(1, 20):
            moved = correlation.copy()
            moved[s] += step
            change = (estimate(moved, 2.0).value - found.value) / step
            assert change == pytest.approx(found.by_correlation[s], rel=1e-3, abs=1e-6)


def test_correlations_are_what_a_double_loop_gives() -> None:
    positions = np.random.default_rng(2).normal(size=(3, 9, 3)).cumsum(axis=1)
    correlation, lengths = bond_correlations(positions)
    bonds = np.diff(positions, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(bonds, axis=-1).mean(axis=1))
    directions = bonds / np.linalg.norm(bonds, axis=-1, keepdims=True)
    for s in range(8):
        pairs = [(directions[:, i] * directions[:, i + s]).sum(axis=-1) for i in range(8 - s)]
        np.testing.assert_allclose(correlation[:, s], np.mean(pairs, axis=0), atol=1e-12)


def test_zigzag_is_averaged_and_not_cut_at_its_first_dip() -> None:
    zigzag = np.stack([np.arange(40) * 0.8, np.arange(40) % 2 * 0.6, np.zeros(40)], axis=1)[None]
    correlation, lengths = bond_correlations(zigzag)
    np.testing.assert_allclose(correlation[0, :3], [1.0, 0.28, 1.0], atol=1e-12)
    assert decay_length(correlation[0], float(lengths[0])).value > 20  # a rod on average, whatever its angles


@pytest.mark.parametrize("correlation", [[1.0], [1.0, -0.2, 0.1], [1.0, 1.0, 1.0]], ids=["no pair", "negative", "rod"])
def test_decay_is_undefined_where_nothing_decays(correlation: list[float]) -> None:
    assert np.isnan(decay_length(np.array(correlation), 1.0).value)


def test_side_beads_do_not_count_as_backbone() -> None:
    # 0 ... 6 straight, with side beads on 2, 3 and 4; one at either end would be an end itself.
    bonds = np.array([[0, 1, 2, 3, 4, 5, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9]])
    (path,) = backbones(bonds, np.zeros(10, int))
    assert set(path.tolist()) == set(range(7))
    positions = np.array([[k, 0, 0] for k in range(7)] + [[k, 1, 0] for k in (2, 3, 4)], dtype=np.float64)
    correlation, _ = bond_correlations(positions[None, path])
    np.testing.assert_allclose(correlation, 1.0)


def test_records_keep_weighted_averages_in_bounded_memory() -> None:
    generator = np.random.default_rng(3)
    values, weights = generator.normal(size=(5 * MAX_RECORDS + 3, 4)), generator.uniform(0, 2, size=5 * MAX_RECORDS + 3)
    weights[::7] = 0.0
    records = Records()
    for value, weight in zip(values, weights, strict=True):
        records.add(value, float(weight))
    series, kept = records.series()
    assert len(series) <= MAX_RECORDS
    np.testing.assert_allclose(np.average(series, axis=0, weights=kept), np.average(values, axis=0, weights=weights))
    with pytest.raises(ValueError, match="no frames"):
        Records().series()
