"""Which process opened a run, and whether that process still lives; never guessed.

A pid alone says little: systems give it out again, and containers and machines each have their own.
Linux tells when a process started, in which boot and in which namespace of pids; elsewhere, and for
processes of other machines, the answer is that nobody here can tell.
"""

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

HOST, PID = "process.host", "process.pid"
STARTED, PLACE = "process.started", "process.place"
# Linux's fixed name of the namespace outside of all containers.
OUTERMOST = "pid:[4026531836]"
ALIVE, DEAD, CANNOT_TELL = "alive", "dead", "cannot tell"
SLACK = 2.0  # seconds; the time of the boot is known to the second, and clocks are set


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
    boot = _read("/proc/sys/kernel/random/boot_id")
    if boot and (place := _place()):
        tags |= {STARTED: f"{boot}/{_ticks(psutil.Process())}", PLACE: place}
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
    boot, _, ticks = tags[STARTED].partition("/")
    machine, _, space = here[PLACE].rpartition("/")
    if boot == here[STARTED].partition("/")[0]:
        if tags[PLACE].rpartition("/")[2] != space:
            return Fate(CANNOT_TELL, f"{who} belongs to another container")
        return _look(tags[PID], ticks, who)
    if machine and tags[PLACE] == here[PLACE] and space == OUTERMOST:
        return Fate(DEAD, f"{who} ended when the machine was started anew")
    return Fate(CANNOT_TELL, f"{who} belongs to another machine or container")


def _look(pid: str, ticks: str, who: str) -> Fate:
    if not re.fullmatch("[1-9][0-9]{0,9}", pid) or not ticks.isdecimal():
        return Fate(CANNOT_TELL, f"{pid!r} is no process id, or {ticks!r} no time")
    try:
        process = psutil.Process(int(pid))
        if abs(_ticks(process) - int(ticks)) > SLACK * os.sysconf("SC_CLK_TCK"):
            return Fate(DEAD, f"{who} is gone, and its number went to another")
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return Fate(DEAD, f"{who} ended and waits to be collected")
    except psutil.Error:  # of the processes of others, Linux may show nothing
        if _is_there(int(pid)):
            return Fate(CANNOT_TELL, f"{who} cannot be looked at")
        return Fate(DEAD, f"{who} is gone")
    return Fate(ALIVE, f"{who} is at work")


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing, only asks
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _ticks(process: psutil.Process) -> int:
    """Return the clock ticks from the boot to the start of a process, whatever clocks say."""
    return round((process.create_time() - psutil.boot_time()) * os.sysconf("SC_CLK_TCK"))


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
