"""Plans and actual weeks that are read: what is wrong is named, with place and next step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from drawn_model import drawn_model
from mmm_demo.planning.actuals import COLUMNS, ActualsError, Planned, join_actuals, read_plan
from mmm_demo.settings.data import DataConfig
from mmm_demo.tables.faults import DataError

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
    with pytest.raises(ActualsError, match=f"plan.csv.*{reason}"):
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
        (make_actuals().drop(columns=["TV", "Sales"]), ActualsError, r"lacks .*Sales, TV; it has"),
        (make_actuals().drop(columns="Trend"), ActualsError, r"lacks the column\(s\) Trend"),
        (make_actuals().iloc[:0], ActualsError, "no rows; bring the weeks since"),
        (make_actuals(1, Week=f"{LAST:%Y-%m-%d}"), ActualsError, "none after the data"),
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


# Other units, and weeks that have not come


def last_weeks(weeks: int = 6) -> pd.DataFrame:
    """Return weeks like the data's last, as they are read from a file."""
    table = drawn_model().table.tail(weeks).reset_index(drop=True)
    days = pd.date_range(LAST + pd.Timedelta(weeks=1), periods=weeks, freq="7D")
    return table.assign(Week=days.strftime("%Y-%m-%d"))


def joined(
    table: pd.DataFrame, planned: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    return join_actuals(table, drawn_model(), DataConfig(), "a.csv", planned)


def put(value: float, columns: str | list[str], rows: slice) -> pd.DataFrame:
    table = last_weeks()
    table.loc[rows, columns] = value
    return table


GOOD: dict[str, Callable[[], pd.DataFrame]] = {
    "like the last weeks": last_weeks,
    "one week": lambda: last_weeks(1),
    "a dark channel": lambda: put(0.0, "TV", slice(None)),
    "all channels dark": lambda: put(0.0, ["TV", "Radio"], slice(None)),
    "sales doubled": lambda: last_weeks().assign(Sales=lambda table: table["Sales"] * 2),
    "spend halved": lambda: last_weeks().assign(TV=lambda table: table["TV"] / 2),
    "with the weeks of the data": lambda: pd.concat(
        [drawn_model().table.assign(Week=lambda t: t["Week"].dt.strftime("%Y-%m-%d")), last_weeks()]
    ),
    "with the last of them restated": lambda: pd.concat(
        [
            drawn_model()
            .table.tail(8)
            .assign(
                Week=lambda t: t["Week"].dt.strftime("%Y-%m-%d"), Sales=lambda t: t["Sales"] * 1.2
            ),
            last_weeks(),
        ]
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_weeks_that_may_be_are_tracked_without_a_word(name: str) -> None:
    table, warnings = joined(GOOD[name]())
    assert len(table) > len(drawn_model().table)
    assert warnings == ()


def test_an_empty_week_in_the_middle_is_a_hole_that_is_named() -> None:
    table, (warning,) = joined(put(0.0, ["Sales", "TV", "Radio"], slice(2, 2)))
    assert len(table) > len(drawn_model().table)
    assert "1 week of almost none and no spend" in warning and "holes in the records?" in warning


def test_a_level_that_may_be_growth_is_warned_of() -> None:
    _, warnings = joined(last_weeks().assign(Sales=lambda table: table["Sales"] * 8))
    (line,) = warnings
    assert line.startswith("Sales: ") and "times the version's last 13 weeks" in line


@pytest.mark.parametrize("column", ["Sales", "TV"])
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_another_unit_is_refused_with_both_levels(column: str, factor: float) -> None:
    table = last_weeks()
    table[column] *= factor
    with pytest.raises(
        ValueError, match=rf"(?s)^a\.csv.*{column}: .*version's last.* -> "
    ) as error:
        joined(table)
    assert "bring them in the unit of its data" in str(error.value)


def test_a_file_whose_weeks_of_the_data_are_in_another_unit_is_refused_by_them() -> None:
    table = GOOD["with the weeks of the data"]()
    table["TV"] *= 7
    with pytest.raises(ValueError, match="TV: 7 times what the version was fitted on in the same"):
        joined(table)


@pytest.mark.parametrize("column", ["Sales", "TV"])
def test_new_weeks_in_another_unit_are_refused_whatever_the_weeks_before_them_say(
    column: str,
) -> None:
    table = GOOD["with the weeks of the data"]().reset_index(drop=True)
    table.loc[len(drawn_model().table) :, column] /= 1000
    with pytest.raises(ValueError, match=rf"(?s)^a\.csv.*{column}: 1/.* of the version's last 13"):
        joined(table)


def test_spend_that_follows_its_plan_is_in_the_plans_unit() -> None:
    table = last_weeks().assign(TV=6e6)
    weeks = pd.DatetimeIndex(table["Week"])
    planned = pd.DataFrame({"TV": 5e6, "Radio": 2e4}, index=weeks)
    _, warnings = joined(table, planned)
    assert any(line.startswith("TV: ") and "planned 5,000,000" in line for line in warnings)
    with pytest.raises(ValueError, match=r"TV: .* -> 6,000,000 in the middle week, planned 60,000"):
        joined(table, planned.assign(TV=6e4))


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        (
            ["Sales", "TV", "Radio"],
            slice(3, None),
            r"the last 3 weeks \(from .*\) have neither sales",
        ),
        (
            ["Sales", "TV", "Radio"],
            slice(5, None),
            r"the last 1 week \(from .*\) has neither sales",
        ),
        (["Sales", "TV", "Radio"], slice(None), r"the last 6 weeks \(from .*\) have neither sales"),
        (["Sales"], slice(4, None), r"the last 2 weeks \(from .*\) have no Sales: drop them until"),
    ],
)
def test_weeks_that_have_not_come_are_named(columns: list[str], rows: slice, said: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.csv.*{said}"):
        joined(put(0.0, columns, rows))


@pytest.mark.parametrize("factor", [1 / 100, 100])
def test_a_plan_that_changes_spend_for_good_is_tracked(factor: float) -> None:
    """Weeks by the dozen, far from the data: what was planned, and no setting would help."""
    table = last_weeks(14)
    table["TV"] = (table["TV"].clip(lower=1_000) * factor).round()
    planned = table.set_index(pd.DatetimeIndex(table["Week"]))[["TV", "Radio"]]
    whole, warnings = joined(table, planned)
    assert len(whole) == len(drawn_model().table) + 14
    assert "data.accept" not in " ".join(warnings)
