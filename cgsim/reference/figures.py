"""What a finished run says about its chain, with standard errors: the values that models are compared with."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cgsim.observables.dynamics import autocorrelation, centre_of_mass, integrated_relaxation_time
from cgsim.observables.statistics import Estimate, block_average
from cgsim.observables.structure import radius_of_gyration
from cgsim.reference.sequences import Chain, chain_system
from cgsim.typing import Array, Float32, Float64

DIFFUSION_LAG = 20.0  # momentum relaxation times; displacements over longer lags are as good as independent


@dataclass(frozen=True)
class ChainFigures:
    """Figures of one chain, in reduced units.

    Attributes:
        chain: the chain.
        n_frames: frames that were averaged.
        save_interval: tau between them.
        squared_radius_of_gyration: <Rg^2>, sigma^2.
        relaxation_time: integrated autocorrelation time of Rg, tau.
        self_diffusivity: of the centre of mass, sigma^2/tau.
        bond_length: mean over bonds and frames, sigma.
        bond_spread: standard deviation over bonds and frames, sigma.
        kinetic_temperature: kT from velocities, epsilon.
    """

    chain: Chain
    n_frames: int
    save_interval: float
    squared_radius_of_gyration: Estimate
    relaxation_time: Estimate
    self_diffusivity: Estimate
    bond_length: float
    bond_spread: float
    kinetic_temperature: Estimate

    def document(self) -> dict[str, Any]:
        """The figures as they go into JSON."""
        estimates = {
            name: {"value": round(estimate.value, 6), "standard_error": round(estimate.standard_error, 6)}
            for name, estimate in (
                ("squared_radius_of_gyration", self.squared_radius_of_gyration),
                ("relaxation_time", self.relaxation_time),
                ("self_diffusivity", self.self_diffusivity),
                ("kinetic_temperature", self.kinetic_temperature),
            )
        }
        return {
            "kind": self.chain.kind,
            "sequence": self.chain.sequence,
            "n_frames": self.n_frames,
            "save_interval": self.save_interval,
            **estimates,
            "bond_length": round(self.bond_length, 6),
            "bond_spread": round(self.bond_spread, 6),
        }


def measure_chain(
    chain: Chain,
    positions: Float32[Array, "frames particles 3"],
    bond_lengths: Float32[Array, "frames bonds"],
    kinetic: Float64[Array, " intervals"],
    save_interval: float,
    friction: float,
) -> ChainFigures:
    """Measure one chain.

    Args:
        chain: the chain.
        positions: sigma, unwrapped.
        bond_lengths: sigma.
        kinetic: mean of 2 E_kin / (3 N) over each save interval, epsilon.
        save_interval: tau.
        friction: 1/tau.
    """
    system = chain_system(chain.sequence)
    unwrapped = positions.astype(np.float64)
    rg = radius_of_gyration(unwrapped, system.masses, system.molecule_id)
    correlation = autocorrelation(rg, rg.mean(axis=0))
    relaxation_time, _ = integrated_relaxation_time(correlation, save_interval, 1)
    centre = centre_of_mass(unwrapped, system.masses)
    return ChainFigures(
        chain=chain,
        n_frames=len(positions),
        save_interval=save_interval,
        squared_radius_of_gyration=block_average(rg[:, 0] ** 2).estimate,
        relaxation_time=relaxation_time,
        self_diffusivity=langevin_diffusivity(centre, save_interval, friction),
        bond_length=float(bond_lengths.mean()),
        bond_spread=float(bond_lengths.std()),
        kinetic_temperature=block_average(kinetic).estimate,
    )


def langevin_diffusivity(centre: Float64[Array, "frames 3"], save_interval: float, friction: float) -> Estimate:
    """Diffusion coefficient of a freely diffusing Langevin particle from its displacements, sigma^2/tau.

    The mean squared displacement is 6 D (t - (1 - exp(-friction t)) / friction) (Uhlenbeck and Ornstein, Phys. Rev. 36,
    823 (1930), eq. 10), exact at any lag, so no fit window is needed. Displacements are normal and as good as
    independent, hence the relative error sqrt(2 / n) of the mean of n squares. A run too short for two of them gives
    nan.
    """
    stride = int(np.ceil(DIFFUSION_LAG / friction / save_interval))
    squares = np.square(np.diff(centre[::stride], axis=0)).ravel()
    if not squares.size:
        return Estimate(float("nan"), float("nan"))
    lag = stride * save_interval
    value = float(squares.mean()) / (2.0 * (lag - (1.0 - np.exp(-friction * lag)) / friction))
    return Estimate(value, value * float(np.sqrt(2.0 / squares.size)), float(squares.size))
