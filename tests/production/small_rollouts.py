"""A small periodic system, short runs of it, and what it means that two rollouts are the same."""

from pathlib import Path

import numpy as np
from systems import TRICLINIC

from cgsim.checkpoint import TrainedModel
from cgsim.mapping import MappingSettings
from cgsim.models.network import NetworkSettings
from cgsim.production import ProductionSettings, Progress
from cgsim.trajectory.store import TrajectoryStore

MAPPING = MappingSettings()
NETWORK = NetworkSettings(latent=8, n_steps=1, n_vectors=4, n_radial=4)
CELL = 2.0 * TRICLINIC


def silent(_: Progress) -> None:
    """Report nothing."""


def stop_after(step: int):
    """Ctrl-C after so many steps."""

    def report(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return report


def assert_same_rollout(one: Path, other: Path) -> None:
    a, b = TrajectoryStore(one), TrajectoryStore(other)
    first, second = a.read(), b.read()
    for name in ("wrapped_positions", "image_flags", "cell", "time"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    timings = {"seconds", "time_per_day"}
    verdicts = [{k: v for k, v in s.documents["rollout"].items() if k not in timings} for s in (a, b)]
    verdicts = [{**v, "settings": {k: x for k, x in v["settings"].items() if k != "time"}} for v in verdicts]
    assert verdicts[0] == verdicts[1]


def settings(model: TrainedModel, n_steps: int, **changes) -> ProductionSettings:
    given = {"time": n_steps * model.card.model.lag_time, "sampler": model.card.sampler, **changes}
    return ProductionSettings.model_validate(given)
