"""The sections of a run on the page: what is shown of it, and what is said where there is nothing."""

from dataclasses import dataclass
from pathlib import Path

from cgsim.beads import BeadStore, open_beads
from cgsim.benchmark.report import curves, overview, tables
from cgsim.benchmark.report import provenance as made
from cgsim.benchmark.report import results as analysis
from cgsim.benchmark.report.collect import RESULTS, Run
from cgsim.benchmark.report.compare import compare, overall, verdict_sentence
from cgsim.benchmark.report.drawing import mapping_panels
from cgsim.benchmark.report.measure import CGSIM, MD, SHORT_MD, Measured, table_rows
from cgsim.benchmark.report.style import Panel
from cgsim.benchmark.report.table import Table
from cgsim.errors import InputError

DOTS = (("dot ours", CGSIM), ("dot short", SHORT_MD))


@dataclass(frozen=True)
class Block:
    """A part of a section, shown in this order: a line of text, panels, a table, preformatted text."""

    text: str = ""
    panels: tuple[Panel, ...] = ()
    table: Table | None = None
    code: str = ""
    legend: tuple[tuple[str, str], ...] = ()  # CSS classes of a swatch, and what it stands for
    is_wide: bool = False
    is_tall: bool = False  # the table scrolls in a box of its own


@dataclass(frozen=True)
class Section:
    """One section of a run; without blocks it says that there is nothing, and why."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    empty: str = "Nothing to show."


def summary(run: Run, measured: list[Measured]) -> Section:
    """Whether all figures agree with the MD, each of them, and all systems against each other."""
    rows = compare(run.table or table_rows(measured))
    blocks = [Block(text=verdict_sentence(rows))]
    panel = overview.deviation_panel(rows)
    if panel is not None:
        blocks.append(Block(panels=(panel,), legend=DOTS, is_wide=True))
    if rows:
        blocks.append(Block(table=tables.figures_table(rows), text=tables.RULE))
    across = overall(rows)
    if across:
        parity = tuple(overview.parity_panels(rows, across))
        blocks.append(
            Block(text="System by system, against the MD (the line is equality):", panels=parity, legend=DOTS)
        )
        blocks.append(Block(table=tables.overall_table(across)))
    return Section("summary", "Summary", tuple(blocks) if rows else (), "No figure to compare: no rollouts and no MD.")


def data(run: Run) -> Section:
    """What the model was trained on, and what the page compares."""
    blocks = []
    if (trained := tables.training_data(run)) is not None:
        n = len(trained.rows)
        text = f"The model was trained on {f'{n} trajectories' if n > 1 else 'one trajectory'}:"
        blocks.append(Block(text=text, table=trained, is_tall=n > 20))
    if (compared := tables.evaluation_data(run)) is not None:
        blocks.append(Block(text="This page compares:", table=compared))
    return Section("data", "Data", tuple(blocks), "Neither a model card nor a trajectory tells what the data were.")


def mapping(run: Run) -> Section:
    """The molecules, coloured by bead."""
    beads = _any_beads(run)
    empty = (
        "No trajectory at hand holds the molecules (rollouts, MD, or the training data where the card says they are)."
    )
    if beads is None:
        return Section("mapping", "Mapping", (), empty)
    panels = mapping_panels(beads)
    drawn = beads.atoms.atomic_numbers.all()
    text = f"Molecules of {beads.store.path.name}, coloured by bead: each bead is one particle of the model."
    if drawn:
        text += " Hydrogens are left out, and bonds are drawn single, because the data do not say their order."
    text += f" Mapping {beads.mapping.hash[: tables.HASH_LENGTH]}."
    wide = tuple(p for p in panels if p.width == 0 or p.width > 400)
    small = tuple(p for p in panels if p not in wide)
    blocks = [Block(text=text), Block(panels=wide, is_wide=True), Block(panels=small)]
    return Section("mapping", "Mapping", tuple(b for b in blocks if b.text or b.panels))


def _any_beads(run: Run) -> BeadStore | None:
    """A store whose molecules can be drawn: a rollout, an MD, or a training trajectory."""
    paths = [path for system in run.systems for path in (*system.rollouts, system.md) if path is not None]
    if run.model is not None:
        patterns = run.model.card.experiment.get("data", {}).get("train", ())
        paths += [base / pattern for pattern in patterns for base in (Path(), run.folder)]
    for path in paths:
        try:
            store = open_beads(path, run.model.card.mapping) if run.model else open_beads(path, tables.ANY_MAPPING)
        except InputError:
            continue
        if run.model is not None or store.is_mapped:
            return store
    return None


def training(run: Run) -> Section:
    """Training curves, and what the model card says of them."""
    panels = tuple(overview.training_panels(run.metrics))
    held_out = any(name.startswith(overview.VALIDATION) for name in run.metrics)
    legend = (("line ours", "training"), ("line held-out", "validation")) if held_out else ()
    blocks = [Block(panels=panels, legend=legend)] if panels else []
    if run.model is not None:
        blocks.insert(0, Block(text=made.training_facts(run)))
    return Section("training", "Training", tuple(blocks), "There are no training curves.")


def sizes(measured: list[Measured]) -> Section:
    """Radii of gyration: their distributions, and how long a molecule remembers its own."""
    sizes, memory = tuple(curves.rg_panels(measured)), tuple(curves.relaxation_panels(measured))
    texts = (
        "Distribution of the radius of gyration of whole molecules, from bead positions in all sources.",
        "Autocorrelation of the radius of gyration: how long a molecule remembers its size. Bands are standard errors; "
        "values with a star come from runs too short, against the relaxation time, for their errors to be trusted.",
    )
    legend = _sources(measured)
    if len(sizes) == 1:
        blocks = [Block(text=" ".join(texts), panels=(*sizes, *memory), legend=legend)]
    else:
        pairs = zip(texts, (sizes, memory), strict=True)
        blocks = [Block(text=text + _cut(found), panels=found, legend=legend) for text, found in pairs if found]
    return Section("rg", "Size of chains", tuple(blocks), "No chains, or no trajectory of them.")


def _sources(measured: list[Measured]) -> tuple[tuple[str, str], ...]:
    """Legend of the sources that at least one system has."""
    styles = {CGSIM: "line ours", MD: "line md", SHORT_MD: "line short"}
    return tuple((style, name) for name, style in styles.items() if any(name in one.results for one in measured))


def structure(measured: list[Measured]) -> Section:
    """Radial distribution functions."""
    panels = tuple(curves.rdf_panels(measured))
    text = (
        "Radial distribution functions of beads, for each pair of bead classes, without pairs inside one molecule. "
        "Bands are standard errors."
    )
    blocks = (Block(text=text + _cut(panels), panels=panels, legend=_sources(measured)),) if panels else ()
    return Section("rdf", "Structure", blocks, "No periodic system, so there is no radial distribution function.")


def motion(measured: list[Measured]) -> Section:
    """Mean squared displacements."""
    panels = tuple(curves.msd_panels(measured))
    text = (
        "Mean squared displacement of beads, averaged over all time origins. Shaded: windows in which the diffusion "
        "coefficient was fitted. Values with a star are apparent ones: the slope there is not 1, or not known to be."
    )
    legend = _sources(measured)
    legend += tuple((style.replace("line", "box"), f"fit window, {name}") for style, name in legend if name != SHORT_MD)
    blocks = (Block(text=text + _cut(panels), panels=panels, legend=legend),) if panels else ()
    return Section("msd", "Motion", blocks, "No trajectory, so there is no displacement.")


def transport(measured: list[Measured]) -> Section:
    """Conductivities and what belongs to them."""
    found, panels = analysis.transport_table(measured), tuple(curves.charge_panels(measured))
    text = (
        "Conductivities, transference numbers and Onsager coefficients with standard errors; values with a star come "
        "with a warning. A collective transference number belongs to a frame of reference."
    )
    drawn = "Mean squared displacement of the charge of all ions, whose slope is the collective conductivity."
    blocks = [Block(text=text, table=found, is_tall=len(found.rows) > 20)] if found else []
    if panels:
        blocks.append(Block(text=drawn + _cut(panels), panels=panels, legend=_sources(measured)))
    empty = "No conductivity: no ions of both signs, no cell, or no temperature (the manifest may give it)."
    return Section("transport", "Charge transport", tuple(blocks), empty)


def results(run: Run) -> Section:
    """The figures of an analysis in the run folder, and all of its curves."""
    found = analysis.results_table(run.results) if run.results else None
    text = f"All figures of {RESULTS} in the run folder, with 95 % confidence intervals."
    blocks = [Block(text=text, table=found, is_tall=len(found.rows) > 20)] if found else []
    blocks += [Block(text=one.text, panels=one.panels) for one in analysis.results_curves(run.results or {})]
    empty = f"The run folder holds no {RESULTS}, as 'cgsim analyze -o' writes it."
    return Section("results", "Analysis", tuple(blocks), empty)


def _cut(panels: tuple[Panel, ...]) -> str:
    most = curves.MOST_PANELS
    return f" The first {most} are shown." if len(panels) == most else ""


def health(rollouts: list[made.Rollout]) -> Section:
    """How the rollouts went."""
    found = tables.health_table(rollouts)
    blocks = (Block(text=tables.health_sentence(rollouts), table=found),) if found else ()
    return Section("health", "Health of rollouts", blocks, "There is no rollout.")


def speed(run: Run, rollouts: list[made.Rollout]) -> Section:
    """Simulated time per day."""
    found = made.speed_table(run, rollouts)
    text = "Simulated time per day of wall time; rollouts of one batch ran side by side on one machine."
    if run.manifest.md_time_per_day is None:
        text += " The run does not say how fast the MD was."
    blocks = (Block(text=text, table=found),) if found else ()
    return Section("speed", "Speed", blocks, "Neither rollouts nor the run say how fast they were.")


def settings(run: Run, rollouts: list[made.Rollout]) -> Section:
    """Settings of the experiment and of the rollouts."""
    found = [("The experiment:", made.model_settings(run)), ("The rollouts:", made.rollout_settings(rollouts))]
    blocks = tuple(Block(text=text, code=code) for text, code in found if code)
    return Section("settings", "Settings", blocks, "No model card and no rollout, so no settings.")


def versions(run: Run) -> Section:
    """Versions of all that took part."""
    return Section("versions", "Versions", (Block(text=made.versions(run)),))


def reproduce(run: Run, rollouts: list[made.Rollout]) -> Section:
    """The commands that make the run again."""
    return Section("reproduce", "How to reproduce", (Block(code=made.commands(run, rollouts)),))
