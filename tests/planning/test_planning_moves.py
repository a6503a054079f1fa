"""How far to move: each point of the curve is a plan of its own, and small moves bring less."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_demo.planning.feasible import default_bounds, mix_at
from mmm_demo.planning.moves import STEPS, move_curve
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.scenario import Scenario
from planned import WIDE, planner

FREE = Scenario("free", default_bounds="seen")


def plan(**settings):
    return planner().plan(replace(FREE, **settings))


@pytest.fixture(scope="module")
def curve():
    return move_curve(planner(), plan())


def test_every_point_is_the_plan_with_that_limit(curve):
    assert list(curve["most"][:-1]) == [0.0, *STEPS]
    assert np.isnan(curve["most"].iloc[-1])
    assert list(curve["is_plan"]) == [False] * (len(STEPS) + 1) + [True]
    for row in curve.iloc[1:].itertuples():
        one = plan(**({"default_bounds": row.most} if row.most == row.most else {}))
        assert row.gain == pytest.approx(one.uplift["mean"], rel=1e-3)
        assert row.lower_94 == pytest.approx(one.uplift["lower_94"], rel=2e-2, abs=500)
        change = one.table["planned"] - one.table["current"]
        assert row.moved == pytest.approx(change.clip(lower=0).sum(), rel=2e-2)


def test_the_first_point_moves_nothing_and_gains_by_timing_alone(curve):
    first = curve.iloc[0]
    assert first["moved"] == pytest.approx(0, abs=1e-6)
    assert first["gain"] == pytest.approx(plan().timing)


def test_more_room_never_gains_less_and_shares_are_of_the_widest(curve):
    assert (np.diff(curve["gain"]) >= -1e-4 * curve["gain"].max()).all()
    assert curve["of_widest"].to_numpy() == pytest.approx(curve["gain"] / curve["gain"].iloc[-1])
    assert curve.attrs == {"missing": (), "unit": "sales"}


def test_a_plan_with_a_limit_of_its_own_is_one_of_the_points():
    found = move_curve(planner(), plan(default_bounds=0.17))
    assert list(found.loc[found["is_plan"], "most"]) == [0.17]
    assert len(found) == len(STEPS) + 3


def test_the_bounds_are_about_the_last_periods_mix_at_the_plans_budget():
    window = planner().window
    for settings, centre in (
        ({}, window.current),
        ({"relative_budget": 0.5}, window.current / 2),
        ({"objective": "profit", "margin": 0.4}, window.current),
        ({"objective": "profit", "margin": 0.4, "relative_budget": 0.5}, window.current / 2),
        ({"objective": "profit", "margin": 0.4, "relative_budget": 2.0}, window.current),
    ):
        scenario = replace(FREE, default_bounds=0.1, **settings)
        low, high = default_bounds(scenario, window)
        least, most = window.seen
        assert low == pytest.approx(np.clip(0.9 * centre, least, most))
        assert high == pytest.approx(np.clip(1.1 * centre, least, most))
        seen = default_bounds(replace(scenario, default_bounds="seen"), window)
        assert np.array_equal(seen, window.seen)


def test_a_channels_own_bounds_come_before_the_default():
    planned = plan(default_bounds=0.1, bounds={"TV": (0.0, 1e9)})
    table = planned.table.set_index("channel")
    assert table.loc["TV", ["lower_bound", "upper_bound"]].tolist() == [0.0, 1e9]
    assert table.loc["Radio", "upper_bound"] <= 1.1 * table.loc["Radio", "current"] + 1e-6


def test_profit_is_told_in_money():
    scenario = replace(FREE, objective="profit", margin=0.4)
    one = planner().plan(scenario)
    found = move_curve(planner(), one)
    last = found.iloc[-1]
    assert found.attrs["unit"] == "profit"
    assert last["gain"] == pytest.approx(one.profit_gain.mean())
    assert last["upper_94"] == pytest.approx(np.quantile(one.profit_gain, 0.97))


@pytest.mark.parametrize(
    "settings",
    [
        {"relative_bounds": WIDE},
        {"fixed": ("TV",), "bounds": {"Radio": (0.0, 1e9)}},
        {"objective": "target_roas", "target": 0.5},
    ],
)
def test_where_nothing_is_left_to_the_default_there_is_no_curve(settings):
    found = move_curve(planner(), plan(**settings))
    assert found.empty and found.attrs["missing"] == ()


def test_limits_that_no_small_move_keeps_are_named_and_leave_no_point():
    tv = float(planner().window.current[0])
    found = move_curve(planner(), plan(bounds={"TV": (0.0, 0.9 * tv)}))
    assert found.attrs["missing"] == STEPS[: len(found.attrs["missing"])] != ()
    assert set(found.attrs["missing"]).isdisjoint(found["most"])


def test_a_clash_with_the_default_says_how_to_go_further():
    tv = float(planner().window.current[0])
    with pytest.raises(BudgetError) as clash:
        plan(default_bounds=0.05, bounds={"TV": (0.0, 0.9 * tv)})
    assert "a default: at most 5% from the last period, as the data have seen it" in str(
        clash.value
    )
    assert "or give bounds to the channels that have a default or default_bounds: seen" in str(
        clash.value
    )


def test_the_mix_at_another_budget_keeps_its_shares():
    assert mix_at(np.array([3.0, 1.0]), 8.0).tolist() == [6.0, 2.0]
    assert mix_at(np.zeros(2), 8.0).tolist() == [0.0, 0.0]


def test_wider_bounds_are_offered_only_where_they_would_help():
    tv = float(planner().window.current[0])
    with pytest.raises(BudgetError) as clash:
        plan(default_bounds=0.05, bounds={"TV": (0.0, 0.1 * tv)})
    assert "default_bounds: seen" not in str(clash.value)


def test_a_target_that_the_default_keeps_out_of_reach_says_so():
    most = float(plan(objective="target_mroas", target=1e-6).response.mean())
    asked = {"objective": "target_response", "target": 0.99 * most}
    assert plan(**asked).response.mean() == pytest.approx(0.99 * most, rel=1e-3)
    with pytest.raises(BudgetError, match="change by at most 5% here; with default_bounds: seen"):
        plan(default_bounds=0.05, **asked)
    with pytest.raises(BudgetError) as out:
        plan(objective="target_response", target=2 * most)
    assert "default_bounds" not in str(out.value)
