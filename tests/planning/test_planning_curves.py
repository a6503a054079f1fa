"""Curves and frontier: against the model's own forecast, and against a search over a grid."""

import numpy as np
import pandas as pd
import pytest

from mmm_demo.planning.curves import budget_frontier, response_curves
from mmm_demo.planning.optimize import Planner
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.solver import maximise
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.scenario import Group, Scenario
from planned import WEEKS, WIDE, planner, s_shaped

LEVELS = ["lower_94", "lower_50", "upper_50", "upper_94"]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planner().plan(Scenario("plan", relative_bounds=WIDE))


@pytest.fixture(scope="module")
def curves(plan: Plan) -> pd.DataFrame:
    return response_curves(planner(), plan)


@pytest.fixture(scope="module")
def frontier() -> pd.DataFrame:
    return budget_frontier(planner(), Scenario("plan", relative_bounds=WIDE))


def even(*totals: float) -> np.ndarray:
    return np.tile(np.array(totals) / WEEKS, (WEEKS, 1))


def brings(planned: np.ndarray, of: Planner | None = None) -> np.ndarray:
    """Return what spend brings by the model's own forecast, shape (sample, channel)."""
    fitted = (of or planner()).fitted
    return fitted.response.incremental(fitted.spend.to_numpy(), planned)


# Curves


def test_curves_are_what_the_model_forecasts(curves):
    for place, (_, curve) in enumerate(curves.groupby("channel", sort=False)):
        for row in (curve.iloc[7], curve.iloc[-1]):
            totals = np.zeros(2)
            totals[place] = row["spend"]
            draws = brings(even(*totals))[:, place]
            assert row["mean"] == pytest.approx(draws.mean())
            levels = np.quantile(draws, [0.03, 0.25, 0.75, 0.97])
            assert row[LEVELS].to_numpy(float) == pytest.approx(levels)


def test_curves_go_from_nothing_to_beyond_what_was_or_would_be_spent(curves, plan):
    assert list(curves["channel"].unique()) == list(plan.table["channel"])
    for part in plan.table.itertuples():
        curve = curves[curves["channel"] == part.channel]
        assert len(curve) == 40
        first, last = curve.iloc[0], curve.iloc[-1]
        assert (first["spend"], first["mean"], first["upper_94"]) == (0, 0, 0)
        farthest = max(part.current, part.planned, part.observed_high)
        assert last["spend"] == pytest.approx(1.5 * farthest)
        assert not last["observed"]
        inside = curve["spend"].between(part.observed_low, part.observed_high)
        assert (curve["observed"] == inside).all()
        assert inside.any()


def test_the_marginal_return_is_the_slope_of_the_response(curves, plan):
    dense = response_curves(planner(), plan, points=400)
    for _, curve in dense.groupby("channel"):
        slope = np.gradient(curve["mean"], curve["spend"])
        assert curve["marginal"].to_numpy()[1:-1] == pytest.approx(slope[1:-1], rel=0.01)
    assert (curves["marginal_lower_94"] < curves["marginal_upper_94"]).all()


def test_curves_agree_with_the_plan_that_they_are_about(curves, plan):
    for part in plan.table.itertuples():
        curve = curves[curves["channel"] == part.channel]
        there = np.interp(part.planned, curve["spend"], curve["mean"])
        assert there == pytest.approx(part.inside + part.after, rel=0.01)


def test_a_channel_without_money_is_spread_by_the_profile():
    late = (0.0,) * (WEEKS - 1) + (1.0,)
    scenario = Scenario("none", relative_budget=0.4, bounds={"TV": (0.0, 0.0)},
                        relative_bounds={"Radio": (0, 3)}, profile={"TV": late})  # fmt: skip
    plan = planner().plan(scenario)
    assert plan.weekly["TV"].sum() == 0
    row = response_curves(planner(), plan).query("channel == 'TV'").iloc[20]
    spread = np.zeros((WEEKS, 2))
    spread[-1, 0] = row["spend"]
    assert row["mean"] == pytest.approx(brings(spread)[:, 0].mean())
    assert row["mean"] != pytest.approx(brings(even(row["spend"], 0))[:, 0].mean(), rel=0.01)


# Frontier


def test_the_frontier_goes_from_half_to_twice_the_budget(frontier):
    current = planner().window.current.sum()
    assert frontier["budget"].to_numpy() == pytest.approx(np.linspace(0.5, 2, 20) * current)
    assert (frontier["mean"].diff().dropna() > 0).all()
    assert (frontier["mroas"].diff().dropna() < 0).all()
    assert frontier["roas"].to_numpy() == pytest.approx(frontier["mean"] / frontier["budget"])
    assert (frontier[LEVELS].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)


@pytest.mark.parametrize("row", [0, 9, 19])
def test_no_other_mix_of_the_budget_brings_more(frontier, row):
    point, limit = frontier.iloc[row], 3 * planner().window.current
    for share in np.linspace(0, 1, 41):
        totals = point["budget"] * np.array([share, 1 - share])
        if (totals <= limit).all():
            assert brings(even(*totals)).sum(axis=1).mean() <= point["mean"] * (1 + 1e-6)


