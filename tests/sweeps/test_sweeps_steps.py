"""A whole sweep in a real store: its runs, its results, and what a process leaves that dies.

The trials are canned (`swept`); a study with real workers is `test_cluster`'s business.
"""

import os
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import all_runs, copy_project, enter_store
from mlflow import MlflowClient

from mmm_demo.fits.ladder import MOST_COMPILED
from mmm_demo.jobs.sweep import IDENTITY, JOURNAL, _data_sha256, run_sweep, trials_each
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.run_schema import SALES_PARAM
from mmm_demo.settings.sweep import Space
from mmm_demo.store.locks import locked
from mmm_demo.store.runs import StoreError, experiment_id
from mmm_demo.sweeps.trial import TrialResult
from mmm_demo.tables.lift import COLUMNS
from swept import (
    LAG,
    MODES,
    SEARCH,
    Killed,
    canned,
    killed_at,
    passing,
    runs_of,
    sweep,
    write_sweep,
)


@pytest.fixture
def space(store, project):
    return write_sweep(project)


def statuses(client: MlflowClient) -> set[str]:
    return {run.info.status for run in all_runs(client)}


# A sweep


@pytest.fixture(scope="module")
def make(store_template, tmp_path_factory):
    """Make projects with a sweep and a store of their own."""
    with pytest.MonkeyPatch.context() as patch:

        def make(search):
            root = copy_project(tmp_path_factory.mktemp("swept") / "project")
            enter_store(patch, root, store_template)
            return write_sweep(root, search), root, MlflowClient()

        yield make


@pytest.fixture(scope="module")
def done(make):
    """One sweep for all that only look at what came of it."""
    space, root, client = make(SEARCH)
    said: list[str] = []
    with canned(pictures=True) as executor:
        result = sweep(space, root, said)
    settings = {name: os.environ[name] for name in os.environ if name.startswith("MLFLOW_")}
    return SimpleNamespace(
        space=space, root=root, client=client, result=result, executor=executor, said=said,
        settings=settings,
    )  # fmt: skip


