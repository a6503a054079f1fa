"""A table against the champion's: another unit and holes are refused, a refresh is not."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from helpers import PROJECT
from mmm_demo.settings.data import DataConfig
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.tables.continuity import CORRECT, Findings, Weekly, compare

WEEKS, KNOWN, NEW = 130, slice(0, 104), slice(0, 117)
MODEL = ModelConfig(
    date_column="week",
    target_column="sales",
    channel_columns=("tv", "search", "radio"),
    control_columns=("price", "promo", "temperature", "Trend"),
)
PLAIN = DataConfig()
CASES = PROJECT / "tests" / "cases"
Edit = Callable[[pd.DataFrame], object]


def market() -> pd.DataFrame:
    """Return 130 weeks: steady search, tv in flights, radio on air now and then, a season."""
    rng, week = np.random.default_rng(4), np.arange(WEEKS)
    season = 1 + 0.5 * np.sin(2 * np.pi * week / 52)
    on_air = (week // 6) % 2 == 0
    return pd.DataFrame(
        {
            "week": pd.date_range("2023-01-02", periods=WEEKS, freq="7D"),
            "sales": np.round(900_000 * season * rng.lognormal(0, 0.1, WEEKS)),
            "tv": np.where(on_air, np.round(60_000 * rng.lognormal(0, 0.6, WEEKS)), 0.0),
            "search": np.round(40_000 * season * rng.lognormal(0, 0.4, WEEKS)),
            "radio": np.where(week % 9 == 0, np.round(8_000 * rng.lognormal(0, 0.3, WEEKS)), 0.0),
            "price": np.round(20 * rng.lognormal(0, 0.1, WEEKS), 2),
            "promo": (rng.random(WEEKS) < 0.15).astype(float),
            "temperature": np.round(12 - 14 * np.cos(2 * np.pi * week / 52), 1),
            "Trend": week.astype(float),
        }
    )


def held(
    now: pd.DataFrame,
    before: pd.DataFrame | None = None,
    data: DataConfig = PLAIN,
    model: ModelConfig = MODEL,
    champions: DataConfig = PLAIN,
    champions_model: ModelConfig = MODEL,
) -> Findings:
    """Hold a table against the champion's 104 weeks."""
    before = market()[KNOWN] if before is None else before
    return compare(Weekly.of(now, model, data), Weekly.of(before, champions_model, champions))


def edited(edit: Edit, weeks: slice = NEW) -> pd.DataFrame:
    """Return the market with an edit made to it."""
    table = market()[weeks].reset_index(drop=True)
    edit(table)
    return table


def times(factor: float, column: str, rows: slice | list[int]) -> Edit:
    """Return an edit that multiplies some weeks of a column."""

    def edit(table: pd.DataFrame) -> None:
        table.loc[rows, column] *= factor

    return edit


def put(value: float, column: str | list[str], rows: slice | list[int]) -> Edit:
    """Return an edit that overwrites some weeks of a column."""

    def edit(table: pd.DataFrame) -> None:
        table.loc[rows, column] = value

    return edit


def noisy(column: str, rows: slice, most: float) -> Edit:
    """Return an edit that restates some weeks, each by another factor."""

    def edit(table: pd.DataFrame) -> None:
        number = len(table.loc[rows])
        table.loc[rows, column] *= 1 + np.linspace(-most, most, number)

    return edit


