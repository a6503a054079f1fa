"""A sweep in a real store and a real study, whose trials are canned: no worker, no fit."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import all_runs
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.storages.journal import JournalFileBackend

from helpers import plain_experiment, small_model
from mmm_demo.jobs import sweep as sweep_steps
from mmm_demo.jobs.sweep import SweepResult, run_sweep
from mmm_demo.settings.sweep import Space
from mmm_demo.sweeps.search import Link
from mmm_demo.sweeps.trial import Task, TrialResult
from mmm_demo.sweeps.workers import Workers

LAG, MODES = "model.adstock_max_lag", "model.yearly_seasonality"
SEARCH = {LAG: [2, 3], MODES: [1, 2]}
Do = Callable[[Link, Task], TrialResult]


class Killed(BaseException):
    """In place of a SIGKILL."""


def write_sweep(root: Path, search: Any = None, **settings: Any) -> Space:
    """Write a sweep of a small market into a project and read it."""
    base = plain_experiment(data={"weeks": 104}, model=small_model(control_columns=[]))
    (root / "small.yaml").write_text(yaml.safe_dump(base))
    given = {"name": "s", "experiment": "small.yaml", "sampler": "grid", "search": search or SEARCH}
    (root / "sweep.yaml").write_text(yaml.safe_dump(given | settings, sort_keys=False))
    return Space.load("sweep.yaml", root)


def value_of(task: Task) -> float:
    """Return what a trial comes to: its settings alone decide it."""
    model = task.experiment.model
    return 10.0 * model.adstock_max_lag + model.yearly_seasonality


def passing(_: Link, task: Task) -> TrialResult:
    """Pass, with a table, a metric and a trace."""
    value = value_of(task)
    tables = {"scores/roas.csv": pd.DataFrame({"channel": ["TV"], "median": [value]})}
    return TrialResult("passed", "", value, {"score.crps": value}, tables, f"{value}".encode())


class Inline(Executor):
    """Does each trial at once, in this process."""

    def __init__(self, do: Do) -> None:
        self.do, self.done = do, Counter()

    def submit(self, _: Any, link: Link, task: Task, *__: Any) -> Future:
        future: Future = Future()
        self.done[task.experiment.name] += 1
        try:
            future.set_result(self.do(link, task))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def canned(do: Do = passing, count: int = 2, pictures: bool = False) -> Iterator[Inline]:
    """Trials are done by a function; pictures are left out unless asked for."""
    executor = Inline(do)

    @contextmanager
    def start(*_: Any, **__: Any) -> Iterator[Workers]:
        yield Workers(executor, lambda: count, (BrokenExecutor,))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_steps, "start_workers", start)
        patch.setattr("os.fsync", lambda _: None)
        if not pictures:
            patch.setattr(sweep_steps, "sweep_figures", lambda *_: [])
        yield executor


def sweep(space: Space, root: Path, said: list[str] | None = None, **asked: Any) -> SweepResult:
    """Do a sweep."""
    told = said if said is not None else []
    tell = lambda number, line, best: told.append(f"{number} {line}; {best}")  # noqa: E731
    return run_sweep(space, root, told.append, tell, workers=2, **asked)


# Whatever a sweep writes anywhere but under outputs/.
WRITES = [
    (MlflowClient, name)
    for name in (
        "create_run",
        "update_run",
        "log_batch",
        "log_text",
        "log_artifact",
        "set_terminated",
        "set_tag",
    )
] + [(JournalFileBackend, "append_logs")]


@contextmanager
def killed_at(write: int, done: bool) -> Iterator[list[str]]:
    """Die at the so many-th write, before or after it is done; nothing is written after it."""
    names: list[str] = []
    dead: list[bool] = []

    def deadly(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def write_or_die(*given: Any, **named: Any) -> Any:
            if dead:
                raise Killed
            names.append(name)
            if len(names) == write:
                dead.append(True)
                if done:
                    real(*given, **named)
                raise Killed
            return real(*given, **named)

        return write_or_die

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in WRITES:
            patch.setattr(owner, name, deadly(name, getattr(owner, name)))
        yield names


def runs_of(client: MlflowClient, kind: str) -> list[Run]:
    """Return the runs of a kind, the first first."""
    runs = [run for run in all_runs(client) if run.data.tags.get("mmm.kind") == kind]
    return sorted(runs, key=lambda run: int(run.data.tags.get("optuna.trial", 0)))
