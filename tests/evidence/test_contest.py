"""The contest: every verdict at its limit, and what differs between two versions."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from bundles import changed, make_bundle, make_folds
from drawn_model import drawn_model
from helpers import PROJECT
from mmm_demo.checks.gate import DATA_DRIVEN, FAILED, NOT_ASSESSABLE, PASSED, PRIOR_DRIVEN
from mmm_demo.cli.verbs import promote
from mmm_demo.evidence import contest
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.trace import LIFT_TESTS
from mmm_demo.planning.optimize import optimize_budget
from mmm_demo.settings.experiment import ScalingConfig
from mmm_demo.settings.priors import PriorConfig
from mmm_demo.settings.scenario import BudgetConfig

CHAMPION = make_folds(100, 80, 120)


def verdict(challenger: pd.DataFrame, champion: pd.DataFrame = CHAMPION) -> str:
    return contest.crps_check(challenger, champion, 0.05).status


# CRPS


@pytest.mark.parametrize(
    ("crps", "status"),
    [
        ((90, 70, 110), PASSED),
        ((105, 84, 126), PASSED),  # exactly 5 % worse
        ((105.01, 84, 126), FAILED),
        ((99, 99, 150), FAILED),
        ((math.nan, 70, 110), NOT_ASSESSABLE),
        ((math.inf, 70, 110), NOT_ASSESSABLE),
    ],
)
def test_a_challenger_may_be_a_little_worse_and_no_more(crps, status) -> None:
    assert verdict(make_folds(*crps)) == status


def test_the_check_says_both_means_and_their_ratio() -> None:
    check = contest.crps_check(make_folds(105, 84, 126), CHAMPION, 0.05)
    assert check.value == check.limit == 1.05
    assert check.where == "mean CRPS 105 against the champion's 100"


def test_a_champion_without_a_score_is_nothing_to_beat() -> None:
    assert verdict(CHAMPION, make_folds(math.nan, 80, 120)) == NOT_ASSESSABLE
    assert verdict(CHAMPION, make_folds(math.inf, 80, 120)) == NOT_ASSESSABLE
    assert verdict(CHAMPION, make_folds(0, 0, 0)) == NOT_ASSESSABLE


def test_folds_of_other_weeks_are_no_contest() -> None:
    later = CHAMPION["start"] + pd.Timedelta(days=7)
    assert verdict(make_folds(1, 1, 1, start=later)) == NOT_ASSESSABLE
    assert verdict(make_folds(1, 1, 1, weeks=4)) == NOT_ASSESSABLE
    assert verdict(make_folds(1, 1)) == NOT_ASSESSABLE
    assert verdict(make_folds(), make_folds()) == NOT_ASSESSABLE


def test_more_than_one_fold_in_five_that_did_not_converge_proves_nothing() -> None:
    good, bad = make_folds(*[100] * 5), make_folds(*[1] * 5, converged=[True] * 3 + [False] * 2)
    for pair in ((bad, good), (good, bad)):
        check = contest.crps_check(*pair, 0.05)
        assert check.status == NOT_ASSESSABLE
        assert check.where == "2 of 5 refits did not converge"


def test_a_fold_that_did_not_converge_counts_for_neither() -> None:
    champion = make_folds(*[100] * 5)
    converged = [True] * 4 + [False]
    lucky = make_folds(110, 110, 110, 110, 1, converged=converged)
    assert contest.crps_check(lucky, champion, 0.05).value == pytest.approx(1.1)
    unlucky = make_folds(100, 100, 100, 100, math.nan, converged=converged)
    assert verdict(unlucky, champion) == PASSED
    assert contest.crps_check(champion, lucky, 0.05).value == pytest.approx(1 / 1.1)


def test_one_model_ties_with_itself_and_another_market_is_not_comparable() -> None:
    assert contest.tie_check(0.0).status == PASSED
    check = contest.not_comparable(0.05, "the data lack Radio")
    assert (check.status, check.where) == (NOT_ASSESSABLE, "the data lack Radio")
    lost = contest.reasons([contest.tie_check(0.0), check])
    assert len(lost) == 1 and "the data lack Radio" in lost[0] and check.advice in lost[0]


def test_scaling_makes_no_other_model() -> None:
    config = drawn_model().config
    assert contest.same_model(config, replace(config, scaling=ScalingConfig(5.0, (1.0, 2.0))))
    assert not contest.same_model(config, replace(config, adstock_max_lag=5))


# Refresh


def with_effect(factor: float, only: str = "TV") -> FittedModel:
    """Return the drawn model with one channel's effect changed by a factor."""
    posterior = drawn_model().trace["posterior"].to_dataset().copy(deep=True)
    beta = posterior["saturation_beta"]
    posterior["saturation_beta"] = beta * xr.where(beta["channel"] == only, factor, 1.0)
    return changed(posterior=posterior)


