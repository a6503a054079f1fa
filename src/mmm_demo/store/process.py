"""Which process opened a run, and whether that process still lives; never guessed.

A pid alone says little: systems give it out again, and containers and machines each have their own.
Linux tells when a process started, in which boot and in which namespace of pids; elsewhere, and for
processes of other machines, the answer is that nobody here can tell.
"""

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST, PID = "process.host", "process.pid"
STARTED, PLACE = "process.started", "process.place"
# Linux's fixed name of the namespace outside of all containers.
OUTERMOST = "pid:[4026531836]"
ALIVE, DEAD, CANNOT_TELL = "alive", "dead", "cannot tell"


@dataclass(frozen=True)
class Fate:
    """What became of a process.

    Attributes
    ----------
    status
        `alive`, `dead` or `cannot tell`.
    why
        How that is known, or why it is not.
    """

    status: str
    why: str


def process_tags() -> dict[str, str]:
    """Return tags that tell this process from every other one; fewer where the system says less."""
    tags = {HOST: platform.node(), PID: str(os.getpid())}
    if (started := _started(os.getpid())) and (place := _place()):
        tags |= {STARTED: started, PLACE: place}
    return tags


def fate(tags: Mapping[str, str]) -> Fate:
    """Tell what became of the process that left these tags.

    Parameters
    ----------
    tags
        Of a run; those of `process_tags` among others, if it has any.
    """
    if any(not tags.get(name) for name in (HOST, PID, STARTED, PLACE)):
        return Fate(CANNOT_TELL, "the run does not say which process opened it")
    here = process_tags()
    if PLACE not in here:
        return Fate(CANNOT_TELL, "this system does not tell when its processes started")
    who = f"process {tags[PID]} on {tags[HOST]}"
    boot, boot_now = tags[STARTED].partition("/")[0], here[STARTED].partition("/")[0]
    if boot == boot_now:
        if tags[PLACE].rpartition("/")[2] != here[PLACE].rpartition("/")[2]:
            return Fate(CANNOT_TELL, f"{who} belongs to another container")
        return _look(tags[PID], tags[STARTED], who)
    machine, _, space = here[PLACE].rpartition("/")
    if machine and tags[PLACE] == here[PLACE] and space == OUTERMOST:
        return Fate(DEAD, f"{who} ended when the machine was started anew")
    return Fate(CANNOT_TELL, f"{who} belongs to another machine or container")


def _look(pid: str, started: str, who: str) -> Fate:
    if not pid.isdecimal() or int(pid) < 1:  # 0 and negative numbers mean whole groups
        return Fate(CANNOT_TELL, f"{pid!r} is no process id")
    try:
        os.kill(int(pid), 0)  # sends nothing, only asks
    except ProcessLookupError:
        return Fate(DEAD, f"{who} is gone")
    except (PermissionError, OverflowError):
        pass  # somebody else's, or no number that a process can have: ask on
    now = _started(int(pid))
    if now is None:
        return Fate(CANNOT_TELL, f"{who} cannot be looked at")
    if now != started:
        return Fate(DEAD, f"{who} is gone, and its number went to another")
    if _stat(int(pid))[:1] in (["Z"], ["X"]):
        return Fate(DEAD, f"{who} ended and waits to be collected")
    return Fate(ALIVE, f"{who} is at work")


def _stat(pid: int) -> list[str]:
    """Return what Linux says of a process, from its state (field 3) on; nothing elsewhere."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # its name, in brackets, may hold anything


def _started(pid: int) -> str | None:
    """Return the boot and the clock ticks from there to the start of a process (field 22)."""
    fields = _stat(pid)
    boot = _read("/proc/sys/kernel/random/boot_id")
    return f"{boot}/{fields[19]}" if boot and len(fields) > 19 else None


def _place() -> str | None:
    """Return the machine, as far as it is known, and the namespace that pids belong to."""
    try:
        space = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return None
    identity = _read("/etc/machine-id")
    # Hashed, because it is meant to stay on the machine; with the name, because clones share it.
    text = f"mmm_demo {identity} {platform.node()}"
    machine = hashlib.sha256(text.encode()).hexdigest()[:12] if identity else ""
    return f"{machine}/{space}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""
