"""Shared ground of the tests: a real fit made once, and real MLflow stores made in milliseconds."""

import os

# MLflow reads its settings while it is imported. None of the user's may reach a test, and a test
# that asks for no store must not find the project's own one.
for _name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[_name]
NO_STORE = "no-store://ask-for-the-store-fixture"
os.environ["MLFLOW_TRACKING_URI"] = NO_STORE

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")

import pytest

from mmm_demo.config import ExperimentConfig, load_experiment
from mmm_demo.gate import GateFile, GateReport

if TYPE_CHECKING:  # imported inside the fixtures, so that tests of pure modules start at once
    from mlflow import MlflowClient

    from mmm_demo.model import FittedModel
    from mmm_demo.pipeline import MainResult

PROJECT = Path(__file__).parents[1]
FILES = ("trace.nc", "config.json", "gate.json")
PROJECT_FILES = ("MLproject", "python_env.yaml", "pyproject.toml", "experiments", "src")


def copy_project(folder: Path, *, with_code: bool = False) -> Path:
    """Make a folder that looks like the project; its code only where a command needs it."""
    folder.mkdir(parents=True)
    for name in PROJECT_FILES:
        source = PROJECT / name
        if source.is_file():
            shutil.copyfile(source, folder / name)
        elif name != "src" or with_code:
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
    return folder


def user_environment() -> dict[str, str]:
    """Return the environment of a user who set nothing, with this interpreter first."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    here = str(Path(sys.executable).parent)
    return plain | {"PATH": f"{here}{os.pathsep}{plain.get('PATH', '')}", "COLUMNS": "160"}


def enter_store(patch: pytest.MonkeyPatch, root: Path, template: Path) -> str:
    """Give a project folder a migrated store, go there and make it MLflow's only one."""
    (root / "mlruns").mkdir()
    database = root / "mlruns" / "mlflow.db"
    shutil.copyfile(template, database)
    uri = f"sqlite:///{database}"
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        patch.delenv(name)
    patch.setenv("MLFLOW_TRACKING_URI", uri)
    patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    patch.setenv("MLFLOW_UV_AUTO_DETECT", "false")
    # The strictest setting: whatever works here needs no pickle.
    patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    patch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    patch.setattr("mlflow.tracking._model_registry.utils._registry_uri", None)
    patch.chdir(root)
    return uri


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite store; copying it saves each test the migration."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the project, and the working directory."""
    root = copy_project(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def store(project: Path, store_template: Path, monkeypatch: pytest.MonkeyPatch) -> "MlflowClient":
    """An empty MLflow store in the project folder; MLflow's own settings point at it."""
    from mlflow import MlflowClient

    enter_store(monkeypatch, project, store_template)
    return MlflowClient()


@dataclass(frozen=True)
class Demo:
    """What one real main job of the demo experiment, at its default settings, left behind."""

    root: Path
    uri: str
    experiment: ExperimentConfig
    result: "MainResult"
    said: tuple[str, ...]
    files: Path

    @property
    def client(self) -> "MlflowClient":
        """A client of the store that the job wrote to."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @property
    def report(self) -> GateReport:
        """The stored verdict."""
        return GateFile.from_json((self.files / "gate.json").read_text()).report


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, store_template: Path) -> Demo:
    """The one real fit that the tests share."""
    from mmm_demo.pipeline import run_main

    root = copy_project(tmp_path_factory.mktemp("demo") / "project")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        uri = enter_store(patch, root, store_template)
        experiment = load_experiment(root / "experiments" / "demo.yaml")
        result = run_main(experiment, root, said.append)
        files = root / "files"
        files.mkdir()
        for name in FILES:
            result.fit.run.download(name, files)
    return Demo(root, uri, experiment, result, tuple(said), files)


@pytest.fixture(scope="session")
def fitted(demo: Demo) -> "FittedModel":
    """The demo model as it is stored. Shared: nobody may change it."""
    from mmm_demo.model import FittedModel, load_trace

    return FittedModel(demo.experiment.model, load_trace(demo.files / "trace.nc"))
