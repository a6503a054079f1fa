"""A team's machines for tests, all on loopback: PostgreSQL, an MLflow server, a Dask cluster."""

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from conftest import copy_project

from helpers import PROJECT, PYTHON
from postgres import free_port, postgresql

# PostgreSQL lets everybody in here; where else a password turns up, it leaked.
DATABASE_PASSWORD, ADMIN_PASSWORD = "database-secret-1", "admin-secret-2"
EXPERIMENT = """
name: few
market: few
data: {source: csv, path: few.csv}
model:
  date_column: week
  target_column: sales
  channel_columns: [tv]
  control_columns: [price]
  adstock_max_lag: 4
  yearly_seasonality: 0
evidence: {horizon_weeks: 4}
"""
SWEEP = """
name: few
experiment: few.yaml
sampler: grid
folds: 2
draws: 500
tune: 300
search:
  model.adstock_max_lag: [2, 4]
  model.priors.saturation_beta.sigma: [0.2, 0.4]
"""
TRIALS = 4
SCHEDULER = "tcp://127.0.0.1:8786"  # in the document for teams
COMMAND = (PYTHON, "-m", "mmm_demo.cli")


def small_project(folder: Path) -> Path:
    """Make a project with a market that is fitted in a second, and a sweep `sweep.yaml` of it."""
    root = copy_project(folder)
    weeks = (PROJECT / "experiments" / "your_data.csv").read_text("utf-8").splitlines()[:70]
    (root / "few.csv").write_text("\n".join(weeks) + "\n", encoding="utf-8")
    (root / "few.yaml").write_text(EXPERIMENT, encoding="utf-8")
    (root / "sweep.yaml").write_text(SWEEP, encoding="utf-8")
    return root


@dataclass(frozen=True)
class Team:
    """Addresses of a team's machines.

    Attributes
    ----------
    folder
        Logs of all of them, and the server's artifacts.
    mlflow, studies
        Databases.
    server, scheduler
        Of MLflow and of Dask.
    add_worker
        Starts one more Dask worker, with these settings beside the usual ones.
    """

    folder: Path
    mlflow: str
    studies: str
    server: str
    scheduler: str
    add_worker: Callable[[dict[str, str]], subprocess.Popen]

    def settings(self, password: str = ADMIN_PASSWORD) -> dict[str, str]:
        """Return what a client of the team sets."""
        return {
            "MLFLOW_TRACKING_URI": self.server,
            "MLFLOW_TRACKING_USERNAME": "admin",
            "MLFLOW_TRACKING_PASSWORD": password,
            "MMM_DEMO_SWEEP_STORAGE": self.studies,
        }


def documented(command: str, scheduler: str) -> list[str]:
    """Return a command's words as the document for teams prints them, for another scheduler."""
    lines = (PROJECT / "docs" / "team_server.md").read_text("utf-8").splitlines()
    (line,) = [line.strip() for line in lines if line.startswith(f"    uv run {command} ")]
    program, *words = line.removeprefix("uv run ").replace(SCHEDULER, scheduler).split()
    return [str(Path(PYTHON).with_name(program)), *words]


@contextmanager
def start(command: tuple[object, ...], log: Path, settings: dict[str, str]) -> Iterator:
    """Start a process that is ended afterwards."""
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=log.parent, env=settings, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def team(folder: Path, environment: dict[str, str]) -> Iterator[Team]:
    """Start a team's machines at once, without waiting for them; see `wait_for`."""
    port, dask_port = free_port(), free_port()
    scheduler = f"tcp://127.0.0.1:{dask_port}"
    started: list[subprocess.Popen] = []
    with ExitStack() as stack:
        address = stack.enter_context(postgresql())
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE DATABASE mlflow")
            connection.execute("CREATE DATABASE studies")
        mlflow, studies = (
            address.replace("mmm@", f"mmm:{DATABASE_PASSWORD}@").replace("/postgres", f"/{name}")
            for name in ("mlflow", "studies")
        )

        def run(name: str, words: tuple[object, ...], settings: dict[str, str]) -> subprocess.Popen:
            log = folder / f"{name}.log"
            started.append(stack.enter_context(start(words, log, environment | settings)))
            return started[-1]

        def add_worker(settings: dict[str, str]) -> subprocess.Popen:
            words = (*documented("dask worker", scheduler), "--no-dashboard")
            return run(f"worker_{len(started)}", words, settings)

        secrets = {"MMM_DEMO_SERVER_DATABASE": mlflow, "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD}
        words = (*COMMAND, "server", "--artifacts", folder / "artifacts", "--port", port)
        run("server", words, secrets)
        words = (*documented("dask scheduler", scheduler), "--port", dask_port, "--no-dashboard")
        run("scheduler", words, {})
        add_worker({})
        add_worker({})
        studies = studies.replace("postgresql:", "postgresql+psycopg:")
        try:
            yield Team(folder, mlflow, studies, f"http://127.0.0.1:{port}", scheduler, add_worker)
        finally:
            for process in started[1:]:  # Dask's; a worker without its scheduler ends late
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()


def wait_for(what: str, ready: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)


def answers(address: str) -> bool:
    """Whether a server answers."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2):
            return True
    except OSError:
        return False


def dump(database: str) -> str:
    """Return all that a database holds, as text."""
    rows = []
    with psycopg.connect(database.replace("+psycopg:", ":")) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (name,) in names:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT') as copy:
                rows += [bytes(part).decode() for part in copy]
    return "".join(rows)


def other_code(folder: Path) -> Path:
    """Return a folder to import this package from, with one line of it changed."""
    shutil.copytree(PROJECT / "src", folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "mmm_demo" / "refit.py").open("a") as file:
        file.write("# changed\n")
    return folder


def kill(worker: int) -> None:
    """End a worker as a power cut would, with the nanny that would start it anew."""
    process = psutil.Process(worker)
    for one in (process.parent(), process):
        one.kill()
