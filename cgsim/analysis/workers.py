"""Independent pieces of work side by side, in this process or in several."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from cgsim.errors import InputError

THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Task:
    """One piece of work.

    Attributes:
        text: what is being done, for a progress bar.
        function: of a module, so that another process finds it.
        arguments: its arguments, which have to be picklable.
    """

    text: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def run_tasks(tasks: list[Task], processes: int, progress: Callable[[str, float], None]) -> list[Any]:
    """Do all tasks and return their results in the order of the tasks, whichever is done first.

    Each process computes with one thread; memory grows with the number of processes. New processes start from the
    program's file: a script that asks for several has to be importable (``if __name__ == "__main__":``).

    Raises:
        InputError: if the number of processes is below 1.
    """
    if processes < 1:
        raise InputError(f"processes must be at least 1, got {processes}")
    if processes == 1 or len(tasks) < 2:
        results = []
        for k, task in enumerate(tasks):
            progress(task.text, k / len(tasks))
            results.append(task.function(*task.arguments))
        return results
    with _one_thread(), ProcessPoolExecutor(min(processes, len(tasks)), mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(task.function, *task.arguments): task for task in tasks}
        try:
            for done, future in enumerate(as_completed(futures)):
                future.result()
                progress(futures[future].text, (done + 1) / len(tasks))
        except BaseException:
            _cancel(list(futures))
            raise
        return [future.result() for future in futures]


def _cancel(futures: list[Future[Any]]) -> None:
    """Begin nothing more."""
    for future in futures:
        future.cancel()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start meanwhile use one thread each."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before