ALL = slice(None)
QUIET = ""
# What changes, and what is told of it; an empty text where there is nothing to tell.
LEGITIMATE = {
    "the same table again": (market()[KNOWN], QUIET),
    "13 new weeks": (market()[NEW], QUIET),
    "26 new weeks": (market(), QUIET),
    "a rolling window": (market()[13:117], "13 weeks (2023-01-02 to 2023-03-27) of the champion's"),
    "half a year of a rolling window": (market()[26:130], "26 weeks (2023-01-02 to 2023-06-26)"),
    "older weeks added": (market(), QUIET),
    "fewer weeks at the end": (market()[0:90], "14 weeks (2024-09-23 to 2024-12-23)"),
    "the last eight weeks restated": (
        edited(noisy("sales", slice(96, 103), 0.2)),
        "sales: the last weeks are restated, from 2024-11-04, by up to 20%",
    ),
    "spend of the last eight weeks restated": (
        edited(noisy("search", slice(96, 103), 0.15)),
        "search: the last weeks are restated, from 2024-11-04, by up to 15%",
    ),
    "provisional spend of the last weeks made final": (
        edited(put(90_000, "search", slice(101, 103))),
        "search: history is not the same: 3 of the same 104 weeks changed",
    ),
    "sales restated throughout": (
        edited(noisy("sales", slice(0, 103), 0.3)),
        "sales: history is not the same",
    ),
    "a currency that drifted by 10 %": (
        edited(times(1.1, "tv", ALL)),
        "tv: 1.1 times what the champion was fitted on in the same 104 weeks",
    ),
    "net instead of gross": (
        edited(times(1 / 1.19, "sales", ALL)),
        "sales: 0.84 times what the champion was fitted on in the same 104 weeks",
    ),
    "another currency of a similar size": (
        edited(times(4.3, "search", ALL)),
        "search: 4.3 times what the champion was fitted on in the same 104 weeks",
    ),
    "a corrected week": (
        edited(times(10, "search", [40])),
        "search: history is not the same: 1 of the same 104 weeks changed, most in 2023-10-09",
    ),
    "three corrected weeks": (
        edited(times(1000, "search", [10, 40, 70])),
        "search: history is not the same: 3 of the same 104 weeks changed",
    ),
    "spend of a week booked in another": (
        edited(put(0, "search", [50])),
        "search: 0 in 1 of the same 104 weeks, 2023-12-18",
    ),
    "a promotion spike in the new weeks": (edited(times(6, "sales", [108])), QUIET),
    "a campaign never seen before": (edited(times(8, "search", [106, 107])), QUIET),
    "a channel that goes dark": (edited(put(0, "search", slice(104, 116))), QUIET),
    "a growing market": (edited(times(2.5, "sales", slice(104, 116))), QUIET),
    "a channel scaled up ninefold": (
        edited(times(9, "search", slice(104, 116))),
        "search: 14 times the champion's last 13 weeks in 13 weeks (2024-12-30",
    ),
    "pennies cleaned away": (
        edited(put(0, "search", slice(90, 95))),
        "search: history is not the same: 6 of the same 104 weeks changed",
        edited(put(7.5, "search", slice(90, 95)), KNOWN),
    ),
    "a season that begins after the champion's end": (market()[104:130], "no week in common"),
    "a gap of half a year": (
        edited(times(1.3, "sales", ALL), slice(120, 130)),
        "no week in common with the champion (2025-04-21 to 2025-06-23",
    ),
    "weeks that begin on Sunday": (
        market()[NEW].assign(week=lambda table: table["week"] - pd.Timedelta(days=1)),
        "Sundays and Mondays): only the levels are held against it",
    ),
    "a trend of its own that starts again": (
        market()[26:130].assign(Trend=np.arange(104.0)),
        "Trend: history is not the same",
    ),
    "Fahrenheit": (
        edited(lambda table: table.update(table["temperature"] * 1.8 + 32)),
        "temperature: history is not the same",
    ),
    "a promotion found later": (
        edited(put(1.0, "promo", slice(20, 22))),
        "promo: history is not the same",
    ),
    "a promotion that was none": (
        edited(put(0.0, "promo", ALL)),
        "promo: history is not the same",
    ),
}


@pytest.mark.parametrize("name", LEGITIMATE)
def test_what_a_refresh_may_do_is_not_refused_and_told_where_history_changed(name: str) -> None:
    now, told, *before = LEGITIMATE[name]
    if name == "older weeks added":
        found = held(now, market()[26:130].reset_index(drop=True))
        told = "26 weeks (2023-01-02 to 2023-06-26) before the champion's are added"
    else:
        found = held(now, *before)
    assert found.refused == ()
    assert any(told in line for line in found.told) if told else found.told == (), found.told
    assert len(found.told) <= 2


