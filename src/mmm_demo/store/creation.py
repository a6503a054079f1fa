"""The first use of a store: its tables are made once, however many processes come at once.

MLflow makes the tables when it opens a database that lacks them, without a lock: of six processes
that start at once in a new project, none or one lives. It loads `open_tracking_store` through the
`mlflow.tracking_store` entry points `sqlite` and `postgresql`, so that every process of an
environment with this package waits its turn: `mlflow run`, `mlflow ui`, `mmm-demo` and Python.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmm_demo.store.locks import locked, sqlite_file

if TYPE_CHECKING:  # MLflow loads this module while it is itself half loaded
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

FIRST_USE = "first-use"
# Private in MLflow: where `mlflow server` keeps its artifact root and its option for a replica.
SERVER_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
READ_REPLICA = "_MLFLOW_SERVER_READ_REPLICA_BACKEND_STORE"


@contextmanager
def first_use(store_uri: str) -> Iterator[None]:
    """Open a database inside, with its tables made by one process alone.

    A file is made aside and moved to its place whole: who is killed while making it leaves no half
    of a store. In PostgreSQL the tables are made inside, by whoever is first to get the lock.

    Parameters
    ----------
    store_uri
        MLflow's address of a database.
    """
    file = sqlite_file(store_uri)
    if file is None:
        with locked(store_uri, FIRST_USE):
            yield
        return
    if not _is_there(file):
        with locked(store_uri, FIRST_USE):
            if not _is_there(file):
                _make(file)
    yield


def _is_there(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _make(file: Path) -> None:
    # The experiment too: two of `mlflow run` would both make it, and one would fail.
    root = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    with tempfile.TemporaryDirectory(prefix="mmm_demo_") as folder:
        made = Path(folder) / file.name
        store = _open(f"sqlite:///{made}", root)
        if root and experiment:
            store.create_experiment(experiment)
        store.engine.dispose()
        aside = file.with_name(f"{file.name}.new")  # what a killed process left is written over
        shutil.copyfile(made, aside)
    aside.replace(file)


def _open(store_uri: str, artifact_uri: str | None) -> "SqlAlchemyStore":
    from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.store.tracking.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore

    if artifact_uri is None:
        artifact_uri = os.environ.get(SERVER_ARTIFACT_ROOT, DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)
    store = WorkspaceAwareSqlAlchemyStore if MLFLOW_ENABLE_WORKSPACES.get() else SqlAlchemyStore
    return store(store_uri, artifact_uri, read_db_uri=os.environ.get(READ_REPLICA))


def open_tracking_store(store_uri: str, artifact_uri: str | None = None) -> "SqlAlchemyStore":
    """Return MLflow's own SQL store of a database, built as MLflow builds it.

    Parameters
    ----------
    store_uri
        Address of the database.
    artifact_uri
        Where new experiments put their artifacts; MLflow's own default when None.
    """
    with first_use(store_uri):
        return _open(store_uri, artifact_uri)
