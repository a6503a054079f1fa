"""Numbers of a plan file in another unit are told or refused; the right ones pass quietly."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers import PROJECT
from mmm_demo.planning.doubts import counted, doubts, require_margin
from mmm_demo.planning.feasible import region_of
from mmm_demo.planning.window import BudgetError, Window
from mmm_demo.settings.scenario import Group, PlanRequest, Scenario, load_request
from mmm_demo.settings.yaml_file import ConfigError, build
from planned import WIDE, planner

PLANS = PROJECT / "tests" / "cases" / "plans"
# The last quarter of experiments/your_data.csv, and what its media are expected to bring.
SPENT = np.array([846_390.0, 476_510.0])
SALES, REPLAY = 11_536_000.0, 2_101_621.0
WINDOW = Window(
    start=pd.Timestamp("2024-12-30"),
    channels=("tv", "search"),
    before=np.zeros((0, 2)),
    last=np.tile(SPENT / 13, (13, 1)),
    observed=np.array([SPENT / 2, SPENT * 2]),
    weights=np.ones((1, 2)),
    working=np.array([[0.0, 162_618 / 13], [2e6, 1e6]]),
    cost=np.ones(2),
    sales=SALES,
    tested=True,
)


def asked(name: str, number: int = 0) -> Scenario:
    return load_request(PLANS / f"{name}.yaml").scenarios[number]


def said(scenario: Scenario, window: Window = WINDOW, replay: float = REPLAY) -> list[str]:
    return list(doubts(scenario, window, replay))


# What is right is not doubted

ORDERS = 1_950.0  # that media bring where sales count orders: a ROAS of .0015


@pytest.mark.parametrize(
    ("scenario", "replay"),
    [
        (Scenario("plain"), REPLAY),
        (Scenario("half", relative_budget=0.5), REPLAY),
        (Scenario("tenth", relative_budget=0.1), REPLAY),  # asked for as a share: it is meant
        (Scenario("less", total_budget=400_000), REPLAY),
        (Scenario("more", total_budget=4_000_000), REPLAY),
        (Scenario("cap", objective="profit", margin=0.4, total_budget=1e12), REPLAY),
        (Scenario("thin", objective="profit", margin=0.02), REPLAY),
        (Scenario("all", objective="profit", margin=1.0), REPLAY),
        (Scenario("per_order", objective="profit", margin=40.0), ORDERS),
        (Scenario("off", bounds={"tv": (0, 0), "search": (100_000, 900_000)}), REPLAY),
        (Scenario("wide", relative_bounds={"*": (0, 3)}), REPLAY),
        (Scenario("air", groups={"g": Group(("tv", "search"), 500_000, 2e6)}), REPLAY),
        (Scenario("reach", objective="target_response", target=2_300_000), REPLAY),
        (Scenario("roas", objective="target_roas", target=1.8), REPLAY),
        (Scenario("next", objective="target_mroas", target=1.0), REPLAY),
        (Scenario("orders", objective="target_roas", target=0.0016), ORDERS),
        (Scenario("worst", objective="cvar", tail=0.05), REPLAY),
    ],
)
def test_the_right_unit_is_not_doubted(scenario: Scenario, replay: float) -> None:
    assert said(scenario, replay=replay) == []
    require_margin(scenario, WINDOW, replay)


def test_where_nothing_was_spent_there_is_nothing_to_hold_money_against() -> None:
    nothing = replace(WINDOW, last=np.zeros((13, 2)))
    limits = {"tv": (5, 10), "search": (0, 1e6)}
    for scenario in (
        Scenario("a", total_budget=5),
        Scenario("b", bounds=limits),
        Scenario("c", objective="target_roas", target=200),
    ):
        assert said(scenario, nothing, 0.0) == []
    (text,) = said(Scenario("d", objective="profit", margin=40), nothing, 0.0)  # not measured
    assert text.startswith("margin 40 means 4000% of sales. Where")


# Margins in percent


def test_a_margin_in_percent_is_refused_with_what_it_means() -> None:
    with pytest.raises(BudgetError) as refused:
        require_margin(asked("p_margin40"), WINDOW, REPLAY)
    text = str(refused.value)
    assert text.startswith("scenario pct_margin: margin 40 means 4000% of sales, so that each unit")
    assert "earned 63.5 (ROAS 1.59)" in text
    assert "Where sales are counted in money, 40% is 0.4" in text


def test_a_margin_above_one_is_told_where_it_may_be_right() -> None:
    few = 0.3 * SPENT.sum()  # a ROAS of 0.3: money that loses, or orders that cost 3 each
    scenario = Scenario("p", objective="profit", margin=40)
    (text,) = said(scenario, replay=few)
    assert "earned 12.0 (ROAS 0.300)" in text
    require_margin(scenario, WINDOW, few)
    (text,) = said(Scenario("p", objective="profit", margin=2))
    assert "margin 2 means 200% of sales" in text


def test_the_planner_refuses_before_it_searches() -> None:
    with pytest.raises(BudgetError, match="margin 40 means 4000% of sales"):
        planner().plan(Scenario("p", objective="profit", margin=40, relative_bounds=WIDE))


# Money in another unit or for another time


@pytest.mark.parametrize(
    ("budget", "factor", "step"),
    [
        (200_000, "1/7 of", "; if it is meant for a week, write 2,600,000"),
        (1_300, "1/1,018 of", "; if it is meant in thousands, write 1,300,000"),
        (6e6, "4.54 times", "; if it is meant for a year, write 1,500,000"),
        (1.3e9, "983 times", "; if it is meant in thousandths, write 1,300,000"),
        (1.0, "1/1,322,900 of", ""),
    ],
)
def test_a_budget_far_from_the_last_period_is_told(budget: float, factor: str, step: str) -> None:
    (text,) = said(Scenario("a", total_budget=budget))
    assert f"and {factor} what the last 13 weeks spent (1,322,900, 101,762 a week)" in text
    assert text.endswith(f"a week){step}")


def test_limits_in_thousands_are_told() -> None:
    (text,) = said(Scenario("a", bounds={"tv": (100, 900)}))
    assert text.startswith("bounds of tv: at most 900 is 1/940 of what the last 13 weeks spent")
    (text,) = said(Scenario("a", bounds={"search": (1e8, 2e8)}))
    assert text.startswith("bounds of search: at least 100,000,000 is 210 times what")
    (text,) = said(Scenario("a", groups={"g": Group(("tv", "search"), at_most=1_300)}))
    assert text.startswith("group g: at most 1,300 is 1/1,018 of what")
    (text,) = said(Scenario("a", relative_bounds={"tv": (0, 150)}))
    assert text.endswith("if percent are meant, write [0, 1.5]")


def test_a_price_per_thousand_is_told() -> None:
    priced = replace(WINDOW, cost=np.array([5.0, 1.0]), last=WINDOW.last * [5_000, 1])
    (text,) = said(Scenario("a"), priced)
    assert text.startswith("cost_per_unit 5 makes tv 100.0% of all money of the last 13 weeks")
    assert text.endswith("(0.005)")
    assert said(Scenario("a"), replace(priced, last=WINDOW.last * [5, 1])) == []


# Targets


def test_a_target_of_all_sales_is_told_what_a_target_counts() -> None:
    text = counted(asked("p_tresp12m"), WINDOW, REPLAY)
    assert text == (
        "a target counts sales that media bring, 2,101,621 by a repeat of the last 13 weeks, and "
        "not all sales, which were 11,536,000 in these weeks; 12,000,000 of all sales would be a "
        "target of about 2,565,621"
    )
    small = counted(Scenario("t", objective="target_response", target=5e6), WINDOW, REPLAY)
    assert small.endswith("which were 11,536,000 in these weeks")


def test_the_planner_tells_it_with_the_target_out_of_reach() -> None:
    sales = planner().window.sales
    scenario = Scenario("t", objective="target_response", target=sales, relative_bounds=WIDE)
    with pytest.raises(BudgetError) as refused:
        planner().plan(scenario)
    text = str(refused.value)
    assert text.startswith(f"scenario t: target {sales:,.0f} is out of reach: ")
    assert "sales by media; widen" in text
    assert f"not all sales, which were {sales:,.0f} in these weeks" in text


def test_targets_in_percent_or_in_thousands_are_told() -> None:
    (text,) = said(Scenario("a", objective="target_mroas", target=150))
    assert text.endswith("the last 13 weeks had 1.59 of; if percent are meant, write 1.5")
    assert counted(Scenario("a", objective="target_roas", target=150), WINDOW, REPLAY) == text
    (text,) = said(Scenario("a", objective="target_response", target=2_300))
    assert text.startswith("target 2,300 is 1/914 of the sales by media that a repeat of the last")


# Limits that clash


def clash(scenario: Scenario) -> str:
    with pytest.raises(BudgetError) as refused:
        region_of(scenario, WINDOW)
    return str(refused.value)


def test_own_limits_that_clash_are_named_and_no_default() -> None:
    text = clash(asked("p_inf"))
    assert "these limits clash: a budget of at most 100,000; tv at least 200,000. Change" in text
    assert "search" not in text


def test_a_default_that_clashes_is_called_one_after_the_own_limit() -> None:
    text = clash(asked("p_toolow"))
    assert (
        "these limits clash: a budget of at most 500; search at least 162,618 (a default, which "
        "keeps its spend where the data have seen it). Change one of your own, or give bounds"
    ) in text
    assert text.endswith("if it is meant in thousands, write 500,000")
    high = clash(asked("p_toolow", 1))
    assert "clash: a budget of at least 50,000,000; " in high
    assert high.count("(a default, which keeps") == 2


def test_a_budget_that_nobody_gave_is_called_a_default() -> None:
    text = clash(Scenario("a", relative_bounds={"*": (1.5, 2)}))
    assert "tv at least 1,269,585; search at least 714,765; a budget of at most 1,322,900" in text
    assert "(a default: what the last 13 weeks spent). Change one of your own, or give" in text


# Percent where a share is meant, refused at birth


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"objective": "cvar", "tail": 5}, "tail: a share of the draws, so at most 0.5, got 5; 5%"),
        ({"relative_budget": 85}, "relative_budget: a multiple of what the last period spent"),
        (
            {"profile": "optimised", "smoothness": 20},
            "smoothness: a share of the channel's mean week, so at most 5, got 20; 20% is 0.2",
        ),
        (
            {"relative_bounds": {"*": [80, 120]}},
            "relative_bounds: multiples of what the last period spent, low at most 10, got "
            "*: [80, 120], in percent [0.8, 1.2]",
        ),
    ],
)
def test_a_percentage_is_refused_with_its_share(setting: dict, told: str) -> None:
    plain = {"market": "demo", "scenarios": [{"name": "a"} | setting]}
    with pytest.raises(ConfigError) as refused:
        build(PlanRequest, plain, "the plan")
    assert f"scenarios.0.{told}" in str(refused.value)


def test_a_channel_that_costs_nothing_is_refused() -> None:
    plain = {"market": "demo", "scenarios": [{"name": "a"}], "cost_per_unit": {"tv": 0}}
    with pytest.raises(ConfigError, match=r"cost_per_unit\.tv: .*greater than 0, got 0"):
        build(PlanRequest, plain, "the plan")
