"""A store that cannot be read, runs that were left open, artifacts that lie elsewhere."""

import shlex
import time
from functools import partial
from pathlib import Path

from mmm_demo.store.doctor.finding import FIX, Finding
from mmm_demo.store.doctor.remedies import python_command
from mmm_demo.store.health import has_store
from mmm_demo.store.locks import sqlite_file
from mmm_demo.store.paths import (
    Displaced,
    Served,
    bring_home,
    displaced,
    own_database,
    relocate,
    served,
)
from mmm_demo.store.process import ALIVE, CANNOT_TELL, DEAD, Fate, fate
from mmm_demo.store.runs import Run, StoredRun, StoreError, stored_runs

CLOSED_TAG = "doctor.closed"
OPEN = "attributes.status = 'RUNNING'"


def store_findings(root: Path, uri: str) -> list[Finding]:
    """Return why the store cannot be looked at. That there is none yet is no fault.

    Parameters
    ----------
    root
        The project's folder.
    uri
        Address of the store that MLflow's settings name.
    """
    try:
        if has_store(uri) or not is_own(root, uri):
            return []
    except StoreError as error:
        mend = "make it answer, or restore it from a backup; then: uv run mmm-demo doctor"
        return [Finding(str(error), "store", mend)]
    own = own_database(root)
    left = sorted(item.name for item in own.parent.glob("*") if item.is_dir())
    if not left:
        return []
    what = f"{own} holds no store, but artifacts of one lie beside it: {', '.join(left)}"
    mend = f"put the {own.name} that belongs to them back; without it they cannot be found"
    return [Finding(what, "store", mend)]


def is_own(root: Path, uri: str) -> bool:
    """Whether an address names the project's own SQLite store."""
    file = sqlite_file(uri)
    return file is not None and file.resolve() == own_database(root)


# Runs


def run_findings() -> list[Finding]:
    """Return the runs that no living process has open."""
    fates = [(run, fate(run.data.tags)) for run in stored_runs(OPEN)]
    # Asked again after the process was looked at: it may have closed the run before it ended.
    return [
        _run_finding(run, ends)
        for run, ends in fates
        if ends.status != ALIVE and Run.of(run).running
    ]


def _run_finding(run: StoredRun, ends: Fate) -> Finding:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.info.start_time / 1000))
    where = f"{_named(run)}, opened {started})"
    if ends.status == DEAD:
        return Finding(f"still RUNNING, but {ends.why}", where, FIX, partial(_close, run))
    close = python_command(f"C().set_terminated('{run.info.run_id}', 'KILLED')")
    what = f"RUNNING; whether anybody works on it: {CANNOT_TELL}, {ends.why}"
    return Finding(what, where, f"if nobody does: {close}")


def _close(stored: StoredRun) -> str:
    run, ends = Run.of(stored), fate(stored.data.tags)
    if ends.status != DEAD or not run.running:
        return f"run {run.run_id[:8]} was closed meanwhile"
    run.log(tags={CLOSED_TAG: f"by mmm-demo doctor: left RUNNING, {ends.why}"})
    run.close("KILLED")
    return f"{_named(stored)}) is KILLED now: {ends.why}"


def _named(run: StoredRun) -> str:
    return f"run {run.info.run_id[:8]} ({run.info.run_name or ''}"


def runs_at_work() -> list[str]:
    """Return the ids of the runs that a living process has open."""
    return [run.info.run_id for run in stored_runs(OPEN) if fate(run.data.tags).status == ALIVE]


# Places


def place_findings(root: Path) -> list[Finding]:
    """Return what is wrong with the artifact paths of the project's own store.

    Raises
    ------
    sqlite3.Error
        When the database cannot be read.
    """
    database = own_database(root)
    found = [_moved_finding(database, moved) for moved in displaced(database)]
    return [*found, *(_served_finding(database, item) for item in served(database))]


def _moved_finding(database: Path, moved: Displaced) -> Finding:
    what = f"{moved.rows} artifact paths lead to {moved.old}: the folder was moved or copied"
    old, new = shlex.quote(str(moved.folder)), shlex.quote(str(moved.new))
    if moved.safe:
        return Finding(what, "store", FIX, partial(_relocate, database, moved))
    if moved.behind:
        what += f"; {len(moved.behind)} of them are there alone, e.g. {moved.behind[0]}"
        return Finding(what, "store", f"cp -rn {old}/. {new}/ && {FIX}")
    missing = f"e.g. {moved.lost[0]} is" if moved.lost else "its artifacts are"
    what += f"; {missing} neither there nor in {moved.new}"
    return Finding(what, "store", f"bring the artifacts to {new} from where they are, then: {FIX}")


def _relocate(database: Path, moved: Displaced) -> str:
    if busy := runs_at_work():  # it would go on writing into the old folder
        raise StoreError(f"run {busy[0][:8]} is at work; repeat when it is done")
    backup = relocate(database, moved)
    return f"{moved.rows} artifact paths lead to {moved.new} now (before: {backup.name})"


def _served_finding(database: Path, item: Served) -> Finding:
    what = f"artifacts of experiment {item.name!r} can only be reached through a server"
    if not item.used:
        return Finding(what, "store", FIX, partial(_bring_home, database, item))
    hide = f"uv run mlflow experiments delete --experiment-id {item.experiment_id}"
    return Finding(what, "store", f"read them in: uv run mmm-demo ui  and put it away: {hide}")


def _bring_home(database: Path, item: Served) -> str:
    backup = bring_home(database, item)
    return f"experiment {item.name!r} keeps its artifacts beside the store (before: {backup.name})"
