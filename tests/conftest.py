"""Shared ground of the tests: a real fit made once, and real MLflow stores made in milliseconds."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import xarray as xr
from filelock import FileLock

from helpers import PROJECT, PYTHON
from mmm_demo.checks.gate import GateFile, GateReport
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.experiment_file import load_experiment
from shared import SharedFolders

if TYPE_CHECKING:  # imported inside the fixtures, so that tests of pure modules start at once
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from pymc_marketing.mmm import MMM

    from mmm_demo.fits.fitted import FittedModel

# MLflow reads its settings while it is imported. None of the user's may reach a test, and a test
# that asks for no store must not find the project's own one.
for _name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[_name]
os.environ["MLFLOW_TRACKING_URI"] = "no-store://ask-for-the-store-fixture"
os.environ["MPLBACKEND"] = "Agg"

pytest_plugins = ("selection", "durations")  # which tests, in which order

LEAN_STEP = 2
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
    ours = ("MLFLOW_", "MPLBACKEND")
    plain = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    path = f"{Path(PYTHON).parent}{os.pathsep}{plain.get('PATH', '')}"
    return plain | {"PATH": path, "COLUMNS": "160"}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> SharedFolders:
    """Folders that are made once in a run, whatever the number of its processes."""
    own = tmp_path_factory.getbasetemp()
    return SharedFolders(own if worker_id == "master" else own.parent)


@pytest.fixture(scope="session")
def store_template(shared: SharedFolders) -> Path:
    """A migrated, empty SQLite store; copying it saves each test the migration."""

    def make(folder: Path) -> None:
        from mlflow import MlflowClient

        uri = f"sqlite:///{folder / 'mlflow.db'}"
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments()

    return shared.folder("store", make) / "mlflow.db"


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
class Shell:
    """A finished command."""

    code: int
    out: str
    err: str


def run_command(root: Path, environment: dict[str, str], *words: str) -> Shell:
    """Run a command in a folder."""
    done = subprocess.run(
        words, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    return Shell(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Demo:
    """A copy of the project in which `mlflow run . --env-manager local` did the main job.

    The tests of all processes share it: they may, while they hold `writing`, add runs to its store,
    but change nothing that is there.
    """

    root: Path
    writing: FileLock
    shell: Shell
    experiment: ExperimentConfig
    run_id: str
    files: Path
    run_ids: frozenset[str]

    @property
    def uri(self) -> str:
        """Where the job, without any setting, put its runs."""
        return f"sqlite:///{self.root / 'mlruns' / 'mlflow.db'}"

    @property
    def client(self) -> "MlflowClient":
        """A client of that store."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def run(self, kind: str) -> "Run":
        """Return the one run of a kind that the main job made."""
        made = [run for run in all_runs(self.client) if run.info.run_id in self.run_ids]
        (run,) = [run for run in made if run.data.tags["mmm.kind"] == kind]
        return run

    @property
    def report(self) -> GateReport:
        """The stored verdict."""
        return GateFile.from_json((self.files / "gate.json").read_text("utf-8")).report


def all_runs(client: "MlflowClient") -> list["Run"]:
    """Return the runs of every experiment, the latest first."""
    return client.search_runs([item.experiment_id for item in client.search_experiments()])


