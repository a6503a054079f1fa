"""Runs in a real MLflow store: opened once, adopted once, never left running."""

import math
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.store.entities import PagedList

from mmm_demo.fits.trace import table_sha256
from mmm_demo.settings.project import EXPERIMENT_NAME
from mmm_demo.store import runs
from mmm_demo.store.process import process_tags
from mmm_demo.store.runs import (
    Run,
    RunNotFoundError,
    close_if_open,
    close_run,
    create_child,
    find_run,
    git_tags,
    open_run,
    reopen_run,
)


def all_runs(client: MlflowClient) -> list:
    return client.search_runs([item.experiment_id for item in client.search_experiments()])


def git(folder: Path, *words: str) -> str:
    name = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(folder), *name, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# Opening and closing


def test_a_run_ends_finished_in_the_projects_experiment(store):
    with open_run("demo", "fit") as run:
        assert store.get_run(run.run_id).info.status == "RUNNING"
    done = store.get_run(run.run_id)
    assert done.info.status == "FINISHED"
    assert done.info.run_name == "demo"
    assert done.data.tags["mmm.kind"] == "fit"
    assert done.data.tags["mlflow.user"]
    assert store.get_experiment(done.info.experiment_id).name == EXPERIMENT_NAME


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError, "FAILED"), (SystemExit, "FAILED"), (KeyboardInterrupt, "KILLED")],
)
def test_a_run_that_breaks_off_says_so_and_has_no_verdict(store, error, status):
    with pytest.raises(error), open_run("demo", "fit") as run:
        raise error
    done = store.get_run(run.run_id)
    assert done.info.status == status
    assert done.info.end_time is not None
    assert "gate" not in done.data.tags


def test_a_run_that_breaks_while_it_opens_is_not_left_running(store, monkeypatch):
    def broken() -> dict[str, str]:
        raise OSError("no git today")

    monkeypatch.setattr(runs, "git_tags", broken)
    with pytest.raises(OSError, match="no git today"), open_run("demo", "fit"):
        pass
    assert [run.info.status for run in all_runs(store)] == ["FAILED"]


def test_the_run_of_mlflow_run_is_adopted_once(store, monkeypatch):
    experiment = store.create_experiment("of mlflow run")
    given = store.create_run(experiment, run_name="bold-crane-7").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment)
    with open_run("demo", "fit") as first:
        assert first.run_id == given
        with open_run("inner", "plan", first) as inner:
            pass
    with open_run("demo", "fit") as second:
        pass
    assert len({given, inner.run_id, second.run_id}) == 3
    assert len(all_runs(store)) == 3
    assert {run.info.experiment_id for run in all_runs(store)} == {experiment}
    adopted = store.get_run(given)
    assert (adopted.info.run_name, adopted.info.status) == ("demo", "FINISHED")


