"""What the steps of a run showed, added to what is known of its rollouts."""

from dataclasses import replace

from cgsim.production.segments import RunState, Verdict
from cgsim.simulate.stability import Finding, HealthMonitor


def count(run: RunState, monitor: HealthMonitor, n_guarded: list[int]) -> RunState:
    """Add what one step showed to the counts of the rollouts that took it."""
    verdicts, in_a_row = list(run.verdicts), list(run.in_a_row)
    for position, number in enumerate(run.alive):
        found, v = monitor.in_a_row[position], verdicts[number]
        in_a_row[number] = dict(found)
        verdicts[number] = replace(
            v,
            overlap_steps=v.overlap_steps + (found["overlap"] > 0),
            torn_bond_steps=v.torn_bond_steps + (found["torn bond"] > 0),
            guarded_beads=v.guarded_beads + (n_guarded[position] if n_guarded else 0),
        )
    return replace(run, verdicts=tuple(verdicts), in_a_row=tuple(in_a_row))


def judge(run: RunState, broken: dict[int, Finding]) -> tuple[Verdict, ...]:
    """Verdicts, with those of the systems that have to stop; they are named by their place in the batch."""
    verdicts = list(run.verdicts)
    for position, finding in broken.items():
        number = run.alive[position]
        verdicts[number] = replace(verdicts[number], verdict=finding.kind, message=finding.message)
    return tuple(verdicts)
