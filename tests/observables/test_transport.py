import numpy as np
import pytest
from synthetic_motion import brownian

from cgsim.observables.diffusion import diffusion_coefficient
from cgsim.observables.dynamics import mean_squared_displacement
from cgsim.observables.statistics import Estimate
from cgsim.observables.transport import (
    cluster_nernst_einstein,
    conductivity_factor,
    nernst_einstein,
    onsager_factor,
)

CHARGES = np.array([1.0, -1.0])


def test_conductivity_of_a_known_salt() -> None:
    # 50 pairs in (40 Å)^3 at 300 K with D = 1e-5 cm2/s each: e^2 c D / kT by hand.
    sigma = conductivity_factor(64_000.0, 300.0) * 100 * 1e-5
    by_hand = 1.602176634e-19**2 * (100 / 64_000e-30) * 1e-9 / (1.380649e-23 * 300) / 100
    assert sigma == pytest.approx(by_hand, rel=1e-12)


def test_nernst_einstein_adds_species_and_their_errors() -> None:
    result = nernst_einstein([Estimate(1.0, 0.1, 10.0), Estimate(3.0, 0.4, 20.0)], CHARGES, np.array([2.0, 2.0]))
    assert result.charge_diffusion.value == 8.0
    assert result.charge_diffusion.standard_error == pytest.approx(2 * np.hypot(0.1, 0.4))
    assert result.transference[0].value == 0.25
    assert result.transference[0].standard_error == pytest.approx(np.hypot(3 * 0.1, 1 * 0.4) / 16)


def test_transference_numbers_of_all_species_add_up_to_one() -> None:
    charges = np.array([1.0, 2.0, -1.0])
    result = nernst_einstein(
        [Estimate(1.0, 0.1), Estimate(0.5, 0.1), Estimate(2.0, 0.3)], charges, np.array([4.0, 3, 10])
    )
    assert sum(t.value for t in result.transference) == pytest.approx(1.0)
    assert result.transference[1].value == pytest.approx(3 * 4 * 0.5 / (4 + 6 + 20))


def test_free_ions_as_clusters_of_one_give_nernst_einstein() -> None:
    charges, counts = np.array([1.0, 2.0, -1.0]), np.array([7.0, 2.0, 11.0])
    diffusion = [Estimate(1.0, 0.1), Estimate(0.7, 0.1), Estimate(2.0, 0.2)]
    clusters = cluster_nernst_einstein(diffusion, charges, np.eye(3, dtype=np.int64), np.tile(counts, (5, 1)))
    free = nernst_einstein(diffusion, charges, counts)
    assert clusters.charge_diffusion.value == pytest.approx(free.charge_diffusion.value)
    assert clusters.charge_diffusion.standard_error == pytest.approx(free.charge_diffusion.standard_error)
    for own, other in zip(clusters.transference, free.transference, strict=True):
        assert own.value == pytest.approx(other.value)
        assert own.standard_error == pytest.approx(other.standard_error)


def test_neutral_pairs_carry_no_current_and_negative_triplets_carry_lithium_backwards() -> None:
    diffusion = [Estimate(1.0, 0.1), Estimate(2.0, 0.1)]
    pairs = cluster_nernst_einstein(diffusion, CHARGES, np.array([[1, 1]]), np.full((3, 1), 4.0))
    assert pairs.charge_diffusion.value == 0
    triplets = cluster_nernst_einstein(diffusion, CHARGES, np.array([[1, 2]]), np.full((3, 1), 4.0))
    assert triplets.charge_diffusion.value == 4 * 2.0
    assert [t.value for t in triplets.transference] == [-1.0, 2.0]


def test_mixed_cluster_moves_with_the_charge_weighted_mean_of_its_carriers() -> None:
    # One Na+, two Ca2+ and three Cl-: net charge 2, carried by Na (share 1/5) and Ca (share 4/5).
    charges = np.array([1.0, 2.0, -1.0])
    diffusion = [Estimate(1.0, 0.0), Estimate(6.0, 0.0), Estimate(100.0, 0.0)]
    result = cluster_nernst_einstein(diffusion, charges, np.array([[1, 2, 3]]), np.full((4, 1), 2.0))
    assert result.charge_diffusion.value == pytest.approx(2 * 4 * 5.0)
    assert [t.value for t in result.transference] == pytest.approx([0.5, 2.0, -1.5])


def test_fluctuating_clusters_add_to_the_error() -> None:
    generator = np.random.default_rng(0)
    populations = np.stack([generator.integers(0, 10, 400), np.full(400, 5)], axis=1).astype(np.float64)
    diffusion = [Estimate(1.0, 0.0), Estimate(1.0, 0.0)]
    result = cluster_nernst_einstein(diffusion, CHARGES, np.eye(2, dtype=np.int64), populations)
    expected = populations[:, 0].std(ddof=1) / 20
    assert result.charge_diffusion.standard_error == pytest.approx(expected, rel=0.3)


def test_onsager_factor_is_that_of_the_conductivity_without_the_charges() -> None:
    faraday = 96485.33212
    volume, temperature = 64_000.0, 300.0
    siemens_per_metre = 100 * conductivity_factor(volume, temperature)
    assert onsager_factor(volume, temperature) * faraday**2 == pytest.approx(siemens_per_metre, rel=1e-9)


def charge_motion(cations: np.ndarray, anions: np.ndarray) -> np.ndarray:
    return (cations.sum(axis=1) - anions.sum(axis=1))[:, None]


@pytest.mark.slow
def test_einstein_conductivity_equals_nernst_einstein_for_uncorrelated_ions() -> None:
    runs, n = 60, 10
    differences = []
    for seed in range(runs):
        cations, anions = brownian(600, n, 1.0, 2 * seed), brownian(600, n, 2.0, 2 * seed + 1)
        own = [
            diffusion_coefficient(mean_squared_displacement(ions, np.arange(n), 1.0)).coefficient
            for ions in (cations, anions)
        ]
        free = nernst_einstein(own, CHARGES, np.array([n, n], dtype=float)).charge_diffusion
        together = mean_squared_displacement(charge_motion(cations, anions), np.array([0]), 1.0)
        whole = diffusion_coefficient(together).coefficient
        differences.append((whole.value - free.value) / np.hypot(whole.standard_error, free.standard_error))
    covered = np.mean(np.abs(differences) < 1)
    print(f"sigma_Einstein - sigma_NE within one standard error in {covered:.0%} of {runs} runs")
    assert abs(np.mean(differences)) < 4 / np.sqrt(runs)
    assert abs(covered - 0.68) < 3 * np.sqrt(0.68 * 0.32 / runs)


def test_einstein_conductivity_of_paired_ions_is_less_than_nernst_einstein() -> None:
    pairs = brownian(600, 10, 1.0, seed=1)
    cations, anions = pairs + 0.1 * brownian(600, 10, 1.0, 2), pairs + 0.1 * brownian(600, 10, 1.0, 3)
    whole = diffusion_coefficient(mean_squared_displacement(charge_motion(cations, anions), np.array([0]), 1.0))
    assert whole.coefficient.value < 0.2 * 10 * 2 * 0.5
