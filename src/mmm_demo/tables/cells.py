"""One cell of a weekly table -> its value, or the kind of its fault."""

import datetime as dt
import numbers
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.tables.number_cells import is_empty

EXACT_LIMIT = 2.0**53  # beyond this size a float64 no longer counts single units
YEARS = range(1900, 2100)  # a year outside is a typing error
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NOT_ISO, NUMBER_DATE = "date that is not YYYY-MM-DD", "number as a date"
TEXT = "number as text"
type Cells = list[tuple[int, Any]]  # row and value


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
