"""Plans against the library, against the model's own forecast, and against their own law."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mmm_demo.fits.fitted import WEEK, FittedModel
from mmm_demo.fits.trace import WEEKLY_TABLE
from mmm_demo.planning import solver
from mmm_demo.planning.feasible import Region, region_of
from mmm_demo.planning.library import LibraryPlanner
from mmm_demo.planning.optimize import Planner, optimize_budget
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.surface import ByTotals
from mmm_demo.planning.window import BudgetError, window_of
from mmm_demo.settings.experiment import BudgetConfig, ModelConfig
from mmm_demo.settings.scenario import Group, Scenario
from mmm_demo.sources.simulate import simulate_market

WINDOW = 13
WIDE = {"*": (0.3, 2.0)}


def planner_of(fitted: FittedModel, weeks: int = WINDOW, start=None, **cost: float) -> Planner:
    return Planner(fitted, window_of(fitted, weeks, start, cost))


@pytest.fixture(scope="module")
def planner(fitted: FittedModel) -> Planner:
    """All draws, as a champion has them."""
    return planner_of(fitted)


@pytest.fixture(scope="module")
def wide(planner: Planner) -> Plan:
    return planner.plan(Scenario("wide", relative_bounds=WIDE))


@pytest.fixture(scope="module")
def thin_plan(thin: FittedModel) -> Plan:
    return optimize_budget(thin, BudgetConfig(default_bounds="seen"))


def with_spend(fitted: FittedModel, change) -> FittedModel:
    """Return the model over the same draws with some of the stored spend changed."""
    groups = {name: fitted.trace[name].to_dataset() for name in ("posterior", WEEKLY_TABLE)}
    groups[WEEKLY_TABLE] = groups[WEEKLY_TABLE].copy(deep=True)
    change(groups[WEEKLY_TABLE])
    return FittedModel(fitted.config, xr.DataTree.from_dict(groups))


def by_channel(plan: Plan, column: str) -> pd.Series:
    return plan.table.set_index("channel")[column]


def money(plan: Plan) -> np.ndarray:
    return plan.table["planned"].to_numpy()


def even(planner: Planner) -> ByTotals:
    weeks = planner.window.weeks
    return ByTotals(planner.media, np.full((weeks, len(planner.window.channels)), 1 / weeks))


def inside(plan: Plan) -> pd.DataFrame:
    """Return the channels that are at no bound; a test on none of them would pass unseen."""
    rows = plan.table[plan.table["at_bound"] == ""]
    assert len(rows) > 0
    return rows


def worst_tenth(draws: np.ndarray) -> float:
    return float(np.sort(draws)[: len(draws) // 10].mean())


# Budgets and bounds by default


def test_the_default_plan_spends_what_the_last_13_weeks_did(thin, thin_plan):
    last = thin.spend.tail(WINDOW).sum()
    assert thin_plan.total_budget == pytest.approx(last.sum())
    assert by_channel(thin_plan, "current").to_numpy() == pytest.approx(last.to_numpy())
    assert thin_plan.start == pd.Timestamp(thin.weeks[-1]) + WEEK
    assert (thin_plan.end, thin_plan.weeks) == (thin_plan.start + 12 * WEEK, WINDOW)
    assert list(thin_plan.weekly.index) == [thin_plan.start + WEEK * i for i in range(WINDOW)]


def test_the_widest_bounds_keep_working_spend_where_the_data_have_seen_it(thin, thin_plan):
    weights = thin.response.weights.mean(axis=0)
    for place, (channel, spend) in enumerate(thin.spend.items()):
        working = np.convolve(spend, weights[:, place], mode="valid") * WINDOW
        row = thin_plan.table.set_index("channel").loc[channel]
        low, high = min(working.min(), row["current"]), max(working.max(), row["current"])
        assert row["lower_bound"] == pytest.approx(low, abs=1e-6)
        assert row["upper_bound"] == pytest.approx(high)
        totals = spend.rolling(WINDOW).sum().dropna()
        assert row["observed_low"] == pytest.approx(totals.min(), abs=1e-6)
        assert row["observed_high"] == pytest.approx(totals.max())
        assert row["lower_bound"] - 1 <= row["planned"] <= row["upper_bound"] + 1
        assert row["change"] == pytest.approx(row["planned"] / row["current"] - 1)


def test_a_plan_knows_its_odds(thin, thin_plan):
    draws = thin.trace["posterior"].sizes
    assert thin_plan.response.shape == (draws["chain"] * draws["draw"],)
    gain, uplift = thin_plan.response - thin_plan.status_quo, thin_plan.uplift
    assert uplift["mean"] == pytest.approx(gain.mean())
    for name, level in {"lower_94": 3, "lower_50": 25, "upper_50": 75, "upper_94": 97}.items():
        assert uplift[name] == np.quantile(gain, level / 100)
    assert uplift["probability"] == (gain > 0).mean()
    assert thin_plan.of_media_sales == pytest.approx(gain.mean() / thin_plan.status_quo.mean())
    all_sales = thin.observed[-WINDOW:].sum()
    assert thin_plan.of_all_sales == pytest.approx(gain.mean() / all_sales)
    assert uplift["shortfall"] == pytest.approx(np.sort(gain)[:4].mean())  # 5 % of 80 draws


# Against the library


@pytest.mark.parametrize(
    ("budget", "bounds", "cost"),
    [
        (1.0, (0.3, 2.0), {}),
        (0.5, (0.0, 1.0), {}),
        (2.0, (0.5, 3.0), {}),
        (1.3, (0.8, 1.6), {"TV": 2.5, "Search": 0.1}),
    ],
)
def test_the_library_finds_no_better_plan_and_says_the_same_of_ours(thin, budget, bounds, cost):
    planner = planner_of(thin, **cost)
    scenario = Scenario("both", relative_budget=budget, relative_bounds={"*": bounds})
    plan, region = planner.plan(scenario), region_of(scenario, planner.window)
    library, before = LibraryPlanner(thin, planner.window), thin.mmm.idata
    np.testing.assert_allclose(library.response(money(plan)), plan.response, rtol=1e-6)
    theirs = library.plan(region)
    assert theirs.sum() == pytest.approx(plan.total_budget)
    assert library.response(theirs).mean() == pytest.approx(plan.response.mean(), rel=1e-3)
    assert thin.mmm.idata is before  # the model is left as it was


def test_the_library_says_the_same_of_a_window_after_a_gap(thin):
    start = pd.Timestamp(thin.weeks[-1]) + 3 * WEEK
    planner = planner_of(thin, start=f"{start:%Y-%m-%d}")
    plan = planner.plan(Scenario("later"))
    library = LibraryPlanner(thin, planner.window)
    np.testing.assert_allclose(library.response(money(plan)), plan.response, rtol=1e-6)


def test_the_library_is_not_asked_where_there_is_nothing_to_plan(thin):
    window = window_of(thin, WINDOW, None, {})
    library = LibraryPlanner(thin, window)
    with pytest.raises(BudgetError, match="nothing to plan"):
        library.plan(region_of(Scenario("f", fixed=window.channels), window))


def test_a_library_planner_over_some_draws_keeps_at_least_as_many(thin):
    few = LibraryPlanner(thin, window_of(thin, WINDOW, None, {}), draws=20)
    assert len(few.response(few.window.current)) == 20


# Against the model's own forecast


def forecast(thin: FittedModel, weekly: np.ndarray, gap: int = 0) -> xr.DataArray:
    """Return what media bring from the window on, by the library's graph; no carryover is cut."""
    config, weeks = thin.config, len(weekly)
    after = pd.DataFrame([thin.table.iloc[-1]] * (gap + weeks + config.adstock_max_lag))
    last = pd.Timestamp(thin.weeks[-1])
    after[config.date_column] = [last + WEEK * (i + 1) for i in range(len(after))]
    after[list(config.channel_columns)] = 0.0
    spend = after[list(config.channel_columns)].to_numpy()
    spend[gap : gap + weeks] = weekly
    after[list(config.channel_columns)] = spend
    run = thin._run(pd.concat([thin.table, after], ignore_index=True), seed=0)
    return run["channel_contribution"].isel(week=slice(len(thin.table) + gap, None))


