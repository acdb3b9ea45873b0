"""What denormal numbers cost in the radial basis: python docs/evidence/radial_basis.py."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from cgsim.models import equivariant
from cgsim.models.equivariant import RadialBasis

EDGES, N_RADIAL, RANGE = 4000, 24, 12.0
UNBOUND = -1e9


def milliseconds(work: Callable[[], object], rounds: int = 30) -> float:
    """Median CPU time."""
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return 1e3 * float(np.median(seconds))


def main() -> None:
    """The basis of the edges of the shipped electrolyte network and the layer after it, forwards and with gradients."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    basis, layer = RadialBasis(N_RADIAL, RANGE), nn.Linear(N_RADIAL + 1, 64)
    lengths = 4.0 * torch.rand(EDGES)  # up to the cutoff of chains; the range is that of ions
    leaf = lengths.clone().requires_grad_()

    def forwards() -> torch.Tensor:
        with torch.no_grad():
            result: torch.Tensor = layer(basis(lengths))
        return result

    def with_gradients() -> None:
        torch.autograd.backward(layer(basis(leaf)).square().sum())

    bound = equivariant.SMALLEST_EXPONENT
    print("| smallest exponent | forwards, ms | with gradients, ms |\n|---|---|---|")
    results = []
    for exponent in (UNBOUND, bound):
        equivariant.SMALLEST_EXPONENT = exponent
        results.append(forwards())
        print(f"| {exponent:g} | {milliseconds(forwards):.2f} | {milliseconds(with_gradients):.2f} |")
    print(f"largest difference of the results: {(results[0] - results[1]).abs().max():.1e}")


if __name__ == "__main__":
    main()
