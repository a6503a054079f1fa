"""How a fault of a table is told: column, rows and weeks, value, what to do; all in one go."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import pandas as pd

from mmm_demo.settings.wording import DAY, some

CELLS_SHOWN, WEEKS_SHOWN = 3, 10


class DataError(ValueError):
    """A table that no model may see."""


def refuse(what: str, faults: Iterable[str], error: type[ValueError] = DataError) -> None:
    """Raise an error with a line for each fault; do nothing where there is none."""
    if lines := "".join(f"\n- {fault}" for fault in faults):
        raise error(what + lines)


def of_column(name: object, what: str) -> str:
    """Return a fault of a column as one line."""
    return f"column {name!r}: {what}"


def place(row: int, day: date | None) -> str:
    """Name a row of data, the first being 0, and its week where that is known."""
    return f"row {row}" + (f" ({day:{DAY}})" if day else "")


def cells(found: Iterable[tuple[int, date | None, Any]]) -> str:
    """List cells by row, week and value; the first few of many."""
    return some([f"{place(row, day)} = {short(value)}" for row, day, value in found], CELLS_SHOWN)


def short(value: Any, width: int = 40) -> str:
    """Return a value on one line, cut where it is long."""
    text = " ".join((repr(value) if isinstance(value, str) else str(value)).split())
    return text if len(text) <= width else f"{text[: width - 3]}..."


def judged(table: pd.DataFrame, judges: Mapping[str, Callable[[pd.Series], Any]]) -> list[str]:
    """Name the columns that are not as they should be: `not finite: TV, Radio`."""
    wrong = {why: [name for name in table if judge(table[name])] for why, judge in judges.items()}
    return [f"{why} {', '.join(map(str, names))}" for why, names in wrong.items() if names]


def twins(labels: Iterable[object], names: Collection[str]) -> Iterator[str]:
    """Warn of the second of two equal columns, which a CSV reader renames: spend unseen."""
    for label in map(str, labels):
        first = re.sub(r"\.[0-9]+$", "", label)
        if label not in names and first in names:
            yield of_column(label, f"ignored; check in the header if it is a second {first!r}")
