"""The contest: what a promotion asks of a version, what is refitted for it, and what is on record.

The backtests are canned here, but for one real contest at the end.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import xarray as xr
from mlflow import MlflowClient
from mlflow.entities import Run

from bundles import changed, make_bundle, make_plan
from drawn_model import drawn_model
from evidence_tables import placebo_table, sensitivity_table
from helpers import contents
from mmm_demo.checks.gate import GateRefused
from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence import backtest
from mmm_demo.evidence.backtest import fold_table, folds
from mmm_demo.evidence.battery import Step
from mmm_demo.evidence.contest import same_model
from mmm_demo.evidence.gathered import Evidence
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.response import scaling_of
from mmm_demo.fits.trace import LIFT_TESTS
from mmm_demo.jobs.evidence import run_evidence
from mmm_demo.jobs.fit import with_scaling
from mmm_demo.jobs.promote import Contest, ContestLost, run_promote
from mmm_demo.settings.experiment import ConfigError, ExperimentConfig, ModelConfig, ScalingConfig
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.limits import EvidenceConfig, GateConfig
from mmm_demo.sources.market import load_market
from mmm_demo.store.registry import NoVersionError, load_champion
from mmm_demo.store.runs import open_run
from versions import (
    add_a_byte,
    again,
    bind,
    drawn_version,
    evidence_about,
    last_run,
    model_folder,
    number_of,
    run_promotion,
)

LEAN = EvidenceConfig(folds=2, horizon_weeks=4, draws=500, tune=300)
LONGER_LAG = replace(drawn_model().config, adstock_max_lag=6)


def unheard(_: object) -> None:
    """Take a message or a refit, and do nothing with it."""


def forecast(
    table: pd.DataFrame, sampling: EvidenceConfig, crps: float, converged: bool = True
) -> pd.DataFrame:
    """Return a backtest of a weekly table in which every week has the same score."""
    rows = [
        {"fold": number, "week": table.iloc[week, 0]}
        for number, (train, end) in enumerate(
            folds(len(table), sampling.folds, sampling.horizon_weeks), 1
        )
        for week in range(train, end)
    ]
    scores = {"observed": 100.0, "mean": 101.0, "lower_94": 90.0, "upper_94": 110.0}
    scores |= {"naive": 95.0, "crps": crps, "naive_crps": 300.0, "converged": converged}
    return pd.DataFrame(rows).assign(**scores)


@dataclass
class Canned:
    """Backtests without refits: scores by model, and what was asked."""

    scores: list[tuple[ModelConfig, float]] = field(default_factory=list)
    converged: bool = True
    asked: list[SimpleNamespace] = field(default_factory=list)

    def __call__(self, refitter, table, lift_tests, seed, watch) -> pd.DataFrame:
        """Stand in for `backtest.run_backtest`."""
        self.asked.append(
            SimpleNamespace(refitter=refitter, table=table, lift_tests=lift_tests, seed=seed)
        )
        (crps,) = [crps for config, crps in self.scores if same_model(config, refitter.config)]
        return forecast(table, refitter.sampling, crps, self.converged)

    @property
    def lags(self) -> list[int]:
        """Which models were backtested, by their lag."""
        return [call.refitter.config.adstock_max_lag for call in self.asked]


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Canned:
    """Canned backtests: the drawn model scores 100."""
    stand_in = Canned([(drawn_model().config, 100.0)])
    monkeypatch.setattr(backtest, "run_backtest", stand_in)
    monkeypatch.setattr("mmm_demo.evidence.contest.plans_of", lambda *_: "not planned here")
    return stand_in


def version(fitted: FittedModel, **sections: Any) -> Bundle:
    """Return the files of a version, proven, with sections of its experiment replaced."""
    bundle = make_bundle(fitted)
    sections = {"evidence": LEAN} | sections
    return replace(bundle, experiment=replace(bundle.experiment, **sections))


CHAMPION = version(drawn_model())


@dataclass(frozen=True)
class Outcome:
    """What a contest came to."""

    against: tuple[str, ...]
    said: list[str]
    files: Path
    metrics: dict[str, float]

    @property
    def checks(self) -> list[dict[str, Any]]:
        """Checks on record."""
        return json.loads((self.files / "contest.json").read_text())["checks"]


@pytest.fixture
def contest(store: MlflowClient, tmp_path: Path) -> Callable[..., Outcome]:
    """Hold a contest in a run of its own."""

    def hold(
        challenger: Bundle,
        champion: Bundle | None = CHAMPION,
        evidence: Evidence | None = None,
        reason: str = "",
    ) -> Outcome:
        said: list[str] = []
        command = "mmm-demo promote --market small --version 2"
        with open_run("promote small", "promotion") as run:
            judge = Contest(run, said.append, unheard, reason, command)
            against = judge(challenger, evidence, champion)
        target = tmp_path / run.run_id
        target.mkdir()
        files = Path(store.download_artifacts(run.run_id, "", str(target)))
        return Outcome(against, said, files, store.get_run(run.run_id).data.metrics)

    return hold


def about(bundle: Bundle, tables: dict[str, pd.DataFrame], **unassessed: str) -> Evidence:
    return Evidence(tables, bundle.gate.run_id, bundle.files, unassessed)


# Who forecasts better


def test_the_first_version_has_nobody_to_beat(contest, canned):
    found = contest(CHAMPION, None)
    assert found.against == ()
    assert found.checks == []
    assert canned.asked == []


@pytest.mark.parametrize(
    ("crps", "wins"), [(90.0, True), (105.0, True), (105.1, False), (float("nan"), False)]
)
def test_a_challenger_may_be_five_percent_worse_and_no_more(contest, canned, crps, wins):
    canned.scores.append((LONGER_LAG, crps))
    found = contest(version(changed(LONGER_LAG)))
    assert (found.against == ()) == wins
    assert [(item["name"], item["passed"]) for item in found.checks] == [
        ("contest_crps_ratio", wins),
        ("contest_knowledge_lost", True),
    ]
    assert canned.lags == [6, 4]
    for name in ("challenger", "champion"):
        assert len(pd.read_csv(found.files / "tables" / f"backtest_{name}.csv")) == 8


def test_the_refusal_says_check_numbers_and_next_step(contest, canned):
    canned.scores.append((LONGER_LAG, 120.0))
    found = contest(version(changed(LONGER_LAG)))
    (line,) = found.against
    assert line.startswith("contest_crps_ratio 1.2 <= 1.05 at mean CRPS 120 against the champion's")
    assert "100: FAILED; keep the champion, or improve the challenger" in line
    assert found.metrics["gate.contest_crps_ratio"] == pytest.approx(1.2)
    assert any(line.startswith(text) for text in found.said if "crps" in text)


@pytest.mark.parametrize(("worse_max", "wins"), [(0.0, False), (0.02, False), (0.03, True)])
def test_how_much_worse_is_the_challengers_config(contest, canned, worse_max, wins):
    canned.scores.append((LONGER_LAG, 103.0))
    gate = GateConfig(worse_crps_max=worse_max)
    assert (contest(version(changed(LONGER_LAG), gate=gate)).against == ()) == wins


def test_folds_that_did_not_converge_are_no_win(contest, canned):
    canned.scores.append((LONGER_LAG, 1.0))
    canned.converged = False
    (line,) = contest(version(changed(LONGER_LAG))).against
    assert "NOT ASSESSABLE" in line
    assert "2 of 2 refits did not converge" in line


def test_one_model_on_the_same_scale_ties_without_a_refit(contest, canned):
    found = contest(version(changed()))
    assert found.against == ()
    assert canned.asked == []
    assert "same configuration" in found.checks[0]["where"]


def test_other_priors_by_another_scale_are_no_tie(contest, canned):
    scaling = drawn_model().response.scaling
    config = replace(drawn_model().config, scaling=replace(scaling, target=3 * scaling.target))
    contest(version(changed(config)))
    assert len(canned.asked) == 2
    assert [call.refitter.scaling.target for call in canned.asked] == [
        3 * scaling.target,
        scaling.target,
    ]


def test_both_get_the_challengers_folds_draws_seed_and_weeks(contest, canned):
    canned.scores.append((LONGER_LAG, 100.0))
    table = drawn_model().table.tail(90).reset_index(drop=True)
    champion = version(drawn_model(), evidence=EvidenceConfig(folds=9))
    sampler = replace(champion.experiment.sampler, seed=77)
    contest(version(changed(LONGER_LAG, table), sampler=sampler), champion)
    for call in canned.asked:
        assert (call.refitter.sampling, call.seed) == (LEAN, 77)
        pd.testing.assert_frame_equal(call.table, table)


def test_the_challengers_own_backtest_is_taken_from_its_evidence(contest, canned):
    canned.scores.append((LONGER_LAG, 1.0))  # a refit of it would win
    challenger = version(changed(LONGER_LAG))
    known = about(challenger, {"backtest": forecast(challenger.fitted.table, LEAN, 200.0)})
    found = contest(challenger, evidence=known)
    assert canned.lags == [4]
    assert found.checks[0]["value"] == 2.0
    other = about(challenger, {"placebo": placebo_table()})
    assert contest(challenger, evidence=other).against == ()
    assert canned.lags == [4, 6, 4]


def test_known_folds_of_other_weeks_are_no_contest(contest, canned):
    challenger = version(changed(LONGER_LAG))
    fewer = forecast(challenger.fitted.table, replace(LEAN, horizon_weeks=2), 1.0)
    (line,) = contest(challenger, evidence=about(challenger, {"backtest": fewer})).against
    assert "contest_crps_ratio nan" in line


def one_group(table: pd.DataFrame) -> FittedModel:
    """Return a model of one other group of channels over a table."""
    config = replace(drawn_model().config, channel_columns=("Media",), priors={})
    posterior = drawn_model().trace["posterior"].to_dataset().isel(channel=[0])
    media = table.assign(Media=table["TV"] + table["Radio"]).drop(columns=["TV", "Radio"])
    return changed(config, media, posterior.assign_coords(channel=["Media"]))


def test_a_champion_of_other_groups_is_refitted_on_its_own_table(contest, canned):
    challenger = version(one_group(drawn_model().table))
    canned.scores.append((challenger.experiment.model, 104.0))
    assert contest(challenger).against == ()
    mine, theirs = canned.asked
    assert list(mine.table) == ["Week", "Sales", "Media", "Trend"]
    pd.testing.assert_frame_equal(theirs.table, drawn_model().table)
    assert theirs.refitter.sampling == LEAN


def test_a_champion_that_cannot_be_refitted_on_these_sales_is_not_beaten(contest, canned):
    table = drawn_model().table.copy()
    table.loc[3, "Sales"] *= 1.2
    challenger = version(one_group(table))
    canned.scores.append((challenger.experiment.model, 1.0))
    (line,) = contest(challenger).against
    assert "the challenger's data lack the champion's TV, Radio: NOT ASSESSABLE" in line
    assert "another market name" in line
    assert canned.asked == []


def test_too_few_weeks_for_the_folds_are_no_win(contest, canned):
    table = drawn_model().table.head(50)
    challenger = version(changed(LONGER_LAG, table), evidence=EvidenceConfig(folds=26))
    canned.scores.append((LONGER_LAG, 1.0))
    (line,) = contest(challenger).against
    assert "50 weeks are too few for a backtest of 26 folds: NOT ASSESSABLE" in line


def with_lift_test(fitted: FittedModel) -> FittedModel:
    """Return a model with a lift test in its trace."""
    day = pd.Timestamp("2024-01-01")
    test = {"channel": "TV", "x": 1.0, "delta_x": 1.0, "delta_y": 2.0, "sigma": 0.5, "date": day}
    groups = {name: fitted.trace[name].to_dataset() for name in fitted.trace.children}
    groups[LIFT_TESTS] = xr.Dataset.from_dataframe(pd.DataFrame([test]).rename_axis("test"))
    return FittedModel(fitted.config, xr.DataTree.from_dict(groups))


def test_a_model_that_knows_an_experiment_has_to_win_and_each_keeps_its_own(contest, canned):
    found = contest(version(with_lift_test(drawn_model())))
    mine, theirs = canned.asked
    assert list(mine.lift_tests["channel"]) == ["TV"]
    assert theirs.lift_tests is None
    assert [item["name"] for item in found.checks] == [
        "contest_crps_ratio",
        "contest_knowledge_lost",
    ]
    both = version(with_lift_test(drawn_model()))
    assert contest(both, both).against == ()
    assert len(canned.asked) == 2  # the same tests: a tie


# Refresh: the same model, newer data


def newer(factor: float, config: ModelConfig | None = None) -> FittedModel:
    """Return a model on later weeks, whose TV works by a factor better."""
    posterior = drawn_model().trace["posterior"].to_dataset().copy(deep=True)
    beta = posterior["saturation_beta"]
    posterior["saturation_beta"] = beta * xr.where(beta["channel"] == "TV", factor, 1.0)
    config = config or drawn_model().config
    fixed = replace(config, scaling=drawn_model().response.scaling)
    return changed(fixed, drawn_model().table.tail(100).reset_index(drop=True), posterior)


def test_a_refresh_inside_the_champions_intervals_passes_and_says_what_moved(contest, canned):
    found = contest(version(newer(1.0)))
    assert found.against == ()
    assert canned.asked == []
    assert [item["name"] for item in found.checks] == [
        "contest_crps_ratio",
        "refresh_roas_outside",
        "contest_knowledge_lost",
    ]
    moved = pd.read_csv(found.files / "tables" / "stability.csv")
    assert list(moved["channel"]) == ["TV", "Radio"]
    assert moved["inside"].all()
    why = pd.read_csv(found.files / "tables" / "differences.csv")
    assert "data.weeks_fitted" in list(why["setting"])
    assert any(text.startswith("ROAS TV: ") and "overlap" in text for text in found.said)
    assert any(text.startswith("differs: data.sha256: ") for text in found.said)


def test_a_refresh_that_left_an_interval_loses_and_names_the_channel(contest, canned):
    (line,) = contest(version(newer(100.0))).against
    assert line.startswith("refresh_roas_outside 1 <= 0 at TV: FAILED")


def test_a_refresh_on_another_scale_must_forecast_too_and_stay_inside(contest, canned):
    config = replace(newer(100.0).config, scaling=ScalingConfig(1.0, (1.0, 1.0)))
    found = contest(version(FittedModel(config, newer(100.0).trace)))
    assert len(canned.asked) == 2
    assert [item["name"] for item in found.checks] == [
        "contest_crps_ratio",
        "refresh_roas_outside",
        "contest_knowledge_lost",
    ]


def test_the_change_of_the_plan_is_told_where_anything_differs(contest, canned, monkeypatch):
    plans = [make_plan(drawn_model(), TV=60.0, Radio=40.0)]
    plans.append(make_plan(drawn_model(), TV=90.0, Radio=10.0))
    monkeypatch.setattr("mmm_demo.evidence.contest.plans_of", lambda *_: tuple(plans))
    found = contest(version(newer(1.0)))
    assert {"planned spend TV: 60 -> 90", "planned spend Radio: 40 -> 10"} <= set(found.said)
    assert found.metrics["contest.plan_overlap"] == pytest.approx(0.7)
    assert len(pd.read_csv(found.files / "tables" / "plans.csv")) == 2
    same = contest(version(drawn_model()))
    assert not [text for text in same.said if text.startswith("plan")]
    monkeypatch.setattr("mmm_demo.evidence.contest.plans_of", lambda *_: "no such budget")
    found = contest(version(newer(1.0)))
    assert "plans cannot be compared: no such budget" in found.said
    assert found.against == ()


def test_of_a_changed_model_the_stability_is_only_told(contest, canned):
    canned.scores.append((LONGER_LAG, 100.0))
    found = contest(version(newer(100.0, LONGER_LAG)))
    assert found.against == ()
    assert [item["name"] for item in found.checks] == [
        "contest_crps_ratio",
        "contest_knowledge_lost",
    ]
    moved = pd.read_csv(found.files / "tables" / "stability.csv").set_index("channel")
    assert not moved.loc["TV", "inside"]


# A contest is not won by ignorance


def told(factor: float = 1.0, config: ModelConfig | None = None) -> FittedModel:
    """Return the drawn model with draws that the data told: far narrower than their priors."""
    posterior = drawn_model().trace["posterior"].to_dataset().copy(deep=True)
    posterior = posterior.mean() + 0.02 * factor * (posterior - posterior.mean())
    config = replace(config or drawn_model().config, scaling=drawn_model().response.scaling)
    return changed(config, posterior=posterior)


KNOWING, IGNORANT = version(told()), version(newer(1.0))


def test_a_refresh_that_knows_less_loses_and_names_channels_and_labels(contest, canned):
    found = contest(IGNORANT, KNOWING)
    (line,) = [line for line in found.against if line.startswith("contest_knowledge_lost")]
    assert "contest_knowledge_lost 2 <= 0 at TV (data-driven -> prior-driven), Radio (" in line
    assert "its interval is no evidence" in line
    assert "ROAS TV: data-driven in the champion, prior-driven now" in found.said
    labels = pd.read_csv(found.files / "tables" / "labels.csv")
    assert list(labels["lost"]) == ["yes", "yes"]
    assert found.metrics["gate.contest_knowledge_lost"] == 2


def test_no_reason_excuses_a_refresh_that_knows_less(contest, canned):
    reason = "TV and Radio rest on the prior now"
    against = contest(IGNORANT, KNOWING, reason=reason).against
    assert any(line.startswith("contest_knowledge_lost 2") for line in against)


@pytest.mark.parametrize(
    ("challenger", "champion"),
    [(KNOWING, KNOWING), (KNOWING, CHAMPION), (version(told(1.2)), KNOWING), (CHAMPION, CHAMPION)],
)
def test_who_knows_as_much_or_more_has_lost_nothing(contest, canned, challenger, champion):
    checks = {item["name"]: item for item in contest(challenger, champion).checks}
    assert checks["contest_knowledge_lost"]["passed"]
    assert checks["contest_knowledge_lost"]["value"] == 0


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        ("none given", "TV (data-driven -> prior-driven), Radio (data-driven -> prior-driven)"),
        ("a longer lag; TV is prior-driven now", "Radio (data-driven -> prior-driven)"),
        ("radio and tv rest on the prior under the longer lag", ""),
    ],
)
def test_another_model_that_knows_less_needs_a_reason_that_names_the_channels(
    contest, canned, reason, left
):
    canned.scores.append((LONGER_LAG, 100.0))
    found = contest(version(newer(1.0, LONGER_LAG)), KNOWING, reason=reason)
    assert "ROAS Radio: data-driven in the champion, prior-driven now" in found.said
    if not left:
        assert found.against == ()
        return
    (line,) = found.against
    channels = "TV, Radio" if reason == "none given" else "Radio"
    assert f" at {left}: FAILED" in line
    assert f'mmm-demo promote --market small --version 2 --reason "{channels}: ..."' in line


def test_a_version_older_than_the_champion_in_another_unit_cannot_beat_it(contest, canned):
    table = drawn_model().table.assign(Sales=drawn_model().table["Sales"] / 1000)
    found = contest(version(changed(LONGER_LAG, table)))
    (line,) = found.against
    assert line.startswith("Sales: 1/1000 of what the champion was fitted on in the same 104 weeks")
    assert canned.asked == []


# Required batteries


REQUIRES = GateConfig(require=("placebo", "plausibility"))


def test_a_required_battery_that_nobody_ran_refuses_even_the_first(contest):
    assert contest(version(drawn_model(), gate=REQUIRES), None).against == (
        "placebo was not measured; run: mmm-demo evidence",
    )


def test_a_required_battery_that_failed_refuses_with_its_check(contest):
    bundle = version(drawn_model(), gate=REQUIRES)
    known = about(bundle, {"placebo": placebo_table(believed=2)})
    (line,) = contest(bundle, None, known).against
    assert line.startswith("placebo_believed 2 <= 1")
    assert "FAILED; " in line


def test_a_required_battery_that_could_not_run_or_not_converge_refuses(contest):
    bundle = version(drawn_model(), gate=REQUIRES)
    (line,) = contest(bundle, None, about(bundle, {}, placebo="52 weeks are too few")).against
    assert "52 weeks are too few: NOT ASSESSABLE" in line
    table = placebo_table().assign(converged=False)
    (line,) = contest(bundle, None, about(bundle, {"placebo": table})).against
    assert "3 of 3 refits did not converge: NOT ASSESSABLE" in line


def test_a_required_battery_that_passed_and_a_failed_one_that_is_not_required_refuse_nothing(
    contest,
):
    tables = {"placebo": placebo_table(believed=3), "sensitivity": sensitivity_table()}
    bundle = version(drawn_model(), gate=GateConfig(require=("sensitivity",)))
    known = about(bundle, tables)
    assert [check.stage for check in known.checks if not check.passed] == ["placebo"]
    assert contest(bundle, None, known).against == ()
    assert contest(version(drawn_model(), gate=REQUIRES), None, known).against


def test_evidence_and_contest_are_both_named(contest, canned):
    canned.scores.append((LONGER_LAG, 200.0))
    bundle = version(changed(LONGER_LAG), gate=REQUIRES)
    battery, forecasts = contest(bundle).against
    assert battery.startswith("placebo was not measured")
    assert forecasts.startswith("contest_crps_ratio 2 <=")


# Through the registry


def promoted(number: int | None = None, *, rollback: bool = False) -> list[str]:
    """Promote a version of the demo market; return what was said."""
    said: list[str] = []
    run_promote("demo", number, "a test", rollback, said.append, unheard)
    return said


def longer(demo, **sections: Any) -> ExperimentConfig:
    """Return the demo experiment with another lag."""
    model = replace(demo.experiment.model, adstock_max_lag=6)
    return replace(demo.experiment, model=model, evidence=LEAN, **sections)


def test_a_worse_version_becomes_challenger_and_a_better_one_champion(
    make_version, store, demo, canned
):
    canned.scores = [(demo.experiment.model, 100.0), (longer(demo).model, 120.0)]
    make_version()
    make_version(longer(demo))
    assert promoted(1)[-1] == "champion of mmm_demo is version 1 (no champion before)"
    with pytest.raises(ContestLost, match=r"challenger, not champion:\n  contest_crps_ratio 1\.2"):
        promoted(2)
    aliases = ("champion", "challenger", "previous")
    assert [number_of(alias) for alias in aliases] == [1, 2, None]
    run = last_run(store)
    assert run.data.tags["promotion"] == "lost"
    assert "contest_crps_ratio 1.2 <= 1.05" in run.data.tags["promotion.against"]
    assert run.data.metrics["gate.contest_crps_ratio"] == pytest.approx(1.2)
    canned.scores[1] = (longer(demo).model, 104.0)
    assert promoted(2)[-1] == "champion of mmm_demo is version 2 (before: version 1)"
    assert [number_of(alias) for alias in aliases] == [2, None, 1]
    canned.scores[0] = (demo.experiment.model, 999.0)
    promoted(rollback=True)
    assert [number_of(alias) for alias in aliases] == [1, None, 2]


def test_a_required_battery_is_taken_from_the_evidence_that_is_bound(make_version, demo):
    gate = replace(demo.experiment.gate, require=("placebo",))
    made = make_version(replace(demo.experiment, gate=gate))
    with pytest.raises(ContestLost, match="placebo was not measured; run: mmm-demo evidence"):
        promoted()
    assert number_of("challenger") == 1
    bind(made, evidence_about(made, {"placebo": placebo_table(believed=3)}))
    with pytest.raises(ContestLost, match="placebo_believed 3 <= 1"):
        promoted()
    bind(again(made), evidence_about(made, {"placebo": placebo_table()}))
    promoted()
    assert [number_of(alias) for alias in ("champion", "challenger")] == [1, None]


def test_a_market_that_cannot_be_or_is_empty_promotes_nothing(store):
    with pytest.raises(ConfigError, match="no market can be named"):
        run_promote("No Market", None, "", False, unheard, unheard)
    assert store.search_runs([item.experiment_id for item in store.search_experiments()]) == []
    with pytest.raises(NoVersionError, match="no version that passed"):
        promoted()


def test_a_promotion_that_loses_knowledge_needs_a_reason_that_names_the_channel(
    store, project, canned
):
    experiment = load_experiment(project / "experiments/your_data.yaml")
    longer_lag = replace(experiment, model=replace(experiment.model, adstock_max_lag=6))
    canned.scores = [(experiment.model, 100.0), (longer_lag.model, 90.0)]
    table = load_market(experiment.data, experiment.model, project).table
    drawn_version(experiment, table, project, narrow=0.02)
    drawn_version(longer_lag, table, project)
    market = experiment.market

    def promote(number: int | None, reason: str) -> int:
        return run_promote(market, number, reason, False, unheard, unheard).version

    assert promote(1, "main job") == 1
    command = f'mmm-demo promote --market {market} --version 2 --reason "tv, search: ..."'
    for reason in ("main job", "none given", "tv is prior-driven"):
        with pytest.raises(ContestLost, match="contest_knowledge_lost") as lost:
            promote(None, reason)
        assert command.replace("tv, " if "tv" in reason else "", "") in str(lost.value)
    assert load_champion(market).version.version in (1, "1")
    assert last_run(store).data.tags["promotion"] == "lost"
    given = "tv, search: prior-driven under the longer lag"
    assert promote(2, given) == 2
    assert load_champion(market).version.version in (2, "2")
    assert last_run(store).data.params["promotion.reason"] == given


# Scaling: a refresh keeps the champion's


def scale(target: float) -> ScalingConfig:
    return ScalingConfig(target, (1.0, 2.0, 3.0, 4.0))


def scaled(experiment: ExperimentConfig, target: float) -> ExperimentConfig:
    """Return an experiment as its fit resolves it."""
    return replace(experiment, model=replace(experiment.model, scaling=scale(target)))


def test_only_a_refresh_takes_the_champions_scaling(make_version, demo, lean_model):
    table, said = lean_model.table.copy(), []
    own = scaling_of(demo.experiment.model, table)
    assert with_scaling(demo.experiment, table, said.append).model.scaling == own
    make_version(scaled(demo.experiment, 5.0))
    assert with_scaling(demo.experiment, table, said.append).model.scaling == own
    assert said == []  # a version that is no champion decides nothing
    run_promotion()
    table.loc[0, "Sales"] *= 9  # a new record week
    found = with_scaling(demo.experiment, table, said.append)
    assert found == scaled(demo.experiment, 5.0)
    assert said == ["scaling: the champion's, so that the priors mean the same"]
    other = with_scaling(longer(demo), table, said.append).model
    assert other == replace(longer(demo).model, scaling=scaling_of(longer(demo).model, table))
    given = scaled(demo.experiment, 7.0)
    assert with_scaling(given, table, said.append) == given
    north = replace(demo.experiment, market="north")
    assert with_scaling(north, table, said.append).model.scaling.target != 5.0
    assert len(said) == 1


def test_a_champion_that_does_not_prove_its_pass_decides_no_scaling(make_version, demo, lean_model):
    made = make_version(scaled(demo.experiment, 5.0))
    run_promotion()
    assert with_scaling(demo.experiment, lean_model.table, unheard).model.scaling == scale(5.0)
    add_a_byte(made)
    found = with_scaling(demo.experiment, lean_model.table, unheard)
    assert found.model.scaling == scaling_of(demo.experiment.model, lean_model.table)


def test_a_champion_without_a_scaling_decides_none(make_version, demo, lean_model):
    make_version()
    run_promotion()
    assert load_champion("demo").bundle.experiment.model.scaling is None
    found = with_scaling(demo.experiment, lean_model.table, unheard)
    assert found.model.scaling == scaling_of(demo.experiment.model, lean_model.table)


# Evidence that stands in the way


def test_evidence_that_is_refused_is_gathered_anew(make_version, demo, canned):
    canned.scores = [(demo.experiment.model, 100.0)]
    made = make_version(replace(demo.experiment, evidence=LEAN))
    tables = {"placebo": placebo_table(), "sensitivity": sensitivity_table()}
    path = bind(made, evidence_about(made, tables))
    path.write_text(path.read_text() + " ")
    with pytest.raises(GateRefused, match=r"bytes of evidence\.json"):
        promoted()
    said: list[str] = []
    done = run_evidence(str(made.run_id), ["backtest"], said.append, unheard)
    assert set(done.evidence.tables) == {"backtest"}
    assert said[0].startswith("what was found before is not kept: check 'bytes of evidence.json'")
    tags = again(made).tags
    assert tags["evidence.backtest"] == "passed"
    assert "evidence.placebo" not in tags
    promoted()
    assert number_of("champion") == 1


# A real contest


def last_promotion(client: MlflowClient) -> Run:
    """Return the promotion that started last; its refits started later."""
    experiments = [item.experiment_id for item in client.search_experiments()]
    (latest, *_) = client.search_runs(
        experiments, "tags.`mmm.kind` = 'promotion'", order_by=["attributes.start_time DESC"]
    )
    return latest


@pytest.mark.slow
def test_a_real_contest_refits_both_and_leaves_both_versions_as_they_are(
    make_version, demo, store, lean_model
):
    # The same model on another scale, so that one compilation serves both.
    own = lean_model.response.scaling
    model = replace(demo.experiment.model, scaling=replace(own, target=1.02 * own.target))
    first = make_version()
    second = make_version(replace(demo.experiment, model=model, evidence=LEAN))
    promoted(1)
    before = [contents(model_folder(made)) for made in (first, second)]
    steps: list[Step] = []
    run_promote("demo", 2, "a test", False, unheard, steps.append)
    assert [contents(model_folder(made)) for made in (first, second)] == before
    assert [number_of(alias) for alias in ("champion", "previous")] == [2, 1]
    run = last_promotion(store)
    assert run.data.tags["promotion"] == "done"
    assert [step.number for step in steps] == [1, 2, 1, 2]
    assert [step.refit.response.scaling for step in steps] == [model.scaling] * 2 + [own] * 2
    means = []
    for name in ("challenger", "champion"):
        text = store.download_artifacts(run.info.run_id, f"tables/backtest_{name}.csv")
        table = pd.read_csv(text, parse_dates=["week"])
        assert list(table["week"]) == list(lean_model.table["Week"].tail(8))
        assert list(table["observed"]) == pytest.approx(list(lean_model.observed[-8:]))
        assert table["converged"].all()
        assert (table["crps"] > 0).all()
        means.append(float(fold_table(table)["crps"].mean()))
    assert means[0] != means[1]
    ratio = run.data.metrics["gate.contest_crps_ratio"]
    assert ratio == pytest.approx(means[0] / means[1])
    assert 0.9 < ratio < 1.05
    children = store.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    )
    assert [child.data.params["refit.battery"] for child in children] == ["backtest"] * 4
    assert {child.data.tags["converged"] for child in children} == {"True"}
