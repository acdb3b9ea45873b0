"""Demo (a): bead-spring chains; learn from short trajectories of some, simulate unseen ones far longer."""

from pathlib import Path

import numpy as np

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.beads import open_beads, write_beads
from cgsim.benchmark.demo.table import Comparison, find, row
from cgsim.benchmark.report import Manifest, TableRow
from cgsim.mapping import MappingSettings
from cgsim.observables.statistics import Estimate, earth_mover_distance, independent_average
from cgsim.observables.structure import radius_of_gyration
from cgsim.trajectory.store import TrajectoryStore
from cgsim.typing import Array, Float64

REFERENCE = Path("data/chains-100/test")
CHAINS = ("family-00-*", "family-01-*", "random-00[0-3]")  # of the 32 there; so many take as long as the electrolyte
TRAINING_LENGTH = 2000.0  # tau, of each trajectory that the model learns from
SIMULATED = "200000 tau"  # a hundred times as long
RELAXATION = 2000.0  # tau of every trajectory that is left out: rollouts begin where the MD begins
TITLE = "Unseen bead-spring chains"


def unseen_chains() -> list[Path]:
    """Stores of the long MD of the chains that the demo simulates."""
    return sorted(path for pattern in CHAINS for path in REFERENCE.glob(f"{pattern}.h5"))


def short_stores(folder: Path) -> dict[str, Path]:
    """MD of training length of every unseen chain: what one would have without the model."""
    out = {}
    for path in unseen_chains():
        out[path.stem] = folder / "short" / path.name
        out[path.stem].parent.mkdir(parents=True, exist_ok=True)
        write_beads(open_beads(path, MappingSettings()), out[path.stem], 0.0, TRAINING_LENGTH, None)
    return out


def compare(folder: Path, rollouts: dict[str, list[Path]]) -> Comparison:
    """Measure MD, short MD and rollouts alike and put them side by side.

    Args:
        folder: of the run.
        rollouts: stores of each chain.
    """
    md = {name: REFERENCE / f"{name}.h5" for name in rollouts}
    short = short_stores(folder)
    settings = AnalysisSettings()
    later = AnalysisSettings(equilibration=f"{RELAXATION:g} tau")
    documents = {
        "md": analyze_files(list(md.values()), settings),
        "short": analyze_files([short[name] for name in md], settings),
        "cgsim": analyze_files([rollouts[name][0] for name in md], later),
    }
    names = {"md": list(md), "short": list(md), "cgsim": [rollouts[name][0].stem for name in md]}
    rows = []
    figures = {
        "mean_squared_radius_of_gyration": "<Rg^2>",
        "relaxation_time": "relaxation time of Rg",
        "centre_of_mass_diffusivity": "diffusivity of the centre of mass",
    }
    measured: dict[str, dict[str, list[Estimate]]] = {}
    for figure in figures:
        measured[figure] = {
            source: [find(document, figure, "polymer", system=system) for system in names[source]]
            for source, document in documents.items()
        }
    for k, name in enumerate(md):
        for figure, label in figures.items():
            ours, true, short_run = (measured[figure][source][k] for source in ("cgsim", "md", "short"))
            unit = {"mean_squared_radius_of_gyration": "sigma2", "relaxation_time": "tau"}.get(figure, "sigma2/tau")
            rows.append(row(name, label, unit, ours, true, short_run))
    rows = [*_summary(measured, md, rollouts, short), *rows]
    manifest = Manifest(
        title=TITLE,
        task="chains",
        equilibration=f"{RELAXATION:g} tau",
        md={name: str(path.resolve()) for name, path in md.items()},
        rollouts={name: tuple(str(p.relative_to(folder)) for p in paths) for name, paths in rollouts.items()},
        short_md={name: str(path.relative_to(folder)) for name, path in short.items()},
        table=tuple(rows),
    )
    return Comparison(manifest, documents)


def _summary(
    measured: dict[str, dict[str, list[Estimate]]],
    md: dict[str, Path],
    rollouts: dict[str, list[Path]],
    short: dict[str, Path],
) -> list[TableRow]:
    """Figures over all unseen chains: how well <Rg^2>, its distribution and its relaxation come out."""
    values = {
        source: np.array([e.value for e in estimates])
        for source, estimates in measured["mean_squared_radius_of_gyration"].items()
    }
    noise = np.array([e.standard_error for e in measured["mean_squared_radius_of_gyration"]["md"]])
    times = {
        source: np.array([e.value for e in estimates]) for source, estimates in measured["relaxation_time"].items()
    }
    everything = "all unseen chains"

    def r2(guess: Float64[Array, " chains"]) -> float:
        true = values["md"]
        return float(1.0 - ((guess - true) ** 2).sum() / ((true - true.mean()) ** 2).sum())

    def mae(guess: Float64[Array, " chains"]) -> Estimate:
        return independent_average(np.abs(guess - values["md"]))

    samples = {name: _rg(path) for name, path in md.items()}
    emd = {
        "cgsim": [earth_mover_distance(_rg(rollouts[n][0], RELAXATION), s).value for n, s in samples.items()],
        "short": [earth_mover_distance(_rg(short[n]), s).value for n, s in samples.items()],
        "md": [earth_mover_distance(s[: len(s) // 2], s[len(s) // 2 :]).value for s in samples.values()],
    }
    rms_noise = float(np.sqrt((noise**2).mean()))
    exact = Estimate(0.0, float("nan"))
    zero = Estimate(rms_noise, float("nan"))
    return [
        row(everything, "R2 of <Rg^2>", "", Estimate(r2(values["cgsim"]), float("nan")),
            Estimate(1.0, float("nan")), Estimate(r2(values["short"]), float("nan"))),
        row(everything, "mean absolute error of <Rg^2>", "sigma2", mae(values["cgsim"]), zero, mae(values["short"]),
            note="MD: its own standard error"),
        row(everything, "Earth mover distance of the Rg distribution", "sigma",
            independent_average(np.array(emd["cgsim"])), independent_average(np.array(emd["md"])),
            independent_average(np.array(emd["short"])), note="MD: first half against second half"),
        row(everything, "median log10 ratio of relaxation times", "",
            _log_ratio(times["cgsim"], times["md"]), exact, _log_ratio(times["short"], times["md"])),
    ]  # fmt: skip


def _log_ratio(times: Float64[Array, " chains"], true: Float64[Array, " chains"]) -> Estimate:
    """Median over chains, with 1.2533 times the standard error of the mean, which a median of normal samples has."""
    ratios = np.log10(times / true)
    return Estimate(float(np.median(ratios)), float(1.2533 * ratios.std(ddof=1) / np.sqrt(len(ratios))))


def _rg(path: Path, begin: float = 0.0) -> Float64[Array, " frames"]:
    trajectory = TrajectoryStore(path).read()
    kept = trajectory[int(np.searchsorted(trajectory.time - trajectory.time[0], begin)) :]
    return radius_of_gyration(kept.unwrapped_positions, kept.system.masses, kept.system.molecule_id)[:, 0]
