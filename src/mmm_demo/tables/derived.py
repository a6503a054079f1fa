"""Columns that the data settings add to a weekly table: sums of channels, and a trend."""

import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.settings.data import TREND
from mmm_demo.tables.faults import DataError, of_column, refuse, twins
from mmm_demo.tables.number_cells import is_empty


def with_groups(
    raw: pd.DataFrame, groups: Mapping[str, tuple[str, ...]], missing_spend: str, where: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put each group of spend columns in place of its members.

    Parameters
    ----------
    raw
        Weekly table before the contract, shape (week, column).
    groups
        Members of each new column; the members leave the table.
    missing_spend
        `zero` reads an empty cell of a member as no spend; `error` leaves it to the contract.
    where
        Name of the source, for the message.

    Returns
    -------
    table
        A cell is the sum of the members' cells, in their unit. A member's cell that is no spend
        takes the place of the sum, so that the contract names its row and value.
    warnings
        What should be looked at.

    Raises
    ------
    DataError
        When a member is missing or there twice, or a group has the name of a column.
    """
    if found := list(_group_faults(list(raw.columns), groups)):
        found.append(f"the table has {', '.join(map(str, raw.columns))}")
        refuse(f"{where}: data.groups cannot be added up", found)
    members = [name for group in groups.values() for name in group]
    warnings = list(twins(raw.columns, members))
    if missing_spend == "zero":
        empty = raw[members].map(is_empty).sum()
        warnings += [
            of_column(name, f"{count} empty cell(s) read as 0 spend")
            for name, count in empty[empty > 0].items()
        ]
    sums = {
        name: [
            _total(cells, missing_spend)
            for cells in zip(*(raw[member] for member in group), strict=True)
        ]
        for name, group in groups.items()
    }
    return raw.drop(columns=members).assign(**sums), tuple(warnings)


def _group_faults(columns: list[Any], groups: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for group, members in groups.items():
        if group in columns:
            yield f"{group}: is a column already; give the group another name"
        if missing := [name for name in members if name not in columns]:
            yield f"{group}: missing column(s) {', '.join(missing)}; correct the experiment"
        if twice := [name for name in members if columns.count(name) > 1]:
            yield f"{group}: repeated column(s) {', '.join(twice)}; keep one of each"


def _total(cells: tuple[Any, ...], missing_spend: str) -> Any:
    """Return the sum of cells; or the first that is no spend, as it is."""
    if missing_spend == "zero":
        cells = tuple(cell for cell in cells if not is_empty(cell))
    wrong = [cell for cell in cells if not _is_spend(cell)]
    return wrong[0] if wrong else math.fsum(cells)


def _is_spend(cell: Any) -> bool:
    number = isinstance(cell, numbers.Real) and not isinstance(cell, bool)
    return number and 0 <= cell < math.inf


def with_trend(raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """Add the control `Trend`: 0, 1, 2, ... by week.

    Raises
    ------
    DataError
        When the table has such a column.
    """
    if TREND in raw:
        raise DataError(
            f"{where}: data.trend: linear adds the column {TREND!r}, which the table has already; "
            "leave data.trend out, or rename the column"
        )
    return raw.assign(**{TREND: np.arange(len(raw), dtype=float)})
