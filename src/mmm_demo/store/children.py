"""Processes of this one: each starts afresh, and none outlives it."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


@contextmanager
def processes(
    count: int,
    begin: Callable[[], object] | None = None,
    tasks_each: int | None = None,
) -> Iterator[ProcessPoolExecutor]:
    """Yield processes of this machine; they are ended with the block, whatever they do then.

    Parameters
    ----------
    count
        How many.
    begin
        Each does this first.
    tasks_each
        After so many tasks one makes place for a new one; by default never. Then submit no more
        than `count` at once: with others waiting, Python 3.12 puts no new one in its place.
    """
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(
        count, context, initializer=_begin, initargs=(begin,), max_tasks_per_child=tasks_each
    )
    try:
        yield executor
    finally:  # nobody waits for tasks that run after an error or Ctrl-C; else there are none
        executor.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()


def _begin(begin: Callable[[], object] | None) -> None:
    _end_with_parent()
    if begin is not None:
        begin()


def _end_with_parent() -> None:
    """End this process when its parent is gone, even where that was killed."""

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
