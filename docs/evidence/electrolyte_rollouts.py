"""How rollouts of a model and its sampler compare with the MD of polymers it has learned from; no test system is read.

    python docs/evidence/electrolyte_rollouts.py electrolyte
    python docs/evidence/electrolyte_rollouts.py runs/a/model --sampler start=1.2 --sampler start=2.5 n_levels=7

Prints for each choice of the sampler the mean over the systems, and after each +- its standard error from their
scatter: mean squared displacement over 32, 128 and 256 ps relative to MD (geometric mean), of each class of beads and
of the chains as wholes; mean and spread of bead bonds, and how far the mean length of each bond by itself is from its
own in MD (root mean square, Å); for each pair of classes the mean absolute difference of g(r) up
to 10 Å, and in brackets what it is between the halves of the MD; decimal logarithm of how long contacts of lithium last
relative to MD; beads the guard had to move, a step; CPU time. Such MD is 0.5 to 1 ns long, so each system alone says
little.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from one_step import curves

from cgsim.beads import open_beads
from cgsim.benchmark.electrolyte.portrait import electrolyte_portrait
from cgsim.checkpoint import TrainedModel, find_model, load_model
from cgsim.config import override_sampler
from cgsim.observables.dynamics import centre_of_mass, remove_drift
from cgsim.observables.structure import centres_of_mass
from cgsim.production import ProductionSettings, simulate
from cgsim.simulate.sampler import SamplerSettings
from cgsim.trajectory import Trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.typing import Array

LAGS = (32.0, 128.0, 256.0)  # ps
LEFT_OUT = 0.25  # of a rollout, in which it finds what it holds for equilibrium
STRUCTURE_EVERY = 16.0  # ps
CONTACTS_EVERY = 64.0  # ps, unless the lag is longer: model and MD are seen alike, and models of any lag up to that
DATA = Path(__file__).parents[2] / "data" / "spe-450K" / "train"


def motion(beads: Trajectory, lags: list[float]) -> Array:
    """Mean squared displacements, [lags, classes and chains]."""
    system, interval = beads.system, float(np.median(np.diff(beads.time)))
    positions = beads.unwrapped_positions
    positions = remove_drift(positions, centre_of_mass(positions, system.masses))
    chains = np.isin(system.molecule_id, system.molecule_id[system.bond_index[0]])
    masses, molecules = system.masses[chains], system.molecule_id[chains]
    rows = []
    for lag in lags:
        frames = round(lag / interval)
        moved = positions[frames:] - positions[:-frames]
        squares = np.square(moved).sum(axis=-1).mean(axis=0)
        centres = centres_of_mass(moved[:, chains], masses, molecules)
        kinds = [squares[system.particle_type == k].mean() for k in range(len(system.type_names))]
        rows.append([*kinds, np.square(centres).sum(axis=-1).mean()])
    return np.array(rows)


def bonds(beads: Trajectory) -> Array:
    """Lengths of bead bonds, [frames, bonds]."""
    i, j = beads.system.bond_index
    return np.linalg.norm(beads.unwrapped_positions[:, i] - beads.unwrapped_positions[:, j], axis=-1)


def apart(lengths: Array, others: Array) -> float:
    """Root mean square difference of the mean length of each bond."""
    return float(np.sqrt(np.square(lengths.mean(axis=0) - others.mean(axis=0)).mean()))


def structure(beads: Trajectory) -> dict[str, Array]:
    """g(r) of every pair of classes."""
    every = max(1, round(STRUCTURE_EVERY / float(np.median(np.diff(beads.time)))))
    return curves(beads[:1], beads.unwrapped_positions[::every])


def contacts(md: Trajectory, ours: Trajectory, lag_time: float) -> list[float]:
    """Decimal logarithm of the relaxation time of contacts of Li with polymer and anion over that of MD."""
    reference = electrolyte_portrait(md, lag_time, None)
    found = electrolyte_portrait(ours, lag_time, reference)
    names = [f"log10_contact_time_li_{role}" for role in ("polymer", "anion")]
    return [found.value(name).value - reference.value(name).value for name in names]


def mean_text(values: Array) -> str:
    """Mean over the systems with its standard error."""
    return f"{values.mean():.3f} +- {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def compare(
    model: TrainedModel,
    stores: list[Path],
    sampler: SamplerSettings,
    length: float,
    seed: int,
    contacts_every: float = CONTACTS_EVERY,
) -> None:
    """Simulate all systems side by side and print how they compare with their MD."""
    settings = ProductionSettings(time=length, sampler=sampler, seed=seed)
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        results = simulate(model, stores, Path(folder) / "out.h5", settings, resume=False, report=lambda _: None)
        rollouts = [TrajectoryStore(result.path).read() for result in results]
    seconds = time.process_time() - begun
    lags = [lag for lag in LAGS if lag >= model.card.model.lag_time]
    moved, lengths, rdfs, noise, names, kept = [], [], [], [], [], []
    each = []
    for path, rollout in zip(stores, rollouts, strict=True):
        md, ours = open_beads(path, model.card.mapping).read(), rollout[round(LEFT_OUT * rollout.n_frames) :]
        names = [*md.system.type_names, "chains"]
        moved.append(motion(ours, lags) / motion(md, lags))
        mine, theirs = bonds(ours), bonds(md)
        lengths.append((mine.mean() / theirs.mean(), mine.std() / theirs.std()))
        kept.append(contacts(md, ours, max(contacts_every, model.card.model.lag_time)))
        half = md.n_frames // 2
        each.append((apart(mine, theirs), apart(theirs[:half], theirs[half:])))
        reference, first, second, found = (structure(beads) for beads in (md, md[:half], md[half:], ours))
        rdfs.append({pair: abs(found[pair] - g).mean() for pair, g in reference.items()})
        noise.append({pair: abs(first[pair] - second[pair]).mean() for pair in reference})
    logs, sizes = np.log(moved), np.array(lengths)
    for k, lag in enumerate(lags):
        cells = [
            f"{name} {np.exp(logs[:, k, c].mean()):.2f} +- {logs[:, k, c].std(ddof=1) / np.sqrt(len(logs)):.2f}"
            for c, name in enumerate(names)
        ]
        print(f"  moved in {lag:.0f} ps: {', '.join(cells)}")
    single = np.array(each)
    print(
        f"  bonds {mean_text(sizes[:, 0])}, spread {mean_text(sizes[:, 1])}, "
        f"each {mean_text(single[:, 0])} ({single[:, 1].mean():.3f})"
    )
    pairs = {pair: mean_text(np.array([row[pair] for row in rdfs])) for pair in rdfs[0]}
    print("  g(r) " + ", ".join(f"{p} {text} ({np.mean([row[p] for row in noise]):.3f})" for p, text in pairs.items()))
    last = np.array(kept).T
    print(
        "  contacts "
        + ", ".join(f"Li-{p} {mean_text(x[~np.isnan(x)])}" for p, x in zip(("polymer", "TFSI"), last, strict=True))
    )
    steps = sum(rollout.n_frames - 1 for rollout in rollouts)
    guarded = sum(result.verdict.guarded_beads for result in results)
    verdicts = {result.verdict.verdict for result in results}
    print(f"  guarded {guarded / steps:.3f} a step, {', '.join(sorted(verdicts))}; {seconds:.0f} s", flush=True)


def main() -> None:
    """Compare the choices one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("stores", nargs="*", type=Path, help="MD; by default all of data/spe-450K/train")
    parser.add_argument("--time", type=float, default=2048.0, help="of each rollout, in ps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--contacts-every", type=float, default=CONTACTS_EVERY, help="in ps; no less than the lag")
    parser.add_argument("--sampler", nargs="*", action="append", metavar="KEY=VALUE")
    given = parser.parse_args()
    model = load_model(find_model(given.model), torch.device("cpu"))
    for changes in given.sampler or [[]]:
        sampler = override_sampler(model.card.sampler, changes)
        print(f"{' '.join(changes) or 'as it is'}: {sampler.n_calls} calls")
        stores = given.stores or sorted(DATA.glob("*.h5"))
        compare(model, stores, sampler, given.time, given.seed, given.contacts_every)


if __name__ == "__main__":
    main()
