"""Single trials and their runs: what is logged, what cannot be fitted, how many are at work."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest
from conftest import all_runs

from mmm_demo.settings.experiment_file import from_dict
from mmm_demo.settings.run_schema import SALES_PARAM
from mmm_demo.settings.yaml_file import read_mapping
from mmm_demo.store.runs import open_run
from mmm_demo.sweeps.runs import REASON, TRIAL, VERDICT, Trials
from mmm_demo.sweeps.search import Search
from mmm_demo.sweeps.trial import Task, TrialResult
from mmm_demo.sweeps.versions import versions
from mmm_demo.sweeps.worker import do_trial
from swept import LAG, MODES, Inline, canned, passing, runs_of, value_of, write_sweep


class Asking(Inline):
    """Does nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(passing)
        self.asked: list[tuple[Any, ...]] = []

    def submit(self, do: Any, *given: Any) -> Any:
        self.asked.append((do, *given))
        return super().submit(do, *given)


@pytest.fixture(autouse=True)
def quick():
    """Nothing waits for the disk."""
    with canned():
        yield


def make_trials(space, root, run, executor, told=None):
    search = Search(str(root / "studies.log"), space.sweep, "i")
    told = [] if told is None else told
    return Trials(run, space, search, executor, root, lambda *said: told.append(said))


def work_off(space, root, executor, said: list | None = None) -> Trials:
    """Do all trials, one after the other."""
    with open_run("sweep s", "sweep") as run:
        trials = make_trials(space, root, run, executor, said)
        while trials.start_next():
            if trials.running:
                trials.settle()
    return trials


def of_trial(store, number: int):
    return runs_of(store, "trial")[number]


# What a trial is


def test_a_worker_is_told_all_that_it_needs(store, project):
    space = write_sweep(project, seed=7, draws=600, tune=400, folds=4, objective="elpd")
    executor = Asking()
    trials = work_off(space, project, executor)
    do, link, task, asked = executor.asked[0]
    assert do is do_trial
    assert asked == versions()
    assert link.study == trials.search.name
    assert not link.stops_early
    assert task.table.equals(trials._sales.table)
    assert task.lift_tests is None
    assert (task.objective, task.longest_lag) == ("elpd", 8)
    assert (task.sampling.folds, task.sampling.draws, task.sampling.tune) == (4, 600, 400)
    assert task.sampling.horizon_weeks == space.base.evidence.horizon_weeks
    assert task.experiment.sampler.seed == 7
    keys = {given[1].key for given in executor.asked}
    assert len(keys) == 4 == len({value_of(given[2]) for given in executor.asked})


def test_a_trial_is_a_run_that_can_be_compared_and_fitted_again(store, project):
    space = write_sweep(project)
    trials = work_off(space, project, Inline(passing))
    for run in runs_of(store, "trial"):
        number = int(run.data.tags[TRIAL])
        row = trials.search.table().iloc[number]
        choice = {LAG: row[LAG], MODES: row[MODES]}
        params = run.data.params
        assert {name: params[f"sweep.{name}"] for name in choice} == {
            name: str(value) for name, value in choice.items()
        }
        assert params["model.adstock.max_lag"] == str(row[LAG])
        assert params["experiment.name"] == f"s_{number}"
        assert len(params["data.sha256"]) == len(params[SALES_PARAM]) == 64
        assert (run.data.tags[VERDICT], run.data.tags[REASON]) == ("passed", "none")
        assert run.data.metrics["score.crps"] == row["value"]
        folder = store.download_artifacts(run.info.run_id, "", str(project))
        stored = read_mapping(f"{folder}/experiment.yaml", "experiment", "experiments")
        expected = space.experiment(choice, f"s_{number}")
        assert from_dict(stored, "stored") == expected
        assert pd.read_csv(f"{folder}/scores/roas.csv")["median"].item() == row["value"]
        assert (project / "trace.nc").read_bytes() == str(row["value"]).encode()


def test_each_trial_is_told_with_the_best_so_far(store, project):
    said: list[tuple[int, str, str]] = []

    def some(link, task: Task) -> TrialResult:
        if task.experiment.model.yearly_seasonality == 2:
            return TrialResult("pruned", "worse than the best")
        return passing(link, task)

    work_off(write_sweep(project), project, Inline(some), said)
    assert [finished for finished, _, _ in said] == [1, 2, 3, 4]
    passed = [line for _, line, _ in said if "passed, CRPS " in line]
    pruned = [line for _, line, _ in said if "pruned (adstock_max_lag" in line]
    assert (len(passed), len(pruned)) == (2, 2)
    assert said[-1][2].startswith("CRPS 21 (trial ")


def test_there_is_no_best_before_one_passes(store, project):
    said: list[tuple[int, str, str]] = []
    work_off(write_sweep(project), project, Inline(lambda *_: TrialResult("failed", "no")), said)
    assert {best for _, _, best in said} == {"none passed yet"}


# What cannot be fitted


