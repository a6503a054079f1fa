"""Which fit to go on with: over tables made by hand, and what may never be recommended."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from each import each
from mmm_demo.checks.remedies import EXPERIMENT_ONLY, MEMORY
from mmm_demo.evidence.improve import AS_IT_IS, recommend, roas_spread
from tried import CURVE, DRIFT, LAG, forecast, roas, tried

BASE = tried(flags="p_later_lags residual_cusum")
BOTH = {**LAG, **DRIFT}
GOOD = tried(LAG, "")


def chosen(*fits):
    """Return the name of the recommended fit; `as it is` when none is."""
    found = recommend([BASE, *fits])
    assert len(found.table) == len(fits) + 1
    return AS_IT_IS if found.chosen is None else found.table["fit"][found.chosen]


# What is recommended


def test_a_candidate_that_clears_flags_and_forecasts_as_well_is_recommended():
    found = recommend([BASE, GOOD])
    assert (found.chosen, found.clearing) == (1, (1,))
    assert found.reason.startswith(
        "model.adstock_max_lag: 13: it clears p_later_lags, residual_cusum, leaves none, and"
    )


def test_most_flags_cleared_comes_before_simplicity():
    assert chosen(tried(LAG, "residual_cusum"), tried(BOTH, "")) == tried(BOTH).name
    assert chosen(tried(LAG, ""), tried(BOTH, "residual_cusum")) == tried(LAG).name


def test_of_those_that_clear_as_many_the_fewest_settings_are_simplest():
    assert chosen(tried(BOTH, "", parameters=5), tried(LAG, "", parameters=99)) == tried(LAG).name


def test_then_the_fewest_parameters_and_then_the_order_of_the_offers():
    drift, lag = tried(DRIFT, "", parameters=30), tried(LAG, "", parameters=10)
    assert chosen(drift, lag) == lag.name
    same = replace(drift, parameters=10)
    assert chosen(same, lag) == drift.name
    assert chosen(lag, same) == lag.name


@each(better=(1.0, 10.0, 49.0))
def test_the_best_forecast_is_no_reason_to_choose(better):
    """It forecasts far better, clears nothing, and is not recommended; nor does it undo another."""
    best = tried(DRIFT, "p_later_lags residual_cusum", level=50.0 - better, seed=3)
    assert chosen(best) == AS_IT_IS
    equal = tried(LAG, "", level=50.0 - better, seed=3)
    assert chosen(best, equal) == equal.name


def test_a_forecast_that_is_worse_than_one_standard_error_is_refuted():
    found = recommend([BASE, tried(LAG, "", level=50.5, seed=1)])
    behind, error = found.table[["behind", "error"]].iloc[1]
    assert behind == pytest.approx(0.5)
    assert behind < error and found.chosen == 1
    worse = tried(LAG, "", level=50.0 + 2 * error, seed=1)
    found = recommend([BASE, worse])
    assert (found.chosen, list(found.table["eligible"])) == (None, [True, False])
    assert "forecasts well" in found.reason


def test_the_standard_error_is_of_the_difference_week_by_week():
    """A bad year for all is no excuse: both are off by the same in every week."""
    shared = tried(LAG, "", level=50.1, seed=0)
    found = recommend([BASE, shared])
    assert found.table["error"][1] == pytest.approx(0.0, abs=1e-12)
    assert found.chosen is None


def test_a_new_flag_weighs_as_much_as_one_that_is_cleared():
    assert chosen(tried(LAG, "residual_cusum p_other_curve")) == AS_IT_IS
    assert chosen(tried(LAG, "p_other_curve")) == GOOD.name


def test_nothing_is_recommended_where_no_flag_is_cleared():
    assert chosen(tried(LAG, "p_later_lags residual_cusum")) == AS_IT_IS
    assert recommend([tried(), tried(LAG)]).chosen is None


# What only an experiment can clear


@each(name=EXPERIMENT_ONLY)
def test_a_flag_that_data_cannot_clear_is_inherited(name):
    base = tried(flags=name)
    found = recommend([base, tried(LAG, "")])
    assert found.chosen is None
    assert list(found.table["flags"]) == [(name,), (name,)]
    base = tried(flags=f"{name} p_later_lags")
    found = recommend([base, tried(LAG, "")])
    assert found.chosen == 1
    assert found.table["flags"][1] == (name,)
    assert f"it clears p_later_lags, leaves {name}" in found.reason


@each(name=EXPERIMENT_ONLY)
def test_a_candidate_may_lose_knowledge_and_that_counts(name):
    base = tried(flags="p_later_lags")
    assert recommend([base, tried(LAG, name)]).chosen is None


def test_noise_that_may_hang_together_clears_the_residuals_and_stays_flagged():
    """Else a demand that spend follows would be wrong without a flag."""
    memory = tried({("model", "autocorrelation"): True}, MEMORY)
    for base in ("p_lag1_residuals", "residual_cusum", "p_lag1_residuals residual_cusum"):
        found = recommend([tried(flags=base), memory])
        assert found.chosen == 1
        assert found.table["flags"][1] == (MEMORY,)
        assert f"leaves {MEMORY}" in found.reason
    assert recommend([tried(flags="p_later_lags"), memory]).chosen is None  # something was lost


# Disagreement


def test_fits_that_clear_the_flags_and_disagree_on_a_roas_are_none_of_them_recommended():
    found = recommend([BASE, GOOD, tried(DRIFT, "", roas=roas(tv=2.6))])
    assert found.chosen is None
    assert "disagree on the ROAS of TV beyond their intervals" in found.reason
    assert found.clearing == (1, 2)
    spread = found.spread.set_index("channel")
    assert list(spread["agree"]) == [False, True]
    assert tuple(spread.loc["TV", ["lowest", "highest", "lower_94", "upper_94"]]) == (
        2.0,
        2.6,
        1.5,
        3.1,
    )


def test_a_difference_inside_the_intervals_is_none():
    assert chosen(GOOD, tried(DRIFT, "", parameters=30, roas=roas(tv=2.4))) == GOOD.name


def test_one_interval_that_is_wide_does_not_make_them_agree():
    wide = tried(DRIFT, "", roas=roas(tv=2.6, half=5.0))
    assert chosen(GOOD, wide) == AS_IT_IS


def test_any_two_may_disagree_also_where_the_simplest_agrees_with_each():
    low, high = (tried(of, "", roas=roas(tv=tv)) for of, tv in ((DRIFT, 1.6), (CURVE, 2.4)))
    assert chosen(GOOD, low) == chosen(GOOD, high) == GOOD.name
    assert chosen(GOOD, low, high) == AS_IT_IS


def test_who_clears_less_or_is_refuted_has_no_say():
    less = tried(DRIFT, "residual_cusum", roas=roas(tv=9.0))
    refuted = tried(CURVE, "", level=500.0, seed=1, roas=roas(tv=9.0))
    refused = tried(BOTH, "", roas=roas(tv=9.0), refused="its gate refused it")
    assert chosen(GOOD, less, refuted, refused) == GOOD.name


def test_the_fit_as_it_is_does_not_vote():
    base = replace(BASE, roas=roas(tv=9.0))
    assert recommend([base, GOOD]).chosen == 1


# What is not measured never passes


def bad_roas(column: str, value: float) -> pd.DataFrame:
    table = roas()
    table.loc[1, column] = value
    return table


@each(
    fault=(
        {"refused": "its gate refused it: rhat_max 1.2"},
        {"roas": bad_roas("median", math.nan)},
        {"roas": bad_roas("lower_94", -math.inf)},
        {"roas": bad_roas("upper_94", math.nan)},
        {"roas": roas().head(0)},
        {"forecast": forecast(math.nan)},
        {"forecast": forecast(50.0).head(0)},
        {"forecast": forecast(50.0).assign(converged=False)},
        {"forecast": forecast(50.0).assign(converged=[False] + [True] * 39)},
        {"forecast": forecast(50.0).assign(observed=math.inf)},
        {"forecast": forecast(50.0).iloc[1:]},  # other weeks than the others forecast
    )
)
def test_a_candidate_with_something_unmeasured_is_not_recommended(fault):
    assert chosen(tried(LAG, "", **fault)) == AS_IT_IS
    assert chosen(tried(LAG, "", **fault), tried(DRIFT, "")) == tried(DRIFT).name


def test_where_no_candidate_converged_nothing_is_recommended():
    found = recommend([BASE, *(tried(of, "", refused="no") for of in (LAG, DRIFT, BOTH))])
    assert found.chosen is None
    assert found.reason == "No candidate is usable: leave it as it is."
    assert list(found.table["note"]) == ["", "no", "no", "no"]


def test_the_fit_as_it_is_must_be_measured_too():
    for fault in ({"refused": "no"}, {"roas": bad_roas("median", math.nan)}):
        found = recommend([replace(BASE, **fault), GOOD])
        assert found.chosen is None
        assert found.reason.startswith("The fit as it is cannot be held against others")


def test_a_backtest_of_one_fold_tells_nothing():
    one = {"forecast": forecast(50.0, folds=1)}
    found = recommend([replace(BASE, **one), tried(LAG, "", **one)])
    assert found.chosen is None
    assert "raise evidence.folds" in found.reason


def test_alone_the_fit_stays_as_it_is():
    found = recommend([BASE])
    assert (found.chosen, len(found.table)) == (None, 1)
    assert found.reason == "No candidate was fitted: leave it as it is."


def test_the_spread_of_one_fit_agrees_with_itself():
    spread = roas_spread([roas()])
    assert spread["agree"].all()
    assert list(spread["lowest"]) == list(spread["highest"]) == [2.0, 3.0]


@each(seed=range(20))
def test_whatever_is_recommended_clears_flags_is_usable_and_forecasts_well(seed):
    """Random tables, many of them with faults, hold to the rule."""
    rng = np.random.default_rng(seed)
    names = ("p_later_lags", "residual_cusum", "p_other_curve", *EXPERIMENT_ONLY)

    def fit(number: int):
        flags = " ".join(name for name in names if rng.random() < 0.4)
        settings = {("model", f"setting_{n}"): number for n in range(rng.integers(1, 3))}
        fault = rng.choice(["", "", "", "its gate refused it"])
        table = roas(*rng.normal(2, 0.3, 2), half=rng.uniform(0.1, 1.5))
        table["median"] = np.where(rng.random(2) < 0.05, math.nan, table["median"])
        return tried(
            settings if number else {}, flags, rng.normal(50, 2), number, refused=str(fault),
            roas=table,
        )  # fmt: skip

    fits = [fit(number) for number in range(rng.integers(1, 8))]
    found = recommend(fits)
    if found.chosen is None:
        return
    row = found.table.iloc[found.chosen]
    kept = fits[0].flags & {*EXPERIMENT_ONLY}
    assert found.chosen > 0 and row["note"] == "" and row["behind"] <= row["error"]
    assert kept <= {*row["flags"]} and {*found.table["flags"][0]} - {*row["flags"]}
    assert fits[found.chosen].flags <= {*row["flags"]}
    assert found.spread["agree"].all()
