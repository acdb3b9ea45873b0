"""Speed, memory and errors of diffusivities beside other packages: python docs/evidence/dynamics.py [SMALLER].

Paired runs, one thread, each in a process of its own: MDAnalysis with tidynamics and freud (mean squared
displacements), kinisi (diffusivity with its interval). A whole number divides the largest size, for a quick look. Needs
the extra `oracles`.
"""

import json
import os
import resource
import subprocess
import sys
import time
import warnings

import numpy as np

PARTICLES = FRAMES = 10_000
KINISI_PARTICLES, KINISI_FRAMES = 256, 500
REPEATS, RUNS = 3, 30
D = 0.05  # Å^2/ps


def walk(frames: int, particles: int, seed: int) -> np.ndarray:
    """Brownian particles in single precision, as trajectory files have them; a step is 1 ps."""
    generator = np.random.default_rng(seed)
    path = np.empty((frames, particles, 3), dtype=np.float32)
    at = generator.uniform(0, 30, size=(particles, 3))
    for frame in path:
        frame[:] = at
        at = at + generator.normal(scale=np.sqrt(2 * D), size=at.shape)
    return path


def universe(path: np.ndarray) -> object:
    """The walk as MDAnalysis sees it, from memory."""
    import MDAnalysis
    from MDAnalysis.coordinates.memory import MemoryReader

    box = np.array([1e4, 1e4, 1e4, 90, 90, 90], dtype=np.float32)  # so large that nothing is ever wrapped
    found = MDAnalysis.Universe.empty(path.shape[1], trajectory=False)
    found.load_new(path, format=MemoryReader, dimensions=np.tile(box, (len(path), 1)), dt=1.0)
    return found


def msd_cgsim(path: np.ndarray) -> np.ndarray:
    """Displacements by this package, with what its errors need."""
    from cgsim.observables.dynamics import mean_squared_displacement

    return mean_squared_displacement(path, np.arange(path.shape[1]), 1.0).msd


def msd_mdanalysis(path: np.ndarray) -> np.ndarray:
    """Displacements by MDAnalysis, fast."""
    from MDAnalysis.analysis.msd import EinsteinMSD

    return np.asarray(EinsteinMSD(universe(path), fft=True).run().results.timeseries)


def msd_freud(path: np.ndarray) -> np.ndarray:
    """Displacements by freud, in single precision."""
    import freud

    return np.asarray(freud.msd.MSD(mode="window").compute(path).msd)


def d_cgsim(path: np.ndarray) -> tuple[float, float, float]:
    """Diffusivity and its interval by this package, window found by itself."""
    from cgsim.observables.diffusion import diffusion_coefficient
    from cgsim.observables.dynamics import mean_squared_displacement

    fit = diffusion_coefficient(mean_squared_displacement(path, np.arange(path.shape[1]), 1.0)).coefficient
    return fit.value, *fit.interval(0.95)


def d_kinisi(path: np.ndarray) -> tuple[float, float, float]:
    """Diffusivity and its interval by kinisi with its own settings, window given."""
    import scipp
    from kinisi.analyze import DiffusionAnalyzer

    everything = scipp.array(dims=["particle"], values=np.arange(path.shape[1]))
    found = DiffusionAnalyzer.from_universe(
        universe(path),
        time_step=1.0 * scipp.Unit("ps"),
        step_skip=1 * scipp.units.dimensionless,
        specie_indices=everything,
        progress=False,
    )
    found.diffusion(1.0 * scipp.Unit("ps"), progress=False, random_state=np.random.RandomState(0))
    samples = found.D.values * 1e4  # cm2/s to Å^2/ps
    return float(samples.mean()), *(float(q) for q in np.quantile(samples, [0.025, 0.975]))


METHODS = {
    "msd_cgsim": msd_cgsim,
    "msd_mdanalysis": msd_mdanalysis,
    "msd_freud": msd_freud,
    "d_cgsim": d_cgsim,
    "d_kinisi": d_kinisi,
}


def child(method: str, frames: int, particles: int, seed: int) -> None:
    """One run: seconds, and memory above that of the positions."""
    path = walk(frames, particles, seed)
    METHODS[method](path[:20, :16])  # imports and plans
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    result = METHODS[method](path)
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    check = [float(x) for x in np.atleast_1d(result)[[1, -1]]] if method.startswith("msd") else list(result)
    print(json.dumps({"wall": seconds, "cpu": cpu, "gigabytes": grown, "check": check}))


def measure(method: str, frames: int, particles: int, seed: int) -> dict:
    """A run in a process of its own, one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, method, str(frames), str(particles), str(seed)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(ours: str, theirs: str, frames: int, particles: int) -> None:
    """Paired runs, in turn, and the ratio of their times."""
    pairs = [[measure(method, frames, particles, seed) for method in (ours, theirs)] for seed in range(REPEATS)]
    print(f"{particles} particles x {frames} frames, {REPEATS} paired runs, one thread")
    for k, method in enumerate((ours, theirs)):
        wall, memory = [p[k]["wall"] for p in pairs], [p[k]["gigabytes"] for p in pairs]
        spread = f"{min(wall):.2f} to {max(wall):.2f}"
        print(
            f"  {method:16s} {np.median(wall):8.2f} s ({spread})   {np.median(memory):5.2f} GB more than the positions"
        )
    for clock in ("wall", "cpu"):
        ratios = np.array([p[1][clock] / p[0][clock] for p in pairs])
        print(f"  {theirs} / {ours}, {clock}: {np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f})")
    if ours.startswith("msd"):
        worst = max(abs(a / b - 1) for p in pairs for a, b in zip(p[0]["check"], p[1]["check"], strict=True))
        print(f"  largest relative difference at the first and the last lag: {worst:.0e}")


def coverage() -> None:
    """How often intervals hold the exact value, and how wide they are, for 15 particles and 300 frames."""
    rows = {"ours": [], "kinisi": []}
    for seed in range(RUNS):
        path = walk(300, 15, 1000 + seed)
        rows["ours"].append(d_cgsim(path))
        rows["kinisi"].append(d_kinisi(path))
    print(f"15 Brownian particles x 300 frames, D = {D}, {RUNS} runs")
    for name, found in rows.items():
        value, low, high = np.array(found).T
        inside = np.mean((low <= D) & (high >= D))
        print(f"  {name:7s} mean {value.mean():.4f}  scatter {value.std():.4f}  ", end="")
        print(f"95 % interval: mean width {np.mean(high - low):.4f}, covers {inside:.0%}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if len(sys.argv) == 5:
        child(sys.argv[1], *map(int, sys.argv[2:]))
    else:
        smaller = int(sys.argv[1]) if len(sys.argv) > 1 else 1
        compare("msd_cgsim", "msd_mdanalysis", FRAMES, PARTICLES // smaller)
        compare("msd_cgsim", "msd_freud", FRAMES, PARTICLES // smaller)
        compare("d_cgsim", "d_kinisi", KINISI_FRAMES, KINISI_PARTICLES // smaller)
        coverage()
