"""How a network is run, never what it computes: in pieces of bounded size, compiled, in which precision."""

import itertools
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from cgsim.typing import Int, Tensor

EDGES_AT_ONCE = {"cpu": 2**14, "cuda": 2**21}  # of CPUs: what their caches hold


class Execution(BaseModel):
    """How the networks of a model are run.

    Attributes:
        compile: fuse the elementwise work around the matrix products with ``torch.compile``, which takes some 20 s
            once. Where it does not work the networks run as they are, with a warning that says why.
        precision: of the matrix products; ``bfloat16`` is faster for wide networks on machines with units for it.
        edges_at_once: edges that are processed at once when no gradient is wanted, which bounds the memory; 0 takes
            what suits the device.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    compile: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    edges_at_once: int = Field(default=0, ge=0)

    def largest_block(self, device: torch.device, *, gradients: bool) -> int:
        """Edges at once on a device; 0 for all, which is what gradients need."""
        return 0 if gradients else self.edges_at_once or EDGES_AT_ONCE.get(device.type, EDGES_AT_ONCE["cuda"])

    def matrix_precision(self, device: torch.device) -> AbstractContextManager[Any]:
        """The context in which matrix products have the wanted precision."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)


class Compiled:
    """A function that is compiled when first asked for; where that fails, the function itself.

    Attributes:
        failure: why the function runs as it is; empty while it does not.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.failure = function, ""
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, execution: Execution, *arguments: Any) -> Any:
        """Call it in the way that is asked for."""
        if not execution.compile or self.failure:
            return self.function(*arguments)
        try:
            if self._compiled is None:
                torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
                self._compiled = torch.compile(self.function, dynamic=True)
            return self._compiled(*arguments)
        # A compiler fails in ways that nobody lists: errors of its own, of code that it wrote, of a missing or old C++
        # compiler or Triton, of a full disk. An error of the function itself comes again when it is called below.
        except Exception as error:
            if isinstance(error, RuntimeError) and is_out_of_memory(error):
                raise
            reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
            self.failure = reason
            warnings.warn(f"networks run without being compiled: {reason}", RuntimeWarning, stacklevel=2)
        return self.function(*arguments)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that a device, or the machine, has no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@dataclass(frozen=True)
class EdgeBlock:
    """All edges that arrive at some consecutive nodes.

    Attributes:
        nodes: the nodes.
        edges: the edges.
        sender: [edges], node that sends.
        receiver: [edges], node that receives, counted from the first of the block.
    """

    nodes: slice
    edges: slice
    sender: Int[Tensor, " edges"]
    receiver: Int[Tensor, " edges"]


def edge_blocks(edge_index: Int[Tensor, "2 edges"], n_nodes: int, largest: int) -> list[EdgeBlock]:
    """Cut a graph into blocks of about ``largest`` edges; a node is never cut, and 0 leaves the graph whole.

    Args:
        edge_index: receivers ascending, unless the graph stays whole.
        n_nodes: number of nodes.
        largest: edges of a block; a block has more only if its first node has.
    """
    sender, receiver = edge_index
    n_edges = edge_index.shape[1]
    if not largest or n_edges <= largest:
        return [EdgeBlock(slice(0, n_nodes), slice(0, n_edges), sender, receiver)]
    n_blocks = -(-n_edges // largest)
    aims = torch.arange(1, n_blocks, device=receiver.device) * n_edges // n_blocks
    inner = torch.unique(receiver[aims])  # the node that an even cut would cut through begins the next block
    borders = torch.cat([inner.new_zeros(1), inner[inner > 0], inner.new_full((1,), n_nodes)])
    places = torch.searchsorted(receiver, borders).tolist()
    nodes = borders.tolist()
    return [
        EdgeBlock(slice(nodes[k], nodes[k + 1]), slice(a, b), sender[a:b], receiver[a:b] - nodes[k])
        for k, (a, b) in enumerate(itertools.pairwise(places))
    ]
