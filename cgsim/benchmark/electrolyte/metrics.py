"""Scores and targets of the task ``electrolyte``."""

from pathlib import Path

import numpy as np

from cgsim.benchmark.distances import bond_metrics, variation_of
from cgsim.benchmark.electrolyte.portrait import electrolyte_portrait
from cgsim.benchmark.electrolyte.structure import REACH, first_minimum
from cgsim.benchmark.portrait import NOTHING, Portrait
from cgsim.benchmark.scoring import Metric, PairMetric, PairScore, accuracy, difference_of, ratio_of, value_of
from cgsim.benchmark.targets import Target, above, at_least, at_most, better_than, no_more_than_md, within
from cgsim.benchmark.task import Task
from cgsim.mapping import MappingSettings
from cgsim.observables.statistics import Estimate
from cgsim.units import UnitSystem

ROLES = ("li", "anion", "polymer")


def rdf_difference(predicted: Portrait, reference: Portrait, pair: str) -> float:
    """Mean absolute difference of g(r) up to twice its first minimum in the reference; nan if one has none.

    As far as both boxes reach.
    """
    key = f"rdf/{pair}"
    if key not in predicted.arrays or key not in reference.arrays:
        return float("nan")
    edges = reference.arrays["rdf_edges"]
    minimum = first_minimum(reference, pair)
    reach = 2.0 * minimum if np.isfinite(minimum) else REACH
    ours, theirs = predicted.arrays[key], reference.arrays[key]
    n = min(len(ours), len(theirs))
    inside = edges[1 : n + 1] <= reach + 1e-9
    return float(np.abs(ours[:n] - theirs[:n])[inside].mean())


def _pairs(references: dict[str, Portrait], kind: str) -> list[str]:
    keys = (key for portrait in references.values() for key in portrait.arrays if key.startswith(f"{kind}/"))
    return list(dict.fromkeys(key.partition("/")[2] for key in keys))


def _rdf(pair: str) -> PairScore:
    return lambda predicted, reference: Estimate(rdf_difference(predicted, reference, pair), float("nan"))


def _over_rdfs(pairs: list[str], *, worst: bool) -> PairScore:
    def score(predicted: Portrait, reference: Portrait) -> Estimate:
        found = np.array([rdf_difference(predicted, reference, pair) for pair in pairs])
        found = found[np.isfinite(found)]
        if not found.size:
            return NOTHING
        return Estimate(float(found.max() if worst else found.mean()), float("nan"))

    return score


def _coordination(pairs: list[str]) -> PairScore:
    """Mean absolute difference of the coordination numbers."""

    def score(predicted: Portrait, reference: Portrait) -> Estimate:
        differences = [difference_of(f"coordination/{pair}")(predicted, reference) for pair in pairs]
        found = np.array([[abs(d.value), d.standard_error] for d in differences if np.isfinite(d.value)])
        if not found.size:
            return NOTHING
        return Estimate(float(found[:, 0].mean()), float(np.sqrt(np.square(found[:, 1]).sum()) / len(found)))

    return score


def _closest_ion_pair(limits: dict[str, float]) -> PairScore:
    """Closest approach of ions over that of any MD here; the worst pair of classes. Below 1 ions are too close."""

    def score(predicted: Portrait, _reference: Portrait) -> Estimate:
        keys = [f"closest/{pair}" for pair in limits]
        ratios = [float(predicted.arrays[k][0]) / limits[k.partition("/")[2]] for k in keys if k in predicted.arrays]
        return Estimate(min(ratios), float("nan")) if ratios else NOTHING

    return score


