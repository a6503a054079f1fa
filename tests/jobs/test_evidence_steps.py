"""Gathering evidence: what is run and kept, what is on record, and one real battery."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from bundles import make_bundle
from drawn_model import drawn_model
from evidence_tables import backtest_table, placebo_table, recovery_table, sensitivity_table
from helpers import contents, good_checks
from mmm_demo.checks.gate import GateReport
from mmm_demo.checks.proof import sha256
from mmm_demo.evidence import battery
from mmm_demo.evidence.backtest import folds
from mmm_demo.evidence.battery import Step
from mmm_demo.evidence.gathered import Evidence, gather, read_evidence
from mmm_demo.evidence.refit import Refit
from mmm_demo.jobs.evidence import recorded, run_evidence
from mmm_demo.settings.limits import EVIDENCE_BATTERIES, EvidenceConfig
from mmm_demo.store.evidence_store import load_evidence
from mmm_demo.store.registry import NoVersionError
from mmm_demo.store.runs import find_run, open_run
from versions import again, bind, evidence_about, hashes, number_of, run_promotion

LEAN = EvidenceConfig(folds=2, horizon_weeks=4, draws=500, tune=300)
TABLES = {
    "backtest": backtest_table,
    "recovery": recovery_table,
    "placebo": placebo_table,
    "sensitivity": sensitivity_table,
}
BUNDLE = replace(make_bundle(drawn_model()), files={"trace.nc": "aa"})


def unheard(_: object) -> None:
    """Take a message or a refit, and do nothing with it."""


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple]]:
    """Batteries without refits; returns which were run, with what."""
    asked: list[tuple[str, tuple]] = []

    def stand_in(name: str) -> Callable[..., pd.DataFrame]:
        def run(*given: object) -> pd.DataFrame:
            asked.append((name, given))
            return TABLES[name]()

        return run

    for name in TABLES:
        monkeypatch.setattr(f"mmm_demo.evidence.{name}.run_{name}", stand_in(name))
    return asked


def impossible(why: str) -> Callable[..., pd.DataFrame]:
    def run(*_: object) -> pd.DataFrame:
        raise ValueError(why)

    return run


# What is run, and what is kept


def test_every_battery_that_is_wanted_runs_once_and_no_other(canned):
    found = gather(BUNDLE, "run", EVIDENCE_BATTERIES, None, unheard)
    assert [name for name, _ in canned] == list(EVIDENCE_BATTERIES)
    assert set(found.tables) == set(EVIDENCE_BATTERIES)
    assert (found.fit_run, found.files) == ("run", BUNDLE.files)
    canned.clear()
    found = gather(BUNDLE, "run", ["placebo"], None, unheard)
    assert [name for name, _ in canned] == ["placebo"]
    assert set(found.tables) == {"placebo"}


def test_a_battery_that_is_not_there_is_refused_before_a_run_is_opened(store):
    with pytest.raises(ValueError, match="no battery backtests; there are backtest, recovery"):
        run_evidence("1a2b3c4d", ["backtests"], print, unheard)
    assert not store.search_runs([item.experiment_id for item in store.search_experiments()])


def test_the_model_is_made_once_for_the_batteries_that_share_it(canned, monkeypatch):
    made = []

    class Counted(battery.Refitter):
        def __init__(self, *given):
            made.append(given)
            super().__init__(*given)

    monkeypatch.setattr(battery, "Refitter", Counted)
    gather(BUNDLE, "run", ["placebo", "sensitivity"], None, unheard)
    assert made == []
    gather(BUNDLE, "run", EVIDENCE_BATTERIES, None, unheard)
    assert len(made) == 1
    shared = {name: given[0] for name, given in canned[2:] if name in ("backtest", "recovery")}
    assert shared["backtest"] is shared["recovery"]
    assert shared["backtest"].sampling == BUNDLE.experiment.evidence


def test_what_is_not_wanted_stays_as_it_was(canned):
    old = {"placebo": placebo_table(believed=3), "backtest": backtest_table().assign(crps=9.0)}
    known = Evidence(old, "run", BUNDLE.files, {"recovery": "no time", "sensitivity": "no plan"})
    found = gather(BUNDLE, "run", ["backtest", "recovery"], known, unheard)
    pd.testing.assert_frame_equal(found.tables["placebo"], old["placebo"])
    pd.testing.assert_frame_equal(found.tables["backtest"], backtest_table())
    assert found.unassessed == {"sensitivity": "no plan"}
    assert set(known.tables) == {"placebo", "backtest"}  # what was known is not changed


def test_a_battery_that_cannot_run_says_why_and_the_others_run(canned, monkeypatch):
    monkeypatch.setattr(
        "mmm_demo.evidence.backtest.run_backtest", impossible("9 weeks are too few")
    )
    known = Evidence({"backtest": backtest_table()}, "run", BUNDLE.files)
    found = gather(BUNDLE, "run", ["backtest", "placebo"], known, unheard)
    assert found.unassessed == {"backtest": "9 weeks are too few"}
    assert set(found.tables) == {"placebo"}  # the old verdict does not stand in for the new


def test_a_fault_of_the_program_is_no_evidence(canned, monkeypatch):
    def broken(*_: object) -> pd.DataFrame:
        raise RuntimeError("sampler died")

    monkeypatch.setattr("mmm_demo.evidence.placebo.run_placebo", broken)
    with pytest.raises(RuntimeError, match="sampler died"):
        gather(BUNDLE, "run", ["placebo"], None, unheard)


# On record


def step(number: int = 1, rhat: float = 1.001, **measured: float) -> Step:
    checks = tuple(item for item in good_checks(rhat_max=rhat) if item.stage == "convergence")
    refit = Refit(drawn_model().response, GateReport(checks))
    return Step("sensitivity", number, 2, f"lag of {number} weeks", refit, measured)


def children(client: MlflowClient, run_id: str) -> list[Run]:
    experiments = [item.experiment_id for item in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.`mlflow.parentRunId` = '{run_id}'")
    return sorted(found, key=lambda run: int(run.data.params["refit.number"]))


def test_each_refit_is_a_child_run_and_is_told_on(store):
    told: list[Step] = []
    with open_run("evidence", "evidence") as run:
        watch = recorded(run, told.append)
        steps = [step(1, error=0.25), step(2, rhat=1.3)]
        for item in steps:
            watch(item)
    assert told == steps
    first, second = children(store, run.run_id)
    assert first.info.run_name == "sensitivity: lag of 1 weeks"
    assert first.data.params["refit.battery"] == "sensitivity"
    assert first.data.metrics["sensitivity.error"] == 0.25
    assert first.data.metrics["gate.rhat_max"] == 1.001
    assert first.data.tags["mmm.kind"] == "refit"
    assert [item.data.tags["converged"] for item in (first, second)] == ["True", "False"]
    assert {item.info.status for item in (first, second)} == {"FINISHED"}
    assert "gate" in first.data.tags and "passed" not in first.data.tags["gate"]


@pytest.mark.parametrize("channel", ["TV & Radio (all)", "Fernsehen+Kino", "Süd, 100 %"])
def test_channels_of_any_name_are_measured(store, channel):
    with open_run("evidence", "evidence") as run:
        recorded(run, unheard)(step(**{f"roas.{channel}": 2.5}))
    (child,) = children(store, run.run_id)
    (value,) = [v for key, v in child.data.metrics.items() if key.startswith("sensitivity.roas.")]
    assert value == 2.5


def test_a_fit_that_made_no_version_is_not_examined(store, canned):
    with open_run("demo", "fit") as run:
        pass
    with pytest.raises(NoVersionError, match="made no version"):
        run_evidence(run.run_id, [], unheard, unheard)
    assert canned == []


# A real battery


def files_of(root: Path, run_id: str) -> dict[str, tuple[bytes, int]]:
    """Return what the store keeps, but for the database and the artifacts of other runs."""
    kept = contents(root / "mlruns")
    return {
        name: item
        for name, item in kept.items()
        if not name.startswith("mlflow.db") and (run_id in name or "/models/" in name)
    }


@pytest.mark.slow
def test_a_real_backtest_is_bound_and_touches_nothing_of_the_fit(
    make_version, demo, store, project, lean, lean_model, monkeypatch
):
    version = make_version(replace(demo.experiment, evidence=LEAN))
    source = find_run(str(version.run_id))
    source.log_file(lean / "trace.nc")
    bind(version, evidence_about(version, {"placebo": placebo_table()}))
    before = files_of(project, source.run_id)
    assert any(name.endswith("trace.nc") and source.run_id in name for name in before)
    assert any(name.endswith("data/bundle/trace.nc") for name in before)

    steps: list[Step] = []
    done = run_evidence(source.run_id, ["backtest"], unheard, steps.append)

    after = files_of(project, source.run_id)
    assert {name: after[name] for name in before} == before
    added = set(after) - set(before)  # what the fit is compared by
    assert [Path(name).name for name in added] == ["backtest.csv"]
    plan = folds(len(lean_model.table), 2, 4)
    table = done.evidence.tables["backtest"]
    assert list(table["week"]) == list(lean_model.table["Week"].tail(8))
    assert table["converged"].all()
    assert (table["crps"] > 0).all()
    assert [item.number for item in steps] == [1, 2]
    trained = [len(item.refit.response.training) for item in steps]
    assert trained == [train for train, _ in plan]
    runs = children(store, done.run.run_id)
    assert [run.data.params["refit.number"] for run in runs] == ["1", "2"]
    by_fold = table.groupby("fold")["crps"].mean()
    assert [run.data.metrics["backtest.crps"] for run in runs] == pytest.approx(list(by_fold))
    skill = {check.name: check.value for check in done.evidence.checks}["backtest_crps_skill"]
    for run_id in (source.run_id, done.run.run_id):
        assert store.get_run(run_id).data.metrics["gate.backtest_crps_skill"] == skill
    check_binding(done.run.run_id, version, store, tmp=project)

    def later(*_: object) -> pd.DataFrame:
        return placebo_table(believed=3)

    monkeypatch.setattr("mmm_demo.evidence.placebo.run_placebo", later)
    second = run_evidence(source.run_id, ["placebo"], unheard, unheard)
    pd.testing.assert_frame_equal(second.evidence.tables["backtest"], table, check_dtype=False)
    tags = again(version).tags
    assert (tags["evidence.placebo"], tags["evidence.run"]) == ("failed", second.run.run_id)
    assert files_of(project, source.run_id) == after
    run_promotion()  # what is examined still proves its pass
    assert number_of("champion") == 1


def check_binding(run_id: str, version, client: MlflowClient, tmp: Path) -> None:
    """Check that the version names the evidence of a run by its hash, old batteries included."""
    path = Path(client.download_artifacts(run_id, "evidence.json", str(tmp)))
    tags = again(version).tags
    assert tags["evidence.run"] == run_id
    assert tags["sha256.evidence.json"] == sha256(path)
    assert {"evidence.backtest", "evidence.placebo"} <= set(tags)
    read = read_evidence(path)
    assert set(read.tables) == {"backtest", "placebo"}
    read.require_about(hashes(version), str(version.run_id))
    loaded = load_evidence(again(version))
    assert loaded is not None
    assert loaded.checks == read.checks
