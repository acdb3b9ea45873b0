"""Scores and targets of the task ``chain``."""

import math
from pathlib import Path

from cgsim.benchmark.chain.portrait import chain_portrait
from cgsim.benchmark.distances import bond_metrics, variation_of
from cgsim.benchmark.portrait import NOTHING, Portrait
from cgsim.benchmark.scoring import (
    LEAST_FOR_SPREAD,
    Metric,
    PairMetric,
    SetMetric,
    accuracy,
    difference_of,
    linear_correlation,
    ratio_of,
    value_of,
)
from cgsim.benchmark.targets import HALVES, above, at_least, at_most, better_than, share_of, within
from cgsim.benchmark.task import Task
from cgsim.mapping import MappingSettings
from cgsim.observables.statistics import Estimate, earth_mover_distance
from cgsim.units import UnitSystem

FIFTEEN_PERCENT = math.log10(1.15)


def _rg_distance(predicted: Portrait, reference: Portrait) -> Estimate:
    """Earth mover distance of the distributions of Rg."""
    if "samples/rg" not in predicted.arrays:
        return NOTHING
    return earth_mover_distance(predicted.arrays["samples/rg"], reference.arrays["samples/rg"])


def _relaxation_error(predicted: Portrait, reference: Portrait) -> Estimate:
    difference = difference_of("log10_relaxation_time")(predicted, reference)
    return Estimate(abs(difference.value), difference.standard_error)


def chain_metrics(_references: dict[str, Portrait]) -> list[Metric]:
    """All scores of the task."""
    return [
        *accuracy("rg2", "rg2"),
        PairMetric("rg_emd", _rg_distance),
        PairMetric("relaxation_log10_ratio", difference_of("log10_relaxation_time"), "median"),
        PairMetric("relaxation_log10_error", _relaxation_error, "median"),
        SetMetric("relaxation_correlation", "log10_relaxation_time", linear_correlation, LEAST_FOR_SPREAD),
        PairMetric("com_diffusion_ratio", ratio_of("com_diffusion")),
        *bond_metrics(),
        PairMetric("distance_histogram_distance", variation_of("distance_histogram")),
        PairMetric("stability", value_of("stability")),
    ]


RIVALS = ("composition-linear", "composition-forest", "supervised-gnn", "short-md")
DATA = Path("data/chains-100")
CHAIN = Task(
    name="chain",
    title="Unseen single chains",
    units=UnitSystem.LJ,
    train=(DATA / "train", DATA / "train-orders"),
    validation=DATA / "validation",
    systems=DATA / "test",
    mapping=MappingSettings(atoms_per_bead=10),
    lag_time=25.0,
    training_length=2000.0,
    equilibration=2000.0,
    n_lengths=100.0,
    quick_lengths=25.0,
    replicas=1,
    portray=chain_portrait,
    metrics=chain_metrics,
    quantities=("rg2", "relaxation_time", "com_diffusion"),
    labels=("log10_rg2", "log10_relaxation_time"),
    headline=(
        "rg2_r2",
        "rg2_mae",
        "rg2_spearman",
        "rg_emd",
        "relaxation_log10_ratio",
        "relaxation_correlation",
        "com_diffusion_ratio",
        "bond_mean_ratio",
        "bond_std_ratio",
        "stability",
    ),
    targets=(
        at_least("rg2_r2", 0.97),
        better_than("rg2_r2", RIVALS),
        share_of("rg2_mae", "short-md", 1.0 / 3.0, "at most a third of that of short-md"),
        within("com_diffusion_ratio", 1.0, 0.05, "within 5 % of MD"),
        within("bond_mean_ratio", 1.0, 0.01, "within 1 % of MD"),
        within("bond_std_ratio", 1.0, 0.05, "within 5 % of MD"),
        within("relaxation_log10_ratio", 0.0, FIFTEEN_PERCENT, "median ratio within 15 %"),
        at_most("relaxation_log10_error", round(FIFTEEN_PERCENT, 4)),
        above("relaxation_correlation", 0.9),
        share_of("rg_emd", HALVES, 1.5, "at most 1.5 times the split-half noise of MD"),
        at_least("stability", 1.0),
    ),
)
