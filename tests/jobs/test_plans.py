"""Plans: by the champion alone, for windows that it may plan, whoever lost against it."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xarray as xr
from conftest import all_runs
from mlflow import MlflowClient
from mlflow.entities import Run
from test_pipeline import silent, write_experiment
from test_reports import ask as ask  # a fixture of some tests here
from test_reports import promote

from answer import Ask
from helpers import PROJECT, good_report
from mmm_demo.checks.gate import DATA_DRIVEN, NOT_ASSESSABLE, PRIOR_DRIVEN, Check, GateReport
from mmm_demo.checks.proof import BundleRefused
from mmm_demo.fits.fitted import WEEK
from mmm_demo.fits.sampler import Sampling
from mmm_demo.fits.trace import load_trace
from mmm_demo.jobs import fit as fit_steps
from mmm_demo.jobs import main
from mmm_demo.jobs.fit import FitResult
from mmm_demo.jobs.main import run_main
from mmm_demo.jobs.plan import channel_labels, past_text, real_gain, run_optimize, truth_text
from mmm_demo.jobs.promote import ContestLost
from mmm_demo.planning.window import BudgetError, window_of
from mmm_demo.settings.data import DataConfig
from mmm_demo.settings.experiment import ExperimentConfig, to_dict
from mmm_demo.settings.experiment_file import from_dict, load_experiment
from mmm_demo.settings.scenario import load_request
from mmm_demo.settings.wording import signed
from mmm_demo.sources.simulate import really_brings, simulate_market
from mmm_demo.store.publish import Publisher
from mmm_demo.store.registry import find_alias
from versions import data_folder


def assert_nothing_planned(store: MlflowClient, project: Path) -> None:
    """Check that a refused plan left neither a run nor a file."""
    assert not plans(store)
    assert not (project / "outputs").exists()


# What a champion plans


def test_a_champion_that_was_tampered_with_gets_no_plan(make_version, store, project):
    version = make_version()
    promote()
    gate = data_folder(version) / "gate.json"
    gate.write_text(gate.read_text() + " ")
    with pytest.raises(BundleRefused, match=r"check 'bytes of gate.json' failed"):
        run_optimize("demo", {}, project, silent)
    assert_nothing_planned(store, project)


def test_a_champion_plans_what_is_asked_for(make_version, store, project):
    make_version()
    promote()
    done = run_optimize("demo", {"weeks": 4, "total_budget": 600_000.0}, project, silent)
    assert done.plan.weeks == 4
    (file,) = done.files
    schedule = pd.read_csv(file, parse_dates=["week"])
    named = ["scenario", "week", "channel", "spend", "units", "cost_per_unit"]
    assert schedule.columns.tolist() == named
    assert schedule["spend"].sum() == pytest.approx(600_000.0)
    assert len(schedule) == 4 * len(done.plan.table)
    assert schedule["week"].drop_duplicates().tolist() == list(done.plan.window.dates)
    assert file.name == f"budget_scenario_demo_{done.run.run_id[:8]}.csv"
    assert done.report.name == f"budget_report_demo_{done.run.run_id[:8]}.html"
    assert store.get_run(done.run.run_id).data.params["plan.weeks"] == "4"


def budgeted(project: Path, budget: dict[str, Any]) -> ExperimentConfig:
    """Return the demo with a budget of its own."""
    plain = to_dict(load_experiment(project / "experiments" / "demo.yaml"))
    return from_dict(plain | {"budget": budget}, "budgeted")


def test_a_champion_plans_the_scenario_that_its_experiment_asks_for(make_version, store, project):
    make_version(budgeted(project, {"objective": "profit", "margin": 0.4, "weeks": 4}))
    promote()
    done = run_optimize("demo", {}, project, silent)
    asked = done.plan.scenario
    assert (asked.name, asked.objective, asked.margin, done.plan.weeks) == (
        "demo",
        "profit",
        0.4,
        4,
    )
    done = run_optimize("demo", {"objective": "response"}, project, silent)
    assert (done.plan.scenario.objective, done.plan.scenario.margin) == ("response", None)


def test_money_of_the_champions_window_is_not_taken_for_another(make_version, store, project):
    groups = {"screens": {"channels": ["TV", "Social"], "at_most": 900_000}}
    budget = {"weeks": 4, "total_budget": 600_000, "groups": groups}
    make_version(budgeted(project, budget))
    promote()
    told = "the champion's total_budget and groups are for 4 weeks, not for 6; write a plan file"
    with pytest.raises(BudgetError, match=told):
        run_optimize("demo", {"weeks": 6}, project, silent)
    with pytest.raises(BudgetError, match="the champion's groups are for 4 weeks, not for 6"):
        run_optimize("demo", {"weeks": 6, "total_budget": 700_000.0}, project, silent)
    assert_nothing_planned(store, project)


def test_the_plan_of_a_simulated_market_says_what_it_really_brings(make_version, store, project):
    make_version()
    promote()
    done = run_optimize("demo", {"default_bounds": 0.2}, project, silent)
    metrics = store.get_run(done.run.run_id).data.metrics
    market = simulate_market(1, 156)  # experiments/demo.yaml
    last = market.table[list(done.plan.window.channels)].tail(13)
    replay = really_brings(1, 156, last)
    assert metrics["plan.real_gain"] == pytest.approx(
        really_brings(1, 156, done.plan.weekly) - replay
    )
    told = f"the plan really brings {signed(metrics['plan.real_gain'])} sales against the repeat"
    assert told in done.ground.truth and told in done.page
    assert told in done.report.read_text("utf-8")
    assert (done.plan.table["change"].abs() <= 0.2 + 1e-6).all()
    assert "(this plan, which moves" in done.page
    other = replace(done.plan, window=replace(done.plan.window, unknown_weeks=1))
    simulated = DataConfig(source="simulated", seed=1, weeks=156)
    assert real_gain(other, simulated) is None
    assert real_gain(done.plan, DataConfig(source="csv", path="x.csv")) is None
    assert truth_text(done.plan, None) == ""


def odd_report() -> GateReport:
    """Return a verdict that passed with a flag about the data."""
    advice = "look at these weeks"
    odd = Check("odd_weeks", "plausibility", 1.0, "<=", 0.0, "TV 2024-01-01", advice)
    return good_report().with_checks([odd])


def test_a_plan_names_the_flags_and_warnings_of_its_version_wherever_it_is_told(
    make_version, store, project, ask: Ask
):
    entry = {"column": "TV", "from": "2023-01-02", "until": "2023-02-06", "reason": "test phase"}
    plain = to_dict(load_experiment(project / "experiments" / "demo.yaml"))
    plain["data"]["accept"] = [entry]
    version = make_version(from_dict(plain, "accepting"), report=odd_report())
    store.set_model_version_tag(version.name, version.version, "data.warnings", "TV: odd; look")
    promote()
    done = run_optimize("demo", {}, project, silent)
    sentence = (
        "gate: passed with 1 flag (weeks unlike all others); data: 1 warning (TV: odd); "
        "accepted: TV 2023-01-02 to 2023-02-06: test phase; no lift tests"
    )
    assert sentence in done.page
    assert sentence in store.get_run(done.run.run_id).data.tags["mlflow.note.content"]
    assert sentence in done.report.read_text("utf-8")
    assert sentence in ask("optimize", "--market", "demo").out


@pytest.mark.parametrize(
    ("source", "today", "over"),
    [
        ("csv", date(2026, 11, 27), True),
        ("csv", date(2024, 4, 1), True),  # the day after its last
        ("csv", date(2024, 3, 31), False),
        ("simulated", date(2026, 11, 27), False),  # its dates are those of no real week
    ],
)
def test_a_window_that_is_over_is_told(source: str, today: date, over: bool, thin) -> None:
    window = replace(window_of(thin, 13, None, {}), start=pd.Timestamp("2024-01-01"))
    data = DataConfig(source=source, path="data/weeks.csv" if source == "csv" else None)
    told = past_text(window, data, today)
    assert bool(told) is over
    if over:
        assert f"2024-01-01 to 2024-03-31, lies before today, {today}" in told


def test_a_budget_that_cannot_be_planned_leaves_nothing_behind(make_version, store, project):
    make_version()
    promote()
    with pytest.raises(ValueError, match="clash: a budget of at most 1; Social at least"):
        run_optimize("demo", {"total_budget": 1.0}, project, silent)
    with pytest.raises(ValueError, match="weeks"):
        run_optimize("demo", {"weeks": 0}, project, silent)
    assert_nothing_planned(store, project)


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
    made = sorted(path.suffix for path in (project / "outputs" / "optimization").iterdir())
    assert made == [".csv", ".html", *[".png"] * 7]


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
    assert "  start: must be a day such as 2026-01-05, got 'next monday'" in answer.err
    assert_nothing_planned(store, project)


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
    assert_nothing_planned(store, project)


# Main jobs whose version does not become champion


@pytest.fixture
def sampled(lean: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The draws of the demo fit in place of the sampler's, and no plots; all else is real.

    Returns the files of draws that the fit reads.
    """
    read: list[str] = []

    def counted(path: Path) -> xr.DataTree:
        read.append(path.name)
        return load_trace(path)

    monkeypatch.setattr(fit_steps, "load_trace", counted)
    stored = Sampling(load_trace(lean / "trace.nc"), 1.0, "warm")
    monkeypatch.setattr(fit_steps, "sample_posterior", lambda *_, **__: stored)
    for plots in ("prior_figures", "convergence_figures", "result_figures"):
        monkeypatch.setattr(fit_steps, plots, lambda *_: iter(()))
    monkeypatch.setattr("mmm_demo.cli.drawing.drawing_beside", nullcontext)
    return read