def test_new_dropped_and_renamed_columns_leave_the_others_to_be_compared() -> None:
    table = market()[NEW].assign(social=5_000.0)
    other = ModelConfig(
        date_column="week",
        target_column="sales",
        channel_columns=("tv", "social"),
        control_columns=("price",),
        adstock_max_lag=5,
    )
    found = held(table.drop(columns="search"), model=other)
    assert (found.refused, found.told) == ((), ())
    (line,) = held(table.assign(tv=table["tv"] / 1000), model=other).refused
    assert line.startswith("tv: 1/1000 of what the champion was fitted on in the same 104 weeks")
    renamed = ModelConfig(
        date_column="day", target_column="orders", channel_columns=("TV",), control_columns=()
    )
    strange = table.rename(columns={"week": "day", "sales": "orders", "tv": "TV"})
    found = held(strange, model=renamed)
    assert found.refused == ()
    assert found.told == (
        "no column in common with the champion: the table is not held against it",
    )


# Another unit


def dotted(table: pd.DataFrame) -> None:
    """Read 61.015 as 61.015 where it meant 61015, as dots for thousands are read."""
    large = table["search"] >= 60_000
    table.loc[large, "search"] /= 1000


UNITS = {
    "spend in thousands": (times(1e-3, "tv", ALL), "tv: 1/1000 of what the champion was fitted on"),
    "sales in thousands": (times(1e-3, "sales", ALL), "sales: 1/1000 of what"),
    "sales times thousand": (times(1e3, "sales", ALL), "sales: 1000 times what"),
    "cents": (times(100, "search", ALL), "search: 100 times what the champion"),
    "exactly five times": (times(5, "search", ALL), "search: 5 times what the champion"),
    "a fifth": (times(0.2, "search", ALL), "search: 1/5 of what the champion"),
    "rupees": (times(90.3, "search", ALL), "search: 90.3 times what the champion"),
    "a percentage as a fraction": (times(0.01, "price", ALL), "price: 1/100 of what"),
    "a channel that is rarely on air": (times(1e-3, "radio", ALL), "radio: 1/1000 of what"),
    "rounded to thousands": (
        lambda table: table.update((table["search"] / 1000).round()),
        "search: 1/1000 of what",
    ),
    "thousands, with the last weeks restated": (
        lambda table: (
            times(1e-3, "search", ALL)(table),
            noisy("search", slice(96, 103), 0.2)(table),
        ),
        "search: 1/1000 of what the champion was fitted on in the same 104 weeks",
    ),
    "the first 40 weeks in thousands": (
        times(1e-3, "search", slice(0, 39)),
        "search: 1/1000 of what the champion was fitted on in 40 of the same 104 weeks, "
        "2023-01-02 to 2023-10-02",
    ),
    "one month in thousands": (
        times(1e-3, "search", slice(50, 53)),
        "in 4 of the same 104 weeks, 2023-12-18 to 2024-01-08",
    ),
    "dots for thousands read as decimal signs": (dotted, "search: 1/1000 of what the champion"),
}


@pytest.mark.parametrize("name", UNITS)
def test_another_unit_in_the_same_weeks_is_refused_with_its_numbers(name: str) -> None:
    edit, said = UNITS[name]
    for weeks in (NEW, KNOWN):
        (line,) = held(edited(edit, weeks)).refused
        assert said in line
        assert line.endswith(f"): {CORRECT}")


def test_the_numbers_are_the_sums_over_the_weeks_that_moved() -> None:
    old = market()[KNOWN]["tv"].sum()
    (line,) = held(edited(times(1e-3, "tv", ALL))).units
    assert line == (
        "tv: 1/1000 of what the champion was fitted on in the same 104 weeks "
        f"({old:,.0f} -> {old / 1000:,.0f}): correct the file, or use another market"
    )


@pytest.mark.parametrize("factor", [4.9, 1 / 4.9])
def test_less_than_five_times_is_told(factor: float) -> None:
    found = held(edited(times(factor, "search", ALL)))
    assert found.refused == ()
    (line,) = found.changes
    assert f"search: {factor:.3g} times what the champion was fitted on" in line


def test_two_units_at_once_are_both_named() -> None:
    table = edited(times(1e-3, "search", slice(0, 30)))
    times(100, "search", slice(50, 80))(table)
    assert [line[:18] for line in held(table).units] == ["search: 100 times ", "search: 1/1000 of "]


