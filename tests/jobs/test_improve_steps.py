"""`improve` in a real store: whom it refuses, what it leaves, and one real fit that is mended.

But for the last test, candidates are canned: judged by hand, with no worker.
"""

from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from dataclasses import replace

import pytest
import yaml
from conftest import all_runs, copy_project, run_command
from distributed import Client

import cluster
from helpers import PROJECT, PYTHON, contents
from mmm_demo.checks.gate import Check, GateRefused
from mmm_demo.jobs import improve as steps
from mmm_demo.jobs.improve import NotImprovableError, run_improve
from mmm_demo.settings.changes import changed, told
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.market import load_market
from mmm_demo.store.registry import find_alias
from mmm_demo.store.runs import find_run, open_run
from mmm_demo.sweeps.candidate import Candidate
from mmm_demo.sweeps.versions import versions
from mmm_demo.sweeps.worker import do_candidate
from mmm_demo.sweeps.workers import Workers, start_workers
from pages import assert_self_contained
from tried import LAG, judged, roas

LATER = Check("p_later_lags", "posterior_predictive", 1e-6, ">=", 0.01, "TV", "so it is")
FOLLOWS = Check("spend_follows_demand", "identification", 0.8, "<=", 0.5, "TV", "run a lift test")
LONGER = told(LAG)


class Canned(Executor):
    """Judges each candidate by what is written for it, in this process."""

    def __init__(self, base, answers):
        self.base, self.answers, self.asked = base, answers, []

    def submit(self, _, task, *__):
        future: Future = Future()
        lag = task.experiment.model.adstock_max_lag
        name = "" if task.experiment == self.base else f"lag {lag}"
        self.asked.append(name)
        answer = self.answers.get(name, self.answers[""])
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future


@pytest.fixture
def flagged(make_version, demo, store):
    """Make a version whose run passed with flags; returns its run's id."""

    def make(*flags, experiment=demo.experiment):
        report = demo.report
        kept = tuple(check for check in report.checks if check not in report.flags)
        made = make_version(experiment, report=replace(report, checks=(*kept, *flags)))
        find_run(made.run_id).log(tags={"gate": "passed", "mmm.kind": "fit"})
        return made.run_id

    return make


@pytest.fixture
def improve(project, demo, monkeypatch):
    """Improve a run with candidates that are canned."""

    def run(run_id, answers=None, experiment=demo.experiment):
        executor = Canned(experiment, {"": judged("p_later_lags"), **(answers or {})})

        @contextmanager
        def start(*_):
            yield Workers(executor, lambda: 2, (BrokenExecutor,))

        monkeypatch.setattr(steps, "start_workers", start)
        said: list[str] = []
        done = run_improve(run_id, project, said.append, workers=2)
        return done, said, executor

    return run


def runs_of(store, kind):
    return [run for run in all_runs(store) if run.data.tags["mmm.kind"] == kind][::-1]


# What it leaves


def test_every_candidate_is_a_run_of_its_own_below_the_jobs(improve, flagged, store):
    run_id = flagged(LATER)
    done, said, executor = improve(run_id, {"lag 13": judged()})
    (parent,) = runs_of(store, "improve")
    children = runs_of(store, "candidate")
    assert done.run.run_id == parent.info.run_id
    assert {run.info.status for run in all_runs(store)} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    changes = {run.data.params["improve.changes"]: run for run in children}
    assert set(changes) >= {"as it is", LONGER}
    longer = changes[LONGER].data
    assert (longer.tags["candidate.verdict"], longer.tags["candidate.flags"]) == ("usable", "none")
    assert longer.params["model.adstock.max_lag"] == "13"
    assert longer.metrics["score.crps"] == 50.0 and longer.metrics["gate.flags"] == 0.0
    assert longer.metrics["roas.TV"] == 2.0
    kept = {item.path for item in store.list_artifacts(changes[LONGER].info.run_id)}
    assert kept == {"checks.json", "experiment.yaml", "scores", "trace.nc"}
    assert executor.asked[:2] == ["", "lag 13"]
    assert f"{LONGER}: CRPS 50, 12 s; flags: none" in said
    assert parent.data.params["improve.recommended"] == LONGER
    assert (parent.data.metrics["improve.flags_before"], done.found.chosen) == (1.0, 1)
    assert parent.data.tags["market"] == "demo"


