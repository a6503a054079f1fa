"""The MLflow UI, lean and for this machine only."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

from mmm_demo.tracking import experiment_id, set_experiment_tag

HOST = "127.0.0.1"
# MLflow's own job workers and extra web workers take 15 processes and 2 GB; one reader needs two.
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
VIEW = "fits"
COLUMNS = (
    "tags.`gate`",
    "params.`experiment.name`",
    "params.`model.adstock.max_lag`",
    "params.`prior.saturation_beta`",
    "metrics.`gate.rhat_max`",
    "metrics.`gate.ess_bulk_min`",
    "metrics.`gate.divergences`",
    "metrics.`predictive.mape`",
)


def save_view(columns: tuple[str, ...]) -> str:
    """Store the columns of the run list as a shared view of the experiment; return its link.

    Parameters
    ----------
    columns
        Columns as MLflow names them.
    """
    state = {"selectedColumns": list(columns)}
    set_experiment_tag(f"mlflow.sharedViewState.{VIEW}", json.dumps(state))
    return (
        f"/#/experiments/{experiment_id()}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={VIEW}"
    )


def serve(port: int, say: Callable[[str], None]) -> None:
    """Serve the UI until interrupted, and print the link to the runs.

    Raises
    ------
    RuntimeError
        When the server cannot run, e.g. because the port is taken.
    """
    link = save_view(COLUMNS)
    say(f"runs: http://{HOST}:{port}{link}")
    say("stop with Ctrl-C")
    command = [sys.executable, "-m", "mlflow", "ui", "--host", HOST, "--port", str(port)]
    try:
        done = subprocess.run([*command, "--workers", "1"], env=os.environ | LEAN, check=False)
    except KeyboardInterrupt:
        return
    if done.returncode > 0:
        raise RuntimeError(f"the UI ended with code {done.returncode}; is port {port} taken?")
