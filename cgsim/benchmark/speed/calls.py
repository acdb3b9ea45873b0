"""One call of the dynamics network, however it is run, against the matrix products in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cgsim.benchmark.rows import Row
from cgsim.benchmark.speed.record import speed_row
from cgsim.benchmark.speed.systems import Setting
from cgsim.benchmark.speed.timing import Case, alternate
from cgsim.benchmark.speed.written_plainly import WrittenPlainly
from cgsim.graph import BeadBatch, Graph
from cgsim.models.execution import Execution
from cgsim.models.message_passing import MessagePassingBody
from cgsim.models.model import CoarseGrainedModel
from cgsim.models.network import FeatureSizes, set_execution
from cgsim.simulate.rollout import RolloutState
from cgsim.typing import Float, Tensor

WAYS = {
    "eager float32": Execution(),
    "compiled float32": Execution(compile=True),
    "eager bfloat16": Execution(precision="bfloat16"),
    "compiled bfloat16": Execution(compile=True, precision="bfloat16"),
}
PLAINLY, MATRICES = "written plainly, float32", "matrix products only, "


@dataclass(frozen=True)
class Call:
    """One call of the dynamics network on a fixed configuration, in some way.

    Attributes:
        model: whose network is called.
        batch: the systems.
        state: where their beads are and were.
        execution: how the network is run.
        inputs: what the network is called with.
    """

    model: CoarseGrainedModel
    batch: BeadBatch
    state: RolloutState
    execution: Execution
    inputs: tuple[BeadBatch, Float[Tensor, "beads history 3"], Graph] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare all that is not the call itself."""
        history = self.batch.at_rest(self.state.history(self.model.settings.history_offsets, self.batch))
        graph = self.model.dynamics.graph(self.batch, history)
        object.__setattr__(self, "inputs", (self.batch, history, graph))

    @torch.no_grad()
    def __call__(self) -> None:
        """Call it."""
        set_execution(self.model, self.execution)
        self.model.dynamics(*self.inputs)


def measure_calls(
    setting: Setting, where: tuple[BeadBatch, RolloutState], system: str, rounds: int, ways: dict[str, Execution]
) -> list[Row]:
    """Time of a call in some ways, and of the matrix products in it; for the plain network also written plainly."""
    model, device = setting.model, setting.device
    cases = {name: Call(model, *where, way) for name, way in ways.items()}
    shapes = matrix_products(cases["eager float32"])
    body = model.dynamics.body
    everything: dict[str, Case] = dict(cases)
    for dtype in (torch.float32, torch.bfloat16):
        everything[MATRICES + str(dtype).removeprefix("torch.")] = Products(shapes, dtype, device)
    if isinstance(body, MessagePassingBody):
        everything[PLAINLY] = Call(with_body(setting, WrittenPlainly(sizes_of(model), model.settings.dynamics.network)),
                                   *where, Execution())  # fmt: skip
    times = alternate(everything, rounds, device)
    flop = sum(2.0 * a * b * c for a, b, c in shapes)
    rows = []
    for name in everything:
        rows.append(speed_row(system, name, "time of a call, ms", times[name].times(1e3)))
        rows.append(speed_row(system, name, "GFLOP/s", times.rate(name, 1e-9 * flop)))
    for name in cases:
        rows.append(
            speed_row(system, name, "call / its float32 matrix products", times.ratio(name, MATRICES + "float32"))
        )
        rows.append(speed_row(system, name, "eager float32 call / call", times.ratio("eager float32", name)))
    if PLAINLY in everything:
        rows += [speed_row(system, name, "call written plainly / call", times.ratio(PLAINLY, name)) for name in cases]
    return rows


class Products:
    """The matrix products of a call, on nothing else than matrices."""

    def __init__(self, shapes: list[tuple[int, int, int]], dtype: torch.dtype, device: torch.device) -> None:
        self.operands = [
            (torch.randn(n, a, device=device, dtype=dtype), torch.randn(a, b, device=device, dtype=dtype))
            for n, a, b in shapes
        ]

    def __call__(self) -> None:
        """Multiply."""
        for left, right in self.operands:
            left @ right


class _Products(TorchFunctionMode):
    """Notes the shapes (rows, in, out) of the matrix products of all linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, int, int]] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is nn.functional.linear:
            values, weight = args[:2]
            self.shapes.append((values.numel() // weight.shape[1], weight.shape[1], weight.shape[0]))
        return func(*args, **(kwargs or {}))


def matrix_products(call: Call) -> list[tuple[int, int, int]]:
    """Shapes (rows, in, out) of all matrix products of one call."""
    products = _Products()
    with products:
        call()
    return products.shapes


def sizes_of(model: CoarseGrainedModel) -> FeatureSizes:
    """Inputs of the dynamics network."""
    settings = model.settings
    scalars = settings.embedding.size + len(model.scales.class_names) + 1
    return FeatureSizes(scalars, settings.n_history - 1, 1, 1)


def with_body(setting: Setting, body: nn.Module) -> CoarseGrainedModel:
    """A copy of the model with another body of the dynamics network."""
    model = setting.with_model(setting.model.settings, setting.sampler).model
    model.set_submodule("dynamics.body", body.to(setting.device))
    return model
