"""Plans side by side: what the table says of them can be had from the model itself."""

import numpy as np
import pytest

from drawn_model import drawn_model
from mmm_demo.planning.study import REPLAY, scenario_table
from mmm_demo.settings.scenario import Scenario
from planned import WEEKS, WIDE, planner, study

UNKNOWN = ["gain", "gain_lower_94", "gain_upper_50", "of_all_sales",
           "of_media_sales", "probability", "shortfall",
           "profit_gain", "profit_gain_lower_94", "profit_probability"]  # fmt: skip


def brings(planned: np.ndarray) -> np.ndarray:
    fitted = drawn_model()
    return fitted.response.incremental(fitted.spend.to_numpy(), planned).sum(axis=1)


def test_the_replay_comes_first_and_has_no_gain_over_itself():
    replay, last = study().scenarios.iloc[0], planner().window.last
    assert replay["scenario"] == REPLAY
    assert replay[UNKNOWN].isna().all()
    assert replay["budget"] == pytest.approx(last.sum())
    assert replay["response"] == pytest.approx(brings(last).mean())
    assert replay["response_upper_94"] == pytest.approx(np.quantile(brings(last), 0.97))
    more = brings(last * 1.001).mean() - brings(last).mean()
    assert replay["mroas"] == pytest.approx(more / (0.001 * last.sum()), rel=1e-3)


def test_each_plan_is_told_as_it_is():
    found = study().scenarios.iloc[1:]
    assert list(found["scenario"]) == ["keep_budget", "tv_as_before", "profit"]
    assert list(found["objective"]) == ["response", "response", "profit"]
    for row, plan in zip(found.to_dict("records"), study().plans, strict=True):
        gain = brings(plan.weekly.to_numpy()) - brings(plan.window.last)
        assert row["gain"] == pytest.approx(gain.mean())
        assert row["gain_lower_50"] == pytest.approx(np.quantile(gain, 0.25))
        assert row["probability"] == (gain > 0).mean()
        all_sales = drawn_model().observed[-WEEKS:].sum()
        assert row["of_all_sales"] == pytest.approx(gain.mean() / all_sales)
        assert row["of_media_sales"] == pytest.approx(gain.mean() / brings(plan.window.last).mean())
        assert row["budget"] == plan.total_budget
        assert row["roas"] == pytest.approx(plan.response.mean() / plan.total_budget)
        more = brings(plan.weekly.to_numpy() * 1.001).mean() - plan.response.mean()
        assert row["mroas"] == pytest.approx(more / (0.001 * plan.total_budget), rel=1e-3)


def test_the_only_margin_holds_for_every_row():
    found = study().scenarios
    assert found["profit"].to_numpy() == pytest.approx(0.4 * found["response"] - found["budget"])
    assert found["profit"].idxmax() == 3  # the plan that was made for it
    for row, plan in zip(found.iloc[1:].to_dict("records"), study().plans, strict=True):
        gain = 0.4 * plan.gain - (plan.total_budget - plan.current_budget)
        assert row["profit_gain"] == pytest.approx(gain.mean())
        assert row["profit_gain"] == pytest.approx(row["profit"] - found["profit"].iloc[0])
        assert row["profit_gain_upper_94"] == pytest.approx(np.quantile(gain, 0.97))
        assert row["profit_probability"] == (gain > 0).mean()
    own = study().plans[2].profit_gain
    assert found["profit_gain"].iloc[3] == pytest.approx(own.mean())


def test_with_two_margins_each_scenario_has_its_own_and_the_replay_none():
    scenarios = [
        Scenario("plain", relative_bounds=WIDE),
        Scenario("low", objective="profit", margin=0.3, relative_bounds=WIDE),
        Scenario("high", objective="profit", margin=0.6, relative_bounds=WIDE),
    ]
    found = scenario_table(planner(), [planner().plan(scenario) for scenario in scenarios])
    assert found["profit"].isna().tolist() == [True, True, False, False]
    assert found["profit_gain"].isna().tolist() == [True, True, False, False]
    low, high = found.iloc[2], found.iloc[3]
    assert low["profit"] == pytest.approx(0.3 * low["response"] - low["budget"])
    assert high["profit"] == pytest.approx(0.6 * high["response"] - high["budget"])


def test_without_a_margin_there_is_no_profit():
    plan = planner().plan(Scenario("plain", relative_bounds=WIDE))
    assert scenario_table(planner(), [plan])["profit"].isna().all()


def test_curves_and_frontier_are_those_of_the_first_plan():
    assert study().main is study().plans[0]
    assert list(study().curves["channel"].unique()) == ["TV", "Radio"]
    assert len(study().frontier) == 20
    assert study().frontier.attrs["missing"] == 0
    assert study().frontier["budget"].max() == pytest.approx(2 * planner().window.current.sum())
