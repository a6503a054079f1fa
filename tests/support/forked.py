"""Processes forked from one that has imported everything: they start in no time, all at once.

For scripts that tests run as processes of their own: a process with threads must not fork.
"""

import json
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Child:
    """A forked process: its id, how it ended (negative: the signal), and what came of its job."""

    pid: int
    code: int
    value: Any
    error: str


def together(jobs: Sequence[Callable[[], Any]]) -> list[Child]:
    """Do each job in a child of its own, all at the same moment; what they return must be JSON."""
    assert threading.active_count() == 1, threading.enumerate()
    ready, go = os.pipe()
    children = []
    for job in jobs:
        back, out = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(ready, 1)  # until the parent closes its end
            _do(job, out)
        os.close(out)
        children.append((pid, back))
    os.close(go)
    done = []
    for pid, back in children:
        with os.fdopen(back) as answer:
            said = answer.read()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        done.append(
            Child(pid, code, **(json.loads(said) if said else {"value": None, "error": ""}))
        )
    os.close(ready)
    return done


def _do(job: Callable[[], Any], out: int) -> None:
    try:
        answer = {"value": job(), "error": ""}
    except BaseException:
        answer = {"value": None, "error": traceback.format_exc()}
    os.write(out, json.dumps(answer).encode())
    os._exit(1 if answer["error"] else 0)
