"""Motion in the shipped molecular dynamics as other packages see it: MDAnalysis (displacements), kinisi (D)."""

from pathlib import Path

import numpy as np
import pytest

from cgsim.analysis.motion import Box, follow_box, read_paths
from cgsim.analysis.selection import Species, all_species
from cgsim.analysis.source import Source, open_source
from cgsim.observables.diffusion import diffusion_coefficient
from cgsim.observables.dynamics import mean_squared_displacement
from cgsim.trajectory.importing import ImportSettings, import_trajectory

MDAnalysis = pytest.importorskip("MDAnalysis")
kinisi = pytest.importorskip("kinisi")
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of their own modules
    pytest.mark.filterwarnings("ignore::UserWarning:MDAnalysis"),
]


@pytest.fixture(scope="module")
def peo(peo_files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("peo") / "peo.h5"
    import_trajectory(peo_files[0], [peo_files[1]], path, ImportSettings())
    return open_source(path)


@pytest.fixture(scope="module")
def box(peo: Source) -> Box:
    return follow_box(peo)


@pytest.fixture
def universe(peo_files: tuple[Path, Path]) -> "MDAnalysis.Universe":
    return MDAnalysis.Universe(*peo_files)


def species(source: Source, name: str) -> Species:
    return next(s for s in all_species(source.system) if s.name == name)


def paths(source: Source, box: Box, particles: np.ndarray) -> np.ndarray:
    return next(read_paths(source, particles, box, 2**30))[1]


def test_mdanalysis_gives_the_same_displacements_after_unwrapping_by_itself(
    peo: Source, box: Box, universe: "MDAnalysis.Universe"
) -> None:
    from MDAnalysis.analysis.msd import EinsteinMSD
    from MDAnalysis.transformations import NoJump

    ions = species(peo, "Li").tracers
    universe.trajectory.add_transformations(NoJump())
    universe.transfer_to_memory()
    still = Box(np.zeros_like(box.centre), box.cell)  # they leave the drift in
    ours = mean_squared_displacement(paths(peo, still, ions), np.arange(len(ions)), peo.save_interval)
    for axes, msd in (("xyz", ours.msd), ("y", ours.by_axis[:, 1])):
        select = "index " + " ".join(map(str, ions))
        theirs = EinsteinMSD(universe, select=select, msd_type=axes, fft=False).run().results.timeseries
        # Positions of up to 50 A in single precision, theirs summed up over 1,210 frames: 4e-6 A times sqrt(1,210)
        # against displacements of 0.5 A.
        np.testing.assert_allclose(msd[1:], theirs[1:], rtol=3e-4)
    path = paths(peo, still, ions)
    for lag in (1, 10, 600, 1210):
        direct = np.square(path[lag:] - path[: len(path) - lag]).sum(axis=-1).mean()
        assert ours.msd[lag] == pytest.approx(direct, rel=1e-10)  # double precision


@pytest.mark.parametrize("name", ["Li", "TFSI"])
def test_kinisi_gives_the_same_diffusivity_with_an_interval_of_like_width(
    peo: Source, box: Box, universe: "MDAnalysis.Universe", name: str
) -> None:
    import scipp
    from kinisi.analyze import DiffusionAnalyzer

    tracers = species(peo, name).tracers
    motion = paths(peo, box, tracers)
    fit = diffusion_coefficient(mean_squared_displacement(motion, np.arange(len(tracers)), peo.save_interval))
    ours = fit.coefficient.scaled(1e-4)
    step = peo.save_interval * scipp.Unit("ps")
    lags = scipp.array(dims=["time interval"], values=1.5 * np.arange(1, 551, 5), unit="ps")  # to 825 ps, as ours
    analyser = DiffusionAnalyzer.from_universe(
        universe,
        specie=None,
        time_step=step,
        step_skip=1 * scipp.units.dimensionless,
        dt=lags,
        specie_indices=scipp.array(dims=["particle"], values=tracers),
        progress=False,
    )
    analyser.diffusion(
        fit.window[0] * scipp.Unit("ps"),
        n_samples=500,
        n_burn=200,
        progress=False,
        random_state=np.random.RandomState(1),
    )
    samples = analyser.D.values
    theirs, spread = samples.mean(), samples.std()
    low, high = np.quantile(samples, [0.025, 0.975])
    own_low, own_high = ours.interval(0.95)
    ratio = (own_high - own_low) / (high - low)
    print(f"D of {name}: {ours.value:.3g} +- {ours.standard_error:.2g} cm2/s, kinisi {theirs:.3g} +- {spread:.2g}")
    print(f"    95 % interval {own_low:.3g} to {own_high:.3g}, kinisi {low:.3g} to {high:.3g}, ratio {ratio:.2f}")
    # The same data: they may differ by what each leaves out, but not by more than either error alone.
    assert abs(ours.value - theirs) < max(ours.standard_error, spread)
    # Ours rests on the scatter of 15 ions, so its width is known to 19 %; kinisi's takes displacements that overlap for
    # as good as one and is a tenth wider for random walks (docs/evidence/dynamics.py): 0.9 within three times 19 %.
    assert 0.4 < ratio < 1.6