def test_a_sweep_is_a_run_with_a_child_for_each_trial(done):
    result, executor, store = done.result, done.executor, done.client
    (parent,) = runs_of(store, "sweep")
    children = runs_of(store, "trial")
    assert parent.info.run_id == result.run.run_id
    assert statuses(store) == {"FINISHED"}
    assert len(all_runs(store)) == 5
    assert [run.data.tags["optuna.trial"] for run in children] == ["0", "1", "2", "3"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert set(executor.done.values()) == {1}
    assert parent.data.tags["sweep"] == "s"
    assert parent.data.tags["market"] == "small"
    assert parent.data.params["sweep.sampler"] == "grid"
    assert len(parent.data.params[SALES_PARAM]) == 64


def test_its_results_are_in_the_run_and_under_outputs(done):
    result, said, store, project = done.result, done.said, done.client, done.root
    (parent,) = runs_of(store, "sweep")
    metrics = parent.data.metrics
    assert (metrics["sweep.passed"], metrics["sweep.best"]) == (4.0, 21.0)
    assert result.best.value == result.trials["value"].min() == 21.0
    assert dict(result.best.choice) == {LAG: 2, MODES: 1}
    (table,) = (project / "outputs" / "tables").iterdir()
    stored = pd.read_csv(table)
    assert list(stored["value"]) == list(result.trials["value"])
    assert sorted(stored["value"]) == [21.0, 22.0, 31.0, 32.0]
    folder = "plots/diagnostics"
    plots = [item.path for item in store.list_artifacts(parent.info.run_id, folder)]
    for name in ("history", "importance", "slices"):
        assert [path for path in plots if path.endswith(f"{name}.png")], name
    page = parent.data.tags["mlflow.note.content"]
    assert "4 of 4 trials passed" in page
    assert [line.split(maxsplit=1)[0] for line in said] == ["1", "2", "3", "4"]
    assert said[-1].endswith("; CRPS 21 (trial 2)")


def test_the_best_is_an_experiment_file_that_a_fit_takes(done):
    result, space, project, store = done.result, done.space, done.root, done.client
    best = load_experiment(result.file)
    assert best == space.experiment(result.best.choice, "s_best")
    assert (best.model.adstock_max_lag, best.model.yearly_seasonality) == (2, 1)
    assert project in result.file.parents
    items = store.list_artifacts(result.run.run_id, "experiments")
    assert [item.path for item in items] == ["experiments/s_4_trials_best.yaml"]


def test_a_sweep_that_was_done_makes_no_new_run(done, monkeypatch):
    space, project, store = done.space, done.root, done.client
    for name, value in done.settings.items():
        monkeypatch.setenv(name, value)
    before = {run.info.run_id: run.info.end_time for run in all_runs(store)}
    said: list[str] = []
    with canned() as executor:
        again = sweep(space, project, said)
    assert executor.done == {}
    assert {run.info.run_id: run.info.end_time for run in all_runs(store)} == before
    assert said == [f"all 4 trials were done before, by run {done.result.run.run_id}"]
    assert again.file is None
    assert again.best == done.result.best
    pd.testing.assert_frame_equal(again.trials, done.result.trials)


def test_a_sweep_with_more_trials_goes_on_in_the_same_run(store, project):
    values, said = {MODES: {"low": 0, "high": 10}, LAG: {"low": 1, "high": 20}}, []
    with canned() as executor:
        for trials in (2, 2, 5, 3):
            space = write_sweep(project, values, sampler="random", trials=trials)
            result = sweep(space, project, said)
    assert len(runs_of(store, "sweep")) == 1
    assert len(runs_of(store, "trial")) == 5 == len(executor.done)
    assert len(result.trials) == 5
    assert statuses(store) == {"FINISHED"}
    assert "2 of 5 trials were done before" in said
    assert len(list((project / "outputs" / "experiments").iterdir())) == 2


def test_another_search_is_another_sweep(project, store):
    with canned():
        runs = {sweep(write_sweep(project, {LAG: lags}), project).run.run_id
                for lags in ([2, 3], [3, 2], [2, 4])}  # fmt: skip
    assert len(runs) == 3
    assert len(runs_of(store, "trial")) == 6


def test_a_sweep_goes_on_when_its_experiment_file_was_moved(space, project, store):
    with canned(), killed_at(12, done=True), pytest.raises(Killed):
        sweep(write_sweep(project, {LAG: [2, 3]}), project)
    (project / "moved").mkdir()
    (project / "small.yaml").rename(project / "moved" / "small.yaml")
    given = yaml.safe_load((project / "sweep.yaml").read_text())
    given["experiment"] = "moved/small.yaml"
    (project / "sweep.yaml").write_text(yaml.safe_dump(given, sort_keys=False))
    with canned():
        sweep(Space.load("sweep.yaml", project), project)
    assert len(runs_of(store, "sweep")) == 1


def test_where_nothing_passes_there_is_no_file_and_the_page_says_so(space, project, store):
    with canned(lambda *_: TrialResult("failed", "rhat_max 1.5", metrics={"gate.rhat_max": 1.5})):
        result = sweep(space, project)
    assert result.best is None
    assert result.file is None
    assert not (project / "outputs" / "experiments").exists()
    (parent,) = runs_of(store, "sweep")
    assert parent.data.metrics == {"sweep.failed": 4.0}
    assert "No trial passed" in parent.data.tags["mlflow.note.content"]
    assert statuses(store) == {"FINISHED"}
    for run in runs_of(store, "trial"):
        assert run.data.tags["trial.reason"] == "rhat_max 1.5"
        assert run.data.tags["trial.verdict"] == "failed"
        assert not [name for name in run.data.metrics if not name.startswith("gate.")]


def test_lift_tests_are_part_of_the_data(space, project, monkeypatch):
    from mmm_demo.sources.market import load_market

    plain = load_market(space.base.data, space.base.model, project)
    day = plain.table["Week"].iloc[5]
    tests = pd.DataFrame([("TV", 1e4, 1e4, 2e4, 1e4, day)], columns=list(COLUMNS))
    changed = tests.assign(delta_y=3e4)
    seen = {
        _data_sha256(type(plain)(plain.table, plain.source, lift_tests=of))
        for of in (None, tests, changed)
    }
    assert len(seen) == 3


# Errors


def test_an_error_leaves_no_run_running_and_the_sweep_goes_on(space, project, store):
    calls = []

    def broken(link: Any, task: Any) -> TrialResult:
        calls.append(task.experiment.name)
        if len(calls) == 3:
            raise ZeroDivisionError
        return passing(link, task)

    with canned(broken), pytest.raises(ZeroDivisionError):
        sweep(space, project)
    assert runs_of(store, "sweep")[0].info.status == "FAILED"
    assert statuses(store) <= {"FAILED", "KILLED", "FINISHED"}
    with canned() as executor:
        result = sweep(space, project)
    assert sum(executor.done.values()) < 4
    assert list(result.trials["value"].sort_values()) == [21.0, 22.0, 31.0, 32.0]
    assert len(all_runs(store)) == 5
    assert statuses(store) == {"FINISHED"}


def test_ctrl_c_ends_every_run_as_killed(space, project, store):
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with canned(), pytest.raises(KeyboardInterrupt):
        run_sweep(space, project, lambda _: None, interrupt, workers=2)
    assert runs_of(store, "sweep")[0].info.status == "KILLED"
    # One ended and was told of; the other was done, but nobody had looked.
    assert sorted(run.info.status for run in runs_of(store, "trial")) == ["FINISHED", "KILLED"]
    with canned():
        assert len(sweep(space, project).trials) == 4
    assert statuses(store) == {"FINISHED"}


@pytest.mark.parametrize("place", ["future", "submit"])
def test_a_worker_that_died_is_a_clear_error(space, project, store, place):
    def dead(*_: Any) -> TrialResult:
        raise BrokenProcessPool("a child was killed")

    with canned(dead) as executor, pytest.raises(RuntimeError) as broken:
        if place == "submit":
            executor.submit = dead
        sweep(space, project)
    assert not isinstance(broken.value, BrokenExecutor)
    for words in ("worker processes died", "a child was killed", "run the same command again"):
        assert words in str(broken.value)
    assert statuses(store) == {"FAILED", "KILLED"}
    with canned():
        assert len(sweep(space, project).trials) == 4
    assert statuses(store) == {"FINISHED"}
    assert len(all_runs(store)) == 5


def test_a_store_that_is_gone_is_said_so(space, project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "no-such-store://x")
    with canned(), pytest.raises(StoreError, match="no-such-store"):
        sweep(space, project)


def test_workers_elsewhere_need_a_database_that_they_can_read(store, project):
    space = write_sweep(project, sampler="random", trials=3)
    with canned(), pytest.raises(ValueError, match=r"tcp://far:1.* --storage postgresql"):
        sweep(space, project, scheduler="tcp://far:1")
    assert all_runs(store) == []


# Kills

WRITES = 48  # of a sweep of two trials


@pytest.fixture
def two(make):
    """Make new projects with a sweep of two trials."""
    return lambda: make({LAG: [2, 3]})


def test_a_sweep_writes_as_often_as_is_said_here(two):
    space, root, _ = two()
    with canned(), killed_at(0, done=False) as names:
        sweep(space, root)
    assert len(names) == WRITES, "set WRITES, so that the test below dies up to the last write"


# Most of the others were tried as well. 2 and 13 make runs, 29 ends a trial, 30 to 33 tell the
# study, 44 publishes, 47 says that it did, 48 ends the run.
@pytest.mark.slow
@pytest.mark.parametrize("write", [2, 13, 27, 29, 32, 44, WRITES - 1, WRITES])
def test_a_sweep_that_was_killed_ends_with_one_run_and_one_value_per_trial(two, write):
    space, root, client = two()
    with canned(), killed_at(write, done=write != WRITES), pytest.raises(Killed):
        sweep(space, root)
    assert "RUNNING" in statuses(client) or write <= 2
    with canned() as executor:
        result = sweep(space, root)
        assert sum(executor.done.values()) <= 2
    assert statuses(client) == {"FINISHED"}
    (parent,) = runs_of(client, "sweep")
    children = runs_of(client, "trial")
    assert len(all_runs(client)) == 3
    assert [run.data.tags["optuna.trial"] for run in children] == ["0", "1"]
    assert list(result.trials["number"]) == [0, 1]
    assert set(result.trials["value"]) == {22.0, 32.0}
    for run, row in zip(children, result.trials.itertuples(), strict=True):
        assert run.data.metrics["score.crps"] == row.value
        names = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert names == {"experiment.yaml", "scores", "trace.nc"}
    assert parent.data.metrics["sweep.best"] == 22.0
    assert result.best.value == 22.0
    files = list((root / "outputs" / "experiments").iterdir())
    assert load_experiment(files[0]).model.adstock_max_lag == 2
    with canned() as executor:
        sweep(space, root)
    assert executor.done == {}
    assert len(all_runs(client)) == 3


@pytest.mark.slow
def test_a_sweep_that_is_killed_again_and_again_comes_to_its_end(space, project, store):
    deaths = 0
    space = write_sweep(project, {LAG: [2, 3]})
    while True:
        try:
            with canned(), killed_at(9 + 2 * deaths, done=deaths % 2 == 0):
                result = sweep(space, project)
            break
        except Killed:
            deaths += 1
    assert deaths > 2
    assert sorted(result.trials["value"]) == [22.0, 32.0]
    assert len(all_runs(store)) == 3
    assert statuses(store) == {"FINISHED"}


# Two at once, and `mlflow run`


@pytest.mark.slow
@pytest.mark.parametrize("address", [None, "sqlite"])
def test_two_processes_never_do_the_same_sweep_at_once(space, project, store, address):
    storage = None if address is None else f"sqlite:///{project / 'mlruns' / 'studies.db'}"
    held, said = ExitStack(), []

    def say(text: str) -> None:
        said.append(text)
        if "another process" in text:
            assert runs_of(store, "sweep") == []
            held.close()

    with canned():
        first = sweep(write_sweep(project, {LAG: [2, 3]}), project, storage=storage)
        (run,) = runs_of(store, "sweep")
        store.delete_run(run.info.run_id)
        lockable = storage or f"sqlite:///{project / JOURNAL}"
        held.enter_context(locked(lockable, f"sweep-{run.data.tags[IDENTITY]}"))
        space = write_sweep(project, {LAG: [2, 3]})
        second = run_sweep(space, project, say, lambda *_: None, workers=1, storage=storage)
    assert said[0] == "another process does the sweep s; waiting for it"
    assert second.best.value == first.best.value


def test_the_run_of_mlflow_run_is_the_sweeps_own(space, project, store, monkeypatch):
    given = store.create_run(experiment_id(), run_name="bold-crane-7").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    with canned():
        result = sweep(space, project)
    assert result.run.run_id == given
    assert store.get_run(given).info.run_name == "sweep s"
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs_of(store, "trial")}
    assert parents == {given}


