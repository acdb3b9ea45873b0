import numpy as np
import pytest
from synthetic_motion import brownian

from cgsim.observables.diffusion import diffusion_coefficient
from cgsim.observables.dynamics import mean_squared_displacement
from cgsim.observables.statistics import Estimate
from cgsim.observables.transport import cluster_nernst_einstein, conductivity_factor, nernst_einstein

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
    assert result.transference.value == 0.25
    assert result.transference.standard_error == pytest.approx(np.hypot(3 * 0.1, 1 * 0.4) / 16)


def test_free_ions_as_clusters_of_one_give_nernst_einstein() -> None:
    populations = np.zeros((5, 2, 2))
    populations[:, 1, 0] = 7
    populations[:, 0, 1] = 7
    cation, anion = Estimate(1.0, 0.1), Estimate(2.0, 0.2)
    clusters = cluster_nernst_einstein(cation, anion, populations, 1.0, -1.0)
    free = nernst_einstein([cation, anion], CHARGES, np.array([7.0, 7.0]))
    assert clusters.charge_diffusion.value == free.charge_diffusion.value
    assert clusters.charge_diffusion.standard_error == pytest.approx(free.charge_diffusion.standard_error)
    assert clusters.transference.value == free.transference.value


def test_neutral_pairs_carry_no_current_and_negative_triplets_carry_lithium_backwards() -> None:
    pairs = np.zeros((3, 2, 2))
    pairs[:, 1, 1] = 4
    assert cluster_nernst_einstein(Estimate(1.0, 0.1), Estimate(2.0, 0.1), pairs, 1.0, -1.0).charge_diffusion.value == 0
    triplets = np.zeros((3, 2, 3))
    triplets[:, 1, 2] = 4
    result = cluster_nernst_einstein(Estimate(1.0, 0.1), Estimate(2.0, 0.1), triplets, 1.0, -1.0)
    assert result.charge_diffusion.value == 4 * 2.0
    assert result.transference.value == -1.0


def test_fluctuating_clusters_add_to_the_error() -> None:
    generator = np.random.default_rng(0)
    populations = np.zeros((400, 2, 2))
    populations[:, 1, 0] = generator.integers(0, 10, 400)
    populations[:, 0, 1] = 5
    result = cluster_nernst_einstein(Estimate(1.0, 0.0), Estimate(1.0, 0.0), populations, 1.0, -1.0)
    expected = populations[:, 1, 0].std(ddof=1) / 20
    assert result.charge_diffusion.standard_error == pytest.approx(expected, rel=0.3)


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
