"""Several processes at once on one store: nothing is lost, and there is one champion."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import pytest
from conftest import run_command

from helpers import PROJECT, PYTHON
from mmm_demo.jobs.promote import ChampionMoved
from mmm_demo.store.runs import find_run, open_run
from store_jobs import RUNS, STEPS, values
from versions import last_run, nothing_against, number_of, run_promotion

PROCESSES = 8
Script = Callable[..., list[dict]]


@pytest.fixture
def script(store, project: Path, user_environment: dict[str, str]) -> Script:
    """Run a script of forked jobs in the project folder, on its store."""

    def run(name: str, *words: object) -> list[dict]:
        command = (PYTHON, str(PROJECT / "tests" / "support" / name), *map(str, words))
        done = run_command(project, user_environment, *command)
        assert done.code == 0, done.err
        return json.loads(done.out.splitlines()[-1])

    return run


@pytest.mark.slow
def test_eight_processes_that_log_at_once_lose_nothing(script, store):
    children = script("store_jobs.py", "log", PROCESSES)
    assert [child["error"] for child in children] == [""] * PROCESSES
    for process, child in enumerate(children):
        assert len(child["value"]) == RUNS
        for number, run_id in enumerate(child["value"]):
            run, told = store.get_run(run_id), values(process, number)
            assert run.info.status == "FINISHED"
            assert run.data.params == told["params"]
            assert run.data.metrics == told["metrics"]
            assert told["tags"].items() <= run.data.tags.items()
            for name in ("m0", "m39"):
                history = store.get_metric_history(run_id, name)
                assert [point.step for point in history] == list(range(STEPS))
            file = Path(urlparse(run.info.artifact_uri).path) / "folder" / "file.txt"
            assert file.read_text() == f"artifact {process}.{number}\n" * 1000
    experiment = find_run(children[0]["value"][0]).experiment_id
    assert len(store.search_runs([experiment])) == PROCESSES * RUNS


def promotions(store) -> list[tuple[str, str, str, str]]:
    """Return from, to, status and verdict of every promotion run, the first first."""
    found = store.search_runs(
        [item.experiment_id for item in store.search_experiments()],
        "tags.`mmm.kind` = 'promotion'",
        order_by=["attributes.start_time ASC"],
    )
    return [
        (
            run.data.params["promotion.from"],
            run.data.params["promotion.to"],
            run.info.status,
            run.data.tags["promotion"],
        )
        for run in found
    ]


@pytest.mark.slow
def test_two_promotions_at_once_end_with_one_champion_and_both_recorded(
    make_version, script, store
):
    for _ in range(7):
        make_version()
    run_promotion(1)
    pairs = script("promotion_jobs.py", "locked:2:3", "locked:5:4", "unlocked:6:7")
    champion, done = 1, ("FINISHED", "done")
    recorded = []
    waits = "another promotion of market 'demo' is under way; waiting for its end"
    for (one, other), (first, second) in zip(((2, 3), (5, 4)), pairs, strict=False):
        assert (first["error"], second["error"]) == ("", "")
        moved = [(child["value"]["former"], child["value"]["version"]) for child in (first, second)]
        assert moved == [(champion, one), (one, other)]  # the later beat the champion of the first
        assert waits in second["value"]["said"]
        assert waits not in first["value"]["said"]
        recorded += [(str(champion), str(one), *done), (str(one), str(other), *done)]
        champion = other
    # Without a lock, the one that was judged against a champion of the past is refused.
    first, second = pairs[2]
    assert second["error"] == ""
    assert "ChampionMoved: market 'demo': the champion was version 4 when" in first["error"]
    assert "is version 7 now; run it again" in first["error"]
    recorded += [("4", "6", "FAILED", "refused"), ("4", "7", *done)]
    assert sorted(promotions(store)[1:]) == sorted(recorded)
    assert (number_of("champion"), number_of("previous")) == (7, 4)


def test_a_champion_that_moved_while_it_was_fought_refuses_the_winner(make_version, store):
    for _ in range(3):
        make_version()
    run_promotion(1)

    def overtaken(*_: object) -> tuple[str, ...]:
        run_promotion(3)
        return nothing_against()

    with pytest.raises(ChampionMoved, match=r"was version 1 .* is version 3 now; run it again"):
        run_promotion(2, judge=overtaken)
    assert (number_of("champion"), number_of("previous")) == (3, 1)
    run_promotion(2)  # again
    assert (number_of("champion"), number_of("previous")) == (2, 3)
    assert last_run(store).data.params["promotion.from"] == "3"


def test_a_promotion_that_broke_off_leaves_the_record_of_the_one_before(
    make_version, store, monkeypatch
):
    make_version()
    make_version()
    run_promotion(1)
    run_promotion(2)

    def broken(*_: object) -> None:
        raise ConnectionError("no store today")

    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr("mmm_demo.jobs.promote._require_unmoved", broken)
        run_promotion(rollback=True)
    run_promotion(rollback=True)  # version 1 is still one that was promoted
    assert (number_of("champion"), number_of("previous")) == (1, 2)


def test_what_two_made_at_once_is_taken_from_the_other(store, monkeypatch):
    from mlflow import MlflowClient

    from mmm_demo.store import runs

    made, looked = runs.experiment_id(), []
    find = MlflowClient.get_experiment_by_name

    def not_yet(self: MlflowClient, name: str):
        looked.append(name)
        return None if len(looked) == 1 else find(self, name)

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", not_yet)
    assert runs.experiment_id() == made
    assert len(looked) == 2
    with open_run("demo", "fit") as run:
        assert run.experiment_id == made
