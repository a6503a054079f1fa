"""The planning window: its weeks, and the last period that it is held against."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from drawn_model import drawn_model
from mmm_demo.fitted import FittedModel
from mmm_demo.planning.window import BudgetError, Window, window_of, window_start

WEEK = pd.Timedelta(days=7)
FITTED = drawn_model()
LAST = pd.Timestamp(FITTED.weeks[-1])
FIRST = f"{LAST + WEEK:%Y-%m-%d}"
SPEND = FITTED.spend.to_numpy(float)


def window(weeks: int = 8, start: str | None = None, **cost: float) -> Window:
    return window_of(FITTED, weeks, start, cost)


def with_table(**columns: object) -> FittedModel:
    changed = FittedModel(FITTED.config, FITTED.trace)
    changed.__dict__["table"] = FITTED.table.assign(**columns)
    return changed


def test_it_follows_the_data_by_default():
    assert window().start == LAST + WEEK
    assert window(start=FIRST).start == LAST + WEEK
    assert window(weeks=3).dates.tolist() == [LAST + WEEK * i for i in (1, 2, 3)]
    assert window(weeks=3).end == LAST + 3 * WEEK
    assert window(weeks=1).end == window(weeks=1).start
    assert [window(weeks=n).weeks for n in (1, 8, len(SPEND))] == [1, 8, len(SPEND)]


@pytest.mark.parametrize("days", [-7 * 200, -7, 0, 1, 6, 8, 13])
def test_it_starts_whole_weeks_after_the_data(days):
    start = f"{LAST + pd.Timedelta(days=days):%Y-%m-%d}"
    with pytest.raises(BudgetError) as refused:
        window_start(FITTED, start)
    text = str(refused.value)
    assert f"{pd.Timestamp(start):%A %Y-%m-%d}" in text
    assert f"the data end {LAST:%Y-%m-%d}" in text
    assert f"start on {FIRST}" in text


@pytest.mark.parametrize("weeks", [1, 2, 30])
def test_it_may_start_later(weeks):
    start = f"{LAST + weeks * WEEK:%Y-%m-%d}"
    assert window(start=start).start == LAST + weeks * WEEK


def test_it_is_no_longer_than_the_data():
    rows = len(SPEND)
    with pytest.raises(BudgetError, match=f"window of {rows + 1} weeks is longer than the {rows}"):
        window(weeks=rows + 1)


def test_a_cost_of_no_channel_is_refused():
    with pytest.raises(BudgetError, match=r"cost_per_unit names Audio, tv; channels: TV, Radio"):
        window_of(FITTED, 8, None, {"tv": 2.0, "TV": 1.0, "Audio": 1.0})


def test_last_period_and_totals_are_those_of_the_table():
    found = window(weeks=5)
    assert found.channels == ("TV", "Radio")
    assert np.array_equal(found.last, SPEND[-5:])
    assert np.allclose(found.current, SPEND[-5:].sum(axis=0))
    sums = [SPEND[i : i + 5].sum(axis=0) for i in range(len(SPEND) - 4)]
    assert np.allclose(found.totals, sums)
    low, high = found.observed
    assert np.allclose(low, np.min(sums, axis=0))
    assert np.allclose(high, np.max(sums, axis=0))
    assert np.array_equal(found.top_week, SPEND.max(axis=0))


def test_a_window_as_long_as_the_data_was_seen_once():
    low, high = window(weeks=len(SPEND)).observed
    assert np.array_equal(low, high)


def test_cost_turns_units_into_money_but_not_what_is_carried_in():
    plain, dear = window(), window(Radio=2.5)
    factor = [1.0, 2.5]
    assert dear.cost.tolist() == factor
    for name in ("last", "totals", "top_week", "current"):
        assert np.allclose(getattr(dear, name), getattr(plain, name) * factor), name
    assert np.array_equal(dear.before, plain.before)


@pytest.mark.parametrize("lag", [1, 2, 4, 9])
def test_what_still_works_is_carried_in_only_where_the_window_follows(lag):
    fitted = FittedModel(replace(FITTED.config, adstock_max_lag=lag), FITTED.trace)
    follows = window_of(fitted, 8, None, {})
    assert np.array_equal(follows.before, SPEND[len(SPEND) - (lag - 1) :])
    later = window_of(fitted, 8, f"{LAST + 2 * WEEK:%Y-%m-%d}", {})
    assert later.before.shape == (0, 2)
    assert np.array_equal(later.last, follows.last)


def test_a_channel_without_spend_stays_in_the_window():
    silent = window_of(with_table(Radio=0.0), 8, None, {})
    assert silent.current[1] == 0
    assert [side[1] for side in silent.observed] == [0, 0]
    assert silent.top_week[1] == 0
    assert np.isfinite(silent.totals).all()
