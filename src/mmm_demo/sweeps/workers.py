"""The processes that do trials: of this machine, or of a Dask cluster. Each imports once."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmm_demo.store.children import processes
from mmm_demo.sweeps.versions import require_same, versions

if TYPE_CHECKING:
    from distributed import Client

RETRIES = 3  # of a trial that raised; one whose worker died, Dask gives to another by itself


@dataclass(frozen=True)
class Workers:
    """Where trials are submitted to.

    Attributes
    ----------
    executor
        Does them.
    count
        How many run at once; may change as machines come and go.
    lost
        What futures raise when the processes that did them are gone.
    """

    executor: Executor
    count: Callable[[], int]
    lost: tuple[type[Exception], ...]


@contextmanager
def start_workers(
    count: int, scheduler: str | None, trials_each: int | None = None
) -> Iterator[Workers]:
    """Yield worker processes that stay for the whole sweep.

    Parameters
    ----------
    count
        Processes on this machine, one core each.
    scheduler
        Address of a Dask scheduler, whose workers are used instead.
    trials_each
        After so many trials a process of this machine makes place for a new one; by default never.

    Raises
    ------
    RuntimeError
        When there is no such scheduler, it has no workers or workers with other versions, or Dask
        is not installed.
    """
    if scheduler:
        with _dask_workers(scheduler) as workers:
            yield workers
        return
    with processes(count, tasks_each=trials_each) as executor:
        yield Workers(executor, lambda: count, (BrokenExecutor,))


@contextmanager
def _dask_workers(scheduler: str) -> Iterator[Workers]:
    try:
        from distributed import Client, KilledWorker
        from distributed.versions import VersionMismatchWarning
    except ImportError:
        raise RuntimeError(
            f"scheduler {scheduler} needs Dask; install it with: uv sync --extra cluster"
        ) from None
    try:
        with warnings.catch_warnings():  # `require_same` says it in one line
            warnings.simplefilter("ignore", VersionMismatchWarning)
            client = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # the last without a certificate for TLS
        raise RuntimeError(f"no Dask scheduler at {scheduler}: {error}") from None
    with client:
        if not _count(client):
            raise RuntimeError(f"the Dask scheduler {scheduler} has no workers; start some")
        try:
            client.run(require_same, versions())
        except ImportError as error:
            raise RuntimeError(f"a worker of {scheduler} lacks this package: {error}") from None
        executor = client.get_executor(pure=False, retries=RETRIES)
        yield Workers(executor, lambda: _count(client), (KilledWorker, CancelledError))


def _count(client: "Client") -> int:
    return len(client.scheduler_info(n_workers=-1)["workers"])