@pytest.mark.parametrize(
    ("search", "failed", "reason"),
    [
        (
            {MODES: [1, 2], "model.priors.gamma_fourier.b": [0.1, [0.1, 0.2, 0.1, 0.2]]},
            1,
            "b needs 2 values, one for each, got 4",
        ),
        ({"data.seed": [1, 2]}, 1, "it explains other weeks or sales than the sweep's experiment"),
        ({"data.weeks": [104, 130]}, 1, "it explains other weeks or sales"),
        ({"model.channel_columns": [["TV"], ["TV", "Cinema"]]}, 1, "Cinema"),
        ({"data.missing_spend": ["zero", "error"]}, 0, ""),
    ],
)
def test_what_cannot_be_fitted_is_a_failed_trial_without_a_worker(
    store, project, search, failed, reason
):
    executor = Inline(passing)
    trials = work_off(write_sweep(project, search), project, executor)
    table = trials.search.table()
    assert list(table["verdict"]).count("failed") == failed
    assert sum(executor.done.values()) == len(table) - failed
    for number in table.loc[table["verdict"] == "failed", "number"]:
        assert reason in table["reason"][number]
        run = of_trial(store, number)
        assert reason in run.data.tags[REASON]
        assert run.data.tags[VERDICT] == "failed"
        assert run.info.status == "FINISHED"
        assert run.data.metrics == {}


def test_a_file_that_is_not_there_is_no_verdict_on_a_trial(store, project):
    """It may be put there, and the sweep goes on: nothing is decided, and no run stays open."""
    elsewhere = {"data.source": "csv", "data.path": "nope.csv", "data.seed": 1}
    space = write_sweep(project, {"data": {"csv": elsewhere, "simulated": {}}})
    with open_run("sweep s", "sweep") as run:
        trials = make_trials(space, project, run, Inline(passing))
        with pytest.raises(FileNotFoundError, match=r"nope\.csv"):
            while trials.start_next():
                pass
        assert "RUNNING" in {child.info.status for child in runs_of(store, "trial")}
        trials.abandon()
    assert {child.info.status for child in runs_of(store, "trial")} == {"KILLED"}
    assert "failed" not in set(trials.search.table()["verdict"])


def test_tables_are_read_once_for_all_trials_that_share_them(store, project, monkeypatch):
    from mmm_demo.sweeps import runs as sweep_trials

    read = []
    real = sweep_trials.load_market
    monkeypatch.setattr(sweep_trials, "load_market", lambda *a: read.append(a) or real(*a))
    work_off(write_sweep(project, {MODES: [1, 2, 3]}), project, Inline(passing))
    assert len(read) == 1


def test_channels_may_be_grouped_and_controls_added(store, project):
    groups = {"data.groups": {"B": ["TV", "Radio"]}, "model.channel_columns": ["B"]}
    executor = Asking()
    search = {"size": {"all": {}, "grouped": groups}, "model.control_columns": [[], ["Trend"]]}
    table = work_off(write_sweep(project, search), project, executor).search.table()
    assert set(table["verdict"]) == {"passed"}
    columns = {tuple(task.table.columns[2:]) for _, _, task, _ in executor.asked}
    assert columns == {("TV", "Radio"), ("B",), ("TV", "Radio", "Trend"), ("B", "Trend")}


# At work


def test_trials_run_at_once_and_each_ends_as_itself(store, project):
    overtaken, ended = threading.Event(), []

    def slow(link, task: Task) -> TrialResult:
        if task.experiment.name == "s_0":
            assert overtaken.wait(30)  # it would wait in vain, if trials were done one by one
        elif len(ended) >= 3:
            overtaken.set()
        ended.append(task.experiment.name)
        return passing(link, task)

    class Pool(ThreadPoolExecutor):
        def submit(self, _, link, task, *__):
            return super().submit(slow, link, task)

    space = write_sweep(project, {LAG: [2, 3], MODES: [0, 1, 5]})
    with open_run("sweep s", "sweep") as run, Pool(3) as pool:
        trials = make_trials(space, project, run, pool)
        while True:
            while len(trials.running) < 3 and trials.start_next():
                pass
            if not trials.running:
                break
            trials.settle()
    assert ended.index("s_0") > 2
    table = trials.search.table()
    assert list(table["value"]) == list(10.0 * table[LAG] + table[MODES])
    for run in runs_of(store, "trial"):
        number = int(run.data.tags[TRIAL])
        assert run.data.metrics["score.crps"] == table["value"][number]


def test_an_outcome_that_cannot_be_recorded_leaves_no_run_open(store, project, monkeypatch):
    space = write_sweep(project, {LAG: [2, 3]})
    with open_run("sweep s", "sweep") as run:
        trials = make_trials(space, project, run, Inline(passing))
        while trials.start_next():
            pass
        with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):

            def full(*_: Any) -> None:
                raise OSError("disk full")

            patch.setattr(type(run), "log_text", full)
            trials.settle()
        trials.abandon()
    assert {child.info.status for child in runs_of(store, "trial")} == {"KILLED"}
    assert trials.search.finished == 0


def test_the_search_goes_on_under_the_number_of_each_run(store, project):
    """Two runs with the same number below two sweeps are not taken for each other."""
    space = write_sweep(project)
    work_off(space, project, Inline(passing))
    (project / "studies.log").unlink()
    work_off(space, project, Inline(passing))
    assert len(runs_of(store, "trial")) == 8
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs_of(store, "trial")}) == 2
    assert len(all_runs(store)) == 10
