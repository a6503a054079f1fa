"""Plans against the library, against the model's own forecast, and against their own law."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from conftest import Demo
from mmm_demo import optimization
from mmm_demo.config import BudgetConfig
from mmm_demo.fitted import WEEK, FittedModel
from mmm_demo.optimization import BudgetError, Plan, optimize_budget, window_start
from mmm_demo.trace import WEEKLY_TABLE

WINDOW = 13
INTERVAL = ("lower_94", "upper_94")


@pytest.fixture(scope="module")
def thin_plan(thin: FittedModel) -> Plan:
    return optimize_budget(thin, BudgetConfig())


def with_spend(fitted: FittedModel, change) -> FittedModel:
    """Return the model over the same draws with some of the stored spend changed."""
    groups = {name: fitted.trace[name].to_dataset() for name in ("posterior", WEEKLY_TABLE)}
    groups[WEEKLY_TABLE] = groups[WEEKLY_TABLE].copy(deep=True)
    change(groups[WEEKLY_TABLE])
    return FittedModel(fitted.config, xr.DataTree.from_dict(groups))


def by_channel(plan: Plan, column: str) -> pd.Series:
    return plan.table.set_index("channel")[column]


# The plan of the main job, over all draws


@pytest.fixture(scope="module")
def published(demo: Demo) -> pd.DataFrame:
    """The plan that the main job published, by channel."""
    run_id = demo.run("plan").info.run_id
    path = demo.client.download_artifacts(run_id, "plan/budget_scenario.csv")
    return pd.read_csv(path).set_index("channel")


def test_the_default_plan_spends_what_the_last_13_weeks_did(demo, published, fitted):
    last = fitted.spend.tail(WINDOW).sum()
    assert demo.run("plan").data.metrics["plan.total_budget"] == pytest.approx(last.sum())
    assert published["planned"].sum() == pytest.approx(last.sum())
    assert published["current"].to_numpy() == pytest.approx(last.to_numpy())


def test_the_default_bounds_are_what_each_channel_ever_had_in_so_many_weeks(published, fitted):
    for channel, spend in fitted.spend.items():
        totals = [spend.iloc[i : i + WINDOW].sum() for i in range(len(spend) - WINDOW + 1)]
        row = published.loc[channel]
        assert row["lower_bound"] == row["observed_low"] == pytest.approx(min(totals), abs=1e-6)
        assert row["upper_bound"] == row["observed_high"] == pytest.approx(max(totals))
        assert row["lower_bound"] - 1 <= row["planned"] <= row["upper_bound"] + 1
        assert row["change"] == pytest.approx(row["planned"] / row["current"] - 1)
    assert not published["outside_observed"].any()


def test_the_plan_is_no_worse_than_the_current_mix_at_the_same_budget(demo, published):
    metrics = demo.run("plan").data.metrics
    assert published["current"].sum() == pytest.approx(metrics["plan.total_budget"])
    mean, lower, upper = (metrics[f"plan.uplift_{name}"] for name in ("mean", *INTERVAL))
    assert mean > 0
    assert lower < mean < upper
    assert 0.5 < metrics["plan.uplift_probability"] <= 1
    current = metrics["plan.response"] - mean
    assert metrics["plan.uplift_share"] == pytest.approx(mean / current)


def test_a_thousand_draws_find_the_optimum_of_all_draws(demo, published, fitted):
    # The response is concave: what is lost is at most all money times the largest difference
    # between two channels' marginal responses, here over all draws.
    planned, metrics = published["planned"], demo.run("plan").data.metrics
    optimizer = optimization._optimizer(fitted, window_start(fitted, BudgetConfig()), WINDOW, None)
    weekly = optimization._labelled(planned.to_numpy() / WINDOW, list(planned.index))
    judged = optimizer.evaluate_plan(weekly)
    marginal = judged.utility_gradient["channel_data"].to_series()
    may_grow = planned < published["upper_bound"] - 1
    may_shrink = planned > published["lower_bound"] + 1
    gap = marginal[may_grow].max() - marginal[may_shrink].min()
    assert gap * planned.sum() / WINDOW <= 0.001 * metrics["plan.response"]
    nothing = float(optimization._response(optimizer, 0 * planned, WINDOW).mean())
    assert judged.utility - nothing == pytest.approx(metrics["plan.response"])


def test_the_plan_is_the_window_after_the_data_and_knows_its_odds(thin, thin_plan):
    assert thin_plan.start == pd.Timestamp(thin.weeks[-1]) + WEEK
    assert thin_plan.end == thin_plan.start + 12 * WEEK
    assert thin_plan.weeks == WINDOW
    draws = thin.trace["posterior"].sizes
    assert thin_plan.response.shape == (draws["chain"] * draws["draw"],)
    gain = thin_plan.response - thin_plan.current_response
    uplift = thin_plan.uplift
    assert uplift["mean"] == pytest.approx(gain.mean())
    assert (uplift["lower_94"], uplift["upper_94"]) == tuple(np.quantile(gain, [0.03, 0.97]))
    assert uplift["probability"] == (gain > 0).mean()
    assert uplift["share"] == pytest.approx(gain.mean() / thin_plan.current_response.mean())


def test_a_plan_that_could_be_better_is_refused(thin, thin_plan):
    optimizer = optimization._optimizer(thin, thin_plan.start, WINDOW, None)
    bounds = thin_plan.table.set_index("channel")[["lower_bound", "upper_bound"]]
    optimization._require_best(optimizer, by_channel(thin_plan, "planned"), bounds, WINDOW)
    with pytest.raises(BudgetError, match="stopped short of the best plan"):
        optimization._require_best(optimizer, by_channel(thin_plan, "current"), bounds, WINDOW)


# Against the library and the model's own forecast


def test_the_total_is_for_the_window_where_the_librarys_is_for_each_week(thin, thin_plan):
    optimizer = optimization._optimizer(thin, thin_plan.start, WINDOW, None)
    limits = thin_plan.table[["lower_bound", "upper_bound"]].to_numpy() / WINDOW
    bounds = xr.DataArray(
        limits,
        dims=("channel", "bound"),
        coords={"channel": list(thin.config.channel_columns), "bound": ["lower", "upper"]},
    )
    assert optimizer.num_periods == WINDOW
    theirs = optimizer.allocate_budget(thin_plan.total_budget / WINDOW, bounds)
    weekly = theirs.budgets.to_series()
    assert weekly.sum() * WINDOW == pytest.approx(thin_plan.total_budget)
    planned = by_channel(thin_plan, "planned")
    assert (weekly * WINDOW).to_numpy() == pytest.approx(planned[weekly.index], rel=0.02)
    spent = optimizer.evaluate_response_distribution(theirs.budgets).mean()
    ours = optimizer.evaluate_response_distribution(
        xr.DataArray(planned.to_numpy() / WINDOW, dims="channel", coords={"channel": planned.index})
    ).mean()
    assert float(ours) == pytest.approx(float(spent), rel=1e-4)


def test_the_response_is_what_the_model_forecasts_net_of_earlier_spend(thin, thin_plan):
    config, lag = thin.config, thin.config.adstock_max_lag
    after = pd.DataFrame([thin.table.iloc[-1]] * (WINDOW + lag))
    last = pd.Timestamp(thin.weeks[-1])
    after[config.date_column] = [last + WEEK * (i + 1) for i in range(len(after))]

    def media(totals: pd.Series) -> np.ndarray:
        weeks = after.copy()
        for channel, total in totals.items():
            weeks[channel] = np.where(np.arange(len(weeks)) < WINDOW, total / WINDOW, 0.0)
        run = thin._run(pd.concat([thin.table, weeks], ignore_index=True), seed=0)
        future = run["channel_contribution"].isel(week=slice(len(thin.table), None))
        return future.sum(["week", "channel"]).to_numpy()

    carried_in = media(0 * by_channel(thin_plan, "planned"))
    assert (carried_in > 0).all()
    for column, response in (
        ("planned", thin_plan.response),
        ("current", thin_plan.current_response),
    ):
        expected = media(by_channel(thin_plan, column)) - carried_in
        np.testing.assert_allclose(response, expected, rtol=1e-6)


def test_more_money_brings_more_and_each_unit_less(thin, thin_plan):
    low = thin_plan.table["lower_bound"].sum()
    less = low + 0.3 * (thin_plan.total_budget - low)
    small = optimize_budget(thin, BudgetConfig(total_budget=less))
    assert small.response.mean() < thin_plan.response.mean()
    returns = [plan.response.mean() / plan.total_budget for plan in (small, thin_plan)]
    assert returns[0] > returns[1]


def test_no_other_split_inside_the_bounds_does_better(thin, thin_plan):
    optimizer = optimization._optimizer(thin, thin_plan.start, WINDOW, None)
    planned = by_channel(thin_plan, "planned")
    low, high = by_channel(thin_plan, "lower_bound"), by_channel(thin_plan, "upper_bound")
    best = optimization._response(optimizer, planned, WINDOW).mean()
    step = 0.05 * thin_plan.total_budget
    tried = 0
    for giver in planned.index:
        for taker in planned.index.drop(giver):
            other = planned.copy()
            other[giver] -= step
            other[taker] += step
            if other[giver] >= low[giver] and other[taker] <= high[taker]:
                tried += 1
                assert optimization._response(optimizer, other, WINDOW).mean() <= best
    assert tried > 0


# Windows that start later


def test_a_window_starts_in_the_week_after_the_data_or_whole_weeks_later(thin):
    following = pd.Timestamp(thin.weeks[-1]) + WEEK
    assert window_start(thin, BudgetConfig()) == following
    for later in (0, 1, 26):
        start = following + later * WEEK
        assert window_start(thin, BudgetConfig(start=f"{start:%Y-%m-%d}")) == start


@pytest.mark.parametrize("days", [-7, -364, 1, 6, 8, -1])
def test_a_window_inside_the_data_or_on_another_weekday_is_refused(thin, days):
    following = pd.Timestamp(thin.weeks[-1]) + WEEK
    start = following + pd.Timedelta(days=days)
    with pytest.raises(BudgetError) as refusal:
        optimize_budget(thin, BudgetConfig(start=f"{start:%Y-%m-%d}"))
    assert str(refusal.value) == (
        f"a plan cannot start {start:%A %Y-%m-%d}: the data end {following - WEEK:%Y-%m-%d}; "
        f"start on {following:%Y-%m-%d} or whole weeks later"
    )


def test_a_later_window_is_planned_for_what_the_model_says_without_spend_before(thin, thin_plan):
    lag, config = thin.config.adstock_max_lag, thin.config
    start = thin_plan.start + 2 * WEEK
    plan = optimize_budget(thin, BudgetConfig(start=f"{start:%Y-%m-%d}"))
    assert (plan.start, plan.end, plan.weeks) == (start, start + 12 * WEEK, WINDOW)
    assert plan.total_budget == pytest.approx(thin_plan.total_budget)  # the last weeks' spend
    # Far enough behind the data that nothing of their spend is left: the model itself.
    after = pd.DataFrame([thin.table.iloc[-1]] * (lag + WINDOW + lag))
    last = pd.Timestamp(thin.weeks[-1])
    after[config.date_column] = [last + WEEK * (i + 1) for i in range(len(after))]
    inside = np.arange(len(after)) - lag
    for column, response in (("planned", plan.response), ("current", plan.current_response)):
        weeks = after.copy()
        for channel, total in by_channel(plan, column).items():
            weeks[channel] = np.where((inside >= 0) & (inside < WINDOW), total / WINDOW, 0.0)
        run = thin._run(pd.concat([thin.table, weeks], ignore_index=True), seed=0)
        future = run["channel_contribution"].isel(week=slice(len(thin.table) + lag, None))
        np.testing.assert_allclose(response, future.sum(["week", "channel"]), rtol=1e-6)


# Budgets and bounds asked for


def test_a_window_and_a_budget_of_ones_own(thin):
    plan = optimize_budget(thin, BudgetConfig(weeks=4, total_budget=600_000.0))
    assert plan.weeks == 4
    assert plan.table["planned"].sum() == pytest.approx(600_000.0)
    assert plan.table["current"].sum() == pytest.approx(600_000.0)
    recent = thin.spend.tail(4).sum()
    shares = by_channel(plan, "current") / 600_000.0
    assert shares.to_numpy() == pytest.approx((recent / recent.sum()).to_numpy())


def test_bounds_of_ones_own_are_kept(thin, thin_plan):
    # The best plan lies in a corner of these, which SLSQP reports as a failure.
    bounds = {"TV": (100_000.0, 200_000.0), "Radio": (0.0, 50_000.0)}
    total = 900_000.0
    plan = optimize_budget(thin, BudgetConfig(total_budget=total, bounds=bounds))
    planned = by_channel(plan, "planned")
    assert planned.sum() == pytest.approx(total)
    for channel, (low, high) in bounds.items():
        assert low - 1 <= planned[channel] <= high + 1
    observed = by_channel(thin_plan, "observed_high")
    assert (by_channel(plan, "observed_high") == observed).all()


def test_a_fixed_channel_keeps_its_money_and_the_others_share_the_rest(thin):
    fixed = {"TV": (0.0, 0.0), "Search": (500_000.0, 500_000.0)}
    before = thin.mmm.idata
    plan = optimize_budget(thin, BudgetConfig(total_budget=1_200_000.0, bounds=fixed))
    planned = by_channel(plan, "planned")
    assert planned["Search"] == pytest.approx(500_000.0, rel=1e-6)
    assert planned["TV"] == 0
    assert by_channel(plan, "change")["TV"] == -1
    assert planned.sum() == pytest.approx(1_200_000.0)
    # Planning leaves the model as it was.
    assert thin.mmm.idata is before
    assert set(before.children) == {"posterior"}


def test_with_every_channel_fixed_there_is_nothing_to_decide(thin):
    fixed = dict.fromkeys(thin.config.channel_columns, (100000.0, 100000.0))
    plan = optimize_budget(thin, BudgetConfig(total_budget=400_000.0, bounds=fixed))
    assert (plan.table["planned"] == 100_000.0).all()
    with pytest.raises(BudgetError, match="upper bounds to 400,000"):
        optimize_budget(thin, BudgetConfig(total_budget=500_000.0, bounds=fixed))


def test_a_plan_that_leaves_what_was_ever_spent_says_so(thin, thin_plan):
    highest = by_channel(thin_plan, "observed_high")["Radio"]
    bounds = {"Radio": (1.5 * highest, 2.0 * highest)}
    total = thin_plan.total_budget + 1.5 * highest
    plan = optimize_budget(thin, BudgetConfig(total_budget=total, bounds=bounds))
    flags = by_channel(plan, "outside_observed")
    assert flags["Radio"]
    assert not flags.drop("Radio").any()


@pytest.mark.parametrize(
    ("total", "side"), [(1_000.0, "lower bounds add up to"), (1e9, "upper bounds to")]
)
def test_a_budget_that_no_bounds_allow_is_refused_with_the_numbers(thin, thin_plan, total, side):
    low, high = (thin_plan.table[name].sum() for name in ("lower_bound", "upper_bound"))
    with pytest.raises(BudgetError) as refusal:
        optimize_budget(thin, BudgetConfig(total_budget=total))
    message = str(refusal.value)
    assert f"no plan spends {total:,.0f} in 13 weeks" in message
    assert side in message
    assert f"{low:,.0f}" in message
    assert f"{high:,.0f}" in message


@pytest.mark.parametrize("total", [math.nan, math.inf, -math.inf, -5.0, 0.0])
def test_a_budget_that_is_no_amount_is_refused(thin, total):
    with pytest.raises(ValueError, match="total_budget"):
        BudgetConfig(total_budget=total)
    unchecked = SimpleNamespace(weeks=WINDOW, total_budget=total, bounds={})
    with pytest.raises(BudgetError, match="total budget must be a positive number"):
        optimize_budget(thin, unchecked)


def test_bounds_for_an_unknown_channel_are_refused_with_the_known_ones(thin):
    with pytest.raises(BudgetError, match="bounds for Print; channels: TV, Radio, Search, Social"):
        optimize_budget(thin, BudgetConfig(bounds={"Print": (0.0, 1.0)}))


def test_a_window_longer_than_the_data_is_refused(thin):
    short = with_spend(thin, lambda table: None)
    object.__setattr__(short, "table", thin.table.tail(10))
    with pytest.raises(BudgetError, match="a window of 13 weeks is longer than the 10 weeks"):
        optimize_budget(short, BudgetConfig())


def test_without_recent_spend_the_mix_is_that_of_all_weeks(thin):
    def pause(table: xr.Dataset) -> None:
        for channel in thin.config.channel_columns:
            table[channel][-WINDOW:] = 0.0

    paused = with_spend(thin, pause)
    with pytest.raises(BudgetError, match=r"must be a positive number, got 0\.0"):
        optimize_budget(paused, BudgetConfig())
    plan = optimize_budget(paused, BudgetConfig(total_budget=1_000_000.0))
    mix = paused.spend.sum() / paused.spend.sum().sum()
    assert by_channel(plan, "current").to_numpy() == pytest.approx((mix * 1e6).to_numpy())


def test_a_channel_without_recent_spend_has_no_change_but_may_be_planned(thin):
    def pause(table: xr.Dataset) -> None:
        table["Radio"][-WINDOW:] = 0.0

    plan = optimize_budget(with_spend(thin, pause), BudgetConfig())
    row = plan.table.set_index("channel").loc["Radio"]
    assert row["current"] == 0
    assert math.isnan(row["change"])
    assert row["planned"] > 0


# The law


def test_the_law_of_a_plan_refuses_what_does_not_add_up(thin_plan):
    table = thin_plan.table
    with pytest.raises(BudgetError, match="plan spends"):
        replace(thin_plan, total_budget=thin_plan.total_budget * 1.01)
    with pytest.raises(BudgetError, match="plan spends"):
        replace(thin_plan, table=table.assign(planned=np.nan))
    swapped = table["planned"].to_numpy()[::-1]
    narrow = table.assign(lower_bound=table["planned"], upper_bound=table["planned"])
    with pytest.raises(BudgetError, match="plan leaves its bounds"):
        replace(thin_plan, table=narrow.assign(planned=swapped))
    for name in ("response", "current_response"):
        draws = getattr(thin_plan, name).copy()
        draws[3] = np.nan
        with pytest.raises(BudgetError, match="is not finite"):
            replace(thin_plan, **{name: draws})
