"""The planning window: its weeks, and the last period that it is held against."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from drawn_model import drawn_model
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.window import BudgetError, Window, window_of, window_start, working_spend

WEEK = pd.Timedelta(days=7)
FITTED = drawn_model()
LAST = pd.Timestamp(FITTED.weeks[-1])
FIRST = f"{LAST + WEEK:%Y-%m-%d}"
SPEND = FITTED.spend.to_numpy(float)


def window(weeks: int = 8, start: str | None = None, **cost: float) -> Window:
    return window_of(FITTED, weeks, start, cost)


def with_table(**columns: object) -> FittedModel:
    config = replace(FITTED.config, scaling=FITTED.response.scaling)
    changed = FittedModel(config, FITTED.trace)
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


def by_hand(weekly: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return adstocked spend, week by week and lag by lag, of weeks whose past is known."""
    lags = range(len(weights))
    weeks = range(len(weights) - 1, len(weekly))
    return np.array([sum(weekly[week - lag] * weights[lag] for lag in lags) for week in weeks])


def test_the_last_period_and_what_the_data_have_seen():
    found = window(weeks=5)
    assert found.channels == ("TV", "Radio")
    assert np.array_equal(found.last, SPEND[-5:])
    assert np.allclose(found.current, SPEND[-5:].sum(axis=0))
    assert found.weights.shape == (4, 2)
    assert np.allclose(found.weights.sum(axis=0), 1)
    assert np.allclose(found.weights, FITTED.response.weights.mean(axis=0))
    working = by_hand(SPEND, found.weights)
    assert np.allclose(working_spend(SPEND, found.weights), working)
    assert np.allclose(found.working, [working.min(axis=0), working.max(axis=0)])
    totals = np.array([SPEND[i : i + 5].sum(axis=0) for i in range(len(SPEND) - 4)])
    assert np.allclose(found.observed, [totals.min(axis=0), totals.max(axis=0)])
    low, high = found.seen
    assert np.allclose(low, np.minimum(5 * working.min(axis=0), found.current))
    assert np.allclose(high, np.maximum(5 * working.max(axis=0), found.current))


@pytest.mark.parametrize("weeks", [1, 3, 13, 104])
def test_the_last_period_is_always_among_the_seen(weeks):
    found = window(weeks=weeks)
    low, high = found.seen
    assert (low <= found.current).all()
    assert (found.current <= high).all()
    assert not found.leaves_the_seen(found.last).any()


def test_a_week_above_all_seen_is_flagged_in_its_channel():
    found = window(weeks=8)
    calm = np.tile(found.working.mean(axis=0), (8, 1))
    later = replace(found, before=found.before[:0])
    assert not later.leaves_the_seen(calm).any()
    wild = calm.copy()
    wild[2, 1] = 50 * found.working[1, 1]
    assert later.leaves_the_seen(wild).tolist() == [False, True]
    steady = np.tile(1.5 * SPEND.max(axis=0), (8, 1))
    assert later.leaves_the_seen(steady).all()


def test_spend_before_the_window_counts_towards_what_works_in_it():
    found = window(weeks=4)
    first = np.zeros((4, 2))
    first[0] = found.working[1] / found.weights[0]  # in its first week alone, just the highest ever
    cold = replace(found, before=np.zeros((3, 2)), last=np.zeros((4, 2)))
    assert not cold.leaves_the_seen(first).any()
    warm = replace(cold, before=np.full((3, 2), 0.1 * found.working[1].min()))
    assert warm.leaves_the_seen(first).all()
    # What earlier spend does by itself is in the replay, too, and no decision of the plan.
    hot = replace(cold, before=np.full((3, 2), 50 * found.working[1].max()))
    assert not hot.leaves_the_seen(np.zeros((4, 2))).any()


def test_a_burst_as_a_steady_level_was_never_seen():
    """Bursts of one week in eight: at their height every week, far more works than ever did."""
    burst = np.where(np.arange(len(SPEND)) % 8 == 0, 1e5, 0.0)
    found = window_of(with_table(Radio=burst), 16, None, {})
    assert found.working[1, 1] < 0.9e5
    steady = np.column_stack([found.last[:, 0], np.full(16, 1e5)])
    assert found.leaves_the_seen(steady)[1]


def test_cost_turns_units_into_money_but_not_what_is_carried_in():
    plain, dear = window(), window(Radio=2.5)
    factor = np.array([1.0, 2.5])
    assert dear.cost.tolist() == factor.tolist()
    for name in ("last", "working", "current", "observed", "seen"):
        assert np.allclose(getattr(dear, name), getattr(plain, name) * factor), name
    assert np.array_equal(dear.before, plain.before)
    assert np.array_equal(dear.weights, plain.weights)
    weekly = np.tile(plain.working[1], (8, 1)) * [1.2, 0.9]
    assert np.array_equal(dear.leaves_the_seen(weekly * factor), plain.leaves_the_seen(weekly))


@pytest.mark.parametrize("lag", [1, 2, 4, 9])
def test_what_still_works_is_carried_in_only_where_the_window_follows(lag):
    fitted = FittedModel(replace(FITTED.config, adstock_max_lag=lag), FITTED.trace)
    follows = window_of(fitted, 8, None, {})
    assert np.array_equal(follows.before, SPEND[len(SPEND) - (lag - 1) :])
    later = window_of(fitted, 8, f"{LAST + 2 * WEEK:%Y-%m-%d}", {})
    assert later.before.shape == (0, 2)
    assert (follows.unknown_weeks, later.unknown_weeks) == (0, 1)
    assert np.array_equal(later.last, follows.last)


def test_a_channel_without_spend_stays_in_the_window():
    silent = window_of(with_table(Radio=0.0), 8, None, {})
    assert silent.current[1] == 0
    assert [side[1] for side in (*silent.seen, *silent.observed)] == [0, 0, 0, 0]
    assert not silent.working[:, 1].any()
    assert not silent.leaves_the_seen(silent.last).any()
    assert silent.leaves_the_seen(silent.last + 1.0)[1]