def test_the_response_is_what_the_model_forecasts_net_of_earlier_spend(thin, thin_plan):
    carried_in = forecast(thin, 0 * thin_plan.weekly.to_numpy())
    last = thin.spend.tail(WINDOW).to_numpy()
    for weekly, response in (
        (thin_plan.weekly.to_numpy(), thin_plan.response),
        (last, thin_plan.status_quo),  # a replay of the last period, week by week
    ):
        expected = (forecast(thin, weekly) - carried_in).sum(["week", "channel"])
        np.testing.assert_allclose(response, expected, rtol=1e-6)


def test_carry_in_inside_and_after_are_the_forecast_before_in_and_after_the_window(thin, thin_plan):
    carried_in = forecast(thin, 0 * thin_plan.weekly.to_numpy())
    planned = forecast(thin, thin_plan.weekly.to_numpy()) - carried_in
    within, rest = slice(0, WINDOW), slice(WINDOW, None)
    for column, part in (
        ("carry_in", carried_in),
        ("inside", planned.isel(week=within)),
        ("after", planned.isel(week=rest)),
    ):
        expected = part.sum("week").mean("sample").to_numpy()
        assert (expected > 0).all()
        np.testing.assert_allclose(thin_plan.table[column], expected, rtol=1e-6)
    table = thin_plan.table
    together = table["inside"] + table["after"]
    assert together.sum() == pytest.approx(thin_plan.response.mean())
    assert (table["roas"] * table["planned"]).to_numpy() == pytest.approx(together.to_numpy())


