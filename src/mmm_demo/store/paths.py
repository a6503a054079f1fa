"""Absolute artifact paths in the project's own SQLite store, and how they follow a moved folder.

MLflow writes absolute paths. After the project's folder was moved or copied, old artifacts cannot
be read, and new runs of an old experiment write into the old folder without a word.
"""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

FOLDER = "mlruns"
DATABASE = "mlflow.db"
EXPERIMENTS, RUNS = ("experiments", "artifact_location"), ("runs", "artifact_uri")
MODELS = ("logged_models", "artifact_location")
VERSIONS = (("model_versions", "storage_location"), ("model_versions", "source"))
COLUMNS = (EXPERIMENTS, RUNS, MODELS, *VERSIONS)
SERVED = "mlflow-artifacts:"
PATIENCE = 20.0  # seconds to wait for a writer, as MLflow itself does


@dataclass(frozen=True)
class Displaced:
    """Artifact paths that lead into another folder than the store's own.

    Attributes
    ----------
    old, new
        The other folder as it is written in the store, and the store's own folder.
    rows
        How many paths lead there.
    held
        How many of them exist under the store's own folder.
    behind
        Paths, relative to the folders, that exist in the other folder alone.
    lost
        Folders of model versions, relative to the folders, that exist in neither.
    needed
        How many paths are of runs, models and versions, which hold something as a rule.
    """

    old: str
    new: Path
    rows: int
    held: int
    behind: tuple[str, ...]
    lost: tuple[str, ...]
    needed: int

    @property
    def folder(self) -> Path:
        """The other folder."""
        return _path(self.old)

    @property
    def safe(self) -> bool:
        """Whether the store's own folder really holds what the paths lead to."""
        return not self.behind and not self.lost and (self.held > 0 or self.needed == 0)


@dataclass(frozen=True)
class Served:
    """An experiment whose artifacts only a server can read or write.

    Attributes
    ----------
    experiment_id, name
        Of the experiment.
    used
        Whether it has runs or models.
    """

    experiment_id: int
    name: str
    used: bool


def own_database(root: Path) -> Path:
    """Return the file of the project's own store, whether it is there or not."""
    return root.resolve() / FOLDER / DATABASE


def displaced(database: Path) -> list[Displaced]:
    """Return the other folders that artifact paths lead into.

    Paths without a folder `mlruns` in them are not of a project and stay as they are.

    Raises
    ------
    sqlite3.Error
        When the database cannot be read.
    """
    new = database.parent
    tails: dict[str, dict[tuple[str, str], list[str]]] = {}
    with _connected(database) as connection:
        for column in COLUMNS:
            for value in _values(connection, *column):
                old, tail = _split(value)
                if old and _path(old).resolve() != new:
                    tails.setdefault(old, {}).setdefault(column, []).append(tail)
    return [_judge(old, new, found) for old, found in sorted(tails.items())]


def _judge(old: str, new: Path, found: dict[tuple[str, str], list[str]]) -> Displaced:
    tails = sorted({tail for items in found.values() for tail in items})
    there = {tail for tail in tails if (_path(old) / tail).exists()}
    here = {tail for tail in tails if (new / tail).exists()}
    versions = {tail for column in VERSIONS for tail in found.get(column, [])}
    return Displaced(
        old,
        new,
        rows=sum(map(len, found.values())),
        held=len(here),
        behind=tuple(sorted(there - here)),
        lost=tuple(sorted(versions - there - here)),
        needed=sum(len(items) for column, items in found.items() if column != EXPERIMENTS),
    )