def test_a_resumed_sweep_stays_in_its_first_run_whatever_mlflow_run_opened(
    space, project, store, monkeypatch
):
    with canned(), killed_at(30, done=True), pytest.raises(Killed):
        sweep(space, project)
    (first,) = runs_of(store, "sweep")
    given = store.create_run(experiment_id()).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    with canned():
        result = sweep(space, project)
    assert result.run.run_id == first.info.run_id
    assert len(runs_of(store, "trial")) == 4
    adopted = store.get_run(given)
    assert adopted.data.tags["mmm.continues_run"] == first.info.run_id
    assert adopted.info.status == "RUNNING"  # MLflow ends it when the command ends
    assert {run.info.status for run in all_runs(store) if run.info.run_id != given} == {"FINISHED"}


# Memory of workers


@pytest.mark.parametrize(
    ("search", "each"),
    [
        ({LAG: [2, 3, 4, 5, 6, 7, 8, 9, 10]}, None),  # lags share a graph
        ({MODES: [0, 1, 2, 3]}, None),
        ({MODES: [0, 1, 2, 3], "model.saturation": ["logistic", "s_shaped"]}, None),
        ({MODES: [0, 1, 2, 3, 4, 5, 6], "model.saturation": ["logistic", "s_shaped"]},
         MOST_COMPILED),
        ({MODES: {"low": 0, "high": 10}, "model.priors.y_sigma.sigma": [0.1, 0.2]}, None),
        ({"data.groups": [{"B": ["TV", "Radio"]}, {"B": ["TV", "Search"]}],
          "model.channel_columns": [["B"], ["B", "Social"]]}, None),
    ],
)  # fmt: skip
def test_a_worker_makes_place_only_where_it_would_keep_many_graphs(project, search, each):
    assert trials_each(write_sweep(project, search)) == each
