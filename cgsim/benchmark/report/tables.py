"""Tables of the page, as plain strings: figures, data, health."""

import numpy as np

from cgsim.analysis.lettering import common_exponent, power_of_ten, pretty_unit
from cgsim.benchmark.report.collect import Run
from cgsim.benchmark.report.compare import AGREES_WITHIN, CLOSE, ComparedRow, Overall, Verdict
from cgsim.benchmark.report.measure import CGSIM, MD, SHORT_MD
from cgsim.benchmark.report.provenance import Rollout
from cgsim.benchmark.report.table import Cell, Table, table
from cgsim.benchmark.report.text import (
    DASH,
    pretty_change,
    pretty_name,
    pretty_value,
    some,
)
from cgsim.mapping import MappingSettings
from cgsim.production.segments import HEALTHY
from cgsim.trajectory.species import molecule_species
from cgsim.trajectory.store import TrajectoryStore
from cgsim.units import format_time

HASH_LENGTH = 12
ANY_MAPPING = MappingSettings()
RULE = (
    f"Deviations are from the MD; errors are those of both, combined. Agrees: within {AGREES_WITHIN:g} errors; close: "
    f"beyond, but by no more than {CLOSE:g} %; off: two to three errors; poor: more; not resolved: within two, but the "
    "combined error is more than half the value, so that this says little. By chance alone one of twenty is beyond two."
)


def figures_table(rows: tuple[ComparedRow, ...]) -> Table:
    """Figures of rollouts, MD and short MD with errors and deviations, and footnotes."""
    notes = list(dict.fromkeys(r.row.note for r in rows if r.row.note))
    several = len({r.row.system for r in rows}) > 1
    order = list(dict.fromkeys(r.row.figure for r in rows))
    lines, named = [], set[str]()
    for r in sorted(rows, key=lambda r: order.index(r.row.figure)):
        row = r.row
        mark = str(notes.index(row.note) + 1) if row.note else ""
        shift = common_exponent(max(abs(row.md or 0.0), abs(row.cgsim or 0.0), row.cgsim_error or 0.0))
        unit = pretty_unit(row.unit)
        lines.append(
            (
                Cell(pretty_name(row.figure), "name" if row.figure not in named else "name quiet", mark),
                *((Cell(row.system, "unit"),) if several else ()),
                Cell(f"{power_of_ten(shift)} {unit}" if shift else unit, "unit"),
                Cell(pretty_value(row.cgsim, row.cgsim_error, shift), "number ours"),
                Cell(pretty_value(row.md, row.md_error, shift), "number"),
                Cell(_percent(r.cgsim.percent), "number"),
                Cell(pretty_change(r.cgsim.sigmas, "σ"), "number"),
                Cell(r.cgsim.verdict.value or DASH, f"verdict {_style(r.cgsim.verdict)}"),
                Cell(pretty_value(row.short_md, row.short_md_error, shift), "number quiet"),
                Cell(pretty_change(r.short_md.sigmas, "σ"), f"number quiet {_style(r.short_md.verdict)}"),
            )
        )
        named.add(row.figure)
    names: tuple[str, ...] = ("Unit", "cgsim", "MD", "Deviation", "in errors", "Verdict", "Short MD", "in errors")
    head = ("Figure", *(("System",) if several else ()), *names)
    return Table(head, tuple(lines), tuple(notes))


def _percent(value: float) -> str:
    return pretty_change(value, "%", 0 if abs(value) >= 10 else 1)


def _style(verdict: Verdict) -> str:
    return {Verdict.POOR: "poor", Verdict.OFF: "off", Verdict.UNRESOLVED: "unresolved"}.get(verdict, "")


def training_data(run: Run) -> Table | None:
    """The trajectories that the model was trained on, from its card."""
    if run.model is None:
        return None
    card = run.model.card
    rows = [
        [
            system.file,
            format_time(system.length, card.units),
            str(system.n_beads),
            system.data_hash[:HASH_LENGTH],
            system.mapping_hash[:HASH_LENGTH],
        ]
        for system in card.training_systems
    ]
    return table(["Training trajectory", "Length>", "Beads>", "Data hash", "Mapping hash"], rows)


