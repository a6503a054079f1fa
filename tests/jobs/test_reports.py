"""Cards and comparisons of versions, from real versions to the page, the run and the terminal."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Demo, all_runs
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from answer import Answer, Ask
from mmm_demo.checks.proof import Bundle, BundleRefused
from mmm_demo.cli import verbs as cli
from mmm_demo.evidence import contest
from mmm_demo.evidence.battery import Step
from mmm_demo.evidence.gathered import Evidence
from mmm_demo.jobs.card import run_card
from mmm_demo.jobs.compare import run_compare
from mmm_demo.jobs.promote import run_promote
from mmm_demo.reports.check_names import check_name
from mmm_demo.store.registry import NoVersionError
from pages import Page, assert_self_contained
from versions import data_folder

CHANNELS = ("TV", "Radio", "Search", "Social")
MakeVersion = Callable[..., ModelVersion]


def silent(_: object) -> None:
    """Say nothing."""


def promote(market: str = "demo") -> None:
    run_promote(market, None, "a test", False, silent, silent)


def only(client: MlflowClient, kind: str) -> Run:
    (run,) = [run for run in all_runs(client) if run.data.tags["mmm.kind"] == kind]
    return run


def kinds(client: MlflowClient) -> set[str]:
    return {run.data.tags["mmm.kind"] for run in all_runs(client)}


def spoil(version: ModelVersion) -> None:
    """Change a byte of a version's gate file after it was registered."""
    gate = data_folder(version) / "gate.json"
    gate.write_text(gate.read_text() + " ")


