"""One case per way in which a weekly table can mislead a model."""

import io
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from mmm_demo.settings.experiment import DataConfig, ModelConfig
from mmm_demo.tables.contract import MIN_WEEKS, min_weeks, validate_table
from mmm_demo.tables.faults import DataError

WEEKS = 60
FIRST = pd.Timestamp("2022-01-03")
MODEL = ModelConfig(
    date_column="week",
    target_column="sales",
    channel_columns=("tv", "radio", "search"),
    control_columns=("price", "promo"),
    adstock_max_lag=8,
)
DATA = DataConfig()
ZERO = DataConfig(missing_spend="zero")


def day(row: int) -> str:
    return f"{FIRST + pd.Timedelta(weeks=row):%Y-%m-%d}"


@pytest.fixture
def good() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "search": rng.gamma(3.0, 40.0, WEEKS),
            "week": pd.date_range(FIRST, periods=WEEKS, freq="7D"),
            "sales": rng.normal(5000.0, 300.0, WEEKS),
            "tv": np.where(rng.random(WEEKS) < 0.4, 0.0, rng.gamma(2.0, 100.0, WEEKS)),
            "radio": rng.integers(0, 500, WEEKS),
            "price": rng.normal(0.0, 1.0, WEEKS),
            "promo": rng.random(WEEKS) < 0.2,
            "comment": "not for the model",
        },
        index=rng.permutation(WEEKS),
    )


Change = Callable[[pd.DataFrame], pd.DataFrame]