def hard_to_please(content: dict[str, Any]) -> None:
    """Ask for a backtest that nobody ran and for ROAS that this market does not have."""
    content["gate"] = {"require": ["backtest"], "roas_range": [50.0, 60.0]}


@pytest.mark.slow
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
    assert sampled == ["attempt_1.nc"]  # judged as it is stored, and read from there but once
    assert "version 2 of mmm_demo is challenger, not champion:" in answer.out
    assert "The plan uses the champion, version 1." in answer.out
    assert "It rests on mmm_demo version 1, " in answer.out
    (plan,) = plans(store)
    assert plan.data.params["plan.fit_run"] == first.run_id
    challenger = aliases["challenger"]
    fit = store.get_run(challenger.run_id)
    assert (fit.info.status, fit.data.tags["gate"]) == ("FINISHED", "passed")
    summary = Path(store.download_artifacts(fit.info.run_id, "summary.md")).read_text()
    assert "The plan uses the champion, version 1." in summary
    # What is flagged is said on the terminal, in the run, on its page and with the version.
    flag = "channels with a ROAS out of range 4, limit <= 0 ("
    assert f"* flag: {flag}" in answer.out
    assert flag in fit.data.tags["mlflow.note.content"]
    assert "roas_outside_range" in fit.data.tags["flags"]
    assert fit.data.tags["flags"] == challenger.tags["flags"]
    assert fit.data.metrics["gate.flags"] == fit.data.tags["flags"].count(",") + 1