def test_the_recommended_fit_is_an_experiment_file_that_fit_takes(improve, flagged, demo, project):
    done, *_ = improve(flagged(LATER), {"lag 13": judged()})
    written = load_experiment(done.file)
    expected = changed(demo.experiment, LAG, "demo_improved")
    assert replace(written, description="") == replace(expected, description="")
    assert written.description.endswith("Improved by: model.adstock_max_lag: 13.")
    assert project / "outputs" / "experiments" in done.file.parents
    assert_self_contained(done.page.read_text("utf-8"))


def test_nothing_is_overwritten_promoted_or_changed(improve, flagged, project, store):
    run_id = flagged(LATER)
    before = find_run(run_id).client.get_run(run_id).data.to_dictionary()
    first, *_ = improve(run_id, {"lag 13": judged()})
    kept = contents(project / "outputs")
    second, *_ = improve(run_id, {"lag 13": judged()})
    assert first.file != second.file and first.page != second.page
    assert {name: of for name, of in contents(project / "outputs").items() if name in kept} == kept
    assert find_run(run_id).client.get_run(run_id).data.to_dictionary() == before
    assert find_alias("demo", "champion") is None
    assert len(store.search_model_versions("name = 'mmm_demo'")) == 1


def test_the_run_says_what_the_page_says(improve, flagged, store):
    done, *_ = improve(flagged(LATER, FOLLOWS), {"lag 13": judged()})
    (parent,) = runs_of(store, "improve")
    note = parent.data.tags["mlflow.note.content"]
    assert done._repr_markdown_() == note
    assert list(done.table["fit"][:2]) == ["as it is", LONGER]
    for words in (
        "Recommended: model",
        "it clears p_later_lags, leaves spend",
        "only an experiment",
    ):
        assert words in note.replace("\\", ""), words
    assert "run a lift test" in note


def test_what_happened_in_a_week_is_asked_and_never_made_up(improve, flagged, demo):
    broke = Check("residual_cusum", "posterior_predictive", 2.0, "<=", 1.36, "week 3 of 156")
    done, *_ = improve(flagged(LATER, broke), {"lag 13": judged()})
    (asked,) = [text for text in done.sentences if "data.events" in text]
    assert "what_happened,2023-01-16,2023-01-22" in asked
    assert load_experiment(done.file).data == demo.experiment.data


# Where there is nothing to recommend


def test_a_fit_without_flags_stays_as_it_is_and_nothing_is_fitted(improve, flagged, store):
    done, _, executor = improve(flagged())
    assert done.sentences == ("Nothing is flagged: leave it as it is.",)
    assert (done.found, done.file, executor.asked) == (None, None, [])
    assert done.page.is_file() and done.table.empty
    assert not runs_of(store, "candidate")


def test_what_only_an_experiment_can_clear_is_told_and_nothing_is_fitted(improve, flagged):
    done, _, executor = improve(flagged(FOLLOWS))
    assert executor.asked == [] and done.file is None
    first, second = done.sentences
    assert first.startswith("No setting of this version is known to clear its flags")
    assert second == (
        "No fit of these data can clear spend_follows_demand (TV), only an experiment: "
        "run a lift test."
    )


def test_candidates_that_disagree_are_not_recommended(improve, flagged):
    other = replace(judged(), roas=roas(tv=9.0))
    found, _, executor = improve(flagged(LATER), {"lag 13": judged(), "lag 26": judged()})
    done, _, executor = improve(
        flagged(LATER, replace(LATER, name="p_other_curve")),
        {"": judged("p_later_lags p_other_curve"), "lag 13": judged(), "lag 8": other},
    )
    assert "" in executor.asked and "lag 8" in executor.asked
    assert done.found.chosen is None and done.file is None
    assert "disagree on the ROAS of TV beyond their intervals" in done.sentences[0]
    assert found.found.chosen == 1


