"""Two promotions at once on the store of the working directory; run by tests.

    python tests/support/promotion_jobs.py locked:FIRST:SECOND unlocked:FIRST:SECOND ...

The second begins while the first one's contest is under way, which goes on when the second waits
or has ended. Prints both children of each pair as JSON. `unlocked` is as behind a server, where
there are no locks.
"""

import json
import os
import sys
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial

from forked import together
from mmm_demo.jobs import promote as steps


def promote(number: int, said: list[str], tell: int | None) -> dict[str, object]:
    """Promote a version; tell once this waits for another, or has ended."""

    def say(text: str) -> None:
        said.append(text)
        if tell and "waiting for its end" in text:
            os.write(tell, b"waits")

    try:
        done = steps.run_promote("demo", number, "a test", False, say, lambda _: None)
    finally:
        if tell:
            os.write(tell, b"ended")
    return {"version": done.version, "former": done.former, "said": said}


def first(number: int, begun: int, go_on: int) -> dict[str, object]:
    """Promote; in the middle of the contest, let the other one begin."""
    contest = steps.Contest.__call__

    def slow(self: steps.Contest, *files: object) -> tuple[str, ...]:
        os.write(begun, b"begun")
        os.read(go_on, 5)
        return contest(self, *files)

    steps.Contest.__call__ = slow
    return promote(number, [], None)


def second(number: int, begun: int, go_on: int) -> dict[str, object]:
    """Promote while the other's contest is under way."""
    os.read(begun, 5)
    return promote(number, [], go_on)


def pair(mode: str, one: str, other: str) -> list[dict]:
    """Promote two versions at once."""
    (begun, tell_begun), (go_on, tell_go_on) = os.pipe(), os.pipe()
    jobs = [
        partial(first, int(one), tell_begun, go_on),
        partial(second, int(other), begun, tell_go_on),
    ]
    locking = steps.promoting
    if mode == "unlocked":
        steps.promoting = lambda *_: nullcontext()
    children = together(jobs)
    steps.promoting = locking
    return [asdict(child) for child in children]


if __name__ == "__main__":
    print(json.dumps([pair(*words.split(":")) for words in sys.argv[1:]]))
