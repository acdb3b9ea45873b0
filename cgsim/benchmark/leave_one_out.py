"""Leave one polymer out: with few polymers, each in turn is the unseen one, and the others are learned from.

Where a training for each is too dear, several leave at a time.
"""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from cgsim.benchmark.baselines.regression import Labelled, constant, forest, linear
from cgsim.benchmark.data import BenchmarkData
from cgsim.benchmark.methods.context import Benchmark, atoms_of
from cgsim.benchmark.models import open_models, plan_models, train_models
from cgsim.benchmark.portrait import Portrait
from cgsim.benchmark.rollouts import model_portraits
from cgsim.benchmark.rows import OURS, REFERENCE, Row
from cgsim.benchmark.scoring import Metric, Scored, accuracy, score
from cgsim.config import load_experiment
from cgsim.errors import InputError
from cgsim.models.embedding import atom_types
from cgsim.trajectory import System
from cgsim.trajectory.species import NEUTRAL, molecule_charges

LEFT_OUT = "left-out-"  # before the names of systems, so that their rows stand apart
ROLES = ("li", "anion", "polymer")
MSD = "log10_msd400"
TIME = 1200.0  # ps of the rollouts: after equilibration still more than twice the lag that is compared
LEAST = 2
HYDROGEN = 1
REACH = 2  # bonds


def polymer_key(atoms: System) -> str:
    """What a polymer is: the surroundings of its heavy atoms, two bonds far, that are no chain ends.

    The same for any length of the chains and any amount of salt. Surroundings that occur no more than twice a chain
    count as those of its ends.
    """
    neutral = np.abs(molecule_charges(atoms)) < NEUTRAL
    inside = neutral[atoms.molecule_id]
    labels = atom_types(atoms)
    partners: list[list[int]] = [[] for _ in labels]
    for i, j in atoms.bond_index.T.tolist():
        partners[i].append(j)
        partners[j].append(i)
    for _ in range(REACH):
        labels = [f"{own}({','.join(sorted(labels[j] for j in partners[i]))})" for i, own in enumerate(labels)]
    heavy = np.flatnonzero(inside & (atoms.atomic_numbers != HYDROGEN))
    counts = Counter(labels[i] for i in heavy)
    n_chains = len(np.unique(atoms.molecule_id[heavy]))
    key = sorted(label for label, n in counts.items() if n > 2 * n_chains)
    return " ".join(key or sorted(counts))


def check_learns_anew(config: Path, overrides: list[str]) -> None:
    """Refuse settings by which a model would know the polymers that are to be left out.

    Raises:
        InputError: if training is to go on from a model.
    """
    start = load_experiment(config, overrides).start_from
    if start:
        raise InputError(
            f"{config}: start_from is {start}, which has learned from polymers that are to be left out; "
            "--leave-one-out needs models that are trained from the beginning"
        )


def left_out(data: BenchmarkData, n_turns: int) -> list[list[str]]:
    """Stores that leave in each turn: those of one polymer, or of every ``n_turns``-th.

    Every store of training, validation and the unseen systems takes its turn; stores of the same polymer leave
    together.

    Args:
        data: where the stores are.
        n_turns: so many turns, with as many polymers left out in each as that takes; 0 leaves out one at a time.

    Raises:
        InputError: if there are fewer than two polymers or turns, or fewer polymers than turns.
    """
    stores = data.all_stores
    polymers: dict[str, list[str]] = {}
    for name, system in atoms_of(data, stores).items():
        polymers.setdefault(polymer_key(system), []).append(name)
    n = len(polymers)
    if n < LEAST:
        raise InputError("--leave-one-out: all systems have the same polymer, at least two are needed")
    if n_turns and not LEAST <= n_turns <= n:
        raise InputError(f"--turns {n_turns}: {n} polymers can leave in {LEAST} to {n} turns")
    each = list(polymers.values())
    return [[name for members in each[turn :: n_turns or n] for name in members] for turn in range(n_turns or n)]


def leave_one_out(
    benchmark: Benchmark, turns: list[list[str]], config: Path, overrides: list[str], n_seeds: int
) -> list[Row]:
    """Train on all systems but some, simulate those, and compare the mean squared displacement at 400 ps.

    Args:
        benchmark: the data and what was measured of them.
        turns: what is left out of each training; see :func:`left_out`.
        config: experiment to train.
        overrides: changes to it.
        n_seeds: training seeds.
    """
    data = benchmark.data
    stores = data.all_stores
    atoms = atoms_of(data, stores)
    references = benchmark.measured("left-out-whole", stores, data.read)
    known = benchmark.measured("left-out-short", stores, data.read_short)
    labels = tuple(f"{MSD}_{role}" for role in ROLES)
    answers: dict[str, list[dict[str, Portrait]]] = {}
    for number, members in enumerate(turns):
        others = {name: path for name, path in stores.items() if name not in members}
        asked = {name: atoms[name] for name in members}
        learned = Labelled({n: atoms[n] for n in others}, {n: known[n] for n in others})
        _add(answers, "constant", [constant(learned, members, labels)])
        _add(answers, "composition-linear", [linear(learned, Labelled({}, {}), asked, labels)])
        _add(answers, "composition-forest", [forest(learned, asked, labels, 0)])
        _add(answers, "short-md", [{name: known[name] for name in members}])
        turn = f"{number + 1} of {len(turns)}"
        benchmark.say(f"left out: {', '.join(members)} ({turn})")
        folder = data.folder / "leave-one-out" / turn.replace(" ", "-")
        plans = plan_models(config, overrides, others, {}, n_seeds, (), benchmark.say)
        folders = train_models(plans, folder / "models", benchmark.say)
        unseen = replace(data, systems={name: stores[name] for name in members})
        part = replace(benchmark, data=unseen, references={name: references[name] for name in members})
        for name, seeds in open_models(folders, benchmark.device).items():
            portraits = []
            for k, one in enumerate(seeds):
                runs = folder / "rollouts" / f"seed-{k}"
                make = partial(
                    model_portraits, one.model, part.data, part.references, TIME, k, runs, benchmark.progress
                )
                portraits.append(part.kept(f"left-out-{name}-{folder.name}", k, one.fingerprint, make))
            _add(answers, OURS + name, portraits)
    return _score(benchmark.data.task.name, answers, references, n_seeds)


def _add(answers: dict[str, list[dict[str, Portrait]]], method: str, portraits: list[dict[str, Portrait]]) -> None:
    """Put what a method says of one left-out polymer beside what it said of the others, seed by seed."""
    seeds = answers.setdefault(method, [{} for _ in portraits])
    for seed, found in zip(seeds, portraits, strict=True):
        seed.update(found)


def _score(
    task: str, answers: dict[str, list[dict[str, Portrait]]], references: dict[str, Portrait], n_seeds: int
) -> list[Row]:
    metrics: list[Metric] = [m for role in ROLES for m in accuracy(f"{MSD}_{role}", f"left_out_{MSD}_{role}")]
    quantities = tuple(f"{MSD}_{role}" for role in ROLES)
    rows = []
    for method, predictions in {REFERENCE: [references], **answers}.items():
        ours = method.startswith(OURS)
        scored = Scored(task, method, references, predictions, n_seeds if ours else 0)
        chosen = metrics if method != REFERENCE else []
        rows += [
            row.model_copy(update={"system": LEFT_OUT + row.system} if row.metric in quantities else {})
            for row in score(scored, chosen, quantities)
            if row.metric != "measured_fraction"
        ]
    return rows
