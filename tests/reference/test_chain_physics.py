"""Exact laws of a Langevin chain, on real runs of LAMMPS."""

from threading import Event

import numpy as np
import pytest
from engines import lammps

from cgsim.observables.statistics import block_average
from cgsim.reference.figures import measure_chain
from cgsim.reference.forcefield import FENE_LENGTH, bond_energy
from cgsim.reference.lammps_input import write_inputs
from cgsim.reference.run import bond_lengths, read_kinetic, read_positions, run_chain
from cgsim.reference.sequences import Chain
from cgsim.reference.settings import TIMESTEP, ChainSettings

pytestmark = pytest.mark.engine


def simulate(folder, sequence, **settings):
    """Run one chain; return it with its settings, positions and kinetic temperatures."""
    chain = Chain("chain", "repeated", sequence)
    chosen = ChainSettings(**settings)
    write_inputs(folder, chain, chosen)
    list(run_chain(folder, chain, chosen, lammps(), Event()))
    return chain, chosen, read_positions(folder, chain, chosen), read_kinetic(folder, chosen)


def boltzmann_bond(kt):
    """Mean and standard deviation of the length of a single bond, p(r) ~ r^2 exp(-U(r) / kT), by quadrature."""
    edges = np.linspace(0.6, FENE_LENGTH, 20_001)
    lengths = 0.5 * (edges[1:] + edges[:-1])
    weights = lengths**2 * np.exp(-bond_energy(lengths) / kt)
    mean = np.average(lengths, weights=weights)
    return mean, np.sqrt(np.average((lengths - mean) ** 2, weights=weights))


def verlet_spread(kt, spread):
    """Factor by which the Verlet integrator widens a stiff bond of the given exact spread.

    A harmonic bond of frequency w is sampled with variance kT / (k (1 - (w dt)^2 / 4)) (Brooks, Bruenger and Karplus,
    Biopolymers 23, 2617 (1984); Mishra and Schlick, J. Chem. Phys. 105, 299 (1996)); here k = kT / spread^2 and the
    reduced mass is 1/2.
    """
    squared_frequency = 2.0 * kt / spread**2
    return 1.0 / np.sqrt(1.0 - squared_frequency * TIMESTEP**2 / 4.0)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_bonded_pair_samples_its_boltzmann_distribution(tmp_path, temperature):
    chain, _, positions, _ = simulate(
        tmp_path, "AA", n_beads=2, temperature=temperature, length="4000 tau", save_interval="0.5 tau"
    )
    lengths = bond_lengths(positions, chain)[:, 0].astype(np.float64)
    mean, spread = boltzmann_bond(temperature)
    found = block_average(lengths).estimate
    # The integrator shifts the mean through the anharmonicity of the wider bond; 0.0005 is a third of that widening.
    assert abs(found.value - mean) < 4 * found.standard_error + 0.0005
    variance = block_average((lengths - lengths.mean()) ** 2).estimate
    expected = (spread * verlet_spread(temperature, spread)) ** 2
    assert abs(variance.value - expected) < 4 * variance.standard_error + 0.01 * expected


@pytest.fixture(scope="module")
def sticky_chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sticky")
    return simulate(folder, "BBACDABACABB", n_beads=22, length="4000 tau", save_interval="5 tau", friction=2.0)


def test_the_kinetic_energy_is_that_of_the_thermostat(sticky_chain):
    _, settings, _, kinetic = sticky_chain
    found = block_average(kinetic).estimate
    # The integrator's own error of velocities is of order (w dt)^2 / 100 of the stiffest bond: 0.002.
    assert abs(found.value - settings.temperature) < 4 * found.standard_error + 0.002


def test_the_centre_of_mass_diffuses_as_one_langevin_particle(sticky_chain):
    chain, settings, positions, kinetic = sticky_chain
    figures = measure_chain(chain, positions, bond_lengths(positions, chain), kinetic, 5.0, settings.friction)
    expected = settings.temperature / (chain.n_beads * settings.friction)
    diffusivity = figures.self_diffusivity
    assert abs(diffusivity.value - expected) < 4 * diffusivity.standard_error
    assert diffusivity.standard_error < 0.1 * expected


def test_bonds_stay_within_their_range(sticky_chain):
    chain, _, positions, _ = sticky_chain
    lengths = bond_lengths(positions, chain)
    assert 0.8 < lengths.min() < lengths.max() < 1.25


@pytest.mark.slow
def test_athermal_chains_swell_with_florys_exponent(tmp_path):
    n_beads, sizes, errors = np.array([16, 32, 64, 128]), [], []
    for n in n_beads:
        chain, settings, positions, kinetic = simulate(
            tmp_path / str(n), "A" * n, n_beads=n, force_field="athermal", length="8000 tau", save_interval="5 tau"
        )
        figures = measure_chain(chain, positions, bond_lengths(positions, chain), kinetic, 5.0, settings.friction)
        sizes.append(figures.squared_radius_of_gyration.value)
        errors.append(figures.squared_radius_of_gyration.standard_error / sizes[-1])
    (slope, _), covariance = np.polyfit(np.log(n_beads), np.log(sizes), 1, w=1 / np.array(errors), cov="unscaled")
    # 2 nu = 1.176 for long chains (Clisby, Phys. Rev. Lett. 104, 055702 (2010)). Chains this short are still locally
    # stiff, since next neighbours repel each other, which raises the slope: 1.35 +- 0.02 for 16 to 54 beads, and less
    # the longer they are. Without excluded volume it would be 1.0.
    assert 1.176 - 3 * np.sqrt(covariance[0, 0]) < slope < 1.35
    assert np.sqrt(covariance[0, 0]) < 0.05
