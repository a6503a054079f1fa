"""Which plans a scenario allows, and which of its limits are named when they clash."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mmm_demo.planning.feasible import Region, region_of
from mmm_demo.planning.window import BudgetError, Window
from mmm_demo.settings.scenario import Group, Scenario

CHANNELS = ("TV", "Radio", "Search")
CURRENT = np.array([400.0, 300.0, 200.0])
LOWEST, HIGHEST = np.array([100.0, 100.0, 100.0]), np.array([600.0, 500.0, 400.0])
WINDOW = Window(
    start=pd.Timestamp("2026-01-05"),
    channels=CHANNELS,
    before=np.zeros((0, 3)),
    last=np.tile(CURRENT / 4, (4, 1)),
    observed=np.array([LOWEST, HIGHEST]),
    weights=np.ones((1, 3)),
    working=np.array([LOWEST, HIGHEST]) / 4,
    cost=np.ones(3),
    sales=20_000.0,
    tested=True,
)


def region(window: Window = WINDOW, **limits: object) -> Region:
    return region_of(Scenario("a", **limits), window)


def spent(*last: float) -> Window:
    return replace(WINDOW, last=np.tile(np.array(last) / 4, (4, 1)))


# Limits


def test_by_default_the_budget_and_what_the_data_have_seen_are_kept():
    found = region()
    assert (found.budget, found.exact, found.limits) == (900.0, True, ())
    assert np.array_equal(found.low, LOWEST)
    assert np.array_equal(found.high, HIGHEST)


def test_without_lift_tests_no_channel_moves_by_more_than_the_usual_step():
    untested = replace(WINDOW, tested=False)
    found = region(untested)
    assert found.low == pytest.approx(np.maximum(0.7 * CURRENT, LOWEST))
    assert found.high == pytest.approx(np.minimum(1.3 * CURRENT, HIGHEST))
    assert np.array_equal(region(untested, default_bounds="seen").high, HIGHEST)
    assert region(default_bounds=0.3).high == pytest.approx(found.high)


def test_bounds_in_money_relative_to_the_last_period_and_fixed():
    found = region(bounds={"TV": (0, 1000)}, relative_bounds={"Radio": (0.5, 2)}, fixed=("Search",))
    assert found.low.tolist() == [0, 150, 200]
    assert found.high.tolist() == [1000, 600, 200]


def test_all_channels_yield_to_the_named_ones():
    found = region(relative_bounds={"*": (0.5, 1.5), "Radio": (1, 3)}, bounds={"TV": (7, 900)})
    assert found.low.tolist() == [7, 300, 100]
    assert found.high.tolist() == [900, 900, 300]
    assert region(relative_bounds={"*": (0.5, 1.5)}, fixed=("TV",)).high.tolist() == [400, 450, 300]


def test_limits_of_one_scenario_leave_the_window_alone():
    region(bounds={"TV": (0, 1000)})
    assert np.array_equal(WINDOW.seen[1], HIGHEST)


@pytest.mark.parametrize(
    ("asked", "budget", "exact"),
    [
        ({"total_budget": 700}, 700, True),
        ({"relative_budget": 1.2}, 1080, True),
        ({"objective": "cvar"}, 900, True),
        ({"objective": "profit", "margin": 1}, np.inf, False),
        ({"objective": "target_mroas", "target": 1, "total_budget": 700}, 700, False),
        ({"objective": "target_response", "target": 1, "relative_budget": 2}, 1800, False),
    ],
)
def test_budgets(asked, budget, exact):
    found = region(**asked)
    assert found.budget == pytest.approx(budget)
    assert found.exact is exact


def test_group_limits():
    groups = {"air": Group(("TV", "Radio"), 100, 800), "floor": Group(("Search", "TV"), 50)}
    matrix, most = region(groups=groups).rows
    assert matrix.tolist() == [[-1, -1, 0], [1, 1, 0], [-1, 0, -1]]
    assert most.tolist() == [-100, 800, -50]


def test_unknown_channels_are_named_wherever_they_stand():
    with pytest.raises(BudgetError) as refused:
        region(
            bounds={"tv": (0, 1)},
            relative_bounds={"Print": (0, 1)},
            fixed=("Mail",),
            groups={"g": Group(("Audio", "TV"), at_most=5)},
            profile={"Cinema": (1.0,)},
        )
    assert "names Audio, Cinema, Mail, Print, tv; channels: TV, Radio, Search" in str(refused.value)


@pytest.mark.parametrize("asked", [{}, {"relative_budget": 2.0}, {"objective": "cvar"}])
def test_a_budget_relative_to_nothing_is_refused(asked):
    with pytest.raises(BudgetError, match=r"nothing was spent in the last 4 weeks.*total_budget"):
        region(spent(0, 0, 0), **asked)


def test_nothing_spent_needs_no_default_where_a_budget_is_given_or_not_needed():
    assert region(spent(0, 0, 0), total_budget=500).budget == 500
    assert region(spent(0, 0, 0), objective="profit", margin=1).budget == np.inf
    still = region(spent(400, 0, 0), relative_bounds={"*": (0.5, 2)})
    assert still.high.tolist() == [800, 0, 0]


# Clashes

B = {"TV": (100, 300), "Radio": (100, 300), "Search": (100, 300)}
CLASHES = {
    "lower bounds above the budget": (
        {"bounds": B, "total_budget": 200},
        {"a budget of at most 200", "TV at least 100", "Radio at least 100", "Search at least 100"},
    ),
    "one lower bound above the budget": (
        {"bounds": B | {"Radio": (250, 300)}, "total_budget": 200},
        {"a budget of at most 200", "Radio at least 250"},
    ),
    "upper bounds below the budget": (
        {"bounds": B, "total_budget": 1000},
        {"a budget of at least 1,000", "TV at most 300", "Radio at most 300", "Search at most 300"},
    ),
    "a group's floor above its channels' bounds": (
        {"bounds": B, "groups": {"air": Group(("TV", "Radio"), 700)}, "total_budget": 800},
        {"group air at least 700", "TV at most 300", "Radio at most 300"},
    ),
    "a group's cap below its channels' bounds": (
        {"bounds": B, "groups": {"air": Group(("TV", "Radio"), at_most=150)}, "total_budget": 400},
        {"group air at most 150", "TV at least 100", "Radio at least 100"},
    ),
    "two groups": (
        {
            "bounds": dict.fromkeys(CHANNELS, (0, 900)),
            "groups": {
                "more": Group(("TV", "Radio"), 600),
                "less": Group(("TV", "Radio", "Search"), at_most=500),
            },
            "objective": "profit",
            "margin": 1,
        },
        {"group more at least 600", "group less at most 500"},
    ),
    "two groups and the budget": (
        {
            "bounds": dict.fromkeys(CHANNELS, (0, 900)) | {"Radio": (0, 50)},
            "groups": {"a": Group(("TV", "Radio"), 600), "b": Group(("Search", "Radio"), 600)},
            "total_budget": 1000,
        },
        {
            "group a at least 600",
            "group b at least 600",
            "a budget of at most 1,000",
            "Radio at most 50",
        },
    ),
    "a fixed channel and a group": (
        {
            "fixed": ("TV",),
            "groups": {"air": Group(("TV", "Radio"), at_most=350)},
            "total_budget": 700,
        },
        {"group air at most 350", "TV at least 400"},
    ),
    "all fixed, another budget": (
        {"fixed": CHANNELS, "total_budget": 1000},
        {"a budget of at least 1,000", "TV at most 400", "Radio at most 300", "Search at most 200"},
    ),
    "a group's floor above a maximum budget": (
        {
            "bounds": dict.fromkeys(CHANNELS, (0, 900)),
            "groups": {"air": Group(("TV", "Radio"), 700)},
            "objective": "profit",
            "margin": 1,
            "total_budget": 600,
        },
        {"group air at least 700", "a budget of at most 600"},
    ),
    "small money": (
        {"bounds": dict.fromkeys(CHANNELS, (0, 0.5)), "total_budget": 2.25},
        {"a budget of at least 2.25", "TV at most 0.5", "Radio at most 0.5", "Search at most 0.5"},
    ),
    "a maximum budget that says nothing": (
        {
            "bounds": B,
            "groups": {"air": Group(("TV", "Radio"), 700)},
            "objective": "profit",
            "margin": 1,
            "total_budget": 1e13,
        },
        {"group air at least 700", "TV at most 300", "Radio at most 300"},
    ),
}


@pytest.mark.parametrize("clash", CLASHES)
def test_exactly_the_limits_that_clash_are_named(clash):
    limits, wanted = CLASHES[clash]
    with pytest.raises(BudgetError) as refused:
        region(**limits)
    text = str(refused.value)
    assert text.startswith("scenario a allows no plan, because these limits clash: ")
    named, _, step = text.partition("clash: ")[2].partition(". ")
    named = named.split("; ")
    assert step.startswith("Change one of them")
    assert sorted(named) == sorted(wanted)


@pytest.mark.parametrize(
    "limits",
    [
        {"bounds": B, "total_budget": 300},
        {"bounds": B, "total_budget": 900},
        {"fixed": CHANNELS},
        {"fixed": CHANNELS, "total_budget": 900, "groups": {"g": Group(CHANNELS, 900, 900)}},
        {"bounds": B, "groups": {"g": Group(("TV", "Radio"), 600)}, "total_budget": 700},
        {"bounds": B, "groups": {"g": Group(("TV", "Radio"), at_most=200)}, "total_budget": 500},
        {"relative_bounds": {"*": (1 / 3, 1 / 3)}, "relative_budget": 1 / 3},
        {"relative_bounds": {"*": (0.7, 0.7)}, "total_budget": 630.0000000001},
    ],
)
def test_limits_that_leave_a_single_plan_are_not_refused(limits):
    found = region(**limits)
    spend = found.furthest(np.array([1.0, 2.0, 3.0]))
    assert spend.sum() == pytest.approx(found.budget)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("short", [0, 1e-5])
def test_what_is_feasible_does_not_hang_on_the_unit_of_money(scale, short):
    bounds = {name: (scale * low, scale * high) for name, (low, high) in B.items()}
    asked = {"bounds": bounds, "total_budget": 900 * scale * (1 + short)}
    if short:
        with pytest.raises(BudgetError, match="clash"):
            region(**asked)
    else:
        assert region(**asked).budget == pytest.approx(900 * scale)


# The furthest spend


def corners(found: Region) -> list[np.ndarray]:
    """Return every corner of a small region, by brute force."""
    size = len(found.low)
    matrix, most = found.rows
    rows = [*zip(matrix, most, strict=True)]
    rows += [*zip(np.eye(size), found.high, strict=True)]
    rows += [*zip(-np.eye(size), -found.low, strict=True)]
    everything = (np.ones(size), found.budget)
    if not found.exact and np.isfinite(found.budget):
        rows.append(everything)
    always = [everything] if found.exact else []
    spends = []
    for chosen in itertools.combinations(rows, size - len(always)):
        left, right = (np.array(side) for side in zip(*always, *chosen, strict=True))
        if abs(np.linalg.det(left)) < 1e-9:
            continue
        spend = np.linalg.solve(left, right)
        if all(row @ spend <= most + 1e-6 for row, most in rows):
            spends.append(spend)
    return spends


REGIONS = [
    {},
    {"groups": {"g": Group(("TV", "Radio"), 300, 500)}},
    {"objective": "profit", "margin": 1},
    {"objective": "profit", "margin": 1, "total_budget": 700},
    {"fixed": ("TV",), "groups": {"g": Group(("Search", "Radio"), at_most=600)}},
]


@pytest.mark.parametrize("limits", REGIONS)
def test_the_furthest_spend_is_the_best_corner(limits):
    rng, found = np.random.default_rng(0), region(**limits)
    every = corners(found)
    for _ in range(15):
        direction = rng.normal(size=3) * 10 ** rng.uniform(-6, 6)
        best = max(direction @ corner for corner in every)
        spend = found.furthest(direction)
        assert direction @ spend == pytest.approx(
            best, rel=1e-7, abs=1e-6 * np.abs(direction).max()
        )


def test_one_more_limit_is_kept():
    rng, found = np.random.default_rng(1), region()
    for _ in range(10):
        direction, weights = rng.normal(size=3), rng.uniform(0, 1, 3)
        middle = found.furthest(weights) * 0.5 + found.furthest(-weights) * 0.5
        spend = found.furthest(direction, (weights, weights @ middle))
        assert weights @ spend >= weights @ middle - 1e-6
        assert direction @ spend <= direction @ found.furthest(direction) + 1e-6
        assert direction @ spend >= direction @ middle - 1e-6


def test_a_limit_that_no_spend_keeps_is_refused():
    with pytest.raises(BudgetError, match="no spend keeps all limits"):
        region().furthest(np.ones(3), (np.ones(3), 1e4))


def test_a_direction_of_nothing_gives_an_allowed_spend():
    spend = region().furthest(np.zeros(3))
    assert spend.sum() == pytest.approx(900)


# Week by week


def weekly_of(whole: Region, smoothness: float | None, weeks: int = 4) -> Region:
    """Return the same limits by week; channels without a choice are spread evenly."""
    return whole.by_week(np.tile(whole.low / weeks, (weeks, 1)), smoothness)


def test_channels_without_a_choice_keep_their_weeks_however_rough():
    whole, last = region(fixed=("TV",)), np.outer([0.1, 0.6, 0.0, 0.3], CURRENT)
    weekly = whole.by_week(last, 0.1)
    rng = np.random.default_rng(5)
    for _ in range(10):
        spend = weekly.furthest(rng.normal(size=12)).reshape(4, 3)
        assert np.allclose(spend[:, 0], last[:, 0])
        steps = np.abs(np.diff(spend[:, 1:], axis=0))
        assert (steps <= 0.1 * spend[:, 1:].mean(axis=0) + 1e-6).all()
        assert spend.sum() == pytest.approx(900)


def test_weeks_keep_the_limits_on_totals():
    groups = {"air": Group(("TV", "Radio"), 300, 500)}
    whole = region(groups=groups)
    weekly = weekly_of(whole, None)
    rng = np.random.default_rng(2)
    assert (weekly.budget, weekly.exact) == (whole.budget, whole.exact)
    for _ in range(10):
        spend = weekly.furthest(rng.normal(size=12)).reshape(4, 3)
        totals = spend.sum(axis=0)
        assert (spend >= -1e-9).all()
        assert (totals >= whole.low - 1e-6).all()
        assert (totals <= whole.high + 1e-6).all()
        assert 300 - 1e-6 <= totals[:2].sum() <= 500 + 1e-6
        assert totals.sum() == pytest.approx(900)


def test_weeks_reach_as_far_as_totals():
    rng = np.random.default_rng(3)
    for limits in REGIONS:
        whole = region(**limits)
        for smoothness in (None, 0.3):
            weekly, direction = weekly_of(whole, smoothness), rng.normal(size=3)
            far = weekly.furthest(np.tile(direction, 4))
            best = direction @ whole.furthest(direction)
            assert np.tile(direction, 4) @ far == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("smoothness", [0.05, 0.5])
def test_weeks_are_as_smooth_as_asked_and_no_smoother(smoothness):
    rng, weekly = np.random.default_rng(4), weekly_of(region(), smoothness)
    steepest = 0.0
    for _ in range(20):
        spend = weekly.furthest(rng.normal(size=12)).reshape(4, 3)
        steps = np.abs(np.diff(spend, axis=0)) / spend.mean(axis=0)
        steepest = max(steepest, steps.max())
    assert steepest == pytest.approx(smoothness, rel=1e-4)


def test_weeks_without_smoothness_may_jump():
    direction = np.zeros((4, 3))
    direction[2, 0] = 1
    spend = weekly_of(region(), None).furthest(direction.ravel()).reshape(4, 3)
    assert spend[2, 0] == pytest.approx(600)
    assert not spend[[0, 1, 3], 0].any()


def test_one_week_is_its_total():
    spend = weekly_of(region(), 0.1, 1).furthest(np.array([1.0, 0, 0]))
    assert spend.sum() == pytest.approx(900)


@pytest.mark.parametrize("limits", REGIONS)
def test_the_unit_of_money_makes_an_item_about_one(limits):
    """A solver's tolerances mean nothing where the numbers are in the thousands."""
    for found in (region(**limits), weekly_of(region(**limits), None)):
        assert 0.1 <= 900 / len(found.low) / found.unit <= 10
