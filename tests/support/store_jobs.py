"""Jobs that several processes do at once on the store of the working directory; run by tests.

    python tests/support/store_jobs.py JOB PROCESSES

Prints the children as JSON: code, value and error of each.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from forked import Child, together
from mmm_demo.store import creation
from mmm_demo.store import runs as tracking

HALF = 100_000  # bytes
RUNS = 3
PARAMS, METRICS, STEPS, TAGS = 30, 40, 2, 10


def use_store(number: int) -> dict[str, str]:
    """Be the first to use a store: a run, a registered model and a version of it."""
    with tracking.open_run(f"process {number}", "fit") as run:
        run.log(params={"number": number})
        with tracking.made_by_another():
            run.client.create_registered_model("model")
        version = run.client.create_model_version("model", f"runs:/{run.run_id}", run.run_id)
    return {"experiment": run.experiment_id, "run": run.run_id, "version": str(version.version)}


def without_lock(number: int) -> dict[str, str]:
    """Do the same with the store that MLflow opens by itself: it does not go well."""

    @contextmanager
    def at_once(_: str) -> Iterator[None]:
        yield

    creation.first_use = at_once
    return use_store(number)


def die_while_making() -> None:
    """Be killed when half of the new store has been written."""

    def half(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:HALF])
        os.kill(os.getpid(), signal.SIGKILL)

    shutil.copyfile = half
    tracking.experiment_id()


def first_after_a_kill(processes: int) -> list[Child]:
    """Let one die while it makes the store, keep what it left, and let all others use the store."""
    killed = together([die_while_making])
    folder = Path("mlruns")
    shutil.copytree(folder, folder / "seen")
    return killed + together([partial(use_store, number) for number in range(processes)])


def values(process: int, run: int) -> dict[str, dict[str, object]]:
    """Return what a run logs; no two runs log the same."""
    key = f"{process}.{run}"
    return {
        "params": {f"p{i}": f"{key}.{i}" for i in range(PARAMS)},
        "metrics": {f"m{i}": process + run / 10 + i / 1000 for i in range(METRICS)},
        "tags": {f"t{i}": f"tag {key}.{i}" for i in range(TAGS)},
    }


def log_runs(process: int, runs: int = RUNS) -> list[str]:
    """Log runs with params, metrics of several steps, tags and an artifact each."""
    made = []
    for number in range(runs):
        told = values(process, number)
        with tracking.open_run(f"run {process}.{number}", "fit") as run:
            run.log(params=told["params"], tags=told["tags"])
            for step in range(STEPS):
                run.log(metrics=told["metrics"], step=step)
            run.log_text(f"artifact {process}.{number}\n" * 1000, "folder/file.txt")
        made.append(run.run_id)
    return made


JOBS: dict[str, Callable[[int], object]] = {
    "first": use_store,
    "first-without-lock": without_lock,
    "log": log_runs,
}


def main(job: str, processes: int) -> None:
    """Do a job in that many processes."""
    if job == "first-after-a-kill":
        children = first_after_a_kill(processes)
    else:
        children = together([partial(JOBS[job], number) for number in range(processes)])
    print(json.dumps([asdict(child) for child in children]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
