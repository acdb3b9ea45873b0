"""Errors of diffusivities, by ordinary and generalised least squares: python docs/evidence/diffusion.py."""

import numpy as np

from cgsim.observables.diffusion import diffusion_coefficient
from cgsim.observables.dynamics import mean_squared_displacement

N_RUNS, N_FRAMES, N_IONS = 200, 400, 10
EXACT = 0.5  # length^2 / time: steps of variance 1 along each axis


def main() -> None:
    """Fit the same random walks in both ways and compare the errors with the scatter from run to run."""
    ordinary, generalised = [], []
    for seed in range(N_RUNS):
        steps = np.random.default_rng(seed).normal(size=(N_FRAMES, N_IONS, 3))
        displacement = mean_squared_displacement(steps.cumsum(axis=0), np.arange(N_IONS), 1.0)
        fit = diffusion_coefficient(displacement)
        generalised.append((fit.coefficient.value, fit.coefficient.standard_error, fit.coefficient.interval(0.95)))
        lags = np.arange(1, N_FRAMES // 2)  # the common choice: a line through the first half of the MSD
        (slope, _), covariance = np.polyfit(lags, displacement.msd[lags], 1, cov=True)
        value, error = slope / 6, np.sqrt(covariance[0, 0]) / 6
        ordinary.append((value, error, (value - 1.96 * error, value + 1.96 * error)))
    print(f"D of {N_IONS} Brownian ions in {N_FRAMES} frames, {N_RUNS} runs, exact value {EXACT}")
    print("                        mean   scatter   stated error   95 % interval covers")
    for name, fits in (("ordinary", ordinary), ("generalised", generalised)):
        values = np.array([f[0] for f in fits])
        stated = np.sqrt(np.mean([f[1] ** 2 for f in fits]))
        covers = np.mean([low <= EXACT <= high for _, _, (low, high) in fits])
        print(f"  {name:20s} {values.mean():.3f}     {values.std():.3f}          {stated:.4f}   {covers:.0%}")


if __name__ == "__main__":
    main()