def test_a_window_after_a_gap_has_nothing_carried_in(thin, thin_plan):
    lag = thin.config.adstock_max_lag
    start = thin_plan.start + 2 * WEEK
    plan = optimize_budget(thin, BudgetConfig(start=f"{start:%Y-%m-%d}"))
    assert (plan.start, plan.end, plan.weeks) == (start, start + 12 * WEEK, WINDOW)
    assert plan.total_budget == pytest.approx(thin_plan.total_budget)  # the last weeks' spend
    assert plan.table["carry_in"].isna().all()  # not known
    # Far enough behind the data that nothing of their spend is left: the model itself.
    last = thin.spend.tail(WINDOW).to_numpy()
    for weekly, response in ((plan.weekly.to_numpy(), plan.response), (last, plan.status_quo)):
        expected = forecast(thin, weekly, gap=lag).sum(["week", "channel"])
        np.testing.assert_allclose(response, expected, rtol=1e-6)


def test_the_margin_is_what_the_next_unit_of_money_brings(planner, wide):
    surface, totals = even(planner), money(wide)
    for place, row in wide.table.iterrows():
        step = np.zeros(len(totals))
        step[place] = 1.0
        more = surface.at(totals + step).total - surface.at(totals - step).total
        assert row["mroas"] == pytest.approx(more.mean() / 2, rel=1e-4)
        assert row["lower_94"] == pytest.approx(np.quantile(more / 2, 0.03), rel=1e-4)


# The best plan


def test_no_other_split_inside_the_bounds_does_better(planner, wide):
    surface, totals = even(planner), money(wide)
    low, high = (wide.table[name].to_numpy() for name in ("lower_bound", "upper_bound"))
    rng, tried = np.random.default_rng(3), 0
    shares = [np.eye(len(totals))[i] - np.eye(len(totals))[j] for i, j in permutations(range(4), 2)]
    moves = [share * wide.total_budget * size for share in shares for size in (0.01, 0.05)]
    moves += [wide.total_budget * rng.dirichlet(np.ones(4)) - totals for _ in range(200)]
    for move in moves:
        other = totals + move
        if (other >= low).all() and (other <= high).all():
            tried += 1
            brought = surface.at(other).total.mean()
            assert brought <= wide.response.mean() * (1 + wide.gap)
    assert tried > 20


def test_marginal_returns_are_equal_inside_the_bounds_over_all_draws(planner, wide):
    rows, table = inside(wide), wide.table
    assert len(rows) > 1
    slack = 0.01 * rows["mroas"].mean()
    assert rows["mroas"].max() - rows["mroas"].min() <= slack
    for word, sign in (("lower", 1), ("upper", -1)):
        beyond = table.loc[table["at_bound"] == word, "mroas"] - rows["mroas"].mean()
        assert (sign * beyond <= slack).all()
    assert wide.gap <= 1e-3
    assert wide.certified


def test_the_certificate_tells_a_good_plan_from_the_status_quo(planner, wide):
    region, surface = region_of(wide.scenario, planner.window), even(planner)

    def gap(totals: np.ndarray) -> float:
        goal = solver.Goal()
        return solver.certificate(goal, region, solver.evaluate(goal, surface, totals))

    assert gap(money(wide)) == pytest.approx(wide.gap)
    before = surface.at(planner.window.current).total.mean()
    # It is never less than what really could be gained.
    assert gap(planner.window.current) >= wide.response.mean() / before - 1 > 0.01


def test_more_money_brings_more_and_each_unit_less(planner, wide):
    less = planner.plan(Scenario("less", relative_budget=0.6, relative_bounds=WIDE))
    assert less.response.mean() < wide.response.mean()
    assert less.response.mean() / less.total_budget > wide.response.mean() / wide.total_budget


def test_a_thinned_search_differs_from_all_draws_by_what_is_shown(planner, wide):
    assert len(planner.thin.worth[0, 0]) == 500
    assert len(planner.media.worth[0, 0]) == 4000
    thinned = ByTotals(planner.thin, even(planner).profile).at(money(wide)).total.mean()
    assert wide.thinning == pytest.approx(thinned / wide.response.mean() - 1)
    assert abs(wide.thinning) < 0.01