@pytest.fixture
def ask(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ask:
    """Run the command line in this process, on the store of the test."""
    monkeypatch.setattr(cli.console, "_width", 160)

    def run(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["mmm-demo", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


# Cards


def test_card_of_the_champion_is_a_page_of_its_own_run(make_version, store, project, ask: Ask):
    version = make_version()
    promote()
    answer = ask("card", "champion")
    assert (answer.code, answer.err) == (0, "")
    run = only(store, "card")
    assert run.info.status == "FINISHED"
    assert run.data.params == {"card.model": "mmm_demo", "card.version": "1"}
    page = project / "outputs" / "reports" / f"card_mmm_demo_v1_{run.info.run_id[:8]}.html"
    assert f"> card: {page}" in answer.out
    logged = store.download_artifacts(run.info.run_id, "reports/card_mmm_demo_v1.html")
    text = page.read_text("utf-8")
    assert Path(logged).read_text("utf-8") == text
    assert_self_contained(text)
    words = Page(text).texts
    assert "Evidence card: mmm_demo version 1" in words
    assert "This version is the champion." in words
    # The stored verdict, check by check, and what is not known, with the command that finds it.
    for name in ("rhat_max", "divergences", "coverage_94", "prior_driven_share", "pareto_k_max"):
        assert check_name(name) in words, name
    command = f"mmm-demo evidence {str(version.run_id)[:8]}"
    assert sum(command in part for part in words) >= 4
    assert all(channel in words for channel in CHANNELS)
    assert version.tags["sha256.trace.nc"] in words


def test_card_of_another_version_holds_it_against_the_champion(
    demo: Demo, make_version, store, project
):
    make_version()
    promote()
    experiment = replace(demo.experiment, budget=replace(demo.experiment.budget, weeks=4))
    second = make_version(experiment)
    words = Page(run_card("demo", str(second.run_id), project, silent).read_text("utf-8")).texts
    assert "Evidence card: mmm_demo version 2" in words
    assert "Sampled in" not in " ".join(words)  # a version that does not say it
    assert any(part.startswith("The champion is version 1.") for part in words)
    assert "ROAS: the champion's with 94 % interval, and this version's median" in words
    assert "This version is the champion." not in words


def test_card_says_which_attempt_was_kept(make_version, store, project):
    sampled = "attempt 2 of 3: diag, target_accept 0.95, 2 times the warm-up"
    version = make_version()
    store.set_model_version_tag(version.name, version.version, "sampling", sampled)
    words = Page(run_card("demo", "1", project, silent).read_text("utf-8")).texts
    assert f"Sampled in {sampled}." in " ".join(words)


def test_card_does_not_need_a_champion_that_proves_its_pass(make_version, store, project):
    first = make_version()
    promote()
    make_version()
    spoil(first)
    words = Page(run_card("demo", "2", project, silent).read_text("utf-8")).texts
    told = [part for part in words if part.startswith("The champion is version 1.")]
    assert told and "What differs was not measured." in told[0]


@pytest.mark.slow
def test_card_by_run_is_held_against_the_champion_of_its_own_market(
    demo: Demo, make_version, store, project
):
    make_version()
    promote()
    north = make_version(replace(demo.experiment, market="north"))
    assert north.version == 1  # as the champion of the other market
    page = run_card("demo", str(north.run_id), project, silent)
    words = Page(page.read_text("utf-8")).texts
    assert page.name.startswith("card_mmm_north_v1_")
    assert "The market has no champion yet, so there is nothing to beat." in words


def test_version_that_does_not_prove_its_pass_gets_no_card(make_version, store, project, ask: Ask):
    spoil(make_version())
    answer = ask("card", "1")
    assert answer.code == 3
    assert "Refused: " in answer.err and "check 'bytes of gate.json' failed" in answer.err
    assert only(store, "card").info.status == "FAILED"
    assert not (project / "outputs").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("7", "mmm_demo has no version 7; versions: 1"),
        ("chmpion", "mmm_demo has no version 'chmpion': neither a number nor an alias"),
        ("0a1b2c3d", "mmm_demo has no version '0a1b2c3d': neither a number nor an alias"),
    ],
)
def test_unknown_version_is_one_clear_line_and_no_run(
    make_version, store, project, ask: Ask, name: str, why: str
):
    make_version()
    for words in (("card", name), ("compare", "1", name), ("compare", name, "1")):
        answer = ask(*words)
        assert answer.code == 1
        assert answer.err.startswith(f"Error: {why}")
        assert len(answer.err.strip().splitlines()) == 1
        assert kinds(store) == {"fit"}


def test_run_that_made_no_version_gets_no_card_no_comparison_and_no_evidence(
    make_version, store, project, ask: Ask
):
    make_version()
    promote()
    promotion = only(store, "promotion").info.run_id
    for words in (("card", promotion), ("compare", "1", promotion), ("evidence", promotion)):
        answer = ask(*words)
        assert answer.code == 1
        assert f"run {promotion} made no version; only fits that passed" in answer.err
    assert kinds(store) == {"fit", "promotion"}


def test_evidence_about_an_unknown_run_is_one_clear_line_and_no_run(store, project, ask: Ask):
    answer = ask("evidence", "0a1b2c3d")
    assert answer.code == 1
    assert answer.err.startswith("Error: 0 runs start with '0a1b2c3d'")
    assert len(answer.err.strip().splitlines()) == 1
    assert not all_runs(store)


def test_a_market_that_cannot_be_is_refused(store, project, ask: Ask):
    for words in (("card", "1"), ("compare", "1", "2")):
        answer = ask(*words, "--market", "No Such")
        assert answer.code == 1
        assert "market" in answer.err and "'No Such'" in answer.err
    assert not all_runs(store)


# Comparisons


def forecast(crps: float, converged: bool = True) -> pd.DataFrame:
    """Return what a backtest of two folds finds."""
    weeks = pd.DataFrame({"fold": [1, 1, 2, 2]})
    weeks["week"] = pd.date_range("2025-12-01", periods=4, freq="W-MON")
    weeks["observed"] = [1e6, 1.1e6, 1e6, 9e5]
    weeks["mean"], weeks["naive"] = 1e6, 9.9e5
    weeks["lower_94"], weeks["upper_94"] = 8e5, 1.2e6
    weeks["crps"] = np.array([0.9, 1.1, 1.0, 1.0]) * crps
    return weeks.assign(naive_crps=9e4, converged=converged)


class Canned:
    """Stands in for the refits of `backtest_of`: one forecast per adstock lag; keeps the calls."""

    def __init__(self, forecasts: dict[int, pd.DataFrame]) -> None:
        self.forecasts = forecasts
        self.calls: list[tuple[int, int, Evidence | None]] = []

    def __call__(
        self,
        of: Bundle,
        like: Bundle,
        table: pd.DataFrame,
        evidence: Evidence | None,
        watch: Callable[[Step], None],
    ) -> pd.DataFrame:
        assert callable(watch) and len(table) == len(like.fitted.table)
        lags = [bundle.experiment.model.adstock_max_lag for bundle in (of, like)]
        self.calls.append((*lags, evidence))
        return self.forecasts[lags[0]]


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Canned:
    fake = Canned({8: forecast(40_000.0), 7: forecast(50_000.0)})
    monkeypatch.setattr("mmm_demo.jobs.evidence.backtest_of", fake)
    return fake


@pytest.fixture
def two(demo: Demo, make_version: MakeVersion) -> list[ModelVersion]:
    """Two versions that differ in the adstock lag."""
    model = replace(demo.experiment.model, adstock_max_lag=7)
    return [make_version(), make_version(replace(demo.experiment, model=model))]


@pytest.mark.slow
def test_comparison_is_a_page_a_run_and_a_table(two, canned, store, project, ask: Ask):
    answer = ask("compare", "1", str(two[1].run_id)[:8])
    assert (answer.code, answer.err) == (0, "")
    assert [call[:2] for call in canned.calls] == [(7, 7), (8, 7)]  # both on the second's terms
    run = only(store, "comparison")
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "compare.a": "mmm_demo version 1",
        "compare.b": "mmm_demo version 2",
    }
    metrics = run.data.metrics
    assert metrics["compare.crps_a"] == pytest.approx(40_000)
    assert metrics["compare.crps_ratio"] == pytest.approx(0.8)
    assert metrics["compare.differences"] >= 1
    assert 0 < metrics["compare.plan_overlap"] <= 1
    assert 0 <= metrics["compare.probability_worse_a"] <= 1
    for text in ("A forecasts better than B", "A and B differ in model.adstock.max_lag"):
        assert text in answer.out and text in run.data.tags["mlflow.note.content"], text
    for row in ("mean backtest CRPS", "ROAS TV", "plan overlap", "model.adstock.max_lag"):
        assert row in answer.out, row
    name = f"comparison_mmm_demo_v1_v2_{run.info.run_id[:8]}.html"
    page = project / "outputs" / "reports" / name
    assert f"> page: {page}" in answer.out
    text = page.read_text("utf-8")
    assert_self_contained(text)
    words = Page(text).texts
    assert "A (mmm_demo version 1) and B (mmm_demo version 2)" in words
    assert "model.adstock.max_lag" in words and "40,000" in words
    logged = store.download_artifacts(run.info.run_id, "reports/comparison_mmm_demo_v1_v2.html")
    assert Path(logged).read_text("utf-8") == text


