"""What engines tell while they run, on a terminal or in a log file."""

import time

from cgsim.cli.progress import LOG_EVERY, SECONDS_PER_DAY, engine_progress


def test_speed_in_a_log_file_is_what_all_engines_together_made_in_the_time_that_passed(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with engine_progress(90.0, "tau") as report:
        report("old", 50.0, False)
        now[0] += 2 * LOG_EVERY
        report("a", 10.0, True)
        report("b", 10.0, True)
        now[0] += 2 * LOG_EVERY
        report("c", 20.0, True)
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"progress 60 of 90 tau: a, {10.0 / (2 * LOG_EVERY) * SECONDS_PER_DAY:.3g} tau/day"
    assert second == f"progress 90 of 90 tau: c, {40.0 / (4 * LOG_EVERY) * SECONDS_PER_DAY:.3g} tau/day"
