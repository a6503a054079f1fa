"""Stores that are not there or do not answer, and runs that were left open, by real processes."""

import os
import shlex
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from mlflow import MlflowClient

from helpers import PYTHON
from mmm_demo.store.doctor.finding import FIX
from mmm_demo.store.doctor.store import CLOSED_TAG, place_findings, run_findings, store_findings
from mmm_demo.store.health import address, has_store
from mmm_demo.store.runs import StoreError, open_run, pages

OPEN_AND_WAIT = """
import time
from mmm_demo.store.runs import open_run
with open_run("endless", "fit") as run:
    print(run.run_id, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def opened(store):
    """A process that has a run open, and the run's id."""
    words = [PYTHON, "-c", OPEN_AND_WAIT]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child, child.stdout.readline().strip()
        finally:
            child.kill()


# Runs


@pytest.mark.slow
def test_a_run_of_a_living_process_is_left_alone_and_of_a_killed_one_is_closed(opened, store):
    child, run_id = opened
    assert store.get_run(run_id).info.status == "RUNNING"
    assert run_findings() == []
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    (found,) = run_findings()
    assert run_id[:8] in found.where and "endless" in found.where
    assert f"process {child.pid}" in found.what and "is gone" in found.what
    assert (found.safe, found.mend) == (True, FIX)
    assert store.get_run(run_id).info.status == "RUNNING"  # looking mends nothing
    assert run_id[:8] in found.fix()
    done = store.get_run(run_id)
    assert done.info.status == "KILLED"
    assert done.info.end_time is not None
    assert f"process {child.pid}" in done.data.tags[CLOSED_TAG]
    assert run_findings() == []


def test_a_run_of_this_process_is_no_finding(store):
    with open_run("demo", "fit"), open_run("another", "fit"):
        assert run_findings() == []


@pytest.mark.slow
def test_a_run_without_a_process_cannot_be_told_and_the_command_to_close_it_works(store):
    run_id = store.create_run("0", run_name="of mlflow run").info.run_id
    (found,) = run_findings()
    assert "cannot tell" in found.what and "does not say" in found.what
    assert not found.safe
    command = found.mend.removeprefix("if nobody does: ")
    words = shlex.split(command)
    assert words[:3] == ["uv", "run", "python"]
    subprocess.run([PYTHON, *words[3:]], check=True)
    assert store.get_run(run_id).info.status == "KILLED"
    assert run_findings() == []


def test_a_run_that_ended_between_two_looks_is_not_touched(store, monkeypatch):
    from mmm_demo.store.doctor import store as doctor_store
    from mmm_demo.store.process import Fate

    run_id = store.create_run("0", run_name="quick").info.run_id
    monkeypatch.setattr(doctor_store, "fate", lambda tags: Fate("dead", "gone"))
    (found,) = run_findings()
    store.set_terminated(run_id, "FINISHED")
    assert "meanwhile" in found.fix()
    assert store.get_run(run_id).info.status == "FINISHED"
    assert run_findings() == []


def test_open_runs_of_every_experiment_are_found(store):
    for number in range(3):
        store.create_run("0", run_name=f"lost {number}")
    other = store.create_experiment("other")
    store.create_run(other, run_name="lost elsewhere")
    assert len(run_findings()) == 4
    assert len(pages(store.search_runs, ["0"], max_results=1)) == 3


# Stores


def test_no_store_is_no_fault_and_none_is_started(project, monkeypatch):
    uri = f"sqlite:///{project / 'mlruns' / 'mlflow.db'}"
    assert store_findings(project, uri) == []
    assert not has_store(uri)
    assert not (project / "mlruns").exists()


def test_an_empty_database_is_not_filled(project):
    database = project / "mlruns" / "mlflow.db"
    database.parent.mkdir()
    database.touch()
    assert store_findings(project, f"sqlite:///{database}") == []
    assert not has_store(f"sqlite:///{database}")
    assert database.stat().st_size == 0


def test_artifacts_without_their_database_are_found(project):
    (project / "mlruns" / "1" / "abc").mkdir(parents=True)
    (found,) = store_findings(project, f"sqlite:///{project / 'mlruns' / 'mlflow.db'}")
    assert "holds no store" in found.what and ": 1" in found.what
    assert not (project / "mlruns" / "mlflow.db").exists()


def test_a_database_that_cannot_be_read_is_found(project):
    database = project / "mlruns" / "mlflow.db"
    database.parent.mkdir()
    database.write_text("hello" * 1000)
    (found,) = store_findings(project, f"sqlite:///{database}")
    assert "cannot be read" in found.what and "backup" in found.mend


def test_a_database_server_without_its_driver_or_that_is_gone_is_found(project):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (found,) = store_findings(project, f"postgresql://127.0.0.1:{port}/none")
    assert "cannot be read" in found.what


def test_a_server_that_does_not_answer_is_found_at_once(project):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    (found,) = store_findings(project, f"http://127.0.0.1:{port}")
    assert "does not answer" in found.what
    assert time.monotonic() - started < 5
    with pytest.raises(StoreError, match="does not answer"):
        has_store(f"http://127.0.0.1:{port}")


def test_a_server_that_wants_a_password_answers(project):
    class Closed(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(401)

        def log_message(self, *_):
            """Keep the tests' output clean."""

    with HTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert has_store(f"http://127.0.0.1:{server.server_port}/")


def test_a_store_that_is_there_is_in_order(store, project):
    assert store_findings(project, address()) == []
    assert has_store(address())


# Places


def test_a_moved_folder_is_not_mended_while_a_run_is_at_work(store, project):
    (found,) = place_findings(project)  # the template's first experiment lies beside the template
    assert (found.safe, found.mend) == (True, FIX)
    with open_run("demo", "fit") as run, pytest.raises(StoreError, match=run.run_id[:8]):
        found.fix()
    assert place_findings(project) != []
    assert ".bak" in found.fix()
    assert place_findings(project) == []


def test_what_is_in_the_old_folder_alone_is_named_with_the_command_that_copies_it(
    store, project, tmp_path
):
    for item in place_findings(project):
        item.fix()
    old = tmp_path / "old place" / "mlruns"
    (old / "7").mkdir(parents=True)
    (old / "7" / "file").write_text("hello")
    store.create_experiment("moved", f"{old}/7")
    (found,) = place_findings(project)
    assert "there alone, e.g. 7" in found.what and not found.safe
    command = found.mend.removesuffix(f" && {FIX}")
    assert command != found.mend
    subprocess.run(command, shell=True, check=True)
    (found,) = place_findings(project)
    found.fix()
    assert (project / "mlruns" / "7" / "file").read_text() == "hello"
    assert place_findings(project) == []


def test_artifacts_that_are_nowhere_are_said_to_be(store, project, tmp_path):
    for item in place_findings(project):
        item.fix()
    gone = store.create_experiment("gone", f"{tmp_path}/gone/mlruns/7")
    store.create_run(gone)
    (found,) = place_findings(project)
    assert "neither there nor in" in found.what and not found.safe


def test_experiments_of_a_server_are_found(store, project):
    for item in place_findings(project):
        item.fix()
    store.create_experiment("unused", "mlflow-artifacts:/7")
    store.create_run(store.create_experiment("used", "mlflow-artifacts:/8"))
    unused, used = place_findings(project)
    assert "'unused'" in unused.what and unused.safe
    assert "'used'" in used.what and not used.safe
    assert "'unused'" in unused.fix()
    assert len(place_findings(project)) == 1
    assert (
        MlflowClient().get_experiment_by_name("unused").artifact_location.startswith(str(project))
    )