def test_the_smallest_move_keeps_most_of_the_gain_with_less_money_moved(planner, wide):
    surface, current = even(planner), planner.window.current
    before, best = surface.at(current).total.mean(), wide.response.mean()
    assert 0.949 < wide.smallest.kept < 0.96
    kept = (surface.at(wide.smallest.planned).total.mean() - before) / (best - before)
    assert kept == pytest.approx(wide.smallest.kept, abs=0.02)  # searched over thinned draws
    assert wide.smallest.planned.sum() == pytest.approx(wide.total_budget)
    moved = np.maximum(wide.smallest.planned - current, 0).sum()
    assert wide.smallest.moved == pytest.approx(moved)
    assert moved < 0.95 * np.maximum(money(wide) - current, 0).sum()


def test_pairs_are_those_between_which_money_moves(planner, wide):
    shift = by_channel(wide, "planned") - by_channel(wide, "current")
    assert len(wide.pairs) > 0
    assert (shift[wide.pairs["taker"]] > 0).all()
    assert (shift[wide.pairs["giver"]] < 0).all()
    assert (wide.pairs["difference"] > 0).all()
    sure = (wide.pairs["lower_94"] > 0) | (wide.pairs["upper_94"] < 0)
    assert len(wide.unrankable) == (~sure).sum()
    assert (wide.pairs.loc[sure, "probability"] >= 0.97).all()


# Objectives


def test_profit_spends_until_the_next_unit_earns_itself_back(planner):
    plan = planner.plan(Scenario("p", objective="profit", margin=0.5, relative_bounds=WIDE))
    assert inside(plan)["mroas"].to_numpy() == pytest.approx(2.0, rel=0.01)
    table = plan.table
    assert (table.loc[table["at_bound"] == "lower", "mroas"] <= 2.02).all()
    assert (table.loc[table["at_bound"] == "upper", "mroas"] >= 1.98).all()
    profit = 0.5 * plan.response.mean() - plan.total_budget
    assert plan.value == pytest.approx(profit)
    for share in (0.8, 0.95, 1.05, 1.2):
        fixed = Scenario(
            "other", total_budget=share * plan.total_budget, relative_bounds={"*": (0.0, 9.0)}
        )
        other = planner.plan(replace(fixed, relative_bounds=WIDE))
        assert 0.5 * other.response.mean() - other.total_budget < profit * (1 + 1e-3)


def test_a_budget_is_the_most_that_profit_may_spend(planner, wide):
    capped = Scenario(
        "p", objective="profit", margin=1.0, relative_budget=1.0, relative_bounds=WIDE
    )
    plan = planner.plan(capped)
    assert plan.total_budget == pytest.approx(wide.total_budget)
    assert plan.response.mean() == pytest.approx(wide.response.mean(), rel=1e-3)
    assert inside(plan)["mroas"].min() > 1.0  # more money would pay


def test_a_target_response_is_reached_at_least_cost(planner, wide):
    target = 0.9 * wide.response.mean()
    plan = planner.plan(
        Scenario("t", objective="target_response", target=target, relative_bounds=WIDE)
    )
    assert plan.response.mean() == pytest.approx(target, rel=5e-4)
    assert plan.value == pytest.approx(-plan.total_budget)
    assert plan.total_budget < 0.95 * wide.total_budget
    cheaper = planner.plan(
        Scenario("c", total_budget=0.99 * plan.total_budget, relative_bounds=WIDE)
    )
    assert cheaper.response.mean() < target * (1 - 1e-3)


def test_a_target_roas_is_met_by_the_largest_response(planner, wide):
    target = 0.95 * wide.response.mean() / wide.total_budget
    asked = Scenario("r", objective="target_roas", target=target, relative_bounds=WIDE)
    plan = planner.plan(asked)
    assert plan.response.mean() / plan.total_budget == pytest.approx(target, rel=5e-4)
    assert plan.total_budget > wide.total_budget
    more = Scenario("m", total_budget=1.01 * plan.total_budget, relative_bounds=WIDE)
    bigger = planner.plan(more)
    assert bigger.response.mean() / bigger.total_budget < target
    capped = planner.plan(replace(asked, relative_budget=1.0))
    assert capped.total_budget == pytest.approx(wide.total_budget)
    assert capped.response.mean() / capped.total_budget > target


def test_a_target_mroas_is_what_the_last_unit_of_money_brings(planner):
    plan = planner.plan(Scenario("m", objective="target_mroas", target=2.0, relative_bounds=WIDE))
    assert inside(plan)["mroas"].to_numpy() == pytest.approx(2.0, rel=0.01)
    profit = planner.plan(Scenario("p", objective="profit", margin=0.5, relative_bounds=WIDE))
    assert plan.total_budget == pytest.approx(profit.total_budget, rel=0.02)
    assert plan.response.mean() - 2.0 * plan.total_budget == pytest.approx(2 * profit.value, 1e-3)


