"""Models of a benchmark: those that are named, those that ship, or new ones trained for it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from cgsim.beads import open_beads
from cgsim.benchmark.data import content_hash
from cgsim.checkpoint import CARD, WEIGHTS, TrainedModel, load_model, member_folders
from cgsim.config import load_experiment
from cgsim.errors import InputError
from cgsim.mapping import MappingSettings
from cgsim.train.fit import CHECKPOINT, Plan, fit
from cgsim.train.source import lag_stride

PUBLISHED = "published"  # how the names of models of the published network begin
Say = Callable[[str], None]


@dataclass(frozen=True)
class SeedModel:
    """One trained model, one seed of a method; or an ensemble, which is a method of its own.

    Attributes:
        folder: with weights and card, or with the members of the ensemble.
        model: the model.
    """

    folder: Path
    model: TrainedModel

    @property
    def fingerprint(self) -> str:
        """Identifies weights and cards."""
        files = [folder / name for folder in member_folders(self.folder) for name in (WEIGHTS, CARD)]
        return "".join(content_hash(file) for file in files)


def open_models(folders: list[Path], device: torch.device) -> dict[str, list[SeedModel]]:
    """Models by name; those of one name are seeds of one method.

    Raises:
        InputError: if models differ in mapping or units.
    """
    found: dict[str, list[SeedModel]] = {}
    first: SeedModel | None = None
    for folder in folders:
        one = SeedModel(folder, load_model(folder, device))
        first = first or one
        for what in ("mapping", "units"):
            ours, other = getattr(one.model.card, what), getattr(first.model.card, what)
            if ours != other:
                raise InputError(f"{folder}: differs in {what} from {first.folder}; compare them in runs of their own")
        found.setdefault(one.model.name, []).append(one)
    return found


def plan_models(
    config: Path,
    overrides: list[str],
    train: dict[str, Path] | None,
    validation: dict[str, Path],
    n_seeds: int,
    unseen: Iterable[Path],
    say: Say,
) -> list[Plan]:
    """What it takes to train one model for each seed.

    Args:
        config: experiment; its validation data are replaced by those of the benchmark.
        overrides: changes to its settings, as ``--set`` takes them.
        train: stores to learn from in place of those that the experiment names; None leaves those.
        validation: held-out stores.
        n_seeds: seeds 0, 1, 2 ...
        unseen: stores that must not be learned from.
        say: called with a line if stores cannot be used for validation.

    Raises:
        InputError: if settings cannot be used, or an unseen store is among those to learn from.
    """
    plain = load_experiment(config, overrides)
    held_out = _with_lag(validation, plain.mapping, plain.model.lag_time, say)
    data = [f"data.validation={json.dumps([str(p) for p in held_out])}"]
    if train is not None:
        data.append(f"data.train={json.dumps([str(p) for p in train.values()])}")
    plans = [load_experiment(config, [*data, f"training.seed={k}", *overrides]).plan() for k in range(n_seeds)]
    learned = {source.path.resolve() for plan in plans for source in plan.train}
    for path in unseen:
        if path.resolve() in learned:
            where = f"data.train of {config}" if train is None else "--train"
            raise InputError(f"{path}: is among the unseen systems and in {where}")
    return plans


def train_models(plans: list[Plan], folder: Path, say: Say) -> list[Path]:
    """Train some models; what is there already is kept, what was interrupted goes on.

    Several seeds are an ensemble as well.

    Args:
        plans: those of one experiment, one for each seed.
        folder: gets ``<name>/seed-<k>/``.
        say: called with a line for each.

    Returns:
        Folders of the models, and of their ensemble.
    """
    folders = []
    for seed, plan in enumerate(plans):
        run = folder / plan.name / f"seed-{seed}"
        folders.append(run / "model")
        if (run / "model" / CARD).exists():
            say(f"{run}: trained already")
            continue
        say(f"{run}: training {plan.training.steps} steps on {len(plan.train)} trajectories")
        fit(plan, run, resume=(run / CHECKPOINT).exists())
    if len(plans) > 1 and not plans[0].name.startswith(PUBLISHED):
        folders.append(folder / plans[0].name)
    return folders


def _with_lag(stores: dict[str, Path], mapping: MappingSettings, lag_time: float, say: Say) -> list[Path]:
    """Stores saved often enough for a lag; the loss of the others cannot be followed, which costs the model nothing."""
    found = []
    for path in stores.values():
        try:
            lag_stride(open_beads(path, mapping), lag_time)
        except InputError:
            continue
        found.append(path)
    if len(found) < len(stores):
        say(
            f"{len(stores) - len(found)} validation systems are not saved at the model's lag: no loss is shown for them"
        )
    return found
