"""Shared ground of the tests: a real fit made once, and real MLflow stores made in milliseconds."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import pytest
import xarray as xr

from helpers import PROJECT, PYTHON
from mmm_demo.config import ExperimentConfig, load_experiment
from mmm_demo.gate import GateFile, GateReport

if TYPE_CHECKING:  # imported inside the fixtures, so that tests of pure modules start at once
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from pymc_marketing.mmm import MMM

    from mmm_demo.fitted import FittedModel
    from mmm_demo.pipeline import MainResult

# MLflow reads its settings while it is imported. None of the user's may reach a test, and a test
# that asks for no store must not find the project's own one.
for _name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[_name]
os.environ["MLFLOW_TRACKING_URI"] = "no-store://ask-for-the-store-fixture"
matplotlib.use("Agg")

FILES = ("trace.nc", "config.json", "gate.json")
PROJECT_FILES = ("MLproject", "python_env.yaml", "pyproject.toml", "experiments")


def copy_project(folder: Path) -> Path:
    """Make a folder that looks like the project, without its code."""
    folder.mkdir(parents=True)
    for source in (PROJECT / name for name in PROJECT_FILES):
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / source.name)
    return folder


def enter_store(patch: pytest.MonkeyPatch, root: Path, template: Path) -> str:
    """Give a project folder a migrated store, go there and make it MLflow's only one."""
    (root / "mlruns").mkdir()
    database = Path(shutil.copyfile(template, root / "mlruns" / "mlflow.db"))
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        patch.delenv(name)
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    patch.setenv("MLFLOW_UV_AUTO_DETECT", "false")
    # The strictest setting: whatever works here needs no pickle.
    patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    # A look into every installed package at each new version, only to warn of other pins.
    patch.setattr(
        "mlflow.utils.environment.warn_dependency_requirement_mismatches", lambda *_: None
    )
    patch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    patch.setattr("mlflow.tracking._model_registry.utils._registry_uri", None)
    patch.chdir(root)
    return f"sqlite:///{database}"


@pytest.fixture(scope="session")
def user_environment() -> dict[str, str]:
    """Environment of a user who set nothing, with this interpreter's commands first."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    path = f"{Path(PYTHON).parent}{os.pathsep}{plain.get('PATH', '')}"
    return plain | {"PATH": path, "COLUMNS": "160"}


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite store; copying it saves each test the migration."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
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
        return GateFile.from_json((self.files / "gate.json").read_text("utf-8")).report


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, store_template: Path) -> Demo:
    """The one real fit that the tests share. Its store is only read."""
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
    from mmm_demo.fitted import FittedModel
    from mmm_demo.trace import load_trace

    return FittedModel(demo.experiment.model, load_trace(demo.files / "trace.nc"))


def thinned(trace: xr.DataTree, step: int = 100) -> dict[str, xr.Dataset]:
    """Return the groups of a trace with every `step`-th draw, free to be changed."""
    few = trace.isel(draw=slice(None, None, step))
    return {name: few[name].to_dataset().copy(deep=True) for name in few.children}


def to_tree(groups: dict[str, xr.Dataset], trace: xr.DataTree) -> xr.DataTree:
    """Return groups as a trace with another's attributes."""
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(trace.attrs)
    return tree


@pytest.fixture(scope="session")
def thin(fitted: "FittedModel") -> "FittedModel":
    """The demo model with 80 draws, for comparisons that hold draw by draw."""
    from mmm_demo.fitted import FittedModel

    return FittedModel(fitted.config, to_tree(thinned(fitted.trace), fitted.trace))


@pytest.fixture(scope="session")
def library(demo: Demo) -> "MMM":
    """What PyMC-Marketing itself makes of the stored trace."""
    from pymc_marketing.mmm import MMM

    return MMM.load(demo.files / "trace.nc")


Edit = Callable[[Path], None]


@pytest.fixture
def make_version(
    demo: Demo, store: "MlflowClient", project: Path, tmp_path: Path
) -> Callable[..., "ModelVersion"]:
    """Register versions made of the demo fit's files in an empty store, without a fit.

    `edit` changes trace.nc or config.json before the verdict is sealed over them, so that every
    recorded hash agrees: what a forger with full access to the store would leave.
    """
    from mmm_demo.bundle import write_config, write_gate
    from mmm_demo.registry import pinned_requirements, register_version
    from mmm_demo.trace import load_trace, table_sha256, weekly_table
    from mmm_demo.tracking import open_run

    verdict = GateFile.from_json((demo.files / "gate.json").read_text("utf-8"))

    def make(
        experiment: ExperimentConfig = demo.experiment,
        edit: Edit | None = None,
        report: GateReport = verdict.report,
    ) -> "ModelVersion":
        with open_run(experiment.name, "fit") as run:
            folder = tmp_path / run.run_id
            folder.mkdir()
            shutil.copyfile(demo.files / "trace.nc", folder / "trace.nc")
            write_config(folder, experiment)
            data_sha256 = verdict.data_sha256
            if edit is not None:
                edit(folder)
                table = weekly_table(load_trace(folder / "trace.nc"), experiment.model)
                data_sha256 = table_sha256(table)
            write_gate(folder, report, run.run_id, data_sha256)
            return register_version(
                run,
                folder,
                experiment,
                verdict.report.require(),
                description="made by a test",
                tags={},
                requirements=pinned_requirements(project),
            )

    return make