def test_scattered_large_changes_that_are_not_alike_are_history() -> None:
    table = edited(lambda _: None)
    rows = list(range(0, 100, 10))
    table.loc[rows, "search"] *= np.geomspace(6, 600, len(rows))
    found = held(table)
    assert found.refused == ()
    assert "search: history is not the same: 10 of the same 104 weeks changed" in found.changes[0]


@pytest.mark.parametrize("case", ["spend_thousands", "unit_change", "sales_times1000"])
def test_the_same_weeks_of_a_template_in_another_unit(case: str) -> None:
    """Rows 1 and 2 of the cases: spend or sales in another unit than the champion's."""
    model = ModelConfig(
        date_column="week",
        target_column="sales",
        channel_columns=("tv", "search"),
        control_columns=("price",),
    )
    tables = [
        pd.read_csv(path) for path in (CASES / f"{case}.csv", PROJECT / "experiments/your_data.csv")
    ]
    lines = held(*tables, model=model, champions_model=model).refused
    assert (
        list(lines)
        == {
            "spend_thousands": [
                "tv: 1/1000 of what the champion was fitted on in the same 104 weeks "
                f"(6,239,990 -> 6,240): {CORRECT}",
                "search: 1/1000 of what the champion was fitted on in the same 104 weeks "
                f"(4,159,990 -> 4,160): {CORRECT}",
            ],
            "unit_change": [
                "sales: 1/1000 of what the champion was fitted on in the same 104 weeks "
                f"(90,054,200 -> 90,054): {CORRECT}"
            ],
            "sales_times1000": [
                "sales: 1000 times what the champion was fitted on in the same 104 weeks "
                f"(90,054,200 -> 90,054,200,000): {CORRECT}"
            ],
        }[case]
    )


# Holes


def test_weeks_without_sales_that_had_some_are_a_hole() -> None:
    (line,) = held(edited(put(0, "sales", [40]))).holes
    sold = market()["sales"][40]
    assert line == (
        f"sales: 0 in 1 of the same 104 weeks, 2023-10-09, in which the champion had {sold:,.0f}: "
        f"{CORRECT}"
    )
    lines = held(edited(put(0, ["sales", "tv", "search"], slice(99, 103)))).holes
    assert [line.split(":")[0] for line in lines] == ["sales", "search"]  # tv had a break
    assert "0 in 5 of the same 104 weeks, 2024-11-25 to 2024-12-23" in lines[0]


def test_a_month_of_spend_that_is_gone_is_a_hole_and_less_is_told() -> None:
    found = held(edited(put(0, "search", slice(50, 53))))
    assert "search: 0 in 4 of the same 104 weeks" in found.holes[0]
    found = held(edited(put(0, "search", slice(50, 52))))
    assert found.holes == () and "search: 0 in 3 of the same 104 weeks" in found.changes[0]


def test_weeks_that_are_gone_in_the_middle_are_a_hole() -> None:
    table = market()[NEW].drop(index=[50, 51])
    (line,) = held(table).holes
    assert line == (
        "2 weeks (2023-12-18 to 2023-12-25) that the champion was fitted on are missing: " + CORRECT
    )


# Without weeks in common: levels


@pytest.mark.parametrize("factor", [1e-3, 1e3, 1 / 300, 100])
def test_the_first_weeks_are_held_against_the_champions_last(factor: float) -> None:
    later = edited(times(factor, "sales", ALL), slice(110, 130))
    (line,) = held(later).units
    assert line.startswith("sales: ") and CORRECT in line
    assert "the champion's last 13 weeks in 13 weeks (2025-02-10 to 2025-05-05)" in line
    assert ("times" in line) == (factor > 1)


@pytest.mark.parametrize("factor", [7, 1 / 20])
def test_a_level_that_may_be_growth_is_told_with_its_numbers(factor: float) -> None:
    found = held(edited(times(factor, "sales", ALL), slice(110, 130)))
    assert found.refused == ()
    (line,) = found.levels
    assert line.startswith("sales: ") and " -> " in line