def put(column: str, row: int, value: object) -> Change:
    """Write one cell, whatever its type."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        cells = list(table[column])
        cells[row] = value
        dtype = float if isinstance(value, float) else object
        return table.assign(**{column: pd.Series(cells, index=table.index, dtype=dtype)})

    return change


def make(column: str, rule: Callable[[pd.DataFrame], object]) -> Change:
    return lambda table: table.assign(**{column: rule(table)})


def as_text(column: str, form: str) -> Change:
    return make(column, lambda table: table[column].dt.strftime(form))


def move(row: int, days: int) -> Change:
    return lambda table: put("week", row, table["week"].iloc[row] + pd.Timedelta(days=days))(table)


def swap(one: int, other: int) -> Change:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        order = list(range(len(table)))
        order[one], order[other] = order[other], order[one]
        return table.iloc[order]

    return change


def drop_rows(*rows: int) -> Change:
    return lambda table: table.iloc[[row for row in range(len(table)) if row not in rows]]


def daily_tail(table: pd.DataFrame) -> pd.DataFrame:
    days = [*table["week"][:40], *pd.date_range(day(39), periods=21, freq="D")[1:]]
    return table.assign(week=days)


def two_markets(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.assign(sales=table["sales"] * 2)])


def second_tv(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table[["tv"]]], axis=1)


CASES: dict[str, tuple[Change, list[str]]] = {
    # cells
    "nan-spend": (put("tv", 3, np.nan), ["'tv'", "row 3", day(3), "nan", "missing_spend: zero"]),
    "nan-control": (put("price", 5, np.nan), ["'price'", "row 5", day(5), "nan", "fill it"]),
    "nan-target": (put("sales", 0, np.nan), ["'sales'", "row 0", day(0), "nan", "fill it"]),
    "none-spend": (put("tv", 3, None), ["'tv'", "row 3", day(3), "None"]),
    "na-control": (put("promo", 3, pd.NA), ["'promo'", "row 3", day(3), "<NA>"]),
    "decimal-nan": (put("tv", 3, Decimal("NaN")), ["'tv'", "row 3", "NaN"]),
    "inf-spend": (put("tv", 4, np.inf), ["'tv'", "row 4", day(4), "inf", "correct it"]),
    "minus-inf-spend": (put("tv", 4, -np.inf), ["'tv'", "row 4", "infinite", "-inf"]),
    "inf-control": (put("price", 4, -np.inf), ["'price'", "row 4", day(4), "-inf"]),
    "inf-target": (put("sales", 4, np.inf), ["'sales'", "row 4", day(4), "inf"]),
    "negative-spend": (put("radio", 9, -5), ["'radio'", "row 9", day(9), "-5", "refunds"]),
    "all-spend-negative": (
        make("tv", lambda t: -1 - t["tv"]),
        ["'tv'", "negative value in 60 row(s)", "row 0", "row 2", "and 57 more"],
    ),
    "negative-target": (put("sales", 9, -5.5), ["'sales'", "row 9", day(9), "-5.5"]),
    "text-with-comma": (
        put("tv", 30, "1,234"),
        ["'tv'", "row 30", day(30), "'1,234'", "thousands"],
    ),
    "text-column-shows-culprit-first": (
        lambda t: put("radio", 30, "1,234")(t.assign(radio=t["radio"].astype(str))),
        ["'radio'", "number as text in 60 row(s): row 30", "'1,234'", "and 57 more"],
    ),
    "text-numbers": (
        make("tv", lambda t: ["12.5", *t["tv"].astype(str)[1:]]),
        ["'tv'", "row 0", "'12.5'"],
    ),
    "text-control": (put("price", 2, "high"), ["'price'", "row 2", day(2), "'high'"]),
    "text-target": (put("sales", 2, ""), ["'sales'", "row 2", day(2), "''"]),
    "boolean-spend": (put("tv", 2, True), ["'tv'", "row 2", day(2), "True"]),
    "boolean-target": (make("sales", lambda t: t["promo"]), ["'sales'", "true/false", "row 0"]),
    "complex-spend": (put("tv", 2, 1 + 0j), ["'tv'", "row 2", "(1+0j)", "real number"]),
    "list-in-a-cell": (put("tv", 2, [1.0, 2.0]), ["'tv'", "row 2", "[1.0, 2.0]"]),
    "time-span-spend": (put("tv", 2, np.timedelta64(5, "D")), ["'tv'", "row 2", "5 days"]),
    "date-as-control": (make("price", lambda t: t["week"]), ["'price'", "row 0", "2022-01-03"]),
    "too-large-for-float": (put("tv", 2, 10**400), ["'tv'", "row 2", "too large", "1000"]),
    # dates
    "missing-date": (put("week", 6, None), ["'week'", "row 6", "missing date", "drop it"]),
    "nat-date": (put("week", 6, pd.NaT), ["'week'", "row 6", "NaT"]),
    "unparseable-date": (put("week", 6, "soon"), ["'week'", "row 6", "'soon'", "YYYY-MM-DD"]),
    "impossible-date": (put("week", 6, "2022-02-30"), ["'week'", "row 6", "'2022-02-30'"]),
    "basic-iso-date": (put("week", 6, "20220214"), ["'week'", "row 6", "'20220214'"]),
    "day-first-text": (
        as_text("week", "%d/%m/%Y"),
        ["'week'", "row 0", "'03/01/2022'", "format='%d/%m/%Y'"],
    ),
    "text-with-time": (as_text("week", "%Y-%m-%d %H:%M"), ["'week'", "row 0", "2022-01-03 00:00"]),
    "numeric-dates": (
        make("week", lambda t: t["week"].dt.strftime("%Y%m%d").astype(int)),
        ["'week'", "number as a date", "row 0", "20220103", "convert it"],
    ),
    "tz-aware-dates": (
        make("week", lambda t: t["week"].dt.tz_localize("Europe/Rome")),
        ["'week'", "timezone-aware", "row 0", "+01:00", "tz_localize(None)"],
    ),
    "time-of-day": (move(6, 0.5), ["'week'", "row 6", "12:00:00", "normalize()"]),
    "weekly-periods": (
        make("week", lambda t: t["week"].dt.to_period("W")),
        ["'week'", "row 0", "2022-01-03/2022-01-09"],
    ),
    "date-out-of-range": (
        put("week", 0, "1722-01-03"),
        ["'week'", "row 0", "'1722-01-03'", "1900"],
    ),
    # calendar
    "duplicate-date": (move(8, -7), ["'week'", f"{day(7)} (2x)", "panel", "filter to one market"]),
    "panel": (two_markets, ["'week'", "60 repeated", f"{day(0)} (2x)", "Sum the rows per week"]),
    "unsorted": (swap(10, 11), ["'week'", "out of order", f"row 11 ({day(10)})", "sort"]),
    "reversed": (lambda t: t[::-1], ["'week'", "out of order", f"row 1 ({day(58)})", "sort"]),
    "missing-weeks": (
        drop_rows(20, 21, 40),
        ["'week'", "3 missing week(s)", day(20), day(21), day(40), "add a row"],
    ),
    "many-missing-weeks": (
        drop_rows(*range(20, 33)),
        ["'week'", "13 missing week(s)", day(20), day(29), "and 3 more"],
    ),
    "daily-and-weekly": (
        daily_tail,
        ["'week'", "1 day(s) (20x)", "7 day(s) (39x)", "row 40 (2022-10-04)", "every 7 days"],
    ),
    "daily": (
        make("week", lambda t: pd.date_range(FIRST, periods=WEEKS, freq="D")),
        ["'week'", "1 day(s) (59x)", "row 1 (2022-01-04)"],
    ),
    "fortnightly": (
        make("week", lambda t: pd.date_range(FIRST, periods=WEEKS, freq="14D")),
        ["'week'", "14 day(s) (59x)"],
    ),
    "shifted-weekday": (move(30, 1), ["'week'", "6 day(s) (1x)", "8 day(s) (1x)", "row 30"]),
    "too-few-rows": (lambda t: t[:30], ["30 week(s)", "at least 31", "bring more"]),
    "one-row": (lambda t: t[:1], ["1 week(s)", "at least 31"]),
    "empty": (lambda t: t[:0], ["0 week(s)", "at least 31"]),
    # columns
    "missing-column": (
        lambda t: t.drop(columns="tv"),
        ["'tv'", "missing", "'comment'", "correct the config"],
    ),
    "misspelt-column": (
        lambda t: t.rename(columns={"search": "serach"}),
        ["'search'", "missing", "did you mean 'serach'"],
    ),
    "column-in-capitals": (lambda t: t.rename(columns={"tv": "TV "}), ["'tv'", "'TV '"]),
    "date-is-the-index": (lambda t: t.set_index("week"), ["'week'", "reset_index()"]),
    "duplicate-column-name": (second_tv, ["'tv'", "occurs 2x", "[3, 8]", "keep one"]),
    "constant-channel": (
        make("tv", lambda t: 250.5),
        ["'tv'", "constant at 250.5", "leave it out"],
    ),
    "constant-up-to-noise": (
        make("tv", lambda t: 250.5 + 1e-10 * t["price"]),
        ["'tv'", "constant at 250.5"],
    ),
    "all-zero-channel": (make("tv", lambda t: 0), ["'tv'", "0 in every week", "leave it out"]),
    "constant-control": (make("promo", lambda t: False), ["'promo'", "0 in every week"]),
    "all-zero-target": (make("sales", lambda t: 0.0), ["'sales'", "0 in every week", "source"]),
    "constant-target": (make("sales", lambda t: 7.0), ["'sales'", "constant at 7", "source"]),
    "identical-channels": (make("radio", lambda t: t["tv"]), ["'radio'", "collinear with 'tv'"]),
    "multiple-of-a-channel": (
        make("radio", lambda t: (t["tv"] * 0.92).round(2)),
        ["'radio'", "collinear with 'tv'", "drop one"],
    ),
    "shifted-copy": (make("radio", lambda t: t["tv"] + 100), ["'radio'", "collinear with 'tv'"]),
    "fixed-total": (make("radio", lambda t: 5000 - t["tv"]), ["'radio'", "collinear with 'tv'"]),
    "sum-of-channels": (
        make("search", lambda t: t["tv"] + t["radio"]),
        ["'search'", "collinear with 'tv', 'radio'", "merge"],
    ),
    "channel-repeats-control": (
        make("price", lambda t: 2 * t["search"] - 3),
        ["'price'", "collinear with 'search'"],
    ),
    "on-off-channel-repeats-dummy": (
        make("tv", lambda t: 300.0 * t["promo"]),
        ["'promo'", "collinear with 'tv'"],
    ),
    "channel-repeats-target": (
        make("tv", lambda t: t["sales"] / 2),
        ["'tv'", "repeats the target"],
    ),
}


def message(
    table: pd.DataFrame,
    model: ModelConfig = MODEL,
    data: DataConfig = DATA,
    *,
    stored: bool = False,
) -> str:
    with pytest.raises(DataError) as caught:
        validate_table(table, model, data, "weekly.csv", stored=stored)
    text = str(caught.value)
    assert text.startswith("weekly.csv: ")
    return text


@pytest.mark.parametrize(("change", "words"), CASES.values(), ids=CASES.keys())
def test_fault_names_place_value_and_next_step(
    good: pd.DataFrame, change: Change, words: list[str]
) -> None:
    text = message(change(good))
    # All words in one line: the right words about another column would be no help.
    assert any(all(word in line for word in words) for line in text.splitlines()), text


@pytest.mark.parametrize(
    ("fields", "twice"),
    [
        ({"channel_columns": ("tv", "tv")}, "tv"),
        ({"control_columns": ("tv",)}, "tv"),
        ({"channel_columns": ("tv", "sales")}, "sales"),
        ({"control_columns": ("sales",)}, "sales"),
        ({"channel_columns": ("week",)}, "week"),
        ({"target_column": "week"}, "week"),
    ],
    ids=str,
)
def test_one_role_per_column(fields: dict[str, object], twice: str) -> None:
    with pytest.raises(ValueError, match=f"columns with two roles: {twice}; give each column one"):
        replace(MODEL, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"missing_spend": "zeros"},
        {"adstock_max_lag": 0},
        {"adstock_max_lag": 2.5},
        {"adstock_max_lag": float("nan")},
        {"channel_columns": ()},
        {"channel_columns": "tv"},
    ],
    ids=str,
)
def test_what_a_table_is_held_against_refuses_nonsense(fields: dict[str, object]) -> None:
    rule = DATA if "missing_spend" in fields else MODEL
    with pytest.raises(ValueError, match=next(iter(fields))):
        replace(rule, **fields)


def test_good_table_passes(good: pd.DataFrame) -> None:
    before = good.copy(deep=True)
    table, warnings = validate_table(good, MODEL, DATA, "weekly.csv")
    assert warnings == ()
    assert list(table) == ["week", "sales", "tv", "radio", "search", "price", "promo"]
    assert table.dtypes.astype(str).tolist() == ["datetime64[ns]"] + 6 * ["float64"]
    assert isinstance(table.index, pd.RangeIndex)
    assert table["week"].dt.tz is None and (table["week"] == table["week"].dt.normalize()).all()
    for column in table:
        assert (table[column].to_numpy() == good[column].to_numpy()).all()
    pd.testing.assert_frame_equal(good, before)
    again, _ = validate_table(table, MODEL, DATA, "weekly.csv")
    pd.testing.assert_frame_equal(again, table)


SAME_TABLE: dict[str, Change] = {
    "iso-text": as_text("week", "%Y-%m-%d"),
    "date-objects": make("week", lambda t: pd.Series(list(t["week"].dt.date), t.index, object)),
    "microseconds": make("week", lambda t: t["week"].astype("datetime64[us]")),
    "categories": make("week", lambda t: t["week"].dt.strftime("%Y-%m-%d").astype("category")),
    "python-floats": make("tv", lambda t: t["tv"].astype(object)),
    "nullable-floats": make("tv", lambda t: t["tv"].astype("Float64")),
    "decimals": make("tv", lambda t: [Decimal(x) for x in t["tv"]]),
    "fractions": make("tv", lambda t: [Fraction(x) for x in t["tv"]]),
    "nullable-integers": make("radio", lambda t: t["radio"].astype("Int64")),
    "numpy-scalars": make("promo", lambda t: pd.Series([*t["promo"].to_numpy()], t.index, object)),
    "sparse": make("tv", lambda t: t["tv"].astype(pd.SparseDtype(float, 0.0))),
    "other-column-order": lambda t: t[sorted(t)],
    "csv-file": lambda t: pd.read_csv(io.StringIO(t.to_csv(index=False))),
}


@pytest.mark.parametrize("change", SAME_TABLE.values(), ids=SAME_TABLE.keys())
def test_other_notations_give_the_same_table(good: pd.DataFrame, change: Change) -> None:
    expected, _ = validate_table(good, MODEL, DATA, "weekly.csv")
    table, warnings = validate_table(change(good), MODEL, DATA, "weekly.csv")
    pd.testing.assert_frame_equal(table, expected)
    assert warnings == ()


def test_missing_spend_as_zero_is_opt_in_and_said(good: pd.DataFrame) -> None:
    raw = put("tv", 3, np.nan)(good)
    before = raw.copy(deep=True)
    table, warnings = validate_table(raw, MODEL, ZERO, "weekly.csv")
    assert table["tv"][3] == 0.0
    assert len(warnings) == 1
    assert all(word in warnings[0] for word in ("'tv'", "1 empty", "row 3", day(3)))
    pd.testing.assert_frame_equal(raw, before)


@pytest.mark.parametrize("column", ["sales", "price"])
def test_missing_spend_as_zero_is_for_spend_only(good: pd.DataFrame, column: str) -> None:
    text = message(put(column, 3, np.nan)(good), data=ZERO)
    assert repr(column) in text and "row 3" in text


def test_channel_of_empty_cells_does_not_pass_as_zero(good: pd.DataFrame) -> None:
    text = message(good.assign(tv=np.nan), data=ZERO)
    assert "'tv'" in text and "0 in every week" in text


def test_faults_are_reported_together(good: pd.DataFrame) -> None:
    raw = good.drop(columns="radio").assign(search=0.0)
    for change in (
        put("tv", 3, -1.0),
        put("sales", 4, np.inf),
        put("price", 5, np.nan),
        move(8, -7),
    ):
        raw = change(raw)
    text = message(raw)
    assert text.startswith("weekly.csv: 7 fault(s)")
    assert len(text.splitlines()) == 8
    for words in (
        ("'radio'", "missing"),
        ("'tv'", "row 3", "-1"),
        ("'sales'", "row 4", "inf"),
        ("'price'", "row 5", "nan"),
        ("'week'", "repeated", day(7)),
        ("'week'", "missing week", day(8)),
        ("'search'", "0 in every week"),
    ):
        assert any(all(word in line for word in words) for line in text.splitlines()), words


def test_unreadable_date_is_not_reported_again_as_a_gap(good: pd.DataFrame) -> None:
    assert "1 fault(s)" in message(put("week", 6, None)(good))


@pytest.mark.parametrize("column", ["tv", "sales"])
def test_outlier_is_a_warning(good: pd.DataFrame, column: str) -> None:
    row = int(np.argmax(good[column].to_numpy() > 0))
    value = 1000.0 * float(good[column].max())
    table, warnings = validate_table(put(column, row, value)(good), MODEL, DATA, "weekly.csv")
    assert table[column][row] == value
    values = table[column][table[column] > 0]
    ratio = f"{value / values.median():.4g}x"
    assert len(warnings) == 1
    expected = (repr(column), f"row {row} ({day(row)})", str(value), ratio, "squashes", "unit")
    assert all(word in warnings[0] for word in expected), warnings


def test_column_renamed_by_a_csv_reader_is_a_warning(good: pd.DataFrame) -> None:
    _, warnings = validate_table(good.assign(**{"tv.1": 1.0}), MODEL, DATA, "weekly.csv")
    assert len(warnings) == 1 and "'tv.1'" in warnings[0] and "second 'tv'" in warnings[0]


def test_controls_that_repeat_only_each_other_are_a_warning(good: pd.DataFrame) -> None:
    _, warnings = validate_table(good.assign(price=1.0 - good["promo"]), MODEL, DATA, "weekly.csv")
    assert len(warnings) == 1 and "'promo'" in warnings[0] and "'price'" in warnings[0]


def test_correlated_channels_are_no_fault(good: pd.DataFrame) -> None:
    noise = np.random.default_rng(1).normal(1.0, 0.02, WEEKS)
    validate_table(good.assign(radio=good["search"] * noise), MODEL, DATA, "weekly.csv")


def test_long_values_are_cut(good: pd.DataFrame) -> None:
    text = message(put("tv", 3, "9" * 10_000 + "\n")(good))
    assert len(text) < 300


@pytest.mark.parametrize(("lag", "weeks"), [(1, MIN_WEEKS), (4, MIN_WEEKS), (8, 31), (12, 39)])
def test_weeks_needed_grow_with_the_lag(good: pd.DataFrame, lag: int, weeks: int) -> None:
    model = replace(MODEL, adstock_max_lag=lag)
    assert min_weeks(model) == weeks
    validate_table(good[:weeks], model, DATA, "weekly.csv")
    assert f"at least {weeks}" in message(good[: weeks - 1], model)


# --- weeks whose values are not there yet, and false second faults ------------------------------


def empty_last(column: str, weeks: int) -> Change:
    return make(column, lambda t: t[column].where(np.arange(WEEKS) < WEEKS - weeks))


def test_last_weeks_without_values_are_to_be_dropped(good: pd.DataFrame) -> None:
    text = message(empty_last("sales", 2)(good))
    assert "1 fault(s)" in text
    assert f"the last 2 weeks have no sales yet: drop them ({day(58)}, {day(59)})" in text
    text = message(empty_last("tv", 1)(good))
    assert f"the last week has no tv yet: drop it ({day(59)}), or set missing_spend: zero" in text
    stored = message(empty_last("tv", 1)(good), stored=True)
    assert "or write 0 if nothing was spent" in stored and "missing_spend" not in stored


def test_last_weeks_are_named_once_for_all_columns(good: pd.DataFrame) -> None:
    raw = good
    for change in (("sales", 3), ("tv", 3), ("search", 2), ("price", 3)):
        raw = empty_last(*change)(raw)
    text = message(raw)
    assert (
        "1 fault(s)" in text and "the last 3 weeks have no sales and no tv and no price yet" in text
    )


def test_weeks_that_are_not_the_last_are_to_be_filled(good: pd.DataFrame) -> None:
    raw = empty_last("sales", 2)(put("sales", 5, np.nan)(good))
    text = message(raw)
    assert "missing target value in 1 row(s): row 5" in text and "the last 2 weeks" in text
    for column, weeks, role in (("price", 2, "control"), ("tv", 20, "channel")):
        text = message(empty_last(column, weeks)(good))
        assert f"missing {role} value in {weeks} row(s)" in text and "yet" not in text


def test_unread_dates_are_weeks_all_the_same(good: pd.DataFrame) -> None:
    """A form that half of the dates have is no lack of weeks."""
    days = [day(row) if row % 2 else f"{pd.Timestamp(day(row)):%d.%m.%Y}" for row in range(WEEKS)]
    text = message(good.assign(week=days))
    assert "1 fault(s)" in text and "write '03.01.2022' as 2022-01-03" in text


def test_words_for_nothing_are_shown_as_written(good: pd.DataFrame) -> None:
    raw = put("tv", 3, "n/a")(good)
    assert "missing channel value in 1 row(s): row 3 (2022-01-24) = 'n/a'" in message(raw)
    table, (warning,) = validate_table(raw, MODEL, ZERO, "weekly.csv")
    assert table["tv"][3] == 0.0 and "'n/a'" in warning


def test_kinds_of_texts_have_a_line_each(good: pd.DataFrame) -> None:
    raw = put("tv", 5, "$5")(put("tv", 4, "-")(put("tv", 3, "-")(good)))
    text = message(raw)
    assert "2 fault(s)" in text
    assert "in 2 row(s): row 3 (2022-01-24) = '-'" in text and "a sign of money: write 5" in text
