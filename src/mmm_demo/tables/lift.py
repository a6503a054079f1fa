"""Lift tests: experiments that measured what a change of spend did to sales.

PyMC-Marketing takes tests in any unit and of any date, and a wrong unit moves the posterior without
a word. Here each is a fault with row, value and next step, all in one go.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.wording import DAY
from mmm_demo.tables.cells import ISO_DATE
from mmm_demo.tables.date_cells import CODE, explain_texts
from mmm_demo.tables.faults import DataError, refuse
from mmm_demo.tables.number_cells import Form, explain, is_empty, shapes, to_values
from mmm_demo.tables.table_file import read_texts

NUMBERS = ("x", "delta_x", "delta_y", "sigma")
COLUMNS = ("channel", *NUMBERS, "date")
WEEK = pd.Timedelta(days=7)
MOST_SPEND, LEAST_SPEND = 10.0, 1e-3  # of the largest weekly spend; beyond it is another unit
# Warned about: no test can tell so small a change, no channel brings so much, no week is like it.
SMALLEST_CHANGE = 1e-3  # of spend
SMALLEST_LIFT = 1e-4  # of weekly sales, of delta_y and sigma
LARGEST_SHARE = 0.5  # of weekly sales that the spend of the test would bring at its rate
USUAL_SPEND = (1 / 50, 3.0)  # of the median week with spend, of the largest week
PRECISE = 0.01  # standard errors below this share of the lift are rare outside of typing errors
GROUPED = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+")
type _Fault = tuple[pd.Series, str, str]  # rows at fault, column, what is wrong and what to do


def read_lift_tests(
    path: Path,
    model: ModelConfig,
    weeks: pd.DataFrame,
    grouped: Collection[str] = (),
    decimal: str = ".",
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a CSV file of lift tests and hold it against the model and its weekly table.

    Parameters
    ----------
    path
        CSV file with the columns `COLUMNS`, whatever separates them.
    model, weeks, grouped, decimal
        See `validate_lift_tests`.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    DataError
        When it is no CSV file, or a test in it cannot be used.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no lift tests at {path}; put the file there or change data.lift_tests "
            "in the experiment file"
        )
    raw = read_texts(path, COLUMNS)
    return validate_lift_tests(raw, model, weeks, str(path), grouped, decimal)


def validate_lift_tests(
    raw: pd.DataFrame,
    model: ModelConfig,
    weeks: pd.DataFrame,
    where: str,
    grouped: Collection[str] = (),
    decimal: str = ".",
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Turn lift tests into clean ones, or say all that is wrong with them.

    A test compares two steady levels of weekly spend, `x` and `x + delta_x`, with all carryover
    in: `delta_y` is the change of weekly sales between them and `sigma` its standard error.
    A change of sales against the direction of spend is evidence too: it is kept and noted.

    Parameters
    ----------
    raw
        Columns `COLUMNS`, one row per test; numbers may be text.
    model
        Names the channels, the date column and the target.
    weeks
        Clean weekly table of the model; its dates, spend and sales tell wrong units and dates.
    where
        Name of the source, for the message.
    grouped
        Columns of the source that the channels add up.
    decimal
        How the weekly table writes decimals; the tests are written alike.

    Returns
    -------
    table
        Columns `COLUMNS`: text, float64, datetime64[ns]; rows in the order given.
    warnings
        What was noticed without refusing.

    Raises
    ------
    DataError
        With one line per fault: rows, column, value, next step.
    """
    _require_columns(raw, where)
    table = pd.DataFrame({"channel": raw["channel"].astype(str).str.strip()})
    for name in NUMBERS:
        # By way of text: true and false are no numbers here.
        cells = raw[name].astype(str)
        if decimal == ",":
            read = [None if _is_grouped(value) else str(value) for value in to_values(cells, ",")]
            cells = pd.Series(read, index=raw.index, dtype=object)
        table[name] = pd.to_numeric(cells, errors="coerce").astype("float64")
    table["date"] = _days(raw["date"])
    table = table.reset_index(drop=True)
    shown = raw.reset_index(drop=True)
    faults = [*_unread(shown, table, decimal), *_faults(table, model, weeks, grouped)]
    lines = [_fault_line(shown, *fault) for fault in faults if fault[0].any()]
    refuse(f"{where} holds lift tests that cannot be used:", lines)
    return table, tuple(_warnings(table, model, weeks, where))


