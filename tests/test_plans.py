"""Plans: by the champion alone, for windows that it may plan, whoever lost against it."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from conftest import all_runs
from mmm_demo import fit_steps, pipeline
from mmm_demo.bundle import BundleRefused
from mmm_demo.config import ExperimentConfig
from mmm_demo.fitted import WEEK
from mmm_demo.gate import GateReport
from mmm_demo.model import Sampling
from mmm_demo.pipeline import FitResult, run_main, run_optimize
from mmm_demo.promotion import ContestLost
from mmm_demo.registry import find_alias
from mmm_demo.trace import load_trace
from test_cli import Ask
from test_pipeline import silent, write_experiment
from test_reports import ask as ask  # a fixture of some tests here
from test_reports import promote
from versions import data_folder

# What a champion plans


def test_a_champion_that_was_tampered_with_gets_no_plan(make_version, store, project):
    version = make_version()
    promote()
    gate = data_folder(version) / "gate.json"
    gate.write_text(gate.read_text() + " ")
    with pytest.raises(BundleRefused, match=r"check 'bytes of gate.json' failed"):
        run_optimize("demo", {}, project, silent)
    (plan,) = [run for run in all_runs(store) if run.data.tags["mmm.kind"] == "plan"]
    assert plan.info.status == "FAILED"
    assert not [name for name in plan.data.metrics if name.startswith("plan.")]
    assert not list((project / "outputs").rglob("*.csv"))


def test_a_champion_plans_what_is_asked_for(make_version, store, project):
    make_version()
    promote()
    done = run_optimize("demo", {"weeks": 4, "total_budget": 600_000.0}, project, silent)
    assert done.plan.weeks == 4
    assert pd.read_csv(done.file)["planned"].sum() == pytest.approx(600_000.0)
    assert done.file.name == f"budget_scenario_demo_{done.run.run_id[:8]}.csv"
    assert store.get_run(done.run.run_id).data.params["plan.weeks"] == "4"


def test_a_budget_that_cannot_be_planned_leaves_a_failed_run_with_its_reason(
    make_version, store, project
):
    make_version()
    promote()
    with pytest.raises(ValueError, match="no plan spends 1 in 13 weeks"):
        run_optimize("demo", {"total_budget": 1.0}, project, silent)
    with pytest.raises(ValueError, match="weeks"):
        run_optimize("demo", {"weeks": 0}, project, silent)
    plans = [run for run in all_runs(store) if run.data.tags["mmm.kind"] == "plan"]
    assert {run.info.status for run in plans} == {"FAILED"}


def test_a_market_without_a_champion_gets_no_plan(store, project):
    with pytest.raises(FileNotFoundError, match="no champion; run: mmm-demo promote"):
        run_optimize("demo", {}, project, silent)


# Champions that may not plan any more, and windows that they may plan


def plans(store: MlflowClient) -> list[Run]:
    return [run for run in all_runs(store) if run.data.tags["mmm.kind"] == "plan"]


def test_a_champion_plans_a_later_window_and_says_which(make_version, store, project, ask: Ask):
    last = pd.Timestamp(make_version_end(make_version))
    promote()
    start = last + 14 * WEEK  # 13 weeks between: as many as are allowed
    answer = ask("optimize", "--start", f"{start:%Y-%m-%d}", "--weeks", "4")
    assert (answer.code, answer.err) == (0, "")
    assert f"Plan {start:%Y-%m-%d} to {start + 3 * WEEK:%Y-%m-%d} (4 weeks)" in answer.out
    (run,) = plans(store)
    assert f"{start:%Y-%m-%d} to " in run.data.tags["mlflow.note.content"]
    params = run.data.params
    assert (params["plan.weeks"], params["plan.start"]) == ("4", f"{start:%Y-%m-%d}")
    assert len(list((project / "outputs" / "optimization").iterdir())) == 1


def make_version_end(make_version: Callable[..., Any]) -> pd.Timestamp:
    """Make a version, and return the last week of its data."""
    made = load_trace(data_folder(make_version()) / "trace.nc")
    return made["weekly_table"]["Week"].to_numpy()[-1]


def test_windows_that_cannot_be_planned_are_refused_and_write_nothing(
    make_version, store, project, ask: Ask
):
    last = pd.Timestamp(make_version_end(make_version))
    promote()
    cases = [
        (last + 15 * WEEK, 3, "14 weeks before the planning window; gate.max_gap_weeks is 13"),
        (last + WEEK + pd.Timedelta(days=2), 1, "a plan cannot start Wednesday"),
        (last, 1, f"start on {last + WEEK:%Y-%m-%d} or whole weeks later"),
        (last - 10 * WEEK, 1, f"the data end {last:%Y-%m-%d}"),
    ]
    for start, code, why in cases:
        answer = ask("optimize", "--start", f"{start:%Y-%m-%d}")
        assert (answer.code, answer.err.split(":")[0]) == (
            code,
            "Refused" if code == 3 else "Error",
        )
        assert why in answer.err
    answer = ask("optimize", "--start", "next monday")
    assert answer.code == 1
    assert "budget.start: must be a day such as 2026-01-05, got 'next monday'" in answer.err
    assert {run.info.status for run in plans(store)} == {"FAILED"}
    assert not (project / "outputs").exists()


def test_an_expired_champion_gets_no_plan(make_version, store, project, ask: Ask):
    make_version()
    promote()
    long_ago = int((time.time() - 367 * 86_400) * 1000)
    with sqlite3.connect(project / "mlruns" / "mlflow.db") as rows:
        rows.execute("UPDATE model_versions SET creation_time = ?", [long_ago])
    rows.close()
    answer = ask("optimize", "--weeks", "4")
    assert answer.code == 3
    assert answer.err.startswith("Refused: the champion was fitted ")
    assert "367 days ago; gate.max_age_days is 365" in answer.err
    assert "mmm-demo main" in answer.err
    (run,) = plans(store)
    assert run.info.status == "FAILED"
    assert run.data.params["plan.model_version"] == "1"  # whose plan was refused
    assert not [name for name in run.data.metrics if name.startswith("plan.")]
    assert not (project / "outputs").exists()


# Main jobs whose version does not become champion


@pytest.fixture
def sampled(lean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The draws of the demo fit in place of the sampler's, and no plots; all else is real."""
    stored = Sampling(load_trace(lean / "trace.nc"), 1.0, "warm")
    monkeypatch.setattr(fit_steps, "sample_posterior", lambda *_, **__: stored)
    for plots in ("prior_figures", "convergence_figures", "result_figures"):
        monkeypatch.setattr(fit_steps, plots, lambda *_: iter(()))


