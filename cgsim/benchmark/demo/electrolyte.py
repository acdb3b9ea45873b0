"""Demo (b): all-atom PEO + LiTFSI; learn from the first half of a trajectory, simulate past its end."""

from pathlib import Path
from typing import Any

import numpy as np

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.beads import open_beads, write_beads
from cgsim.benchmark.demo.table import Comparison, caveat, curve_at, find, row
from cgsim.benchmark.report import Manifest, TableRow
from cgsim.mapping import MappingSettings
from cgsim.observables.statistics import Estimate
from cgsim.trajectory.import_settings import ImportSettings
from cgsim.trajectory.importing import import_trajectory

TOPOLOGY = Path("data/peo_litfsi_450K/prod.tpr")
TRAJECTORY = Path("data/peo_litfsi_450K/prod.xtc")
TEMPERATURE = 450.0  # K, of the run; the trajectory does not state it
TRAINING_LENGTH = 900.0  # ps
SIMULATED = "1800 ps"
N_REPLICAS = 4
NAME = "peo-litfsi"
EQUILIBRATION = "150 ps"  # of every rollout that is left out: the longest history that the model sees
MSD_LAG = 400.0  # ps
TITLE = "PEO + LiTFSI at 450 K"
RDFS = ("Li-polymer", "Li-TFSI", "polymer-polymer", "TFSI-TFSI", "Li-Li")
RDF_CUTOFF = 10.0  # Å, about twice the first minimum of Li-polymer beads


def import_md(folder: Path) -> Path:
    """Import the shipped GROMACS run."""
    store = folder / "md.h5"
    import_trajectory(TOPOLOGY, [TRAJECTORY], store, ImportSettings())
    return store


def compare(folder: Path, rollouts: list[Path]) -> Comparison:
    """Measure MD, the part of it that was learned from, and rollouts, all as beads, and put them side by side."""
    beads = open_beads(folder / "md.h5", MappingSettings())
    md, short = folder / "md-beads.h5", folder / "short-beads.h5"
    write_beads(beads, md, 0.0, float("inf"), None)
    write_beads(beads, short, 0.0, TRAINING_LENGTH, None)
    settings = AnalysisSettings(
        temperature=TEMPERATURE, rdf_cutoff=RDF_CUTOFF, pairs=tuple(p.replace("-", ":") for p in RDFS)
    )
    replicas = AnalysisSettings(**{**vars(settings), "replicas": True, "equilibration": EQUILIBRATION})
    documents = {
        "md": analyze_files([md], settings),
        "short": analyze_files([short], settings),
        "cgsim": analyze_files(rollouts, replicas),
    }
    rows: list[TableRow] = []
    sources = ("cgsim", "md", "short")
    for species in ("Li", "TFSI", "polymer"):
        ours, true, short_md = (find(documents[s], "self_diffusivity", species) for s in sources)
        note = caveat(documents["md"], "self_diffusivity", species)
        rows.append(row(NAME, f"self-diffusivity of {species}", "cm2/s", ours, true, short_md, note=note))
    for species in ("Li", "TFSI", "polymer"):
        ours, true, short_md = (curve_at(documents[s], "msd", species, MSD_LAG) for s in sources)
        rows.append(row(NAME, f"MSD of {species} at {MSD_LAG:g} ps", "Angstrom2", ours, true, short_md))
    for name in ("nernst-einstein", "einstein-collective"):
        values = (_conductivity(documents[s], name) for s in sources)
        rows.append(row(NAME, f"conductivity, {name}", "S/cm", *values))
    for pair in RDFS:
        difference, halves = (_rdf_difference(documents["md"], documents[s], pair) for s in ("cgsim", "short"))
        figure = f"RDF of {pair}: mean |difference| from MD"
        exact = Estimate(0.0, float("nan"))
        rows.append(row(NAME, figure, "", difference, exact, halves, note="short MD: its noise"))
    ours, true, short_md = (find(documents[s], "mean_squared_radius_of_gyration", "polymer") for s in sources)
    rows.append(row(NAME, "<Rg^2> of the chains", "Angstrom2", ours, true, short_md))
    manifest = Manifest(
        title=TITLE,
        task="electrolyte",
        equilibration=EQUILIBRATION,
        md={NAME: "md-beads.h5"},
        rollouts={NAME: tuple(str(p.relative_to(folder)) for p in rollouts)},
        short_md={NAME: "short-beads.h5"},
        table=tuple(rows),
    )
    return Comparison(manifest, documents)


def _conductivity(document: dict[str, Any], method: str) -> Estimate:
    figures = [f for f in document["figures"] if f["method"] == f"{method} multi-origin"]
    return find({"figures": figures}, "conductivity", "Li+TFSI")


def _rdf_difference(reference: dict[str, Any], other: dict[str, Any], pair: str) -> Estimate:
    """Mean absolute difference of two radial distribution functions over all bins; its noise is that of the curves."""
    curves = []
    for document in (reference, other):
        found = [c for c in document["curves"]["rdf"] if c["species"] == pair]
        curves.append(
            (np.mean([c["rdf"] for c in found], axis=0), np.mean([c["standard_error"] for c in found], axis=0))
        )
    (first, first_error), (second, second_error) = curves
    noise = np.sqrt(first_error**2 + second_error**2)
    return Estimate(float(np.abs(first - second).mean()), float(np.sqrt((noise**2).mean() / len(noise))))
