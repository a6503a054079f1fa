"""What a ranking leaves open: settings that differ, and the spread of ROAS and plans."""

import math

import numpy as np
import pandas as pd
import pytest

from board_data import HARD, candidate, plan, roas
from mmm_demo.evidence.ranking import rank
from mmm_demo.evidence.spread import (
    LEVELS,
    levels,
    plan_spread,
    plans_of,
    roas_of,
    roas_spread,
    settings,
)

LAG, PRIOR = "model.adstock.max_lag", "prior.saturation_beta"


def test_only_settings_that_differ_are_told() -> None:
    same = {"model.controls": "Trend", "sampler.seed": "1"}
    fits = [
        candidate(1, params=same | {LAG: "8", PRIOR: "HalfNormal(sigma=1)"}),
        candidate(2, params=same | {LAG: "4", PRIOR: "HalfNormal(sigma=1)"}),
    ]
    found = settings(fits)
    assert list(found) == [LAG]
    assert found[LAG].to_dict() == {fits[0].run_id: "8", fits[1].run_id: "4"}


def test_setting_that_a_fit_does_not_have_differs() -> None:
    found = settings([candidate(1, params={"data.groups": "Video = TV + Web"}), candidate(2)])
    assert found["data.groups"].tolist() == ["Video = TV + Web", "-"]


def test_of_the_trials_of_a_sweep_what_it_varied() -> None:
    """One scale may set many priors; a fit that is no trial has no such setting."""
    priors = {"prior.intercept": "Normal(mu=0, sigma=2)", PRIOR: "HalfNormal(sigma=2)"}
    trials = [
        candidate(1, params={"sweep.scale": "1.0", "sweep.lag": "4", LAG: "4"}),
        candidate(2, params={"sweep.scale": "2.0", "sweep.lag": "4", LAG: "4"} | priors),
    ]
    assert list(settings(trials)) == ["sweep.scale"]
    mixed = settings([*trials, candidate(3, params={LAG: "8"})])
    assert list(mixed) == [LAG, "prior.intercept", PRIOR]


@pytest.mark.parametrize(
    "name",
    [
        "experiment.name",
        "gate.limit.rhat_max",
        "data.sha256",
        "data.sales_sha256",
        "data.span",
        "data.made_from",
        "data.path",
        "prior.y_sigma.rationale",
        "sampler.attempt_1.target_accept",
        "trial.number",
    ],
)
def test_where_a_fit_comes_from_is_no_setting(name: str) -> None:
    fits = [candidate(1, params={name: "a", LAG: "4"}), candidate(2, params={name: "b", LAG: "8"})]
    assert list(settings(fits)) == [LAG]


def test_one_fit_or_none_differs_in_nothing() -> None:
    assert settings([candidate(1, params={LAG: "4"})]).shape == (1, 0)
    assert settings([]).empty


# Levels


def test_levels_are_in_the_order_of_their_numbers() -> None:
    found = levels(pd.Series(["12", "4", "8", "4"]))
    assert list(found.cat.categories) == ["4", "8", "12"]
    assert found.tolist() == ["12", "4", "8", "4"]


def test_many_numbers_inside_a_text_become_ranges_that_hold_them() -> None:
    sigmas = np.linspace(0.1, 2.0, 20)
    texts = pd.Series([f"HalfNormal(sigma={sigma:.3f})" for sigma in sigmas])
    found = levels(texts)
    assert len(found.cat.categories) == 4
    assert found.value_counts().tolist() == [5, 5, 5, 5]
    assert found.cat.codes.is_monotonic_increasing
    for sigma, level in zip(sigmas, found, strict=True):
        low, high = map(float, level.split(" to "))
        assert low - 0.01 <= sigma <= high + 0.01


def test_family_of_a_prior_is_no_number() -> None:
    found = levels(pd.Series(["HalfNormal(sigma=1)", "Gamma(mu=1, sigma=1)"]))
    assert set(found.cat.categories) == {"HalfNormal(sigma=1)", "Gamma(mu=1, sigma=1)"}


def test_of_many_texts_the_common_ones_are_told_apart() -> None:
    texts = pd.Series(["TV, Radio"] * 3 + [f"group {'x' * size}" for size in range(1, 9)])
    found = levels(texts)
    assert len(found.cat.categories) == LEVELS
    assert (found == "TV, Radio").sum() == 3
    assert found.cat.categories[-1] == "other"


# Spread


def test_spread_of_roas_is_over_the_equally_good_alone() -> None:
    fits = [
        candidate(1, HARD, roas=roas(2.0, 3.0)),
        candidate(2, HARD, roas=roas(4.0, 2.5)),
        candidate(3, HARD + 50, roas=roas(90.0, 90.0)),  # worse: does not count
    ]
    found = roas_spread(rank(fits, "crps")).set_index("channel")
    tv = found.loc["TV"]
    assert (tv["models"], tv["best_median"], tv["median_low"], tv["median_high"]) == (2, 2, 2, 4)
    assert tv["best_lower_94"] == pytest.approx(1.6)
    assert (tv["lower_94"], tv["upper_94"]) == pytest.approx((1.6, 4.8))
    search = found.loc["Search"]
    assert (search["lower_94"], search["upper_94"]) == pytest.approx((2.0, 3.6))


def test_spread_of_plans() -> None:
    fits = [
        candidate(1, HARD, plan=plan(600.0, 400.0)),
        candidate(2, HARD, plan=plan(100.0, 900.0)),
    ]
    found = plan_spread(rank(fits, "crps")).set_index("channel")
    assert found.loc["TV", ["best", "low", "high"]].tolist() == [600.0, 100.0, 600.0]
    assert found.loc["Search", ["best", "low", "high"]].tolist() == [400.0, 400.0, 900.0]


def test_channel_that_the_best_does_not_have_is_told_for_the_others() -> None:
    video = roas(1.0, 3.0, channels=("Video", "Search"))
    fits = [candidate(1, HARD), candidate(2, HARD, roas=video)]
    found = roas_spread(rank(fits, "crps")).set_index("channel")
    assert found["models"].to_dict() == {"TV": 1, "Search": 2, "Video": 1}
    assert math.isnan(found.loc["Video", "best_median"])
    assert found.loc["Video", "median_low"] == 1.0


def test_what_is_not_on_record_does_not_narrow_the_spread() -> None:
    unknown = roas(2.0, 3.0)
    unknown.loc[0, "median"] = math.nan
    fits = [candidate(1, HARD), candidate(2, HARD, roas=None), candidate(3, HARD, roas=unknown)]
    fits.append(candidate(4, HARD, plan=plan(math.nan, math.nan)))
    board = rank(fits, "crps")
    assert set(roas_of(board.equal)["run_id"]) == {fits[0].run_id, fits[3].run_id}
    assert set(plans_of(board.equal)["run_id"]) == {item.run_id for item in fits[:3]}
    assert roas_spread(board)["models"].tolist() == [2, 2]


def test_no_fit_has_no_spread() -> None:
    board = rank([], "crps")
    assert roas_spread(board).empty and plan_spread(board).empty
    assert "median_low" in roas_spread(board)
