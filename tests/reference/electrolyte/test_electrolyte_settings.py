"""Settings of electrolytes: what they refuse, the stages they make, and packing."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from commands import run_here
from scipy.spatial import cKDTree

from cgsim.cli.electrolyte import load_systems
from cgsim.errors import InputError
from cgsim.reference.electrolyte.build import build_electrolyte
from cgsim.reference.electrolyte.packing import TOLERANCE, find_packmol, pack
from cgsim.reference.electrolyte.protocol import parts, stages
from cgsim.reference.electrolyte.repeat_unit import parse_unit
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.units import AVOGADRO_PER_MOL

CONFIGS = Path(__file__).parents[3] / "configs" / "generate"
PEO = {"smiles": "*OCC*"}


def load(tmp_path, text, **given):
    (tmp_path / "set.yaml").write_text(text)
    return load_systems(tmp_path / "set.yaml", given, "name")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("salt: LiTFSI", "key 'smiles' is missing"),
        ("smiles: '*OCC*'\nmolalty: 1", "unknown key 'molalty'; did you mean 'molality'"),
        ("smiles: '*OCC*'\nprotocol: {coil: 1 ps}", "unknown key 'protocol.coil'; did you mean 'cool'"),
        ("smiles: '*OCC*'\nlength: 5", "length"),
        ("smiles: '*OCC*'\nlength: 1 tau", "needs one of the units"),
        ("smiles: '*OCC*'\nsave_interval: 3 ps", "set.yaml: length must be a multiple of save_interval, got '1 ns'"),
        ("smiles: '*OCC*'\nmolality: 1\nion_pairs: 3", "either molality or ion_pairs"),
        ("smiles: '*OCC*'\nengine: gromcas", "engine"),
        ("smiles: '*OCC*'\nthreads: 0", "threads"),
        ("systems: {}", "systems must name at least one system"),
        ("systems: {a: 3}", "systems.a: expected settings"),
        ("systems: {a/b: {smiles: '*OCC*'}}", "systems.a/b: a name is made of"),
        ("systems: {a: {smiles: '*OCC*', start: 0}}", "systems.a: start"),
    ],
)
def test_a_mistake_in_settings_is_one_line_that_names_it(tmp_path, text, words):
    with pytest.raises(InputError) as refused:
        load(tmp_path, text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_system_stands_above_the_set_and_an_option_above_both(tmp_path):
    text = """
        molality: 1.0
        protocol: {relax: 2 ns, cool: 50 ps}
        systems:
          a: {smiles: '*OCC*', molality: 2.0, protocol: {cool: 20 ps}}
          b: {smiles: '*OCCC*', ion_pairs: 3, molality: null}
        """
    systems = load(tmp_path, text, temperature=400.0)
    assert (systems["a"].molality, systems["b"].ion_pairs) == (2.0, 3)
    assert (systems["a"].protocol.relax, systems["a"].protocol.cool) == ("2 ns", "20 ps")
    assert {s.temperature for s in systems.values()} == {400.0}


@pytest.mark.parametrize("timestep", [1.0, 2.0, 3.0, 3.7])
@pytest.mark.parametrize("interval", ["2 ps", "0.5 ps"])
def test_frames_are_whole_steps_apart_and_steps_no_longer_than_allowed(timestep, interval):
    settings = ElectrolyteSettings(**PEO, save_interval=interval, protocol={"timestep": timestep})
    production = stages(settings)[-1]
    assert production.timestep <= timestep * (1 + 1e-12)
    assert production.timestep * production.frame_steps * 1e-3 == pytest.approx(settings.interval, rel=1e-12)
    assert production.n_steps == settings.frames_per_segment * production.frame_steps
    assert production.time == pytest.approx(settings.segment)


def test_parts_add_up_to_the_times_that_were_asked_for():
    settings = ElectrolyteSettings(**PEO, length="3 ns", protocol={"relax": "1 ns"})
    times: dict[str, float] = {}
    for part in parts(settings, settings.n_segments):
        times[part.stage.name] = times.get(part.stage.name, 0.0) + part.stage.time
    assert list(times) == ["minimise", "heat", "compress", "relax", "cool", "density", "settle", "part"]
    for name in ("heat", "compress", "relax", "cool", "density", "settle"):
        assert times[name] == pytest.approx(settings.protocol.time(name), rel=0.02)  # whole hundreds of steps
    assert times["part"] == pytest.approx(3000.0)
    assert settings.goals() == [10, 20, 30]
    assert ElectrolyteSettings(**PEO, length="2.5 ns").goals() == [10, 20, 25]


def test_packing_keeps_molecules_apart_also_across_the_faces_of_the_box():
    electrolyte = build_electrolyte("*OCC*", "LiTFSI", n_chains=3, chain_mass=300.0, seed=4)
    positions, cell = pack(electrolyte, 0.5, 7, find_packmol())
    volume = np.linalg.det(cell) * 1e-24 * AVOGADRO_PER_MOL
    assert electrolyte.mass / volume == pytest.approx(0.5)
    molecule = np.repeat(np.arange(len(electrolyte.molecules)), [m.n_atoms for m in electrolyte.molecules])
    edge = cell[0, 0]
    pairs = cKDTree(positions % edge, boxsize=edge).query_pairs(0.95 * TOLERANCE, output_type="ndarray")
    assert (molecule[pairs[:, 0]] == molecule[pairs[:, 1]]).all()
    again, _ = pack(electrolyte, 0.5, 7, find_packmol())
    np.testing.assert_array_equal(positions, again)
    other, _ = pack(electrolyte, 0.5, 8, find_packmol())
    assert np.abs(other - positions).max() > 1.0
    first = electrolyte.components[0].conformers[0]
    placed = positions[: len(first)]
    inner = [np.linalg.norm(x[:, None] - x[None], axis=-1) for x in (first, placed)]
    np.testing.assert_allclose(*inner, atol=1e-3)  # moved and turned as it is


def test_a_missing_program_says_how_to_install_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(InputError, match=r"packmol is not installed; install it with: pip install 'cgsim\[md\]'"):
        find_packmol()
    for engine, words in (("gromacs", "GROMACS is not installed; install it with"), ("auto", "no engine is installed")):
        code = run_here(monkeypatch, "generate", "electrolyte", "--smiles", "*OCC*", "--engine", engine,
                        "-o", tmp_path / "out", "--work", tmp_path / "work")  # fmt: skip
        error = capsys.readouterr().err
        assert (code, error.count("\n")) == (2, 1)
        assert words in error
    assert not list(tmp_path.iterdir())


def test_only_names_systems_of_the_set(monkeypatch, tmp_path, capsys):
    (tmp_path / "set.yaml").write_text("systems: {PEO: {smiles: '*OCC*'}}\n")
    arguments = ["generate", "electrolyte", "--config", tmp_path / "set.yaml", "--only", "PEOO", "-o", tmp_path / "out"]
    assert run_here(monkeypatch, *arguments) == 2
    assert "--only PEOO: no such system; did you mean 'PEO'" in capsys.readouterr().err


def shipped(name):
    return load_systems(CONFIGS / f"spe-450K-{name}.yaml", {}, "")


def test_test_polymers_of_spe_450k_are_unseen_and_have_a_second_start():
    sets = ("train", "train-beads", "test")
    all_atoms, beads, tested = (
        {(parse_unit(s.smiles).key, s.molality) for s in shipped(name).values()} for name in sets
    )
    assert not all_atoms & beads
    seen = all_atoms | beads
    polymers = {polymer for polymer, _ in seen}
    unseen = {polymer for polymer, _ in tested} - polymers
    assert len(polymers) >= 12
    assert len(unseen) >= 5
    assert not tested & seen
    assert len({p for p, _ in tested} & polymers) == 1  # of which the concentration is unseen
    starts = {}
    for system in shipped("test").values():
        starts.setdefault((system.smiles, system.molality), {})[system.start] = system.n_segments * system.segment
    assert set(map(tuple, (lengths.items() for lengths in starts.values()))) == {((1, 6000.0), (2, 3000.0))}


@pytest.mark.parametrize("name", ["train", "train-beads", "train-groups", "test"])
def test_array_job_finds_the_systems_of_a_set(name, tmp_path):
    config = CONFIGS / f"spe-450K-{name}.yaml"
    fake = tmp_path / "cgsim"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    found = []
    for task in range(len(shipped(name))):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": str(task)}
        done = subprocess.run(
            ["bash", CONFIGS / "slurm-array.sh", config], env=environment, capture_output=True, text=True
        )
        words = done.stdout.split()
        found.append(words[words.index("--only") + 1])
    assert found == list(shipped(name))
