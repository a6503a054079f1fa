"""Many processes that log to the embedded store at once: what is lost, and what a run costs.

    uv run python benchmarks/concurrent_logging.py [PROCESSES] [RUNS]

Every process starts in a new project at the same moment, so the store's first creation is part of
it. Then every value is read back and held against what was logged.
"""

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
from scratch import measure, scratch_project

PARAMS, METRICS, TAGS, ARTIFACTS = 30, 40, 5, 4
KINDS = ("runs", "params", "metrics", "tags", "artifacts")


def values(process: int, run: int) -> dict[str, dict]:
    """Return what a run logs; no two runs log the same."""
    key = f"{process}.{run}"
    return {
        "params": {f"p{i}": f"{key}.{i}" for i in range(PARAMS)},
        "metrics": {f"m{i}": process + run / 1000 + i / 1e6 for i in range(METRICS)},
        "tags": {f"t{i}": f"tag {key}.{i}" for i in range(TAGS)},
        "artifacts": {f"a{i}.txt": f"artifact {key}.{i}\n" * 500 for i in range(ARTIFACTS)},
    }


def log_runs(process: int, runs: int, start: "multiprocessing.Barrier") -> dict:
    """Log runs as fast as they go; return their ids, the seconds of each and the errors."""
    from mmm_demo.store.runs import open_run

    start.wait()
    made, seconds, errors = [], [], []
    for number in range(runs):
        told, started = values(process, number), time.perf_counter()
        try:
            with open_run(f"run {process}.{number}", "fit") as run:
                run.log(params=told["params"], metrics=told["metrics"], tags=told["tags"])
                for name, text in told["artifacts"].items():
                    run.log_text(text, name)
        except Exception as error:  # whatever it is, it is counted
            errors.append(f"{type(error).__name__}: {error}"[:200])
            continue
        made.append((process, number, run.run_id))
        seconds.append(time.perf_counter() - started)
    return {"made": made, "seconds": seconds, "errors": errors}


def _child(process: int, runs: int, start: "multiprocessing.Barrier", file: str) -> None:
    Path(file).write_text(json.dumps(log_runs(process, runs, start)))


def found(made: list[tuple[int, int, str]]) -> Counter:
    """Read every value back; count those that are what was logged."""
    from mlflow import MlflowClient

    client, right = MlflowClient(), Counter()
    for process, number, run_id in made:
        told, run = values(process, number), client.get_run(run_id)
        right["runs"] += run.info.status == "FINISHED"
        for kind in ("params", "metrics", "tags"):
            stored = getattr(run.data, kind)
            right[kind] += sum(stored.get(name) == value for name, value in told[kind].items())
        folder = Path(urlparse(run.info.artifact_uri).path)
        right["artifacts"] += sum(
            (folder / name).is_file() and (folder / name).read_text() == text
            for name, text in told["artifacts"].items()
        )
    return right


def work(processes: int, runs: int) -> None:
    """Log in the working directory's project and print the figures as JSON."""
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(processes)
    files = [f"done_{number}.json" for number in range(processes)]
    children = [
        spawn.Process(target=_child, args=(number, runs, start, file))
        for number, file in enumerate(files)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    done = [json.loads(Path(file).read_text()) for file in files]
    seconds = np.array([value for item in done for value in item["seconds"]])
    right = found([tuple(item) for each in done for item in each["made"]])
    print(
        json.dumps(
            {
                "found": right,
                "median": float(np.median(seconds)),
                "p95": float(np.quantile(seconds, 0.95)),
                "worst": float(seconds.max()),
                "errors": [error for item in done for error in item["errors"]],
            }
        )
    )


def main(most: int, runs: int) -> None:
    """Run the benchmark with one process and with many."""
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for processes in dict.fromkeys((1, most)):
        with scratch_project() as folder:
            command = [sys.executable, __file__, "work", str(processes), str(runs)]
            told = measure(command, folder).result()
        asked = processes * runs
        sizes = (1, PARAMS, METRICS, TAGS, ARTIFACTS)
        expected = {kind: asked * size for kind, size in zip(KINDS, sizes, strict=True)}
        kept = ", ".join(f"{kind} {told['found'][kind]} of {expected[kind]}" for kind in KINDS)
        print(f"{processes} processes x {runs} runs: {kept}, errors {len(told['errors'])}")
        print(
            f"  seconds per run: median {told['median']:.3f}, 95 % {told['p95']:.3f}, "
            f"worst {told['worst']:.3f}",
            flush=True,
        )
        for error in dict.fromkeys(told["errors"]):
            print(f"  {error}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(int(sys.argv[2]), int(sys.argv[3]))
    else:
        given = [int(word) for word in sys.argv[1:]]
        main(*(given + [8, 10][len(given) :]))