def test_a_careful_plan_is_better_in_the_worst_draws_and_worse_on_average(planner, wide):
    careful = planner.plan(Scenario("c", objective="cvar", relative_bounds=WIDE))
    assert careful.total_budget == pytest.approx(wide.total_budget)
    assert worst_tenth(careful.response) > worst_tenth(wide.response)
    assert careful.response.mean() < wide.response.mean()
    # The smoothed edge of the tail moves its mean by little.
    assert careful.value == pytest.approx(worst_tenth(careful.response), rel=2e-3)


@pytest.mark.parametrize("objective", ["target_roas", "target_response"])
def test_a_target_out_of_reach_is_refused_with_the_closest(planner, objective):
    asked = Scenario("far", objective=objective, target=1e9, relative_bounds=WIDE)
    with pytest.raises(BudgetError, match=r"out of reach: the allowed spend that comes closest is"):
        planner.plan(asked)


# Limits


def test_groups_hold_and_clashing_ones_are_named(planner, wide):
    free = by_channel(wide, "planned")
    cap = 0.8 * (free["TV"] + free["Radio"])
    group = {"air": Group(("TV", "Radio"), at_most=cap)}
    plan = planner.plan(Scenario("g", groups=group, relative_bounds=WIDE))
    planned = by_channel(plan, "planned")
    assert planned["TV"] + planned["Radio"] == pytest.approx(cap)
    assert plan.total_budget == pytest.approx(wide.total_budget)
    assert plan.response.mean() < wide.response.mean()
    floor = 1.3 * (free["Search"] + free["TV"])
    least = {"slow": Group(("Search", "TV"), at_least=floor)}
    planned = by_channel(planner.plan(Scenario("g", groups=least, relative_bounds=WIDE)), "planned")
    assert planned["Search"] + planned["TV"] == pytest.approx(floor)
    with pytest.raises(BudgetError) as refusal:
        planner.plan(replace(plan.scenario, groups={"air": Group(("TV", "Radio"), at_most=5e3)}))
    assert "TV at least" in str(refusal.value) or "Radio at least" in str(refusal.value)
    assert "Search" not in str(refusal.value)
    assert "group air at most 5,000" in str(refusal.value)


@pytest.mark.parametrize("profile", ["even", "optimised"])
def test_fixed_channels_keep_every_week_of_the_last_period(planner, profile):
    names = list(planner.window.channels)
    plan = planner.plan(Scenario("f", fixed=("TV",), relative_bounds=WIDE, profile=profile))
    assert np.allclose(plan.weekly["TV"], planner.window.last[:, names.index("TV")])
    everything = planner.plan(Scenario("f", fixed=tuple(names), profile=profile))
    assert np.allclose(everything.weekly, planner.window.last)
    assert everything.gain == pytest.approx(0.0, abs=1e-6 * everything.response.mean())
    assert everything.timing == pytest.approx(0.0, abs=1e-6 * everything.response.mean())


def test_fixed_channels_keep_their_money_and_bounds_are_relative_to_it(planner):
    bounds = {"*": (0.5, 1.5), "TV": (0.9, 1.1)}
    plan = planner.plan(Scenario("f", fixed=("Search",), relative_bounds=bounds))
    table = plan.table.set_index("channel")
    assert table.loc["Search", "planned"] == pytest.approx(table.loc["Search", "current"])
    assert table.loc["Search", "at_bound"] == "fixed"
    for channel, (low, high) in {"TV": (0.9, 1.1), "Radio": (0.5, 1.5)}.items():
        row = table.loc[channel]
        assert row["lower_bound"] == pytest.approx(low * row["current"])
        assert row["upper_bound"] == pytest.approx(high * row["current"])


def test_bounds_of_ones_own_are_kept(thin, thin_plan):
    # The best plan lies in a corner of these, which SLSQP reports as a failure.
    bounds = {"TV": (100_000.0, 200_000.0), "Radio": (0.0, 50_000.0)}
    plan = optimize_budget(
        thin, BudgetConfig(total_budget=900_000.0, bounds=bounds, default_bounds="seen")
    )
    planned = by_channel(plan, "planned")
    assert planned.sum() == pytest.approx(900_000.0)
    for channel, (low, high) in bounds.items():
        assert low - 1 <= planned[channel] <= high + 1
    observed = by_channel(thin_plan, "observed_high")
    assert (by_channel(plan, "observed_high") == observed).all()


