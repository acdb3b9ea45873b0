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
from cgsim.train.fit import CHECKPOINT, fit
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


def train_models(
    config: Path,
    overrides: list[str],
    train: dict[str, Path] | None,
    validation: dict[str, Path],
    n_seeds: int,
    folder: Path,
    say: Say,
    unseen: Iterable[Path] = (),
) -> list[Path]:
    """Train one model for each seed; what is there already is kept, what was interrupted goes on.

    Several seeds are an ensemble as well.

    Args:
        config: experiment; its validation data are replaced by those of the benchmark.
        overrides: changes to its settings, as ``--set`` takes them.
        train: stores to learn from in place of those that the experiment names; None leaves those.
        validation: held-out stores.
        n_seeds: seeds 0, 1, 2 ...
        folder: gets ``<name>/seed-<k>/``.
        say: called with a line for each.
        unseen: stores that must not be learned from.

    Returns:
        Folders of the models, and of their ensemble.

    Raises:
        InputError: before any training, if an unseen store is among those to learn from.
    """
    plain = load_experiment(config, overrides)
    held_out = _with_lag(validation, plain.mapping, plain.model.lag_time, say)
    data = [f"data.validation={json.dumps([str(p) for p in held_out])}"]
    if train is not None:
        data.append(f"data.train={json.dumps([str(p) for p in train.values()])}")
    plans = [load_experiment(config, [*data, f"training.seed={k}", *overrides]).plan() for k in range(n_seeds)]
    learned = {source.path.resolve() for source in plans[0].train}
    for path in unseen:
        if path.resolve() in learned:
            raise InputError(f"{path}: is among the unseen systems and in data.train of {config}")
    folders = []
    for seed, plan in enumerate(plans):
        run = folder / plan.name / f"seed-{seed}"
        folders.append(run / "model")
        if (run / "model" / CARD).exists():
            say(f"{run}: trained already")
            continue
        say(f"{run}: training {plan.training.steps} steps on {len(plan.train)} trajectories")
        fit(plan, run, resume=(run / CHECKPOINT).exists())
    if n_seeds > 1 and not plain.name.startswith(PUBLISHED):
        folders.append(folder / plain.name)
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
