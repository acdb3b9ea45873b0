"""The report: one page that opens anywhere, says what is missing, and whose numbers are those of the analysis."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from small_runs import MAPPING, SECTIONS, Page, report_of, write_md, write_rollout_of_md, write_run

from cgsim.analysis import AnalysisSettings, analyze_files
from cgsim.analysis.lettering import common_exponent
from cgsim.benchmark.report import write_report
from cgsim.benchmark.report.compare import deviation
from cgsim.benchmark.report.style import LIGHT
from cgsim.benchmark.report.text import pretty_value
from cgsim.config import Experiment
from cgsim.production import ProductionSettings, simulate
from cgsim.train.fit import fit
from cgsim.trajectory.store import TrajectoryStore, write_store

pytestmark = pytest.mark.slow  # whole analyses


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    write_report([run], run.parent / "report.html")
    return (run.parent / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_page_is_well_formed_and_has_every_section_once(page: Page) -> None:
    assert page.sections == [f"run1-{name}" for name in SECTIONS]
    targets = {value for tag, name, value in page.attributes if name == "id"}
    links = {value for tag, name, value in page.attributes if tag == "a" and name == "href"}
    assert links == {f"#run1-{name}" for name in SECTIONS}
    assert {link[1:] for link in links} <= targets


def test_drawings_refer_to_parts_of_their_own(html: str) -> None:
    whole = re.findall(r"""\bid=['"](.*?)['"]""", html)
    assert len(set(whole)) == len(whole)
    used = 0
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        own = set(re.findall(r"""\bid=['"](.*?)['"]""", svg))
        references = re.findall(r"""(?:href=['"]|url\()#(.*?)['")]""", svg)
        assert set(references) <= own
        used += len(references)
    assert used > 100  # ticks are uses of one mark, curves are clipped


def test_the_page_loads_nothing_and_runs_nothing(html: str, page: Page) -> None:
    loads = [(t, n, v) for t, n, v in page.attributes if n in {"src", "href", "srcset", "action", "data", "poster"}]
    assert [one for one in loads if not one[2].startswith("#")] == []
    assert {tag for tag, _, _ in page.attributes} & {"script", "link", "iframe", "img", "object"} == set()
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not re.search(r"@import|url\((?!#)|<script", html)


def test_every_drawing_has_words_and_takes_its_colours_from_the_page(html: str, page: Page) -> None:
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    words = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert len(words) == len(drawings)
    assert len(drawings) > 10
    assert min(len(text) for text in words) > 20
    fixed = {color for svg in drawings for color in re.findall(r"#[0-9a-fA-F]{6}", svg)}
    assert fixed <= {"#000000"}, "colours that would not follow the theme"  # black is matplotlib's unseen default
    assert set(LIGHT) == set(re.findall(r"--([\w-]+):", html.split("@media")[0]))


def test_titles_and_messages_cannot_inject_markup(html: str, page: Page) -> None:
    assert "<small>" not in html
    assert "A <small> run" in page.text
    assert "bond 1-2 is <9> Angstrom long" in page.text


def test_figures_are_those_of_results_json(run: Path, tmp_path: Path, page: Page) -> None:
    short = TrajectoryStore(run / "one.h5").read(slice(0, 41))  # up to 40 ps
    write_store(tmp_path / "short.h5", short)
    settings = AnalysisSettings(replicas=True, between_molecules=True)
    rollouts = sorted((run / "rollouts").glob("*.h5"))
    results = {
        "cgsim": analyze_files(rollouts, settings),
        "MD": analyze_files([run / "one.h5"], settings, beads_of=rollouts[0]),
        "Short MD": analyze_files([tmp_path / "short.h5"], settings, beads_of=rollouts[0]),
    }
    names = {
        "mean_squared_radius_of_gyration": "mean Rg²",
        "relaxation_time": "relaxation time of Rg",
        "self_diffusivity": "self-diffusivity",
        "rdf": "first RDF peak height",
    }
    expected = {
        (f"{names[f['name']]}, {f['species']}", source): f
        for source, document in results.items()
        for f in document["figures"]
        if f["name"] in names and f["method"] != "single-origin"
    }
    rows = {row["Figure"]: row for row in page.table("Figure") if row["Figure"].rsplit(", ", 1)[0] in names.values()}
    assert set(rows) == {figure for figure, source in expected if source != "Short MD"}
    assert len(rows) >= 5  # size and relaxation of the polymer, diffusion of three species
    for (figure, source), found in expected.items():
        ours, md = expected.get((figure, "cgsim")), expected.get((figure, "MD"))
        if not (ours and md):
            continue
        shift = common_exponent(max(ours["value"], md["value"]))
        assert rows[figure][source] == pretty_value(found["value"], found["standard_error"], shift)
        away = deviation(ours["value"], ours["standard_error"], md["value"], md["standard_error"])
        shown = float(rows[figure]["in errors"].rstrip(" σ").replace("−", "-"))
        assert shown == pytest.approx(away.sigmas, abs=0.051)  # shown with one digit