def test_a_version_that_may_not_become_the_first_champion_gets_no_plan(
    make_version, store, project, monkeypatch
):
    def made(to: Publisher, experiment: ExperimentConfig, *_: object) -> FitResult:
        return FitResult(to.run, GateReport(()), make_version(experiment), "", None, None, "")

    monkeypatch.setattr(main, "fit_in", made)
    with pytest.raises(ContestLost, match="version 1 of mmm_demo is challenger, not champion"):
        run_main(write_experiment(project, hard_to_please), project, silent, silent)
    assert find_alias("demo", "champion") is None
    assert not plans(store)


# Plan files

PLAN_FILE = PROJECT / "experiments" / "plans" / "demo_quarter.yaml"


def test_the_scenarios_of_a_plan_file_are_planned_side_by_side(
    make_version, store, project, ask: Ask
):
    version = make_version()
    promote()
    answer = ask("optimize", str(PLAN_FILE))
    assert (answer.code, answer.err) == (0, "")
    request = load_request(PLAN_FILE)
    names = [scenario.name for scenario in request.scenarios]
    (run,) = plans(store)
    assert run.data.params["plan.scenarios"] == ", ".join(names)
    assert run.data.params["plan.fit_run"] == version.run_id
    (used,) = store.get_run(run.info.run_id).inputs.model_inputs
    assert version.source.endswith(used.model_id)
    for name in names:
        assert name in answer.out
        gain = run.data.metrics[f"plan.{name}.uplift_mean"]
        assert gain != 0
        for whole, share in (
            ("all_sales_last_period", "gain_share_of_all_sales"),
            ("media_sales_of_replay", "gain_share_of_media_sales"),
        ):
            told = run.data.metrics[f"plan.{name}.{share}"]
            assert told == pytest.approx(gain / run.data.metrics[f"plan.{name}.{whole}"])
        assert f"plan.{name}.uplift_share" not in run.data.metrics  # of what, it did not say
        path = store.download_artifacts(run.info.run_id, f"plan/budget_scenario_{name}.csv")
        total = pd.read_csv(path)["spend"].sum()
        assert total == pytest.approx(run.data.metrics[f"plan.{name}.total_budget"])
    metrics = run.data.metrics
    assert metrics["plan.cut_15_percent.total_budget"] == pytest.approx(
        0.85 * metrics["plan.same_budget.total_budget"]
    )
    fixed = "plan.cut_15_percent.{}.TV"
    assert metrics[fixed.format("planned")] == pytest.approx(metrics[fixed.format("current")])
    assert metrics["plan.week_by_week.response"] >= metrics["plan.same_budget.response"]
    page = Path(store.download_artifacts(run.info.run_id, "reports/budget_report.html"))
    assert all(name.replace("_", " ") in page.read_text("utf-8") for name in names)


