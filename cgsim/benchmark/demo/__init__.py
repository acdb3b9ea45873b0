"""The demo: the whole chain of work on the two inputs that ship, compared with long molecular dynamics."""

from cgsim.benchmark.demo.run import TASKS, finish, run_task

__all__ = ["TASKS", "finish", "run_task"]
