"""A plan refuses to be what it must not be, and sums up what it expects."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mmm_demo.planning.feasible import Region, _budget, _group_limits
from mmm_demo.planning.honesty import PAIRS as PAIRS_COLUMNS
from mmm_demo.planning.plan import AGAINST, RANKED, UNRANKED, Plan
from mmm_demo.planning.window import BudgetError, Window
from mmm_demo.settings.scenario import Group, Scenario

CHANNELS = ("TV", "Radio")
CURRENT, PLANNED = np.array([60.0, 40.0]), np.array([70.0, 30.0])
WINDOW = Window(
    start=pd.Timestamp("2026-01-05"),
    channels=CHANNELS,
    before=np.zeros((0, 2)),
    last=np.tile(CURRENT / 4, (4, 1)),
    observed=np.array([CURRENT, CURRENT]),
    weights=np.ones((1, 2)),
    working=np.array([CURRENT, CURRENT]) / 4,
    cost=np.ones(2),
    sales=1000.0,
)
TABLE = pd.DataFrame(
    {
        "channel": CHANNELS,
        "current": CURRENT,
        "planned": PLANNED,
        "lower_bound": [50.0, 30.0],
        "upper_bound": [80.0, 60.0],
    }
)
WEEKLY = pd.DataFrame(np.tile(PLANNED / 4, (4, 1)), WINDOW.dates, pd.Index(CHANNELS))
PAIRS = pd.DataFrame(
    [
        ("a", "b", 1.0, 0.1, 2.0, 0.99, RANKED),
        ("a", "c", 1.0, -0.1, 2.0, 0.9, UNRANKED),
        ("a", "d", 1.0, 0.0, 2.0, 0.96, UNRANKED),
        ("a", "e", 1.0, np.nan, np.nan, np.nan, UNRANKED),
        ("a", "f", -1.0, -2.0, -0.1, 0.01, AGAINST),
    ],
    columns=PAIRS_COLUMNS,
)
DRAWS = np.arange(1.0, 101.0)


def plan(**changes: object) -> Plan:
    valid = {
        "scenario": Scenario("a", total_budget=100.0),
        "window": WINDOW,
        "table": TABLE,
        "weekly": WEEKLY,
        "response": 200 + DRAWS,
        "status_quo": np.full(100, 220.0),
        "value": 250.5,
        "timing": 0.0,
        "pairs": PAIRS,
        "smallest": None,
        "gap": 0.0,
        "thinning": 0.0,
        "certified": True,
    }
    found = valid | changes
    asked, table = found["scenario"], found["table"]
    low, high = (table[name].to_numpy(float) for name in ("lower_bound", "upper_bound"))
    limits, budget = tuple(_group_limits(asked, CHANNELS)), _budget(asked, WINDOW)
    region = Region(low, high, limits, budget, asked.spends_all)
    return Plan(**{"region": region} | found)


def spending(*planned: float, weekly: bool = True) -> dict:
    """Return a plan's money, with its weeks."""
    weeks = pd.DataFrame(np.tile(np.array(planned) / 4, (4, 1)), WINDOW.dates, pd.Index(CHANNELS))
    return {"table": TABLE.assign(planned=planned)} | ({"weekly": weeks} if weekly else {})


def week(value: float, place: int = 0) -> pd.DataFrame:
    changed = WEEKLY.copy()
    changed.iloc[0, place] = value
    return changed


# The law


def test_a_lawful_plan_is_made_and_reads_its_window():
    found = plan()
    assert (found.total_budget, found.current_budget) == (100.0, 100.0)
    assert (found.start, found.end, found.weeks) == (WINDOW.start, WINDOW.end, 4)


def test_rounding_is_no_violation():
    plan(**spending(70 + 1e-6, 30 - 1e-6))
    plan(weekly=WEEKLY * (1 + 1e-9))


