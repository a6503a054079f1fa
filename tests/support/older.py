"""A version and a sweep that were made at commit 008ef34, put back into a real store."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from helpers import PROJECT

CASE = PROJECT / "tests" / "cases" / "version_008ef34"
MLRUNS = "MLRUNS"  # stands in the stored rows for the store's own folder
MODEL, PROMOTION = "m-1546930918b8453bb3c6404368f167d6", "ac766bbbf55749b4a8439031808009a3"


def restore(project: Path) -> Path:
    """Put rows and files back where that commit's main job and sweep left them.

    Parameters
    ----------
    project
        Folder whose `mlruns/` holds an empty, migrated store.

    Returns
    -------
    Path
        Folder of the version's model.
    """
    mlruns = project / "mlruns"
    rows = json.loads((CASE / "store.json").read_text("utf-8").replace(MLRUNS, str(mlruns)))
    with closing(sqlite3.connect(mlruns / "mlflow.db")) as connection, connection:
        for table, items in rows.items():
            names = list(items[0])
            places = ", ".join(f":{name}" for name in names)
            query = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"
            connection.executemany(query, items)
    model = mlruns / "1" / "models" / MODEL / "artifacts"
    shutil.copytree(CASE / "model", model)
    described = (model / "MLmodel").read_text("utf-8")
    (model / "MLmodel").write_text(described.replace(MLRUNS, str(mlruns)), "utf-8")
    shutil.unpack_archive(CASE / "code.zip", model / "code")
    copy = mlruns / "1" / PROMOTION / "artifacts" / "bundle"
    shutil.copytree(model / "data" / "bundle", copy)
    (project / "experiments" / "sweeps").mkdir(parents=True, exist_ok=True)
    shutil.copy(CASE / "kept.yaml", project / "experiments" / "kept.yaml")
    shutil.copy(CASE / "sweep.yaml", project / "experiments" / "sweeps" / "kept.yaml")
    (mlruns / "sweeps").mkdir()
    shutil.copy(CASE / "studies.log", mlruns / "sweeps" / "studies.log")
    return model