def test_a_channel_switched_off_stays_off(thin):
    fixed = {"TV": (0.0, 0.0), "Search": (500_000.0, 500_000.0)}
    plan = optimize_budget(
        thin, BudgetConfig(total_budget=1_200_000.0, bounds=fixed, default_bounds="seen")
    )
    planned = by_channel(plan, "planned")
    assert planned["Search"] == pytest.approx(500_000.0)
    assert (planned["TV"], by_channel(plan, "change")["TV"]) == (0, -1)
    assert (plan.weekly["TV"] == 0).all()
    assert math.isnan(by_channel(plan, "roas")["TV"])
    assert planned.sum() == pytest.approx(1_200_000.0)


def test_with_every_channel_fixed_there_is_nothing_to_decide(thin):
    fixed = dict.fromkeys(thin.config.channel_columns, (100_000.0, 100_000.0))
    plan = optimize_budget(thin, BudgetConfig(total_budget=400_000.0, bounds=fixed))
    assert plan.table["planned"].to_numpy() == pytest.approx(100_000.0)
    assert (plan.table["at_bound"] == "fixed").all()
    with pytest.raises(BudgetError, match="a budget of at least 500,000"):
        optimize_budget(thin, BudgetConfig(total_budget=500_000.0, bounds=fixed))


def test_a_plan_that_leaves_what_was_ever_spent_says_so(thin, thin_plan):
    highest = by_channel(thin_plan, "observed_high")["Radio"]
    rows = thin_plan.table.itertuples()
    bounds = {row.channel: (row.observed_low, row.observed_high) for row in rows}
    bounds["Radio"] = (1.5 * highest, 2.0 * highest)
    total = thin_plan.total_budget + 1.5 * highest
    flags = by_channel(
        optimize_budget(thin, BudgetConfig(total_budget=total, bounds=bounds)), "outside_observed"
    )
    assert flags["Radio"]
    assert not flags.drop("Radio").any()


def test_money_is_counted_by_what_a_unit_costs(thin):
    window = window_of(thin, WINDOW, None, {})
    half = tuple(0.5 * window.current)
    fixed = dict(zip(window.channels, zip(half, half, strict=True), strict=True))
    paid = fixed | {"TV": (2 * half[0], 2 * half[0])}
    once = planner_of(thin).plan(Scenario("a", total_budget=sum(half), bounds=fixed))
    twice = planner_of(thin, TV=2.0).plan(
        Scenario("b", total_budget=sum(half) + half[0], bounds=paid)
    )
    # Twice the money for the same units brings the same.
    np.testing.assert_allclose(twice.response, once.response)
    np.testing.assert_allclose(twice.status_quo, once.status_quo)
    np.testing.assert_allclose(twice.table["units"], once.table["units"])
    scale = [2.0, 1.0, 1.0, 1.0]
    for column in ("current", "planned", "observed_low", "observed_high"):
        np.testing.assert_allclose(twice.table[column], once.table[column] * scale)
    for column in ("roas", "mroas"):
        np.testing.assert_allclose(twice.table[column] * scale, once.table[column])
    # The same money for twice the price buys half the units.
    dear = planner_of(thin, TV=2.0).plan(Scenario("c", total_budget=sum(half), bounds=fixed))
    assert by_channel(dear, "units")["TV"] == pytest.approx(half[0] / 2)


# Over time


def test_last_periods_money_in_its_own_weeks_is_the_status_quo(planner):
    amounts = zip(planner.window.channels, planner.window.current, strict=True)
    bounds = {name: (money, money) for name, money in amounts}
    same = Scenario("same", bounds=bounds, profile="historical")
    plan = planner.plan(same)
    np.testing.assert_allclose(plan.weekly, planner.window.last)
    np.testing.assert_allclose(plan.response, plan.status_quo)
    assert plan.timing == pytest.approx(0.0, abs=1e-6 * plan.response.mean())
    spread = planner.plan(replace(same, profile="even"))
    assert spread.timing == pytest.approx((spread.response - plan.response).mean())
    assert abs(spread.timing) > 1000


def test_weights_of_ones_own_spread_a_channel_and_others_stay_even(planner):
    weights = {"TV": (*(3.0,) * 3, *(0.0,) * 9, 1.0)}
    weekly = planner.plan(Scenario("w", profile=weights)).weekly
    assert (weekly["TV"] / weekly["TV"].sum()).to_numpy() == pytest.approx(
        np.array(weights["TV"]) / 10
    )
    assert weekly["Radio"].to_numpy() == pytest.approx(weekly["Radio"].mean())


