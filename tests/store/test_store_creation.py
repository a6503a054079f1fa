"""The first use of a store: whoever comes at once, the tables are made once."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from conftest import copy_project, run_command

from helpers import PROJECT, PYTHON
from mmm_demo.store.creation import first_use
from postgres import needs_postgresql, postgresql
from store_jobs import HALF

AT_ONCE = 4
Jobs = Callable[..., list[dict]]


@pytest.fixture
def jobs(tmp_path: Path, user_environment: dict[str, str]) -> Jobs:
    """Do a job in several processes at once, in a new project folder of a user who set nothing."""
    root = copy_project(tmp_path / "project")

    def run(job: str, processes: int = AT_ONCE, **settings: str) -> list[dict]:
        script = (PYTHON, str(PROJECT / "tests" / "support" / "store_jobs.py"), job, str(processes))
        done = run_command(root, user_environment | settings, *script)
        assert done.code == 0, done.err
        return json.loads(done.out.splitlines()[-1])

    return run


def require_all(children: list[dict]) -> None:
    """Hold that every process did its job, in one experiment, and lost nothing."""
    assert [child["error"] for child in children] == [""] * AT_ONCE
    made = [child["value"] for child in children]
    assert len({item["experiment"] for item in made}) == 1
    assert len({item["run"] for item in made}) == AT_ONCE
    numbers = sorted(int(item["version"]) for item in made)
    assert numbers == list(range(1, AT_ONCE + 1))


def test_mlflow_opens_its_stores_through_the_lock():
    group = {item.name: item.value for item in entry_points(group="mlflow.tracking_store")}
    for scheme in ("sqlite", "postgresql"):
        assert group.get(scheme) == "mmm_demo.store.creation:open_tracking_store"


@pytest.mark.slow
def test_all_who_start_at_once_in_a_new_project_work_even_after_one_was_killed(jobs, tmp_path):
    killed, *children = jobs("first-after-a-kill")
    mlruns = tmp_path / "project" / "mlruns"
    assert killed["code"] == -9
    assert (mlruns / "seen" / "mlflow.db.new").stat().st_size == HALF  # in the middle of it
    assert not (mlruns / "seen" / "mlflow.db").exists()
    require_all(children)
    left = {path.name for path in mlruns.iterdir() if path.is_file()}
    assert left == {"mlflow.db", "mlflow.db.first-use.lock"}
    with closing(sqlite3.connect(mlruns / "mlflow.db")) as store:
        ask = "SELECT name, artifact_location FROM experiments"
        found = dict(store.execute(ask).fetchall())
        ended = store.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED'").fetchone()
    assert ended == (AT_ONCE,)
    assert found == {"Default": str(mlruns / "0"), "mmm_demo": str(mlruns / "1")}


@pytest.mark.slow
def test_without_the_lock_they_do_not(jobs):
    assert any(child["error"] for child in jobs("first-without-lock"))


@pytest.mark.slow
@needs_postgresql
def test_all_who_start_at_once_on_a_new_postgresql_work(jobs):
    with postgresql() as address:
        require_all(jobs("first", MLFLOW_TRACKING_URI=address))


def test_a_store_that_is_there_is_left_alone_without_a_lock(tmp_path):
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"not empty")
    with first_use(f"sqlite:///{database}"):
        pass
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"not empty"]


def test_an_empty_file_is_no_store(tmp_path, monkeypatch):
    for name in ("MLFLOW_DEFAULT_ARTIFACT_ROOT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    database = tmp_path / "mlflow.db"
    database.touch()
    with first_use(f"sqlite:///{database}"):
        pass
    with closing(sqlite3.connect(database)) as store:
        assert store.execute("SELECT name FROM experiments").fetchall() == [("Default",)]
