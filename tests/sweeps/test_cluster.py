"""A sweep of a team, for real on loopback, and one that is killed: each trial ends exactly once."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import optuna
import psutil
import pytest
from conftest import Shell, all_runs, run_command
from mlflow import MlflowClient
from mlflow.entities import Run

import cluster
from mmm_demo.jobs.sweep import JOURNAL
from mmm_demo.store.registry import find_alias
from mmm_demo.sweeps import workers
from mmm_demo.sweeps.search import open_storage
from mmm_demo.sweeps.versions import require_same, versions
from postgres import needs_postgresql

pytestmark = [needs_postgresql, pytest.mark.slow]
DONE_BEFORE = f"all {cluster.TRIALS} trials were done before"


@dataclass(frozen=True)
class Swept:
    """A sweep that came to its end, and what was done on the way."""

    root: Path
    shell: Shell
    trials: list[optuna.trial.FrozenTrial]
    runs: list[Run]

    @property
    def values(self) -> dict[tuple, float]:
        """Value of each combination of settings."""
        return {tuple(sorted(trial.params.items())): trial.value for trial in self.trials}

    def of(self, kind: str) -> list[Run]:
        """Its runs of a kind."""
        return [run for run in self.runs if run.data.tags.get("mmm.kind") == kind]


def trials_in(address: str) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of the one study in a storage, by number."""
    storage = open_storage(address)
    (study,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).trials
    if isinstance(storage, optuna.storages.RDBStorage):
        storage.remove_session()
        storage.engine.dispose()
    return trials


def sweep(root: Path, settings: dict[str, str], *words: str) -> Shell:
    """Run the sweep of a project."""
    return run_command(root, settings, *cluster.COMMAND, "sweep", "sweep.yaml", *words)


def local_runs(root: Path) -> list[Run]:
    uri = f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"
    return all_runs(MlflowClient(tracking_uri=uri, registry_uri=uri))


@pytest.fixture(scope="module")
def project_folder(tmp_path_factory, store_template):
    """Make projects with a small sweep and, to save the migration, with an empty store."""

    def make(name: str) -> Path:
        root = cluster.small_project(tmp_path_factory.mktemp(name) / "project")
        (root / "mlruns").mkdir()
        shutil.copyfile(store_template, root / "mlruns" / "mlflow.db")
        return root

    return make


@pytest.fixture(scope="module")
def team(tmp_path_factory, user_environment):
    """All machines, started and perhaps not ready yet."""
    with cluster.team(tmp_path_factory.mktemp("team"), user_environment) as machines:
        yield machines


@dataclass(frozen=True)
class Killed:
    """A sweep that was killed in the middle: its project, its runs, and its workers."""

    root: Path
    left: list[Run]
    workers: list[psutil.Process]
    alive: list[psutil.Process]


@pytest.fixture(scope="module")
def killed(team, project_folder, user_environment):
    """A sweep on this machine, killed after its first trial.

    Asks for the team only so that its machines start meanwhile. It also fills the compile cache:
    a process that compiles itself rounds otherwise than one that finds the compilation.
    """
    root = project_folder("killed")
    command = [*cluster.COMMAND, "sweep", "sweep.yaml", "--workers", "1"]
    with subprocess.Popen(
        command, cwd=root, env=user_environment, stdout=subprocess.PIPE, text=True
    ) as process:
        first = process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert first.startswith("> 1 of 4: trial"), first
    _, alive = psutil.wait_procs(children, timeout=10)
    return Killed(root, local_runs(root), children, alive)


@pytest.fixture(scope="module")
def on_one_machine(killed, project_folder, user_environment):
    """The killed sweep, started again, and beside it the same sweep undisturbed."""
    settings = (user_environment, "--workers", "1")
    with ThreadPoolExecutor() as both:
        roots = (killed.root, project_folder("reference"))
        shells = list(both.map(lambda root: sweep(root, *settings), roots))
    return [
        Swept(root, shell, trials_in(str(root / JOURNAL)), local_runs(root))
        for root, shell in zip(roots, shells, strict=True)
    ]


@pytest.fixture(scope="module")
def resumed(on_one_machine):
    """The killed sweep at its end."""
    return on_one_machine[0]