def electrolyte_metrics(references: dict[str, Portrait]) -> list[Metric]:
    """All scores of the task; pairs of classes are those of the reference."""
    metrics: list[Metric] = []
    for role in ROLES:
        metrics += accuracy(f"log10_d_{role}", f"log10_d_{role}")
        metrics.append(PairMetric(f"d_{role}_ratio", ratio_of(f"d_{role}")))
        metrics += accuracy(f"log10_d_{role}_single_origin", f"log10_d_{role}_single_origin")[:3]
        metrics.append(PairMetric(f"msd400_{role}_ratio", ratio_of(f"msd400_{role}")))
        metrics += accuracy(f"log10_msd400_{role}", f"log10_msd400_{role}")[:3]
    metrics.append(PairMetric("com_diffusion_ratio", ratio_of("d_com")))
    metrics.append(PairMetric("msd400_com_ratio", ratio_of("msd400_com")))
    rdfs, closest = _pairs(references, "rdf"), _pairs(references, "closest")
    coordination = [pair for pair in rdfs if any(f"coordination/{pair}" in r.values for r in references.values())]
    limits = {
        pair: min(float(r.arrays[f"closest/{pair}"][0]) for r in references.values() if f"closest/{pair}" in r.arrays)
        for pair in closest
    }
    metrics.append(PairMetric("rdf_mad", _over_rdfs(rdfs, worst=True)))
    metrics.append(PairMetric("rdf_mad_mean", _over_rdfs(rdfs, worst=False)))
    metrics += [PairMetric(f"rdf_mad:{pair}", _rdf(pair)) for pair in rdfs]
    metrics.append(PairMetric("coordination_mad", _coordination(coordination)))
    metrics += [PairMetric(f"coordination_ratio:{pair}", ratio_of(f"coordination/{pair}")) for pair in coordination]
    metrics.append(PairMetric("cluster_distance", variation_of("clusters")))
    for role in ("polymer", "anion"):
        name = f"contact_relaxation_log10_ratio:li-{role}"
        metrics.append(PairMetric(name, difference_of(f"log10_contact_time_li_{role}")))
    metrics.append(PairMetric("closest_ion_pair", _closest_ion_pair(limits), "smallest"))
    metrics.append(PairMetric("overlaps_per_step", value_of("overlaps_per_step")))
    metrics += bond_metrics()
    metrics.append(PairMetric("conductivity_log10_ratio", difference_of("log10_conductivity")))
    metrics.append(PairMetric("conductivity_collective_log10_ratio", difference_of("log10_conductivity_collective")))
    metrics.append(PairMetric("refinement_calls", value_of("refinement_calls")))
    metrics.append(PairMetric("stability", value_of("stability")))
    return metrics


def _ion_targets(role: str) -> tuple[Target, ...]:
    name = f"log10_d_{role}"
    return (
        at_most(f"{name}_mae", 0.10),
        above(f"{name}_r2", 0.8),
        above(f"{name}_spearman", 0.9),
        better_than(f"{name}_mae"),
    )


DATA = Path("data/spe-450K")
ELECTROLYTE = Task(
    name="electrolyte",
    title="Unseen polymer electrolytes",
    units=UnitSystem.MOLECULAR,
    train=(DATA / "train", DATA / "train-beads"),
    validation=DATA / "validation",
    systems=DATA / "test",
    mapping=MappingSettings(atoms_per_bead=7),
    lag_time=20.0,
    training_length=1000.0,
    equilibration=150.0,
    n_lengths=10.0,
    quick_lengths=3.0,
    replicas=2,
    portray=electrolyte_portrait,
    metrics=electrolyte_metrics,
    quantities=("log10_d_li", "log10_d_anion", "log10_d_polymer", "msd400_li", "log10_conductivity"),
    labels=(
        *(f"log10_d_{role}" for role in ROLES),
        *(f"log10_d_{role}_single_origin" for role in ROLES),
        *(f"log10_msd400_{role}" for role in ROLES),
        "log10_conductivity",
    ),
    headline=(
        "log10_d_li_mae",
        "log10_d_li_r2",
        "log10_d_li_spearman",
        "log10_d_anion_mae",
        "log10_d_polymer_mae",
        "com_diffusion_ratio",
        "rdf_mad",
        "cluster_distance",
        "closest_ion_pair",
        "overlaps_per_step",
        "bond_std_ratio",
        "conductivity_log10_ratio",
        "stability",
    ),
    targets=(
        *_ion_targets("li"),
        *_ion_targets("anion"),
        within("com_diffusion_ratio", 1.0, 0.10, "within 10 % of MD"),
        within("bond_std_ratio", 1.0, 0.10, "within 10 % of MD"),
        at_least("stability", 1.0),
        at_least("closest_ion_pair", 1.0),
        at_most("rdf_mad", 0.05),
        no_more_than_md("overlaps_per_step"),
        at_most("refinement_calls", 10.0),
    ),
)