def test_a_plan_of_a_budget_on_the_frontier_brings_what_the_frontier_says(frontier):
    point = frontier.iloc[12]
    plan = planner().plan(Scenario("one", total_budget=point["budget"], relative_bounds=WIDE))
    assert plan.response.mean() == pytest.approx(point["mean"], rel=1e-5)
    assert np.quantile(plan.response, 0.03) == pytest.approx(point["lower_94"], rel=1e-3)


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("wide", relative_bounds=WIDE),
        Scenario("ever_observed"),
        Scenario("fixed", relative_bounds={"Radio": (0.2, 3)}, fixed=("TV",)),
        Scenario("group", relative_bounds=WIDE, groups={"both": Group(("TV", "Radio"), 5e5)}),
    ],
    ids=lambda scenario: scenario.name,
)
def test_marginal_roas_is_what_more_budget_brings(scenario):
    table = budget_frontier(planner(), scenario, points=61)
    slope = np.diff(table["mean"]) / np.diff(table["budget"])
    between = (table["mroas"].to_numpy()[:-1], table["mroas"].to_numpy()[1:])
    # Of a concave line the slope of a chord lies between those at its ends.
    assert (slope <= np.maximum(*between) * 1.002).all()
    assert (slope >= np.minimum(*between) * 0.998).all()


def test_the_limits_cut_the_frontier():
    current = planner().window.current.sum()
    narrow = budget_frontier(planner(), Scenario("narrow", relative_bounds={"*": (0.9, 1.1)}))
    assert narrow["budget"].iloc[[0, -1]].to_numpy() == pytest.approx(
        [0.9 * current, 1.1 * current]
    )
    assert narrow["mroas"].notna().all()
    group = {"both": Group(("TV", "Radio"), at_most=1.3 * current)}
    capped = budget_frontier(planner(), Scenario("capped", relative_bounds=WIDE, groups=group))
    assert capped["budget"].iloc[-1] == pytest.approx(1.3 * current)


def test_the_frontier_reaches_beyond_a_budget_that_was_asked_for():
    current = planner().window.current.sum()
    scenario = Scenario("more", relative_budget=2.5, relative_bounds={"*": (0, 10)})
    ends = budget_frontier(planner(), scenario)["budget"].iloc[[0, -1]]
    assert ends.to_numpy() == pytest.approx([0.5 * current, 5 * current])


def test_limits_far_from_the_last_period_are_kept():
    current = planner().window.current
    far = {name: (3 * money, 4 * money) for name, money in zip(("TV", "Radio"), current)}  # noqa: B905
    scenario = Scenario("far", objective="target_mroas", target=0.001, bounds=far)
    budgets = budget_frontier(planner(), scenario)["budget"]
    assert budgets.iloc[[0, -1]].to_numpy() == pytest.approx(np.array([3, 4]) * current.sum())


def test_the_only_budget_that_is_allowed_has_no_next_unit():
    table = budget_frontier(planner(), Scenario("as_before", fixed=("TV", "Radio")))
    assert len(table) == 1
    assert table["budget"].item() == pytest.approx(planner().window.current.sum())
    assert np.isnan(table["mroas"].item())
    assert table["mean"].item() == pytest.approx(
        brings(planner().window.last).sum(axis=1).mean()  # fixed channels keep their weeks, too
    )


def test_limits_that_clash_have_no_frontier():
    scenario = Scenario("clash", total_budget=1.0, relative_bounds={"*": (0.9, 1.1)})
    with pytest.raises(BudgetError, match="clash"):
        budget_frontier(planner(), scenario)


@pytest.mark.parametrize("of", [planner(), s_shaped()], ids=["concave", "s_shaped"])
def test_a_budget_whose_search_fails_is_left_out_and_counted(monkeypatch, of):
    wide = Scenario("wide", relative_bounds=WIDE)
    whole = budget_frontier(of, wide, points=5)
    bad = whole["budget"].iloc[[0, 3]].to_list()

    def stubborn(goal, region, *rest, **options):
        if any(np.isclose(region.budget, budget) for budget in bad):
            raise BudgetError("no search ended")
        return maximise(goal, region, *rest, **options)

    monkeypatch.setattr("mmm_demo.planning.curves.maximise", stubborn)
    found = budget_frontier(of, wide, points=5)
    assert (len(found), found.attrs["missing"]) == (3, 2)
    assert found["budget"].tolist() == pytest.approx(whole["budget"].iloc[[1, 2, 4]].tolist())
    assert found["mean"].tolist() == pytest.approx(whole["mean"].iloc[[1, 2, 4]].tolist(), rel=1e-4)
    bad = whole["budget"].to_list()
    nothing = budget_frontier(of, wide, points=5)
    assert (len(nothing), nothing.attrs["missing"]) == (0, 5)
    assert list(nothing.columns) == list(whole.columns)


def test_other_failures_of_a_search_are_not_hidden(monkeypatch):
    def broken(*_, **__):
        raise FloatingPointError("a fault of the code")

    monkeypatch.setattr("mmm_demo.planning.curves.maximise", broken)
    with pytest.raises(FloatingPointError):
        budget_frontier(planner(), Scenario("wide", relative_bounds=WIDE), points=2)


@pytest.mark.parametrize(
    "planner",
    # Of two hills, the better one at small budgets is the worse one at large budgets, so that a
    # search that only follows the budget upwards (or downwards) stays on the wrong one.
    [s_shaped(), s_shaped((2.0, 12.0), (0.6, 0.2)), s_shaped((12.0, 2.0), (0.2, 0.6))],
    ids=["drawn", "first_channel_later", "second_channel_later"],
)
def test_an_s_shaped_response_has_its_best_mixes_on_the_frontier(planner):
    assert not planner.concave
    table = budget_frontier(planner, Scenario("wide", relative_bounds={"*": (0, 6)}), points=7)
    limit = 6 * planner.window.current
    for row in table.itertuples():
        for share in np.linspace(0, 1, 41):
            totals = row.budget * np.array([share, 1 - share])
            if (totals <= limit).all():
                assert brings(even(*totals), planner).sum(axis=1).mean() <= row.mean * 1.0005
