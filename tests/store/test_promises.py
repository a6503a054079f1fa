"""Past promises of a version: what its tracking runs wrote down, once per plan."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from mmm_demo.planning.outcome import HELD, NOT_FOLLOWED, NOT_HELD, PlanOutcome
from mmm_demo.store.promises import MODEL, PLAN_RUN, VERSION, outcome_params, past_promises
from mmm_demo.store.runs import open_run
from track_data import make_outcome

A, B = "a" * 32, "b" * 32


def version(number: int = 1, name: str = "mmm_demo") -> ModelVersion:
    return ModelVersion(name, str(number), 0)


def write(plan: str, outcome: PlanOutcome, **changes: object) -> None:
    """Write down a tracked plan of version 1."""
    ground = {PLAN_RUN: plan, MODEL: "mmm_demo", VERSION: 1, "track.scenario": "base"}
    with open_run("track", "tracking") as made:
        made.log(params=ground | outcome_params(outcome) | changes)


def test_record_is_of_the_spend_that_happened() -> None:
    # Week 0 came at 200, as the promise of 100 did not; given the spend it was half of all draws.
    outcome = make_outcome(outside=(0,), spent=(3.0, 3.0, 3.0))
    outcome.expected.draws[:, 0] += 100.0
    found = outcome_params(outcome)
    assert (found["track.weeks"], found["track.inside_94"]) == (6, 6)
    assert outcome.promised.table["inside_94"].sum() == 5
    assert found["track.total_inside"] == 1
    assert found["track.status"] == NOT_FOLLOWED and found["track.deviation"] == 2.0


def test_each_plan_counts_once_by_its_latest_tracking(store: MlflowClient) -> None:
    write(A, make_outcome(weeks=2))
    write(B, make_outcome(outside=(0, 1, 2)))
    write(A, make_outcome(weeks=3))
    found = past_promises(version())
    assert found["plan"].tolist() == [A[:8], B[:8], "all"]
    assert found["promise"].tolist() == [HELD, NOT_HELD, "1 held, 1 not held"]
    assert found["weeks"].tolist() == [3, 6, 9]
    assert found["weeks_planned"].tolist() == [6, 6, 12]
    assert found["inside_94"].tolist() == [3, 3, 6]
    assert found["plans"].tolist() == [1, 1, 2]
    assert found["total_inside"].tolist() == [1, 0, 1]
    assert found["start"].tolist()[:2] == ["2026-01-05"] * 2


@pytest.mark.parametrize("other", [version(2), version(1, "mmm_other")])
def test_promises_of_other_versions_are_not_this_ones(
    store: MlflowClient, other: ModelVersion
) -> None:
    assert past_promises(version()).empty
    write(A, make_outcome())
    assert past_promises(other).empty
    assert len(past_promises(version())) == 2


def test_a_tracking_that_did_not_finish_is_none(store: MlflowClient) -> None:
    with pytest.raises(KeyError), open_run("track", "tracking") as made:
        made.log(
            params={PLAN_RUN: A, MODEL: "mmm_demo", VERSION: 1} | outcome_params(make_outcome())
        )
        raise KeyError("stop")
    assert past_promises(version()).empty


@pytest.mark.parametrize("told", [{"track.inside_94": "many"}, {"track.inside_94": "nan"}])
def test_what_a_run_does_not_tell_is_not_counted_as_inside(
    store: MlflowClient, told: Mapping[str, object]
) -> None:
    write(A, make_outcome())
    write(B, make_outcome(), **told)
    found = past_promises(version()).set_index("plan")
    assert np.isnan(found.loc[B[:8], "inside_94"]) and np.isnan(found.loc["all", "inside_94"])
    assert found.loc["all", "weeks"] == 12


def test_a_run_that_tells_nothing_is_shown_as_unknown(store: MlflowClient) -> None:
    with open_run("track", "tracking") as made:
        made.log(params={PLAN_RUN: A, MODEL: "mmm_demo", VERSION: 1})
    found = past_promises(version())
    assert found["promise"].tolist() == ["not known", "1 not known"]
    assert found[["weeks", "inside_50", "inside_94", "total_inside"]].isna().all(axis=None)


def test_runs_of_every_experiment_count_page_by_page(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmm_demo.store.runs.PAGE", 1)
    write(A, make_outcome())
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", store.create_experiment("another"))
    write(B, make_outcome())
    found = past_promises(version())
    assert set(found["plan"]) == {A[:8], B[:8], "all"}
    assert isinstance(found, pd.DataFrame)
