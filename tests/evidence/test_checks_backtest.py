"""Backtest: folds, the naive rule, the score, and what the verdict makes of them."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from pymc_marketing.metrics import per_observation_crps

from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED
from mmm_demo.evidence.backtest import (
    backtest_checks,
    crps,
    fold_table,
    folds,
    naive_forecast,
    score_weeks,
)

RNG = np.random.default_rng(5)


# Folds


@pytest.mark.parametrize(
    ("weeks", "count", "horizon"), [(156, 5, 8), (104, 5, 8), (52, 5, 8), (60, 26, 26), (21, 2, 3)]
)
def test_forecasts_follow_each_other_up_to_the_last_week(weeks, count, horizon):
    plan = folds(weeks, count, horizon)
    assert len(plan) == count
    assert plan[-1][1] == weeks
    lengths = {end - train for train, end in plan}
    assert len(lengths) == 1
    assert 1 <= lengths.pop() <= horizon
    for (_, end), (train, _) in pairwise(plan):
        assert train == end  # no week twice, none left out, and the window expands
    assert plan[0][0] >= weeks / 2


def test_the_horizon_shrinks_only_where_half_of_the_weeks_would_not_do():
    assert folds(156, 5, 8)[0] == (116, 124)
    assert folds(80, 5, 8)[0] == (40, 48)
    assert folds(79, 5, 8)[0] == (44, 51)
    assert folds(10, 5, 8)[0] == (5, 6)


@pytest.mark.parametrize(("weeks", "count"), [(9, 5), (0, 2), (51, 26)])
def test_too_few_weeks_are_refused(weeks, count):
    with pytest.raises(ValueError, match=f"{weeks} weeks are too few for a backtest of {count}"):
        folds(weeks, count, 8)


# Naive forecast


def test_under_65_weeks_the_last_value_with_its_errors():
    first, second = naive_forecast(np.array([10.0, 13.0, 11.0, 20.0]), 2)
    assert first.tolist() == [20 + 3, 20 - 2, 20 + 9]
    assert second.tolist() == [20 + 1, 20 + 7]


def test_from_65_weeks_the_same_week_a_year_before_with_its_errors():
    history = np.arange(65.0) ** 2
    first, _, third = naive_forecast(history, 3)
    errors = [float(week**2 - (week - 52) ** 2) for week in range(52, 65)]
    assert first.tolist() == [13.0**2 + error for error in errors]
    assert third.tolist() == [15.0**2 + error for error in errors]
    assert naive_forecast(history[:64], 1)[0][0] == 63**2 + 1  # last value, first error


def test_a_perfect_season_is_forecast_perfectly():
    season = np.tile(RNG.normal(size=52), 3)
    for week, sample in enumerate(naive_forecast(season[:120], 26)):
        assert (sample == season[120 + week]).all()


# Score


@pytest.mark.parametrize("count", [1, 2, 3, 50, 501])
def test_crps_is_the_librarys(count):
    sample, observed = RNG.gamma(2.0, 10.0, (count, 4)), np.array([-3.0, 5.0, 18.0, 400.0])
    ours = [crps(observed[i], sample[:, i]) for i in range(4)]
    assert ours == pytest.approx(per_observation_crps(observed, sample), rel=1e-12)


def test_crps_of_a_normal_has_a_closed_form():
    """Gneiting and Raftery (2007): at its mean, sigma (sqrt 2 - 1) / sqrt pi."""
    sample = np.random.default_rng(1).normal(100.0, 7.0, 200_000)
    assert crps(100.0, sample) == pytest.approx(7 * (2**0.5 - 1) / np.pi**0.5, rel=0.01)


def test_crps_by_hand_and_in_any_order():
    assert crps(1.0, np.array([3.0])) == 2.0
    assert crps(0.0, np.array([1.0, -1.0])) == pytest.approx(1 - 0.5)
    assert crps(2.0, np.array([5.0, 1.0, 3.0])) == crps(2.0, np.array([1.0, 3.0, 5.0]))


def test_crps_is_not_measured_where_a_draw_is_not():
    assert np.isnan(crps(1.0, np.array([1.0, np.nan])))
    assert np.isnan(crps(np.nan, np.array([1.0, 2.0])))


def test_each_week_is_scored_by_its_own_draws():
    observed, history = np.array([10.0, 20.0]), np.array([8.0, 9.0, 10.0, 11.0])
    draws = RNG.normal([10.0, 50.0], 1.0, (4000, 2))
    scores = score_weeks(observed, draws, history)
    assert scores["observed"].tolist() == [10.0, 20.0]
    assert scores["mean"].to_numpy() == pytest.approx([10.0, 50.0], abs=0.1)
    # The central 94 % of a normal reach 1.881 standard deviations.
    assert scores["lower_94"].to_numpy() == pytest.approx([8.12, 48.12], abs=0.15)
    assert scores["upper_94"].to_numpy() == pytest.approx([11.88, 51.88], abs=0.15)
    assert scores["naive"].tolist() == [12.0, 13.0]
    assert scores["naive_crps"].tolist() == [2.0, 7.0]
    assert scores["crps"].to_numpy() == pytest.approx(per_observation_crps(observed, draws))


# By fold


def forecast(**columns: object) -> pd.DataFrame:
    """Return six forecast weeks in three folds: twice as good as naive, five of six inside."""
    plain = {
        "fold": [1, 1, 2, 2, 3, 3],
        "week": pd.date_range("2025-01-06", periods=6, freq="7D"),
        "observed": [100.0, 200.0, 100.0, 100.0, 100.0, 50.0],
        "mean": [110.0, 180.0, 100.0, 100.0, 100.0, 100.0],
        "lower_94": [90.0, 160.0, 90.0, 90.0, 90.0, 90.0],
        "upper_94": [120.0, 210.0, 110.0, 110.0, 110.0, 110.0],
        "naive": [50.0, 100.0, 100.0, 100.0, 100.0, 100.0],
        "crps": [5.0, 15.0, 1.0, 3.0, 2.0, 10.0],
        "naive_crps": [20.0, 20.0, 6.0, 6.0, 10.0, 10.0],
        "converged": [True] * 6,
    }
    return pd.DataFrame(plain | columns)


def checks_of(table: pd.DataFrame) -> dict:
    return {check.name: check for check in backtest_checks(fold_table(table))}


def test_weeks_are_summed_up_by_fold():
    table = fold_table(forecast())
    assert table["fold"].tolist() == [1, 2, 3]
    assert table["start"].tolist() == list(forecast()["week"][[0, 2, 4]])
    assert table["weeks"].tolist() == [2, 2, 2]
    assert table["crps"].tolist() == [10.0, 2.0, 6.0]
    assert table["naive_crps"].tolist() == [20.0, 6.0, 10.0]
    assert table["mape"].to_numpy() == pytest.approx([0.1, 0.0, 0.5])
    assert table["naive_mape"].to_numpy() == pytest.approx([0.5, 0.0, 0.5])
    assert table["coverage_94"].tolist() == [1.0, 1.0, 0.5]


def test_weeks_without_sales_have_no_percentage_error():
    table = fold_table(forecast(observed=[0.0, 200.0, 0.0, 0.0, 100.0, 50.0]))
    assert table["mape"].to_numpy()[[0, 2]] == pytest.approx([0.1, 0.5])
    assert np.isnan(table["mape"][1])


def test_skill_and_coverage_are_pooled_over_weeks():
    found = checks_of(forecast())
    assert found["backtest_crps_skill"].value == pytest.approx(1 - 36 / 72)
    assert found["backtest_coverage_94"].value == pytest.approx(5 / 6)
    assert found["backtest_coverage_94"].where == "fold from 2025-02-03 is the worst"
    assert {check.status for check in found.values()} == {PASSED}
    assert {check.stage for check in found.values()} == {"backtest"}


def test_folds_of_other_lengths_weigh_by_their_weeks():
    found = checks_of(forecast(fold=[1, 2, 2, 2, 2, 2]))
    assert found["backtest_crps_skill"].value == pytest.approx(1 - 36 / 72)
    assert found["backtest_coverage_94"].value == pytest.approx(5 / 6)


def test_no_better_than_naive_passes_and_worse_fails():
    naive = forecast()["naive_crps"]
    assert checks_of(forecast(crps=naive))["backtest_crps_skill"].passed
    worse = checks_of(forecast(crps=naive * 1.001))["backtest_crps_skill"]
    assert worse.status == FAILED
    assert worse.value == pytest.approx(-0.001)


def test_coverage_fails_below_its_limit():
    half = forecast(upper_94=[90.0, 160.0, 90.0, 110.0, 110.0, 110.0])
    check = checks_of(half)["backtest_coverage_94"]
    assert (check.status, check.value) == (FAILED, pytest.approx(2 / 6))


def test_a_fold_that_did_not_converge_is_left_out():
    many = pd.concat([forecast().assign(fold=lambda t, i=i: t["fold"] + 3 * i) for i in range(2)])
    many.loc[many["fold"] == 6, "converged"] = False
    found = checks_of(many)
    assert found["backtest_crps_skill"].value == pytest.approx(1 - 60 / 124)
    assert found["backtest_coverage_94"].value == pytest.approx(9 / 10)


def test_too_many_folds_that_did_not_converge_are_not_assessable():
    one_week = forecast(converged=[True] * 5 + [False])  # spoils its fold: 1 of 3
    assert {check.status for check in checks_of(one_week).values()} == {NOT_ASSESSABLE}
    none = forecast(converged=[False] * 6)
    assert {check.status for check in checks_of(none).values()} == {NOT_ASSESSABLE}


@pytest.mark.parametrize("column", ["crps", "naive_crps"])
@pytest.mark.parametrize("rows", [[3], [2, 3], [0, 1, 2, 3, 4, 5]])
def test_a_week_without_a_score_cannot_make_the_skill_pass(column, rows):
    """A sum that skips what is missing would count the week as forecast perfectly."""
    table = forecast()
    table.loc[rows, column] = np.nan
    assert checks_of(table)["backtest_crps_skill"].status == NOT_ASSESSABLE


@pytest.mark.parametrize("column", ["observed", "lower_94", "upper_94"])
def test_a_week_without_values_is_not_covered(column):
    table = forecast()
    table[column] = np.nan
    check = checks_of(table)["backtest_coverage_94"]
    assert (check.status, check.value) == (FAILED, 0.0)


def test_a_naive_forecast_without_error_leaves_nothing_to_compare_with():
    for score in (0.0, np.inf):
        found = checks_of(forecast(naive_crps=[score] * 6))
        assert found["backtest_crps_skill"].status == NOT_ASSESSABLE


def test_no_fold_at_all_never_passes():
    empty = fold_table(forecast()).head(0)
    assert {check.status for check in backtest_checks(empty)} == {NOT_ASSESSABLE}
