"""Runs by what they are: all of them, over every page and experiment, and nothing else."""

import time

import pytest

from mmm_demo.store import runs as runs_of_store
from mmm_demo.store.runs import find_tagged, open_run, stored_runs, tagged


@pytest.fixture
def sweeps(store):
    """Two sweeps in two experiments, with children of the same numbers."""
    made = []
    for identity in ("a", "b"):
        with open_run(f"sweep {identity}", "sweep", tags={"sweep.identity": identity}) as run:
            tags = [{"optuna.trial": str(number), "market": "small"} for number in range(3)]
            made.append((run, [run.child("s", "trial", tag) for tag in tags]))
    return made


def search(kind, market):
    return stored_runs(tagged({"mmm.kind": kind, "market": market}))


def ids(runs):
    return [(run.run_id, run.experiment_id) for run in runs]


def test_a_run_is_found_by_all_of_its_tags(sweeps):
    (first, children), (second, others) = sweeps
    assert ids(find_tagged({"sweep.identity": "a", "mmm.kind": "sweep"})) == ids([first])
    for parent, own in ((first, children), (second, others)):
        below = {"mlflow.parentRunId": parent.run_id}
        assert set(ids(find_tagged(below))) == set(ids(own))
        assert ids(find_tagged(below | {"optuna.trial": "1"})) == ids([own[1]])
    assert len(find_tagged({"mmm.kind": "trial"})) == 6


@pytest.mark.parametrize(
    "tags", [{"sweep.identity": "c"}, {"sweep.identity": "a", "mmm.kind": "fit"}, {"optuna": "1"}]
)
def test_nothing_is_found_by_tags_that_no_run_has(sweeps, tags):
    assert find_tagged(tags) == []


def test_a_run_is_found_in_every_experiment_the_oldest_first(store, monkeypatch):
    runs = []
    for number in range(3):
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", f"of {number}")
        with open_run("sweep s", "sweep", tags={"sweep.identity": "a"}) as run:
            runs.append(run)
        time.sleep(0.002)  # MLflow counts milliseconds
    assert ids(find_tagged({"sweep.identity": "a"})) == ids(runs)


def test_a_deleted_run_is_not_found(sweeps, store):
    store.delete_run(sweeps[0][0].run_id)
    assert find_tagged({"sweep.identity": "a"}) == []


def test_every_page_is_read(sweeps, monkeypatch):
    monkeypatch.setattr(runs_of_store, "PAGE", 2)
    found = [run.info for run in search("trial", "small")]
    assert len({run.run_id for run in found}) == 6 == len(found)
    assert [run.start_time for run in found] == sorted((r.start_time for r in found), reverse=True)
    assert search("trial", "large") == search("fit", "small") == []
