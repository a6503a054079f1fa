"""One cell of a weekly table -> its value, or the kind of its fault and the step that mends it."""

import datetime as dt
import numbers
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.tables.date_cells import Days, explain_numbers, explain_texts
from mmm_demo.tables.faults import WEEKS_SHOWN
from mmm_demo.tables.number_cells import DECIMAL, PLAIN, Form, explain, is_empty, shapes

EXACT_LIMIT = 2.0**53  # beyond this size a float64 no longer counts single units
YEARS = range(1900, 2100)  # a year outside is a typing error
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NOT_ISO, NUMBER_DATE = "date that is not YYYY-MM-DD", "number as a date"
TEXT = "number as text"
NEXT_STEP = {
    "missing date value": "give the row its week or drop it",
    "timezone-aware date": "drop the timezone with .dt.tz_localize(None)",
    "date with a time of day": "keep the day only, with .dt.normalize()",
    "date out of range": f"correct the year; it must be from {YEARS[0]} to {YEARS[-1]}",
    "missing channel value": "fill it, or set missing_spend: zero if empty means no spend",
    "missing target value": "fill it at the source; a target is never filled in for you",
    "missing control value": "fill it at the source; a control is never filled in for you",
    "infinite value": "correct it; infinity would scale the whole column to zero",
    "negative value": "move refunds and corrections to the week they belong to",
    "value too large": f"correct it or choose a larger unit; the limit is {EXACT_LIMIT:.0e}",
    "true/false value": "give an amount; only controls may be true/false",
    "value that is not a number": "give one real number per cell",
}
MOST_PENDING = 0.25  # of the weeks; a column that is empty for longer has ended
OTHER_DECIMALS = f"{TEXT} (other decimals)"
STORED = {"missing channel value": "write 0 if nothing was spent, else the amount"}
type Cells = list[tuple[int, Any]]  # row and value
type Advice = tuple[str, Cells, str]  # kind of fault, cells, next step


def read_cells(cells: Iterable[Any], role: str) -> tuple[list[Any], dict[str, Cells]]:
    """Parse cell by cell; a bad one becomes None and is kept under the kind of its fault."""
    values, bad = [], {}
    for row, cell in enumerate(cells):
        if is_empty(cell):
            value, kind = None, f"missing {role} value"
        else:
            value, kind = _parse_date(cell) if role == "date" else _parse_number(cell, role)
        values.append(value)
        if kind:
            bad.setdefault(kind, []).append((row, cell))
    return values, bad


def _parse_date(cell: Any) -> tuple[pd.Timestamp | None, str]:
    if isinstance(cell, numbers.Number | np.bool_):
        return None, NUMBER_DATE
    try:
        if isinstance(cell, str) and ISO_DATE.fullmatch(cell):  # fromisoformat reads 20240101 too
            cell = dt.date.fromisoformat(cell)
        elif not isinstance(cell, dt.date | np.datetime64):
            return None, NOT_ISO
        stamp = pd.Timestamp(cell)
        if stamp.tzinfo is not None:
            return None, "timezone-aware date"
        if stamp.year not in YEARS:
            return None, "date out of range"
        day = stamp.normalize()
        return (day.as_unit("ns"), "") if stamp == day else (None, "date with a time of day")
    except ValueError:  # no such day, like 2024-02-30
        return None, NOT_ISO


def _parse_number(cell: Any, role: str) -> tuple[float | None, str]:
    if isinstance(cell, str):
        return None, TEXT
    if isinstance(cell, bool | np.bool_):
        return (float(cell), "") if role == "control" else (None, "true/false value")
    # numpy registers its time spans as whole numbers.
    if not isinstance(cell, numbers.Real | Decimal) or isinstance(cell, np.timedelta64):
        return None, "value that is not a number"
    if not -EXACT_LIMIT <= cell <= EXACT_LIMIT:  # before float(), where a long int overflows
        return None, "infinite value" if abs(cell) == float("inf") else "value too large"
    if cell < 0 and role != "control":
        return None, "negative value"
    return float(cell), ""


def advise_dates(bad: Mapping[str, Cells], days: Days, name: str) -> Iterator[Advice]:
    """Say what to do about the bad cells of a column of days.

    Parameters
    ----------
    bad
        Row and value, by kind of fault.
    days
        Days of all rows; None where they are not known.
    name
        Column.
    """
    explained: dict[str, Callable[[Any, Days, str], list[tuple[list[int], str]]]] = {
        NOT_ISO: explain_texts,
        NUMBER_DATE: explain_numbers,
    }
    for kind, cells in bad.items():
        if kind not in explained:
            yield kind, cells, NEXT_STEP[kind]
            continue
        for rows, step in explained[kind](dict(cells), days, name):
            chosen = set(rows)
            yield kind, [(row, cell) for row, cell in cells if row in chosen], step


def advise_numbers(
    bad: Mapping[str, Cells], column: Iterable[Any], role: str, form: Form
) -> Iterator[Advice]:
    """Say what to do about the bad cells of a column of numbers.

    Parameters
    ----------
    bad
        Row and value, by kind of fault.
    column
        All its cells; they tell decimal commas from separators of thousands.
    role
        `channel`, `target` or `control`.
    form
        How the file writes numbers.
    """
    for kind, cells in bad.items():
        if kind != TEXT:
            yield (
                kind,
                cells,
                NEXT_STEP[kind] if form.offered else STORED.get(kind, NEXT_STEP[kind]),
            )
            continue
        seen = shapes(column, form)
        found: dict[str, tuple[str, Cells]] = {}
        for row, text in cells:
            reading = explain(text, seen, role, form)
            found.setdefault(reading.kind, (reading.step, []))[1].append((row, text))
        if PLAIN in found and len(found) > 1:
            # One "1,234" makes a CSV column text as a whole: show it before its neighbours.
            plain = found.pop(PLAIN)[1]
            next(iter(found.values()))[1].extend(plain)
        for style, (step, chosen) in found.items():
            yield OTHER_DECIMALS if style == DECIMAL else kind, chosen, step


def split_pending(cells: Cells, weeks: int) -> tuple[Cells, int]:
    """Split empty cells of a column into those before its last value, and the number of the rest.

    Weeks whose sales are not known yet stand at the end, and are few.
    """
    empty, count = {row for row, _ in cells}, 0
    while weeks - 1 - count in empty:
        count += 1
    return (cells, 0) if not 0 < count <= MOST_PENDING * weeks else (cells[:-count], count)


def pending_step(names: list[str], weeks: list[str], spend: bool, offered: bool) -> str:
    """Say what to do about the last weeks, in which columns are empty.

    Parameters
    ----------
    names, weeks
        Columns, and the weeks as shown.
    spend
        Whether all the columns are channels, of which an empty cell may mean 0.
    offered
        Whether settings can be changed.
    """
    several = len(weeks) > 1
    shown = ", ".join(weeks) if len(weeks) <= WEEKS_SHOWN else f"{weeks[0]} to {weeks[-1]}"
    have = f"last {len(weeks)} weeks have" if several else "last week has"
    step = (
        f"the {have} no {' and no '.join(names)} yet: drop {'them' if several else 'it'} ({shown})"
    )
    zero = "set missing_spend: zero" if offered else "write 0"
    return step + f", or {zero} if nothing was spent" * spend
