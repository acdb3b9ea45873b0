"""All methods by name: each gives portraits of the unseen systems, from whatever it is allowed to know."""

from collections.abc import Callable, Iterator

from cgsim.benchmark.methods import own_md, regressions, simulators
from cgsim.benchmark.methods.context import Benchmark, Predicted, reference_portraits

__all__ = ["METHODS", "Benchmark", "Predicted", "reference_portraits"]

METHODS: dict[str, Callable[[Benchmark], Iterator[Predicted]]] = {
    "cgsim": simulators.ours,
    "md": own_md.md,
    "md-half": own_md.md_half,
    "md-other-start": own_md.md_other_start,
    "short-md": own_md.short_md,
    "short-md-shifted": own_md.short_md_shifted,
    "short-md-power-law": own_md.short_md_power_law,
    "constant": regressions.predict_constant,
    "composition-linear": regressions.predict_linear,
    "composition-forest": regressions.predict_forest,
    "supervised-gnn": regressions.predict_gnn,
    "brownian": simulators.brownian,
    "autoregression": simulators.autoregression,
    "dynamics-only": simulators.dynamics_only,
    "published": simulators.published,
}
