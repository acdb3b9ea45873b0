"""Runs of engines side by side: reports come out as they happen, and a run that fails does not stop the others."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Emit: TypeAlias = Callable[[T | BaseException], None]
Job: TypeAlias = Callable[[Emit[T], Event], None]


def run_side_by_side(jobs: Sequence[Job[T]], processes: int) -> Iterator[T]:
    """Run jobs in threads, ``processes`` at a time; yield what they emit.

    Args:
        jobs: each gets a function that takes what it has to report (an exception counts as a failure, as one that it
            raises does), and an event that is set when it should end early.
        processes: how many run at a time.

    Raises:
        BaseException: the first failure, once all jobs have ended.
    """
    events: SimpleQueue[T | BaseException | None] = SimpleQueue()
    stop = Event()

    def run(job: Job[T]) -> None:
        try:
            job(events.put, stop)
        except BaseException as error:  # also interrupts: they are raised where the events are read
            events.put(error)
        events.put(None)

    failures: list[BaseException] = []
    with ThreadPoolExecutor(max_workers=processes) as pool:
        for job in jobs:
            pool.submit(run, job)
        try:
            n_running = len(jobs)
            while n_running:
                event = events.get()
                if event is None:
                    n_running -= 1
                elif isinstance(event, BaseException):
                    failures.append(event)
                else:
                    yield event
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    if failures:
        raise failures[0]
