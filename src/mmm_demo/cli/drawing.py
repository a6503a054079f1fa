"""The process that draws figures while this one fits and plans."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from mmm_demo.cli.process import leave_interrupts
from mmm_demo.fits.cores import usable_cores
from mmm_demo.store.children import processes


@contextmanager
def drawing_beside() -> Iterator[Executor | None]:
    """Yield a process that draws; it loads what it needs at once. None where one core has it all.

    Only commands start one: of a script that calls the package, it would run all of it again.
    """
    if usable_cores() < 2:
        yield None
        return
    with processes(1, leave_interrupts) as executor:
        executor.submit(_load)
        yield executor


def _load() -> None:
    import mmm_demo.reports.figures  # noqa: F401 - loaded while the other process loads as well