def test_an_adopted_run_that_crashes_ends_failed(store, monkeypatch):
    given = store.create_run(store.create_experiment("x")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    with pytest.raises(ZeroDivisionError), open_run("demo", "fit"):
        raise ZeroDivisionError
    assert store.get_run(given).info.status == "FAILED"


def test_an_unknown_run_to_adopt_is_refused_before_anything_is_made(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    with pytest.raises(RunNotFoundError, match="0 runs start with"), open_run("demo", "fit"):
        pass
    assert all_runs(store) == []


def test_a_child_run_lies_beside_its_parent_and_names_it(store):
    with open_run("demo", "fit") as parent, open_run("plan", "plan", parent) as child:
        pass
    tags = store.get_run(child.run_id).data.tags
    assert tags["mlflow.parentRunId"] == parent.run_id
    assert child.experiment_id == parent.experiment_id
    assert "mlflow.parentRunId" not in store.get_run(parent.run_id).data.tags


class Killed(BaseException):
    """In place of a SIGKILL."""


def test_a_run_has_its_kind_and_tags_from_its_first_moment(store, monkeypatch):
    """One that is killed before it logs anything is found again."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Run, "log", die)
        patch.setattr(MlflowClient, "set_terminated", lambda *_: None)
        with open_run("sweep s", "sweep", tags={"sweep.identity": "abc"}):
            pass
    (left,) = all_runs(store)
    assert left.info.status == "RUNNING"
    assert left.data.tags["mmm.kind"] == "sweep"
    assert left.data.tags["sweep.identity"] == "abc"


def test_an_adopted_run_gets_the_tags_too(store, monkeypatch):
    given = store.create_run(store.create_experiment("x")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    with open_run("sweep s", "sweep", tags={"sweep.identity": "abc"}):
        pass
    assert store.get_run(given).data.tags["sweep.identity"] == "abc"


def test_a_run_is_gone_on_with(store):
    with pytest.raises(ZeroDivisionError), open_run("sweep s", "sweep") as first:
        raise ZeroDivisionError
    with open_run("another name", "sweep", again=first) as run:
        assert run == first
        assert store.get_run(run.run_id).info.status == "RUNNING"
    (done,) = all_runs(store)
    assert (done.info.run_name, done.info.status) == ("sweep s", "FINISHED")
    with pytest.raises(KeyboardInterrupt), open_run("sweep s", "sweep", again=first):
        raise KeyboardInterrupt
    assert store.get_run(first.run_id).info.status == "KILLED"


def test_a_run_that_is_gone_on_with_belongs_to_the_process_that_does_it(store):
    with open_run("sweep s", "sweep") as first:
        first.log(tags=dict.fromkeys(process_tags(), "long gone"))
    with open_run("sweep s", "sweep", again=first):
        pass
    tags = store.get_run(first.run_id).data.tags
    assert process_tags().items() <= tags.items()


def test_the_run_of_mlflow_run_says_which_one_it_went_on_with(store, monkeypatch):
    with open_run("sweep s", "sweep") as first:
        pass
    given = store.create_run(first.experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    with open_run("sweep s", "sweep", again=first) as run:
        assert run == first
    assert "MLFLOW_RUN_ID" not in os.environ
    assert store.get_run(given).data.tags["mmm.continues_run"] == first.run_id


def test_a_child_that_others_end(store):
    with open_run("sweep s", "sweep") as parent:
        child = create_child(parent, "s 3", "trial", {"optuna.trial": "3"})
        other = create_child(parent, "s 4", "trial", {"optuna.trial": "4"})
    found = store.get_run(child.run_id)
    assert found.info.status == "RUNNING"  # the parent's end is not its own
    assert found.info.run_name == "s 3"
    expected = {"mmm.kind": "trial", "optuna.trial": "3", "mlflow.parentRunId": parent.run_id}
    assert (expected | process_tags()).items() <= found.data.tags.items()
    close_run(child, "FINISHED")
    close_run(other, "KILLED")
    ended = [store.get_run(run.run_id).info for run in (child, other)]
    assert [info.status for info in ended] == ["FINISHED", "KILLED"]
    assert all(info.end_time for info in ended)
    reopen_run(other)
    assert store.get_run(other.run_id).info.status == "RUNNING"
    close_if_open(other)
    assert store.get_run(other.run_id).info.status == "FINISHED"


def test_a_run_that_ended_stays_as_it_ended(store):
    with pytest.raises(ZeroDivisionError), open_run("demo", "fit") as run:
        raise ZeroDivisionError
    before = store.get_run(run.run_id).info
    close_if_open(run)
    after = store.get_run(run.run_id).info
    assert (after.status, after.end_time) == ("FAILED", before.end_time)


# Logging


def test_values_are_logged_as_they_are(store):
    with open_run("demo", "fit") as run:
        run.log(params={"a": 8, "b": "x"}, metrics={"m": 0.25, "n": math.nan}, tags={"t": True})
        run.describe("# Page")
        run.log_text("hello", "notes/hello.txt")
    data = store.get_run(run.run_id).data
    assert data.params == {"a": "8", "b": "x"}
    assert data.metrics["m"] == 0.25
    assert math.isnan(data.metrics["n"])
    assert data.tags["t"] == "True"
    assert data.tags["mlflow.note.content"] == "# Page"


def test_long_texts_do_not_break_a_run(store):
    with open_run("demo", "fit") as run:
        run.log(params={"long": "x" * 20_000}, tags={"long": "y" * 20_000})
        run.describe("z" * 20_000)
    data = store.get_run(run.run_id).data
    assert len(data.params["long"]) == 6000
    assert len(data.tags["long"]) == len(data.tags["mlflow.note.content"]) == 8000


def test_a_description_that_a_store_would_cut_says_where_the_rest_is(store, tmp_path):
    lines = [f"* line {number}" for number in range(2000)]
    with open_run("demo", "fit") as run:
        run.describe("\n".join(lines))
    *shown, _, rest = store.get_run(run.run_id).data.tags["mlflow.note.content"].split("\n")
    assert shown == lines[: len(shown)] and len(shown) > 500
    assert rest == "The rest is in this run's artifact description.md."
    whole = run.download("description.md", tmp_path).read_text("utf-8")
    assert whole == "\n".join(lines)


def test_more_values_than_mlflow_takes_at_once_are_all_logged(store):
    many = {f"key_{index}": float(index) for index in range(1200)}
    few = dict(list(many.items())[:150])
    with open_run("demo", "fit") as run:
        run.log(params=few, metrics=many)
    data = store.get_run(run.run_id).data
    assert data.metrics == many
    assert data.params == {key: str(value) for key, value in few.items()}


def test_files_come_back_and_a_missing_one_is_named(store, tmp_path):
    file = tmp_path / "gate.json"
    file.write_text("{}")
    (tmp_path / "back").mkdir()
    with open_run("demo", "fit") as run:
        run.log_file(file)
        run.log_file(file, "folder")
    assert run.download("gate.json", tmp_path / "back").read_text() == "{}"
    assert run.download("folder/gate.json", tmp_path / "back").read_text() == "{}"
    with pytest.raises(FileNotFoundError, match=rf"run {run.run_id} has no artifact trace\.nc"):
        run.download("trace.nc", tmp_path / "back")


def test_the_table_is_an_input_with_an_identity_that_knows_dates_and_names(store):
    weeks = pd.date_range("2024-01-01", periods=4, freq="7D")
    table = pd.DataFrame({"Week": weeks, "Sales": [1.0, 2, 3, 4], "TV": [4.0, 3, 2, 1]})
    later = table.assign(Week=weeks + pd.Timedelta(days=364))
    logged = {}
    for name, item in {"now": table, "later": later}.items():
        with open_run(name, "fit") as run:
            run.log_dataset(item, "demo", table_sha256(item), "Sales")
        (logged[name],) = store.get_run(run.run_id).inputs.dataset_inputs
    tags = {name: {tag.key: tag.value for tag in item.tags} for name, item in logged.items()}
    assert logged["now"].dataset.name == "demo"
    assert tags["now"]["mlflow.data.context"] == "training"
    assert tags["now"]["sha256"] == table_sha256(table)
    assert tags["later"]["sha256"] == table_sha256(later) != tags["now"]["sha256"]


# Finding


def test_a_run_is_found_by_its_id_or_the_start_of_it(store):
    with open_run("demo", "fit") as run:
        pass
    for text in (run.run_id, run.run_id[:8], run.run_id[:6]):
        found = find_run(text)
        assert (found.run_id, found.experiment_id) == (run.run_id, run.experiment_id)


def test_a_run_is_found_in_any_experiment(store):
    other = store.create_run(store.create_experiment("another")).info.run_id
    assert find_run(other[:10]).run_id == other


@pytest.mark.parametrize("text", ["ffffffff", "f", "", "no run!", "../x", "\u00e9", "a" * 300])
def test_a_run_that_is_not_there_is_named_with_the_store_and_the_way_to_the_ui(store, text):
    with open_run("demo", "fit"):
        pass
    with pytest.raises(RunNotFoundError, match="0 runs start with") as error:
        find_run(text)
    assert "sqlite:///" in str(error.value)
    assert "mmm-demo ui" in str(error.value)


def test_an_ambiguous_start_is_refused(store, monkeypatch):
    with open_run("demo", "fit") as run:
        pass
    found = store.search_runs([run.experiment_id])
    monkeypatch.setattr(
        MlflowClient, "search_runs", lambda *_, **__: PagedList([*found, *found], None)
    )
    with pytest.raises(RunNotFoundError, match="2 runs start with"):
        find_run(run.run_id[:8])


# Experiment


def test_the_experiment_is_made_once_and_mlflows_own_settings_win(store, monkeypatch):
    first = runs.experiment_id()
    assert runs.experiment_id() == first
    assert store.get_experiment(first).name == EXPERIMENT_NAME
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    mine = runs.experiment_id()
    assert store.get_experiment(mine).name == "mine"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", first)
    assert runs.experiment_id() == first


def test_artifacts_lie_under_the_projects_mlruns_from_any_of_its_folders(
    store, project, monkeypatch
):
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", str(project / "mlruns"))
    monkeypatch.chdir(project / "experiments")
    with open_run("demo", "fit") as run:
        run.log_text("hello", "hello.txt")
    (file,) = project.rglob("hello.txt")
    assert file.is_relative_to(project / "mlruns")


def test_tags_of_the_experiment_are_set(store):
    runs.set_experiment_tag("columns", "gate")
    assert store.get_experiment(runs.experiment_id()).tags["columns"] == "gate"


# Git


def test_there_are_no_git_tags_outside_of_git(store, project):
    assert git_tags() == {}
    with open_run("demo", "fit") as run:
        pass
    assert not [key for key in store.get_run(run.run_id).data.tags if "git" in key]


def test_git_tags_name_the_commit_and_a_changed_work_tree(store, project):
    (project / ".gitignore").write_text("mlruns/\n")
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "start")
    commit = git(project, "rev-parse", "HEAD")
    assert git_tags() == {"mlflow.source.git.commit": commit, "git.dirty": "false"}
    (project / "MLproject").write_text("name: mmm_demo\n")
    with open_run("demo", "fit") as run:
        pass
    tags = store.get_run(run.run_id).data.tags
    assert tags["mlflow.source.git.commit"] == commit
    assert tags["git.dirty"] == "true"


def test_a_repository_without_a_commit_has_no_git_tags(project):
    git(project, "init", "--quiet")
    assert git_tags() == {}


def test_no_git_command_is_no_error(store, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_tags() == {}


# Temporary folder


def test_a_temporary_folder_is_gone_afterwards_whatever_happens():
    with pytest.raises(ZeroDivisionError), runs.temporary_folder() as folder:
        (folder / "file").write_text("x")
        raise ZeroDivisionError
    assert not folder.exists()


def test_a_run_is_a_value():
    assert Run(None, "a", "1") == Run(None, "a", "1")
