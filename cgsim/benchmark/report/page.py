"""The page: one self-contained HTML file made of what each run holds."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup

from cgsim import __version__
from cgsim.beads import BeadStore, open_beads
from cgsim.benchmark.report import curves, overview, results, tables
from cgsim.benchmark.report import provenance as made
from cgsim.benchmark.report.collect import Run, read_run
from cgsim.benchmark.report.compare import compare, overall, verdict_sentence
from cgsim.benchmark.report.drawing import mapping_panels
from cgsim.benchmark.report.measure import CGSIM, MD, SHORT_MD, Measured, measure, table_rows
from cgsim.benchmark.report.style import DARK, LIGHT, Panel
from cgsim.benchmark.report.table import Table
from cgsim.benchmark.report.text import join
from cgsim.errors import InputError
from cgsim.trajectory.writer import disk_errors

Progress = Callable[[str, float], None]
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


@dataclass(frozen=True)
class Article:
    """A run as the page shows it."""

    key: str
    title: str
    lead: str
    verdict: str
    missing: tuple[str, ...]
    sections: tuple[Section, ...] = field(default_factory=tuple)


def write_report(folders: list[Path], output: Path, progress: Progress = lambda _text, _fraction: None) -> None:
    """Write one self-contained HTML page about some runs.

    Args:
        folders: run folders; each becomes a part of the page.
        output: file to write, all or nothing.
        progress: called with what is being done and the fraction done.

    Raises:
        InputError: before any work, if a folder holds nothing to report on, a manifest cannot be read, or the output
            cannot be written.
    """
    if not output.parent.is_dir():
        raise InputError(f"{output}: the directory {output.parent} does not exist")
    runs = [read_run(folder) for folder in folders]
    articles = []
    for k, run in enumerate(runs):

        def report(text: str, part: float, k: int = k) -> None:
            progress(text, (k + part) / len(runs))

        articles.append(_article(f"run{k + 1}", run, report))
    page = _render(articles)
    partial = output.with_name(f".{output.name}.partial")
    with disk_errors(output):
        try:
            partial.write_text(page, encoding="utf-8")
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)


def _article(key: str, run: Run, progress: Progress) -> Article:
    measured = []
    for k, system in enumerate(run.systems):
        progress(f"analysing {system.name}", 0.8 * k / len(run.systems))
        measured.append(measure(system, run))
    progress("drawing", 0.8)
    rollouts = made.rollouts_of(run)
    missing = (*run.missing, *(problem for one in measured for problem in one.problems))
    sections = (
        _summary(run, measured),
        _data(run),
        _mapping(run),
        _training(run),
        _sizes(measured),
        _structure(measured),
        _motion(measured),
        _transport(measured),
        _results(run),
        _health(rollouts),
        _speed(run, rollouts),
        _settings(run, rollouts),
        _versions(run),
        _reproduce(run, rollouts),
    )
    task = f"{run.manifest.task}. " if run.manifest.task else ""
    lead = f"{task.capitalize()}Run folder {run.folder}." + (f" Model {run.model.card.name}." if run.model else "")
    return Article(key, run.title, lead, sections[0].blocks[0].text if sections[0].blocks else "", missing, sections)


def _summary(run: Run, measured: list[Measured]) -> Section:
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


def _data(run: Run) -> Section:
    blocks = []
    if (trained := tables.training_data(run)) is not None:
        n = len(trained.rows)
        text = f"The model was trained on {f'{n} trajectories' if n > 1 else 'one trajectory'}:"
        blocks.append(Block(text=text, table=trained, is_tall=n > 20))
    if (compared := tables.evaluation_data(run)) is not None:
        blocks.append(Block(text="This page compares:", table=compared))
    return Section("data", "Data", tuple(blocks), "Neither a model card nor a trajectory tells what the data were.")


def _mapping(run: Run) -> Section:
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


def _training(run: Run) -> Section:
    panels = tuple(overview.training_panels(run.metrics))
    held_out = any(name.startswith(overview.VALIDATION) for name in run.metrics)
    legend = (("line ours", "training"), ("line held-out", "validation")) if held_out else ()
    blocks = [Block(panels=panels, legend=legend)] if panels else []
    if run.model is not None:
        blocks.insert(0, Block(text=made.training_facts(run)))
    return Section("training", "Training", tuple(blocks), "There are no training curves.")


def _sizes(measured: list[Measured]) -> Section:
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


def _structure(measured: list[Measured]) -> Section:
    panels = tuple(curves.rdf_panels(measured))
    text = (
        "Radial distribution functions of beads, for each pair of bead classes, without pairs inside one molecule. "
        "Bands are standard errors."
    )
    blocks = (Block(text=text + _cut(panels), panels=panels, legend=_sources(measured)),) if panels else ()
    return Section("rdf", "Structure", blocks, "No periodic system, so there is no radial distribution function.")


def _motion(measured: list[Measured]) -> Section:
    panels = tuple(curves.msd_panels(measured))
    text = (
        "Mean squared displacement of beads, averaged over all time origins. Shaded: windows in which the diffusion "
        "coefficient was fitted. Values with a star are apparent ones: the slope there is not 1, or not known to be."
    )
    legend = _sources(measured)
    legend += tuple((style.replace("line", "box"), f"fit window, {name}") for style, name in legend if name != SHORT_MD)
    blocks = (Block(text=text + _cut(panels), panels=panels, legend=legend),) if panels else ()
    return Section("msd", "Motion", blocks, "No trajectory, so there is no displacement.")


def _transport(measured: list[Measured]) -> Section:
    found, panels = results.transport_table(measured), tuple(curves.charge_panels(measured))
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


def _results(run: Run) -> Section:
    found = results.results_table(run.folder)
    text = f"All figures of {results.RESULTS} in the run folder, with 95 % confidence intervals."
    blocks = (Block(text=text, table=found, is_tall=len(found.rows) > 20),) if found else ()
    empty = f"The run folder holds no {results.RESULTS}, as 'cgsim analyze -o' writes it."
    return Section("results", "Analysis", blocks, empty)


def _cut(panels: tuple[Panel, ...]) -> str:
    most = curves.MOST_PANELS
    return f" The first {most} are shown." if len(panels) == most else ""


def _health(rollouts: list[made.Rollout]) -> Section:
    found = tables.health_table(rollouts)
    blocks = (Block(text=tables.health_sentence(rollouts), table=found),) if found else ()
    return Section("health", "Health of rollouts", blocks, "There is no rollout.")


def _speed(run: Run, rollouts: list[made.Rollout]) -> Section:
    found = made.speed_table(run, rollouts)
    text = "Simulated time per day of wall time; rollouts of one batch ran side by side on one machine."
    if run.manifest.md_time_per_day is None:
        text += " The run does not say how fast the MD was."
    blocks = (Block(text=text, table=found),) if found else ()
    return Section("speed", "Speed", blocks, "Neither rollouts nor the run say how fast they were.")


def _settings(run: Run, rollouts: list[made.Rollout]) -> Section:
    found = [("The experiment:", made.model_settings(run)), ("The rollouts:", made.rollout_settings(rollouts))]
    blocks = tuple(Block(text=text, code=code) for text, code in found if code)
    return Section("settings", "Settings", blocks, "No model card and no rollout, so no settings.")


def _versions(run: Run) -> Section:
    return Section("versions", "Versions", (Block(text=made.versions(run)),))


def _reproduce(run: Run, rollouts: list[made.Rollout]) -> Section:
    return Section("reproduce", "How to reproduce", (Block(code=made.commands(run, rollouts)),))


def _render(articles: list[Article]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cgsim.benchmark.report", "template"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["svg"] = Markup
    title = join([article.title for article in articles]) if len(articles) < 4 else f"{len(articles)} runs"
    written = datetime.datetime.now(tz=datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    template = environment.get_template("page.html")
    return template.render(title=title, articles=articles, version=__version__, written=written, light=LIGHT, dark=DARK)
