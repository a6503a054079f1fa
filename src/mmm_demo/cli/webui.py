"""The MLflow UI, lean and for this machine only, opened at the fits."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mmm_demo.evidence.scores import METRICS
from mmm_demo.store.runs import (
    EXPERIMENT_KIND,
    experiment_id,
    latest_metrics,
    set_experiment_tag,
    store_errors,
)

HOST = "127.0.0.1"
# MLflow's own job workers and extra web workers take 15 processes and 2 GB; one reader needs two.
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
# MLflow opens pages of runs so, whatever the experiment or the page before, until told otherwise.
MENU = "a page with the menu of GenAI: choose Model training once, top left; MLflow remembers it"
VERDICTS = ("gate.passed", "gate.flags", "gate.rhat_max", "gate.backtest_crps_skill")
PARAMS = ("model.adstock.max_lag", "prior.saturation_beta", "prior.adstock_alpha")


@dataclass(frozen=True)
class View:
    """A list of runs that compare.

    Attributes
    ----------
    name, kind
        Of the view; of its runs.
    verdict
        Tag with their verdict.
    """

    name: str
    kind: str
    verdict: str

    @property
    def runs(self) -> str:
        """Filter that finds them."""
        return f"tags.`mmm.kind` = '{self.kind}'"


FITS, TRIALS = View("fits", "fit", "gate"), View("trials", "trial", "trial.verdict")


def save_view(view: View, roas_metrics: Sequence[str]) -> str:
    """Store the columns of the run list as a shared view of the experiment; return its link.

    Without it MLflow shows neither metrics nor params, and a user would have to pick them from a
    list of a hundred: verdict, scores, ROAS, lag and priors are what a fit is compared by.

    Parameters
    ----------
    view
        Which runs.
    roas_metrics
        Names of the ROAS metrics, one per channel.
    """
    columns = [f"metrics.`{name}`" for name in (*VERDICTS, *METRICS, *roas_metrics)]
    columns += [f"params.`{name}`" for name in PARAMS] + [f"tags.`{view.verdict}`"]
    state = json.dumps({"searchFilter": view.runs, "selectedColumns": columns})
    # Also the kind: `mlflow run` and older versions made experiments without.
    for key, value in {f"mlflow.sharedViewState.{view.name}": state, **EXPERIMENT_KIND}.items():
        set_experiment_tag(key, value)
    return (
        f"/#/experiments/{experiment_id()}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={view.name}"
    )


@store_errors()
def serve(port: int, say: Callable[[str], None]) -> None:
    """Serve the UI until interrupted, and print the links to fits and trials once it answers.

    Raises
    ------
    RuntimeError
        When the server cannot run, e.g. because the port is taken.
    """
    if fault := port_fault(HOST, port):
        raise RuntimeError(f"port {port} is taken ({fault}); try --port {port + 1}")
    lines = []
    for view in (FITS, TRIALS):
        passing = f"{view.runs} and tags.`{view.verdict}` = 'passed'"
        logged = latest_metrics(passing) or latest_metrics(view.runs)
        if logged or view is FITS:  # most projects have no sweep
            # Columns stand in the order of the alphabet, and of trials the scores come first.
            roas = [name for name in logged if name.startswith("roas.") and view is FITS]
            fold = "" if view is FITS else "  (the + unfolds a sweep)"
            lines.append(f"{view.name}: http://{HOST}:{port}{save_view(view, roas)}{fold}")
    say("starting the UI")
    lines += [MENU, "stop with Ctrl-C"]
    settings = os.environ | LEAN
    run_server("the UI", ["ui"], HOST, port, settings, lambda _: [say(line) for line in lines])


def port_fault(host: str, port: int) -> str:
    """Return why a port cannot be taken; the servers themselves would end with code 0."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return str(error)
    return ""


def run_server(
    name: str,
    words: Sequence[str],
    host: str,
    port: int,
    settings: Mapping[str, str],
    ready: Callable[[str], object],
) -> None:
    """Run one of MLflow's servers until it ends or is interrupted.

    Parameters
    ----------
    name
        What it is called when it fails.
    words
        MLflow's command, with its own options.
    host, port
        Where it listens.
    settings
        Its whole environment.
    ready
        Called once with its address, when it answers.

    Raises
    ------
    RuntimeError
        When it ends with an error.
    """
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    where = ["--host", host, "--port", str(port), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", *words, *where]
    with subprocess.Popen(command, env=settings) as server:
        try:
            while server.poll() is None and not _answers(address):
                time.sleep(0.2)
            if server.poll() is None:
                ready(address)
            code = server.wait()
        except KeyboardInterrupt:  # which the server got as well
            return
        finally:
            server.terminate()  # not killed: it ends its own processes
    if code > 0:
        raise RuntimeError(f"{name} ended with code {code}; see its output above")


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy


def _answers(address: str) -> bool:
    try:
        with _DIRECT.open(f"{address}/health", timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500  # it may ask who we are; but it is up
    except OSError:  # nobody listens yet
        return False