def evaluation_data(run: Run) -> Table | None:
    """The stores that this page compares; systems whose stores are alike share a row."""
    groups: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for source in (MD, SHORT_MD, CGSIM):
        for system in run.systems:
            files = {MD: (system.md,), SHORT_MD: (system.short_md,), CGSIM: system.rollouts}[source]
            for path in files:
                if path is not None:
                    end = run.manifest.short_md_end if source == SHORT_MD else float("inf")
                    key = (source, *_store_cells(TrajectoryStore(path), end))
                    groups.setdefault(key, []).append((system.name, path.name))
    rows = []
    for (source, *cells), members in groups.items():
        systems, names = (list(dict.fromkeys(column)) for column in zip(*members, strict=True))
        rows.append([source, some(systems), *cells, some(names)])
    head = ["Source", "System", "Length>", "Frames>", "Every>", "Particles>", "Molecules", "File"]
    return table(head, rows) if rows else None


def _store_cells(store: TrajectoryStore, end: float) -> list[str]:
    units = store.system.units
    time = store.time - store.time[0]
    time = time[time <= end * (1 + 1e-9)]
    every = format_time(float(f"{time[-1] / (len(time) - 1):.5g}"), units) if len(time) > 1 else DASH
    names, of_molecule = molecule_species(store.system)
    counts = np.bincount(of_molecule, minlength=len(names))
    molecules = ", ".join(f"{n} {name}" for n, name in zip(counts, names, strict=True))
    length = format_time(float(f"{time[-1]:.5g}"), units)
    return [length, f"{len(time)}", every, f"{store.system.n_particles}", molecules]


def health_table(rollouts: list[Rollout]) -> Table | None:
    """Verdict of every rollout, and what was tolerated on the way."""
    happened = any(one.document.get("message") for one in rollouts)
    is_guarded = any(one.document.get("guarded_beads") for one in rollouts)
    lines = []
    for one in rollouts:
        document = one.document
        steps = max(1, one.n_frames - 1)
        verdict = str(document.get("verdict", "unknown"))
        wanted = document.get("settings", {}).get("time")
        is_short = wanted is not None and one.length < 0.999 * float(wanted)
        of_wanted = f" of {format_time(float(wanted), one.units)}" if is_short else ""
        guarded = Cell(_per_step(document.get("guarded_beads"), steps), "number")
        lines.append(
            (
                Cell(one.system),
                Cell(one.path.name, "unit"),
                Cell(f"{format_time(one.length, one.units)}{of_wanted}", "number"),
                Cell(verdict, "verdict" + ("" if verdict == HEALTHY else " poor")),
                Cell(_share(document.get("overlap_steps"), steps), "number"),
                Cell(_share(document.get("torn_bond_steps"), steps), "number"),
                *((guarded,) if is_guarded else ()),
                *((Cell(str(document.get("message", ""))),) if happened else ()),
            )
        )
    more = (*(("Guarded",) if is_guarded else ()), *(("What happened",) if happened else ()))
    head = ("System", "Rollout", "Length", "Verdict", "Overlap", "Torn bonds", *more)
    return Table(head, tuple(lines)) if lines else None


def _share(count: int | None, steps: int) -> str:
    return DASH if count is None else f"{count} of {steps} steps"


def _per_step(count: int | None, steps: int) -> str:
    return DASH if count is None else f"{count / steps:.2g} beads a step"


def health_sentence(rollouts: list[Rollout]) -> str:
    """How many rollouts ended well."""
    well = sum(r.document.get("verdict") == HEALTHY for r in rollouts)
    if not rollouts:
        return "There is no rollout."
    if well == len(rollouts):
        return "Every rollout reached its end." if well > 1 else "The rollout reached its end."
    return f"{len(rollouts) - well} of {len(rollouts)} rollouts broke and were stopped; figures use what came before."


def overall_table(across: tuple[Overall, ...]) -> Table:
    """Mean deviations over systems, ours and the short MD's."""
    rows = [
        [
            pretty_name(a.figure),
            str(a.n_systems),
            *map(_percent, (a.cgsim_bias, a.short_md_bias)),
            *map(_size, (a.cgsim_error, a.short_md_error)),
        ]
        for a in across
    ]
    head = ["Over systems", "Systems>", "Mean, cgsim>", "short MD>", "Mean size, cgsim>", "short MD>"]
    return table(head, rows)


def _size(value: float) -> str:
    return _percent(value).removeprefix("+")
