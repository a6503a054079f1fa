"""A plan against what came: by hand, in worlds made by the model itself, and where it must fail."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from drawn_model import CHAINS, DRAWS, drawn_model
from mmm_demo.checks.gate import NOT_ASSESSABLE
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.actuals import ActualsError, Planned
from mmm_demo.planning.outcome import (
    HELD,
    NOT_FOLLOWED,
    NOT_HELD,
    Forecast,
    PlanOutcome,
    outcome_of,
)

WEEKS = 6
CHANNELS = ["TV", "Radio"]
COLUMNS = ["Week", "Sales", *CHANNELS, "Trend"]
RNG = np.random.default_rng(3)
SPEND = RNG.uniform(1e4, 6e4, (WEEKS, 2))


def make_table(fitted: FittedModel, spend: np.ndarray = SPEND, gap: int = 0) -> pd.DataFrame:
    """Return the data, `gap` weeks and the window, with the expected sales as sales."""
    last = pd.Timestamp(fitted.weeks[-1])
    spent = np.vstack([np.full((gap, 2), 3e4), spend])
    weeks = pd.date_range(last + pd.Timedelta(weeks=1), periods=len(spent), freq="7D")
    new = pd.DataFrame(spent, columns=CHANNELS).assign(Week=weeks, Sales=np.nan, Trend=104.0)
    table = pd.concat([fitted.table.assign(Sales=0.0), new.fillna(0.0)], ignore_index=True)[COLUMNS]
    mean = fitted.response.mean(table).mean(axis=0)
    return table.assign(Sales=mean)


def make_planned(weeks: pd.Series, units: np.ndarray = SPEND, cost: object = 1.0) -> Planned:
    table = pd.DataFrame(units, index=pd.DatetimeIndex(weeks), columns=CHANNELS)
    return Planned(table, pd.Series(cost, CHANNELS, dtype=float))


def make_outcome(
    spend: np.ndarray = SPEND, plan: np.ndarray = SPEND, cost: object = 1.0
) -> PlanOutcome:
    table = make_table(drawn_model(), spend)
    return outcome_of(drawn_model(), make_planned(table["Week"].iloc[-WEEKS:], plan, cost), table)


def made_up(draws: np.ndarray, realised: np.ndarray) -> PlanOutcome:
    """Return an outcome of a plan that was followed, with these forecasts."""
    outcome, forecast = make_outcome(), Forecast(draws, realised)
    return replace(outcome, promised=forecast, expected=forecast)


# --- forecasts by hand --------------------------------------------------------------------------


def test_intervals_inside_z_and_pit_are_those_of_the_draws() -> None:
    draws = np.column_stack([np.arange(101.0)] * 4)
    forecast = Forecast(draws, np.array([50.0, 10.0, 98.0, np.nan]))
    table = forecast.table
    assert table.loc[0, ["mean", "lower_94", "lower_50", "upper_50", "upper_94"]].tolist() == [
        *(50, 3, 25, 75, 97)
    ]
    assert table["inside_50"].tolist() == [True, False, False, False]
    assert table["inside_94"].tolist() == [True, True, False, False]
    assert forecast.pit[:3] == pytest.approx([50.5 / 101, 10.5 / 101, 98.5 / 101])
    assert np.isnan(forecast.pit[3]) and np.isnan(forecast.z[3])
    assert forecast.z[:2] == pytest.approx([0.0, -40 / np.arange(101).std()])


def test_total_is_the_sum_of_each_draw_not_of_the_ends() -> None:
    draws = np.array([[0.0, 10.0], [10.0, 0.0]] * 50)  # what one week gains, the other loses
    total = Forecast(draws, np.array([5.0, 5.0])).total
    assert total.table.loc[0, ["lower_94", "upper_94"]].tolist() == [10.0, 10.0]
    assert total.table["inside_94"].item() and total.realised.item() == 10.0


@pytest.mark.parametrize("missing", ["draws", "realised"])
def test_what_is_not_measured_is_never_inside(missing: str) -> None:
    draws, realised = np.random.default_rng(1).normal(100, 1, (50, WEEKS)), np.full(WEEKS, 100.0)
    assert made_up(draws, realised).status == HELD
    if missing == "draws":
        draws[3, 2] = np.nan
    else:
        realised[2] = np.nan
    outcome = made_up(draws, realised)
    assert outcome.status == NOT_ASSESSABLE
    assert outcome.promised.table["inside_94"].sum() == WEEKS - 1
    assert dict(outcome.metrics())["total_inside_94"] == 0


# --- forecasts of the model ---------------------------------------------------------------------


def test_promise_is_the_mean_under_the_plan_and_expectation_under_the_real_spend() -> None:
    fitted, plan = drawn_model(), SPEND[::-1]
    table = make_table(fitted)
    outcome = make_outcome(SPEND, plan)
    as_planned = table.copy()
    as_planned.loc[len(table) - WEEKS :, CHANNELS] = plan
    noise = np.random.default_rng(0).normal(size=(CHAINS * DRAWS, WEEKS + 3))[:, -WEEKS:]
    noise = noise * fitted.response.noise[:, None]
    for forecast, spent in ((outcome.promised, as_planned), (outcome.expected, table)):
        mean = fitted.response.mean(spent)[:, -WEEKS:]  # over all weeks since the data began
        np.testing.assert_allclose(forecast.draws, mean + noise)
    assert not np.allclose(outcome.promised.draws, outcome.expected.draws)


def test_a_plan_that_was_followed_promises_what_is_expected() -> None:
    outcome = make_outcome()
    np.testing.assert_array_equal(outcome.promised.draws, outcome.expected.draws)
    assert outcome.deviation == 0 and outcome.status == HELD


def test_spend_between_data_and_window_carries_over() -> None:
    fitted = drawn_model()
    table = make_table(fitted, gap=2)
    planned = make_planned(table["Week"].iloc[-WEEKS:])
    outcome = outcome_of(fitted, planned, table)
    dark = table.copy()
    dark.loc[len(table) - WEEKS - 2 : len(table) - WEEKS - 1, CHANNELS] = 0.0
    less = outcome_of(fitted, planned, dark)
    assert len(outcome.weeks) == WEEKS
    assert (outcome.promised.draws - less.promised.draws)[:, 0].min() > 0
    # Lag 4: what was spent in the week before the window still works in its third week, not later.
    assert (outcome.promised.draws - less.promised.draws)[:, 2].min() > 0
    np.testing.assert_allclose(outcome.promised.draws[:, 3:], less.promised.draws[:, 3:])


def test_weeks_so_far_are_those_of_the_whole_window() -> None:
    table = make_table(drawn_model())
    planned = make_planned(table["Week"].iloc[-WEEKS:])
    whole = outcome_of(drawn_model(), planned, table)
    some = outcome_of(drawn_model(), planned, table.iloc[:-4])
    assert len(some.weeks) == 2 and some.weeks_planned == WEEKS
    mean = whole.promised.table["mean"].iloc[:2]
    # The noise differs, so the means agree up to it.
    assert np.abs(some.promised.table["mean"] / mean - 1).max() < 0.1
    assert len(some.spend) == 4
    more = pd.concat(
        [table, table.tail(1).assign(Week=table["Week"].iloc[-1] + pd.Timedelta("7D"))]
    )
    after = outcome_of(drawn_model(), planned, more.reset_index(drop=True))
    np.testing.assert_array_equal(after.promised.draws, whole.promised.draws)


def test_a_window_that_has_not_begun_is_refused() -> None:
    table = make_table(drawn_model())
    planned = make_planned(table["Week"].iloc[-WEEKS:])
    with pytest.raises(ActualsError, match=r"end 2024-12-23, before the plan starts"):
        outcome_of(drawn_model(), planned, table.iloc[:-WEEKS])


# --- worlds -------------------------------------------------------------------------------------


def worlds() -> list[PlanOutcome]:
    """Return a followed plan in worlds whose truth is each draw of the model in turn."""
    fitted = drawn_model()
    table = make_table(fitted)
    planned = make_planned(table["Week"].iloc[-WEEKS:])
    sales = fitted.response.sales(table, np.random.default_rng(17))
    return [outcome_of(fitted, planned, table.assign(Sales=world)) for world in sales]


def test_in_worlds_drawn_from_the_model_its_promises_are_calibrated() -> None:
    found = pd.DataFrame([dict(outcome.metrics()) for outcome in worlds()])
    assert len(found) == CHAINS * DRAWS
    # 60 worlds: four standard errors of shares over independent worlds.
    for level, slack in ((0.50, 0.26), (0.94, 0.12)):
        name = f"{100 * level:.0f}"
        assert found[f"coverage_{name}"].mean() == pytest.approx(level, abs=slack)
        assert found[f"total_inside_{name}"].mean() == pytest.approx(level, abs=slack)
    assert found["total_pit"].mean() == pytest.approx(0.5, abs=0.15)
    assert found["total_pit"].std() == pytest.approx(np.sqrt(1 / 12), abs=0.1)


def test_sales_shifted_by_five_sigma_are_outside() -> None:
    outcome = make_outcome()
    sigma, total = outcome.promised.draws.std(axis=0), outcome.promised.total
    for sign in (-1, 1):
        week = made_up(outcome.promised.draws, outcome.promised.realised + sign * 5 * sigma)
        assert week.promised.table["inside_94"].sum() == 0
        shift = sign * 5 * total.draws.std() / WEEKS
        whole = made_up(outcome.promised.draws, outcome.promised.realised + shift)
        assert whole.status == NOT_HELD
        assert whole.promised.total.pit.item() == (1.0 if sign > 0 else 0.0)
        assert whole.promised.total.z.item() == pytest.approx(sign * 5, abs=0.5)


# --- spend --------------------------------------------------------------------------------------


def test_spend_is_held_against_the_plan_by_week_and_channel() -> None:
    plan = np.full((WEEKS, 2), 100.0)
    spent = plan.copy()
    spent[0], spent[1, 0] = (90.0, 120.0), 110.0  # TV 10 less and 10 more, Radio 20 more
    outcome = make_outcome(spent, plan, cost=[2.0, 0.5])
    first = outcome.spend[outcome.spend["week"] == outcome.weeks[0]]
    assert first["channel"].tolist() == CHANNELS
    assert first[["planned", "realised", "deviation"]].to_numpy().tolist() == [
        [200.0, 180.0, -20.0],
        [50.0, 60.0, 10.0],
    ]
    table = outcome.by_channel.set_index("channel")
    assert table["deviation"].to_dict() == {"TV": 0.0, "Radio": 10.0}
    assert table.loc["Radio", "change"] == pytest.approx(10 / 300)
    assert outcome.deviation == pytest.approx(10 / 1500)
    assert outcome.table["spend_planned"].tolist() == [250.0] * WEEKS


@pytest.mark.parametrize(
    ("factors", "deviation", "status"),
    [
        ((1.0, 1.0), 0.0, HELD),
        ((1.09, 1.09), 0.09, HELD),
        ((1.11, 1.11), 0.11, NOT_FOLLOWED),
        ((0.8, 1.2), 0.2, NOT_FOLLOWED),  # as much money, elsewhere
        ((0.0, 0.0), 1.0, NOT_FOLLOWED),
    ],
)
def test_a_plan_is_followed_up_to_a_tenth_of_its_money(
    factors: tuple[float, float], deviation: float, status: str
) -> None:
    plan = np.full((WEEKS, 2), 2e4)
    outcome = make_outcome(plan * factors, plan)
    assert outcome.deviation == pytest.approx(deviation)
    assert outcome.status == status


def test_money_where_none_was_planned_is_no_followed_plan() -> None:
    plan = np.column_stack([np.full(WEEKS, 100.0), np.zeros(WEEKS)])
    spent = np.full((WEEKS, 2), 100.0)
    outcome = make_outcome(spent, plan, cost=[2.0, 12.5])
    assert dict(outcome.metrics())["spend_realised"] == pytest.approx(WEEKS * 100 * 14.5)
    assert outcome.deviation == pytest.approx(12.5 / 2) and outcome.status == NOT_FOLLOWED
    assert make_outcome(plan, plan, cost=[2.0, 12.5]).deviation == 0
    nothing = make_outcome(spent, 0 * plan)
    assert np.isinf(nothing.deviation) and nothing.status == NOT_FOLLOWED
    assert make_outcome(0 * spent, 0 * plan).deviation == 0


def test_where_residuals_hang_together_a_promise_goes_on_from_the_last_week_of_the_data() -> None:
    drawn, rho, gap = drawn_model(), 0.9, 5
    posterior = drawn.trace["posterior"].to_dataset()
    posterior["y_sigma"] = xr.full_like(posterior["y_sigma"], 1e-9)  # all but nothing is new
    posterior["y_rho"] = xr.full_like(posterior["y_sigma"], rho)
    trace = drawn.trace.copy()
    trace["posterior"] = xr.DataTree(posterior)
    fitted = FittedModel(replace(drawn.config, autocorrelation=True), trace)
    table = make_table(fitted, gap=gap)
    outcome = outcome_of(fitted, make_planned(table["Week"].iloc[-WEEKS:]), table)
    mean = fitted.response.mean(table)
    left = fitted.observed[-1] - mean[:, len(fitted.table) - 1]
    fades = left[:, None] * rho ** np.arange(gap + 1, gap + 1 + WEEKS)
    np.testing.assert_allclose(outcome.promised.draws, mean[:, -WEEKS:] + fades, rtol=1e-5)
    assert (np.abs(left) > 1e4).all()  # or nothing would be shown
