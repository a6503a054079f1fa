"""Plans and actual weeks that are read: what is wrong is named, with place and next step."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from drawn_model import drawn_model
from mmm_demo.contract import DataError
from mmm_demo.data_config import DataConfig
from mmm_demo.track_input import COLUMNS, Planned, TrackError, join_actuals, read_plan

CHANNELS = ("TV", "Radio")
LAST = pd.Timestamp(drawn_model().weeks[-1])
DATES = pd.date_range(LAST + pd.Timedelta(weeks=1), periods=3, freq="7D")


def make_schedule(cost: tuple[float, float] = (1.0, 1.0), **columns: Any) -> pd.DataFrame:
    """Return a stored plan of three weeks: units 1, 2 | 3, 4 | 5, 6."""
    units = np.arange(1.0, 7.0)
    table = pd.DataFrame(
        {
            "week": np.repeat(DATES.strftime("%Y-%m-%d"), 2),
            "channel": [*CHANNELS] * 3,
            "spend": units * np.tile(cost, 3),
            "units": units,
            "cost_per_unit": np.tile(cost, 3),
        }
    )
    return table.assign(**columns)


def make_actuals(weeks: int = 3, **columns: Any) -> pd.DataFrame:
    """Return actual weeks as they are read from a file."""
    table = pd.DataFrame(
        {
            "Week": pd.date_range(DATES[0], periods=weeks, freq="7D").strftime("%Y-%m-%d"),
            "Sales": 1e6,
            "TV": 2e4,
            "Radio": 0.0,
            "Trend": 1.0,
            "Remark": "",
        }
    )
    return table.assign(**columns)


def read(schedule: pd.DataFrame) -> Planned:
    return read_plan(schedule, DATES, CHANNELS, "plan.csv")


def test_plan_is_read_by_week_and_channel_in_any_order_of_rows() -> None:
    planned = read(make_schedule((2.0, 0.5)).sample(frac=1, random_state=1))
    assert planned.units.to_numpy().tolist() == [[1, 2], [3, 4], [5, 6]]
    assert planned.money.to_numpy().tolist() == [[2, 1], [6, 2], [10, 3]]
    assert list(planned.units.columns) == [*CHANNELS]
    assert list(planned.units.index) == [*DATES]
    assert planned.cost.to_dict() == {"TV": 2.0, "Radio": 0.5}


def test_cost_of_a_channel_without_planned_units_is_known() -> None:
    dark = {"units": [1.0, 0.0] * 3, "spend": [1.0, 0.0] * 3}
    assert read(make_schedule((1.0, 12.5), **dark)).cost.to_dict() == {"TV": 1.0, "Radio": 12.5}


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        (make_schedule().drop(columns="units"), "lacks units"),
        (make_schedule(cost_per_unit=2.0), "6 unusable row"),  # spend is not units times cost
        (
            make_schedule(cost_per_unit=[1, 1, 1, 1, 1, 2], spend=[1, 2, 3, 4, 5, 12]),
            "cost per unit",
        ),
        (make_schedule(units=[1, 2, np.nan, 4, 5, 6]), "1 unusable row.*'units': nan"),
        (make_schedule(spend=[1, 2, -3, 4, 5, 6]), "1 unusable row"),
        (make_schedule(spend=[1, 2, "x", 4, 5, 6]), "1 unusable row.*'x'"),
        (make_schedule(week="soon"), "6 unusable row"),
        (make_schedule(week=pd.NaT), "6 unusable row"),
        (make_schedule().iloc[:5], "6 rows are needed.*found 5 rows, 5 of these"),
        (make_schedule(channel=["TV"] * 6), "found 6 rows, 3 of these"),
        (make_schedule(channel=["TV", "Print"] * 3), "found 6 rows, 3 of these"),
        (make_schedule(week="2020-01-06"), "found 6 rows, 0 of these"),
        (make_schedule().iloc[:0], "found 0 rows"),
        (pd.concat([make_schedule(), make_schedule()]), "found 12 rows"),
    ],
)
def test_what_is_not_the_plan_of_these_weeks_is_refused(
    schedule: pd.DataFrame, reason: str
) -> None:
    with pytest.raises(TrackError, match=f"plan.csv.*{reason}"):
        read(schedule)


def join(actuals: pd.DataFrame, **made: Any) -> pd.DataFrame:
    return join_actuals(actuals, drawn_model(), DataConfig(**made), "a.csv")[0]


def test_actual_weeks_follow_the_data() -> None:
    data = drawn_model().table
    joined = join(make_actuals())
    assert len(joined) == len(data) + 3
    pd.testing.assert_frame_equal(joined.iloc[: len(data)], data, check_dtype=False)
    assert list(joined["Week"].iloc[-3:]) == [*DATES]
    assert joined.iloc[-1, 1:].tolist() == [1e6, 2e4, 0.0, 1.0]


def test_weeks_of_the_data_in_the_file_are_ignored_whatever_they_say() -> None:
    old = make_actuals(1, Week=f"{LAST:%Y-%m-%d}", Sales=np.nan)
    pd.testing.assert_frame_equal(join(pd.concat([old, make_actuals()])), join(make_actuals()))


def test_outliers_are_warned_about() -> None:
    made, extreme = DataConfig(), make_actuals(TV=[2e4, 2e4, 1e9])
    _, warnings = join_actuals(extreme, drawn_model(), made, "a.csv")
    assert any("'TV': 1 outlier" in warning for warning in warnings)
    assert not join_actuals(make_actuals(), drawn_model(), made, "a.csv")[1]


GROUPED = {"groups": {"TV": ("Linear", "Streaming")}}


def test_groups_are_added_up_unless_the_file_has_them() -> None:
    members = make_actuals(Linear=1.5e4, Streaming=5e3).drop(columns="TV")
    pd.testing.assert_frame_equal(join(members, **GROUPED), join(make_actuals()))
    pd.testing.assert_frame_equal(join(make_actuals(), **GROUPED), join(make_actuals()))
    with pytest.raises(DataError, match=r"(?s)^a\.csv.*TV: missing column\(s\) Streaming"):
        join(members.drop(columns="Streaming"), **GROUPED)
    with pytest.raises(DataError, match=r"(?s)^a\.csv.*'TV': negative value .* row 105 .* = -2"):
        join(members.assign(Streaming=[5e3, -2.0, 5e3]), **GROUPED)


@pytest.mark.parametrize("actuals", [make_actuals(Trend=0.0), make_actuals().drop(columns="Trend")])
def test_a_trend_goes_on_whatever_the_file_says(actuals: pd.DataFrame) -> None:
    joined = join(actuals, trend="linear")
    assert joined["Trend"].tolist() == list(range(len(joined)))
    assert list(joined.columns) == ["Week", "Sales", "TV", "Radio", "Trend"]


@pytest.mark.parametrize(
    ("actuals", "error", "reason"),
    [
        (make_actuals().drop(columns=["TV", "Sales"]), TrackError, r"lacks .*Sales, TV; it has"),
        (make_actuals().drop(columns="Trend"), TrackError, r"lacks the column\(s\) Trend"),
        (make_actuals().iloc[:0], TrackError, "no rows; bring the weeks since"),
        (make_actuals(1, Week=f"{LAST:%Y-%m-%d}"), TrackError, "none after the data"),
        (make_actuals(Sales=[1e6, np.nan, 1e6]), DataError, r"missing target .* row 105 \(2025"),
        (make_actuals(TV=[1.0, np.nan, 1.0]), DataError, "missing channel value"),
        (make_actuals(Trend=np.nan), DataError, "missing control value"),
        (make_actuals(TV=["1,000", "2", "3"]), DataError, "number as text"),
        (make_actuals(TV=[1.0, -1.0, 1.0]), DataError, "negative value"),
        (make_actuals(Sales=[1.0, np.inf, 1.0]), DataError, "infinite value"),
        (make_actuals().iloc[[0, 2]], DataError, "1 missing week.*2025-01-06"),
        (make_actuals().iloc[1:], DataError, "1 missing week.*2024-12-30"),
        (make_actuals().iloc[[0, 0, 1]], DataError, r"repeated date\(s\): 2024-12-30"),
        (make_actuals().iloc[[1, 0]], DataError, "out of order"),
        (make_actuals(1, Week="2024-12-31"), DataError, "not weekly"),
        (make_actuals(1, Week="30/12/2024"), DataError, "not YYYY-MM-DD"),
        (make_actuals(1, Week=None), DataError, "missing date value"),
    ],
)
def test_actual_weeks_that_cannot_be_used_are_named(
    actuals: pd.DataFrame, error: type[ValueError], reason: str
) -> None:
    with pytest.raises(error, match=rf"(?s)^a\.csv.*{reason}"):
        join(actuals)


def test_columns_of_a_plan_are_those_that_a_plan_writes() -> None:
    assert list(make_schedule().columns) == COLUMNS
