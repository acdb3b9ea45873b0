"""A run that was stopped, at whatever moment, and resumed gives what it would have given without the stop."""

import pytest
from small_rollouts import assert_same_rollout, settings, silent, stop_after

from cgsim.production import run as module
from cgsim.production import simulate
from cgsim.production.segments import SegmentFolder


def test_run_interrupted_and_resumed_is_the_run_that_never_stopped(tmp_path, model, boxes, whole):
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=False, report=stop_after(3))
    assert [p.name for p in tmp_path.iterdir()] == [".out.partial"]
    results = simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=True, report=silent)
    for result, expected in zip(results, whole, strict=True):
        assert_same_rollout(result.path, expected)
    assert not (tmp_path / ".out.partial").exists()


def test_run_killed_between_segments_loses_only_what_was_not_written(tmp_path, model, boxes, whole, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_SECONDS", -1.0)  # a segment every step
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=False, report=stop_after(6))
    # What a kill after the third segment would have left, in the middle of writing the fourth.
    folder = SegmentFolder(tmp_path / "out.h5")
    for segment in folder.segments()[3:]:
        segment.rename(segment.with_name("segment.partial"))
    seen = []
    results = simulate(
        model,
        boxes,
        tmp_path / "out.h5",
        settings(model, 7, replicas=2),
        resume=True,
        report=lambda progress: seen.append(progress.step),
    )
    assert seen == [4, 5, 6, 7]
    for result, expected in zip(results, whole, strict=True):
        assert_same_rollout(result.path, expected)


def test_run_killed_before_its_first_segment_begins_again(tmp_path, model, boxes, whole):
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=False, report=stop_after(1))
    for segment in SegmentFolder(tmp_path / "out.h5").segments():
        segment.unlink()
    results = simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=True, report=silent)
    assert_same_rollout(results[0].path, whole[0])


def test_run_killed_while_its_stores_are_written_is_finished_by_resuming(tmp_path, model, boxes, whole, monkeypatch):
    write, written = module.write_rollout, []

    def killed(*args):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(args)
        return write(*args)

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_rollout", killed)
        with pytest.raises(KeyboardInterrupt):
            simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=False, report=silent)
    assert len(list(tmp_path.glob("*.h5"))) == 2
    results = simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=True, report=silent)
    for result, expected in zip(results, whole, strict=True):
        assert_same_rollout(result.path, expected)


def test_interrupted_run_can_be_prolonged(tmp_path, model, boxes, whole):
    with pytest.raises(KeyboardInterrupt):
        simulate(model, boxes, tmp_path / "out.h5", settings(model, 4, replicas=2), resume=False, report=stop_after(2))
    results = simulate(model, boxes, tmp_path / "out.h5", settings(model, 7, replicas=2), resume=True, report=silent)
    assert_same_rollout(results[3].path, whole[3])
