"""What a production run is asked for, and where it stands."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from cgsim.models.execution import Execution
from cgsim.simulate.sampler import SamplerSettings
from cgsim.simulate.stability import HealthSettings


class ProductionSettings(BaseModel):
    """A production run.

    Attributes:
        time: how long to simulate, unit of time of the model.
        replicas: independent rollouts of each start.
        seed: of all random numbers.
        begin: time of the frame to start from, counted from the first frame of the start; the last frame if infinite.
        sampler: how draws are refined.
        health: when to stop.
        execution: how the networks are run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    time: PositiveFloat
    replicas: int = Field(default=1, ge=1)
    seed: int = 0
    begin: float = float("inf")
    sampler: SamplerSettings
    health: HealthSettings = HealthSettings()
    execution: Execution = Execution()


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: steps done.
        n_steps: steps wanted.
        n_alive: rollouts still running.
        time_per_day: simulated time of one rollout per day of wall time, unit of time of the model.
    """

    step: int
    n_steps: int
    n_alive: int
    time_per_day: float