def test_a_rollout_that_is_the_md_deviates_by_nothing_and_a_stretched_one_is_poor(tmp_path: Path) -> None:
    for name, stretch in (("same", 1.0), ("stretched", 1.5)):
        folder = tmp_path / name
        (folder / "rollouts").mkdir(parents=True)
        write_md(folder / "one.h5")
        write_rollout_of_md(folder / "one.h5", folder / "rollouts/one.h5", stretch=stretch)
        manifest = {"md": {"one": "one.h5"}, "rollouts": {"one": ["rollouts/one.h5"]}}
        (folder / "run.json").write_text(json.dumps(manifest))
        rows = {row["Figure"]: row for row in report_of(folder).table("Figure")}
        if name == "same":
            assert {row["in errors"].lstrip("+−") for row in rows.values()} <= {"0.0 σ", "–"}
            assert {row["Verdict"] for row in rows.values()} <= {"agrees", "not resolved", "–"}
        else:
            assert rows["mean Rg², polymer"]["Verdict"] == "poor"
            assert rows["mean Rg², polymer"]["Deviation"] == "+125 %"  # 1.5 squared


def test_short_md_counts_up_to_its_end_only(page: Page) -> None:
    rows = {(row["Source"], row["File"]): row for row in page.table("Source")}
    assert rows["short MD", "one.h5"]["Length"] == "40 ps"
    assert rows["MD", "one.h5"]["Length"] == "119 ps"


def test_health_and_speed_are_what_the_rollouts_say(page: Page) -> None:
    first, second = page.table("System")
    assert (first["Verdict"], first["Overlap"]) == ("healthy", "1 of 79 steps")
    assert (second["Verdict"], second["Length"]) == ("torn bond", "78 ps of 150 ps")
    assert "1 of 2 rollouts broke" in page.text
    ours, md = page.table("Program")
    assert (ours["Each a day"], ours["All a day"]) == ("1.3 µs", "2.6 µs")
    assert (ours["Each against MD"], ours["All against MD"]) == ("10×", "20×")
    assert md["Each a day"] == "130 ns"


def test_a_table_in_the_manifest_is_shown_as_it_is(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    manifest = json.loads((folder / "run.json").read_text())
    row = {"system": "one", "figure": "R2", "unit": "", "cgsim": 0.98, "md": 1.0, "short_md": 0.5, "note": "a note"}
    (folder / "run.json").write_text(json.dumps({**manifest, "table": [row]}))
    page = report_of(folder)
    assert page.table("Figure") == [
        {
            "Figure": "R2",
            "Unit": "",
            "cgsim": "0.98",
            "MD": "1",
            "Deviation": "–",
            "in errors": "–",
            "Verdict": "–",
            "Short MD": "0.5",
            "in errors 2": "–",
        }
    ]
    assert "a note" in page.text


def test_a_trained_model_is_shown_with_its_data_settings_and_commands(run: Path, tmp_path: Path) -> None:
    settings = {
        "name": "tiny",
        "data": {"train": [str(run / "one.h5")], "end": 60.0},
        "mapping": MAPPING.model_dump(),
        "model": {
            "lag_time": 2.0,
            "history_offsets": [0, 1],
            "dynamics": {"network": {"kind": "plain", "latent": 8, "n_steps": 1, "n_hidden": 1}, "cutoff": 8.0},
        },
        "training": {"steps": 4, "batch_size": 2, "validate_every": 2},
    }
    folder = tmp_path / "run"
    trained = fit(Experiment.model_validate(settings).plan(), folder, resume=False)
    production = ProductionSettings(time=20.0, seed=3, begin=10.0, sampler=trained.card.sampler)
    output = folder / "rollouts/one.h5"
    output.parent.mkdir()
    simulate(trained, [run / "one.h5"], output, production, resume=False, report=lambda _progress: None)
    page = report_of(folder)
    (row,) = page.table("Training trajectory")
    assert (row["Training trajectory"], row["Length"], row["Beads"]) == ("one.h5", "60 ps", "26")
    assert row["Data hash"] == trained.card.training_systems[0].data_hash[:12]
    weights = sum(p.numel() for p in trained.model.parameters())
    assert f"{weights:,} weights".replace(",", "\u00a0") in page.text
    assert any(t == "svg" and v.startswith("loss during training") for t, _, v in page.attributes)
    assert "--time 20ps --from 10ps --seed 3" in page.text
    assert yaml.safe_load(page.blocks[0]) == trained.card.experiment
