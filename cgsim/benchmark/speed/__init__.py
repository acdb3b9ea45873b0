"""Speed: where the time of a step and of training goes, against the machine's limit and against classical MD."""

from cgsim.benchmark.speed.run import SpeedBenchmark, run_speed

__all__ = ["SpeedBenchmark", "run_speed"]