def test_the_same_draws_are_stable() -> None:
    bundle = make_bundle(drawn_model())
    table = contest.stability(bundle, bundle)
    assert list(table["channel"]) == ["TV", "Radio"]
    assert table["inside"].all()
    assert (table["overlap"] == 1).all()
    np.testing.assert_array_equal(table["champion"], table["challenger"])
    roas = drawn_model().roas().to_numpy()
    np.testing.assert_allclose(table["lower_94"], np.quantile(roas, 0.03, axis=0))
    assert contest.refresh_check(table).status == PASSED


def test_a_channel_that_left_the_champions_interval_is_named() -> None:
    before = make_bundle(drawn_model())
    table = contest.stability(before, make_bundle(with_effect(100.0))).set_index("channel")
    assert not table.loc["TV", "inside"] and table.loc["Radio", "inside"]
    assert table.loc["TV", "overlap"] < 0.3 < table.loc["Radio", "overlap"]
    check = contest.refresh_check(table.reset_index())
    assert (check.status, check.value, check.where) == (FAILED, 1, "TV")


def test_unmeasured_roas_is_not_inside() -> None:
    before = make_bundle(drawn_model())
    table = contest.stability(before, make_bundle(with_effect(math.nan)))
    assert contest.refresh_check(table).status == FAILED


def test_nothing_in_common_is_not_assessable() -> None:
    assert contest.refresh_check(pd.DataFrame([])).status == NOT_ASSESSABLE


# A contest is not won by ignorance

DATA, PRIOR, NEITHER = DATA_DRIVEN, PRIOR_DRIVEN, NOT_ASSESSABLE


def knowledge(*pairs: tuple[str, str]) -> pd.DataFrame:
    """Return labels of channels A, B, ...: the champion's and the challenger's."""
    rows = [
        {"channel": name, "champion": one, "challenger": other, "lost": contest._lost(one, other)}
        for name, (one, other) in zip("ABC", pairs, strict=False)
    ]
    return pd.DataFrame(rows, columns=["channel", "champion", "challenger", "lost"])


def judged(known: pd.DataFrame, refresh: bool = True, reason: str = "") -> tuple[str, str]:
    check = contest.knowledge_check(known, refresh, reason, "mmm-demo promote --market m")
    return check.status, check.where


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (DATA, DATA, PASSED),
        (PRIOR, PRIOR, PASSED),
        (PRIOR, DATA, PASSED),
        (NEITHER, DATA, PASSED),
        (PRIOR, NEITHER, PASSED),
        (DATA, PRIOR, FAILED),
        (DATA, NEITHER, NOT_ASSESSABLE),  # unmeasured is no knowledge
        (NEITHER, PRIOR, NOT_ASSESSABLE),
        (NEITHER, NEITHER, NOT_ASSESSABLE),
    ],
)
def test_what_was_data_driven_must_stay_so(before: str, after: str, status: str) -> None:
    known = knowledge((DATA, DATA), (before, after))
    lost = "" if status == PASSED else f"B ({before} -> {after})"
    assert judged(known) == (status, lost)
    assert judged(known, refresh=False) == (status, lost)
    assert judged(known, refresh=False, reason="B is unknown now") == (PASSED, "")
    assert judged(known, refresh=True, reason="B is unknown now") == (status, lost)


def test_known_and_unknown_losses_fail_together() -> None:
    known = knowledge((DATA, PRIOR), (DATA, NEITHER))
    assert judged(known)[0] == FAILED
    assert judged(known, refresh=False, reason="A is meant")[0] == NOT_ASSESSABLE


def test_no_channel_in_common_has_lost_nothing() -> None:
    assert judged(knowledge()) == (PASSED, "")


@pytest.mark.parametrize(
    ("reason", "channel", "named"),
    [
        ("tv is prior-driven now", "tv", True),
        ("TV, search", "tv", True),
        ("(tv)", "tv", True),
        ("ctv is prior-driven", "tv", False),
        ("research says so", "search", False),
        ("Paid/Social (all) is meant", "Paid/Social (all)", True),
        ("テレビは事前分布", "テレビ", True),
        ("main job", "main", False),
        ("none given", "none", False),
        ("", "tv", False),
    ],
)
def test_a_reason_names_a_channel_by_its_whole_name(reason: str, channel: str, named: bool) -> None:
    assert contest.named_in(reason, [channel]) == ({channel} if named else set())


def test_the_name_of_another_channel_names_no_channel_within_it() -> None:
    channels = ["search", "paid search", "tv"]
    assert contest.named_in("paid search: new tracking", channels) == {"paid search"}
    assert contest.named_in("paid search and search: new tracking", channels) == {*channels[:2]}


def test_what_stands_where_nobody_gave_a_reason_names_no_channel() -> None:
    (reason,) = [option for option in promote.params if option.name == "reason"]
    entry = yaml.safe_load((PROJECT / "MLproject").read_text("utf-8"))["entry_points"]["promote"]
    assert {reason.default, entry["parameters"]["reason"]["default"]} <= set(contest.UNASKED)


# The weeks to compare on