def _require_columns(raw: pd.DataFrame, where: str) -> None:
    found = [str(name) for name in raw.columns]
    faults = {
        "missing": [name for name in COLUMNS if name not in found],
        "unknown": [name for name in found if name not in COLUMNS],
        "repeated": sorted({name for name in found if found.count(name) > 1}),
    }
    wrong = [f"{fault} {', '.join(names)}" for fault, names in faults.items() if names]
    if wrong:
        raise DataError(
            f"{where} must have the columns {', '.join(COLUMNS)}; columns {'; '.join(wrong)}"
        )
    if raw.empty:
        raise DataError(f"{where} holds no lift test; add one or remove data.lift_tests")


def _days(column: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.dt.strftime(DAY)
    text = column.astype(str).str.strip()
    iso = text.where(text.str.fullmatch(ISO_DATE.pattern, na=False))
    return pd.to_datetime(iso, format=DAY, errors="coerce").astype("datetime64[ns]")


def _unread(raw: pd.DataFrame, table: pd.DataFrame, decimal: str) -> Iterator[_Fault]:
    """Name cells that are no number or no day, each kind with the step that fits it."""
    form = Form(decimal, offered=False)
    for name in NUMBERS:
        seen = shapes(raw[name], form)
        steps = {
            row: explain(cell, seen, "test", form).step if _is_told(cell) else "give one"
            for row, cell in raw[name][~np.isfinite(table[name])].items()
        }
        for step in dict.fromkeys(steps.values()):
            yield _rows(raw, steps, step), name, f"no finite number; {step}"
    cells = raw["date"][table["date"].isna()]
    told = {row: cell for row, cell in cells.items() if _is_told(cell)}
    steps = dict.fromkeys(cells.index, "")
    for rows, step in explain_texts(told, {}, "date"):
        steps |= dict.fromkeys(rows, f": {step.partition(CODE)[0]}")
    for step in dict.fromkeys(steps.values()):
        yield _rows(raw, steps, step), "date", f"no date; write it as YYYY-MM-DD{step}"


def _is_grouped(value: object) -> bool:
    """Whether a text beside decimal commas may have points between thousands: 1.015."""
    return isinstance(value, str) and bool(GROUPED.fullmatch(value.strip()))


def _is_told(cell: object) -> bool:
    """Return whether a cell is a text that its reader may have to be told about."""
    return isinstance(cell, str) and not is_empty(cell) and cell.strip().lstrip("+-") != "inf"


def _rows(raw: pd.DataFrame, steps: Mapping[Any, str], step: str) -> pd.Series:
    return pd.Series([steps.get(row) == step for row in raw.index], index=raw.index)


def _faults(
    table: pd.DataFrame, model: ModelConfig, weeks: pd.DataFrame, grouped: Collection[str]
) -> Iterator[_Fault]:
    channels = list(model.channel_columns)
    part = table["channel"].isin(list(grouped))
    why = "part of a channel (data.groups); what it did is no lift of the whole: remove the test"
    yield part, "channel", f"{why}, or take it out of its group"
    unknown = ~part & ~table["channel"].isin(channels)
    yield unknown, "channel", f"no channel of the model; channels are {', '.join(channels)}"
    x, delta, after = table["x"], table["delta_x"], table["x"] + table["delta_x"]
    yield table["sigma"] <= 0, "sigma", "must be positive: the standard error of delta_y"
    yield delta == 0, "delta_x", "a test without a change of spend measures nothing; remove it"
    yield x < 0, "x", "spend cannot be negative; give the weekly spend before the change"
    yield (x >= 0) & (after < 0), "delta_x", "takes away more than the whole spend x"
    yield from _unit_faults(table, model, weeks)
    first, last = weeks[model.date_column].min(), weeks[model.date_column].max() + WEEK
    span = f"{first:{DAY}} to {last - pd.Timedelta(days=1):{DAY}}"
    outside = table["date"].notna() & ((table["date"] < first) | (table["date"] >= last))
    yield outside, "date", f"outside the data ({span}); use tests of that time only"
    yield table.duplicated(), "channel", "the same test again, which would count twice; remove it"


def _unit_faults(table: pd.DataFrame, model: ModelConfig, weeks: pd.DataFrame) -> Iterator[_Fault]:
    """Name tests that no spend or sale in the data comes near: they are in another unit."""
    spend = weeks[list(model.channel_columns)].max()
    top = table["channel"].map(spend).astype("float64")
    most = np.maximum(table["x"], table["x"] + table["delta_x"])
    spends = ", ".join(f"{name} {value:g}" for name, value in spend.items())
    wrong = (most > MOST_SPEND * top) | ((most < LEAST_SPEND * top) & (table["delta_x"] != 0))
    yield (
        wrong & (most >= 0) & np.isfinite(most),
        "x",
        f"x and x + delta_x are far from the largest weekly spend ({spends}); "
        "give spend per week, in the unit of the data",
    )
    best = float(weeks[model.target_column].max())
    for name in ("delta_y", "sigma"):
        yield (
            np.isfinite(table[name]) & (table[name].abs() > best),
            name,
            f"more than the best week's sales ({best:g}); give sales per week, "
            "in the unit of the data",
        )


def _fault_line(raw: pd.DataFrame, rows: pd.Series, column: str, text: str) -> str:
    found = [(row + 1, raw[column].iloc[row]) for row in np.flatnonzero(rows)]
    cells = [
        f"row {row}: {cell!r}" if isinstance(cell, str) else f"row {row}: {cell}"
        for row, cell in found
    ]
    return f"{column}, {', '.join(cells)}: {text}"


def unexpected_sign(table: pd.DataFrame) -> pd.Series:
    """Return which tests measured sales going against the direction of spend, shape (test,)."""
    return table["delta_x"] * table["delta_y"] < 0


def known_in(lift_tests: pd.DataFrame, weeks: pd.Series) -> pd.DataFrame | None:
    """Return the tests dated before the last of some weeks is over; None without any.

    A refit on the first weeks of a table must not learn from a test that came after them.
    """
    known = lift_tests[lift_tests["date"] < weeks.max() + WEEK]
    return None if known.empty else known.reset_index(drop=True)


def _warnings(
    table: pd.DataFrame, model: ModelConfig, weeks: pd.DataFrame, where: str
) -> Iterator[str]:
    """Name tests that went against spend, and numbers that fit no weekly spend or sales."""
    sold = weeks[model.target_column]
    sales = float(sold[sold > 0].median())  # most weeks may have none
    tests = zip(table.itertuples(), unexpected_sign(table), strict=True)
    for row, (test, against) in enumerate(tests, 1):
        place, spent = f"{where}, row {row}", weeks[test.channel]
        if against:
            yield (
                f"{place}: {test.channel} spend changed by {test.delta_x:g} and sales by "
                f"{test.delta_y:g}, the unexpected direction; the test is used as it is"
            )
        if test.sigma < PRECISE * abs(test.delta_y):
            yield (
                f"{place}: sigma {test.sigma:g} is below {PRECISE:.0%} of delta_y "
                f"{test.delta_y:g}; check that it is a standard error in sales units"
            )
        place += f": {test.channel}"
        level, change = max(test.x, test.x + test.delta_x), abs(test.delta_x)
        usual, largest = float(spent[spent > 0].median()), float(spent.max())
        low, high = USUAL_SPEND[0] * usual, USUAL_SPEND[1] * largest
        if not low <= level <= high:
            yield (
                f"{place}: spend of {level:,.6g} in the test is {level / usual:.2g} times the "
                f"median week with spend ({usual:,.6g}; the largest {largest:,.6g}); is it spend "
                "per week, in the unit of the data?"
            )
        if change < SMALLEST_CHANGE * level:
            yield (
                f"{place}: a change of {change:,.6g} is {change / level:.2g} of the spend of "
                f"{level:,.6g}, too little for any test; delta_x is spend per week, not a share"
            )
        if max(abs(test.delta_y), test.sigma) < SMALLEST_LIFT * sales:
            yield (
                f"{place}: a lift of {test.delta_y:,.6g} +- {test.sigma:,.6g} a week is "
                f"{abs(test.delta_y) / sales:.1%} of weekly sales ({sales:,.6g}); delta_y and "
                "sigma are sales per week in the unit of the data, not shares"
            )
        rate = test.delta_y / test.delta_x
        if rate * level > LARGEST_SHARE * sales:
            yield (
                f"{place}: a lift of {abs(test.delta_y):,.6g} a week from spend of {change:,.6g} "
                f"is a ROAS of {rate:.3g}; at that rate {level:,.6g} a week would bring "
                f"{rate * level / sales:.0%} of weekly sales ({sales:,.6g}); is delta_y the change "
                "of one week's sales, not the sum over the test?"
            )


def lift_sha256(table: pd.DataFrame) -> str:
    """Return the identity of clean lift tests: sha256 over the rows, whatever their order."""
    rows = [
        [str(test["channel"]), *(float(test[name]) for name in NUMBERS), f"{test['date']:{DAY}}"]
        for _, test in table.iterrows()
    ]
    return hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest()