def relocate(database: Path, moved: Displaced) -> Path:
    """Rewrite the paths into another folder as paths into the store's own; return the backup.

    One transaction, after a copy of the database was written next to it under a new name.

    Raises
    ------
    ValueError
        When the store's own folder does not hold what the paths lead to.
    sqlite3.Error
        When the database cannot be written; it is then as it was.
    """
    if not moved.safe:
        raise ValueError(f"{moved.new} does not hold what {moved.old} held")
    local = _path(moved.old)
    new = f"file://{quote(str(moved.new))}" if moved.old != str(local) else str(moved.new)
    with _transaction(database) as (connection, backup):
        for table, column in COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1) "  # noqa: S608 (names are ours)
                f"WHERE {column} = :old OR substr({column}, 1, length(:old) + 1) = :old || '/'",
                {"new": new, "old": moved.old},
            )
    return backup


def served(database: Path) -> list[Served]:
    """Return the experiments that were made by a server, in a store that is used without one.

    Raises
    ------
    sqlite3.Error
        When the database cannot be read.
    """
    with _connected(database) as connection:
        rows = connection.execute(
            "SELECT experiment_id, name, "
            "EXISTS (SELECT 1 FROM runs r WHERE r.experiment_id = e.experiment_id) OR "
            "EXISTS (SELECT 1 FROM logged_models m WHERE m.experiment_id = e.experiment_id) "
            "FROM experiments e WHERE lifecycle_stage = 'active' "
            "AND substr(artifact_location, 1, length(:served)) = :served ORDER BY experiment_id",
            {"served": SERVED},
        ).fetchall()
    return [Served(number, name, bool(used)) for number, name, used in rows]


def bring_home(database: Path, experiment: Served) -> Path:
    """Give an unused experiment a folder beside the store; return the backup.

    Raises
    ------
    ValueError
        When it has runs, whose artifacts lie with the server.
    sqlite3.Error
        When the database cannot be written; it is then as it was.
    """
    if experiment.used:
        raise ValueError(f"experiment {experiment.name!r} has runs with artifacts on a server")
    home = str(database.parent / str(experiment.experiment_id))
    with _transaction(database) as (connection, backup):
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
            (home, experiment.experiment_id),
        )
    return backup


@contextmanager
def _connected(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database that is there; `rw` never makes one."""
    address = f"file:{quote(str(database))}?mode=rw"
    with closing(
        sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)
    ) as connection:
        yield connection


@contextmanager
def _transaction(database: Path) -> Iterator[tuple[sqlite3.Connection, Path]]:
    """Yield a connection that alone may write, and a backup of what was before; commit at the end.

    Closed without the commit, the database is as it was.
    """
    with _connected(database) as connection:
        connection.execute("BEGIN IMMEDIATE")
        backup = _backup(database)
        yield connection, backup
        connection.execute("COMMIT")


def _backup(database: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (f"{database.name}.{stamp}{mark}.bak" for mark in ("", *"bcdefgh"))
    for path in map(database.with_name, names):
        try:
            path.open("xb").close()  # takes the name, or fails
        except FileExistsError:
            continue
        with _connected(database) as source, _connected(path) as copy:
            source.backup(copy)
        shutil.copymode(database, path)
        return path
    raise FileExistsError(f"no free name for a backup of {database}; try again in a second")


def _values(connection: sqlite3.Connection, table: str, column: str) -> list[str]:
    gone = {
        "model_versions": "AND current_stage IS NOT 'Deleted_Internal'",
        "logged_models": "AND lifecycle_stage IS NOT 'deleted'",
    }
    query = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL {gone.get(table, '')}"  # noqa: S608 (names are ours)
    return [str(value) for (value,) in connection.execute(query)]


def _split(value: str) -> tuple[str, str]:
    """Return a local path up to its last folder `mlruns`, and the rest; empty for other places."""
    scheme = urlparse(value).scheme
    head, found, tail = f"{value}/".rpartition(f"/{FOLDER}/")
    if scheme not in ("", "file") or not found:
        return "", ""
    return f"{head}/{FOLDER}", (unquote(tail) if scheme else tail).rstrip("/")


def _path(location: str) -> Path:
    parts = urlparse(location)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(location)