def test_week_by_week_is_no_worse_than_any_profile(fitted):
    planner, settings = planner_of(fitted, weeks=6), {"relative_bounds": WIDE}
    best, flat, historical = (
        planner.plan(Scenario("p", profile=profile, **settings))
        for profile in ("optimised", "even", "historical")
    )
    assert best.response.mean() > flat.response.mean()
    assert best.response.mean() > historical.response.mean()
    assert best.total_budget == pytest.approx(flat.total_budget)
    assert best.gap <= 1e-3
    assert (best.weekly >= 0).all().all()


@pytest.mark.parametrize("smoothness", [0.05, 0.3])
def test_weeks_differ_by_no_more_than_the_smoothness_allows(thin, smoothness):
    planner = planner_of(thin, weeks=6)
    settings = {"relative_bounds": WIDE, "profile": "optimised"}
    free = planner.plan(Scenario("free", **settings)).weekly
    plan = planner.plan(Scenario("smooth", smoothness=smoothness, **settings))
    steps = {
        name: weekly.diff().abs().max() / weekly.mean()
        for name, weekly in (("smooth", plan.weekly), ("free", free))
    }
    assert (steps["smooth"] <= smoothness + 1e-4).all()
    assert (steps["free"] > smoothness).any()  # it does limit something
    flat = planner.plan(Scenario("even", relative_bounds=WIDE))
    assert plan.response.mean() >= flat.response.mean() * (1 - plan.gap)


# S-shaped saturation: many local optima


def hill_model(lam: tuple[float, ...], beta: tuple[float, ...]) -> FittedModel:
    """Return a model of three channels, S-shaped, with two draws close to each other."""
    names = ("TV", "Radio", "Search")
    config = ModelConfig(
        channel_columns=names, adstock_max_lag=4, yearly_seasonality=0, saturation="s_shaped"
    )
    table = simulate_market(seed=7, weeks=104).table[["Week", "Sales", *names]]
    posterior = xr.Dataset(coords={"chain": [0], "draw": [0, 1], "channel": list(names)})
    for name, values in (
        ("adstock_alpha", (0.3, 0.2, 0.4)),
        ("saturation_lam", lam),
        ("saturation_beta", beta),
    ):
        draws = np.array([values, np.array(values) * 1.01])[None]
        posterior[name] = (("chain", "draw", "channel"), draws)
    weekly = xr.Dataset.from_dataframe(table.rename_axis("row"))
    return FittedModel(
        config, xr.DataTree.from_dict({"posterior": posterior, WEEKLY_TABLE: weekly})
    )


def grid_best(surface: ByTotals, region: Region, points: int = 60) -> float:
    """Return the largest response over a grid of splits."""
    best, steps = 0.0, np.linspace(0, region.budget, points)
    for first in steps:
        for second in steps:
            split = np.array([first, second, region.budget - first - second])
            if (split >= region.low).all() and (split <= region.high).all():
                best = max(best, float(surface.at(split).total.mean()))
    return best


@pytest.mark.parametrize("share", [0.4, 0.8, 1.5])
def test_many_starts_find_the_best_of_a_grid_where_one_does_not(share):
    fitted = hill_model(lam=(2.0, 2.5, 3.0), beta=(0.3, 0.35, 0.25))
    planner = planner_of(fitted)
    budget = share * planner.window.current.sum()
    asked = Scenario(
        "s",
        total_budget=budget,
        bounds=dict.fromkeys(planner.window.channels, (0.0, budget)),
    )
    region, surface = region_of(asked, planner.window), even(planner)
    best = grid_best(surface, region)
    plan = planner.plan(asked)
    assert plan.response.mean() >= best * (1 - 1e-4)
    assert not plan.certified
    assert plan.smallest is None
    ends = [
        solver._search(solver.Goal(), region, surface, corner * budget).value
        for corner in np.eye(3)
    ]
    assert min(ends) < 0.97 * best  # one search from a bad start ends elsewhere


# Refusals


@pytest.mark.parametrize("days", [-7, -364, 1, 6, 8, -1])
def test_a_window_inside_the_data_or_on_another_weekday_is_refused(thin, days):
    following = pd.Timestamp(thin.weeks[-1]) + WEEK
    start = following + pd.Timedelta(days=days)
    with pytest.raises(BudgetError) as refusal:
        optimize_budget(thin, BudgetConfig(start=f"{start:%Y-%m-%d}"))
    assert str(refusal.value) == (
        f"a plan cannot start {start:%A %Y-%m-%d}: the data end {following - WEEK:%Y-%m-%d}; "
        f"start on {following:%Y-%m-%d} or whole weeks later, within ten years"
    )


