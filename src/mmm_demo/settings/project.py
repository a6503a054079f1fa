"""Point every MLflow command that is started inside the project at `mlruns/`.

MLflow imports this module through the `mlflow.tracking_store` entry point whenever it looks for
tracking stores, before it reads its settings. So `mlflow run`, `mlflow ui`, `mmm-demo` and Python
agree on one store without any user setting. Explicit MLflow settings always win.
"""

import os
from pathlib import Path

EXPERIMENT_NAME = "mmm_demo"
PROJECT_FILE = "MLproject"


def find_project_root(start: Path | None = None) -> Path | None:
    """Return the nearest folder at or above `start` that holds this project, or None.

    Parameters
    ----------
    start
        Folder to start from; the working directory when omitted.
    """
    try:
        here = (start or Path.cwd()).resolve()
    except FileNotFoundError:  # the working directory was deleted
        return None
    return next((folder for folder in (here, *here.parents) if _is_project(folder)), None)


def _is_project(folder: Path) -> bool:
    try:
        first_line = (folder / PROJECT_FILE).read_bytes().splitlines()[:1]
    except OSError:  # none, or one that is not ours to read
        return False
    return first_line == [b"name: mmm_demo"]


def require_project_root() -> Path:
    """Return the project's folder.

    Raises
    ------
    FileNotFoundError
        When the working directory is not inside it.
    """
    root = find_project_root()
    if root is None:
        raise FileNotFoundError(f"{Path.cwd()} is not inside the project; go to its folder")
    return root


def apply_defaults() -> None:
    """Set the MLflow variables that the user left unset, when inside the project."""
    root = find_project_root()
    if root is None:
        return
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Our files travel as data; MLflow need not export the environment again for each version.
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    if any(name in os.environ for name in ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI")):
        return
    folder = root / "mlruns"
    folder.mkdir(exist_ok=True)
    database = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ["MLFLOW_TRACKING_URI"] = database
    os.environ["MLFLOW_BACKEND_STORE_URI"] = database
    # Without it the UI, when opened first, makes experiments whose artifacts only a server can read
    os.environ.setdefault("MLFLOW_DEFAULT_ARTIFACT_ROOT", str(folder))
    # A child of `mlflow run` has the experiment's id already; MLflow refuses both at once.
    if "MLFLOW_EXPERIMENT_ID" not in os.environ:
        os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", EXPERIMENT_NAME)


apply_defaults()


def tracking_store(store_uri: str | None = None, artifact_uri: str | None = None) -> None:
    """Refuse to be a store: the entry point exists for the defaults above alone.

    Raises
    ------
    ValueError
        Always; no tracking URI uses this scheme.
    """
    raise ValueError(f"mmm-demo-defaults is not a tracking store, got {store_uri!r}")
