"""Drawings of a whole run: deviations of all figures, systems against each other, training curves."""

import math

import numpy as np

from cgsim.analysis.lettering import pretty_unit
from cgsim.analysis.plots import log_ticks
from cgsim.benchmark.report.compare import AGREES_WITHIN, ComparedRow, Overall
from cgsim.benchmark.report.style import CGSIM, INK, MD, MUTED, RULE, SHORT_MD, WIDE, Panel, plot
from cgsim.benchmark.report.text import pretty_name
from cgsim.typing import Array

FARTHEST = 6.0  # combined errors; what lies beyond is drawn at the edge
MOST_LINES = 16
TRAIN, VALIDATION = "train/", "validation/"
ROW_INCHES = 0.2


def deviation_panel(rows: tuple[ComparedRow, ...]) -> Panel | None:
    """Deviations from the MD in combined errors: a line for each row of the table, or each figure if rows are many."""
    known = [r for r in rows if math.isfinite(r.cgsim.sigmas) or math.isfinite(r.short_md.sigmas)]
    if not known:
        return None
    single = len(known) <= MOST_LINES
    several = len({r.row.system for r in known}) > 1
    names = {id(r): f"{r.row.system}: {r.row.figure}" if single and several else r.row.figure for r in known}
    names = {key: pretty_name(name) for key, name in names.items()}
    lines = list(dict.fromkeys(names.values()))
    alt = "Deviations of rollouts from MD in units of the combined error: " + ", ".join(
        f"{r.row.figure} of {r.row.system} {r.cgsim.sigmas:+.1f}" for r in known if math.isfinite(r.cgsim.sigmas)
    )
    with plot("", alt, (WIDE[0], 0.55 + ROW_INCHES * len(lines))) as sheet:
        axes = sheet.axes
        axes.axvspan(-AGREES_WITHIN, AGREES_WITHIN, color=RULE, alpha=0.45, linewidth=0)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for row in known:
            at = lines.index(names[id(row)])
            dots = ((row.short_md.sigmas, SHORT_MD, "none", at + 0.14), (row.cgsim.sigmas, CGSIM, CGSIM, at - 0.14))
            for sigmas, color, face, y in dots:
                if math.isfinite(sigmas):
                    x = float(np.clip(sigmas, -FARTHEST, FARTHEST))
                    marker = "o" if x == sigmas else ">" if x > 0 else "<"
                    axes.scatter(x, y, s=20, marker=marker, edgecolors=color, facecolors=face, linewidths=1.1, zorder=3)
        axes.set(xlim=(-FARTHEST - 0.4, FARTHEST + 0.4), ylim=(len(lines) - 0.4, -0.6))
        axes.set_yticks(range(len(lines)), lines)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("deviation from MD (combined standard errors)")
    return sheet.panel


def parity_panels(rows: tuple[ComparedRow, ...], figures: tuple[Overall, ...]) -> list[Panel]:
    """Ours and the short MD's value over the MD's, one dot a system."""
    panels = []
    for one in figures:
        same = [r.row for r in rows if r.row.figure == one.figure and r.row.md is not None]
        unit = pretty_unit(same[0].unit)
        note = f"mean deviation: cgsim {one.cgsim_bias:+.1f}\u00a0%"
        note += f", short MD {one.short_md_bias:+.1f}\u00a0%" if math.isfinite(one.short_md_bias) else ""
        alt = f"{one.figure} from rollouts over that from MD for {one.n_systems} systems; {note}."
        with plot(pretty_name(one.figure), alt, note=note.replace("-", "−")) as sheet:
            axes = sheet.axes
            for row in same:
                for value, error, color, face in (
                    (row.short_md, row.short_md_error, SHORT_MD, "none"),
                    (row.cgsim, row.cgsim_error, CGSIM, CGSIM),
                ):
                    if value is not None and row.md is not None:
                        x, up, along = [row.md], [error or 0.0], [row.md_error or 0.0]
                        axes.errorbar(x, [value], up, along, "none", ecolor=color, elinewidth=0.7, alpha=0.7)
                        axes.scatter(x, [value], s=16, edgecolors=color, facecolors=face, linewidths=1.0, zorder=3)
            low, high = min(axes.get_xlim()[0], axes.get_ylim()[0]), max(axes.get_xlim()[1], axes.get_ylim()[1])
            axes.plot([low, high], [low, high], color=MD, linewidth=0.9, zorder=1)
            axes.set(xlim=(low, high), ylim=(low, high), xlabel=f"MD ({unit})" if unit else "MD", ylabel="estimate")
        panels.append(sheet.panel)
    return panels


def training_panels(metrics: dict[str, tuple[Array, Array]]) -> list[Panel]:
    """Training and validation curves, one panel a quantity."""
    used = [name for name, (_, values) in metrics.items() if values.any()]  # a part of the loss that is off is 0
    names = dict.fromkeys(name.removeprefix(TRAIN).removeprefix(VALIDATION) for name in used)
    panels = []
    for name in names:
        curves = {key: metrics[key] for key in (TRAIN + name, VALIDATION + name, name) if key in metrics}
        last = ", ".join(f"{key.split('/')[0]} {values[-1]:.4g}" for key, (_, values) in curves.items())
        alt = f"{name} during training; last values: {last}."
        with plot(name, alt, note=f"last: {last}") as sheet:
            for key, (steps, values) in curves.items():
                held_out = key.startswith(VALIDATION)
                color, style = (INK, "--") if held_out else (CGSIM, "-")
                marker = "o" if len(steps) == 1 else ""
                sheet.axes.plot(steps, values, color=color, linestyle=style, marker=marker, markersize=3, linewidth=1.3)
            values = np.concatenate([v for _, v in curves.values()])
            if values.min() > 0 and values.max() > 30 * values.min():
                sheet.axes.set_yscale("log")
                log_ticks(sheet.axes.yaxis, sheet.axes.get_ylim())
            sheet.axes.set(xlabel="step")
        panels.append(sheet.panel)
    return panels
