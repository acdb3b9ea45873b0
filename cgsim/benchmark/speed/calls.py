"""One call of the dynamics network, and what it is made of, against the matrix rate of the machine."""

import torch
from torch import nn

from cgsim.benchmark.rows import Row
from cgsim.benchmark.speed.record import speed_row
from cgsim.benchmark.speed.systems import Setting, copies_of
from cgsim.benchmark.speed.timing import alternate
from cgsim.graph import BeadBatch, build_graph
from cgsim.models.model import CoarseGrainedModel
from cgsim.simulate.rollout import RolloutState
from cgsim.typing import Tensor


def matrix_products(model: nn.Module, call: "Call") -> list[tuple[int, int, int]]:
    """Shapes (rows, in, out) of all matrix products of one call, as its linear layers see them."""
    shapes: list[tuple[int, int, int]] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        shapes.append((inputs[0].numel() // layer.in_features, layer.in_features, layer.out_features))

    hooks = [layer.register_forward_hook(record) for layer in model.modules() if isinstance(layer, nn.Linear)]
    call()
    for hook in hooks:
        hook.remove()
    return shapes


class Call:
    """One call of the dynamics network on a fixed configuration."""

    def __init__(self, model: CoarseGrainedModel, batch: BeadBatch, state: RolloutState) -> None:
        self.model, self.batch = model, batch
        self.history = batch.at_rest(state.history(model.settings.history_offsets, batch))
        self.graph = build_graph(self.history[:, -1], batch, model.settings.dynamics.cutoff)

    @torch.no_grad()
    def __call__(self) -> None:
        """Call it."""
        self.model.dynamics(self.batch, self.history, self.graph)


def measure_calls(setting: Setting, system: str, n_copies: int, rounds: int) -> list[Row]:
    """Time of a call, and of the matrix products in it."""
    call = Call(setting.model, *copies_of(setting, n_copies))
    shapes = matrix_products(setting.model.dynamics, call)
    operands = [
        (torch.randn(rows, n_in, device=setting.device), torch.randn(n_in, n_out, device=setting.device))
        for rows, n_in, n_out in shapes
    ]
    times = alternate({"call": call, "matrices": lambda: [a @ b for a, b in operands]}, rounds, setting.device)
    flop = sum(2.0 * a * b * c for a, b, c in shapes)
    return [
        speed_row(system, "eager float32", "network call, ms", times["call"].times(1e3)),
        speed_row(system, "matrix products", "time, ms", times["matrices"].times(1e3)),
        speed_row(system, "eager float32", "GFLOP/s", 1e-9 * flop / times["call"].value),
    ]
