"""The server of a team: what it refuses, what it hands to MLflow, and the page about it."""

import configparser
import re
import shlex
import socket
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import mlflow.environment_variables
import pytest

from helpers import PROJECT
from mmm_demo.cli import team_server
from mmm_demo.cli.verbs import cli

SECRET = "p%40ss-word"
DATABASE = f"postgresql://mmm_demo:{SECRET}@127.0.0.1/mlflow"
PAGE = (PROJECT / "docs" / "team_server.md").read_text("utf-8")


def serve(database: str = DATABASE, host: str = "127.0.0.1", port: int = 5000) -> None:
    team_server.serve(database, Path("artifacts"), host, port, print)


def test_only_postgresql_serves_a_team():
    with pytest.raises(ValueError, match="belong into PostgreSQL, got mysql:") as refused:
        serve(DATABASE.replace("postgresql", "mysql"))
    assert SECRET not in str(refused.value)


def test_a_name_is_no_address_to_listen_at():
    with pytest.raises(ValueError, match=r"must be an address such as .*, got 'everywhere'"):
        serve(host="everywhere")


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"127.0.0.1 port {port} cannot be taken"):
            serve(port=port)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.5", False)],
)
def test_what_others_reach(host, loopback):
    assert team_server._is_loopback(host) is loopback


def test_mlflow_reads_the_users_database_as_it_was_given(tmp_path):
    path = tmp_path / "users.ini"
    team_server._write_users(path, DATABASE)
    read = configparser.ConfigParser()  # as MLflow reads it, with interpolation
    read.read(path)
    assert read["mlflow"]["database_uri"] == DATABASE
    assert read["mlflow"]["default_permission"] == "READ"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_settings_of_the_server(tmp_path):
    given = {"MLFLOW_TRACKING_URI": "sqlite:///own.db", "MLFLOW_EXPERIMENT_NAME": "x", "HOME": "h"}
    made = team_server._settings(given, DATABASE, tmp_path, tmp_path / "users.ini")
    assert not set(team_server.OWN_STORE) & set(made)
    assert made["HOME"] == "h"
    assert made["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert made["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == "mlflow-artifacts:/"
    again = team_server._settings(given, DATABASE, tmp_path, tmp_path / "users.ini")
    assert made[team_server.SECRET] != again[team_server.SECRET]
    kept = team_server._settings({team_server.SECRET: "k"}, DATABASE, tmp_path, tmp_path)
    assert kept[team_server.SECRET] == "k"


def test_the_words_of_the_server_hold_no_password(monkeypatch):
    started: list[list[str]] = []

    def start(command, env):
        started.append(command)
        assert env["MLFLOW_BACKEND_STORE_URI"] == DATABASE
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])

    monkeypatch.setattr("mmm_demo.cli.webui.subprocess", SimpleNamespace(Popen=start))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RuntimeError, match="the server ended with code 3"):
        serve(port=port)
    (command,) = started
    assert command[1:6] == ["-m", "mlflow", "server", "--app-name", "basic-auth"]
    assert str(port) in command and not [word for word in command if SECRET in word]


def test_commands_of_the_page_exist():
    commands = re.findall(r"^ {4}uv run mmm-demo (.*)$", PAGE, flags=re.MULTILINE)
    assert {shlex.split(line)[0] for line in commands} >= {"server", "fit", "promote", "sweep"}
    for line in commands:
        verb, *words = shlex.split(line)
        cli.commands[verb].make_context(verb, words)  # a word that it does not know is an error


def test_settings_of_the_page_exist():
    names = set(re.findall(r"\bMLFLOW_[A-Z_]+\b", PAGE))
    assert len(names) >= 5
    assert not [name for name in names if not hasattr(mlflow.environment_variables, name)]
    variables = {param.envvar for command in cli.commands.values() for param in command.params}
    assert set(re.findall(r"\bMMM_DEMO_[A-Z_]+\b", PAGE)) <= variables


@pytest.mark.filterwarnings("ignore:starlette.middleware.wsgi is deprecated")
def test_python_of_the_page_exists():
    from mlflow.server.auth.client import AuthServiceClient

    methods = re.findall(r"users\.(\w+)\(", PAGE)
    assert set(methods) == {"create_user", "grant_user_permission"}
    assert all(hasattr(AuthServiceClient, name) for name in methods)
