"""Settings refuse what cannot be run, and say why in one line with exit code 2."""

import sys

import pytest
from pydantic import ValidationError

from cgsim.cli import main
from cgsim.errors import InputError
from cgsim.reference.segments import going_on
from cgsim.reference.settings import ChainSettings, draw_chains


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": "4001 tau"}, "length must be a multiple of save_interval, got '4001 tau' and '25 tau'"),
        ({"length": "5 ns"}, "needs one of the units tau"),
        ({"length": "0 tau"}, "must be positive"),
        ({"save_interval": "0.013 tau", "length": "13 tau"}, "not a multiple of the timestep"),
        ({"temperature": 0.0}, "greater than 0"),
        ({"friction": -1.0}, "greater than 0"),
        ({"n_beads": 1}, "greater than or equal to 2"),
        ({"seed": 0}, "greater than or equal to 1"),
        ({"chains": {"repeated": -1}}, "must not be negative, got -1"),
        ({"chains": {"family": 6}}, "must be a multiple of 4, got 6"),
        ({"chains": {}}, "at least one chain"),
        ({"chains": {"blocky": 3}}, "'repeated', 'random' or 'family'"),
        ({"force_field": "stiky"}, "did you mean 'sticky'"),
        ({"sequences": {"mine": "ABX"}}, "sequence of mine is 'ABX', expected letters of 'ABCD', not 'X'"),
        ({"sequences": {"mine": ""}}, "sequence of mine is ''"),
        ({"sequences": {"mine": "A"}}, "has 1 bead, expected at least 2"),
        ({"sequences": {"../mine": "AB"}}, "name of a chain is '../mine'"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        ChainSettings.model_validate(settings)


@pytest.mark.parametrize(
    ("length", "interval", "segment", "frames"),
    [
        ("100 tau", "5 tau", "10000 tau", 20),  # the whole is shorter
        ("20000 tau", "25 tau", "10000 tau", 400),
        ("15000 tau", "25 tau", "10000 tau", 300),  # 600 frames are no multiple of 400
        ("35 tau", "5 tau", "20 tau", 1),  # a prime number of frames
        ("100 tau", "50 tau", "20 tau", 1),  # one frame is longer than a segment
    ],
)
def test_a_segment_is_the_longest_part_of_the_whole(length, interval, segment, frames):
    settings = ChainSettings(length=length, save_interval=interval, segment=segment)
    assert settings.frames_per_segment == frames
    assert settings.n_frames == settings.steps("length") / settings.steps("save_interval") + 1
    assert settings.n_segments * settings.steps("segment") == settings.steps("length")


def test_a_run_keeps_the_segments_it_was_begun_with(tmp_path):
    longer = going_on(ChainSettings(length="20000 tau"), 16, tmp_path)
    assert (longer.frames_per_segment, longer.n_segments, longer.n_frames) == (16, 50, 801)
    with pytest.raises(InputError, match="was begun in segments of 16 frames, and the 40 that are asked for"):
        going_on(ChainSettings(length="1000 tau"), 16, tmp_path)


def test_chains_of_ones_own_are_made_alone_or_beside_others():
    own = {"mine": "ABDAC", "yours": "AAAB"}
    alone = draw_chains(ChainSettings(sequences=own))
    assert [(c.name, c.kind, c.sequence) for c in alone] == [(name, "own", text) for name, text in own.items()]
    assert [c.n_beads for c in alone] == [9, 5]  # A has one bead, B and C two, D three
    beside = ChainSettings(sequences=own, chains={"random": 2})
    assert [c.name for c in draw_chains(beside)] == ["random-000", "random-001", "mine", "yours"]
    assert beside.n_chains == 4
    with pytest.raises(InputError, match="two chains would be called random-000"):
        draw_chains(ChainSettings(sequences={"random-000": "AB"}, chains={"random": 1}))


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Call the command line in an empty folder; return what it printed when it refused."""

    def call(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["cgsim", "generate", "chains", "-o", "out", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        return capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--length", "5 ns"], "length"),
        (["--length", "4001 tau"], "cgsim generate chains: length must be a multiple of save_interval"),
        (["--chains", "repeated"], "expected CLASS=NUMBER"),
        (["--chains", "repeated=many"], "chains.repeated"),
        (["--sequence", "ABC"], "--sequence ABC: expected NAME=UNITS, for example mine=AABDAC"),
        (["--sequence", "a=AB", "--sequence", "a=BA"], "--sequence a=BA: a was given twice"),
        (["--sequence", "a=ABX"], "sequence of a is 'ABX', expected letters of 'ABCD', not 'X'"),
        (["--config", "absent.yaml"], "absent.yaml: no such file"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_exit_code_2(refused, tmp_path, arguments, message):
    printed = refused(*arguments)
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_unknown_key_in_the_settings_file_is_named_with_the_nearest(refused, tmp_path):
    (tmp_path / "chains.yaml").write_text("lenght: 4000 tau\n")
    assert "unknown key 'lenght'; did you mean 'length'?" in refused("--config", "chains.yaml")
