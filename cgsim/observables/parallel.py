"""Several cores for work that falls into independent blocks."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Block = TypeVar("Block")
Result = TypeVar("Result")


def n_threads() -> int:
    """Threads to use: ``OMP_NUM_THREADS`` where it is set, as in numerical libraries, else every core allowed."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_blocks(work: Callable[[Block], Result], blocks: Iterable[Block]) -> Iterator[Result]:
    """Do the work on every block, several at a time; results come in the order of the blocks.

    Threads, not processes: NumPy and SciPy let others run while they compute, and nothing has to be copied.
    """
    threads = n_threads()
    if threads == 1:
        yield from map(work, blocks)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, blocks)
