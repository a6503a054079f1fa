"""Locks that all who use one store share: of a file beside SQLite, or in PostgreSQL itself.

Whoever holds such a lock and dies, however it dies, lets go of it. A store behind a server has no
lock here: what its clients do at once, the server has to keep apart.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?!:memory:|file:)([^?]+)")
POSTGRESQL = re.compile(r"postgresql(?:\+\w+)?://")


class StoreLockError(RuntimeError):
    """The store's database cannot be locked."""


def sqlite_file(store_uri: str) -> Path | None:
    """Return the database file of an SQLite store; None for every other store."""
    found = SQLITE.match(store_uri)
    return Path(found[1]) if found else None


@contextmanager
def locked(store_uri: str, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold one of a store's locks; wait for whoever holds it now.

    Parameters
    ----------
    store_uri
        MLflow's address of the store.
    name
        What is locked; letters, digits, `_` and `-`.
    waiting
        Called once when the lock is not free.

    Raises
    ------
    StoreLockError
        When psycopg is missing, or PostgreSQL cannot be reached.
    OSError
        When the lock's file cannot be made.
    """
    database = sqlite_file(store_uri)
    if database is not None:
        with _file_lock(database, name, waiting):
            yield
    elif POSTGRESQL.match(store_uri):
        with _advisory_lock(store_uri, name, waiting):
            yield
    else:
        yield


@contextmanager
def _file_lock(database: Path, name: str, waiting: Callable[[], None] | None) -> Iterator[None]:
    database.parent.mkdir(parents=True, exist_ok=True)
    # Never deleted: whoever waits for a deleted file's lock would get it beside the next one.
    path = database.with_name(f"{database.name}.{name}.lock")
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def _advisory_lock(store_uri: str, name: str, waiting: Callable[[], None] | None) -> Iterator[None]:
    try:
        import psycopg
    except ImportError as error:
        raise StoreLockError(
            f"a store in PostgreSQL needs psycopg ({error}); install it: uv sync --extra cluster"
        ) from None
    digest = hashlib.sha256(f"mmm_demo {name}".encode()).digest()
    key = int.from_bytes(digest[:8], signed=True)
    address = POSTGRESQL.sub("postgresql://", store_uri)
    try:
        connection = psycopg.connect(address, autocommit=True)
    except psycopg.Error as error:
        raise StoreLockError(f"PostgreSQL cannot be reached to lock {name!r}: {error}") from None
    with connection:  # of a process that is killed, the server lets go when the connection ends
        free = connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        if free != (True,):
            if waiting:
                waiting()
            connection.execute("SELECT pg_advisory_lock(%s)", [key])
        try:
            yield
        finally:
            # Now, not some time after the end of the connection; one that broke has let go.
            with suppress(psycopg.Error):
                connection.execute("SELECT pg_advisory_unlock(%s)", [key])