@pytest.fixture(scope="module")
def reference(on_one_machine):
    """The sweep in one process, undisturbed."""
    return on_one_machine[1]


@pytest.fixture(scope="module")
def client_settings(team, reference, user_environment):
    """Settings of a client of the team, whose machines are ready."""
    cluster.wait_for("the MLflow server", lambda: cluster.answers(team.server))
    return user_environment | team.settings()


@pytest.fixture(scope="module")
def clustered(team, client_settings, tmp_path_factory):
    """The same sweep by two workers of the cluster, one of which is killed in a trial."""
    from distributed import Client

    root = cluster.small_project(tmp_path_factory.mktemp("client") / "project")
    command = [*cluster.COMMAND, "sweep", "sweep.yaml", "--scheduler", team.scheduler]
    with Client(team.scheduler, set_as_default=False) as dask:
        dask.wait_for_workers(2, timeout=120)
        with subprocess.Popen(
            command, cwd=root, env=client_settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            cluster.kill(busy_worker(dask))
            out = process.communicate()[0].decode()
        assert len(dask.scheduler_info()["workers"]) == 1
    shell = Shell(process.returncode, out, "")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in team.settings().items():
            patch.setenv(name, value)
        runs = all_runs(MlflowClient(tracking_uri=team.server, registry_uri=team.server))
    return Swept(root, shell, trials_in(team.studies), runs)


def busy_worker(dask) -> int:
    """Return the process id of a worker that is in the middle of a trial."""
    ids = dask.run(lambda: __import__("os").getpid())
    for _ in range(1200):
        for address, keys in dask.processing().items():
            if keys and "run_trial" in str(dask.call_stack(keys=list(keys))):
                return ids[address]
        time.sleep(0.1)
    raise AssertionError("no worker began a trial within 2 minutes")


def ended_once(swept: Swept) -> None:
    """Assert that each trial ended once, in the study and in the runs, and none is left open."""
    assert swept.shell.code == 0, swept.shell.out + swept.shell.err
    trials = swept.trials
    assert [trial.number for trial in trials] == list(range(cluster.TRIALS))
    assert {trial.state for trial in trials} == {optuna.trial.TrialState.COMPLETE}
    assert len(swept.values) == cluster.TRIALS  # each combination once
    assert {run.info.status for run in swept.runs} == {"FINISHED"}
    (parent,) = swept.of("sweep")
    children = swept.of("trial")
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert sorted(int(run.data.tags["optuna.trial"]) for run in children) == [0, 1, 2, 3]
    assert len(list((swept.root / "outputs" / "experiments").glob("few_4_trials_best_*"))) == 1


def test_a_killed_sweep_goes_on_where_it_was(killed, resumed):
    ended_once(resumed)
    ended = {run.info.run_id: run.info.end_time for run in killed.left if run.info.end_time}
    assert ended
    assert "RUNNING" in {run.info.status for run in killed.left}
    assert f"{len(ended)} of 4 trials were done before" in resumed.shell.out
    now = {run.info.run_id: run.info.end_time for run in resumed.runs}
    assert ended.items() <= now.items()  # not done again
    assert len(now) == 1 + cluster.TRIALS


def test_no_worker_outlives_its_sweep(killed):
    assert killed.workers
    assert not killed.alive


def test_one_process_finds_what_two_found(resumed, reference):
    ended_once(reference)
    # To the bit, whether its processes compiled or found the compilation of another.
    assert resumed.values == reference.values


def test_a_cluster_with_a_killed_worker_finds_what_one_process_finds(clustered, reference):
    ended_once(clustered)
    assert clustered.values == reference.values


def test_artifacts_go_through_the_server(clustered, team, monkeypatch, tmp_path):
    for name, value in team.settings().items():
        monkeypatch.setenv(name, value)
    client = MlflowClient(tracking_uri=team.server, registry_uri=team.server)
    for run in clustered.of("trial"):
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
        names = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert {"experiment.yaml", "trace.nc"} <= names
    trace = Path(client.download_artifacts(run.info.run_id, "trace.nc", str(tmp_path)))
    stored = list((team.folder / "artifacts").rglob(f"{run.info.run_id}/**/trace.nc"))
    assert [path.read_bytes() for path in stored] == [trace.read_bytes()]
    assert not (clustered.root / "mlruns").exists()


def test_the_same_sweep_again_has_nothing_to_do(clustered, client_settings, team):
    again = sweep(clustered.root, client_settings, "--scheduler", team.scheduler)
    assert (again.code, DONE_BEFORE in again.out) == (0, True), again.out + again.err
    assert len(trials_in(team.studies)) == cluster.TRIALS


def test_no_password_is_written_anywhere(clustered, team):
    logs = "".join(path.read_text("utf-8") for path in team.folder.glob("*.log"))
    written = [clustered.shell.out, logs, *map(cluster.dump, (team.mlflow, team.studies))]
    folders = (team.folder / "artifacts", clustered.root / "outputs")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert "few_4_trials" in "".join(written)  # it is looked for where there is something
    assert len(files) > 5 * cluster.TRIALS
    for secret in (cluster.DATABASE_PASSWORD, cluster.ADMIN_PASSWORD):
        assert secret not in "".join(written)
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_commands_of_the_server_hold_no_password(clustered, team):
    words = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert any("--app-name basic-auth" in line for line in words)
    assert not [line for line in words if "secret-" in line]


def ask(team, path: str, body: dict | None, user: str | None) -> tuple[int, str]:
    """Ask the server by REST; return code and text."""
    request = urllib.request.Request(f"{team.server}/api/2.0/mlflow/{path}")
    request.add_header("Content-Type", "application/json")
    if user:
        request.add_header("Authorization", f"Basic {b64encode(user.encode()).decode()}")
    if body is not None:
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_nobody_gets_in_without_a_password(team, client_settings):
    for user, code in ((None, 401), ("admin:wrong", 401), (f"admin:{cluster.ADMIN_PASSWORD}", 200)):
        assert ask(team, "experiments/search?max_results=1", None, user)[0] == code


def test_a_user_may_ask_for_a_champion_that_is_not_there(team, client_settings, monkeypatch):
    password = "a-long-password"
    body = {"username": "anna", "password": password}
    assert ask(team, "users/create", body, f"admin:{cluster.ADMIN_PASSWORD}")[0] == 200
    for name, value in (team.settings(password) | {"MLFLOW_TRACKING_USERNAME": "anna"}).items():
        monkeypatch.setenv(name, value)
    for module in ("_tracking_service.utils._tracking_uri", "_model_registry.utils._registry_uri"):
        monkeypatch.setattr(f"mlflow.tracking.{module}", None)
    assert find_alias("nowhere", "champion") is None


def test_the_server_moves_no_champion_past_the_gate(clustered, team):
    admin = f"admin:{cluster.ADMIN_PASSWORD}"
    run = clustered.of("trial")[0]
    assert ask(team, "registered-models/create", {"name": "mmm_few"}, admin)[0] == 200
    source = {"name": "mmm_few", "source": run.info.artifact_uri, "run_id": run.info.run_id}
    assert ask(team, "model-versions/create", source, admin)[0] == 200
    for alias, code in (("challenger", 200), ("champion", 403)):
        move = {"name": "mmm_few", "alias": alias, "version": "1"}
        answer = ask(team, "registered-models/alias", move, admin)
        assert answer[0] == code, answer
    assert "moves only by a recorded promotion" in answer[1]


def test_a_worker_with_other_code_is_refused(clustered, team, tmp_path):
    team.add_worker({"PYTHONPATH": str(cluster.other_code(tmp_path / "src"))})
    from distributed import Client

    with Client(team.scheduler, set_as_default=False) as dask:
        dask.wait_for_workers(2, timeout=60)
    refused = pytest.raises(RuntimeError, match="would fit something else: it has mmm-demo's code")
    with refused, workers.start_workers(1, team.scheduler):
        pass


def test_versions_that_differ_are_named():
    require_same(versions())
    with pytest.raises(
        RuntimeError, match=r"has nutpie \S+ instead of 0\.1, ours none instead of 2;"
    ):
        require_same(versions() | {"nutpie": "0.1", "ours": "2"})
