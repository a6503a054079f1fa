"""Locks of a store: one at a time, whoever waits is told, whoever dies lets go."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from helpers import PYTHON
from mmm_demo.store.locks import StoreLockError, locked, sqlite_file
from postgres import needs_postgresql, postgresql

HOLD = """
import sys, time
from mmm_demo.store.locks import locked
with locked(sys.argv[1], sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A PostgreSQL server of the tests' own."""
    with postgresql() as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def store_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that has locks."""
    if request.param == "postgresql":
        return request.getfixturevalue("database")
    return f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}"


class Waiter(threading.Thread):
    """Takes a lock, and tells when it waits and when it has it."""

    def __init__(self, store_uri: str, name: str) -> None:
        super().__init__()
        self.store_uri, self.lock = store_uri, name
        self.waits, self.got = threading.Event(), threading.Event()

    def run(self) -> None:
        with locked(self.store_uri, self.lock, self.waits.set):
            self.got.set()


def test_the_second_is_told_and_waits_for_the_first(store_uri):
    with locked(store_uri, "a"):
        waiter = Waiter(store_uri, "a")
        waiter.start()
        assert waiter.waits.wait(20)
        assert not waiter.got.wait(0.2)
    assert waiter.got.wait(20)
    waiter.join()


def test_a_free_lock_and_another_ones_name_are_not_waited_for(store_uri):
    told = []
    a, b = (locked(store_uri, name, lambda: told.append("waits")) for name in "ab")
    with a, b:
        pass
    with locked(store_uri, "a", lambda: told.append("a again")):
        pass
    assert told == []


def test_an_error_inside_lets_go(store_uri):
    with pytest.raises(ZeroDivisionError), locked(store_uri, "a"):
        raise ZeroDivisionError
    told = []
    with locked(store_uri, "a", lambda: told.append("waits")):
        assert told == []


def test_a_killed_process_lets_go(store_uri):
    command = (PYTHON, "-c", HOLD, store_uri, "a")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        waiter = Waiter(store_uri, "a")
        waiter.start()
        assert waiter.waits.wait(20)
        assert not waiter.got.is_set()
        os.kill(holder.pid, signal.SIGKILL)
        assert waiter.got.wait(20)
        waiter.join()


def test_the_lock_of_a_file_lies_beside_it_and_stays(tmp_path):
    with locked(f"sqlite:///{tmp_path}/new/mlflow.db", "promotion-mmm_demo"):
        pass
    lock = "mlflow.db.promotion-mmm_demo.lock"
    assert [path.name for path in (tmp_path / "new").iterdir()] == [lock]


def test_a_relative_address_means_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with locked("sqlite:///mlflow.db", "a"):
        assert (tmp_path / "mlflow.db.a.lock").is_file()


@needs_postgresql
def test_who_locks_in_postgresql_is_in_no_transaction(database):
    import psycopg

    ask = "SELECT state FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%'"
    lock = locked(database.replace("postgresql:", "postgresql+psycopg:"), "a")
    with lock, closing(psycopg.connect(database, autocommit=True)) as other:
        for _ in range(100):  # a process that was killed a moment ago may still be seen
            states = {state for (state,) in other.execute(f"{ask} AND pid <> pg_backend_pid()")}
            if states == {"idle"}:
                break
            time.sleep(0.1)
    assert states == {"idle"}


@pytest.mark.parametrize("address", ["http://127.0.0.1:5000", "sqlite://", "sqlite:///:memory:"])
def test_a_store_without_locks_is_not_waited_for(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with locked(address, "a"), locked(address, "a"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_named_without_its_password():
    lock = locked("postgresql://me:geheim@127.0.0.1:9/mlflow", "a")
    with pytest.raises(StoreLockError, match="cannot be reached to lock 'a'") as refused, lock:
        pass
    assert "geheim" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


def test_without_psycopg_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    lock = locked("postgresql://127.0.0.1/mlflow", "a")
    with pytest.raises(StoreLockError, match=r"needs psycopg .*uv sync --extra cluster"), lock:
        pass


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite:///a/b.db?timeout=3", "a/b.db"),
        ("sqlite+pysqlite:////a b/c.db", "/a b/c.db"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///file:a?mode=ro&uri=true", None),
        ("postgresql://host/a", None),
        ("http://host:5000", None),
        ("/a/mlruns", None),
    ],
)
def test_only_sqlite_has_a_file(address, file):
    assert sqlite_file(address) == (Path(file) if file else None)