@pytest.fixture
def no_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "plans_of", lambda *_: "not asked for")


@pytest.mark.slow
def test_one_model_twice_is_refitted_once(make_version, canned, no_plans, store, project):
    make_version()
    make_version()
    found = run_compare("demo", "1", "2", project, silent, silent)
    assert [call[:2] for call in canned.calls] == [(8, 8)]
    assert found.crps.difference == 0
    assert found.sentences()[0].startswith("Neither forecasts better than the other: ")
    assert "Plans and regret are not assessable: not asked for." in found.sentences()


@pytest.mark.slow
@pytest.mark.parametrize("failing", [7, 8])
def test_too_few_weeks_for_a_backtest_leave_the_rest_of_the_comparison(
    two, no_plans, store, project, monkeypatch, failing: int
):
    def too_few(of: Bundle, *_: object) -> pd.DataFrame:
        if of.experiment.model.adstock_max_lag == failing:
            raise ValueError("12 weeks are too few for a backtest of 5 folds")
        return forecast(1.0)

    monkeypatch.setattr("mmm_demo.jobs.evidence.backtest_of", too_few)
    found = run_compare("demo", "1", "2", project, silent, silent)
    assert "12 weeks are too few" in found.sentences()[0]
    assert len(found.roas) == len(CHANNELS)
    assert "compare.crps_ratio" not in only(store, "comparison").data.metrics


def test_refits_that_did_not_converge_decide_nothing(two, canned, no_plans, store, project):
    canned.forecasts[7] = forecast(1.0, converged=False)
    found = run_compare("demo", "1", "2", project, silent, silent)
    assert "not assessable" in found.sentences()[0]
    assert "compare.crps_b" not in only(store, "comparison").data.metrics


def test_version_that_does_not_prove_its_pass_is_not_compared(make_version, canned, store, project):
    make_version()
    spoil(make_version())
    for names in (("1", "2"), ("2", "1")):
        with pytest.raises(BundleRefused, match=r"check 'bytes of gate.json' failed"):
            run_compare("demo", *names, project, silent, silent)
    assert not canned.calls
    assert not (project / "outputs").exists()
    compared = [run for run in all_runs(store) if run.data.tags["mmm.kind"] == "comparison"]
    assert [run.info.status for run in compared] == ["FAILED", "FAILED"]


def test_unknown_names_are_refused_by_the_function_too(make_version, store, project):
    make_version()
    with pytest.raises(NoVersionError, match="neither a number nor an alias"):
        run_compare("demo", "1", "challenger", project, silent, silent)
