"""All runs, params, metrics and artifacts: a thin, explicit face of MLflow's client."""

import getpass
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.data import from_pandas
from mlflow.entities import DatasetInput, InputTag, LoggedModelInput, Metric, Param, RunTag
from mlflow.entities import Run as StoredRun

from mmm_demo.settings.project import EXPERIMENT_NAME
from mmm_demo.store.process import process_tags

# What an experiment is for, as MLflow's UI writes it down.
EXPERIMENT_KIND = {"mlflow.experimentKind": "custom_model_development"}
PAGE = 1000
# Stores cut a run's description after so many letters; the whole of a longer one is a file.
LONGEST_NOTE, WHOLE_NOTE = 8000, "description.md"
REST = f"\n\nThe rest is in this run's artifact {WHOLE_NOTE}."


class StoreError(RuntimeError):
    """The tracking store refused or cannot be reached."""


class RunNotFoundError(FileNotFoundError):
    """No such run in the tracking store."""


@dataclass(frozen=True)
class Run:
    """One open or finished run."""

    client: MlflowClient
    run_id: str
    experiment_id: str

    def log(
        self,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, object] | None = None,
        step: int = 0,
    ) -> None:
        """Log values in one batch; `step` keeps several values of one metric apart."""
        now = int(time.time() * 1000)
        self.client.log_batch(
            self.run_id,
            metrics=[
                Metric(key, float(value), now, step) for key, value in (metrics or {}).items()
            ],
            params=[Param(key, str(value)) for key, value in (params or {}).items()],
            tags=[RunTag(key, str(value)) for key, value in (tags or {}).items()],
        )

    def log_text(self, text: str, name: str) -> None:
        """Log text as an artifact."""
        self.client.log_text(self.run_id, text, name)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Log a file as an artifact."""
        self.client.log_artifact(self.run_id, str(path), folder)

    def log_dataset(self, table: pd.DataFrame, name: str, sha256: str, target: str) -> None:
        """Log the weekly table as the run's input, with its own sha256.

        MLflow's digest ignores dates and column names, so it does not identify a table.
        """
        dataset = from_pandas(table, name=name, targets=target)
        tags = [InputTag("mlflow.data.context", "training"), InputTag("sha256", sha256)]
        inputs = [DatasetInput(dataset._to_mlflow_entity(), tags)]
        self.client.log_inputs(self.run_id, inputs)

    def log_model_input(self, model_id: str) -> None:
        """Log the logged model that this run used."""
        self.client.log_inputs(self.run_id, models=[LoggedModelInput(model_id)])

    def describe(self, markdown: str) -> None:
        """Set the description on the run's page; what a store would cut off is in a file."""
        if len(markdown) > LONGEST_NOTE:
            self.log_text(markdown, WHOLE_NOTE)
            head = markdown[: LONGEST_NOTE - len(REST)]
            markdown = (head.rpartition("\n")[0] or head) + REST
        self.client.set_tag(self.run_id, "mlflow.note.content", markdown)

    def download(self, artifact: str, folder: Path) -> Path:
        """Download an artifact.

        Raises
        ------
        FileNotFoundError
            When the run has no such artifact.
        """
        listed = {item.path for item in self.client.list_artifacts(self.run_id)}
        if artifact.split("/")[0] not in listed:
            raise FileNotFoundError(f"run {self.run_id} has no artifact {artifact}")
        return Path(self.client.download_artifacts(self.run_id, artifact, str(folder)))


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn MLflow's errors into one clear error with the store's address.

    Raises
    ------
    StoreError
        For any error that MLflow raises inside.
    """
    try:
        yield
    except mlflow.exceptions.MlflowException as error:
        raise StoreError(f"MLflow store {mlflow.get_tracking_uri()}: {error}") from error


@contextmanager
def made_by_another() -> Iterator[None]:
    """Go on when what is made inside was made by another process a moment ago."""
    try:
        yield
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def take_over_run() -> str | None:
    """Return the run that `mlflow run` opened for this process; None from the second time on.

    It is taken out of the environment, so that a second run, and a process below this one, get an
    identity of their own.
    """
    return os.environ.pop("MLFLOW_RUN_ID", None)


@contextmanager
def open_run(
    name: str,
    kind: str,
    parent: Run | None = None,
    again: Run | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """Open a run, or adopt the one that `mlflow run` opened; never leave it RUNNING.

    Parameters
    ----------
    name
        Name of the run.
    kind
        What the run is: fit, promotion, plan or report.
    parent
        Run that this one belongs to.
    again
        A run that was opened before and is gone on with, instead of a new one.
    tags
        Of the run from its first moment on, so that even one that is killed then is found by them.
    """
    client, opener = MlflowClient(), process_tags()
    own = {"mmm.kind": kind, **(tags or {})}
    adopted = take_over_run() if parent is None else None
    if again:
        run = again
        reopen_run(run)
        if adopted:
            client.set_tag(adopted, "mmm.continues_run", run.run_id)
    elif adopted:
        run = find_run(adopted)
        client.update_run(run.run_id, name=name)
    else:
        home = parent.experiment_id if parent else experiment_id()
        below = {"mlflow.parentRunId": parent.run_id} if parent else {}
        created = client.create_run(home, run_name=name, tags=below | own | opener)
        run = Run(client, created.info.run_id, home)
    status = "FAILED"
    try:
        run.log(tags={"mlflow.user": getpass.getuser(), **own, **opener, **git_tags()})
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        client.set_terminated(run.run_id, status)


def create_child(parent: Run, name: str, kind: str, tags: Mapping[str, str]) -> Run:
    """Create a run of its own below another, which whoever makes it has to end."""
    tags = {"mlflow.parentRunId": parent.run_id, "mmm.kind": kind, **tags}
    tags |= {"mlflow.user": getpass.getuser(), **process_tags()}
    created = parent.client.create_run(parent.experiment_id, run_name=name, tags=tags)
    return Run(parent.client, created.info.run_id, parent.experiment_id)


def reopen_run(run: Run) -> None:
    """Go on with a run that a process before this one left or ended."""
    run.log(tags=process_tags())  # before it runs: whoever looks must not think it left open
    run.client.update_run(run.run_id, status="RUNNING")


def close_run(run: Run, status: str) -> None:
    """End a run as FINISHED, FAILED or KILLED."""
    run.client.set_terminated(run.run_id, status)


def close_if_open(run: Run) -> None:
    """End a run as FINISHED whose work was done when its process died, if it is still open."""
    if run.client.get_run(run.run_id).info.status == "RUNNING":
        close_run(run, "FINISHED")


def experiment_id() -> str:
    """Return the id of the experiment that runs go to, made when it is not there."""
    if given := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return given
    client, name = MlflowClient(), os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT_NAME)
    experiment = client.get_experiment_by_name(name)
    if experiment:
        return experiment.experiment_id
    # MLflow's client would take ./mlruns, of whatever folder the command is run in.
    root = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    with made_by_another():
        home = f"{root}/{name}" if root else None
        return client.create_experiment(name, home, tags=EXPERIMENT_KIND)
    return client.get_experiment_by_name(name).experiment_id


def find_run(run_id: str) -> Run:
    """Return a run by its id or the first characters of it.

    Raises
    ------
    RunNotFoundError
        When no run, or more than one, has this id.
    """
    client = MlflowClient()
    try:
        found = client.get_run(run_id)
        return Run(client, found.info.run_id, found.info.experiment_id)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
    runs = stored_runs() if len(run_id) >= 6 else []
    matching = [item for item in runs if item.info.run_id.startswith(run_id)]
    if len(matching) != 1:
        raise RunNotFoundError(
            f"{len(matching)} runs start with {run_id!r} in {mlflow.get_tracking_uri()}; "
            "open the UI with: mmm-demo ui"
        )
    return Run(client, matching[0].info.run_id, matching[0].info.experiment_id)


def stored_runs(wanted: str = "", order: str = "DESC") -> list[StoredRun]:
    """Return the runs of all experiments that a filter finds, by default the latest first."""
    client, by = MlflowClient(), [f"attributes.start_time {order}"]
    homes = [item.experiment_id for item in pages(client.search_experiments)]
    if not homes:
        return []
    return pages(client.search_runs, homes, wanted, max_results=PAGE, order_by=by)


def pages(search: Callable[..., Any], *asked: Any, **options: Any) -> list[Any]:
    """Return what all pages of one of MLflow's searches hold."""
    found, token = [], None
    while True:
        page = search(*asked, **options, page_token=token)
        found += page
        if not (token := page.token):
            return found


def git_tags() -> dict[str, str]:
    """Return the git commit and whether the work tree differs from it; empty outside of git."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {}
    dirty = bool(_git("status", "--porcelain"))
    return {"mlflow.source.git.commit": commit, "git.dirty": str(dirty).lower()}


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def latest_metrics(filter_string: str) -> list[str]:
    """Return the names of the metrics of the latest finished run that a filter finds."""
    found = MlflowClient().search_runs(
        [experiment_id()], f"{filter_string} and attributes.status = 'FINISHED'", max_results=1
    )
    return sorted(found[0].data.metrics) if found else []


def set_experiment_tag(key: str, value: str) -> None:
    """Set a tag of the experiment that runs go to."""
    MlflowClient().set_experiment_tag(experiment_id(), key, value)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mmm_demo_") as folder:
        yield Path(folder)
