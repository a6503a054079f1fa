"""The library's optimizer asked for by a user: option, plan file, experiment, run and page."""

from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from test_pipeline import silent
from test_plans import PLAN_FILE, assert_nothing_planned, budgeted, plans
from test_reports import ask as ask  # a fixture of some tests here
from test_reports import promote

from answer import Ask
from mmm_demo.jobs.plan import run_optimize, run_plan_file
from mmm_demo.planning.engines import rivals

pytestmark = pytest.mark.slow  # the library's graph over all draws of a champion


def page_of(store: MlflowClient, run_id: str) -> str:
    path = store.download_artifacts(run_id, "reports/budget_report.html")
    return Path(path).read_text("utf-8")


def test_both_engines_plan_side_by_side(make_version, store, project, ask: Ask):
    make_version()
    promote()
    answer = ask("optimize", "--engine", "both", "--weeks", "4", "--bounds", "seen")
    assert (answer.code, answer.err) == (0, "")
    (run,) = plans(store)
    params, metrics, run_id = run.data.params, run.data.metrics, run.info.run_id
    assert params["plan.engine"] == "both"
    assert params["plan.scenarios"] == "demo, demo_library"
    own, library = (metrics[f"plan.{name}.response"] for name in ("demo", "demo_library"))
    assert metrics["plan.response"] == own  # the main plan stays our own
    assert metrics["plan.demo_library.more_than_own"] == pytest.approx(library - own)
    share = metrics["plan.demo_library.more_than_own_share"]
    assert share == pytest.approx(library / own - 1, abs=1e-9)
    assert abs(share) < 1e-3  # the saturation of the demo is concave: both find the best
    assert 0 <= metrics["plan.demo_library.gap"] < 1e-3
    tables = {}
    for name in ("demo", "demo_library"):
        path = store.download_artifacts(run_id, f"plan/budget_scenario_{name}.csv")
        tables[name] = pd.read_csv(path)
        assert set(tables[name]["scenario"]) == {name}
    spent = [table.groupby("channel")["spend"].sum() for table in tables.values()]
    moved = (spent[1] - spent[0]).abs().sum() / 2
    assert metrics["plan.demo_library.moved_from_own"] == pytest.approx(moved, abs=0.01)
    assert spent[0].sum() == pytest.approx(spent[1].sum())
    told = "Both engines planned: the plan of PyMC-Marketing's BudgetOptimizer is expected to bring"
    shown, page = " ".join(answer.out.split()), page_of(store, run_id)
    assert told in shown
    assert told in run.data.tags["mlflow.note.content"]
    assert "Who solved it" in page and "money elsewhere" in page
    assert "Both engines planned" in page
    follow = ask("track", "--plan", run_id[:8], "--actuals", "none.csv", "--scenario", "other")
    assert "it has demo, demo_library" in follow.err


def test_the_library_alone_plans_a_file_that_asks_for_it(make_version, store, project):
    make_version()
    promote()
    file = project / "library.yaml"
    file.write_text(
        "market: demo\nweeks: 4\nengine: library\nscenarios:\n"
        '  - {name: tight, relative_bounds: {"*": [0.9, 1.1]}, profile: historical}\n'
        '  - {name: less, relative_budget: 0.8, relative_bounds: {"*": [0.5, 1.0]}}\n'
    )
    done = run_plan_file(str(file), project, silent)
    assert [plan.engine for plan in done.plans] == ["library", "library"]
    assert [plan.scenario.name for plan in done.plans] == ["tight", "less"]
    assert rivals(done.plans) == []
    assert done.plans[1].total_budget == pytest.approx(0.8 * done.plan.current_budget)
    run = store.get_run(done.run.run_id)
    assert run.data.params["plan.engine"] == "library"
    assert not [name for name in run.data.metrics if "own" in name]
    told = "PyMC-Marketing's BudgetOptimizer made these plans."
    assert told in done.page
    assert "PyMC-Marketing&#39;s BudgetOptimizer made this plan." in page_of(store, done.run.run_id)


def test_an_experiment_may_ask_for_an_engine_and_the_command_for_another(
    make_version, store, project
):
    version = make_version(budgeted(project, {"weeks": 4, "engine": "library"}))
    promote()
    assert run_optimize("demo", {}, project, silent).plan.engine == "library"
    own = run_optimize("demo", {"engine": "own"}, project, silent)
    assert (own.plan.engine, own.version.version) == ("own", version.version)


def test_a_plan_of_our_own_says_nothing_of_engines(make_version, store, project):
    make_version()
    promote()
    done = run_optimize("demo", {"weeks": 4}, project, silent)
    data = store.get_run(done.run.run_id).data
    assert "plan.engine" not in data.params
    assert data.params["plan.scenarios"] == "demo"
    assert not [name for name in data.metrics if "own" in name.rpartition(".")[2].split("_")]
    texts = (done.page, page_of(store, done.run.run_id))
    for word in ("BudgetOptimizer", "Who solved it", "engine"):
        assert not [text for text in texts if word in text], word


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--engine", "library", "--objective", "cvar"], "scenario demo: .* not for objective: cv"),
        (
            ["--engine", "both", "--objective", "target_roas", "--target", "3"],
            "objective: target_r",
        ),
        (["--engine", "theirs"], "engine: Input should be 'own', 'library' or 'both'"),
    ],
)
def test_what_the_library_cannot_be_asked_is_told_and_leaves_nothing(
    make_version, store, project, ask: Ask, words, told
):
    make_version()
    promote()
    answer = ask("optimize", *words)
    assert answer.code == 1
    shown = " ".join(answer.err.split())
    assert shown.startswith("Error: ") and "Traceback" not in shown
    assert pd.Series([shown]).str.contains(told).all(), shown
    assert_nothing_planned(store, project)


def test_a_plan_file_that_asks_the_library_for_too_much_names_the_scenario(
    make_version, store, project, ask: Ask
):
    make_version()
    promote()
    file = project / "plan.yaml"
    file.write_text(PLAN_FILE.read_text("utf-8").replace("weeks: 13", "weeks: 13\nengine: both", 1))
    answer = ask("optimize", str(file))
    assert answer.code == 1
    told = " ".join(answer.err.split())
    assert "scenario roas_of_3: PyMC-Marketing's optimizer is asked for channel totals" in told
    assert "Leave that out, or plan with engine: own" in told
    assert_nothing_planned(store, project)