def test_a_candidate_that_did_not_converge_is_shown_and_not_recommended(improve, flagged, store):
    from helpers import good_report
    from mmm_demo.sweeps.candidate import Judged

    stuck = Judged(good_report(rhat_max=1.3), seconds=9.0, trace=b"draws")
    done, said, _ = improve(flagged(LATER), {"lag 13": stuck})
    assert done.file is None
    (row,) = [run for run in runs_of(store, "candidate") if "lag: 13" in run.info.run_name]
    assert row.data.tags["candidate.verdict"] == "refused"
    assert "rhat_max 1.3" in row.data.tags["candidate.reason"]
    assert "score.crps" not in row.data.metrics
    assert any("its gate refused it: rhat_max 1.3" in line for line in said)


# Whom it refuses


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"mmm.kind": "plan"}, "is of kind plan; only fits can be improved"),
        ({"mmm.kind": "fit"}, "ended before it was judged"),
        ({"mmm.kind": "fit", "gate": "failed"}, "the gate refused run"),
    ],
)
def test_a_run_that_no_candidate_can_be_held_against_is_refused(tags, words, store, project):
    with open_run("some", "fit") as run:
        run.log(tags=tags)
    before = len(all_runs(store))
    with pytest.raises(NotImprovableError, match=words):
        run_improve(run.run_id, project, print, workers=1)
    assert len(all_runs(store)) == before


def test_other_data_than_the_runs_are_refused_before_a_run_is_opened(flagged, demo, store, project):
    other = replace(demo.experiment, data=replace(demo.experiment.data, seed=2))
    run_id = flagged(LATER, experiment=other)
    with pytest.raises(NotImprovableError, match=r"weekly table of .* differ from those of run"):
        run_improve(run_id, project, print, workers=1)
    assert not runs_of(store, "improve")


def test_a_version_that_does_not_prove_its_pass_is_refused(flagged, store, project):
    run_id = flagged(LATER)
    (version,) = store.search_model_versions("name = 'mmm_demo'")
    store.set_model_version_tag(version.name, version.version, "sha256.trace.nc", "00")
    with pytest.raises(GateRefused):
        run_improve(run_id, project, print, workers=1)


def test_workers_that_die_leave_no_run_open(improve, flagged, store):
    with pytest.raises(RuntimeError, match="worker processes died, perhaps for want of memory"):
        improve(flagged(LATER), {"": BrokenExecutor(), "lag 13": BrokenExecutor()})
    assert {run.info.status for run in runs_of(store, "candidate")} == {"KILLED"}
    (parent,) = runs_of(store, "improve")
    assert parent.info.status == "FAILED"


# A real one


def flags_of(tag: str) -> set[str]:
    """Return the flags that a tag names; a fit's are in the order of its checks."""
    return {*tag.split(", ")} - {"none"}


def by_dask(folder, environment, run, client):
    """Fit the candidate of a run again, on a worker of a Dask scheduler."""
    experiment = load_experiment(client.download_artifacts(run.info.run_id, "experiment.yaml"))
    table = load_market(experiment.data, experiment.model, folder / "project").table
    scheduler = f"tcp://127.0.0.1:{cluster.free_port()}"
    command = cluster.documented("dask scheduler", scheduler)
    command += ["--port", scheduler.rpartition(":")[2], "--no-dashboard"]
    worker = [*cluster.documented("dask worker", scheduler), "--no-dashboard"]
    with (
        cluster.start(command, folder / "scheduler.log", environment),
        cluster.start(worker, folder / "worker.log", environment),
        Client(scheduler, timeout=60, set_as_default=False) as dask,
    ):
        dask.wait_for_workers(1, timeout=60)
        with start_workers(1, scheduler) as workers:
            task = Candidate(experiment, table, None)
            return workers.executor.submit(do_candidate, task, versions()).result()


