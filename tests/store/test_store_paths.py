"""Artifact paths of a moved project: real SQLite stores, real artifacts, real moves."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mmm_demo.store.paths import bring_home, displaced, own_database, relocate, served
from mmm_demo.store.runs import open_run


def ask(database, query, *values):
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(query, values).fetchall()


def locations(database):
    return {
        *ask(database, "SELECT artifact_location FROM experiments"),
        *ask(database, "SELECT artifact_uri FROM runs"),
    }


@pytest.fixture
def filled(store, project):
    """A store with one run that has an artifact; return its database."""
    database = own_database(project)
    # The template's first experiment lies beside the template.
    home = str(database.parent / "0")
    ask(database, "UPDATE experiments SET artifact_location = ?", home)
    with open_run("demo", "fit") as run:
        run.log_text("hello", "hello.txt")
    return database


def move(database, target):
    """Move the project's folder; return where its database is then."""
    shutil.move(database.parents[1], target)
    return target / "mlruns" / "mlflow.db"


def read_back(database, monkeypatch):
    client = MlflowClient(f"sqlite:///{database}", f"sqlite:///{database}")
    (run,) = client.search_runs(["1"])
    folder = database.parents[2] / "read"
    folder.mkdir()
    return Path(client.download_artifacts(run.info.run_id, "hello.txt", str(folder))).read_text()


def test_a_folder_that_did_not_move_is_in_order(filled):
    assert displaced(filled) == []
    assert served(filled) == []


def test_a_link_to_the_folder_is_no_move(filled, tmp_path):
    (tmp_path / "link").symlink_to(filled.parents[1])
    home = str(tmp_path / "link" / "mlruns" / "0")
    ask(filled, "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", home)
    assert displaced(filled) == []


def test_a_moved_folder_is_found_and_mended_after_a_backup(filled, tmp_path, monkeypatch):
    old = filled.parent
    database = move(filled, tmp_path / "it's 100% moved")
    before = database.read_bytes()
    (moved,) = displaced(database)
    assert (moved.old, moved.new, moved.rows) == (str(old), database.parent, 3)
    assert (moved.behind, moved.lost, moved.safe) == ((), (), True)
    backup = relocate(database, moved)
    assert backup.parent == database.parent
    assert locations(backup) == {
        (str(old / "0"),),
        *((text.replace(str(database.parent), str(old)),) for (text,) in locations(database)),
    }
    assert database.read_bytes() != before
    assert displaced(database) == []
    assert read_back(database, monkeypatch) == "hello"


def test_no_backup_replaces_another(filled, tmp_path):
    database = move(filled, tmp_path / "moved")
    (moved,) = displaced(database)
    backups = {relocate(database, moved) for _ in range(3)}
    assert len(backups) == 3
    assert all(path.stat().st_size > 100_000 for path in backups)


def test_a_copy_that_is_whole_is_safe_and_one_that_is_not_is_refused(filled, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(filled.parents[1], root)
    database = own_database(root)
    (moved,) = displaced(database)
    assert moved.safe
    (artifact,) = root.rglob("hello.txt")
    shutil.rmtree(artifact.parent)
    (moved,) = displaced(database)
    assert not moved.safe
    assert moved.behind == (str(artifact.parent.relative_to(root / "mlruns")),)
    before = locations(database)
    with pytest.raises(ValueError, match="does not hold what"):
        relocate(database, moved)
    assert locations(database) == before
    assert not list(root.rglob("*.bak"))


def test_a_database_that_came_without_its_artifacts_is_refused(filled, tmp_path):
    database = tmp_path / "bare" / "mlruns" / "mlflow.db"
    database.parent.mkdir(parents=True)
    shutil.copyfile(filled, database)
    (moved,) = displaced(database)
    assert (moved.held, moved.safe) == (0, False)
    shutil.move(filled.parents[1], tmp_path / "elsewhere")
    (moved,) = displaced(database)
    assert (moved.held, moved.behind, moved.safe) == (0, (), False)


def test_experiments_without_a_run_have_nothing_to_lose(store, project):
    store.create_experiment("empty", str(project / "mlruns" / "empty"))
    database = move(own_database(project), project.parent / "moved")
    found = displaced(database)
    assert found and all(item.safe for item in found)


def test_a_lost_version_is_named(filled, tmp_path):
    store = MlflowClient()
    store.create_registered_model("m")
    place = filled.parent / "1" / "models" / "m-1" / "artifacts"
    place.mkdir(parents=True)
    store.create_model_version("m", str(place))
    database = move(filled, tmp_path / "moved")
    (moved,) = displaced(database)
    assert moved.safe
    shutil.rmtree(tmp_path / "moved" / "mlruns" / "1" / "models")
    (moved,) = displaced(database)
    assert (moved.lost, moved.safe) == (("1/models/m-1/artifacts",), False)
    ask(database, "UPDATE model_versions SET current_stage = 'Deleted_Internal'")
    (moved,) = displaced(database)
    assert (moved.lost, moved.safe) == ((), True)


def test_addresses_of_files_are_moved_as_such_and_other_places_are_left_alone(filled, tmp_path):
    old, odd = filled.parent, "s3://bucket/mlruns/1"
    ask(filled, "UPDATE experiments SET artifact_location = ?", f"file://{old}/a%20b")
    store = MlflowClient()
    store.create_experiment("cloud", odd)
    store.create_experiment("disk", "/data/artifacts")
    store.create_experiment("neighbour", f"{old}2/x")
    (old / "a b").mkdir()
    database = move(filled, tmp_path / "to here")
    found = {item.old: item for item in displaced(database)}
    assert set(found) == {str(old), f"file://{old}"}
    assert found[f"file://{old}"].held == 1
    for item in found.values():
        relocate(database, item)
    homes = {text for (text,) in locations(database)}
    new = str(tmp_path).replace("%", "%25")
    assert f"file://{new}/to%20here/mlruns/a%20b" in homes
    assert {odd, "/data/artifacts", f"{old}2/x"} <= homes
    assert displaced(database) == []


def test_a_rewrite_that_fails_leaves_the_store_as_it_was(filled, tmp_path):
    database = move(filled, tmp_path / "moved")
    ask(
        database,
        "CREATE TRIGGER no BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    )
    before = locations(database)
    (moved,) = displaced(database)
    with pytest.raises(sqlite3.Error, match="disk full"):
        relocate(database, moved)
    assert locations(database) == before


def test_an_unused_experiment_of_a_server_gets_a_folder_and_a_used_one_is_left_alone(filled):
    store = MlflowClient()
    unused = store.create_experiment("unused", "mlflow-artifacts:/7")
    used = store.create_experiment("used", "mlflow-artifacts:/8")
    store.create_run(used)
    gone = store.create_experiment("gone", "mlflow-artifacts:/9")
    store.delete_experiment(gone)
    first, second = served(filled)
    assert (first.name, first.used, second.name, second.used) == ("unused", False, "used", True)
    bring_home(filled, first)
    assert [item.name for item in served(filled)] == ["used"]
    assert store.get_experiment(unused).artifact_location == str(filled.parent / unused)
    with pytest.raises(ValueError, match="artifacts on a server"):
        bring_home(filled, second)


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        displaced(tmp_path / "mlruns" / "mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    (tmp_path / "mlflow.db").write_text("hello" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        displaced(tmp_path / "mlflow.db")
