"""The tables of a benchmark as markdown: methods against metrics, targets met and missed, systems one by one."""

from cgsim.benchmark.demo.table import with_error
from cgsim.benchmark.rows import OURS, REFERENCE, Row, Rows
from cgsim.benchmark.targets import Target, baselines
from cgsim.benchmark.task import Task

ERRORS = (
    "Errors are standard errors. Over all systems they come from a bootstrap that draws systems and training seeds; "
    "with fewer than five systems the measured values are drawn from their own errors instead of the systems. Of one "
    "system they are those of its rollouts and of its reference together with the scatter over seeds."
)


NEGLIGIBLE = 1e-9  # an error this small comes from rounding


def markdown(task: Task, rows: list[Row], heading: list[str]) -> str:
    """All tables of a task.

    Args:
        task: the task.
        rows: all rows.
        heading: lines that say what was measured, on what, by which command.
    """
    found = Rows(rows)
    parts = [f"# {task.title}", *heading, ERRORS]
    parts += ["## Over all unseen systems", _headline(task, found)]
    for method in found.methods:
        if method.startswith(OURS):
            parts += [f"## Targets, {method}", _targets(task.targets, found, method)]
    parts += ["## Every metric", _everything(task, found)]
    parts += ["## System by system", _systems(task, found)]
    return "\n\n".join(parts) + "\n"


def _headline(task: Task, rows: Rows) -> str:
    present = [m for m in task.headline if any(rows.find(method, m) for method in rows.methods)]
    lines = []
    for method in rows.methods:
        cells = [_number(rows.find(method, metric)) for metric in present]
        if any(cell != "-" for cell in cells):
            seeds = max((r.n_seeds for r in rows.rows if r.method == method), default=0)
            measured = rows.find(method, "measured_fraction")
            share = measured.value if measured is not None and measured.value is not None else 1.0
            name = method if share == 1.0 else f"{method} ({share:.0%} of the systems)"
            lines.append([name, str(seeds) if seeds else "", *cells])
    return _table(["method", "seeds", *present], lines)


def _targets(targets: tuple[Target, ...], rows: Rows, method: str) -> str:
    words = {True: "met", False: "**not met**", None: "not known"}
    lines = []
    for target in targets:
        verdict = words[target.check(rows, method)]
        lines.append([target.metric, _number(rows.find(method, target.metric)), target.sentence, verdict])
    return _table(["metric", "value", "target", ""], lines)


def _everything(task: Task, rows: Rows) -> str:
    """One line a metric that the first table leaves out, one column a method that has it."""
    metrics = [m for m in rows.metrics() if m not in task.headline]
    methods = [m for m in rows.methods if m != REFERENCE and any(rows.find(m, metric) for metric in metrics)]
    lines = [[metric, *(_number(rows.find(m, metric)) for m in methods)] for metric in metrics]
    return _table(["metric", *methods], [line for line in lines if set(line[1:]) != {"-"}])


def _systems(task: Task, rows: Rows) -> str:
    """The quantities themselves: MD and our methods side by side, with the best known baseline left to the JSON."""
    others = [m for m in ("short-md", *baselines(rows)) if m in rows.methods]
    methods = [REFERENCE, *(m for m in rows.methods if m.startswith(OURS)), *others[:1]]
    lines = []
    for quantity in task.quantities:
        for system in rows.systems:
            cells = [_number(rows.find(m, quantity, system)) for m in methods]
            if set(cells) != {"-"}:
                lines.append([quantity, system, *cells])
    return _table(["quantity", "system", *methods], lines)


def _table(head: list[str], lines: list[list[str]]) -> str:
    text = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in text)


def _number(row: Row | None) -> str:
    if row is None or row.value is None:
        return "-"
    error = row.standard_error
    if error is not None and error < NEGLIGIBLE * max(1.0, abs(row.value)):
        error = None
    return with_error(row.value, error)