def test_a_window_and_a_budget_of_ones_own(thin):
    plan = optimize_budget(thin, BudgetConfig(weeks=4, total_budget=600_000.0))
    assert plan.weeks == len(plan.weekly) == 4
    assert plan.total_budget == pytest.approx(600_000.0)
    assert plan.current_budget == pytest.approx(thin.spend.tail(4).to_numpy().sum())


@pytest.mark.parametrize(("total", "word"), [(1_000.0, "most 1,000"), (1e9, "least 1,000,000,000")])
def test_a_budget_that_no_bounds_allow_is_refused_with_the_limits(thin, thin_plan, total, word):
    with pytest.raises(BudgetError) as refusal:
        optimize_budget(thin, BudgetConfig(total_budget=total, default_bounds="seen"))
    message = str(refusal.value)
    assert "these limits clash" in message
    assert f"a budget of at {word}" in message
    side, channel_word = ("lower_bound", "least") if total < 1e6 else ("upper_bound", "most")
    named = [
        f"{row['channel']} at {channel_word} {row[side]:,.0f}"
        for _, row in thin_plan.table.iterrows()
    ]
    assert any(text in message for text in named)


@pytest.mark.parametrize("total", [math.nan, math.inf, -math.inf, -5.0, 0.0])
def test_a_budget_that_is_no_amount_is_refused(total):
    with pytest.raises(ValueError, match="total_budget"):
        BudgetConfig(total_budget=total)
    with pytest.raises(ValueError, match="total_budget"):
        Scenario("no-amount", total_budget=total)


def test_unknown_channels_are_refused_with_the_known_ones(thin):
    known = "TV, Radio, Search, Social"
    with pytest.raises(BudgetError, match=f"names Print; channels: {known}"):
        optimize_budget(thin, BudgetConfig(bounds={"Print": (0.0, 1.0)}))
    with pytest.raises(BudgetError, match=f"cost_per_unit names Print; channels: {known}"):
        window_of(thin, WINDOW, None, {"Print": 2.0})


def test_a_window_longer_than_the_data_is_refused(thin):
    short = with_spend(thin, lambda table: None)
    object.__setattr__(short, "table", thin.table.tail(10))
    with pytest.raises(BudgetError, match="a window of 13 weeks is longer than the 10 weeks"):
        optimize_budget(short, BudgetConfig())


def test_without_recent_spend_a_budget_must_be_given(thin):
    def pause(table: xr.Dataset) -> None:
        for channel in thin.config.channel_columns:
            table[channel][-WINDOW:] = 0.0

    paused = with_spend(thin, pause)
    with pytest.raises(BudgetError, match="nothing was spent in the last 13 weeks"):
        optimize_budget(paused, BudgetConfig())
    plan = optimize_budget(paused, BudgetConfig(total_budget=1_000_000.0))
    assert plan.total_budget == pytest.approx(1_000_000.0)
    assert (plan.status_quo == 0).all()
    assert math.isnan(plan.of_media_sales)
    assert plan.of_all_sales > 0


def test_a_channel_without_recent_spend_has_no_change_but_may_be_planned(thin):
    def pause(table: xr.Dataset) -> None:
        table["Radio"][-WINDOW:] = 0.0

    paused = with_spend(thin, pause)
    as_before = optimize_budget(paused, BudgetConfig()).table.set_index("channel").loc["Radio"]
    assert (as_before["current"], as_before["planned"], as_before["change"]) == (0, 0, 0)
    plan = optimize_budget(paused, BudgetConfig(default_bounds="seen"))
    row = plan.table.set_index("channel").loc["Radio"]
    assert row["current"] == 0
    assert math.isnan(row["change"])
    assert row["planned"] > 0


# The law


def test_the_law_of_a_plan_refuses_what_does_not_add_up(thin_plan):
    table, weekly = thin_plan.table, thin_plan.weekly
    region = thin_plan.region
    with pytest.raises(BudgetError, match="plan breaks its limits"):
        replace(thin_plan, region=replace(region, budget=1.01 * region.budget))
    with pytest.raises(BudgetError, match="plan breaks its limits"):
        replace(thin_plan, table=table.assign(planned=np.nan))
    with pytest.raises(BudgetError, match="plan breaks its limits"):
        replace(thin_plan, region=replace(region, low=table["planned"].to_numpy() + 100))
    with pytest.raises(BudgetError, match="the weeks of the plan do not add up"):
        replace(thin_plan, weekly=weekly * 1.001)
    with pytest.raises(BudgetError, match="the weeks of the plan do not add up"):
        replace(thin_plan, weekly=weekly.assign(TV=np.nan))
    for name in ("response", "status_quo"):
        draws = getattr(thin_plan, name).copy()
        draws[3] = np.nan
        with pytest.raises(BudgetError, match="is not finite"):
            replace(thin_plan, **{name: draws})