def test_a_table_before_the_champions_is_held_against_its_first_weeks() -> None:
    (line,) = held(market()[:60].assign(sales=market()["sales"] / 1000), market()[70:]).units
    assert "the champion's first 13 weeks in 13 weeks (2023-11-27 to 2024-02-19)" in line


def test_other_weekdays_of_another_unit_are_refused_by_their_level() -> None:
    table = market()[NEW].assign(
        week=market()["week"] + pd.Timedelta(days=2), tv=market()["tv"] / 1e3
    )
    (line,) = held(table).units
    assert line.startswith("tv: 1/")


def test_flights_far_above_the_last_weeks_were_seen_before() -> None:
    """A channel that was on air at a low level last is no other unit when a burst returns."""
    before = market()[KNOWN].assign(tv=100.0)
    before.loc[before.index[::5], "tv"] = 100_000.0
    before.loc[before.index[-13:], "tv"] = 100.0
    found = held(market()[104:130].assign(tv=100_000.0), before)
    assert (found.units, found.levels) == ((), ())


def test_new_weeks_of_a_table_that_is_otherwise_the_same_are_told_of_their_level() -> None:
    found = held(edited(times(1e-3, "search", slice(104, 116))))
    assert found.refused == ()
    assert found.levels[0].startswith("search: 1/")


# Columns that the data settings make


def test_a_trend_that_the_settings_make_is_not_compared() -> None:
    rolled = market()[26:130].assign(Trend=np.arange(104.0))
    made = DataConfig(trend="linear")
    assert len(held(rolled, data=made, champions=made).changes) == 1  # the weeks left out
    assert len(held(rolled, data=made).changes) == 1


def grouped(table: pd.DataFrame) -> tuple[pd.DataFrame, ModelConfig]:
    """Return tv and radio as one channel."""
    config = ModelConfig(
        date_column="week",
        target_column="sales",
        channel_columns=("offline", "search"),
        control_columns=("price",),
    )
    return table.assign(offline=table["tv"] + table["radio"]), config


GROUPS = DataConfig(groups={"offline": ("tv", "radio")})


def test_a_sum_of_columns_is_held_against_its_parts_either_way() -> None:
    before, config = grouped(market()[KNOWN])
    assert held(market()[NEW], before, champions=GROUPS, champions_model=config).told == ()
    thousands = market()[NEW].assign(tv=market()["tv"] / 1e3, radio=market()["radio"] / 1e3)
    (line,) = held(thousands, before, champions=GROUPS, champions_model=config).units
    assert line.startswith("offline: 1/1000 of what the champion was fitted on")
    now, _ = grouped(thousands)
    (line,) = held(now, data=GROUPS, model=config).units
    assert line.startswith("offline: 1/1000 of what the champion was fitted on")


def test_a_group_of_other_columns_is_not_compared_and_told() -> None:
    before, config = grouped(market()[KNOWN])
    fewer = DataConfig(groups={"offline": ("tv",)})
    now = market()[NEW].assign(offline=market()["tv"] * 20)
    found = held(now, before, fewer, config, GROUPS, config)
    assert found.refused == ()
    assert found.changes == (
        "offline: adds up other columns than the champion's, so it is not held against it",
    )


def test_what_is_no_number_or_no_week_is_left_to_the_contract() -> None:
    table = market()[NEW].astype({"tv": object, "week": str})
    table.loc[3, "tv"], table.loc[5, "week"] = "1,234", "soon"
    found = held(pd.concat([table, table.tail(1)]))
    assert found.units == ()


def test_a_flight_after_a_small_test_is_no_other_unit_where_shared_weeks_agree() -> None:
    """Every week of both shows the unit, however few they are."""
    tested = edited(put(0.0, "radio", slice(None)))
    tested.loc[101:103, "radio"] = 100.0
    flight = tested.copy()
    flight.loc[104:, "radio"] = 6_000.0
    found = held(flight, tested[KNOWN])
    assert found.refused == ()
    assert any("radio" in line for line in found.told)
    flight.loc[101:103, "radio"] = 0.0  # not a week of both shows it now
    assert [line for line in held(flight, tested[KNOWN]).units if line.startswith("radio")]