@pytest.fixture(scope="session")
def demo(shared: SharedFolders, user_environment: dict[str, str]) -> Demo:
    """The one real fit that the tests share: the main job, at its default settings."""

    def client(root: Path) -> "MlflowClient":
        from mlflow import MlflowClient

        uri = f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def make(folder: Path) -> None:
        root = copy_project(folder / "project")
        shutil.copytree(PROJECT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
        words = (PYTHON, "-m", "mlflow", "run", ".", "--env-manager", "local")
        shell = run_command(root, user_environment | {"PYTHONWARNINGS": "default"}, *words)
        assert shell.code == 0, shell.out + shell.err
        run_ids = [run.info.run_id for run in all_runs(client(root))]
        (folder / "shell.json").write_text(json.dumps(asdict(shell)), encoding="utf-8")
        (folder / "run_ids.json").write_text(json.dumps(run_ids), encoding="utf-8")
        version = client(root).get_model_version_by_alias("mmm_demo", "champion")
        (folder / "files").mkdir()
        for name in FILES:
            client(root).download_artifacts(version.run_id, name, str(folder / "files"))

    folder = shared.folder("demo", make)
    root, files = folder / "project", folder / "files"
    return Demo(
        root,
        shared.lock("demo_store"),
        Shell(**json.loads((folder / "shell.json").read_text("utf-8"))),
        load_experiment(root / "experiments" / "demo.yaml"),
        GateFile.from_json((files / "gate.json").read_text("utf-8")).run_id,
        files,
        frozenset(json.loads((folder / "run_ids.json").read_text("utf-8"))),
    )


@pytest.fixture(scope="session")
def fitted(demo: Demo) -> "FittedModel":
    """The demo model as it is stored. Shared: nobody may change it."""
    from mmm_demo.fits.fitted import FittedModel
    from mmm_demo.fits.trace import load_trace

    return FittedModel(demo.experiment.model, load_trace(demo.files / "trace.nc"))


def thinned(trace: xr.DataTree, step: int = 50) -> dict[str, xr.Dataset]:
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
    from mmm_demo.fits.fitted import FittedModel

    return FittedModel(fitted.config, to_tree(thinned(fitted.trace), fitted.trace))


@pytest.fixture(scope="session")
def library(demo: Demo) -> "MMM":
    """What PyMC-Marketing itself makes of the stored trace."""
    from pymc_marketing.mmm import MMM

    return MMM.load(demo.files / "trace.nc")


Edit = Callable[[Path], None]


@pytest.fixture(scope="session")
def lean(demo: Demo, shared: SharedFolders, request: pytest.FixtureRequest) -> Path:
    """The demo fit's files with every other draw, judged and sealed anew: the same, in less time.

    Its gate.json names the demo run, as every version's names its own.
    """

    def make(folder: Path) -> None:
        from mmm_demo.checks.convergence import convergence_checks
        from mmm_demo.checks.proof import write_config, write_gate
        from mmm_demo.fits.trace import save_trace, table_sha256
        from mmm_demo.settings.experiment import free_parameters

        fitted = request.getfixturevalue("fitted")
        trace = to_tree(thinned(fitted.trace, LEAN_STEP), fitted.trace)
        save_trace(trace, folder / "trace.nc")
        write_config(folder, demo.experiment)
        parameters = free_parameters(fitted.config)
        checks = convergence_checks(trace, parameters, demo.experiment.gate, chains_asked=4)
        kept = [check for check in demo.report.checks if check.stage != "convergence"]
        report = GateReport((kept[0], *checks, *kept[1:]))
        report.require()
        write_gate(folder, report, demo.run_id, table_sha256(fitted.table))

    return shared.folder("lean", make)


@pytest.fixture(scope="session")
def lean_model(demo: Demo, lean: Path) -> "FittedModel":
    """The model that the versions of `make_version` hold."""
    from mmm_demo.fits.fitted import FittedModel
    from mmm_demo.fits.trace import load_trace

    return FittedModel(demo.experiment.model, load_trace(lean / "trace.nc"))


@pytest.fixture
def make_version(
    demo: Demo, lean: Path, store: "MlflowClient", project: Path, tmp_path: Path
) -> Callable[..., "ModelVersion"]:
    """Register versions made of the demo fit's files in an empty store, without a fit.

    `edit` changes trace.nc or config.json before the verdict is sealed over them, so that every
    recorded hash agrees: what a forger with full access to the store would leave.
    """
    from mmm_demo.checks.proof import write_config, write_gate
    from mmm_demo.fits.trace import load_trace, table_sha256, weekly_table
    from mmm_demo.store.registry import pinned_requirements, register_version
    from mmm_demo.store.runs import open_run

    verdict = GateFile.from_json((lean / "gate.json").read_text("utf-8"))

    def make(
        experiment: ExperimentConfig = demo.experiment,
        edit: Edit | None = None,
        report: GateReport = verdict.report,
    ) -> "ModelVersion":
        with open_run(experiment.name, "fit") as run:
            folder = tmp_path / run.run_id
            folder.mkdir()
            shutil.copyfile(lean / "trace.nc", folder / "trace.nc")
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
