"""Tracking, from a real version and its plan to the runs, the version and the card."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import all_runs
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from helpers import PROJECT
from mmm_demo.checks.proof import BundleRefused, sha256
from mmm_demo.cli.terminal import show_track
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.jobs.card import run_card
from mmm_demo.jobs.plan import PlanResult, run_optimize
from mmm_demo.jobs.track import TrackResult, find_plan, run_track
from mmm_demo.planning.actuals import ActualsError
from mmm_demo.planning.outcome import HELD, NOT_FOLLOWED, NOT_HELD
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.market import load_market
from mmm_demo.store.promises import past_promises
from mmm_demo.store.registry import NoVersionError, find_version
from mmm_demo.store.runs import RunNotFoundError, open_run
from pages import Page
from versions import data_folder, drawn_version, run_promotion

WEEKS = 4
BUDGET = 400_000.0
MakeVersion = Callable[..., ModelVersion]


def silent(_: object) -> None:
    """Say nothing."""


def tracked(client: MlflowClient) -> list[Run]:
    return [run for run in all_runs(client) if run.data.tags["mmm.kind"] == "tracking"]


@pytest.fixture
def plan(make_version: MakeVersion, project: Path) -> PlanResult:
    """A plan of four weeks by a promoted version."""
    make_version()
    run_promotion()
    return run_optimize("demo", {"weeks": WEEKS, "total_budget": BUDGET}, project, silent)


@pytest.fixture
def came(plan: PlanResult, lean_model: FittedModel, project: Path) -> Callable[..., Path]:
    """Write the weeks that came: on plan, with the sales that the model expects, unless changed."""
    config, data = lean_model.config, lean_model.table
    date, channels = config.date_column, list(config.channel_columns)

    def write(weeks: int = WEEKS, shift: float = 0.0, factor: float = 1.0) -> Path:
        planned = plan.plan.schedule.pivot(index="week", columns="channel", values="units")
        new = data.tail(weeks).copy()
        new[date] = pd.to_datetime(planned.index[:weeks]).to_numpy()
        new[channels] = factor * planned[channels].to_numpy()[:weeks]
        draws = lean_model.response.sales(
            pd.concat([data, new], ignore_index=True), np.random.default_rng(1)
        )[:, -weeks:]
        new[config.target_column] = np.maximum(0, draws.mean(axis=0) + shift * draws.std(axis=0))
        path = project / f"came_{weeks}_{shift}_{factor}.csv"
        new.to_csv(path, index=False, date_format="%Y-%m-%d")
        return path

    return write


def track(plan: PlanResult, actuals: Path, project: Path) -> TrackResult:
    return run_track(plan.run.run_id[:8], actuals, None, project, silent)


def test_a_tracked_plan_is_on_its_own_run_the_plans_run_the_version_and_the_card(
    plan, came, store, project, capsys
):
    first = track(plan, came(2), project)
    actuals = came()
    done = track(plan, actuals, project)
    assert done.outcome.status == HELD and len(done.outcome.weeks) == WEEKS
    assert done.outcome.deviation == pytest.approx(0, abs=1e-9)

    show_track(done)
    shown = capsys.readouterr().out
    assert done.title in shown and "2 of 4" not in shown
    assert "* Held after all 4 weeks" in shown and f"Tracking run {done.run.run_id}" in shown

    run = store.get_run(done.run.run_id)
    assert run.info.status == "FINISHED" and run.data.tags["mmm.kind"] == "tracking"
    params = run.data.params
    assert params["track.plan_run"] == plan.run.run_id
    assert (params["track.model"], params["track.model_version"]) == ("mmm_demo", "1")
    assert (params["track.scenario"], params["track.weeks"]) == (plan.plan.scenario.name, "4")
    assert params["track.actuals_sha256"] == sha256(actuals)
    metrics = run.data.metrics
    assert metrics["coverage_94"] == metrics["total_inside_94"] == 1.0
    assert metrics["spend_planned"] == pytest.approx(BUDGET)
    assert metrics["sales_realised"] == pytest.approx(done.outcome.promised.realised.sum())
    assert done.outcome.status.capitalize() in run.data.tags["mlflow.note.content"]
    (used,) = run.inputs.model_inputs
    assert used.model_id == plan.version.source.removeprefix("models:/")
    tables = {item.path for item in store.list_artifacts(done.run.run_id, "tables")}
    assert f"tables/tracked_{done.plan.scenario}.csv" in tables
    (figure,) = store.list_artifacts(done.run.run_id, "plots/diagnostics")
    assert figure.path.endswith("tracking_promised_and_realised.png")

    name = f"track.{done.plan.scenario}.coverage_94"
    history = store.get_metric_history(plan.run.run_id, name)
    assert [(item.step, item.value) for item in history] == [(2, 1.0), (4, 1.0)]
    assert store.get_run(plan.run.run_id).info.status == "FINISHED"
    tags = find_version("demo", 1).tags
    words = "4 weeks, 4 inside 94 %, total inside, held"
    assert tags[f"track.{plan.run.run_id[:8]}"] == words

    promises = past_promises(done.version)
    assert promises["plan"].tolist() == [plan.run.run_id[:8], "all"]
    assert promises["weeks"].tolist() == [4, 4]  # the later tracking, not both
    assert first.outcome.status == HELD
    page = Page(run_card("demo", "1", project, silent).read_text("utf-8"))
    start = page.texts.index("Past promises: its plans, and what came")
    assert {"4 of 4", "4 of 4 (100%)", "1 of 1", "1 held"} <= set(page.texts[start : start + 40])


@pytest.mark.slow
def test_sales_far_from_the_promise_are_not_held_and_other_spend_is_not_followed(
    plan, came, store, project
):
    far = track(plan, came(shift=-5.0), project)
    assert far.outcome.status == NOT_HELD
    assert store.get_run(far.run.run_id).data.metrics["coverage_94"] == 0.0
    other = track(plan, came(factor=1.5), project)
    assert other.outcome.status == NOT_FOLLOWED
    assert other.outcome.deviation == pytest.approx(0.5)
    # Given the spend that happened, the model is right.
    assert other.outcome.expected.total.table["inside_94"].item()
    assert find_version("demo", 1).tags[f"track.{plan.run.run_id[:8]}"].endswith("not followed")


@pytest.mark.slow
def test_a_superseded_champion_is_still_held_to_its_promises(
    plan, came, make_version, store, project
):
    make_version()
    run_promotion(2)
    done = track(plan, came(), project)
    assert int(done.version.version) == 1 and done.outcome.status == HELD
    assert past_promises(find_version("demo", 2)).empty
    assert len(past_promises(find_version("demo", 1))) == 2


def test_a_version_that_does_not_prove_its_pass_is_refused_and_nothing_is_written(
    plan, came, store, project
):
    version = find_version("demo", 1)
    gate = data_folder(version) / "gate.json"
    kept = gate.read_text()
    actuals = came()
    gate.write_text(kept + " ")
    # The promotion's copy is not asked, since the version's own files are there.
    with pytest.raises(BundleRefused, match=r"version 1 of mmm_demo.*bytes of gate.json"):
        track(plan, actuals, project)
    assert not tracked(store)
    assert not [key for key in find_version("demo", 1).tags if key.startswith("track.")]
    metrics = store.get_run(plan.run.run_id).data.metrics
    assert not [name for name in metrics if name.startswith("track.")]


@pytest.mark.slow
def test_a_plan_of_another_fit_is_refused(plan, came, make_version, store, project):
    other = make_version()
    with open_run("forged", "plan") as run:
        found = store.get_run(plan.run.run_id).data.params
        run.log(params={**found, "plan.model_version": other.version})
    with pytest.raises(BundleRefused, match="check 'version of the plan' failed: version 2"):
        run_track(run.run_id, came(), None, project, silent)
    with open_run("gone", "plan") as run:
        run.log(params={**found, "plan.model_version": "9"})
    with pytest.raises(NoVersionError, match="no version 9"):
        run_track(run.run_id, came(), None, project, silent)


def test_bad_input_is_named_and_leaves_nothing(plan, came, store, project):
    run_id = plan.run.run_id
    with pytest.raises(FileNotFoundError, match=r"no file .*none.csv; it is the weekly table"):
        run_track(run_id, project / "none.csv", None, project, silent)
    with pytest.raises(ActualsError, match=f"no scenario 'bold'; it has {plan.plan.scenario.name}"):
        run_track(run_id, came(), "bold", project, silent)
    with pytest.raises(RunNotFoundError):
        run_track("f" * 32, came(), None, project, silent)
    with pytest.raises(ActualsError, match="is no plan but: fit; give the run of a plan"):
        run_track(str(plan.version.run_id), came(), None, project, silent)
    broken = came()
    broken.write_text(broken.read_text().replace("TV", "Print"))
    with pytest.raises(ActualsError, match=r"lacks the column\(s\) TV"):
        run_track(run_id, broken, None, project, silent)
    assert not tracked(store)


def test_a_plan_run_that_failed_or_does_not_tell_its_window_is_refused(store, project):
    with pytest.raises(KeyError), open_run("broke", "plan") as broken:
        raise KeyError("stop")
    with pytest.raises(ActualsError, match=r"did not finish \(FAILED\)"):
        find_plan(broken.run_id, None)
    with open_run("old", "plan") as old:
        old.log(params={"plan.model": "mmm_demo"})
    with pytest.raises(ActualsError, match=r"does not tell plan\.model_version, .*; plan again"):
        find_plan(old.run_id, None)


@pytest.mark.slow
def test_a_run_that_was_edited_into_a_pass_changes_no_record(plan, came, store, project):
    done = track(plan, came(shift=-5.0), project)
    store.log_metric(done.run.run_id, "coverage_94", 1.0)
    store.set_model_version_tag("mmm_demo", "1", f"track.{plan.run.run_id[:8]}", "all inside")
    row = past_promises(done.version).iloc[0]
    assert (row["inside_94"], row["total_inside"], row["promise"]) == (0, 0, NOT_HELD)


# Actual weeks in another unit, and a template filled in advance


CASES = PROJECT / "tests" / "cases"
MARKET = "your_market"


@pytest.fixture
def template_plan(store: MlflowClient, project: Path) -> PlanResult:
    """A plan of the template's market."""
    experiment = load_experiment(project / "experiments/your_data.yaml")
    table = load_market(experiment.data, experiment.model, project).table
    drawn_version(experiment, table, project)
    run_promotion(market=MARKET)
    return run_optimize(MARKET, {"weeks": 13}, project, silent)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "track_thousands",
            r"sales: 1/1000 of the version's last 13 weeks in 4 weeks",
        ),
        (
            "track_prefilled",
            r"the last 9 weeks \(from 2025-01-27\) have neither sales nor spend: drop them",
        ),
    ],
)
def test_a_unit_and_weeks_that_have_not_come_are_refused_and_nothing_is_written(
    template_plan: PlanResult, store: MlflowClient, project: Path, name: str, said: str
) -> None:
    before = {run.info.run_id: run.data.metrics for run in all_runs(store)}
    tags = find_version(MARKET, 1).tags
    with pytest.raises(ValueError, match=said):
        run_track(template_plan.run.run_id, CASES / f"{name}.csv", None, project, silent)
    assert {run.info.run_id: run.data.metrics for run in all_runs(store)} == before
    assert find_version(MARKET, 1).tags == tags
    assert not list((project / "outputs").rglob("*tracked*"))


@pytest.mark.slow
def test_the_weeks_that_came_are_tracked_once_the_empty_ones_are_dropped(
    template_plan: PlanResult, project: Path
) -> None:
    """The good twin of the prefilled template."""
    table = pd.read_csv(CASES / "track_prefilled.csv")
    came = project / "came.csv"
    table[(table[["sales", "tv", "search"]] != 0).any(axis=1)].to_csv(came, index=False)
    said: list[str] = []
    done = run_track(template_plan.run.run_id, came, None, project, said.append)
    assert len(done.outcome.weeks) == 4
    assert not [line for line in said if line.startswith("warning")]
