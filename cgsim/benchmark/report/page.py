"""The page: one self-contained HTML file made of what each run holds."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup

from cgsim import __version__
from cgsim.benchmark.report import provenance as made
from cgsim.benchmark.report import sections
from cgsim.benchmark.report.collect import Run, read_run
from cgsim.benchmark.report.measure import measure
from cgsim.benchmark.report.sections import Section
from cgsim.benchmark.report.style import DARK, LIGHT
from cgsim.benchmark.report.text import join
from cgsim.errors import InputError
from cgsim.trajectory.writer import disk_errors

Progress = Callable[[str, float], None]


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
    if run.is_analysis_only:
        progress("drawing", 0.0)
        lead = f"Analysis in {run.folder}."
        return Article(key, run.title, lead, lead, (), (sections.results(run), sections.versions(run)))
    measured = []
    for k, system in enumerate(run.systems):
        progress(f"analysing {system.name}", 0.8 * k / len(run.systems))
        measured.append(measure(system, run))
    progress("drawing", 0.8)
    rollouts = made.rollouts_of(run)
    missing = (*run.missing, *(problem for one in measured for problem in one.problems))
    shown = (
        sections.summary(run, measured),
        sections.data(run),
        sections.mapping(run),
        sections.training(run),
        sections.sizes(measured),
        sections.structure(measured),
        sections.motion(measured),
        sections.transport(measured),
        sections.results(run),
        sections.health(rollouts),
        sections.speed(run, rollouts),
        sections.settings(run, rollouts),
        sections.versions(run),
        sections.reproduce(run, rollouts),
    )
    task = f"{run.manifest.task}. " if run.manifest.task else ""
    lead = f"{task.capitalize()}Run folder {run.folder}." + (f" Model {run.model.card.name}." if run.model else "")
    return Article(key, run.title, lead, shown[0].blocks[0].text if shown[0].blocks else "", missing, shown)


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