def hard_to_please(content: dict[str, Any]) -> None:
    """Ask for a backtest that nobody ran and for ROAS that this market does not have."""
    content["gate"] = {"require": ["backtest"], "roas_range": [50.0, 60.0]}


def test_a_version_that_loses_is_challenger_and_the_champion_plans(
    make_version, store, project, ask: Ask, sampled
):
    first = make_version()
    promote()
    write_experiment(project, hard_to_please)
    answer = ask("main", "--experiment", "experiments/changed.yaml")
    assert (answer.code, answer.err) == (0, "")
    aliases = {name: find_alias("demo", name) for name in ("champion", "challenger")}
    assert {name: int(found.version) for name, found in aliases.items()} == {
        "champion": 1,
        "challenger": 2,
    }
    assert "version 2 of mmm_demo is challenger, not champion:" in answer.out
    assert "The plan uses the champion, version 1." in answer.out
    assert "Model version mmm_demo 1, plan in " in answer.out
    (plan,) = plans(store)
    assert plan.data.params["plan.fit_run"] == first.run_id
    challenger = aliases["challenger"]
    fit = store.get_run(challenger.run_id)
    assert (fit.info.status, fit.data.tags["gate"]) == ("FINISHED", "passed")
    summary = Path(store.download_artifacts(fit.info.run_id, "summary.md")).read_text()
    assert "The plan uses the champion, version 1." in summary
    # What is flagged is said on the terminal, in the run, on its page and with the version.
    flag = "channels with a ROAS out of range 4, limit <= 0 ("
    assert f"flag: {flag}" in answer.out and "> flag: roas_outside_range 4" in answer.out
    assert flag in fit.data.tags["mlflow.note.content"]
    assert "roas_outside_range" in fit.data.tags["flags"]
    assert fit.data.tags["flags"] == challenger.tags["flags"]
    assert fit.data.metrics["gate.flags"] == fit.data.tags["flags"].count(",") + 1


def test_a_version_that_may_not_become_the_first_champion_gets_no_plan(
    make_version, store, project, monkeypatch
):
    def made(run: Any, experiment: ExperimentConfig, *_: object) -> FitResult:
        return FitResult(run, GateReport(()), make_version(experiment), "", None)

    monkeypatch.setattr(pipeline, "_fit", made)
    with pytest.raises(ContestLost, match="version 1 of mmm_demo is challenger, not champion"):
        run_main(write_experiment(project, hard_to_please), project, silent, silent)
    assert find_alias("demo", "champion") is None
    assert not plans(store)