def change(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("edit", "code", "why"),
    [
        (change("weeks: 13", "weeks: 0"), 1, "weeks: Input should be greater than or equal to 1"),
        (change("weeks: 13", "weeks: 104\nstart: 2031-01-06"), 3, "gate.max_gap_weeks is 13"),
        (change("weeks: 13", "weeks: 13\nstart: 2024-01-01"), 1, "a plan cannot start"),
        (change("weeks: 13", "weeks: 13\nstart: 2026-01-07"), 1, "Wednesday 2026-01-07"),
        (change("market: demo", "market: nowhere"), 1, "no champion; run: mmm-demo promote"),
        (change("relative_budget: 0.85", "total_budget: .nan"), 1, "a finite number, got nan"),
        (change("relative_budget: 0.85", "total_budget: 0"), 1, "greater than 0, got 0"),
        (change("relative_budget: 0.85", "total_budget: -5"), 1, "greater than 0, got -5"),
        (change("relative_budget: 0.85", "total_budget: much"), 1, "a valid number, got 'much'"),
        (change("[0.7, 1.3]", "[1.3, 0.7]"), 1, "bounds must satisfy low <= high, got *: [1.3, 0."),
        (change("[TV]", "[Print]"), 1, "cut_15_percent names Print; channels: TV, Radio, Search"),
        (change("0.85", "0.3"), 1, "these limits clash: "),
        (change("target: 3.0", "target: 300"), 1, "target 300 is out of reach"),
        (change("margin: 0.4", "margin: 40"), 1, "margin 40 means 4000% of sales"),
        (change("0.85", "85"), 1, "so at most 10, got 85; 85% is 0.85"),
        (change("[0.7, 1.3]", "[70, 130]"), 1, "*: [70, 130], in percent [0.7, 1.3]"),
        (change("margin: 0.4", "margn: 0.4"), 1, "margn: unknown key; valid: bounds, "),
        (change("scenarios:", "scenarios: []\nother:"), 1, "other: unknown key"),
    ],
)
def test_a_plan_file_that_asks_for_the_impossible_is_told_so_and_leaves_nothing(
    make_version, store, project, ask: Ask, edit, code, why
):
    make_version()
    promote()
    file = project / "plan.yaml"
    file.write_text(edit(PLAN_FILE.read_text("utf-8")))
    answer = ask("optimize", str(file))
    assert answer.code == code
    assert why in answer.err
    assert answer.err.startswith("Refused: " if code == 3 else "Error: ")
    assert "Traceback" not in answer.err
    assert_nothing_planned(store, project)


def test_a_plan_file_that_is_not_there_names_those_that_are(project, ask: Ask):
    answer = ask("optimize", "experiments/plans/nothing.yaml")
    assert answer.code == 1
    assert "no plan file experiments/plans/nothing.yaml; files: " in answer.err
    assert "experiments/plans/demo_quarter.yaml" in answer.err


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (None, {}),
        (("failed", "TV"), {"TV": PRIOR_DRIVEN, "Radio": DATA_DRIVEN}),
        (("passed", ""), {"TV": DATA_DRIVEN, "Radio": DATA_DRIVEN}),
        (("not assessable", "Radio"), {"TV": "not known", "Radio": NOT_ASSESSABLE}),
    ],
)
def test_the_label_of_a_channel_is_what_the_gate_found(check, expected):
    checks = ()
    if check:
        value = {"failed": 0.9, "passed": 0.1}.get(check[0], float("nan"))
        checks = (
            Check("prior_driven_share", "identification", value, "<=", 0.5, check[1], "look"),
        )
    assert channel_labels(GateReport(checks), ("TV", "Radio")) == expected


def test_labels_go_to_channels_whose_names_have_commas_and_to_no_other():
    check = Check("prior_driven_share", "identification", 0.9, "<=", 0.5, "a, TV, b", "look")
    labels = channel_labels(GateReport((check,)), ("TV", "a, TV, b", "b"))
    assert labels == {"TV": DATA_DRIVEN, "a, TV, b": PRIOR_DRIVEN, "b": DATA_DRIVEN}
    several = Check("prior_driven_share", "identification", 0.9, "<=", 0.5, "TV, b, x", "look")
    labels = channel_labels(GateReport((several,)), ("TV", "b, x", "b"))
    assert labels == {"TV": PRIOR_DRIVEN, "b, x": PRIOR_DRIVEN, "b": DATA_DRIVEN}