BROKEN = {
    "below a bound": spending(71, 29),
    "above a bound": spending(81, 19) | {"scenario": Scenario("a")},
    "no number of money": {"table": TABLE.assign(planned=[np.nan, 30.0])},
    "no bound": {"table": TABLE.assign(upper_bound=[np.nan, 60.0])},
    "infinite money": {"table": TABLE.assign(planned=[np.inf, 30.0])},
    "weeks that do not add up": spending(69, 31, weekly=False),
    "a week's money doubled": {"weekly": week(35.0)},
    "a week without a number": {"weekly": week(np.nan)},
    "no numbers by week": {"weekly": WEEKLY * np.nan},
    "a hole in the weeks that the others fill": {
        "weekly": pd.DataFrame(
            np.vstack([[np.nan, np.nan], np.tile(PLANNED / 3, (3, 1))]), WEEKLY.index, CHANNELS
        )
    },
    "a week below zero": {
        "weekly": WEEKLY + pd.DataFrame({"TV": [-20.0, 20, 0, 0], "Radio": 0.0}, WEEKLY.index)
    },
    "another budget": spending(70, 35),
    "another budget than last period's share": spending(70, 35)
    | {"scenario": Scenario("a", relative_budget=1.0)},
    "another budget than last period's": spending(70, 35) | {"scenario": Scenario("a")},
    "more than the maximum": spending(70, 35)
    | {"scenario": Scenario("a", objective="profit", margin=1.0, total_budget=100.0)},
    "more than a group may have": {
        "scenario": Scenario("a", groups={"g": Group(CHANNELS, at_most=90.0)})
    },
    "less than a group must have": {
        "scenario": Scenario("a", groups={"g": Group(CHANNELS, at_least=110.0)})
    },
    "a response that is no number": {"response": np.where(DRAWS == 7, np.nan, DRAWS)},
    "an infinite response": {"response": np.where(DRAWS == 7, np.inf, DRAWS)},
    "a status quo that is no number": {"status_quo": np.full(100, np.nan)},
    "a value that is no number": {"value": np.nan},
    "a gap that was not measured": {"gap": np.nan},
}


@pytest.mark.parametrize("violation", BROKEN)
def test_a_plan_that_breaks_the_law_is_refused(violation):
    with pytest.raises(BudgetError):
        plan(**BROKEN[violation])


@pytest.mark.parametrize("objective", ["profit", "target_roas"])
def test_a_maximum_need_not_be_spent(objective):
    setting = {"margin": 1.0} if objective == "profit" else {"target": 1.0}
    scenario = Scenario("a", objective=objective, total_budget=500.0, **setting)
    assert plan(scenario=scenario).total_budget == 100


# What it expects


def test_uplift_by_hand():
    uplift = plan().uplift  # gains of -19 to 80
    assert uplift["mean"] == pytest.approx(30.5)
    assert plan().of_media_sales == pytest.approx(30.5 / 220)
    assert plan().of_all_sales == pytest.approx(30.5 / 1000)
    assert uplift["probability"] == pytest.approx(0.80)
    assert uplift["shortfall"] == pytest.approx(np.mean([-19, -18, -17, -16, -15]))
    assert uplift["lower_94"] == pytest.approx(-19 + 0.03 * 99)
    assert uplift["lower_50"] == pytest.approx(-19 + 0.25 * 99)
    assert uplift["upper_50"] == pytest.approx(-19 + 0.75 * 99)
    assert uplift["upper_94"] == pytest.approx(-19 + 0.97 * 99)


def test_gain_is_taken_draw_by_draw():
    found = plan(response=DRAWS + 1, status_quo=DRAWS).uplift
    assert (found["mean"], found["lower_94"], found["probability"]) == (1.0, 1.0, 1.0)
    even = plan(response=DRAWS, status_quo=DRAWS).uplift
    assert even["probability"] == 0  # as good as the status quo is not better


def test_uplift_of_few_draws_and_over_nothing():
    found = plan(response=np.array([1.0, 3.0]), status_quo=np.zeros(2))
    assert found.uplift["shortfall"] == 1.0
    assert np.isnan(found.of_media_sales)
    assert found.of_all_sales == pytest.approx(2 / 1000)
    nothing = replace(found, window=replace(WINDOW, sales=0.0))
    assert np.isnan(nothing.of_all_sales)


def test_what_the_data_cannot_rank_is_what_is_not_surely_above_zero():
    assert plan().unrankable["giver"].tolist() == ["c", "d", "e"]
    assert plan(pairs=PAIRS.iloc[:1]).unrankable.empty
    assert plan(pairs=PAIRS.iloc[:0]).unrankable.empty


def test_the_schedule_has_a_row_for_each_week_and_channel():
    window = replace(WINDOW, cost=np.array([1.0, 4.0]))
    table = plan(window=window).schedule
    named = ["scenario", "week", "channel", "spend", "units", "cost_per_unit"]
    assert table.columns.tolist() == named
    assert table["cost_per_unit"].tolist() == [1.0, 4.0] * 4
    assert len(table) == 8
    assert table["week"].tolist() == [day for day in WINDOW.dates for _ in CHANNELS]
    assert table["channel"].tolist() == [*CHANNELS] * 4
    assert table["spend"].tolist() == [17.5, 7.5] * 4
    assert table["units"].tolist() == [17.5, 7.5 / 4] * 4


def test_plans_are_not_compared_by_value():
    assert plan() != plan()
    assert replace(plan(), value=1.0).value == 1.0