@pytest.mark.slow
def test_a_carryover_that_is_longer_than_the_lag_is_mended_by_a_longer_one(
    tmp_path, user_environment
):
    """By the entry points of `mlflow run`, with real workers: flagged, mended, and fitted anew."""
    from faulty_worlds import simulate_world
    from mlflow import MlflowClient

    root = copy_project(tmp_path / "project")
    (root / "src").symlink_to(PROJECT / "src")
    simulate_world("wrong_adstock", 101).table.to_csv(root / "world.csv", index=False)
    experiment = {
        "name": "late",
        "market": "late",
        "data": {"source": "csv", "path": "world.csv"},
        "model": {
            "channel_columns": ["TV", "Radio", "Search", "Social"],
            "control_columns": ["Trend", "Promotion"],
            "adstock_max_lag": 4,
        },
        "evidence": {"folds": 2, "draws": 500, "tune": 300},
    }
    (root / "late.yaml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
    fit = (PYTHON, "-m", "mmm_demo.cli", "fit", "--experiment")
    fitted = run_command(root, user_environment, *fit, "late.yaml")
    assert fitted.code == 0, fitted.out + fitted.err
    assert "p_later_lags" in fitted.out
    assert "try model.adstock_max_lag: 13" in fitted.out
    uri = f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    (run,) = all_runs(client)
    assert f"mmm-demo improve {run.info.run_id[:8]}" in fitted.out

    words = ("-m", "mlflow", "run", ".", "--env-manager", "local", "-e", "improve")
    given = ("-P", f"run={run.info.run_id}", "-P", "workers=2")
    mended = run_command(root, user_environment, PYTHON, *words, *given)
    assert mended.code == 0, mended.out + mended.err
    (file,) = (root / "outputs" / "experiments").glob("late_improved_*.yaml")
    assert f"fit --experiment outputs/experiments/{file.name}" in mended.out
    (page,) = (root / "outputs" / "reports").glob("improve_late_*.html")
    assert_self_contained(page.read_text("utf-8"))
    (parent,) = [r for r in all_runs(client) if r.data.tags["mmm.kind"] == "improve"]
    better = parent.data.params["improve.recommended"]
    assert f"Recommended: {better}" in mended.out
    children = [r for r in all_runs(client) if r.data.tags["mmm.kind"] == "candidate"]
    by_name = {r.data.params["improve.changes"]: r.data for r in children}
    # The fit as it is, sampled again by a worker, is the fit that was flagged.
    found = flags_of(by_name["as it is"].tags["candidate.flags"])
    assert found == flags_of(run.data.tags["flags"]) != set()
    assert by_name["as it is"].metrics["roas.TV"] == pytest.approx(
        run.data.metrics["roas.TV"], rel=1e-12
    )
    assert "p_later_lags" not in by_name["model.adstock_max_lag: 13"].tags["candidate.flags"]
    assert "p_later_lags" not in by_name[better].tags["candidate.flags"]

    (longer,) = [r for r in children if r.data.params["improve.changes"] == LONGER]
    far = by_dask(tmp_path, user_environment, longer, client)
    assert {check.name for check in far.report.flags} == flags_of(
        longer.data.tags["candidate.flags"]
    )
    assert far.roas.set_index("channel")["median"]["TV"] == pytest.approx(
        longer.data.metrics["roas.TV"], rel=1e-12
    )

    again = run_command(root, user_environment, *fit, str(file.relative_to(root)))
    assert again.code == 0, again.out + again.err
    last = all_runs(client)[0].data
    assert flags_of(last.tags["flags"]) == flags_of(by_name[better].tags["candidate.flags"])
    mended = by_name[better].metrics["roas.TV"]
    assert last.metrics["roas.TV"] == pytest.approx(mended, rel=1e-12)
