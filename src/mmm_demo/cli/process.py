"""What the command line changes of its own process: all of it, and no import does."""

import gc
import os
import signal
import sys

from mmm_demo.settings.project import apply_defaults


def settle() -> None:
    """Set what holds for every command, before anything heavy is loaded."""
    # Read by NumPy when it is loaded: on small matrices, and beside chains, BLAS threads only cost
    # time.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    apply_defaults()
    # Imports and models make many objects that stay; each look at all of them takes a plan's time.
    gc.set_threshold(10_000, 10, 10)
    # Ended from outside, a run is closed like after any error instead of staying RUNNING.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def leave_interrupts() -> None:
    """Leave Ctrl-C, which the terminal sends to every process, to the one that has started this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def collect_no_garbage() -> None:
    """Look for no garbage in a process that is soon over.

    Imports make many objects that stay, and each look at them takes a plan's time.
    """
    gc.disable()
