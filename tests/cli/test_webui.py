"""The UI: real servers, a real browser, and runs made while it is open."""

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
from conftest import Demo, copy_project
from mlflow import MlflowClient

from browser import CHROMIUM, QUIET
from mmm_demo.cli.webui import FITS, TRIALS, save_view, serve
from mmm_demo.evidence.scores import METRICS
from mmm_demo.store.runs import experiment_id, open_run
from served import answers, served, wait_until

BROWSER_FLAGS = (
    *QUIET,
    "--window-size=2600,1200",  # columns outside of the window are not in the page
    "--virtual-time-budget=20000",
    "--dump-dom",
)
LOG_A_RUN = """
from mmm_demo.store.runs import open_run
with open_run("after the ui", "fit") as run:
    run.log_text("hello", "note.txt")
print(run.run_id)
"""


@pytest.mark.slow
def test_ui_first_then_a_run(tmp_path: Path, user_environment: dict[str, str]) -> None:
    """A server on an empty store must not make an experiment that runs cannot write to."""
    root = copy_project(tmp_path / "project")
    mlflow_ui = [sys.executable, "-m", "mlflow", "ui", "--workers", "1"]
    lean = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with served(mlflow_ui, root, user_environment | lean) as (address, process, log):
        wait_until(lambda: answers(address), process, log)
        done = subprocess.run(
            [sys.executable, "-c", LOG_A_RUN],
            cwd=root,
            env=user_environment,
            capture_output=True,
            text=True,
            check=True,
        )
        run_id = done.stdout.strip().splitlines()[-1]
        artifact = f"{address}/get-artifact?path=note.txt&run_uuid={run_id}"
        with urllib.request.urlopen(artifact, timeout=10) as answer:
            assert answer.read() == b"hello"
    assert not (root / "mlflow.db").exists()
    assert (root / "mlruns" / "mlflow.db").is_file()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; .ci/run installs it")
def test_link_shows_verdict_lag_priors_and_roas(
    demo: Demo, tmp_path: Path, user_environment: dict[str, str]
) -> None:
    """The printed link leads to a list that has what fits are compared by, on loopback only."""
    command = [sys.executable, "-m", "mmm_demo.cli", "ui"]
    serving = served(command, demo.root, user_environment)
    with demo.writing, serving as (address, process, log):
        wait_until(lambda: "> stop with Ctrl-C\n" in log.read_text(), process, log)
        assert answers(address)  # at once: whoever clicks on the link gets a page
        (line,) = [line for line in log.read_text().splitlines() if line.startswith("> fits: ")]
        link = line.removeprefix("> fits: ")
        assert link.startswith(address)
        servers = process.children(recursive=True)
        assert len(servers) == 2
        listening = [
            connection.laddr.ip
            for server in servers
            for connection in server.net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {"127.0.0.1"}
        page = subprocess.run(
            [str(CHROMIUM), *BROWSER_FLAGS, f"--user-data-dir={tmp_path / 'profile'}", link],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
    # MLflow shows the backtest's column only once a fit has evidence.
    shown = ("gate.passed", "gate.flags", "gate.rhat_max", "roas.TV", "model.adstock.max_lag")
    shown += ("prior.", "score.elpd", "score.pareto_k_max")
    assert [name for name in shown if name not in page] == []


def test_views_hold_what_fits_and_trials_are_compared_by(store: MlflowClient) -> None:
    with open_run("trial 1", "trial") as run:
        run.log(metrics={"score.crps": 3.0}, tags={"trial.verdict": "passed"})
    for view, verdict in ((FITS, "gate"), (TRIALS, "trial.verdict")):
        link = save_view(view, ["roas.TV"])
        assert link.endswith(f"viewStateShareKey={view.name}")
        home = store.get_experiment(experiment_id())
        state = json.loads(home.tags[f"mlflow.sharedViewState.{view.name}"])
        columns = set(state["selectedColumns"])
        assert {f"metrics.`{name}`" for name in (*METRICS, "roas.TV", "gate.rhat_max")} <= columns
        assert f"tags.`{verdict}`" in columns
        assert home.tags["mlflow.experimentKind"] == "custom_model_development"
        found = store.search_runs([home.experiment_id], state["searchFilter"])
        wanted = [run.run_id] if view is TRIALS else []
        assert [item.info.run_id for item in found] == wanted


@pytest.mark.parametrize("verdict", ["passed", "pruned"])
def test_trials_are_linked_where_there_are_any(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    monkeypatch.setattr("mmm_demo.cli.webui.run_server", lambda *words: words[-1](""))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said: list[str] = []
    after = ["a page with the menu of GenAI", "stop with Ctrl-C"]
    serve(port, said.append)
    assert [line.split(":")[0] for line in said] == ["starting the UI", "fits", *after]
    with open_run("trial 1", "trial") as run:
        run.log(metrics={"roas.TV": 2.0}, tags={"trial.verdict": verdict})
    said.clear()
    serve(port, said.append)
    assert [line.split(":")[0] for line in said[1:]] == ["fits", "trials", *after]
    home = store.get_experiment(experiment_id())
    assert "metrics.`score.crps`" in home.tags["mlflow.sharedViewState.trials"]


@pytest.mark.slow
def test_taken_port_is_one_clear_line(tmp_path: Path, user_environment: dict[str, str]) -> None:
    root = copy_project(tmp_path / "project")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "mmm_demo.cli", "ui", "--port", str(port)],
            cwd=root,
            env=user_environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("Error:")
    assert str(port) in done.stderr
