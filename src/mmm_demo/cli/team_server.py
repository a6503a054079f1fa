"""The MLflow server of a team: runs in PostgreSQL, artifacts through the server, a password first.

`mlflow server` has all of it, spread over ten settings that are off, missing or unsafe by default.
"""

import configparser
import ipaddress
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from mmm_demo.cli.webui import HOST, LEAN, port_fault, run_server
from mmm_demo.store.locks import POSTGRESQL
from mmm_demo.store.runs import temporary_folder

ADMIN = "admin"
SECRET = "MLFLOW_FLASK_SERVER_SECRET_KEY"  # noqa: S105 (the name of a setting)
CONFIG = "MLFLOW_AUTH_CONFIG_PATH"
# Of a project's own store, which every command in its folder gets (`store_defaults`).
OWN_STORE = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME")


def serve(database: str, artifacts: Path, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until interrupted; nobody gets in without a password.

    Parameters
    ----------
    database
        PostgreSQL's address; holds runs, versions and users.
    artifacts
        Folder of the artifacts; clients reach it through the server alone.
    host, port
        Where to listen.

    Raises
    ------
    ValueError
        When the database is not PostgreSQL, or the host is not an address.
    RuntimeError
        When the server cannot run.
    """
    if not POSTGRESQL.match(database):
        kind = database.partition(":")[0]  # what follows may hold a password
        raise ValueError(
            f"a team's runs belong into PostgreSQL, got {kind}:...; name a database like "
            "postgresql://mmm_demo@127.0.0.1/mlflow"
        )
    if not _is_loopback(host):
        say(f"{host} is reached by others, and passwords travel as they are: put TLS before it")
    if fault := port_fault(host, port):
        raise RuntimeError(f"{host} port {port} cannot be taken ({fault})")
    with temporary_folder() as folder:
        users = folder / "users.ini"
        _write_users(users, database)
        run_server(
            "the server",
            ["server", "--app-name", "basic-auth"],
            host,
            port,
            _settings(os.environ, database, artifacts.resolve(), users),
            lambda address: say(f"{address}, first user {ADMIN!r}; stop with Ctrl-C"),
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise ValueError(f"--host must be an address such as {HOST}, got {host!r}") from None


def _write_users(path: Path, database: str) -> None:
    """Write MLflow's settings of users; with the database's address, so for this user alone."""
    config = configparser.ConfigParser(interpolation=None)
    config["mlflow"] = {
        "database_uri": database.replace("%", "%%"),  # MLflow reads it with interpolation
        "default_permission": "READ",
        "admin_username": ADMIN,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8") as file:
        config.write(file)


def _settings(
    given: Mapping[str, str], database: str, artifacts: Path, users: Path
) -> dict[str, str]:
    """Return the server's environment: addresses are here, as everybody sees a command's words."""
    plain = {name: value for name, value in given.items() if name not in OWN_STORE}
    # Only guards the forms of the UI's pages, so one per start will do.
    secret = given.get(SECRET) or secrets.token_hex(32)
    ours = {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_ARTIFACTS_DESTINATION": str(artifacts),
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": "mlflow-artifacts:/",
        CONFIG: str(users),
        SECRET: secret,
    }
    return plain | LEAN | ours
