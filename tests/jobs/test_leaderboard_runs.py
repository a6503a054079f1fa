"""The leaderboard of a real store, with runs of both kinds; no table of a failing fit is read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Demo
from mlflow import MlflowClient
from test_review import LEAN, forecast

from board_data import HARD, SALES, backtest, plan, pointwise, roas
from drawn_model import drawn_model
from evidence_tables import placebo_table
from helpers import GOOD_VALUES
from mmm_demo.checks.gate import PASSED
from mmm_demo.evidence import scores
from mmm_demo.jobs.evidence import run_evidence
from mmm_demo.jobs.leaderboard import (
    CONTRADICTED,
    NO_VERDICT,
    find_candidates,
    run_leaderboard,
    verdict_of,
)
from mmm_demo.settings.experiment import ConfigError
from mmm_demo.settings.run_schema import SALES_PARAM
from mmm_demo.store import runs, search
from mmm_demo.store.runs import open_run

CONVERGENCE = {
    f"gate.{name}": value
    for name, value in GOOD_VALUES.items()
    if name not in ("prior_extreme_share", "coverage_94", "decomposition_gap")
}
DENSITY = np.random.default_rng(6).normal(-11, 1, 104)


def log_fit(name: str, lag: int, crps: np.ndarray | None, *, kind: str = "fit", **tags: str) -> str:
    """Log a fit as its run would, with lag, scores and verdict; return its run id."""
    verdict = {"gate": "passed"} if kind == "fit" else {"trial.verdict": "passed", "sweep": "lags"}
    tables = {
        scores.POINTWISE: pointwise(DENSITY - 0.1 * lag),
        scores.ROAS: roas(lag / 4, 3.0),
        scores.PLAN: plan(100.0 * lag, 400.0),
    }
    if crps is not None:
        tables[scores.BACKTEST] = backtest(crps)
    with open_run(name, kind) as run:
        run.log(
            params={SALES_PARAM: SALES, "model.adstock.max_lag": lag},
            metrics=CONVERGENCE,
            tags={"market": "demo"} | verdict | tags,
        )
        for path, table in tables.items():
            run.log_text(table.to_csv(index=False), path)
    return run.run_id


def log_poisoned(verdict: dict[str, str], metrics: dict[str, float], kind: str = "fit") -> str:
    """Log a fit that did not pass, with the best CRPS of all and tables that cannot be read."""
    with open_run("poisoned", kind) as run:
        run.log(
            params={SALES_PARAM: SALES},
            metrics=metrics | {scores.CRPS: 0.1},
            tags={"market": "demo"} | verdict,
        )
        for path in (scores.BACKTEST, scores.POINTWISE, scores.ROAS, scores.PLAN):
            run.log_text("this is no table\n1,2,3", path)
    return run.run_id


def unheard(_: str) -> None:
    """Take a message, and do nothing with it."""


def test_leaderboard_of_fits_and_trials(store: MlflowClient, project: Path) -> None:
    best = log_fit("best", 8, HARD)
    twin = log_fit("twin", 4, HARD, kind="trial")
    worse = log_fit("worse", 12, HARD + 40, kind="trial")
    unmeasured = log_fit("unmeasured", 6, None)
    failed = log_poisoned({"gate": "failed"}, {"gate.rhat_max": 1.3})
    said: list[str] = []
    done = run_leaderboard("demo", None, "crps", True, project, said.append)
    board = done.board
    assert [item.candidate.run_id for item in board.ranked] == [best, twin, worse]
    assert [item.candidate.run_id for item in board.equal] == [best, twin]
    assert [item.run_id for item in board.unmeasured] == [unmeasured]
    assert [item.run_id for item in board.failed] == [failed]
    assert "rhat_max 1.3 < 1.01: FAILED" in board.failed[0].reason
    weights = [item.weight for item in board.ranked]
    assert weights[:2] == pytest.approx([0.0, 1.0], abs=1e-3)  # the shorter lag predicts better
    assert np.isnan(weights[2])
    run = store.get_run(done.run.run_id)
    assert run.data.tags["mmm.kind"] == "leaderboard"
    assert run.data.metrics["leaderboard.equal"] == 2
    assert "2 of 3 models are equally good" in run.data.tags["mlflow.note.content"]
    table = pd.read_csv(store.download_artifacts(run.info.run_id, "tables/leaderboard_demo.csv"))
    assert table["run"].tolist() == [best, twin, worse, unmeasured, failed]
    assert table["crps"].notna().tolist() == [True, True, True, False, False]
    plots = {item.path for item in store.list_artifacts(run.info.run_id, "plots/diagnostics")}
    assert {Path(path).stem for path in plots} == {
        "leaderboard_specification_curve",
        "leaderboard_plan_shares",
    }
    written = {path.name for path in (project / "outputs").rglob("*") if path.is_file()}
    mark = run.info.run_id[:8]
    assert f"leaderboard_specification_curve_{mark}.png" in written
    assert any(name.startswith(f"roas_spread_demo_{mark}") for name in written)
    # A second one overwrites nothing, and the runs that ranked are not ranked themselves.
    again = run_leaderboard("demo", None, "crps", False, project, unheard)
    assert len(again.board.ranked) == 3


def test_sweep_lists_its_own_trials_alone(store: MlflowClient, project: Path) -> None:
    log_fit("a fit", 8, HARD)
    mine = log_fit("mine", 8, HARD + 5, kind="trial", sweep="priors")
    log_fit("other", 8, HARD, kind="trial")
    board = run_leaderboard("demo", "priors", "elpd", False, project, unheard).board
    assert [item.candidate.run_id for item in board.ranked] == [mine]
    with pytest.raises(FileNotFoundError, match=r"no trial of sweep 'nope'.*lags, priors"):
        run_leaderboard("demo", "nope", "crps", False, project, unheard)


def test_no_fit_is_an_error_with_the_next_step_and_no_run(
    store: MlflowClient, project: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="no fit in market 'demo'; run: mmm-demo fit"):
        run_leaderboard("demo", None, "crps", False, project, unheard)
    with pytest.raises(ConfigError, match="market"):
        run_leaderboard("de'mo", None, "crps", False, project, unheard)
    homes = [item.experiment_id for item in store.search_experiments()]
    assert store.search_runs(homes) == []


def test_other_markets_and_kinds_are_not_looked_at(store: MlflowClient) -> None:
    wanted = log_fit("mine", 8, HARD)
    log_fit("theirs", 8, HARD, market="other")
    log_fit("no fit", 8, HARD, kind="refit")
    assert [item.run_id for item in find_candidates("demo")] == [wanted]


@pytest.mark.parametrize(
    ("kind", "tags"),
    [
        ("fit", {"gate": "failed"}),
        ("fit", {}),
        ("trial", {"trial.verdict": "failed", "trial.reason": "fold 2 did not converge"}),
        ("trial", {"trial.verdict": "pruned", "trial.reason": "hopeless after fold 1"}),
        ("trial", {"gate": "passed"}),  # a trial has another tag
    ],
)
def test_tables_of_what_did_not_pass_are_never_read(
    store: MlflowClient, kind: str, tags: dict[str, str]
) -> None:
    log_poisoned(tags, CONVERGENCE, kind)
    (found,) = find_candidates("demo")
    assert found.verdict != PASSED and found.reason
    assert all(np.isnan(value) for value in found.scores.values())


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        CONVERGENCE | {"gate.rhat_max": 1.2},
        CONVERGENCE | {"gate.divergences": 3.0},
        CONVERGENCE | {"gate.ess_bulk_min": float("nan")},
        CONVERGENCE | {"gate.decomposition_gap": 0.5},
        {name: value for name, value in CONVERGENCE.items() if name != "gate.bfmi_min"},
    ],
)
def test_tag_moved_by_hand_makes_no_pass(store: MlflowClient, metrics: dict[str, float]) -> None:
    log_poisoned({"gate": "passed"}, metrics)
    (found,) = find_candidates("demo")
    assert found.verdict == CONTRADICTED
    assert found.reason.startswith("called passed, but")


def test_verdict_of_a_run_that_says_nothing() -> None:
    assert verdict_of("fit", "RUNNING", {}, CONVERGENCE) == (
        NO_VERDICT,
        "its run is RUNNING and has no verdict",
    )
    assert verdict_of("fit", "FINISHED", {"gate": "passed"}, CONVERGENCE) == (PASSED, "")
    assert verdict_of("fit", "FAILED", {"gate": "failed"}, {}) == (
        "failed",
        "see gate.json of its run",
    )


@pytest.mark.parametrize("artifact", ["", "note.txt", "tables/scores"])
def test_fit_without_scores_is_not_measured(store: MlflowClient, artifact: str) -> None:
    with open_run("old", "fit") as run:
        tags = {"market": "demo", "gate": "passed"}
        run.log(params={SALES_PARAM: SALES}, metrics=CONVERGENCE, tags=tags)
        if artifact:
            run.log_text("unrelated", artifact)
    (found,) = find_candidates("demo")
    assert found.verdict == PASSED
    assert found.tables.backtest is None and found.tables.pointwise is None


def test_table_that_cannot_be_read_is_named_with_its_run(store: MlflowClient) -> None:
    run = log_poisoned({"gate": "passed"}, CONVERGENCE)
    with pytest.raises(ValueError, match=f"run {run} of a fit that passed: "):
        find_candidates("demo")


def test_search_goes_through_all_pages(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [log_fit(f"fit {number}", number, None) for number in range(1, 6)]
    monkeypatch.setattr(runs, "PAGE", 2)
    found = search.search_runs("fit", "demo")
    assert [item.run_id for item in found] == made[::-1]
    assert found[0].params["model.adstock.max_lag"] == "5"
    assert found[0].metrics["gate.rhat_max"] == GOOD_VALUES["rhat_max"]
    assert (found[0].name, found[0].status) == ("fit 5", "FINISHED")


# What real fits log


def test_real_fit_logs_what_it_is_compared_by(demo: Demo, tmp_path: Path) -> None:
    run = demo.client.get_run(demo.run_id)
    folder = Path(demo.client.download_artifacts(demo.run_id, scores.FOLDER, str(tmp_path)))
    tables = {
        name: scores.read_table(folder.parent, name)
        for name in (scores.POINTWISE, scores.ROAS, scores.PLAN)
    }
    assert run.data.metrics[scores.ELPD] == pytest.approx(tables[scores.POINTWISE]["elpd_i"].sum())
    assert np.isfinite(run.data.metrics[scores.ELPD_SE])
    assert scores.CRPS not in run.data.metrics  # it has no backtest
    medians = tables[scores.ROAS].set_index("channel")["median"]
    for channel, money in tables[scores.PLAN].set_index("channel")["planned"].items():
        assert run.data.metrics[f"roas.{channel}"] == pytest.approx(medians[channel], rel=1e-6)
        assert run.data.metrics[f"plan.{channel}"] == pytest.approx(money)
    assert len(run.data.params[SALES_PARAM]) == 64
    verdict = verdict_of("fit", run.info.status, run.data.tags, run.data.metrics)
    assert verdict == (PASSED, "")


@pytest.mark.parametrize("converged", [True, False])
def test_backtest_gives_a_fit_its_crps(make_version, monkeypatch, store, converged: bool) -> None:
    canned = forecast(drawn_model().table, LEAN, 100.0, converged)
    monkeypatch.setattr("mmm_demo.evidence.backtest.run_backtest", lambda *_: canned)
    fit = str(make_version().run_id)
    run_evidence(fit, ["backtest"], unheard, unheard)
    logged = store.get_run(fit).data.metrics
    folder = Path(store.download_artifacts(fit, scores.FOLDER)).parent
    pd.testing.assert_frame_equal(
        scores.read_table(folder, scores.BACKTEST), canned, check_dtype=False
    )
    if converged:
        assert logged[scores.CRPS] == pytest.approx(100.0)
        assert logged[scores.COVERAGE] == 1.0
    else:
        assert np.isnan(logged[scores.CRPS]) and np.isnan(logged[scores.COVERAGE])


def test_evidence_of_another_battery_measures_no_crps(make_version, monkeypatch, store) -> None:
    monkeypatch.setattr("mmm_demo.evidence.placebo.run_placebo", lambda *_: placebo_table())
    fit = str(make_version().run_id)
    run_evidence(fit, ["placebo"], unheard, unheard)
    assert scores.CRPS not in store.get_run(fit).data.metrics
