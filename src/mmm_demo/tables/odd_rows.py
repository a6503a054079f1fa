"""Rows of a table of weeks that are no weeks: a second header, totals, notes, empty ones."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.tables.date_cells import is_day
from mmm_demo.tables.number_cells import is_empty, to_values

TOTAL = re.compile(
    r"((grand|sub|over)[- ]?)?(totals?|totale?|totaal|all)\b.*|sums?\b.*|summe\b.*|gesamt.*"
    r"|zwischensumme.*|insgesamt|somme\b.*|suma\b.*|razem|合計|总计|總計|итого",
    re.IGNORECASE,
)
AVERAGE = re.compile(
    r"average\b.*|avg\b.*|mean\b.*|median\b.*|mittelwert.*|durchschnitt.*|moyenne.*|media",
    re.IGNORECASE,
)
SUM_TOLERANCE = 1e-6
HALF = 0.5


def header_row(raw: pd.DataFrame, missing: Collection[str]) -> int | None:
    """Return the row that names at least half of the columns that are missing, two or more."""
    for row, cells in enumerate(raw.itertuples(index=False, name=None)):
        found = {cell.strip() for cell in cells if isinstance(cell, str)} & {*missing}
        if len(found) >= max(2, HALF * len(missing)):
            return row
    return None


def odd_rows(columns: Mapping[str, pd.Series], date: str, target: str) -> dict[int, str]:
    """Return rows that are no weeks, with what they are and what to do.

    Parameters
    ----------
    columns
        Cells of the columns that the model uses, by name.
    date, target
        Which of them are the weeks and what marketing should move.
    """
    if date not in columns or len(columns) < 2:
        return {}
    rows = list(zip(*columns.values(), strict=True))
    days = list(columns[date])
    others = [
        [cell for name, cell in zip(columns, row, strict=True) if name != date] for row in rows
    ]
    odd: dict[int, str] = {}
    for row, day in enumerate(days):
        text = day.strip() if isinstance(day, str) else ""
        blank = all(map(is_empty, others[row]))
        same = sum(
            isinstance(cell, str) and cell.strip() == name
            for name, cell in zip(columns, rows[row], strict=True)
        )
        if same and same >= HALF * len(columns):
            odd[row] = "is a second header; were two exports joined? Remove it"
        elif is_empty(day) and blank:
            odd[row] = "is empty; remove it"
        elif TOTAL.fullmatch(text):
            odd[row] = f"is a total ({text!r}) and no week; remove it"
        elif AVERAGE.fullmatch(text):
            odd[row] = f"is an average ({text!r}) and no week; remove it"
        elif text and blank and not is_day(text):
            odd[row] = f"is a note ({text[:40]!r}) without a number; remove it"
    last = max((row for row in range(len(rows)) if row not in odd), default=0)
    undated = bool(rows) and is_empty(days[last]) and target in columns
    if undated and _is_sum(to_values(columns[target], "."), last, odd):
        odd[last] = "is a total (the sum of the rows above) and no week; remove it"
    return odd


def _is_sum(values: Sequence[Any], last: int, odd: Mapping[int, str]) -> bool:
    above = [values[row] for row in range(last) if row not in odd]
    numbers = [value for value in above if isinstance(value, int | float)]
    if not isinstance(values[last], int | float) or len(numbers) < 3 or len(numbers) < len(above):
        return False
    total = float(np.sum(numbers))
    return total > 0 and abs(values[last] - total) <= SUM_TOLERANCE * total
