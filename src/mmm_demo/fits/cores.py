"""How many processors there are to use; loads no library."""

import os


def usable_cores() -> int:
    """Return how many processors this process may use; a container may give it fewer than all."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