def renamed(bundle_table: pd.DataFrame) -> FittedModel:
    """Return a model of one other group of channels over a table."""
    table = bundle_table.assign(Media=bundle_table["TV"] + bundle_table["Radio"])
    config = replace(drawn_model().config, channel_columns=("Media",), priors={})
    posterior = drawn_model().trace["posterior"].to_dataset().isel(channel=[0])
    return changed(config, table, posterior.assign_coords(channel=["Media"]))


def test_the_challengers_weeks_are_used_where_they_have_the_columns() -> None:
    longer = drawn_model().table.tail(90).reset_index(drop=True)
    champion, challenger = make_bundle(drawn_model()), make_bundle(changed(table=longer))
    found = contest.common_table(champion, challenger)
    pd.testing.assert_frame_equal(found, longer[list(found)])
    assert list(found) == ["Week", "Sales", "TV", "Radio", "Trend"]


def test_other_groups_of_the_same_sales_are_compared_on_the_champions_table() -> None:
    champion = make_bundle(drawn_model())
    found = contest.common_table(champion, make_bundle(renamed(drawn_model().table)))
    pd.testing.assert_frame_equal(found, drawn_model().table)


@pytest.mark.parametrize("fault", ["other sales", "other weeks", "fewer weeks"])
def test_other_sales_are_no_common_ground(fault: str) -> None:
    table = drawn_model().table.copy()
    if fault == "other sales":
        table.loc[5, "Sales"] *= 1.01
    elif fault == "other weeks":
        table["Week"] += pd.Timedelta(days=7)
    else:
        table = table.iloc[:-1]
    with pytest.raises(ValueError, match=r"lack the champion's TV, Radio$"):
        contest.common_table(make_bundle(drawn_model()), make_bundle(renamed(table)))


# What differs


def differences(other: FittedModel) -> pd.DataFrame:
    return contest.explain(make_bundle(drawn_model()), make_bundle(other)).set_index("setting")


def test_the_same_version_differs_in_nothing() -> None:
    found = differences(drawn_model())
    assert found.empty
    assert list(found.columns) == ["part", "champion", "challenger"]


def test_a_changed_lag_and_prior_are_named_with_both_values() -> None:
    config = drawn_model().config
    priors = {**config.priors, "y_sigma": PriorConfig("HalfNormal", {"sigma": 0.7}, "noisy")}
    found = differences(changed(replace(config, adstock_max_lag=6, priors=priors)))
    lag = found.loc["model.adstock.max_lag"]
    assert (lag["part"], lag["champion"], lag["challenger"]) == ("model", "4", "6")
    assert found.loc["prior.y_sigma", "part"] == "prior"
    assert "0.7" in found.loc["prior.y_sigma", "challenger"]
    assert found.loc["prior.y_sigma.rationale", "challenger"] == "noisy"
    assert set(found["part"]) == {"model", "prior"}


def test_changed_data_are_named_and_move_the_scaling_where_it_is_not_fixed() -> None:
    table = drawn_model().table.copy()
    table["TV"] *= 2
    found = differences(changed(table=table))
    assert set(found.index) == {"data.sha256", "data.spend.TV", "scaling.TV"}
    assert found.loc["scaling.TV", "part"] == "scaling"
    fixed = replace(drawn_model().config, scaling=drawn_model().response.scaling)
    assert set(differences(changed(fixed, table)).index) == {"data.sha256", "data.spend.TV"}


def test_a_scaling_that_moves_priors_is_named() -> None:
    scaling = drawn_model().response.scaling
    fixed = replace(drawn_model().config, scaling=replace(scaling, target=2 * scaling.target))
    assert list(differences(changed(fixed)).index) == ["scaling.target"]


def test_lift_tests_in_only_one_are_a_difference() -> None:
    day = pd.Timestamp("2024-01-01")
    test = {"channel": "TV", "x": 1.0, "delta_x": 1.0, "delta_y": 2.0, "sigma": 0.5, "date": day}
    trace = xr.DataTree.from_dict(
        {name: drawn_model().trace[name].to_dataset() for name in drawn_model().trace.children}
        | {LIFT_TESTS: xr.Dataset.from_dataframe(pd.DataFrame([test]).rename_axis("test"))}
    )
    found = differences(FittedModel(drawn_model().config, trace))
    assert list(found.index) == ["data.lift_tests"]
    assert found.loc["data.lift_tests", "champion"] == "none"
    assert found.loc["data.lift_tests", "challenger"].startswith("1, sha256 ")


def test_both_plan_at_the_price_of_a_unit_that_the_second_has():
    one, other = make_bundle(drawn_model()), make_bundle(drawn_model())
    channel = other.fitted.config.channel_columns[0]
    budget = BudgetConfig(weeks=8, cost_per_unit={channel: 50.0})
    other = replace(other, experiment=replace(other.experiment, budget=budget))
    alone = optimize_budget(other.fitted, replace(budget, default_bounds="seen"))
    first, second = contest.plans_of(one, other)
    assert second.total_budget == alone.total_budget == pytest.approx(first.total_budget)
    row = first.table.set_index("channel").loc[channel]
    assert row["planned"] == pytest.approx(50 * row["units"])
